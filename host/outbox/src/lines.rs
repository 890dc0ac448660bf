//! Log lines that every ballot or every reader would leave. So many of a kind are said one by one in a
//! second; those past that are summed in one line at its end, so that load neither fills the disk nor
//! hides what happens.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tabella_protocol::{Hash, Payload, Transaction};

/// Lines of one kind that are said one by one in a second.
const SINGLE_LINES_MAX: u32 = 10;
/// How long lines are counted together.
pub const PERIOD: Duration = Duration::from_secs(1);

/// Digits of a transaction's id in a line: enough to find it by. The whole id would, with the headers of
/// blocks, tell whoever reads the lines what a ballot says.
const ID_DIGITS: usize = 8;

/// A transaction's id as lines have it.
pub(crate) fn short(id: &Hash) -> String {
    let mut text = id.to_string();
    text.truncate("0x".len() + ID_DIGITS);
    text
}

/// Says so where the writer of this ends by a fault of its own, and not because it was told to.
pub(crate) struct Ended(pub(crate) &'static str);

impl Drop for Ended {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let what = self.0;
            tracing::error!("the writer of {what} has ended by a fault: restart the backend");
        }
    }
}

/// Lines of one kind.
#[derive(Debug, Default)]
pub struct Kind {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    began: Option<Instant>,
    said: u32,
    left_out: u64,
}

impl Kind {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one more line is said by itself; it is counted where it is not.
    pub fn is_single(&self, now: Instant) -> bool {
        let mut counts = self.counts();
        let began = *counts.began.get_or_insert(now);
        if now.duration_since(began) >= PERIOD {
            counts.began = Some(now);
            counts.said = 0;
        }
        let is_single = counts.said < SINGLE_LINES_MAX;
        match is_single {
            true => counts.said += 1,
            false => counts.left_out += 1,
        }
        is_single
    }

    /// How many were left out since the last call, where any were.
    pub fn take_left_out(&self) -> Option<u64> {
        let count = std::mem::take(&mut self.counts().left_out);
        (count > 0).then_some(count)
    }
}

/// The lines about ballots.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    submitted: Kind,
    fell_back: Kind,
    fell_through: Kind,
}

impl Lines {
    /// A validator took a ballot.
    pub(crate) fn submitted(&self, transaction: &Transaction, transaction_id: &Hash) {
        if let Payload::CastBallot {
            election_id, voter, ..
        } = &transaction.body.payload
            && self.submitted.is_single(Instant::now())
        {
            tracing::info!(%voter, election_id, transaction_id = %short(transaction_id), "vote submitted to PoA");
        }
    }

    /// No validator took a ballot.
    pub(crate) fn fell_back(&self, error: &impl std::fmt::Display, transaction_id: &Hash) {
        if self.fell_back.is_single(Instant::now()) {
            tracing::warn!(%error, transaction_id = %short(transaction_id), "PoA submission failed, falling back to the local ledger");
        }
    }

    /// The local ledger did not take a ballot either.
    pub(crate) fn fell_through(&self, error: &impl std::fmt::Display, transaction_id: &Hash) {
        if self.fell_through.is_single(Instant::now()) {
            tracing::warn!(%error, transaction_id = %short(transaction_id), "the local ledger failed, falling back to the database");
        }
    }

    /// Says how many lines were left out since the last sum.
    pub(crate) fn sum(&self) {
        if let Some(count) = self.submitted.take_left_out() {
            tracing::info!(count, "vote submitted to PoA, and so were {count} more");
        }
        if let Some(count) = self.fell_back.take_left_out() {
            tracing::warn!(
                count,
                "PoA submission failed, falling back to the local ledger, for {count} more votes"
            );
        }
        if let Some(count) = self.fell_through.take_left_out() {
            tracing::warn!(
                count,
                "the local ledger failed, falling back to the database, for {count} more votes"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_a_second_are_said_and_the_rest_is_counted() {
        let kind = Kind::default();
        let start = Instant::now();
        let said = |at: Instant, lines: u32| (0..lines).filter(|_| kind.is_single(at)).count();
        assert_eq!(said(start, SINGLE_LINES_MAX), SINGLE_LINES_MAX as usize);
        assert_eq!(kind.take_left_out(), None);
        assert_eq!(said(start, 90), 0);
        assert_eq!(kind.take_left_out(), Some(90));
        assert_eq!(kind.take_left_out(), None, "each is summed once");
        assert_eq!(said(start + PERIOD, 50), SINGLE_LINES_MAX as usize);
        assert_eq!(kind.take_left_out(), Some(40));
    }
}
