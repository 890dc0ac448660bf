//! Proof that one validator signed two messages that contradict each other.

use arc_malachitebft_core_consensus::MisbehaviorEvidence;
use borsh::{BorshDeserialize, BorshSerialize};
use tabella_protocol::{ConsensusProposal, ConsensusVote, Hash, PublicKey, Signature};

use crate::context::Tabella;

/// Two signed messages of one validator for one height and round that differ.
///
/// Anyone who holds the genesis hash can [verify](Self::verify) it.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Equivocation {
    /// Two prevotes or two precommits.
    Votes {
        /// The vote seen first.
        first: (ConsensusVote, Signature),
        /// The vote that contradicts it.
        second: (ConsensusVote, Signature),
    },
    /// Two proposals.
    Proposals {
        /// The proposal seen first.
        first: (ConsensusProposal, Signature),
        /// The proposal that contradicts it.
        second: (ConsensusProposal, Signature),
    },
}

impl Equivocation {
    /// The validator that contradicted itself.
    pub fn validator(&self) -> PublicKey {
        match self {
            Self::Votes { first, .. } => first.0.validator,
            Self::Proposals { first, .. } => first.0.proposer,
        }
    }

    /// The height at which it did.
    pub fn height(&self) -> u64 {
        match self {
            Self::Votes { first, .. } => first.0.height,
            Self::Proposals { first, .. } => first.0.height,
        }
    }

    /// Whether this proves what it claims on the network of `genesis`: both signatures hold, and the
    /// messages are for one step but differ.
    pub fn verify(&self, genesis: &Hash) -> bool {
        match self {
            Self::Votes {
                first: (a, signature_a),
                second: (b, signature_b),
            } => {
                (a.kind, a.height, a.round, a.validator) == (b.kind, b.height, b.round, b.validator)
                    && a.value != b.value
                    && a.validator.verify(&a.signing_bytes(genesis), signature_a)
                    && b.validator.verify(&b.signing_bytes(genesis), signature_b)
            }
            Self::Proposals {
                first: (a, signature_a),
                second: (b, signature_b),
            } => {
                (a.height, a.round, a.proposer) == (b.height, b.round, b.proposer)
                    && (a.value, a.valid_round) != (b.value, b.valid_round)
                    && a.proposer.verify(&a.signing_bytes(genesis), signature_a)
                    && b.proposer.verify(&b.signing_bytes(genesis), signature_b)
            }
        }
    }
}

/// What the engine collected during a height, as protocol values.
pub(crate) fn equivocations(evidence: &MisbehaviorEvidence<Tabella>) -> Vec<Equivocation> {
    let votes = evidence
        .votes
        .iter()
        .flat_map(|(_, pairs)| pairs)
        .filter_map(|(a, b)| {
            Some(Equivocation::Votes {
                first: (a.message.to_protocol()?, a.signature),
                second: (b.message.to_protocol()?, b.signature),
            })
        });
    let proposals = evidence
        .proposals
        .iter()
        .flat_map(|(_, pairs)| pairs)
        .filter_map(|(a, b)| {
            Some(Equivocation::Proposals {
                first: (a.message.to_protocol()?, a.signature),
                second: (b.message.to_protocol()?, b.signature),
            })
        });
    votes.chain(proposals).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tabella_protocol::{ConsensusVoteKind, SigningKey};

    #[test]
    fn proves_contradictions_and_nothing_else() {
        let genesis = Hash::of(b"genesis");
        let key = SigningKey::from_seed([1; 32]);
        let vote = |value: Option<Hash>, round| {
            let vote = ConsensusVote {
                kind: ConsensusVoteKind::Precommit,
                height: 7,
                round,
                value,
                validator: key.public(),
            };
            let signature = key.sign(&vote.signing_bytes(&genesis));
            (vote, signature)
        };
        let (a, b) = (vote(Some(Hash::of(b"a")), 0), vote(None, 0));
        let proof = Equivocation::Votes {
            first: a.clone(),
            second: b.clone(),
        };
        assert!(proof.verify(&genesis));
        assert_eq!((proof.validator(), proof.height()), (key.public(), 7));
        assert!(!proof.verify(&Hash::of(b"another network")));

        let same = Equivocation::Votes {
            first: a.clone(),
            second: a.clone(),
        };
        assert!(!same.verify(&genesis));
        let other_round = Equivocation::Votes {
            first: a.clone(),
            second: vote(None, 1),
        };
        assert!(!other_round.verify(&genesis));
        let forged = Equivocation::Votes {
            first: a.clone(),
            second: (b.0, a.1),
        };
        assert!(!forged.verify(&genesis));
    }
}
