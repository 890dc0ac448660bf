//! Telling the other validators of transactions: at once, but not one by one.
//!
//! A message between validators costs both ends more than checking several signatures does, so what
//! is taken shortly after a message travels in the next one.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tabella_clock::now_ms;
use tabella_consensus::Handle;
use tabella_ledger::Vetted;
use tokio::sync::Notify;

use crate::{peer_message::PeerMessage, pool::Pool};

/// Shortest time between two messages; who comes after a longer silence does not wait.
const PAUSE: Duration = Duration::from_millis(5);
/// Most transactions that wait for the next message; what comes beyond is relayed when it is overdue.
const WAITING_MAX: usize = 16_384;
/// A transaction that has waited this long at the validator that took it is relayed again.
pub(crate) const OVERDUE_MS: u64 = 2_000;
/// Most transactions relayed again at once.
pub(crate) const OVERDUE_MAX: usize = 500;

/// Relays what clients brought.
pub(crate) struct Relay {
    pool: Arc<Pool>,
    consensus: OnceLock<Handle>,
    waiting: Mutex<Vec<Vetted>>,
    arrived: Notify,
}

impl Relay {
    pub(crate) fn new(pool: Arc<Pool>) -> Self {
        Self {
            pool,
            consensus: OnceLock::new(),
            waiting: Mutex::default(),
            arrived: Notify::new(),
        }
    }

    /// Connects it to consensus; until then nothing is relayed.
    pub(crate) fn connect(&self, consensus: Handle) {
        // Set once, at start.
        let _ = self.consensus.set(consensus);
    }

    /// Takes transactions along with the next message.
    pub(crate) fn offer(&self, transactions: &[Vetted]) {
        if transactions.is_empty() {
            return;
        }
        let mut waiting = self.lock();
        let room = WAITING_MAX.saturating_sub(waiting.len());
        waiting.extend(transactions.iter().take(room).cloned());
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Sends what is offered, and again what has waited long, until the node stops.
    pub(crate) async fn run(&self) {
        tokio::join!(self.send_offered(), self.send_overdue());
    }

    async fn send_offered(&self) {
        loop {
            self.arrived.notified().await;
            let transactions = std::mem::take(&mut *self.lock());
            self.send(&transactions);
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn send_overdue(&self) {
        let mut period = tokio::time::interval(Duration::from_millis(OVERDUE_MS));
        loop {
            period.tick().await;
            let before = now_ms().saturating_sub(OVERDUE_MS);
            self.send(&self.pool.overdue(before, OVERDUE_MAX));
        }
    }

    fn send(&self, transactions: &[Vetted]) {
        let Some(consensus) = self.consensus.get() else {
            return;
        };
        for message in PeerMessage::pack(transactions) {
            // Packed to fit; and what is lost here waits for this validator's own turn.
            let _ = consensus.broadcast(message);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vetted>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
