//! Asking bootnodes for validators that the configuration does not list.

use std::time::Duration;

use tabella_client::{Asker, ValidatorEndpoint};
use tabella_protocol::Genesis;

use crate::clock;

/// How long one bootnode may take: a backend must start without it.
const DEADLINE: Duration = Duration::from_secs(2);

/// The configured validators, and those of genesis that a bootnode knows besides.
pub(crate) async fn complete(
    genesis: &Genesis,
    mut validators: Vec<ValidatorEndpoint>,
    bootnodes: &[String],
) -> Vec<ValidatorEndpoint> {
    let asker = match Asker::new(DEADLINE) {
        Ok(asker) => asker,
        Err(error) => {
            tracing::warn!(%error, "no bootnode can be asked");
            return validators;
        }
    };
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
        let records = match asker.peers(bootnode).await {
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
