//! Why an administrator's wish was not carried out.

use tabella_client::SubmitError;
use tabella_protocol::{Hash, rpc::RefusalCode};

use crate::store::StoreError;

/// Why an administrator's transaction is not on the chain.
#[derive(Debug, thiserror::Error)]
pub enum AdministerError {
    /// This backend holds no key that may administer.
    #[error(
        "this backend holds no authority key; sign where it is, with `tabella election --authority`"
    )]
    NoAuthorityKey,
    /// No block of this network can hold it.
    #[error("expected a transaction of at most {most} bytes, which a block can hold, got {got}")]
    TooLarge {
        /// Its bytes.
        got: usize,
        /// What a block can hold.
        most: usize,
    },
    /// No validator took it.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// A validator took it; it may be confirmed later.
    #[error(
        "the validators took the transaction but have not confirmed it yet; look whether it happened \
         before you send it again"
    )]
    NotConfirmed(Hash),
    /// A validator took it, and it did not hold when its turn came.
    #[error("{reason}")]
    Rejected {
        /// The stable code.
        code: RefusalCode,
        /// Why, for people.
        reason: String,
    },
}

impl AdministerError {
    /// The chain's reason for refusing it.
    pub fn refusal(&self) -> Option<RefusalCode> {
        match self {
            Self::Submit(SubmitError::Refused(refusal)) => Some(refusal.code),
            Self::Rejected { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// Why an election is not being closed.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// The transaction that closes it is not on the chain.
    #[error(transparent)]
    Administer(#[from] AdministerError),
    /// The mark could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an election is not closed by a transaction that was signed elsewhere.
#[derive(Debug, thiserror::Error)]
pub enum SignedCloseError {
    /// Nobody asked this backend to take no more ballots.
    #[error(
        "ballots of election {0} are still taken here; ask to close it first, with POST \
         /api/admin/elections/{0}/close"
    )]
    NotAsked(u64),
    /// Ballots that were acknowledged have not ended.
    #[error(
        "{unsettled} acknowledged ballots of election {election_id} are neither confirmed nor refused \
         yet; try again later"
    )]
    Unsettled {
        /// The election.
        election_id: u64,
        /// How many have not.
        unsettled: u64,
    },
    /// The transaction is not on the chain.
    #[error(transparent)]
    Administer(#[from] AdministerError),
    /// The mark cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an election does not take ballots again.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// A backend with the authority's key may be closing it.
    #[error(
        "a backend with the authority's key, or over the same database, may be closing election {0}"
    )]
    MayBeClosing(u64),
    /// A close that was signed elsewhere may be on its way to the chain.
    #[error(
        "a signed close of election {election_id} may be on its way to the chain until block {expiry}; \
         wait for it, or for that block"
    )]
    SignedUntil {
        /// The election.
        election_id: u64,
        /// The last height that may hold it.
        expiry: u64,
    },
    /// It takes no ballots yet.
    #[error("election {0} is not open yet")]
    NotOpen(u64),
    /// It is over.
    #[error("election {0} is closed on the chain, for good")]
    Closed(u64),
    /// The mark cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}
