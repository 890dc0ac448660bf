//! What the database holds of one submission.

use borsh::{BorshDeserialize, BorshSerialize};
use tabella_protocol::{Hash, VoterId, codec};

use crate::subject::Realm;

/// Where a submission stands.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) enum State {
    /// Durable here, not known to be on the chain.
    Open,
    /// On the chain.
    Confirmed {
        height: u64,
        block_hash: Hash,
        index: u32,
        confirmed_at_ms: u64,
        signatures: u32,
        /// The validator that took it, where that is known.
        validator: Option<String>,
    },
    /// Refused by the chain.
    Rejected {
        code: String,
        reason: String,
        rejected_at_ms: u64,
    },
}

/// One acknowledged submission.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Submission {
    /// Its place in the order of acceptance.
    pub(crate) sequence: u64,
    /// The id that the client chose, where it did: a name within its voter.
    pub(crate) client_id: Option<String>,
    pub(crate) election_id: u64,
    pub(crate) voter: VoterId,
    /// Hash of election, voter and ballot: what an idempotency key stands for.
    pub(crate) content: Hash,
    pub(crate) transaction_id: Hash,
    /// The signed transaction; empty once it is settled.
    pub(crate) transaction: Vec<u8>,
    pub(crate) submitted_at_ms: u64,
    pub(crate) state: State,
}

impl Submission {
    /// The id to show: the client's own, or the chain's.
    pub(crate) fn public_id(&self) -> String {
        match &self.client_id {
            Some(id) => id.clone(),
            None => self.transaction_id.to_string(),
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, codec::DecodeError> {
        codec::decode(bytes, BYTES_MAX)
    }
}

/// Largest stored submission: a transaction and its envelope.
const BYTES_MAX: usize = tabella_protocol::Transaction::BYTES_MAX + (4 << 10);

/// What was there when the database learned to tell accounts from registrars' voters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, BorshSerialize, BorshDeserialize)]
pub(crate) struct Earlier {
    /// The highest id of an election of before; 0 where there is none.
    pub(crate) elections_until: u64,
    /// When the last account of before can have been registered, in Unix milliseconds.
    pub(crate) accounts_until_ms: u64,
}

impl Earlier {
    /// Whether the election is one of before.
    pub(crate) fn has_election(&self, election_id: u64) -> bool {
        election_id <= self.elections_until
    }
}

/// What a name that is a transaction id of a client's own stands for, to a registrar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    Nothing,
    One(Box<Submission>),
    /// Several voters chose it.
    Several,
}

/// A submission that is to become durable.
#[derive(Debug, Clone)]
pub(crate) struct NewSubmission {
    pub(crate) client_id: Option<String>,
    pub(crate) election_id: u64,
    pub(crate) voter: VoterId,
    pub(crate) content: Hash,
    pub(crate) transaction_id: Hash,
    pub(crate) transaction: Vec<u8>,
    pub(crate) expiry_height: u64,
    pub(crate) submitted_at_ms: u64,
    pub(crate) revote: tabella_protocol::Revote,
    /// Who vouches for the voter.
    pub(crate) realm: Realm,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// Durable now.
    New,
    /// The same content came under the voter's same id before, or the very transaction.
    Same(Box<Submission>),
    /// Other content came under the voter's same id before.
    Reused,
    /// This voter has this ballot in this election already.
    AlreadyVoted(Box<Submission>),
}

/// The newest block whose confirmations are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Mark {
    pub(crate) height: u64,
    pub(crate) hash: Hash,
}
