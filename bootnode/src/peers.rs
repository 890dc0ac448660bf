//! The known peer records: at most one for each validator of genesis.

use std::collections::BTreeMap;

use tabella_protocol::{Genesis, PeerRecord, PeerRecordError, PublicKey};

/// What became of a record that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// The first record of this validator.
    New,
    /// Newer than the one before, which it replaces.
    Replaced,
    /// The very record that is known already.
    Known,
}

/// The records by validator key. Only validators of genesis get in, which bounds the map.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    records: BTreeMap<PublicKey, PeerRecord>,
}

impl Peers {
    /// Checks `record` and keeps it if it is newer than the known one.
    pub(crate) fn store(
        &mut self,
        record: PeerRecord,
        genesis: &Genesis,
        now_ms: u64,
    ) -> Result<Stored, PeerRecordError> {
        record.check(genesis, now_ms)?;
        let stored = match self.records.get(&record.public_key) {
            None => Stored::New,
            Some(known) if *known == record => return Ok(Stored::Known),
            Some(known) if known.sequence >= record.sequence => {
                return Err(PeerRecordError::Stale {
                    known: known.sequence,
                    got: record.sequence,
                });
            }
            Some(_) => Stored::Replaced,
        };
        self.records.insert(record.public_key, record);
        Ok(stored)
    }

    /// The records in date, in order of node id.
    pub(crate) fn list(&self, now_ms: u64) -> Vec<PeerRecord> {
        let mut records: Vec<_> = self
            .records
            .values()
            .filter(|record| record.expires_at_ms > now_ms)
            .cloned()
            .collect();
        records.sort_by(|a, b| a.node_id.cmp(&b.node_id));
        records
    }
}
