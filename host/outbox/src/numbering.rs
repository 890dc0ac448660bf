//! The numbers of the ballots that this backend signs for one voter; see `ballot_order`.

use tabella_protocol::VoterId;

use crate::{
    chain_read::LookError,
    outbox::Outbox,
    store::{State, StoreError, Submission},
};

impl Outbox {
    /// Waits, not for long, until the proven chain here holds the voter's ballot that is confirmed, and so
    /// knows its number.
    pub(crate) async fn standing_executed(
        &self,
        election_id: u64,
        voter: VoterId,
    ) -> Result<(), StoreError> {
        let standing = self.store.ballot_of(election_id, &voter).await?;
        if let Some(Submission {
            state: State::Confirmed { height, .. },
            ..
        }) = standing
            && self.follower.tip().height < height
            && self.follower.progress().problem.is_none()
        {
            self.elections.executed(height).await;
        }
        Ok(())
    }

    /// The number of a voter's next ballot, in its turn: above that of every earlier one that the
    /// database or the proven chain knows, and no lower than the time, by the second.
    pub(crate) async fn next_sequence(
        &self,
        election_id: u64,
        voter: VoterId,
    ) -> Result<u64, LookError> {
        let recorded = self.store.last_number(election_id, &voter).await?;
        let proven = self.read(move |ledger| ledger.sequence_of(election_id, &voter));
        let last = recorded.max(proven.await?);
        let after = last.map_or(0, |last| last.saturating_add(1));
        Ok(after.max(tabella_clock::now_s().saturating_mul(1_000)))
    }
}
