//! `cast-ballot`: append a voter's ballot to the board.

use tabella_protocol::{BoardEntry, Hash, Revote, VoterId, rpc::RefusalCode};

use super::{AcceptedBallot, Draft};
use crate::{Refusal, VetError, state::Phase};

impl Draft<'_> {
    pub(super) fn cast_ballot(
        &mut self,
        election_id: u64,
        voter: &VoterId,
        sequence: Option<u64>,
        ballots: &[Vec<u8>],
        transaction_id: &Hash,
    ) -> Result<(), VetError> {
        let record = self.election(election_id)?;
        require_open(election_id, record.phase)?;
        let (revote, position) = (record.spec.revote, record.board.size());
        let weight = match record.spec.eligibility.roll() {
            None => 1,
            Some(_) => self
                .weight(election_id, voter)?
                .ok_or_else(|| not_on_roll(election_id))?,
        };
        let before = self.voted(election_id, voter)?;
        if before.is_some() && revote == Revote::Refuse {
            return Err(already_voted(election_id).into());
        }
        if let Some(last) = self.sequence(election_id, voter)?
            && sequence <= Some(last)
        {
            return Err(superseded(election_id, sequence, last).into());
        }

        let entry = BoardEntry {
            election_id,
            position,
            transaction_id: *transaction_id,
            voter: *voter,
            weight,
            ballot_hash: BoardEntry::ballot_hash(ballots),
        };
        let leaf = entry.leaf();
        let record = self.election_mut(election_id)?;
        record.board.push(leaf);
        record.turnout += u64::from(before.is_none());
        self.voters.insert((election_id, *voter), position);
        if let Some(sequence) = sequence {
            self.sequences.insert((election_id, *voter), sequence);
        }
        let index = u32::try_from(self.changes.transaction_ids.len())
            .expect("a block's bytes bound its transactions far below 2^32");
        let ballot = AcceptedBallot {
            election_id,
            position,
            index,
            voter: *voter,
            sequence,
            weight,
            leaf,
        };
        self.changes.ballots.push(ballot);
        Ok(())
    }
}

fn require_open(election_id: u64, phase: Phase) -> Result<(), Refusal> {
    match phase {
        Phase::Open => Ok(()),
        Phase::Upcoming => Err(Refusal::new(
            RefusalCode::ElectionNotOpen,
            format!("election {election_id} is not open yet"),
        )),
        Phase::Closed => Err(Refusal::new(
            RefusalCode::ElectionClosed,
            format!("election {election_id} is closed"),
        )),
    }
}

// Neither names the voter: whoever sees the refusal is not to learn a pseudonym by it.

fn not_on_roll(election_id: u64) -> Refusal {
    let message = format!("this voter is not on the roll of election {election_id}");
    Refusal::new(RefusalCode::NotOnRoll, message)
}

fn already_voted(election_id: u64) -> Refusal {
    let message = format!("this voter has cast a ballot in election {election_id} already");
    Refusal::new(RefusalCode::AlreadyVoted, message)
}

fn superseded(election_id: u64, sequence: Option<u64>, last: u64) -> Refusal {
    let got = sequence.map_or_else(|| "none".to_owned(), |sequence| sequence.to_string());
    let message = format!(
        "this voter's counting ballot in election {election_id} has sequence {last}: expected a higher one, got {got}"
    );
    Refusal::new(RefusalCode::Superseded, message)
}
