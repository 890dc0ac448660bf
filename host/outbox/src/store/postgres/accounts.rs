//! Accounts and their sessions in the shared database.

use sqlx::{PgConnection, Row};
use tabella_protocol::codec;

use super::{
    super::{
        Account, Role, Rotation, StoreError,
        accounts::{self, AccountDone, AccountWrite, EXPIRED_MAX},
    },
    Shared,
    rows::storable,
};

/// Makes one change.
pub(super) async fn apply(
    connection: &mut PgConnection,
    write: &AccountWrite,
) -> Result<AccountDone, sqlx::Error> {
    Ok(match write {
        AccountWrite::Create { account, .. } => {
            AccountDone::Created(create(connection, account).await?)
        }
        AccountWrite::SetRole { name, role, .. } => {
            AccountDone::RoleSet(set_role(connection, name, *role).await?)
        }
        AccountWrite::Open {
            id,
            session,
            expired_before,
            ..
        } => {
            forget_expired(connection, expired_before).await?;
            sqlx::query("INSERT INTO sessions (id, account, refresh) VALUES ($1, $2, $3)")
                .bind(storable(id))
                .bind(storable(&session.account))
                .bind(storable(&session.refresh))
                .execute(connection)
                .await?;
            AccountDone::Opened
        }
        AccountWrite::Rotate { id, from, to, .. } => {
            AccountDone::Rotated(rotate(connection, id, from, to).await?)
        }
        AccountWrite::Close { id, .. } => {
            close(connection, id).await?;
            AccountDone::Closed
        }
    })
}

async fn create(connection: &mut PgConnection, account: &Account) -> Result<bool, sqlx::Error> {
    let created =
        sqlx::query("INSERT INTO accounts (name, account) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(storable(&account.name))
            .bind(codec::encode(account))
            .execute(connection)
            .await?;
    Ok(created.rows_affected() == 1)
}

async fn set_role(
    connection: &mut PgConnection,
    name: &str,
    role: Role,
) -> Result<Option<Account>, sqlx::Error> {
    let row = sqlx::query("SELECT account FROM accounts WHERE name = $1")
        .bind(storable(name))
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let bytes: Vec<u8> = row.try_get("account")?;
    let mut account: Account =
        accounts::decode(&bytes).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    account.role = role;
    sqlx::query("UPDATE accounts SET account = $2 WHERE name = $1")
        .bind(storable(name))
        .bind(codec::encode(&account))
        .execute(connection)
        .await?;
    Ok(Some(account))
}

/// Forgets a few sessions that have expired, so that no login pays for all.
async fn forget_expired(
    connection: &mut PgConnection,
    expired_before: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM sessions WHERE id IN \
         (SELECT id FROM sessions WHERE id < $1 ORDER BY id LIMIT $2)",
    )
    .bind(storable(expired_before))
    .bind(i64::try_from(EXPIRED_MAX).unwrap_or(i64::MAX))
    .execute(connection)
    .await?;
    Ok(())
}

async fn rotate(
    connection: &mut PgConnection,
    id: &str,
    from: &str,
    to: &str,
) -> Result<Rotation, sqlx::Error> {
    let rotated = sqlx::query("UPDATE sessions SET refresh = $3 WHERE id = $1 AND refresh = $2")
        .bind(storable(id))
        .bind(storable(from))
        .bind(storable(to))
        .execute(&mut *connection)
        .await?;
    if rotated.rows_affected() == 1 {
        return Ok(Rotation::Rotated);
    }
    Ok(match close(connection, id).await? {
        true => Rotation::Reused,
        false => Rotation::Over,
    })
}

/// Ends a session; false where it had ended before.
async fn close(connection: &mut PgConnection, id: &str) -> Result<bool, sqlx::Error> {
    let closed = sqlx::query("DELETE FROM sessions WHERE id = $1")
        .bind(storable(id))
        .execute(connection)
        .await?;
    Ok(closed.rows_affected() == 1)
}

impl Shared {
    pub(in super::super) async fn account(
        &self,
        name: &str,
    ) -> Result<Option<Account>, StoreError> {
        self.one_account("SELECT account FROM accounts WHERE name = $1", name)
            .await
    }

    pub(in super::super) async fn account_of_session(
        &self,
        id: &str,
    ) -> Result<Option<Account>, StoreError> {
        let statement = "SELECT a.account FROM sessions s JOIN accounts a ON a.name = s.account \
                         WHERE s.id = $1";
        self.one_account(statement, id).await
    }

    async fn one_account(
        &self,
        statement: &'static str,
        key: &str,
    ) -> Result<Option<Account>, StoreError> {
        // PostgreSQL stores no such text.
        if key.contains('\0') {
            return Ok(None);
        }
        let row = self.answered(async {
            sqlx::query(statement)
                .bind(key)
                .fetch_optional(&self.pool)
                .await
        });
        let account = row.await?.map(|row| {
            let bytes: Vec<u8> = row.try_get("account").map_err(StoreError::of)?;
            accounts::decode(&bytes)
        });
        account.transpose()
    }
}
