//! Evidence: signed statements that contradict each other, and what they prove to a third party.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{
    Ack, CertificateError, CommitCertificate, ConsensusProposal, ConsensusVote, Genesis, Hash,
    PublicKey, Signature, SignedProposal, SignedVote, Statement, ValidatorHistory,
    ValidatorProofError, ValidatorSetProof, codec,
};

/// Signed statements that contradict each other.
///
/// The two stand in the order of their canonical bytes, so that one contradiction has one form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Evidence {
    /// Two prevotes, or two precommits, of one validator in one round.
    Votes {
        /// One vote.
        first: SignedVote,
        /// The other.
        second: SignedVote,
    },
    /// Two proposals of one validator for one round.
    Proposals {
        /// One proposal.
        first: SignedProposal,
        /// The other.
        second: SignedProposal,
    },
    /// Acks of different blocks of one height. Of one validator they prove that it lied; of two,
    /// that the history has split.
    Acks {
        /// One ack.
        first: Ack,
        /// The other.
        second: Ack,
    },
    /// Two certified blocks of one height. Who signed both in one round lied.
    Fork {
        /// One certificate.
        first: CommitCertificate,
        /// The other.
        second: CommitCertificate,
    },
}

/// What verified evidence says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EvidenceSummary {
    /// The kind, as in the file.
    pub kind: &'static str,
    /// The height that it is about.
    pub height: u64,
    /// Validators that are proven to have lied, by name and key.
    pub liars: Vec<Named>,
    /// Validators among whom at least one lied, where none is proven.
    pub suspects: Vec<Named>,
}

/// A validator by name and key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its name at that height.
    pub node_id: String,
    /// Its key.
    pub public_key: PublicKey,
}

/// Why evidence proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// Not the canonical text of an evidence file.
    #[error("not an evidence file: {0}")]
    Unreadable(String),
    /// Readable, but written differently from how Tabella writes it.
    #[error("the file is not byte for byte as it was issued; fetch the evidence again")]
    NotCanonical,
    /// For another network.
    #[error("the evidence is of network {got}, but this genesis is {expected}")]
    OtherNetwork {
        /// The genesis given.
        expected: Hash,
        /// The file's.
        got: Hash,
    },
    /// The statements do not contradict each other.
    #[error("the statements do not contradict each other")]
    NoContradiction,
    /// The statements stand the wrong way round.
    #[error("the statements are not in canonical order")]
    Unordered,
    /// Signed by somebody else.
    #[error("{0} was not a validator of this network at that height")]
    UnknownValidator(PublicKey),
    /// A signature that does not verify.
    #[error("the signature of {0} does not verify")]
    BadSignature(PublicKey),
    /// A certificate that does not hold.
    #[error("a certificate does not hold: {0}")]
    Certificate(CertificateError),
    /// The validators at that height are not proven.
    #[error("the validators at that height are not proven: {0}")]
    Validators(ValidatorProofError),
}

impl From<ValidatorProofError> for EvidenceError {
    fn from(error: ValidatorProofError) -> Self {
        Self::Validators(error)
    }
}

impl From<CertificateError> for EvidenceError {
    fn from(error: CertificateError) -> Self {
        Self::Certificate(error)
    }
}

fn ordered<T: BorshSerialize>(a: T, b: T) -> (T, T) {
    if codec::encode(&a) <= codec::encode(&b) {
        (a, b)
    } else {
        (b, a)
    }
}

impl Evidence {
    /// Evidence of two votes.
    pub fn votes(a: (ConsensusVote, Signature), b: (ConsensusVote, Signature)) -> Self {
        let signed = |(vote, signature)| SignedVote { vote, signature };
        let (first, second) = ordered(signed(a), signed(b));
        Self::Votes { first, second }
    }

    /// Evidence of two proposals.
    pub fn proposals(a: (ConsensusProposal, Signature), b: (ConsensusProposal, Signature)) -> Self {
        let signed = |(proposal, signature)| SignedProposal {
            proposal,
            signature,
        };
        let (first, second) = ordered(signed(a), signed(b));
        Self::Proposals { first, second }
    }

    /// Evidence of two statements; `None` where they do not contradict each other.
    pub fn statements(a: &Statement, b: &Statement) -> Option<Self> {
        if a.signer() != b.signer() || a.step() != b.step() {
            return None;
        }
        match (a, b) {
            (Statement::Vote(a), Statement::Vote(b)) => (a.vote.value != b.vote.value).then(|| {
                let (first, second) = ordered(a.clone(), b.clone());
                Self::Votes { first, second }
            }),
            (Statement::Proposal(a), Statement::Proposal(b)) => {
                (a.proposal != b.proposal).then(|| {
                    let (first, second) = ordered(a.clone(), b.clone());
                    Self::Proposals { first, second }
                })
            }
            _ => None,
        }
    }

    /// Evidence of two acks.
    pub fn acks(a: Ack, b: Ack) -> Self {
        let (first, second) = ordered(a, b);
        Self::Acks { first, second }
    }

    /// Evidence of two certificates.
    pub fn fork(a: CommitCertificate, b: CommitCertificate) -> Self {
        let (first, second) = ordered(a, b);
        Self::Fork { first, second }
    }

    /// The kind's name, as in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Votes { .. } => "votes",
            Self::Proposals { .. } => "proposals",
            Self::Acks { .. } => "acks",
            Self::Fork { .. } => "fork",
        }
    }

    /// The height that it is about.
    pub fn height(&self) -> u64 {
        match self {
            Self::Votes { first, .. } => first.vote.height,
            Self::Proposals { first, .. } => first.proposal.height,
            Self::Acks { first, .. } => first.height,
            Self::Fork { first, .. } => first.height,
        }
    }

    /// Names the fault: other statements that prove the same one have the same subject, so that a
    /// fault is kept and recorded once.
    pub fn subject(&self) -> Hash {
        let about = match self {
            Self::Votes { first, .. } => {
                let vote = &first.vote;
                codec::encode(&(0u8, vote.height, vote.round, vote.kind, vote.validator))
            }
            Self::Proposals { first, .. } => {
                let proposal = &first.proposal;
                codec::encode(&(1u8, proposal.height, proposal.round, proposal.proposer))
            }
            Self::Acks { first, second } => {
                codec::encode(&(2u8, first.height, first.validator, second.validator))
            }
            Self::Fork { first, .. } => codec::encode(&(3u8, first.height)),
        };
        Hash::of_parts([b"tabella/evidence/v1".as_slice(), &about])
    }

    /// Checks the statements against the validators of their height, which `history` must know.
    #[expect(clippy::too_many_lines, reason = "one arm for each kind of evidence")]
    pub fn verify(&self, history: &ValidatorHistory) -> Result<EvidenceSummary, EvidenceError> {
        let genesis = history.genesis();
        let set = history.at(self.height());
        let known = |key: &PublicKey| match set.contains(key) {
            true => Ok(()),
            false => Err(EvidenceError::UnknownValidator(*key)),
        };
        let signed = |holds: bool, key: &PublicKey| match holds {
            true => Ok(()),
            false => Err(EvidenceError::BadSignature(*key)),
        };
        let mut liars = BTreeSet::new();
        let mut suspects = BTreeSet::new();
        let (contradicts, in_order) = match self {
            Self::Votes { first, second } => {
                let (a, b) = (&first.vote, &second.vote);
                known(&a.validator)?;
                for vote in [first, second] {
                    signed(vote.verify(genesis), &vote.vote.validator)?;
                }
                liars.insert(a.validator);
                let same_step = (a.kind, a.height, a.round, a.validator)
                    == (b.kind, b.height, b.round, b.validator);
                (
                    same_step && a.value != b.value,
                    codec::encode(first) <= codec::encode(second),
                )
            }
            Self::Proposals { first, second } => {
                let (a, b) = (&first.proposal, &second.proposal);
                known(&a.proposer)?;
                for proposal in [first, second] {
                    signed(proposal.verify(genesis), &proposal.proposal.proposer)?;
                }
                liars.insert(a.proposer);
                let same_step = (a.height, a.round, a.proposer) == (b.height, b.round, b.proposer);
                (
                    same_step && (a.value, a.valid_round) != (b.value, b.valid_round),
                    codec::encode(first) <= codec::encode(second),
                )
            }
            Self::Acks { first, second } => {
                for ack in [first, second] {
                    known(&ack.validator)?;
                    signed(ack.verify(genesis), &ack.validator)?;
                }
                if first.validator == second.validator {
                    liars.insert(first.validator);
                } else {
                    // Whoever lied may be neither of the two.
                    suspects.extend(set.keys());
                }
                (
                    first.disagrees(second),
                    codec::encode(first) <= codec::encode(second),
                )
            }
            Self::Fork { first, second } => {
                for certificate in [first, second] {
                    certificate.verify(genesis, set.quorum, &set.validators)?;
                }
                let signers = |certificate: &CommitCertificate| -> BTreeSet<PublicKey> {
                    certificate.signatures.iter().map(|s| s.validator).collect()
                };
                let both: BTreeSet<_> = signers(first)
                    .intersection(&signers(second))
                    .copied()
                    .collect();
                match first.round == second.round {
                    true => liars = both,
                    // A lie in an earlier round may have misled a signer of both.
                    false => suspects = set.keys().into_iter().collect(),
                }
                (
                    first.height == second.height && first.block_hash != second.block_hash,
                    codec::encode(first) <= codec::encode(second),
                )
            }
        };
        if !contradicts {
            return Err(EvidenceError::NoContradiction);
        }
        if !in_order {
            return Err(EvidenceError::Unordered);
        }
        let named = |keys: BTreeSet<PublicKey>| {
            let keys = keys.into_iter();
            keys.map(|public_key| Named {
                node_id: set.node_id(&public_key).unwrap_or_default().to_owned(),
                public_key,
            })
            .collect()
        };
        Ok(EvidenceSummary {
            kind: self.kind(),
            height: self.height(),
            liars: named(liars),
            suspects: named(suspects),
        })
    }
}

/// Evidence as people keep it and show it to others: checked with nothing but the genesis document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceFile {
    /// Version of this document: 1.
    pub version: u32,
    /// The network.
    pub genesis: Hash,
    /// The statements.
    pub evidence: Evidence,
    /// Every change of the validators from genesis up to the evidence's height, in order.
    pub validator_sets: Vec<ValidatorSetProof>,
}

impl EvidenceFile {
    /// The version this code reads and writes.
    pub const VERSION: u32 = 1;

    /// The canonical file form.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain data serialises");
        text.push('\n');
        text
    }

    /// Reads the canonical file form, and no other spelling of it.
    pub fn from_json(text: &str) -> Result<Self, EvidenceError> {
        let file: Self = serde_json::from_str(text)
            .map_err(|error| EvidenceError::Unreadable(error.to_string()))?;
        if file.to_json() != text {
            return Err(EvidenceError::NotCanonical);
        }
        Ok(file)
    }

    /// Checks everything against `genesis`.
    pub fn verify(&self, genesis: &Genesis) -> Result<EvidenceSummary, EvidenceError> {
        let expected = genesis.hash();
        if self.version != Self::VERSION {
            let reason = format!("expected version {}, got {}", Self::VERSION, self.version);
            return Err(EvidenceError::Unreadable(reason));
        }
        if self.genesis != expected {
            return Err(EvidenceError::OtherNetwork {
                expected,
                got: self.genesis,
            });
        }
        let mut history = ValidatorHistory::new(genesis);
        for proof in &self.validator_sets {
            history.extend(proof)?;
        }
        self.evidence.verify(&history)
    }
}
