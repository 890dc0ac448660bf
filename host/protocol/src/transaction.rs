//! Transactions: what people ask of the chain, signed.

use std::io::{Error, ErrorKind, Read, Result, Write};

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{
    BatchPlace, ElectionSpec, Evidence, Hash, PublicKey, RollEntry, Signature, SigningKey,
    ValidatorChange, VoterId, batch,
    codec::{self, DecodeError},
};

/// What a transaction does.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Payload {
    /// Store a rule plugin under the SHA-256 of its bytes. Authority.
    PublishPlugin {
        /// The Wasm module.
        wasm: Vec<u8>,
    },
    /// Create an election; the chain gives it the next id. Authority.
    CreateElection(ElectionSpec),
    /// Add voters to the roll of an election that is not closed. Authority or its registrar.
    ExtendRoll {
        /// The election.
        election_id: u64,
        /// Who may vote, and with what weight.
        entries: Vec<RollEntry>,
    },
    /// Start accepting ballots. Authority.
    OpenElection {
        /// The election.
        election_id: u64,
    },
    /// Stop accepting ballots, for good. Authority.
    CloseElection {
        /// The election.
        election_id: u64,
    },
    /// Cast one voter's ballot: canonical bytes for each contest, in the contests' order.
    CastBallot {
        /// The election.
        election_id: u64,
        /// A pseudonym that the registrar signs for, or the signer's own credential key.
        voter: VoterId,
        /// One byte string per contest.
        ballots: Vec<Vec<u8>>,
    },
    /// A validator's signed word on the result of a closed election.
    AttestResult(Attestation),
    /// Change who the validators are and how many must agree, a few heights later. Authority.
    ChangeValidators {
        /// The changes, one after the other; all or none.
        changes: Vec<ValidatorChange>,
    },
    /// Put proof on the chain that validators lied. Authority.
    SubmitEvidence(Box<Evidence>),
}

impl Payload {
    /// Whether it shapes elections (their rules, rolls and phases), as opposed to what is cast in
    /// them or follows from them.
    pub fn shapes_elections(&self) -> bool {
        matches!(
            self,
            Self::PublishPlugin { .. }
                | Self::CreateElection(_)
                | Self::ExtendRoll { .. }
                | Self::OpenElection { .. }
                | Self::CloseElection { .. }
        )
    }

    /// The kind's name in logs, metrics and answers.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PublishPlugin { .. } => "publish-plugin",
            Self::CreateElection(_) => "create-election",
            Self::ExtendRoll { .. } => "extend-roll",
            Self::OpenElection { .. } => "open-election",
            Self::CloseElection { .. } => "close-election",
            Self::CastBallot { .. } => "cast-ballot",
            Self::AttestResult(_) => "attest-result",
            Self::ChangeValidators { .. } => "change-validators",
            Self::SubmitEvidence(_) => "submit-evidence",
        }
    }
}

/// What a validator says the result of a closed election is.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// The election.
    pub election_id: u64,
    /// The root of the closed board.
    pub board_root: Hash,
    /// How many ballots it holds.
    pub board_size: u64,
    /// SHA-256 of each contest's plugin, in order.
    pub plugins: Vec<Hash>,
    /// SHA-256 of each contest's canonical outcome bytes, in order.
    pub outcomes: Vec<Hash>,
}

/// Everything of a transaction that is signed.
///
/// Encoded it begins with its [version](Form), by which readers know whether a sequence follows the nonce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionBody {
    /// The chain it is for.
    pub chain_id: u64,
    /// The last height at which it may be included.
    pub expiry_height: u64,
    /// Any number: makes two otherwise equal transactions distinct.
    pub nonce: u64,
    /// Of a ballot: its place in its voter's own order, where it has one. Only ballots with a higher
    /// one are taken after it.
    pub sequence: Option<u64>,
    /// What it does.
    pub payload: Payload,
}

impl TransactionBody {
    /// A body with a random nonce and no sequence.
    #[cfg(feature = "entropy")]
    pub fn new(chain_id: u64, expiry_height: u64, payload: Payload) -> Self {
        Self {
            chain_id,
            expiry_height,
            nonce: rand::random(),
            sequence: None,
            payload,
        }
    }
}

/// What stands in a transaction's bytes, as the version at their beginning says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    /// A sequence follows the nonce.
    is_ordered: bool,
    /// A place in a batch follows the signature.
    is_batched: bool,
}

impl Form {
    fn version(self) -> u8 {
        match (self.is_batched, self.is_ordered) {
            (false, false) => Transaction::VERSION,
            (false, true) => Transaction::ORDERED,
            (true, false) => Transaction::BATCHED,
            (true, true) => Transaction::ORDERED_BATCHED,
        }
    }

    fn of(version: u8) -> std::result::Result<Self, TransactionError> {
        let (is_batched, is_ordered) = match version {
            Transaction::VERSION => (false, false),
            Transaction::ORDERED => (false, true),
            Transaction::BATCHED => (true, false),
            Transaction::ORDERED_BATCHED => (true, true),
            other => return Err(TransactionError::Version(other)),
        };
        Ok(Self {
            is_ordered,
            is_batched,
        })
    }

    fn read<R: Read>(reader: &mut R) -> Result<Self> {
        Self::of(u8::deserialize_reader(reader)?)
            .map_err(|error| Error::new(ErrorKind::InvalidData, error.to_string()))
    }
}

impl TransactionBody {
    fn write<W: Write>(&self, is_batched: bool, writer: &mut W) -> Result<()> {
        let form = Form {
            is_ordered: self.sequence.is_some(),
            is_batched,
        };
        let before = (
            form.version(),
            self.chain_id,
            self.expiry_height,
            self.nonce,
        );
        BorshSerialize::serialize(&before, writer)?;
        if let Some(sequence) = &self.sequence {
            BorshSerialize::serialize(sequence, writer)?;
        }
        BorshSerialize::serialize(&self.payload, writer)
    }

    fn read<R: Read>(form: Form, reader: &mut R) -> Result<Self> {
        let (chain_id, expiry_height, nonce) = <(u64, u64, u64)>::deserialize_reader(reader)?;
        let sequence = form
            .is_ordered
            .then(|| u64::deserialize_reader(reader))
            .transpose()?;
        let payload = Payload::deserialize_reader(reader)?;
        Ok(Self {
            chain_id,
            expiry_height,
            nonce,
            sequence,
            payload,
        })
    }
}

/// A signed transaction. Its id is the SHA-256 of its canonical bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// What is signed.
    pub body: TransactionBody,
    /// Who signed.
    pub signer: PublicKey,
    /// Signature over the body, or over the root of its batch; domain separated.
    pub signature: Signature,
    /// Where it stands in the batch that was signed, where one was.
    pub batch: Option<BatchPlace>,
}

impl BorshSerialize for Transaction {
    fn serialize<W: Write>(&self, writer: &mut W) -> Result<()> {
        self.body.write(self.batch.is_some(), writer)?;
        BorshSerialize::serialize(&(self.signer, self.signature), writer)?;
        match &self.batch {
            Some(place) => BorshSerialize::serialize(place, writer),
            None => Ok(()),
        }
    }
}

impl BorshDeserialize for Transaction {
    fn deserialize_reader<R: Read>(reader: &mut R) -> Result<Self> {
        let form = Form::read(reader)?;
        let body = TransactionBody::read(form, reader)?;
        let (signer, signature) = <(PublicKey, Signature)>::deserialize_reader(reader)?;
        let batch = form
            .is_batched
            .then(|| BatchPlace::deserialize_reader(reader))
            .transpose()?;
        Ok(Self {
            body,
            signer,
            signature,
            batch,
        })
    }
}

/// Why bytes are not a transaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// Not canonical bytes.
    #[error("transaction is {0}")]
    Decode(DecodeError),
    /// Encoded for another version of the software.
    #[error(
        "expected transaction version {first} to {last}, got {0}",
        first = Transaction::VERSION,
        last = Transaction::ORDERED_BATCHED
    )]
    Version(u8),
    /// Ordered or in a batch, and not a ballot.
    #[error(
        "expected a cast-ballot in transaction versions after {first}, got {0}",
        first = Transaction::VERSION
    )]
    NotABallot(&'static str),
}

impl From<DecodeError> for TransactionError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl Transaction {
    /// The version of most transactions.
    pub const VERSION: u8 = 1;
    /// The version of ballots that have a place in their voter's own order.
    pub const ORDERED: u8 = 2;
    /// The version of ballots that were signed in a batch.
    pub const BATCHED: u8 = 3;
    /// The version of ballots that have a place in their voter's own order and were signed in a batch.
    pub const ORDERED_BATCHED: u8 = 4;
    /// Largest encoded transaction: a plugin of 256 KiB or a roll part, and its envelope.
    pub const BYTES_MAX: usize = 512 << 10;

    /// Signs `body`.
    pub fn sign(body: TransactionBody, key: &SigningKey) -> Self {
        let signature = key.sign(&signing_bytes(&body));
        Self {
            body,
            signer: key.public(),
            signature,
            batch: None,
        }
    }

    /// Whether the signature is the signer's.
    pub fn verify(&self) -> bool {
        match &self.batch {
            Some(place) => batch::verify(self, place),
            None => self
                .signer
                .verify(&signing_bytes(&self.body), &self.signature),
        }
    }

    /// The most bytes that a ballot has once it is signed, alone or in a batch.
    pub fn ballot_bytes_max(body: &TransactionBody) -> usize {
        let signed = size_of::<PublicKey>() + size_of::<Signature>();
        encode_body(body, true).len() + signed + batch::PLACE_BYTES_MAX
    }

    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads canonical bytes. The signature is not checked here: see [`verify`](Self::verify).
    pub fn from_bytes(bytes: &[u8]) -> std::result::Result<Self, TransactionError> {
        // The version is the first byte, so that another version is named as such.
        if let Some(&version) = bytes.first() {
            Form::of(version)?;
        }
        let transaction: Self = codec::decode(bytes, Self::BYTES_MAX)?;
        let payload = &transaction.body.payload;
        let is_plain = transaction.body.sequence.is_none() && transaction.batch.is_none();
        if !is_plain && !matches!(payload, Payload::CastBallot { .. }) {
            return Err(TransactionError::NotABallot(payload.kind()));
        }
        Ok(transaction)
    }

    /// Whether the bytes begin with a version that comes after those known here: another program may read
    /// them.
    pub fn is_of_later_version(bytes: &[u8]) -> bool {
        bytes
            .first()
            .is_some_and(|version| *version > Self::ORDERED_BATCHED)
    }

    /// The id: SHA-256 of the canonical bytes.
    pub fn id(&self) -> Hash {
        Hash::of(&self.to_bytes())
    }
}

/// What is signed of a transaction that stands in no batch.
pub(crate) fn signing_bytes(body: &TransactionBody) -> Vec<u8> {
    let mut bytes = b"tabella/transaction/v1".to_vec();
    bytes.extend_from_slice(&encode_body(body, false));
    bytes
}

fn encode_body(body: &TransactionBody, is_batched: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    body.write(is_batched, &mut bytes)
        .expect("writing to memory does not fail and no collection exceeds 4 GiB");
    bytes
}
