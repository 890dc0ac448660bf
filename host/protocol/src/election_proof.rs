//! Proof of what an election asks: its statement under the state root of a certified block.

use borsh::BorshDeserialize;
use serde::{Deserialize, Serialize};

use crate::{
    CommitCertificate, ElectionSpec, Genesis, Hash, Header, HeaderError, HexBytes,
    ValidatorHistory, ValidatorProofError, ValidatorSetProof, merkle,
};

/// Proves the statement of one election (title, contests, options, rules, who may vote) with no
/// network: the election's record is a leaf below the state root of a block that a quorum of
/// validators certified. A statement never changes, so that any block after its creation proves it.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElectionProof {
    /// Version of this document: 1.
    pub version: u32,
    /// The network.
    pub genesis: Hash,
    /// The canonical bytes of the election's record.
    pub record: HexBytes,
    /// The record's place among the chain's elections, and how many those are.
    pub index: u64,
    /// See `index`.
    pub count: u64,
    /// Inclusion proof of the record among the elections (RFC 6962).
    pub path: Vec<Hash>,
    /// The canonical bytes of what else the state root commits to.
    pub logs: HexBytes,
    /// The block's header.
    pub header: Header,
    /// A quorum of precommits for it.
    pub certificate: CommitCertificate,
    /// Every change of the validators from genesis up to the block, in order.
    pub validator_sets: Vec<ValidatorSetProof>,
}

/// What a proof shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenElection {
    /// The election's id.
    pub election_id: u64,
    /// The transaction that created it.
    pub transaction_id: Hash,
    /// Its statement.
    pub spec: ElectionSpec,
    /// The height of the block that proves it.
    pub height: u64,
}

/// Why a proof shows nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ElectionProofError {
    /// Written by a newer version.
    #[error("expected version 1 of an election's proof, got {0}")]
    Version(u32),
    /// For another network.
    #[error("the proof is for network {got}, but this genesis is {expected}")]
    OtherNetwork {
        /// The genesis given.
        expected: Hash,
        /// The proof's.
        got: Hash,
    },
    /// The record's bytes are no election's.
    #[error("the record cannot be read; fetch the proof again")]
    Unreadable,
    /// The record is not below the header's state root.
    #[error("the election's record is not what the block's state commits to")]
    OtherState,
    /// The validators of the block's height are not proven.
    #[error("the validators at the block's height are not proven: {0}")]
    Validators(ValidatorProofError),
    /// The certificate does not hold.
    #[error("the block is not certified: {0}")]
    Header(HeaderError),
}

impl From<HeaderError> for ElectionProofError {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}

impl From<ValidatorProofError> for ElectionProofError {
    fn from(error: ValidatorProofError) -> Self {
        Self::Validators(error)
    }
}

/// Returns the root that commits to elections and to the encoded rest of the state.
pub fn state_root(logs: &[u8], elections_root: &Hash) -> Hash {
    Hash::of_parts([b"tabella/state/v2".as_slice(), logs, &elections_root.0])
}

impl ElectionProof {
    /// The version that this code writes.
    pub const VERSION: u32 = 1;

    /// Checks every hash, proof and signature against `genesis`.
    pub fn verify(&self, genesis: &Genesis) -> Result<ProvenElection, ElectionProofError> {
        if self.version != Self::VERSION {
            return Err(ElectionProofError::Version(self.version));
        }
        let expected = genesis.hash();
        if self.genesis != expected {
            let got = self.genesis;
            return Err(ElectionProofError::OtherNetwork { expected, got });
        }
        let (HexBytes(record), HexBytes(logs)) = (&self.record, &self.logs);
        let leaf = merkle::leaf_hash(record);
        let root = merkle::root_from_inclusion(&leaf, self.index, self.count, &self.path);
        let root = root.ok_or(ElectionProofError::OtherState)?;
        if state_root(logs, &root) != self.header.state_root {
            return Err(ElectionProofError::OtherState);
        }
        let mut history = ValidatorHistory::new(genesis);
        history.extend_all(&self.validator_sets)?;
        history.verify_header(&self.header, &self.certificate)?;
        let (election_id, transaction_id, spec) =
            statement(record).ok_or(ElectionProofError::Unreadable)?;
        Ok(ProvenElection {
            election_id,
            transaction_id,
            spec,
            height: self.header.height,
        })
    }
}

/// What an election's record begins with; boards, turnout and attestations follow.
fn statement(mut record: &[u8]) -> Option<(u64, Hash, ElectionSpec)> {
    BorshDeserialize::deserialize(&mut record).ok()
}
