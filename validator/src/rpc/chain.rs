//! What several methods need of the chain.

use serde_json::{Value, json};
use tabella_ledger::StoredBlock;

use super::{Context, error::RpcError, params::BlockRef};

/// What every transaction is said to use: nobody pays, but clients want a number.
pub(crate) const GAS: u64 = 21_000;

/// An Ethereum quantity: hex without leading zeros.
pub(crate) fn quantity(value: u64) -> Value {
    json!(format!("{value:#x}"))
}

/// The node's name and version, as Ethereum clients write theirs.
pub(crate) fn client_version() -> String {
    format!(
        "tabella/v{}/{}/rust",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS
    )
}

impl Context {
    pub(crate) fn chain_id(&self) -> u64 {
        self.validator.ledger.genesis().chain_id
    }

    /// The block that a caller names, where it exists.
    pub(crate) fn find_block(&self, block: BlockRef) -> Result<Option<StoredBlock>, RpcError> {
        let ledger = &self.validator.ledger;
        let height = match block {
            BlockRef::Height(height) => Some(height),
            BlockRef::Latest => Some(ledger.tip().height),
            BlockRef::Hash(hash) => ledger.height_of(&hash)?,
        };
        let Some(height) = height else {
            return Ok(None);
        };
        Ok(ledger.block(height)?)
    }
}
