//! Accounts and their sessions.

use borsh::{BorshDeserialize, BorshSerialize};
use redb::{ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};
use tabella_protocol::codec;
use tokio::sync::oneshot;

use super::{Reads, Store, StoreError, tables, write::Write};
use crate::pending::Pending;

/// Largest stored account, in bytes.
const ACCOUNT_BYTES_MAX: usize = 4 << 10;
/// Expired sessions forgotten with one login.
pub(super) const EXPIRED_MAX: usize = 64;

/// What somebody may do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Cast an own ballot.
    Voter,
    /// Administer elections, and everything a registrar may.
    Admin,
    /// Cast ballots for voters whom it authenticated, and mint their tokens.
    Registrar,
    /// Read what is not public.
    Auditor,
}

/// Somebody who can log in.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Account {
    /// The name to log in with.
    pub name: String,
    /// The password's argon2id hash, in PHC form.
    pub password_hash: String,
    /// What it may do.
    pub role: Role,
    /// When it was registered, in Unix milliseconds.
    pub created_at_ms: u64,
}

/// A login: what its one usable refresh token is.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Session {
    /// The account's name.
    pub account: String,
    /// The id of the refresh token that may be used next.
    pub refresh: String,
}

/// What came of using a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// It is void now, and the next one may be used.
    Rotated,
    /// It was used before: somebody has a copy, and the session is over.
    Reused,
    /// The session was over already.
    Over,
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// A change of accounts or sessions.
pub(super) enum AccountWrite {
    Create {
        account: Account,
        reply: Reply<bool>,
    },
    SetRole {
        name: String,
        role: Role,
        reply: Reply<Option<Account>>,
    },
    Open {
        id: String,
        session: Session,
        /// Sessions whose id comes before this one have expired.
        expired_before: String,
        reply: Reply<()>,
    },
    Rotate {
        id: String,
        from: String,
        to: String,
        reply: Reply<Rotation>,
    },
    Close {
        id: String,
        reply: Reply<()>,
    },
}

type Completion = Box<dyn FnOnce(&Pending, Result<(), StoreError>) + Send>;

impl AccountWrite {
    pub(super) fn apply(self, write: &WriteTransaction) -> Result<Completion, StoreError> {
        Ok(match self {
            Self::Create { account, reply } => answer(reply, create(write, &account)?),
            Self::SetRole { name, role, reply } => answer(reply, set_role(write, &name, role)?),
            Self::Open {
                id,
                session,
                expired_before,
                reply,
            } => answer(reply, open(write, &id, &session, &expired_before)?),
            Self::Rotate {
                id,
                from,
                to,
                reply,
            } => answer(reply, rotate(write, &id, &from, to)?),
            Self::Close { id, reply } => answer(reply, close(write, &id)?),
        })
    }
}

/// What came of a change, as the writer of a shared database reports it.
#[derive(Debug)]
pub(super) enum AccountDone {
    Created(bool),
    RoleSet(Option<Account>),
    Opened,
    Rotated(Rotation),
    Closed,
}

impl AccountWrite {
    /// Tells who waits.
    pub(super) fn finish(self, done: AccountDone) {
        // Who asked may have gone.
        match (self, done) {
            (Self::Create { reply, .. }, AccountDone::Created(created)) => {
                drop(reply.send(Ok(created)));
            }
            (Self::SetRole { reply, .. }, AccountDone::RoleSet(account)) => {
                drop(reply.send(Ok(account)));
            }
            (Self::Rotate { reply, .. }, AccountDone::Rotated(rotation)) => {
                drop(reply.send(Ok(rotation)));
            }
            (Self::Open { reply, .. }, AccountDone::Opened)
            | (Self::Close { reply, .. }, AccountDone::Closed) => drop(reply.send(Ok(()))),
            (write, done) => {
                tracing::error!(?done, "the reply does not match the change of accounts");
                write.fail(StoreError::of("the reply does not match the change"));
            }
        }
    }

    /// Tells who waits that it was not done.
    pub(super) fn fail(self, error: StoreError) {
        match self {
            Self::Create { reply, .. } => drop(reply.send(Err(error))),
            Self::SetRole { reply, .. } => drop(reply.send(Err(error))),
            Self::Rotate { reply, .. } => drop(reply.send(Err(error))),
            Self::Open { reply, .. } | Self::Close { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}

/// Answers with what was done, once it is durable.
fn answer<T: Send + 'static>(reply: Reply<T>, done: T) -> Completion {
    Box::new(move |_, result| {
        // Who asked may have gone.
        let _ = reply.send(result.map(|()| done));
    })
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

fn set_role(
    write: &WriteTransaction,
    name: &str,
    role: Role,
) -> Result<Option<Account>, StoreError> {
    let mut accounts = write.open_table(tables::ACCOUNTS).map_err(StoreError::of)?;
    let known = accounts.get(name).map_err(StoreError::of)?;
    let known = known.map(|bytes| decode::<Account>(bytes.value()));
    let Some(mut account) = known.transpose()? else {
        return Ok(None);
    };
    account.role = role;
    accounts
        .insert(name, codec::encode(&account).as_slice())
        .map_err(StoreError::of)?;
    Ok(Some(account))
}

fn open(
    write: &WriteTransaction,
    id: &str,
    session: &Session,
    expired_before: &str,
) -> Result<(), StoreError> {
    let mut sessions = write.open_table(tables::SESSIONS).map_err(StoreError::of)?;
    // A few with every login, so that no login pays for all.
    let mut expired = Vec::new();
    for row in sessions.range(..expired_before).map_err(StoreError::of)? {
        expired.push(row.map_err(StoreError::of)?.0.value().to_owned());
        if expired.len() >= EXPIRED_MAX {
            break;
        }
    }
    for id in expired {
        sessions.remove(id.as_str()).map_err(StoreError::of)?;
    }
    sessions
        .insert(id, codec::encode(session).as_slice())
        .map_err(StoreError::of)?;
    Ok(())
}

fn rotate(
    write: &WriteTransaction,
    id: &str,
    from: &str,
    to: String,
) -> Result<Rotation, StoreError> {
    let mut sessions = write.open_table(tables::SESSIONS).map_err(StoreError::of)?;
    let known = sessions.get(id).map_err(StoreError::of)?;
    let known = known.map(|bytes| decode::<Session>(bytes.value()));
    let Some(mut session) = known.transpose()? else {
        return Ok(Rotation::Over);
    };
    if session.refresh != from {
        sessions.remove(id).map_err(StoreError::of)?;
        return Ok(Rotation::Reused);
    }
    session.refresh = to;
    sessions
        .insert(id, codec::encode(&session).as_slice())
        .map_err(StoreError::of)?;
    Ok(Rotation::Rotated)
}

fn close(write: &WriteTransaction, id: &str) -> Result<(), StoreError> {
    let mut sessions = write.open_table(tables::SESSIONS).map_err(StoreError::of)?;
    sessions.remove(id).map_err(StoreError::of)?;
    Ok(())
}

pub(super) fn decode<T: BorshDeserialize>(bytes: &[u8]) -> Result<T, StoreError> {
    codec::decode(bytes, ACCOUNT_BYTES_MAX).map_err(StoreError::of)
}

impl Store {
    /// Creates an account; false where the name is taken.
    pub async fn create_account(&self, account: Account) -> Result<bool, StoreError> {
        self.write(|reply| Write::Account(AccountWrite::Create { account, reply }))
            .await
    }

    /// Gives an account another role; nothing where there is no such account.
    pub async fn set_role(&self, name: String, role: Role) -> Result<Option<Account>, StoreError> {
        self.write(|reply| Write::Account(AccountWrite::SetRole { name, role, reply }))
            .await
    }

    /// Begins a session, and forgets a few of those whose id comes before `expired_before`.
    pub async fn open_session(
        &self,
        id: String,
        session: Session,
        expired_before: String,
    ) -> Result<(), StoreError> {
        self.write(|reply| {
            Write::Account(AccountWrite::Open {
                id,
                session,
                expired_before,
                reply,
            })
        })
        .await
    }

    /// Makes the refresh token `to` usable once instead of `from`; ends the session where `from` was
    /// used before.
    pub async fn rotate_session(
        &self,
        id: String,
        from: String,
        to: String,
    ) -> Result<Rotation, StoreError> {
        self.write(|reply| {
            Write::Account(AccountWrite::Rotate {
                id,
                from,
                to,
                reply,
            })
        })
        .await
    }

    /// Ends a session, where it has not ended yet.
    pub async fn close_session(&self, id: String) -> Result<(), StoreError> {
        self.write(|reply| Write::Account(AccountWrite::Close { id, reply }))
            .await
    }

    /// Whose session it is, while it lasts.
    pub async fn account_of_session(&self, id: &str) -> Result<Option<Account>, StoreError> {
        match &self.reads {
            Reads::File(file) => file.account_of_session(id),
            Reads::Shared(shared) => shared.account_of_session(id).await,
        }
    }
}
