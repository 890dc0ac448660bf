//! Where a validator is reached.

use serde::{Deserialize, Serialize};

/// A validator's name and addresses. Its key is the one that genesis gives to the name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorEndpoint {
    /// The name in genesis, such as `validator-1`.
    pub node_id: String,
    /// JSON-RPC address, such as `http://localhost:8001`.
    pub rpc_url: String,
    /// Consensus address, shown in the health answer and never called, such as
    /// `http://localhost:30303`.
    pub p2p_url: String,
}

impl ValidatorEndpoint {
    /// The three validators of a default network on this machine.
    pub fn defaults() -> Vec<Self> {
        (1..=3)
            .map(|n| Self {
                node_id: format!("validator-{n}"),
                rpc_url: format!("http://localhost:{}", 8000 + n),
                p2p_url: format!("http://localhost:{}", 30302 + n),
            })
            .collect()
    }
}
