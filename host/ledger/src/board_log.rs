//! Merkle logs on disk, as tiles of 256 hashes.
//!
//! A tile of level 0 holds leaf hashes; an entry of level `n + 1` is the root of a full tile of
//! level `n`. A block rewrites at most one partial tile a level, whatever it appends, and a proof
//! reads a few tiles. (The layout is that of c2sp.org/tlog-tiles.)

use redb::{ReadableTable, Table, TableDefinition};
use tabella_protocol::{
    Hash,
    merkle::{self, Subtrees},
};

use crate::{Damage, LedgerError};

/// `(log, tile level, tile index) -> up to 256 concatenated hashes`.
pub(crate) const TILES: TableDefinition<'_, (u64, u8, u64), &[u8]> = TableDefinition::new("tiles");

pub(crate) const TILE_BITS: u8 = 8;
const TILE_WIDTH: usize = 1 << TILE_BITS;
const HASH_BYTES: usize = 32;

/// Appends leaf hashes to `log`, which held `size` leaves before.
pub(crate) fn append(
    tiles: &mut Table<'_, (u64, u8, u64), &'static [u8]>,
    log: u64,
    size: u64,
    leaves: &[Hash],
) -> Result<(), LedgerError> {
    let (mut level, mut size, mut entries) = (0u8, size, leaves.to_vec());
    while !entries.is_empty() {
        let mut index = size >> TILE_BITS;
        let stored = tiles
            .get((log, level, index))?
            .map(|tile| tile.value().to_vec());
        let mut tile = stored.unwrap_or_default();
        let mut roots = Vec::new();
        for entry in &entries {
            tile.extend_from_slice(&entry.0);
            if tile.len() == TILE_WIDTH * HASH_BYTES {
                tiles.insert((log, level, index), tile.as_slice())?;
                roots.push(merkle::root(&hashes(&tile)));
                tile.clear();
                index += 1;
            }
        }
        if !tile.is_empty() {
            tiles.insert((log, level, index), tile.as_slice())?;
        }
        // One entry of the next level for each full tile of this one.
        size >>= TILE_BITS;
        level += 1;
        entries = roots;
    }
    Ok(())
}

fn hashes(tile: &[u8]) -> Vec<Hash> {
    let chunks = tile.as_chunks::<HASH_BYTES>().0;
    chunks.iter().map(|bytes| Hash(*bytes)).collect()
}

/// The leaf hash at a position of a log, where the log has it.
pub(crate) fn leaf(
    tiles: &impl ReadableTable<(u64, u8, u64), &'static [u8]>,
    log: u64,
    position: u64,
) -> Result<Option<Hash>, LedgerError> {
    entry(tiles, log, 0, position)
}

/// The hash at an index of a level of tiles, where the log has it.
pub(crate) fn entry(
    tiles: &impl ReadableTable<(u64, u8, u64), &'static [u8]>,
    log: u64,
    level: u8,
    index: u64,
) -> Result<Option<Hash>, LedgerError> {
    let Some(tile) = tiles.get((log, level, index >> TILE_BITS))? else {
        return Ok(None);
    };
    let hashes = tile.value().as_chunks::<HASH_BYTES>().0;
    let offset = (index as usize) % TILE_WIDTH;
    Ok(hashes.get(offset).map(|bytes| Hash(*bytes)))
}

/// The root of a tile, where it is full.
pub(crate) fn full_root(
    tiles: &impl ReadableTable<(u64, u8, u64), &'static [u8]>,
    log: u64,
    level: u8,
    index: u64,
) -> Result<Option<Hash>, LedgerError> {
    let tile = tiles.get((log, level, index))?;
    let tile = tile.filter(|tile| tile.value().len() == TILE_WIDTH * HASH_BYTES);
    Ok(tile.map(|tile| merkle::root(&hashes(tile.value()))))
}

/// Reads the subtrees of one log for proofs.
pub(crate) struct TileReader<'a, T> {
    pub(crate) tiles: &'a T,
    pub(crate) log: u64,
}

impl<T: ReadableTable<(u64, u8, u64), &'static [u8]>> Subtrees for TileReader<'_, T> {
    type Error = LedgerError;

    fn subtree(&self, level: u8, index: u64) -> Result<Hash, LedgerError> {
        let (tile_level, within) = (level / TILE_BITS, level % TILE_BITS);
        let first = index << within;
        let (tile_index, offset) = (first >> TILE_BITS, (first as usize) % TILE_WIDTH);
        let missing = || {
            let at = format!("election {}, tile {tile_level}/{tile_index}", self.log);
            LedgerError::from(Damage::new("tiles", at, "it is missing or too short"))
        };
        let tile = self
            .tiles
            .get((self.log, tile_level, tile_index))?
            .ok_or_else(missing)?;
        let hashes = hashes(tile.value());
        let subtree = hashes
            .get(offset..offset + (1 << within))
            .ok_or_else(missing)?;
        Ok(merkle::root(subtree))
    }
}
