//! Reading the chain: blocks, transactions, elections, boards.

use std::sync::Arc;

use redb::{ReadTransaction, ReadableDatabase, ReadableTable};
use tabella_protocol::{
    Block, BoardEntry, BoardHead, CommitCertificate, Hash, Header, Payload, Transaction,
    ValidatorSetProof, VoterId, codec, merkle,
};
use tabella_runtime::Plugin;

use crate::{
    Election, Ledger, LedgerError,
    board_log::{TILES, TileReader},
    store::{
        BLOCKS, BOARD, CERTIFICATES, HEIGHTS, PLUGINS, RECORD_BYTES_MAX, ROLL, SEQUENCES,
        TRANSACTIONS, VALIDATOR_SETS, VOTERS,
    },
};

/// A committed block with its certificate.
#[derive(Debug, Clone)]
pub struct StoredBlock {
    /// The block's hash.
    pub hash: Hash,
    /// The block.
    pub block: Block,
    /// The canonical bytes of the block.
    pub bytes: Vec<u8>,
    /// Its certificate.
    pub certificate: CommitCertificate,
}

/// A ballot on a board.
#[derive(Debug, Clone)]
pub struct BallotRecord {
    /// The board's entry.
    pub entry: BoardEntry,
    /// The block that carried it.
    pub height: u64,
    /// The ballot's canonical bytes, one per contest.
    pub ballots: Vec<Vec<u8>>,
}

impl Ledger {
    /// The election with this id.
    pub fn election(&self, id: u64) -> Option<Arc<Election>> {
        self.state().elections.get(&id).cloned()
    }

    /// All elections, by id.
    pub fn elections(&self) -> Vec<Arc<Election>> {
        self.state().elections.values().cloned().collect()
    }

    /// The published plugins, by hash.
    pub fn plugins(&self) -> Vec<(Hash, Plugin)> {
        self.state()
            .plugins
            .iter()
            .map(|(hash, plugin)| (*hash, plugin.clone()))
            .collect()
    }

    /// A published plugin and its Wasm bytes.
    pub fn plugin(&self, hash: &Hash) -> Result<Option<(Plugin, Vec<u8>)>, LedgerError> {
        let Some(plugin) = self.state().plugins.get(hash).cloned() else {
            return Ok(None);
        };
        let table = self.database.begin_read()?.open_table(PLUGINS)?;
        let wasm = table.get(hash.0)?.map(|bytes| bytes.value().to_vec());
        Ok(wasm.map(|wasm| (plugin, wasm)))
    }

    /// The block at a height.
    pub fn block(&self, height: u64) -> Result<Option<StoredBlock>, LedgerError> {
        let reads = self.database.begin_read()?;
        let Some(bytes) = reads
            .open_table(BLOCKS)?
            .get(height)?
            .map(|b| b.value().to_vec())
        else {
            return Ok(None);
        };
        let block: Block = decode("block", &bytes)?;
        let certificate = reads
            .open_table(CERTIFICATES)?
            .get(height)?
            .ok_or_else(|| LedgerError::Corrupt(format!("no certificate at height {height}")))?;
        let certificate: CommitCertificate = decode("certificate", certificate.value())?;
        Ok(Some(StoredBlock {
            hash: certificate.block_hash,
            block,
            bytes,
            certificate,
        }))
    }

    /// The height of the block with this hash.
    pub fn height_of(&self, hash: &Hash) -> Result<Option<u64>, LedgerError> {
        let table = self.database.begin_read()?.open_table(HEIGHTS)?;
        Ok(table.get(hash.0)?.map(|height| height.value()))
    }

    /// Where a transaction stands: height and place in the block.
    pub fn place_of(&self, id: &Hash) -> Result<Option<(u64, u32)>, LedgerError> {
        let table = self.database.begin_read()?.open_table(TRANSACTIONS)?;
        Ok(table.get(id.0)?.map(|place| place.value()))
    }

    /// The lowest height whose block is held.
    pub fn lowest_height(&self) -> Result<u64, LedgerError> {
        let table = self.database.begin_read()?.open_table(BLOCKS)?;
        Ok(table.first()?.map_or(1, |(height, _)| height.value()))
    }

    /// Ballots of an election from a position on, at most `count_max`, and the head they belong to.
    pub fn board(
        &self,
        election_id: u64,
        from: u64,
        count_max: usize,
    ) -> Result<Option<(BoardHead, Vec<BallotRecord>)>, LedgerError> {
        let Some(election) = self.election(election_id) else {
            return Ok(None);
        };
        let head = election.board();
        let reads = self.database.begin_read()?;
        let ballots = BoardIter::new(&reads, election_id, from, head.size)?;
        let records = ballots.take(count_max).collect::<Result<_, _>>()?;
        Ok(Some((head, records)))
    }

    /// The ballot of a voter that counts, if it cast one.
    pub fn ballot_of(
        &self,
        election_id: u64,
        voter: &VoterId,
    ) -> Result<Option<BallotRecord>, LedgerError> {
        let reads = self.database.begin_read()?;
        let position = reads
            .open_table(VOTERS)?
            .get((election_id, voter.0))?
            .map(|position| position.value());
        match position {
            Some(position) => BoardIter::new(&reads, election_id, position, position + 1)?
                .next()
                .transpose(),
            None => Ok(None),
        }
    }

    /// The sequence of a voter's counting ballot; nothing where it has none.
    pub fn sequence_of(
        &self,
        election_id: u64,
        voter: &VoterId,
    ) -> Result<Option<u64>, LedgerError> {
        let table = self.database.begin_read()?.open_table(SEQUENCES)?;
        let sequence = table.get((election_id, voter.0))?;
        Ok(sequence.map(|sequence| sequence.value()))
    }

    /// What a voter's ballot weighs by the election's roll; nothing where it is not on the roll.
    pub fn weight_of(&self, election_id: u64, voter: &VoterId) -> Result<Option<u32>, LedgerError> {
        let table = self.database.begin_read()?.open_table(ROLL)?;
        let weight = table.get((election_id, voter.0))?;
        Ok(weight.map(|weight| weight.value()))
    }

    /// RFC 6962 consistency proof between two sizes of a board.
    pub fn board_consistency(
        &self,
        election_id: u64,
        old_size: u64,
        new_size: u64,
    ) -> Result<Option<Vec<Hash>>, LedgerError> {
        let size = self
            .election(election_id)
            .map_or(0, |election| election.board().size);
        if old_size == 0 || old_size > new_size || new_size > size {
            return Ok(None);
        }
        let tiles = self.database.begin_read()?.open_table(TILES)?;
        let reader = TileReader {
            tiles: &tiles,
            log: election_id,
        };
        Ok(Some(merkle::consistency_proof(
            &reader, old_size, new_size,
        )?))
    }

    /// Proofs of every change of the validators since genesis, in order.
    pub fn validator_sets(&self) -> Result<Vec<ValidatorSetProof>, LedgerError> {
        let table = self.database.begin_read()?.open_table(VALIDATOR_SETS)?;
        let mut proofs = Vec::new();
        for item in table.iter()? {
            let (_, bytes) = item?;
            proofs.push(decode("validator set", bytes.value())?);
        }
        Ok(proofs)
    }

    /// The header at a height.
    pub fn header(&self, height: u64) -> Result<Option<Header>, LedgerError> {
        Ok(self.block(height)?.map(|stored| stored.block.header))
    }
}

pub(crate) fn decode<T: borsh::BorshDeserialize>(
    what: &str,
    bytes: &[u8],
) -> Result<T, LedgerError> {
    codec::decode(bytes, RECORD_BYTES_MAX)
        .map_err(|error| LedgerError::Corrupt(format!("{what}: {error}")))
}

/// The ballots of a board in order. Holds one decoded block at a time.
pub(crate) struct BoardIter {
    places: redb::Range<'static, (u64, u64), (u64, u32, u32)>,
    blocks: redb::ReadOnlyTable<u64, &'static [u8]>,
    election_id: u64,
    current: Option<(u64, Block)>,
}

impl BoardIter {
    pub(crate) fn new(
        reads: &ReadTransaction,
        election_id: u64,
        from: u64,
        to: u64,
    ) -> Result<Self, LedgerError> {
        let places = reads
            .open_table(BOARD)?
            .range((election_id, from)..(election_id, to.max(from)))?;
        Ok(Self {
            places,
            blocks: reads.open_table(BLOCKS)?,
            election_id,
            current: None,
        })
    }

    fn record(
        &mut self,
        position: u64,
        (height, index, weight): (u64, u32, u32),
    ) -> Result<BallotRecord, LedgerError> {
        let corrupt = |what: &str| {
            LedgerError::Corrupt(format!(
                "board {} position {position}: {what}",
                self.election_id
            ))
        };
        if self
            .current
            .as_ref()
            .is_none_or(|(held, _)| *held != height)
        {
            let bytes = self
                .blocks
                .get(height)?
                .ok_or_else(|| corrupt("its block is missing"))?;
            self.current = Some((height, decode("block", bytes.value())?));
        }
        let bytes = self
            .current
            .as_ref()
            .and_then(|(_, block)| block.transactions.get(index as usize))
            .ok_or_else(|| corrupt("its transaction is missing"))?;
        let transaction = Transaction::from_bytes(bytes)
            .map_err(|_| corrupt("its transaction does not decode"))?;
        let Payload::CastBallot {
            election_id,
            voter,
            ballots,
        } = transaction.body.payload
        else {
            return Err(corrupt("its transaction casts no ballot"));
        };
        let entry = BoardEntry {
            election_id,
            position,
            transaction_id: Hash::of(bytes),
            voter,
            weight,
            ballot_hash: BoardEntry::ballot_hash(&ballots),
        };
        Ok(BallotRecord {
            entry,
            height,
            ballots,
        })
    }
}

impl Iterator for BoardIter {
    type Item = Result<BallotRecord, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (position, place) = match self.places.next()? {
            Ok((key, value)) => (key.value().1, value.value()),
            Err(error) => return Some(Err(error.into())),
        };
        Some(self.record(position, place))
    }
}
