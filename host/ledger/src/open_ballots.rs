//! The ballots of elections that show counts at their close, before it: which those are, and who may
//! read them.

use tabella_protocol::{
    Disclosure, Eligibility, Payload, PublicKey, Transaction, rpc::ElectionStatus,
};

use crate::{Election, Ledger, LedgerError, StoredBlock};

impl Election {
    /// Returns whether the ballots may be shown now.
    pub fn shows_ballots(&self) -> bool {
        let is_over = matches!(
            self.status(),
            ElectionStatus::Closed | ElectionStatus::Final
        );
        is_over || self.spec().disclosure == Disclosure::Live
    }

    fn registrar(&self) -> Option<PublicKey> {
        match self.spec().eligibility {
            Eligibility::Registrar { registrar, .. }
            | Eligibility::RegistrarRoll { registrar, .. } => Some(registrar),
            Eligibility::Credentials { .. } => None,
        }
    }
}

impl Ledger {
    /// Returns the election that a transaction casts a ballot in, where that is not for anyone yet.
    pub fn hides(&self, transaction: &Transaction) -> Option<u64> {
        let Payload::CastBallot { election_id, .. } = transaction.body.payload else {
            return None;
        };
        // One that is not known is created by a block that is just being committed.
        let is_shown = self
            .election(election_id)
            .is_some_and(|election| election.shows_ballots());
        (!is_shown).then_some(election_id)
    }

    /// Returns the first election of which a block holds ballots that are not for anyone yet.
    pub fn hides_of(&self, block: &StoredBlock) -> Option<u64> {
        let is_new = block.block.header.height > self.tip().height;
        if !is_new && self.elections().iter().all(|e| e.shows_ballots()) {
            return None;
        }
        let transactions = &block.block.transactions;
        transactions
            .iter()
            .filter_map(|bytes| Transaction::from_bytes(bytes).ok())
            .find_map(|transaction| self.hides(&transaction))
    }

    /// Returns the first election with ballots that are not for anyone yet in blocks up to `height`.
    pub fn hides_up_to(&self, height: u64) -> Result<Option<u64>, LedgerError> {
        for election in self.elections() {
            if election.shows_ballots() {
                continue;
            }
            if let Some((_, first)) = self.board(election.id(), 0, 1)?
                && first.iter().any(|record| record.height <= height)
            {
                return Ok(Some(election.id()));
            }
        }
        Ok(None)
    }

    /// Whether `key` may read all ballots by what it is on this chain: an authority, a validator of now
    /// or of later, or the registrar of an election.
    pub fn is_reader(&self, key: &PublicKey) -> bool {
        let validators = self.validators();
        let now = validators.at(self.tip().height + 1).from_height;
        let mut sets = validators.sets().iter().filter(|s| s.from_height >= now);
        self.genesis().authorities.contains(key)
            || sets.any(|set| set.contains(key))
            || self
                .elections()
                .iter()
                .any(|election| election.registrar() == Some(*key))
    }
}
