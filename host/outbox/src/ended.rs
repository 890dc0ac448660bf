//! How a submission ended, as the database says.

use std::sync::Arc;

use tabella_client::{Client, ValidatorEndpoint};

use crate::{
    pending::Settled,
    store::{State, Submission},
};

/// How a submission ended; nothing while it is open.
pub(crate) fn settled(client: &Client, submission: Submission) -> Option<Settled> {
    match submission.state {
        State::Open => None,
        State::Confirmed {
            height,
            block_hash,
            validator,
            ..
        } => Some(Settled::Confirmed {
            transaction_id: submission.transaction_id,
            height,
            block_hash,
            validator: validator.and_then(|node_id| self::validator(client, &node_id)),
        }),
        State::Rejected { code, reason, .. } => Some(Settled::Rejected { code, reason }),
    }
}

/// A validator's addresses by its name.
pub(crate) fn validator(client: &Client, node_id: &str) -> Option<Arc<ValidatorEndpoint>> {
    let report = client.health();
    report
        .validators
        .into_iter()
        .find(|v| v.endpoint.node_id == node_id)
        .map(|v| Arc::new(v.endpoint))
}
