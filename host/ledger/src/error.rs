//! What can go wrong in the host, as opposed to what is refused.

use tabella_runtime::{HostFault, NotCompiled};

use crate::{Damage, Refusal};

/// The ledger cannot go on: the node must stop rather than diverge.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The database failed or is not this ledger's.
    #[error("ledger storage: {0}")]
    Storage(String),
    /// Another process, or another part of this one, has the database open.
    #[error(
        "the ledger is in use by another process; stop that one, or use another data directory"
    )]
    InUse,
    /// What is stored contradicts itself.
    #[error("ledger is corrupt: {0}; restore the data directory from another validator")]
    Corrupt(String),
    /// A stored value is not what the chain committed to. Nothing is answered from it; the rest of the
    /// chain is as good as before.
    #[error(
        "stored data is damaged: {0}; check this machine's disk and memory, then restore its data"
    )]
    Damaged(Damage),
    /// The plugin runtime failed in the host.
    #[error(transparent)]
    Host(#[from] HostFault),
    /// An accepted plugin is needed and this host cannot compile it.
    #[error("{0}; other validators may run it, so this one stops: give it time and memory")]
    NotCompiled(#[from] NotCompiled),
    /// A block was committed out of turn.
    #[error("expected a block on height {expected_parent}, got one for height {got}")]
    OutOfTurn {
        /// The tip.
        expected_parent: u64,
        /// The block's height.
        got: u64,
    },
    /// The database belongs to another network.
    #[error(
        "{path} holds the chain of genesis {found}, but the configured genesis is {expected}; \
         use another data directory or the matching genesis file"
    )]
    OtherGenesis {
        /// The database.
        path: String,
        /// Its genesis hash.
        found: tabella_protocol::Hash,
        /// The configured one.
        expected: tabella_protocol::Hash,
    },
}

/// Why a transaction was not vetted: refused, or the host failed.
#[derive(Debug, thiserror::Error)]
pub enum VetError {
    /// The transaction is refused; nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The host failed; the node must stop.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<Damage> for LedgerError {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage)
    }
}

impl From<HostFault> for VetError {
    fn from(fault: HostFault) -> Self {
        Self::Ledger(LedgerError::Host(fault))
    }
}

macro_rules! storage_errors {
    ($($error:ty),*) => {$(
        impl From<$error> for LedgerError {
            fn from(error: $error) -> Self {
                Self::Storage(error.to_string())
            }
        }
    )*};
}
impl From<redb::DatabaseError> for LedgerError {
    fn from(error: redb::DatabaseError) -> Self {
        match error {
            redb::DatabaseError::DatabaseAlreadyOpen => Self::InUse,
            error => Self::Storage(error.to_string()),
        }
    }
}

storage_errors!(
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::SetDurabilityError
);
