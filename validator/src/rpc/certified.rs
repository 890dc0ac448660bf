//! What is asked of blocks most often, without reading them again: a block never changes.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use tabella_ledger::{Ledger, LedgerError, StoredBlock};
use tabella_protocol::{CommitCertificate, Hash};

/// Blocks of which this is remembered.
const BLOCKS_MAX: usize = 1_024;

/// What is remembered of one block.
pub(crate) struct CertifiedBlock {
    pub(crate) certificate: CommitCertificate,
    pub(crate) transactions: usize,
}

/// The blocks that were asked for last.
#[derive(Default)]
pub(crate) struct Certified(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    blocks: HashMap<u64, Arc<CertifiedBlock>>,
    /// The heights of `blocks`, in the order in which they came.
    order: VecDeque<u64>,
}

impl Certified {
    /// The block at a height, read whole only the first time.
    pub(crate) fn block(
        &self,
        ledger: &Ledger,
        height: u64,
    ) -> Result<Option<Arc<CertifiedBlock>>, LedgerError> {
        if let Some(known) = self.known(height) {
            return Ok(Some(known));
        }
        Ok(ledger.block(height)?.map(|stored| self.remember(&stored)))
    }

    /// The block that holds a transaction, its height, and the transaction's place in it.
    pub(crate) fn holding(
        &self,
        ledger: &Ledger,
        id: &Hash,
    ) -> Result<Option<(Arc<CertifiedBlock>, u64, u32)>, LedgerError> {
        let Some((height, index)) = ledger.place_of(id)? else {
            return Ok(None);
        };
        if let Some(known) = self.known(height)
            && (index as usize) < known.transactions
        {
            return Ok(Some((known, height, index)));
        }
        let found = ledger.block_with(id)?;
        Ok(found.map(|(stored, index)| (self.remember(&stored), height, index)))
    }

    fn known(&self, height: u64) -> Option<Arc<CertifiedBlock>> {
        let remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.blocks.get(&height).cloned()
    }

    fn remember(&self, stored: &StoredBlock) -> Arc<CertifiedBlock> {
        let height = stored.block.header.height;
        let block = Arc::new(CertifiedBlock {
            certificate: stored.certificate.clone(),
            transactions: stored.block.transactions.len(),
        });
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered
            .blocks
            .insert(height, Arc::clone(&block))
            .is_none()
        {
            remembered.order.push_back(height);
        }
        if remembered.order.len() > BLOCKS_MAX
            && let Some(oldest) = remembered.order.pop_front()
        {
            remembered.blocks.remove(&oldest);
        }
        block
    }
}

#[cfg(test)]
mod tests {
    use tabella_protocol::Revote;

    use super::*;
    use crate::testing::Fixture;

    #[test]
    fn a_block_is_the_same_the_second_time_and_what_is_not_there_is_not_remembered() {
        let fixture = Fixture::new(Revote::Refuse);
        let certified = Certified::default();
        let block = |height| certified.block(&fixture.ledger, height).unwrap();
        let (first, again) = (block(1).unwrap(), block(1).unwrap());
        assert!(Arc::ptr_eq(&first, &again));
        let stored = fixture.ledger.block(1).unwrap().unwrap();
        assert_eq!(first.certificate, stored.certificate);
        assert_eq!(first.transactions, stored.block.transactions.len());
        assert!(block(1_000).is_none());
        assert_eq!(certified.0.lock().unwrap().blocks.len(), 1);
    }

    #[test]
    fn memory_is_bounded() {
        let fixture = Fixture::new(Revote::Refuse);
        let certified = Certified::default();
        let mut stored = fixture.ledger.block(1).unwrap().unwrap();
        for height in 1..=2 * BLOCKS_MAX as u64 {
            stored.block.header.height = height;
            certified.remember(&stored);
            certified.remember(&stored);
        }
        let remembered = certified.0.lock().unwrap();
        assert_eq!(remembered.blocks.len(), BLOCKS_MAX);
        assert_eq!(remembered.order.len(), BLOCKS_MAX);
    }
}
