//! The elections that are being closed, and who waits for it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tabella_client::Confirmation;
use tokio::sync::{Notify, oneshot};

use crate::administer_error::AdministerError;

/// How far closing came while an administrator waited.
#[derive(Debug)]
pub enum Closed {
    /// The chain has closed it.
    Now(Confirmation),
    /// It takes no ballots any more, and is closed once those that were acknowledged have ended.
    Later {
        /// How many have not.
        unsettled: u64,
    },
}

type Reply = oneshot::Sender<Result<Confirmation, AdministerError>>;

/// The elections that this backend was asked to close.
#[derive(Debug, Default)]
pub(crate) struct Closings {
    waiting: Mutex<HashMap<u64, Vec<Reply>>>,
    pub(crate) asked: Notify,
    /// Held while an election's mark is looked at for a close that was signed elsewhere, or taken away.
    pub(crate) signed: tokio::sync::Mutex<()>,
}

impl Closings {
    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Vec<Reply>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end of closing `election_id`, when it comes.
    pub(crate) fn wait(
        &self,
        election_id: u64,
    ) -> oneshot::Receiver<Result<Confirmation, AdministerError>> {
        let (reply, end) = oneshot::channel();
        let mut waiting = self.waiting();
        let replies = waiting.entry(election_id).or_default();
        // Whoever asked and left is not kept, however often it asks.
        replies.retain(|reply| !reply.is_closed());
        replies.push(reply);
        end
    }

    /// Whether this backend was asked to close it.
    pub(crate) fn was_asked(&self, election_id: u64) -> bool {
        self.waiting().contains_key(&election_id)
    }

    /// Tells whoever waits. Of a failure the first one learns the reason, the others that it ended.
    pub(crate) fn end(&self, election_id: u64, result: Result<Confirmation, AdministerError>) {
        let replies = self.waiting().remove(&election_id).unwrap_or_default();
        let mut replies = replies.into_iter();
        // Who waited may have gone.
        match result {
            Ok(confirmation) => replies.for_each(|reply| {
                let _ = reply.send(Ok(confirmation.clone()));
            }),
            Err(error) => {
                let _ = replies.next().map(|reply| reply.send(Err(error)));
            }
        }
    }
}
