//! What the writer is asked to make durable, and how it answers.

use tabella_protocol::Hash;
use tokio::sync::oneshot;

use super::{
    Closing, Confirmed, NewSubmission, Recorded, State, StoreError, accounts::AccountWrite,
};
use crate::pending::Pending;

/// Who waits for a write.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// Something to be made durable.
pub(super) enum Write {
    Record {
        submission: NewSubmission,
        reply: Reply<Recorded>,
    },
    Confirm {
        confirmed: Confirmed,
        reply: Reply<()>,
    },
    Reject {
        sequence: u64,
        state: State,
        reply: Reply<()>,
    },
    SignAgain {
        sequence: u64,
        transaction_id: Hash,
        transaction: Vec<u8>,
        expiry_height: u64,
        reply: Reply<()>,
    },
    Closing {
        election_id: u64,
        closing: Option<Closing>,
        reply: Reply<()>,
    },
    Account(AccountWrite),
}

/// What is left to do for one write once its group is durable, or has failed.
pub(super) type Completion = Box<dyn FnOnce(&Pending, Result<(), StoreError>) + Send>;
