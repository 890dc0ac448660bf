//! Post-commit acks: collected between commits, stored with the next block.
//!
//! An ack that a crash loses is no loss to a ballot: it strengthens a receipt, it does not make it.

use std::sync::PoisonError;

use redb::{ReadableDatabase, WriteTransaction};
use tabella_protocol::{Ack, codec};

use crate::{
    Ledger, LedgerError,
    read::decode,
    store::{ACKS, begin_write},
};

/// Most heights for which acks wait to be stored; older ones are on disk or are not coming.
const PENDING_HEIGHTS_MAX: usize = 4_096;

impl Ledger {
    /// Takes an ack of a block that stands on this chain. Its signature is taken as verified.
    ///
    /// Returns whether it is new.
    pub fn add_ack(&self, ack: Ack) -> Result<bool, LedgerError> {
        if self
            .acks(ack.height)?
            .iter()
            .any(|known| known.validator == ack.validator)
        {
            return Ok(false);
        }
        let mut pending = self.acks.lock().unwrap_or_else(PoisonError::into_inner);
        let acks = pending.entry(ack.height).or_default();
        if acks.iter().any(|known| known.validator == ack.validator) {
            return Ok(false);
        }
        acks.push(ack);
        while pending.len() > PENDING_HEIGHTS_MAX {
            pending.pop_first();
        }
        Ok(true)
    }

    /// The acks of a height, in ascending order of validator key.
    pub fn acks(&self, height: u64) -> Result<Vec<Ack>, LedgerError> {
        let table = self.database.begin_read()?.open_table(ACKS)?;
        let mut acks = Vec::new();
        for item in table.range((height, [0; 32])..=(height, [255; 32]))? {
            let (_, bytes) = item?;
            let ack = decode("acks", format_args!("height {height}"), bytes.value());
            acks.push(self.noted(ack.map_err(LedgerError::from))?);
        }
        let pending = self.acks.lock().unwrap_or_else(PoisonError::into_inner);
        acks.extend(pending.get(&height).into_iter().flatten().cloned());
        drop(pending);
        acks.sort_by_key(|ack| ack.validator);
        acks.dedup_by_key(|ack| ack.validator);
        Ok(acks)
    }

    pub(crate) fn take_pending_acks(&self) -> Vec<Ack> {
        let mut pending = self.acks.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *pending)
            .into_values()
            .flatten()
            .collect()
    }

    /// Stores what [`add_ack`](Self::add_ack) collected since the last commit, as on shutdown.
    pub fn flush_acks(&self) -> Result<(), LedgerError> {
        let transaction = begin_write(&self.database)?;
        store_acks(&transaction, &self.take_pending_acks())?;
        transaction.commit()?;
        Ok(())
    }
}

pub(crate) fn store_acks(transaction: &WriteTransaction, acks: &[Ack]) -> Result<(), LedgerError> {
    if acks.is_empty() {
        return Ok(());
    }
    let mut table = transaction.open_table(ACKS)?;
    for ack in acks {
        table.insert((ack.height, ack.validator.0), codec::encode(ack).as_slice())?;
    }
    Ok(())
}
