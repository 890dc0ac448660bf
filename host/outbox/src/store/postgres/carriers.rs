//! Who carries what: every open submission has a backend that carries it to the chain. Backends show
//! that they are alive; what a dead one had not settled, another takes over, and so it does from one
//! that lives and reaches no validator.
//!
//! The database's clock alone tells who is alive. Two backends may both hold a submission for theirs
//! for a while, where one was stopped and goes on: both then carry the same transaction, and the
//! chain takes it once. What must not be done twice, signing it again and giving it up, is written
//! only by the one that the database names.

use std::{
    fs::File,
    io::{self, Seek, Write as _},
    path::Path,
};

use sqlx::{Connection, PgConnection, Row, postgres::PgRow};

use super::{
    super::{OpenError, StoreError},
    Shared,
    rows::{self, Kept, columns},
};
use crate::pending::{Carried, Durable};

/// Dead backends are remembered this much longer, for people who look.
const REMEMBERED_S: f64 = 24.0 * 60.0 * 60.0;

/// Shows that backend `$1` over data directory `$2` is alive, and when it last reached a validator. Times
/// are those of the database: one that was not seen for five seconds, here and below, is dead.
macro_rules! sign_of_life {
    ($connected:literal) => {
        concat!(
            "INSERT INTO backends AS b (id, home, since, seen) \
             VALUES ($1, $2, clock_timestamp(), clock_timestamp()) \
             ON CONFLICT (id) DO UPDATE SET seen = clock_timestamp(), \
             since = CASE WHEN b.seen < clock_timestamp() - interval '5 seconds' \
             THEN clock_timestamp() ELSE b.since END, connected = ",
            $connected,
            " RETURNING since"
        )
    };
}
pub(super) use sign_of_life;

/// Of backends `b` those that carry nothing to the chain: dead, or out of every validator's reach for as
/// long.
macro_rules! carries_nothing {
    () => {
        "(b.seen < now() - interval '5 seconds' OR b.connected < now() - interval '5 seconds')"
    };
}

/// Whom a backend reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// At least one validator.
    Validators,
    /// None of them.
    Nobody,
}

/// This process among all that share the database.
#[derive(Debug)]
pub(super) struct Me {
    /// Another one at every start.
    pub(super) id: i64,
    /// The same as long as the data directory is.
    pub(super) home: [u8; 16],
    /// Held as long as the process runs.
    _lock: File,
}

impl Me {
    /// Names this process after its data directory, which it must have for itself.
    pub(super) fn over(data: &Path) -> Result<Self, OpenError> {
        let path = data.join("backend-id");
        let failed = |error: io::Error| OpenError::Directory {
            path: path.clone(),
            reason: error.to_string(),
        };
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        lock.try_lock().map_err(|error| OpenError::Directory {
            path: path.clone(),
            reason: format!(
                "{error}; another backend runs over it, give each a data directory of its own"
            ),
        })?;
        let text = io::read_to_string(&mut lock).map_err(failed)?;
        let mut home = [0; 16];
        if hex::decode_to_slice(text.trim(), &mut home).is_err() {
            // The first start, or one that was interrupted before anybody knew the id.
            home = rand::random();
            lock.set_len(0).map_err(failed)?;
            lock.rewind().map_err(failed)?;
            lock.write_all(hex::encode(home).as_bytes())
                .map_err(failed)?;
            lock.sync_all().map_err(failed)?;
        }
        Ok(Self {
            id: rand::random_range(1..i64::MAX),
            home,
            _lock: lock,
        })
    }
}

/// How long this backend has been seen without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    /// Since when, in microseconds; another value after a gap.
    pub(crate) since_us: i64,
    /// Whether that is long enough to judge others.
    pub(crate) is_established: bool,
    /// Whether another backend holds something that it does not carry.
    pub(crate) others_left: bool,
}

impl Shared {
    /// Shows that this backend is alive, and whom it reaches.
    pub(crate) async fn sign_of_life(&self, reach: Reach) -> Result<Life, StoreError> {
        let statement = concat!(
            "WITH alive AS (",
            sign_of_life!("CASE WHEN $3 THEN clock_timestamp() ELSE b.connected END"),
            ") SELECT (extract(epoch FROM since) * 1000000)::int8 AS since_us, \
             since <= now() - interval '5 seconds' AS established, \
             EXISTS (SELECT 1 FROM backends b JOIN submissions s \
             ON s.carrier = b.id AND s.state = 0 WHERE b.id <> $1 AND ",
            carries_nothing!(),
            ") AS others_left FROM alive"
        );
        self.answered(async {
            let row = sqlx::query(statement)
                .bind(self.me.id)
                .bind(self.me.home.as_slice())
                .bind(reach == Reach::Validators)
                .fetch_one(&self.pool)
                .await?;
            Ok(Life {
                since_us: row.try_get("since_us")?,
                is_established: row.try_get("established")?,
                others_left: row.try_get("others_left")?,
            })
        })
        .await
    }

    /// Takes over up to `count_max` submissions that others hold and do not carry, the oldest first.
    pub(crate) async fn take_over(&self, count_max: usize) -> Result<Carried, StoreError> {
        let statement = concat!(
            "UPDATE submissions SET carrier = $1 WHERE sequence IN (SELECT s.sequence \
             FROM submissions s JOIN backends b ON s.carrier = b.id AND s.state = 0 \
             WHERE b.id <> $1 AND ",
            carries_nothing!(),
            " ORDER BY s.sequence LIMIT $2) \
             RETURNING sequence, transaction_id, expiry_height, election_id, voter, submitted_at_ms"
        );
        let taken = self.answered(async {
            let mut transaction = self.pool.begin().await?;
            sqlx::query("SELECT 1 FROM network FOR UPDATE")
                .execute(&mut *transaction)
                .await?;
            let taken = sqlx::query(statement)
                .bind(self.me.id)
                .bind(i64::try_from(count_max).unwrap_or(i64::MAX))
                .fetch_all(&mut *transaction)
                .await?;
            sqlx::query(
                "DELETE FROM backends b WHERE b.seen < now() - make_interval(secs => $1) \
                 AND NOT EXISTS (SELECT 1 FROM submissions s WHERE s.carrier = b.id AND s.state = 0)",
            )
            .bind(REMEMBERED_S)
            .execute(&mut *transaction)
            .await?;
            let carried = carried(&mut transaction, &self.me, &taken).await?;
            transaction.commit().await?;
            Ok(carried)
        });
        // Where the answer is lost, the database may name this backend: nobody else carries them then.
        taken.await.inspect_err(|_| self.doubt_all())
    }

    /// Every open submission that this backend carries.
    pub(crate) async fn own(&self) -> Result<Carried, StoreError> {
        self.answered(async {
            let mut connection = self.pool.acquire().await?;
            let rows = sqlx::query(
                "SELECT sequence, transaction_id, expiry_height, election_id, voter, submitted_at_ms \
                 FROM submissions WHERE state = 0 AND carrier = $1 ORDER BY sequence",
            )
            .bind(self.me.id)
            .fetch_all(&mut *connection)
            .await?;
            carried(&mut connection, &self.me, &rows).await
        })
        .await
    }

    /// How submissions with these sequences stand, and whether this backend carries them.
    pub(crate) async fn look(&self, sequences: &[u64]) -> Result<Vec<(Kept, bool)>, StoreError> {
        let statement = concat!(
            "SELECT ",
            columns!(),
            " FROM submissions s WHERE s.sequence = ANY($1)"
        );
        let sequences: Vec<i64> = sequences.iter().map(|s| s.cast_signed()).collect();
        self.answered(async {
            let rows = sqlx::query(statement)
                .bind(sequences)
                .fetch_all(&self.pool)
                .await?;
            rows.iter()
                .map(|row| {
                    let kept = Kept::of(row)?;
                    let is_own = kept.carrier == Some(self.me.id);
                    Ok((kept, is_own))
                })
                .collect()
        })
        .await
    }
}

/// The submissions of these rows, which this backend carries, and what others carry of the same voters
/// that was cast before: it goes out first, whoever carries it.
async fn carried(
    connection: &mut PgConnection,
    me: &Me,
    own: &[PgRow],
) -> Result<Carried, sqlx::Error> {
    let own: Vec<Durable> = own.iter().map(rows::durable).collect::<Result<_, _>>()?;
    let sequences: Vec<i64> = own.iter().map(|d| d.sequence.cast_signed()).collect();
    let ahead = sqlx::query(
        "SELECT DISTINCT e.sequence, e.transaction_id, e.expiry_height, e.election_id, e.voter, \
         e.submitted_at_ms \
         FROM submissions o JOIN submissions e \
         ON e.election_id = o.election_id AND e.voter = o.voter AND e.sequence < o.sequence \
         WHERE o.sequence = ANY($1) AND e.state = 0 AND e.carrier <> $2",
    )
    .bind(sequences)
    .bind(me.id)
    .fetch_all(connection)
    .await?;
    let ahead = ahead.iter().map(rows::durable).collect::<Result<_, _>>()?;
    Ok(Carried { own, ahead })
}

/// Takes part from now on, and takes over what an earlier process over the same data directory left:
/// that one is dead, because this one holds the directory.
pub(super) async fn join(connection: &mut PgConnection, me: &Me) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT 1 FROM network FOR UPDATE")
        .execute(&mut *transaction)
        .await?;
    sqlx::query(sign_of_life!("b.connected"))
        .bind(me.id)
        .bind(me.home.as_slice())
        .execute(&mut *transaction)
        .await?;
    sqlx::query(
        "UPDATE submissions s SET carrier = $1 FROM backends b \
         WHERE s.state = 0 AND s.carrier = b.id AND b.home = $2 AND b.id <> $1",
    )
    .bind(me.id)
    .bind(me.home.as_slice())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Leaves: others may take over at once what this backend has not settled.
pub(super) async fn leave(connection: &mut PgConnection, me: &Me) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE backends SET seen = '-infinity' WHERE id = $1")
        .bind(me.id)
        .execute(connection)
        .await?;
    Ok(())
}
