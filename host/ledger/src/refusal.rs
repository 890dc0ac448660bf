//! Refusals: a stable code and a sentence for people.

use tabella_protocol::rpc::{RefusalCode, RefusalData};

/// Why the chain does not take a transaction. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The stable code.
    pub code: RefusalCode,
    /// The sentence; for `ballot-refused`, the plugin's own.
    pub message: String,
    /// The number the plugin gave.
    pub plugin_code: Option<u32>,
    /// The contest whose ballot was refused, by its place.
    pub contest: Option<usize>,
}

impl Refusal {
    /// A refusal with a code and a sentence.
    pub fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            plugin_code: None,
            contest: None,
        }
    }

    /// The data of the JSON-RPC error that carries this refusal.
    pub fn data(&self) -> RefusalData {
        RefusalData {
            code: self.code,
            plugin_code: self.plugin_code,
            contest: self.contest,
        }
    }
}
