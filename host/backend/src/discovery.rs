//! Asking bootnodes for validators that the configuration does not list.

use std::time::Duration;

use tabella_client::ValidatorEndpoint;
use tabella_protocol::{Genesis, PeerRecord};

use crate::clock;

/// How long one bootnode may take: a backend must start without it.
const DEADLINE: Duration = Duration::from_secs(2);
/// Largest list of peers read, in bytes.
const LIST_BYTES_MAX: usize = 1 << 20;

/// The configured validators, and those of genesis that a bootnode knows besides.
pub(crate) async fn complete(
    genesis: &Genesis,
    mut validators: Vec<ValidatorEndpoint>,
    bootnodes: &[String],
) -> Vec<ValidatorEndpoint> {
    for bootnode in bootnodes {
        let missing = |validators: &[ValidatorEndpoint], node_id: &str| {
            validators.iter().all(|known| known.node_id != node_id)
        };
        if genesis
            .validators
            .iter()
            .all(|v| !missing(&validators, &v.node_id))
        {
            break;
        }
        let records = match ask(bootnode).await {
            Ok(records) => records,
            Err(error) => {
                tracing::warn!(%bootnode, %error, "the bootnode gave no list of validators");
                continue;
            }
        };
        for record in records {
            // The bootnode is not trusted: each record is signed by its validator.
            if let Err(error) = record.check(genesis, clock::now_ms()) {
                tracing::warn!(%bootnode, %error, "a record of the bootnode does not hold");
                continue;
            }
            if missing(&validators, &record.node_id) {
                validators.push(ValidatorEndpoint {
                    node_id: record.node_id,
                    rpc_url: record.rpc_url,
                    p2p_url: format!("http://{}", record.p2p_address),
                });
            }
        }
    }
    validators
}

async fn ask(bootnode: &str) -> Result<Vec<PeerRecord>, String> {
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(DEADLINE)
        .build()
        .map_err(|error| error.to_string())?;
    let url = format!("{}/peers", bootnode.trim_end_matches('/'));
    let response = http.get(url).send().await;
    let mut response = response
        .and_then(reqwest::Response::error_for_status)
        .map_err(|error| error.to_string())?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| error.to_string())? {
        if body.len() + chunk.len() > LIST_BYTES_MAX {
            return Err(format!("expected at most {LIST_BYTES_MAX} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|error| error.to_string())
}
