//! Executing transactions, one after the other, on a draft of the state.
//!
//! One file per kind. Each first asks every question and only then changes the draft, so that a
//! refused transaction leaves no trace.

mod attest_result;
mod cast_ballot;
mod change_validators;
mod close_election;
mod create_election;
mod extend_roll;
mod open_election;
mod publish_plugin;
mod submit_evidence;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use redb::{ReadOnlyTable, ReadableDatabase};
use tabella_protocol::{
    Genesis, Hash, Payload, PublicKey, RollEntry, VoterId, merkle, rpc::RefusalCode,
};
use tabella_runtime::Plugin;

use crate::{
    Ledger, LedgerError, Refusal, VetError, Vetted,
    state::{Election, ElectionRecord, State},
    store::{ROLL, SEQUENCES, TRANSACTIONS, VOTERS},
    turns,
    vet::unknown_election,
};

/// A ballot that a draft accepted.
pub(crate) struct AcceptedBallot {
    pub(crate) election_id: u64,
    pub(crate) position: u64,
    /// The transaction's place in the block.
    pub(crate) index: u32,
    pub(crate) voter: VoterId,
    pub(crate) sequence: Option<u64>,
    pub(crate) weight: u32,
    pub(crate) leaf: Hash,
}

/// What executing a block changed, beside the state in memory.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) transaction_ids: Vec<Hash>,
    pub(crate) ballots: Vec<AcceptedBallot>,
    pub(crate) roll: Vec<(u64, RollEntry)>,
    pub(crate) plugins: Vec<(Hash, Vec<u8>)>,
    pub(crate) elections: BTreeSet<u64>,
}

struct Tables {
    transactions: ReadOnlyTable<[u8; 32], (u64, u32)>,
    voters: ReadOnlyTable<(u64, [u8; 32]), u64>,
    sequences: ReadOnlyTable<(u64, [u8; 32]), u64>,
    roll: ReadOnlyTable<(u64, [u8; 32]), u32>,
}

impl Tables {
    fn open(ledger: &Ledger) -> Result<Arc<Self>, LedgerError> {
        let reads = ledger.database.begin_read()?;
        Ok(Arc::new(Self {
            transactions: reads.open_table(TRANSACTIONS)?,
            voters: reads.open_table(VOTERS)?,
            sequences: reads.open_table(SEQUENCES)?,
            roll: reads.open_table(ROLL)?,
        }))
    }
}

/// The state as it would be after the transactions executed so far.
pub(crate) struct Draft<'a> {
    ledger: &'a Ledger,
    tables: Arc<Tables>,
    height: u64,
    /// Copied when it is first changed.
    state: Arc<State>,
    /// Copies of the elections that this block touches, taken on first touch.
    touched: BTreeMap<u64, (ElectionRecord, Arc<Election>)>,
    created: BTreeMap<u64, Election>,
    voters: BTreeMap<(u64, VoterId), u64>,
    sequences: BTreeMap<(u64, VoterId), u64>,
    roll: BTreeMap<(u64, VoterId), u32>,
    included: BTreeSet<Hash>,
    changes: Changes,
}

impl<'a> Draft<'a> {
    /// A draft of the block after the tip.
    pub(crate) fn new(ledger: &'a Ledger) -> Result<Self, LedgerError> {
        // In this order the tables are at least as new as the state: no vote is missed that stands in them.
        let state = ledger.state();
        Ok(Self::on(ledger, Tables::open(ledger)?, state))
    }

    fn on(ledger: &'a Ledger, tables: Arc<Tables>, state: Arc<State>) -> Self {
        Self {
            ledger,
            tables,
            height: state.tip.height + 1,
            state,
            touched: BTreeMap::new(),
            created: BTreeMap::new(),
            voters: BTreeMap::new(),
            sequences: BTreeMap::new(),
            roll: BTreeMap::new(),
            included: BTreeSet::new(),
            changes: Changes::default(),
        }
    }

    /// The state that the draft started from.
    pub(crate) fn base(&self) -> &State {
        &self.state
    }

    /// Executes a transaction, or refuses it and changes nothing.
    pub(crate) fn execute(&mut self, vetted: &Vetted) -> Result<(), VetError> {
        let body = &vetted.transaction.body;
        self.require_in_time(body.expiry_height)?;
        if self.is_included(&vetted.id)? {
            let message = format!("transaction {} is on the chain already", vetted.id);
            return Err(Refusal::new(RefusalCode::AlreadyIncluded, message).into());
        }
        let transaction = &vetted.transaction;
        match &body.payload {
            Payload::PublishPlugin { wasm } => self.publish_plugin(wasm, vetted)?,
            Payload::CreateElection(spec) => self.create_election(spec, vetted)?,
            Payload::ExtendRoll {
                election_id,
                entries,
            } => {
                self.extend_roll(*election_id, entries)?;
            }
            Payload::OpenElection { election_id } => self.open_election(*election_id)?,
            Payload::CloseElection { election_id } => self.close_election(*election_id)?,
            Payload::CastBallot {
                election_id,
                voter,
                ballots,
            } => {
                self.cast_ballot(*election_id, voter, body.sequence, ballots, &vetted.id)?;
            }
            Payload::AttestResult(attestation) => {
                self.attest_result(attestation, transaction.signer, vetted.id)?;
            }
            Payload::ChangeValidators { changes } => self.change_validators(changes)?,
            Payload::SubmitEvidence(evidence) => self.submit_evidence(evidence)?,
        }
        self.included.insert(vetted.id);
        self.changes.transaction_ids.push(vetted.id);
        Ok(())
    }

    /// The state after `proposer`'s block of everything executed, and what to write for it. The tip
    /// is the caller's.
    pub(crate) fn finish(self, proposer: PublicKey) -> (State, Changes) {
        let Self {
            height,
            state,
            touched,
            created,
            mut changes,
            ..
        } = self;
        let mut state = Arc::unwrap_or_clone(state);
        turns::record(
            height,
            proposer,
            &state.validators.at(height).validators,
            &mut state.absent,
        );
        let next = state.validators.at(height + 1);
        state.absent.retain(|key, _| next.contains(key));
        for id in &changes.transaction_ids {
            state.transaction_log.push(merkle::leaf_hash(&id.0));
        }
        for (id, (record, election)) in touched {
            let contests = Arc::clone(&election.contests);
            state
                .elections
                .insert(id, Arc::new(Election::new(record, contests)));
            changes.elections.insert(id);
        }
        for (id, election) in created {
            state.elections.insert(id, Arc::new(election));
            changes.elections.insert(id);
        }
        (state, changes)
    }

    fn require_in_time(&self, expiry_height: u64) -> Result<(), Refusal> {
        if self.ledger.genesis.expiry_heights_max == Genesis::EXPIRES_ELSEWHERE {
            return Ok(());
        }
        let last = self
            .height
            .saturating_add(self.ledger.genesis.expiry_heights_max);
        if expiry_height < self.height {
            let message = format!(
                "the transaction expired at height {expiry_height}, the next block is {}; sign it again",
                self.height
            );
            return Err(Refusal::new(RefusalCode::Expired, message));
        }
        if expiry_height > last {
            let message =
                format!("expected an expiry height of at most {last}, got {expiry_height}");
            return Err(Refusal::new(RefusalCode::ExpiryTooFar, message));
        }
        Ok(())
    }

    fn is_included(&self, id: &Hash) -> Result<bool, LedgerError> {
        Ok(self.included.contains(id) || self.tables.transactions.get(id.0)?.is_some())
    }

    /// The position of the voter's counting ballot, if it has one.
    fn voted(&self, election_id: u64, voter: &VoterId) -> Result<Option<u64>, LedgerError> {
        if let Some(position) = self.voters.get(&(election_id, *voter)) {
            return Ok(Some(*position));
        }
        Ok(self
            .tables
            .voters
            .get((election_id, voter.0))?
            .map(|position| position.value()))
    }

    /// The sequence of the voter's counting ballot, if the voter orders its ballots.
    fn sequence(&self, election_id: u64, voter: &VoterId) -> Result<Option<u64>, LedgerError> {
        if let Some(sequence) = self.sequences.get(&(election_id, *voter)) {
            return Ok(Some(*sequence));
        }
        Ok(self
            .tables
            .sequences
            .get((election_id, voter.0))?
            .map(|sequence| sequence.value()))
    }

    /// The voter's weight on the roll, if it is on it.
    fn weight(&self, election_id: u64, voter: &VoterId) -> Result<Option<u32>, LedgerError> {
        if let Some(weight) = self.roll.get(&(election_id, *voter)) {
            return Ok(Some(*weight));
        }
        Ok(self
            .tables
            .roll
            .get((election_id, voter.0))?
            .map(|weight| weight.value()))
    }

    fn election(&self, id: u64) -> Result<&ElectionRecord, Refusal> {
        if let Some((record, _)) = self.touched.get(&id) {
            return Ok(record);
        }
        if let Some(election) = self.created.get(&id) {
            return Ok(&election.record);
        }
        self.state
            .elections
            .get(&id)
            .map(|e| &e.record)
            .ok_or_else(|| unknown_election(id))
    }

    fn election_mut(&mut self, id: u64) -> Result<&mut ElectionRecord, Refusal> {
        if self.created.contains_key(&id) {
            // An election's life starts in the block after the one that creates it.
            return Err(unknown_election(id));
        }
        if !self.touched.contains_key(&id) {
            let election = self
                .state
                .elections
                .get(&id)
                .ok_or_else(|| unknown_election(id))?;
            self.touched
                .insert(id, (election.record.clone(), Arc::clone(election)));
        }
        self.touched
            .get_mut(&id)
            .map(|(record, _)| record)
            .ok_or_else(|| unknown_election(id))
    }

    fn add_plugin(&mut self, hash: Hash, plugin: Plugin, wasm: &[u8]) {
        let state = Arc::make_mut(&mut self.state);
        state.plugins.insert(hash, plugin);
        state.plugin_log.push(merkle::leaf_hash(&hash.0));
        self.changes.plugins.push((hash, wasm.to_vec()));
    }
}

/// The newest committed state, held to ask it about several transactions.
pub struct Admission<'a> {
    ledger: &'a Ledger,
    tables: Arc<Tables>,
    state: Arc<State>,
}

impl Admission<'_> {
    /// Whether a vetted transaction could stand in the next block, as the state is now.
    pub fn admit(&self, vetted: &Vetted) -> Result<(), VetError> {
        let (tables, state) = (Arc::clone(&self.tables), Arc::clone(&self.state));
        Draft::on(self.ledger, tables, state).execute(vetted)
    }
}

impl Ledger {
    /// The state as it is now, to admit transactions by.
    pub fn admission(&self) -> Result<Admission<'_>, LedgerError> {
        // In this order the tables are at least as new as the state: what a block adds to them in
        // between is refused a moment early.
        let state = self.state();
        let tables = Tables::open(self)?;
        Ok(Admission {
            ledger: self,
            tables,
            state,
        })
    }

    /// Whether a vetted transaction could stand in the next block, as the state is now.
    pub fn admit(&self, vetted: &Vetted) -> Result<(), VetError> {
        self.admission()?.admit(vetted)
    }
}

fn wrong_status(id: u64, step: &str, needs: &str) -> Refusal {
    let message = format!("cannot {step} election {id}: it must be {needs}");
    Refusal::new(RefusalCode::WrongElectionStatus, message)
}
