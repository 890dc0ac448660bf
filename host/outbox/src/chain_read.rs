//! Reads of the proven chain, off the async threads.

use std::sync::Arc;

use tabella_follower::Follower;
use tabella_ledger::{Ledger, LedgerError};

use crate::store::StoreError;

/// Why the proven chain was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(String);

impl ReadError {
    /// Of an error's own words.
    pub fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// Why neither the database nor the proven chain told.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum LookError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The proven chain cannot be read.
    #[error(transparent)]
    Chain(#[from] ReadError),
}

/// Reads little, at once.
pub async fn read<T: Send + 'static>(
    follower: &Follower,
    read: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, ReadError> {
    let ledger = Arc::clone(follower.ledger());
    let reading = tokio::task::spawn_blocking(move || read(&ledger));
    let read = reading.await.map_err(ReadError::of)?;
    read.map_err(ReadError::of)
}
