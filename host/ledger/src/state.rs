//! The state of the chain: small, in memory, replaced as a whole by each commit.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use borsh::{BorshDeserialize, BorshSerialize};
use tabella_protocol::{
    Attestation, BoardHead, ElectionSpec, Hash, PublicKey, ValidatorHistory, ValidatorSet, codec,
    merkle::{self, Frontier},
    rpc::ElectionStatus,
};
use tabella_runtime::{Contest, Plugin};

use crate::turns::Absences;

/// The newest committed block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Tip {
    /// Its height; 0 before the first block.
    pub height: u64,
    /// Its hash; the genesis hash at height 0.
    pub block_hash: Hash,
    /// The state after it.
    pub state_root: Hash,
    /// Its timestamp, Unix milliseconds.
    pub timestamp_ms: u64,
}

/// Where an election is in its life, as the chain stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) enum Phase {
    Upcoming,
    Open,
    Closed,
}

/// One validator's attestation and the transaction that carries it.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Attested {
    pub(crate) attestation: Attestation,
    pub(crate) transaction_id: Hash,
}

/// The stored part of an election; its canonical bytes are a leaf of the state commitment.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct ElectionRecord {
    pub(crate) election_id: u64,
    pub(crate) transaction_id: Hash,
    pub(crate) spec: ElectionSpec,
    pub(crate) phase: Phase,
    pub(crate) board: Frontier,
    pub(crate) roll: Frontier,
    pub(crate) turnout: u64,
    pub(crate) attestations: BTreeMap<PublicKey, Attested>,
    /// What a quorum of validators attested equally, once it has.
    pub(crate) result: Option<Attestation>,
    /// The block that made it so.
    pub(crate) result_height: Option<u64>,
}

/// An election with its contests ready to validate and tally.
#[derive(Clone)]
pub struct Election {
    pub(crate) record: ElectionRecord,
    pub(crate) contests: Arc<[Contest]>,
    /// SHA-256 of the record's bytes, kept so that untouched elections are not hashed again.
    pub(crate) leaf: Hash,
}

impl Election {
    pub(crate) fn new(record: ElectionRecord, contests: Arc<[Contest]>) -> Self {
        let leaf = record_leaf(&record);
        Self {
            record,
            contests,
            leaf,
        }
    }

    /// The chain's id for it.
    pub fn id(&self) -> u64 {
        self.record.election_id
    }

    /// Its statement.
    pub fn spec(&self) -> &ElectionSpec {
        &self.record.spec
    }

    /// The transaction that created it.
    pub fn transaction_id(&self) -> Hash {
        self.record.transaction_id
    }

    /// Its contests, configured, in the statement's order.
    pub fn contests(&self) -> &[Contest] {
        &self.contests
    }

    /// Where it is in its life.
    pub fn status(&self) -> ElectionStatus {
        match self.record.phase {
            Phase::Upcoming => ElectionStatus::Upcoming,
            Phase::Open => ElectionStatus::Open,
            Phase::Closed if self.record.result.is_some() => ElectionStatus::Final,
            Phase::Closed => ElectionStatus::Closed,
        }
    }

    /// Whether it takes no ballots any more.
    pub fn is_closed(&self) -> bool {
        self.record.phase == Phase::Closed
    }

    /// The head of its board.
    pub fn board(&self) -> BoardHead {
        BoardHead {
            election_id: self.record.election_id,
            size: self.record.board.size(),
            root: self.record.board.root(),
        }
    }

    /// How many voters are on the roll.
    pub fn roll_size(&self) -> u64 {
        self.record.roll.size()
    }

    /// How many voters have a counting ballot.
    pub fn turnout(&self) -> u64 {
        self.record.turnout
    }

    /// Who has attested its result so far, and what.
    pub fn attestations(&self) -> impl Iterator<Item = (&PublicKey, &Attestation, &Hash)> {
        let attestations = self.record.attestations.iter();
        attestations.map(|(key, a)| (key, &a.attestation, &a.transaction_id))
    }

    /// What a quorum of validators attested equally, once it has.
    pub fn result(&self) -> Option<&Attestation> {
        self.record.result.as_ref()
    }

    /// The height of the block that made the result final.
    pub fn result_height(&self) -> Option<u64> {
        self.record.result_height
    }
}

fn record_leaf(record: &ElectionRecord) -> Hash {
    merkle::leaf_hash(&codec::encode(record))
}

/// Everything that decides what the next block may do, but for the per-voter tables on disk.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) tip: Tip,
    pub(crate) elections: BTreeMap<u64, Arc<Election>>,
    pub(crate) plugins: BTreeMap<Hash, Plugin>,
    /// Log of plugin hashes in the order of publication.
    pub(crate) plugin_log: Frontier,
    /// Log of all transaction ids ever executed.
    pub(crate) transaction_log: Frontier,
    /// Validators that missed their last turn to propose.
    pub(crate) absent: Absences,
    /// Every validator set decided so far.
    pub(crate) validators: ValidatorHistory,
    /// Subjects of the evidence on the chain.
    pub(crate) evidence: BTreeSet<Hash>,
}

/// The part of [`State`] that is stored as one value.
#[derive(BorshSerialize, BorshDeserialize)]
pub(crate) struct StateRecord {
    pub(crate) tip: Tip,
    pub(crate) plugin_log: Frontier,
    pub(crate) transaction_log: Frontier,
    pub(crate) absent: Absences,
    pub(crate) validator_sets: Vec<ValidatorSet>,
    pub(crate) evidence: BTreeSet<Hash>,
}

impl State {
    /// The part that is stored as one value.
    pub(crate) fn record(&self) -> StateRecord {
        StateRecord {
            tip: self.tip,
            plugin_log: self.plugin_log.clone(),
            transaction_log: self.transaction_log.clone(),
            absent: self.absent.clone(),
            validator_sets: self.validators.sets().to_vec(),
            evidence: self.evidence.clone(),
        }
    }

    /// The id that the next created election gets.
    pub(crate) fn next_election_id(&self) -> u64 {
        self.elections.last_key_value().map_or(1, |(id, _)| id + 1)
    }

    /// Commitment to elections (with boards and rolls), plugins, every executed transaction, whose
    /// turn it is to propose, the validator sets and the evidence.
    /// Which voter voted follows from the boards, so it needs no hash of its own.
    pub(crate) fn root(&self) -> Hash {
        let leaves: Vec<Hash> = self.elections.values().map(|e| e.leaf).collect();
        tabella_protocol::state_root(&self.logs(), &merkle::root(&leaves))
    }

    /// The canonical bytes of everything but the elections that the root commits to.
    pub(crate) fn logs(&self) -> Vec<u8> {
        codec::encode(&(
            self.plugin_log.size(),
            self.plugin_log.root(),
            self.transaction_log.size(),
            self.transaction_log.root(),
            &self.absent,
            self.validators.hash(),
            &self.evidence,
        ))
    }
}
