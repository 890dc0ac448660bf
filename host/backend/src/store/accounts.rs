//! Accounts and their refresh tokens.

use borsh::{BorshDeserialize, BorshSerialize};
use redb::{ReadableTable, WriteTransaction};
use tabella_protocol::codec;
use tokio::sync::oneshot;

use super::{Store, StoreError, tables, writer::Write};
use crate::{auth::Role, pending::Pending};

/// Largest stored account, in bytes.
pub(super) const ACCOUNT_BYTES_MAX: usize = 4 << 10;

/// Somebody who can log in.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Account {
    /// The name to log in with, which is the voter id.
    pub(crate) name: String,
    /// The password's argon2id hash, in PHC form.
    pub(crate) password_hash: String,
    pub(crate) role: Role,
    pub(crate) created_at_ms: u64,
}

/// A refresh token that may be used once.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct RefreshToken {
    account: String,
    expires_at_ms: u64,
}

/// A change of accounts or tokens.
pub(super) enum AccountWrite {
    Create {
        account: Account,
        reply: oneshot::Sender<Result<bool, StoreError>>,
    },
    /// Retires one refresh token, where there is one, and issues another.
    Rotate {
        account: String,
        retire: Option<String>,
        issue: String,
        now_ms: u64,
        expires_at_ms: u64,
        reply: oneshot::Sender<Result<bool, StoreError>>,
    },
}

type Completion = Box<dyn FnOnce(&Pending, Result<(), StoreError>) + Send>;

impl AccountWrite {
    pub(super) fn apply(self, write: &WriteTransaction) -> Result<Completion, StoreError> {
        let (done, reply) = match self {
            Self::Create { account, reply } => (create(write, &account)?, reply),
            Self::Rotate {
                account,
                retire,
                issue,
                now_ms,
                expires_at_ms,
                reply,
            } => {
                let token = RefreshToken {
                    account,
                    expires_at_ms,
                };
                (rotate(write, token, retire, &issue, now_ms)?, reply)
            }
        };
        Ok(Box::new(move |_, result| {
            let _ = reply.send(result.map(|()| done));
        }))
    }
}

fn create(write: &WriteTransaction, account: &Account) -> Result<bool, StoreError> {
    let mut accounts = write.open_table(tables::ACCOUNTS).map_err(StoreError::of)?;
    let taken = accounts
        .get(account.name.as_str())
        .map_err(StoreError::of)?
        .is_some();
    if !taken {
        accounts
            .insert(account.name.as_str(), codec::encode(account).as_slice())
            .map_err(StoreError::of)?;
    }
    Ok(!taken)
}

fn rotate(
    write: &WriteTransaction,
    token: RefreshToken,
    retire: Option<String>,
    issue: &str,
    now_ms: u64,
) -> Result<bool, StoreError> {
    let mut tokens = write
        .open_table(tables::REFRESH_TOKENS)
        .map_err(StoreError::of)?;
    if let Some(retire) = retire {
        let old = tokens
            .remove(retire.as_str())
            .map_err(StoreError::of)?
            .map(|bytes| codec::decode::<RefreshToken>(bytes.value(), ACCOUNT_BYTES_MAX))
            .transpose()
            .map_err(StoreError::of)?;
        let usable =
            old.is_some_and(|old| old.account == token.account && old.expires_at_ms > now_ms);
        if !usable {
            return Ok(false);
        }
    }
    tokens
        .insert(issue, codec::encode(&token).as_slice())
        .map_err(StoreError::of)?;
    Ok(true)
}

impl Store {
    /// Creates an account; false where the name is taken.
    pub(crate) async fn create_account(&self, account: Account) -> Result<bool, StoreError> {
        self.write(|reply| Write::Account(AccountWrite::Create { account, reply }))
            .await
    }

    /// Makes the refresh token `issue` usable once, in exchange for `retire` where one is given;
    /// false where that one was used before, has expired or is another account's.
    pub(crate) async fn rotate_refresh_token(
        &self,
        account: &str,
        retire: Option<String>,
        issue: String,
        now_ms: u64,
        expires_at_ms: u64,
    ) -> Result<bool, StoreError> {
        let account = account.to_owned();
        self.write(|reply| {
            Write::Account(AccountWrite::Rotate {
                account,
                retire,
                issue,
                now_ms,
                expires_at_ms,
                reply,
            })
        })
        .await
    }
}
