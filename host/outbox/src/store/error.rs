//! Why the database cannot be opened, or does not do what it is asked.

use std::path::PathBuf;

use tokio::sync::oneshot::error::RecvError;

use super::QUEUE_MAX;

/// Why the database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database engine failed.
    #[error("the database cannot be opened: {0}")]
    Engine(String),
    /// Another process has it open.
    #[error(
        "another process has the database open; does a backend run over this data directory already?"
    )]
    InUse,
    /// Written by another version of the software.
    #[error(
        "the database has layout {got:?}, expected {expected:?}; use the version that wrote it"
    )]
    Version {
        /// This version's.
        expected: Vec<u8>,
        /// The file's.
        got: Vec<u8>,
    },
    /// A stored value does not read back.
    #[error("the database holds a value that cannot be read: {0}")]
    Corrupt(String),
    /// The database server cannot be reached now; it may be later.
    #[error("the database server does not answer: {0}")]
    Away(String),
    /// The database server cannot be used as it is.
    #[error("the database server cannot be used: {0}")]
    Server(String),
    /// The database belongs to another network, registrar or master secret.
    #[error("{0}")]
    Mismatch(String),
    /// The data directory cannot be used beside a shared database.
    #[error("{path} cannot be used: {reason}")]
    Directory {
        /// The file in it.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl OpenError {
    /// Whether another process has it open.
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::InUse)
    }
}

/// Why a read or write failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The engine failed, or the server did.
    #[error("the database failed: {0}")]
    Failed(String),
    /// As many writes wait as may.
    #[error("more than {QUEUE_MAX} writes are waiting")]
    Overloaded,
    /// Nothing was changed, because another backend has newer state.
    #[error("another backend carries the submission, or it is settled")]
    Elsewhere,
}

impl StoreError {
    /// Of the engine's words.
    pub fn of(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<redb::Error> for OpenError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            error => Self::Engine(error.to_string()),
        }
    }
}

/// Of a write that nobody takes any more.
pub(super) fn writer_ended() -> StoreError {
    StoreError::of("its writer has ended; restart the backend")
}

/// Of a write that was dropped with its group.
pub(super) fn dropped(_: RecvError) -> StoreError {
    StoreError::of("the write was given up")
}
