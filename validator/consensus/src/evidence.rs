//! What the engine noticed of validators that contradict themselves, as evidence that anybody checks.

use arc_malachitebft_core_consensus::MisbehaviorEvidence;
use tabella_protocol::Evidence;

use crate::context::Tabella;

/// What the engine collected during a height.
pub(crate) fn collected(evidence: &MisbehaviorEvidence<Tabella>) -> Vec<Evidence> {
    let votes = evidence
        .votes
        .iter()
        .flat_map(|(_, pairs)| pairs)
        .filter_map(|(a, b)| {
            Some(Evidence::votes(
                (a.message.to_protocol()?, a.signature),
                (b.message.to_protocol()?, b.signature),
            ))
        });
    let proposals = evidence
        .proposals
        .iter()
        .flat_map(|(_, pairs)| pairs)
        .filter_map(|(a, b)| {
            Some(Evidence::proposals(
                (a.message.to_protocol()?, a.signature),
                (b.message.to_protocol()?, b.signature),
            ))
        });
    votes.chain(proposals).collect()
}
