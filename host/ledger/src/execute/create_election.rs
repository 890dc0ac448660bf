//! `create-election`: give an election the next id.

use std::{collections::BTreeMap, sync::Arc};

use tabella_protocol::{ElectionSpec, merkle::Frontier, rpc::RefusalCode};

use super::Draft;
use crate::{
    Refusal, Vetted,
    state::{Election, ElectionRecord, Phase},
    vet::Prepared,
};

impl Draft<'_> {
    pub(super) fn create_election(
        &mut self,
        spec: &ElectionSpec,
        vetted: &Vetted,
    ) -> Result<(), Refusal> {
        let Prepared::Contests(contests) = &vetted.prepared else {
            return Err(Refusal::new(
                RefusalCode::InvalidElection,
                "the election was not vetted",
            ));
        };
        let next = self.state.next_election_id();
        let election_id = self.created.last_key_value().map_or(next, |(id, _)| id + 1);
        let record = ElectionRecord {
            election_id,
            transaction_id: vetted.id,
            spec: spec.clone(),
            phase: Phase::Upcoming,
            board: Frontier::default(),
            roll: Frontier::default(),
            turnout: 0,
            attestations: BTreeMap::new(),
            result: None,
            result_height: None,
        };
        self.created
            .insert(election_id, Election::new(record, Arc::clone(contests)));
        Ok(())
    }
}
