//! `change-validators`: who the validators are from a later height on.

use std::sync::Arc;

use tabella_protocol::{ValidatorChange, rpc::RefusalCode};

use super::Draft;
use crate::Refusal;

impl Draft<'_> {
    pub(super) fn change_validators(&mut self, changes: &[ValidatorChange]) -> Result<(), Refusal> {
        Arc::make_mut(&mut self.state)
            .validators
            .decide(self.height, changes)
            .map_err(|error| Refusal::new(RefusalCode::InvalidValidatorChange, error.to_string()))
    }
}
