//! What several methods need of the chain.

use std::sync::Arc;

use serde_json::{Value, json};
use tabella_ledger::StoredBlock;

use super::{Context, certified::CertifiedBlock, error::RpcError, params::BlockRef};

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
        if let BlockRef::Hash(hash) = block {
            return Ok(ledger.block_of(&hash)?);
        }
        match self.height_of(block)? {
            Some(height) => Ok(ledger.block(height)?),
            None => Ok(None),
        }
    }

    /// The certificate of the block that a caller names, where it exists.
    pub(crate) fn find_certified(
        &self,
        block: BlockRef,
    ) -> Result<Option<Arc<CertifiedBlock>>, RpcError> {
        match self.height_of(block)? {
            Some(height) => {
                let (certified, ledger) = (&self.bounded.certified, &self.validator.ledger);
                let found = certified.block(ledger, height)?;
                if let (BlockRef::Hash(hash), Some(found)) = (block, &found)
                    && found.certificate.block_hash != hash
                {
                    // It says what is damaged.
                    ledger.block_of(&hash)?;
                    return Ok(None);
                }
                Ok(found)
            }
            None => Ok(None),
        }
    }

    fn height_of(&self, block: BlockRef) -> Result<Option<u64>, RpcError> {
        let ledger = &self.validator.ledger;
        Ok(match block {
            BlockRef::Height(height) => Some(height),
            BlockRef::Latest => Some(ledger.tip().height),
            BlockRef::Hash(hash) => ledger.height_of(&hash)?,
        })
    }

    /// As [`find_block`](Self::find_block), with all of its transactions as they were decided: for who
    /// gets them.
    pub(crate) fn find_whole_block(
        &self,
        block: BlockRef,
    ) -> Result<Option<StoredBlock>, RpcError> {
        let found = self.find_block(block)?;
        if let Some(stored) = &found {
            self.validator.ledger.whole(stored)?;
        }
        Ok(found)
    }
}
