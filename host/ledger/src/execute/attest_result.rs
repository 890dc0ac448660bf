//! `attest-result`: a validator's signed word on the result of a closed election.

use std::collections::BTreeMap;

use tabella_protocol::{Attestation, Hash, PublicKey, rpc::RefusalCode};

use super::{Draft, wrong_status};
use crate::{
    Refusal,
    state::{Attested, Phase},
};

impl Draft<'_> {
    pub(super) fn attest_result(
        &mut self,
        attestation: &Attestation,
        validator: PublicKey,
        transaction_id: Hash,
    ) -> Result<(), Refusal> {
        let election_id = attestation.election_id;
        let record = self.election(election_id)?;
        if record.phase != Phase::Closed {
            return Err(wrong_status(election_id, "attest the result of", "closed"));
        }
        let refuse = |message: String| Err(Refusal::new(RefusalCode::InvalidAttestation, message));
        if record.attestations.contains_key(&validator) {
            return refuse(format!(
                "{validator} has attested election {election_id} already"
            ));
        }
        if attestation.board_size != record.board.size()
            || attestation.board_root != record.board.root()
        {
            return refuse(format!(
                "the attestation is of another board of election {election_id}"
            ));
        }
        let plugins = record.spec.contests.iter().map(|contest| contest.plugin);
        if !plugins.eq(attestation.plugins.iter().copied())
            || attestation.outcomes.len() != attestation.plugins.len()
        {
            return refuse(format!(
                "the attestation does not name the plugins of election {election_id}, in order"
            ));
        }
        let genesis = &self.ledger.genesis;
        let quorum = genesis.quorum.threshold(genesis.validators.len());
        let record = self.election_mut(election_id)?;
        let attested = Attested {
            attestation: attestation.clone(),
            transaction_id,
        };
        record.attestations.insert(validator, attested);
        if record.result.is_none() {
            record.result = agreed(&record.attestations, quorum);
        }
        Ok(())
    }
}

/// The attestation that at least `quorum` validators made equally.
fn agreed(attestations: &BTreeMap<PublicKey, Attested>, quorum: usize) -> Option<Attestation> {
    let mut counts: BTreeMap<&Attestation, usize> = BTreeMap::new();
    for attested in attestations.values() {
        *counts.entry(&attested.attestation).or_default() += 1;
    }
    counts
        .into_iter()
        .find(|(_, count)| *count >= quorum)
        .map(|(agreed, _)| agreed.clone())
}
