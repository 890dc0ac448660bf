//! Asks validators that are not connected what they found out.
//!
//! A validator that met a second history stops signing and leaves consensus, but goes on answering
//! reads. Who was cut off meanwhile would never hear of it there, and under `majority` could go on with
//! the liar.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::json;
use tabella_protocol::{Evidence, rpc::EvidenceView};

use crate::{application::Validator, discovery::Discovery, http};

const PERIOD: Duration = Duration::from_secs(1);
/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 8 << 20;

#[derive(Deserialize)]
struct Answer {
    result: Vec<EvidenceView>,
}

/// Asks now and then, until the node stops.
pub(crate) async fn run(validator: Arc<Validator>, discovery: Arc<Discovery>) {
    let mut period = tokio::time::interval(PERIOD);
    loop {
        period.tick().await;
        let Some(consensus) = validator.consensus.get() else {
            continue;
        };
        let connected = consensus.connected_peers();
        for record in discovery.records() {
            if connected.contains(&record.public_key) {
                continue;
            }
            match evidence_at(&discovery, &record.rpc_url).await {
                Ok(found) => validator.take_evidence(found).await,
                Err(error) => {
                    tracing::trace!(node_id = %record.node_id, %error, "a validator does not answer");
                }
            }
        }
    }
}

async fn evidence_at(discovery: &Discovery, rpc_url: &str) -> Result<Vec<Evidence>, http::Error> {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tabella_getEvidence", "params": []});
    let answer = discovery.http().post(rpc_url).json(&call).send().await?;
    let answer: Answer = http::read_json(answer, ANSWER_BYTES_MAX).await?;
    let found = answer.result.into_iter();
    Ok(found.map(|view| view.file.evidence).collect())
}
