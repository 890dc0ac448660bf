//! `attest-result`: a validator's signed word on the result of a closed election.

use std::collections::BTreeMap;

use tabella_protocol::{Attestation, Hash, PublicKey, ValidatorSet, rpc::RefusalCode};

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
        let set = self.state.validators.at(self.height).clone();
        if !set.contains(&validator) {
            let message = format!("attest-result must be signed by a validator, got {validator}");
            return Err(Refusal::new(RefusalCode::NotAuthorised, message));
        }
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
        let height = self.height;
        let record = self.election_mut(election_id)?;
        let attested = Attested {
            attestation: attestation.clone(),
            transaction_id,
        };
        record.attestations.insert(validator, attested);
        if record.result.is_none() {
            record.result = agreed(&record.attestations, &set);
            record.result_height = record.result.is_some().then_some(height);
        }
        Ok(())
    }
}

/// The attestation that a quorum of the validators of now made equally.
fn agreed(attestations: &BTreeMap<PublicKey, Attested>, set: &ValidatorSet) -> Option<Attestation> {
    let mut counts: BTreeMap<&Attestation, usize> = BTreeMap::new();
    let in_force = attestations.iter().filter(|(key, _)| set.contains(key));
    for (_, attested) in in_force {
        *counts.entry(&attested.attestation).or_default() += 1;
    }
    counts
        .into_iter()
        .find(|(_, count)| *count >= set.threshold())
        .map(|(agreed, _)| agreed.clone())
}
