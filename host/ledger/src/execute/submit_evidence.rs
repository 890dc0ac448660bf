//! `submit-evidence`: put proof of a lie on the chain, once.

use std::sync::Arc;

use tabella_protocol::{Evidence, rpc::RefusalCode};

use super::Draft;
use crate::Refusal;

impl Draft<'_> {
    pub(super) fn submit_evidence(&mut self, evidence: &Evidence) -> Result<(), Refusal> {
        let refuse = |message: String| Err(Refusal::new(RefusalCode::InvalidEvidence, message));
        // The sets of later heights are not decided yet, so nothing could be proven about them.
        if evidence.height() > self.height {
            return refuse(format!(
                "the evidence is about height {}, the next block is {}",
                evidence.height(),
                self.height
            ));
        }
        if let Err(error) = evidence.verify(&self.state.validators) {
            return refuse(error.to_string());
        }
        let subject = evidence.subject();
        if !Arc::make_mut(&mut self.state).evidence.insert(subject) {
            return refuse(format!("evidence {subject} is on the chain already"));
        }
        Ok(())
    }
}
