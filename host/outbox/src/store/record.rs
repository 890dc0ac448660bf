//! What the database holds of one submission.

use borsh::{BorshDeserialize, BorshSerialize};
use tabella_protocol::{Hash, Transaction, VoterId, codec};

use super::StoreError;
use crate::subject::Realm;

/// Where a submission stands.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum State {
    /// Durable here, not known to be on the chain.
    Open,
    /// On the chain.
    Confirmed {
        /// The block.
        height: u64,
        /// Its hash.
        block_hash: Hash,
        /// The place in it.
        index: u32,
        /// The block's time, in Unix milliseconds.
        confirmed_at_ms: u64,
        /// How many validators signed it.
        signatures: u32,
        /// The validator that took it, where that is known.
        validator: Option<String>,
    },
    /// Refused by the chain.
    Rejected {
        /// The stable code.
        code: String,
        /// Why, for people.
        reason: String,
        /// When that was recorded, in Unix milliseconds.
        rejected_at_ms: u64,
    },
}

/// One acknowledged submission.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Submission {
    /// Its place in the order of acceptance.
    pub sequence: u64,
    /// The id that the client chose, where it did: a name within its voter.
    pub client_id: Option<String>,
    /// The election.
    pub election_id: u64,
    /// The voter, as the chain knows it.
    pub voter: VoterId,
    /// Hash of election, voter and ballot: what an idempotency key stands for.
    pub content: Hash,
    /// The transaction that casts it.
    pub transaction_id: Hash,
    /// The signed transaction; empty once it is settled.
    pub transaction: Vec<u8>,
    /// When it was acknowledged, in Unix milliseconds.
    pub submitted_at_ms: u64,
    /// Where it stands.
    pub state: State,
}

impl Submission {
    /// The id to show: the client's own, or the chain's.
    pub fn public_id(&self) -> String {
        match &self.client_id {
            Some(id) => id.clone(),
            None => self.transaction_id.to_string(),
        }
    }

    /// Whether this is the same ballot as `new`, under no id of its own: so it is after the database was
    /// restored, and the voter sends it again.
    pub(super) fn takes_id_of(&self, new: &NewSubmission) -> bool {
        self.client_id.is_none() && new.client_id.is_some() && self.content == new.content
    }

    /// Its place in its voter's own order, where it has one and is not settled.
    pub(crate) fn number(&self) -> Option<u64> {
        let transaction = Transaction::from_bytes(&self.transaction);
        transaction.ok().and_then(|t| t.body.sequence)
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
pub enum Named {
    /// No voter's submission.
    Nothing,
    /// One voter's.
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
    pub(crate) admission: Admission,
    /// The place in its voter's order that this backend gave it.
    pub(crate) number: Option<u64>,
    /// Who vouches for the voter.
    pub(crate) realm: Realm,
}

impl NewSubmission {
    /// The number that a backend gave it, now or before the database was restored: later ones come after it.
    pub(super) fn number_given(&self) -> Option<u64> {
        match self.admission {
            Admission::Fresh(_) => self.number,
            Admission::Acknowledged => {
                let transaction = Transaction::from_bytes(&self.transaction);
                transaction.ok().and_then(|t| t.body.sequence)
            }
        }
    }
}

/// What may stand against a submission that is to become durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It comes from a voter: the voter's earlier ballot, where the election says so, and the
    /// election's being closed.
    Fresh(tabella_protocol::Revote),
    /// It was acknowledged before the database was restored: nothing.
    Acknowledged,
}

impl Admission {
    /// Whether a ballot that the voter cast before stands against it.
    pub(crate) fn refuses_second(self) -> bool {
        self == Self::Fresh(tabella_protocol::Revote::Refuse)
    }
}

/// How an election is being closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Once every ballot that was acknowledged is confirmed or refused.
    AfterBallots,
    /// At once, though some are on their way.
    AtOnce,
    /// The chain has closed it.
    Done,
    /// By a transaction that is signed, here or elsewhere, and may be on its way until this height: no ballot
    /// is waited for any more.
    Signed {
        /// The last height that may hold it.
        until: u64,
    },
}

impl Closing {
    /// Every way.
    pub(super) const ALL: [Self; 4] = [
        Self::AfterBallots,
        Self::AtOnce,
        Self::Done,
        Self::Signed { until: 0 },
    ];

    /// As the database holds it.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::AfterBallots => 0,
            Self::AtOnce => 1,
            Self::Done => 2,
            Self::Signed { .. } => 3,
        }
    }

    /// Whether this mark stays where `next` comes: what is closed on the chain stays so, and a close that
    /// was signed is not forgotten for being asked for again.
    pub(super) fn outlasts(self, next: Option<Self>) -> bool {
        match self {
            Self::AfterBallots | Self::AtOnce => false,
            Self::Done => true,
            Self::Signed { .. } => matches!(next, Some(Self::AfterBallots | Self::AtOnce)),
        }
    }

    /// Until when a signed one may be on its way.
    pub(super) fn until(self) -> Option<u64> {
        match self {
            Self::Signed { until } => Some(until),
            Self::AfterBallots | Self::AtOnce | Self::Done => None,
        }
    }

    /// From its code, and until when it may be on its way.
    pub(super) fn of_code(code: u8, until: Option<u64>) -> Result<Self, StoreError> {
        match code {
            0 => Ok(Self::AfterBallots),
            1 => Ok(Self::AtOnce),
            2 => Ok(Self::Done),
            // One that says no height never ends.
            3 => Ok(Self::Signed {
                until: until.unwrap_or(u64::MAX),
            }),
            other => Err(StoreError::Failed(format!(
                "expected a closing of 0 to 3, got {other}"
            ))),
        }
    }
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
    /// The election is being closed.
    Closing,
    /// Another backend gave a ballot of the voter that place, or a later one, meanwhile.
    Outnumbered,
}

/// The newest block whose confirmations are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Mark {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: Hash,
}
