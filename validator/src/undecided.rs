//! Blocks that were proposed and not decided yet, durable before this node votes on them.

use std::path::Path;

use redb::{Builder, Database, ReadableDatabase, ReadableTable, TableDefinition};
use tabella_consensus::UndecidedBlock;
use tabella_protocol::{Hash, PublicKey};

/// `(height, round, block hash) -> proposer of that round`.
const PROPOSALS: TableDefinition<'_, (u64, u32, [u8; 32]), [u8; 32]> =
    TableDefinition::new("proposals");
/// `(height, block hash) -> canonical block bytes`.
const BODIES: TableDefinition<'_, (u64, [u8; 32]), &[u8]> = TableDefinition::new("bodies");
const CACHE_BYTES: usize = 8 << 20;

#[derive(Debug, thiserror::Error)]
#[error("store of undecided blocks: {0}")]
pub(crate) struct UndecidedError(String);

fn error(error: impl std::fmt::Display) -> UndecidedError {
    UndecidedError(error.to_string())
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// The store. Blocks of heights below the newest stored one are dropped as new ones come.
pub(crate) struct Undecided {
    database: Database,
}

impl Undecided {
    pub(crate) fn open(path: &Path) -> Result<Self, UndecidedError> {
        Self::with_database(builder().create(path).map_err(error)?)
    }

    /// Opens the store in a storage of the caller's.
    #[cfg(test)]
    pub(crate) fn open_on(storage: impl redb::StorageBackend) -> Result<Self, UndecidedError> {
        Self::with_database(builder().create_with_backend(storage).map_err(error)?)
    }

    fn with_database(database: Database) -> Result<Self, UndecidedError> {
        let transaction = database.begin_write().map_err(error)?;
        transaction.open_table(PROPOSALS).map_err(error)?;
        transaction.open_table(BODIES).map_err(error)?;
        transaction.commit().map_err(error)?;
        Ok(Self { database })
    }

    /// Stores a block under the round in which it came; durable when this returns.
    pub(crate) fn store(
        &self,
        height: u64,
        round: u32,
        proposer: PublicKey,
        hash: Hash,
        body: &[u8],
    ) -> Result<(), UndecidedError> {
        let transaction = self.database.begin_write().map_err(error)?;
        {
            let mut proposals = transaction.open_table(PROPOSALS).map_err(error)?;
            let mut bodies = transaction.open_table(BODIES).map_err(error)?;
            proposals
                .retain_in(..(height, 0, [0; 32]), |_, _| false)
                .map_err(error)?;
            bodies
                .retain_in(..(height, [0; 32]), |_, _| false)
                .map_err(error)?;
            proposals
                .insert((height, round, hash.0), proposer.0)
                .map_err(error)?;
            if bodies.get((height, hash.0)).map_err(error)?.is_none() {
                bodies.insert((height, hash.0), body).map_err(error)?;
            }
        }
        transaction.commit().map_err(error)
    }

    /// What is stored for a height and round.
    pub(crate) fn list(
        &self,
        height: u64,
        round: u32,
    ) -> Result<Vec<UndecidedBlock>, UndecidedError> {
        let reads = self.database.begin_read().map_err(error)?;
        let proposals = reads.open_table(PROPOSALS).map_err(error)?;
        let range = (height, round, [0; 32])..=(height, round, [255; 32]);
        let mut blocks = Vec::new();
        for item in proposals.range(range).map_err(error)? {
            let (key, proposer) = item.map_err(error)?;
            let (_, round, hash) = key.value();
            let proposer = PublicKey(proposer.value());
            blocks.push(UndecidedBlock {
                round,
                proposer,
                block_hash: Hash(hash),
            });
        }
        Ok(blocks)
    }

    /// The canonical bytes of a stored block.
    pub(crate) fn body(&self, height: u64, hash: &Hash) -> Result<Option<Vec<u8>>, UndecidedError> {
        let reads = self.database.begin_read().map_err(error)?;
        let bodies = reads.open_table(BODIES).map_err(error)?;
        let body = bodies.get((height, hash.0)).map_err(error)?;
        Ok(body.map(|bytes| bytes.value().to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_survive_and_those_of_past_heights_go() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("undecided.redb");
        let (proposer, hash) = (PublicKey([7; 32]), Hash::of(b"one"));
        let store = Undecided::open(&path).unwrap();
        store.store(5, 0, proposer, hash, b"one").unwrap();
        store.store(5, 2, proposer, hash, b"one").unwrap();
        drop(store);
        let store = Undecided::open(&path).unwrap();
        let block = |round| UndecidedBlock {
            round,
            proposer,
            block_hash: hash,
        };
        assert_eq!(store.list(5, 0).unwrap(), [block(0)]);
        assert_eq!(store.list(5, 1).unwrap(), []);
        assert_eq!(store.list(5, 2).unwrap(), [block(2)]);
        assert_eq!(
            store.body(5, &hash).unwrap().as_deref(),
            Some(b"one".as_slice())
        );
        store
            .store(6, 0, proposer, Hash::of(b"two"), b"two")
            .unwrap();
        assert_eq!(store.list(5, 0).unwrap(), []);
        assert_eq!(store.body(5, &hash).unwrap(), None);
    }
}
