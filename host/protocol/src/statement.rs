//! What a validator signs during a round of consensus, with the signature.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{ConsensusProposal, ConsensusVote, ConsensusVoteKind, Hash, PublicKey, Signature};

/// A consensus vote and its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedVote {
    /// The vote.
    pub vote: ConsensusVote,
    /// The validator's signature.
    pub signature: Signature,
}

impl SignedVote {
    /// Whether its validator signed it for the network of `genesis`.
    pub fn verify(&self, genesis: &Hash) -> bool {
        let message = self.vote.signing_bytes(genesis);
        self.vote.validator.verify(&message, &self.signature)
    }
}

/// A proposal and its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedProposal {
    /// The proposal.
    pub proposal: ConsensusProposal,
    /// The proposer's signature.
    pub signature: Signature,
}

impl SignedProposal {
    /// Whether its proposer signed it for the network of `genesis`.
    pub fn verify(&self, genesis: &Hash) -> bool {
        let message = self.proposal.signing_bytes(genesis);
        self.proposal.proposer.verify(&message, &self.signature)
    }
}

/// A proposal or vote of a validator.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Statement {
    /// A prevote or precommit.
    Vote(SignedVote),
    /// A proposal.
    Proposal(SignedProposal),
}

/// The step of consensus at which a statement is made. An honest validator makes one at each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// The height.
    pub height: u64,
    /// The round within the height.
    pub round: u32,
    /// What is said.
    pub kind: StepKind,
}

/// What a validator says at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepKind {
    /// Its block.
    Proposal,
    /// Its first vote.
    Prevote,
    /// Its second vote.
    Precommit,
}

impl Statement {
    /// Who signed it.
    pub fn signer(&self) -> PublicKey {
        match self {
            Self::Vote(signed) => signed.vote.validator,
            Self::Proposal(signed) => signed.proposal.proposer,
        }
    }

    /// Where it belongs.
    pub fn step(&self) -> Step {
        match self {
            Self::Vote(SignedVote { vote, .. }) => Step {
                height: vote.height,
                round: vote.round,
                kind: match vote.kind {
                    ConsensusVoteKind::Prevote => StepKind::Prevote,
                    ConsensusVoteKind::Precommit => StepKind::Precommit,
                },
            },
            Self::Proposal(SignedProposal { proposal, .. }) => Step {
                height: proposal.height,
                round: proposal.round,
                kind: StepKind::Proposal,
            },
        }
    }

    /// The block it is for, or nil.
    pub fn value(&self) -> Option<Hash> {
        match self {
            Self::Vote(signed) => signed.vote.value,
            Self::Proposal(signed) => Some(signed.proposal.value),
        }
    }

    /// Whether its signer signed it for the network of `genesis`.
    pub fn verify(&self, genesis: &Hash) -> bool {
        match self {
            Self::Vote(signed) => signed.verify(genesis),
            Self::Proposal(signed) => signed.verify(genesis),
        }
    }
}
