//! Asks validators what they found out: those that are not connected, again and again, and those that are,
//! once they are.
//!
//! A validator that met a second history stops signing and leaves consensus, but goes on answering
//! reads. Who was cut off meanwhile would never hear of it there, and under `majority` could go on with
//! the liar. And who is connected told what it found when it found it: who came later did not hear.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tabella_client::AskError;
use tabella_protocol::{Evidence, rpc::EvidenceView};

use crate::{application::Validator, discovery::Discovery};

const PERIOD: Duration = Duration::from_secs(1);
/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Asks now and then, until the node stops.
pub(crate) async fn run(validator: Arc<Validator>, discovery: Arc<Discovery>) {
    let mut period = tokio::time::interval(PERIOD);
    let mut heard = BTreeSet::new();
    loop {
        period.tick().await;
        let Some(consensus) = validator.consensus.get() else {
            continue;
        };
        let connected = consensus.connected_peers();
        heard.retain(|key| connected.contains(key));
        for record in discovery.records() {
            let key = record.public_key;
            if heard.contains(&key) {
                continue;
            }
            match evidence_at(&discovery, &record.rpc_url).await {
                Ok(found) => {
                    validator.take_evidence(found).await;
                    if connected.contains(&key) {
                        heard.insert(key);
                    }
                }
                Err(error) => {
                    tracing::trace!(node_id = %record.node_id, %error, "a validator does not answer");
                }
            }
        }
    }
}

async fn evidence_at(discovery: &Discovery, rpc_url: &str) -> Result<Vec<Evidence>, AskError> {
    let asked = discovery
        .asker()
        .call(rpc_url, "tabella_getEvidence", ANSWER_BYTES_MAX);
    let found: Vec<EvidenceView> = asked.await?;
    Ok(found.into_iter().map(|view| view.file.evidence).collect())
}
