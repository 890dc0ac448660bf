//! Log lines about results, which every reader would leave.

use std::time::Instant;

use tabella_outbox::lines::Kind;

/// The lines about results.
#[derive(Debug, Default)]
pub(crate) struct ResultLines {
    shown: Kind,
    fell_back: Kind,
}

impl ResultLines {
    /// Results are shown while validators answer.
    pub(crate) fn results(&self, election_id: u64) {
        if self.shown.is_single(Instant::now()) {
            tracing::info!(election_id, "results retrieved from PoA");
        }
    }

    /// Results are shown while no validator answers.
    pub(crate) fn results_fell_back(&self, election_id: u64) {
        if self.fell_back.is_single(Instant::now()) {
            tracing::warn!(
                election_id,
                "results cannot be retrieved from PoA, falling back to the backend's own proven chain"
            );
        }
    }

    /// Says how many lines were left out since the last sum.
    pub(crate) fn sum(&self) {
        if let Some(count) = self.shown.take_left_out() {
            tracing::info!(count, "results retrieved from PoA, {count} times more");
        }
        if let Some(count) = self.fell_back.take_left_out() {
            tracing::warn!(
                count,
                "results cannot be retrieved from PoA, falling back, {count} times more"
            );
        }
    }
}
