//! What validators sign to agree on a block, and the certificate that proves they did.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{Hash, PublicKey, Quorum, Signature, SigningKey, ValidatorInfo, codec};

/// The two voting steps of a Tendermint round (Buchman, Kwon, Milosevic 2018).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum ConsensusVoteKind {
    /// First step: this proposal is acceptable.
    Prevote,
    /// Second step: a quorum found it acceptable.
    Precommit,
}

/// A validator's consensus vote; `value` is a block hash, or nothing (nil).
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
pub struct ConsensusVote {
    /// Prevote or precommit.
    pub kind: ConsensusVoteKind,
    /// The height voted on.
    pub height: u64,
    /// The round within the height.
    pub round: u32,
    /// The block, or nil.
    pub value: Option<Hash>,
    /// Who votes.
    pub validator: PublicKey,
}

impl ConsensusVote {
    /// The bytes a validator signs: bound to one network by its genesis hash.
    pub fn signing_bytes(&self, genesis: &Hash) -> Vec<u8> {
        signing_bytes(b"tabella/consensus-vote/v1", genesis, self)
    }
}

/// A proposer's signed claim that `value` is its block for a height and round.
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
pub struct ConsensusProposal {
    /// The height proposed for.
    pub height: u64,
    /// The round within the height.
    pub round: u32,
    /// The block proposed.
    pub value: Hash,
    /// The earlier round in which a quorum prevoted it, if one did.
    pub valid_round: Option<u32>,
    /// Who proposes.
    pub proposer: PublicKey,
}

impl ConsensusProposal {
    /// The bytes a proposer signs: bound to one network by its genesis hash.
    pub fn signing_bytes(&self, genesis: &Hash) -> Vec<u8> {
        signing_bytes(b"tabella/consensus-proposal/v1", genesis, self)
    }
}

pub(crate) fn signing_bytes<T: BorshSerialize>(
    domain: &[u8],
    genesis: &Hash,
    value: &T,
) -> Vec<u8> {
    let mut bytes = domain.to_vec();
    bytes.extend_from_slice(&genesis.0);
    bytes.extend_from_slice(&codec::encode(value));
    bytes
}

/// One validator's precommit in a certificate.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitSignature {
    /// Who signed.
    pub validator: PublicKey,
    /// Signature of the precommit's signing bytes.
    pub signature: Signature,
}

/// A quorum of precommits for one block: proof that it was decided.
///
/// Signatures are in strictly ascending order of validator key, so that one set has one encoding.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitCertificate {
    /// The decided height.
    pub height: u64,
    /// The round in which it was decided.
    pub round: u32,
    /// The decided block.
    pub block_hash: Hash,
    /// The precommits.
    pub signatures: Vec<CommitSignature>,
}

/// Why a certificate proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The same validator twice, or keys out of order.
    #[error("expected signatures in ascending order of validator key, each validator once")]
    Unordered,
    /// A signer that is not a validator at this height.
    #[error("{0} signed, but is not a validator of this network at this height")]
    UnknownValidator(PublicKey),
    /// A signature that does not verify.
    #[error("the signature of {0} does not verify")]
    BadSignature(PublicKey),
    /// Too few signatures.
    #[error("expected signatures of at least {expected} of {of} validators, got {got}")]
    NoQuorum {
        /// A quorum.
        expected: usize,
        /// All validators.
        of: usize,
        /// Signatures present.
        got: usize,
    },
}

impl CommitCertificate {
    /// Returns a certificate of round 0 that these keys sign: of a backend's own ledger, of a chain that is
    /// made for a measurement or a test. Validators collect theirs from consensus.
    pub fn sign<'a>(
        genesis: &Hash,
        keys: impl IntoIterator<Item = &'a SigningKey>,
        height: u64,
        block_hash: Hash,
    ) -> Self {
        let signatures = keys.into_iter().map(|key| {
            let precommit = ConsensusVote {
                kind: ConsensusVoteKind::Precommit,
                height,
                round: 0,
                value: Some(block_hash),
                validator: key.public(),
            };
            CommitSignature {
                validator: key.public(),
                signature: key.sign(&precommit.signing_bytes(genesis)),
            }
        });
        let mut certificate = Self {
            height,
            round: 0,
            block_hash,
            signatures: signatures.collect(),
        };
        certificate.sort();
        certificate
    }

    /// Sorts the signatures into the canonical order.
    pub fn sort(&mut self) {
        self.signatures.sort_by_key(|s| s.validator);
    }

    /// Checks that a quorum of `validators` precommitted this block on the network of `genesis`.
    pub fn verify(
        &self,
        genesis: &Hash,
        quorum: Quorum,
        validators: &[ValidatorInfo],
    ) -> Result<(), CertificateError> {
        if !self
            .signatures
            .is_sorted_by(|a, b| a.validator < b.validator)
        {
            return Err(CertificateError::Unordered);
        }
        let known: BTreeSet<_> = validators.iter().map(|v| v.public_key).collect();
        for CommitSignature {
            validator,
            signature,
        } in &self.signatures
        {
            if !known.contains(validator) {
                return Err(CertificateError::UnknownValidator(*validator));
            }
            let precommit = ConsensusVote {
                kind: ConsensusVoteKind::Precommit,
                height: self.height,
                round: self.round,
                value: Some(self.block_hash),
                validator: *validator,
            };
            if !validator.verify(&precommit.signing_bytes(genesis), signature) {
                return Err(CertificateError::BadSignature(*validator));
            }
        }
        let (expected, got) = (quorum.threshold(validators.len()), self.signatures.len());
        if got < expected {
            return Err(CertificateError::NoQuorum {
                expected,
                of: validators.len(),
                got,
            });
        }
        Ok(())
    }
}
