//! What validators sign, out of the engine's messages; and what the engine noticed of validators that
//! contradict themselves, as evidence that anybody checks.

use arc_malachitebft_core_consensus::MisbehaviorEvidence;
use arc_malachitebft_core_types::{SignedProposal, SignedVote};
use tabella_protocol::{Evidence, Statement};

use crate::context::Tabella;

/// A vote as it was signed, unless its round is undefined.
pub(crate) fn vote(signed: &SignedVote<Tabella>) -> Option<Statement> {
    Some(Statement::Vote(tabella_protocol::SignedVote {
        vote: signed.message.to_protocol()?,
        signature: signed.signature,
    }))
}

/// A proposal as it was signed, unless its round is undefined.
pub(crate) fn proposal(signed: &SignedProposal<Tabella>) -> Option<Statement> {
    Some(Statement::Proposal(tabella_protocol::SignedProposal {
        proposal: signed.message.to_protocol()?,
        signature: signed.signature,
    }))
}

/// What the engine collected during a height.
pub(crate) fn collected(evidence: &MisbehaviorEvidence<Tabella>) -> Vec<Evidence> {
    let votes = evidence.votes.iter().flat_map(|(_, pairs)| pairs);
    let votes = votes.filter_map(|(a, b)| Evidence::statements(&vote(a)?, &vote(b)?));
    let proposals = evidence.proposals.iter().flat_map(|(_, pairs)| pairs);
    let proposals =
        proposals.filter_map(|(a, b)| Evidence::statements(&proposal(a)?, &proposal(b)?));
    votes.chain(proposals).collect()
}
