//! `GET /api/plugins`, `POST /api/admin/plugins`

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tabella_protocol::{Hash, rpc::PluginView};

/// A rule that is on the chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PluginAnswer {
    /// The SHA-256 of its Wasm bytes.
    pub sha256: Hash,
    /// How many they are.
    pub bytes: u64,
    /// What it says of itself.
    #[schema(value_type = Object)]
    pub manifest: Value,
}

impl From<PluginView> for PluginAnswer {
    fn from(view: PluginView) -> Self {
        Self {
            sha256: view.sha256,
            bytes: view.bytes,
            manifest: view.manifest,
        }
    }
}

/// A rule's name for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Rule)]
pub struct RuleAnswer {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The SHA-256 of its Wasm bytes.
    pub sha256: Hash,
}
