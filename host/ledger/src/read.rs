//! Reading the chain: blocks, transactions, elections, boards.

use std::sync::Arc;

use borsh::BorshDeserialize;
use redb::{ReadTransaction, ReadableDatabase, ReadableTable};
use tabella_protocol::{
    Block, BoardEntry, BoardHead, CommitCertificate, Hash, Header, Payload, PublicKey, Transaction,
    ValidatorSetProof, VoterId, codec, merkle, transactions_root,
};
use tabella_runtime::Plugin;

use crate::{
    Damage, Election, Ledger, LedgerError,
    board_log::{self, TILES, TileReader},
    store::{
        BLOCKS, BOARD, BOARD_HEADS, CERTIFICATES, HEIGHTS, PLUGINS, RECORD_BYTES_MAX, ROLL,
        SEQUENCES, TRANSACTIONS, VALIDATOR_SETS, VOTERS,
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

impl StoredBlock {
    /// The ids of the transactions, where the header commits to them.
    pub(crate) fn ids(&self) -> Result<Vec<Hash>, Damage> {
        let header = &self.block.header;
        let ids: Vec<Hash> = self
            .block
            .transactions
            .iter()
            .map(|b| Hash::of(b))
            .collect();
        if usize::try_from(header.transaction_count) != Ok(ids.len())
            || header.transactions_root != transactions_root(&ids)
        {
            let what = "its transactions are not those that its header commits to";
            return Err(Damage::of_block("blocks", header.height, what));
        }
        Ok(ids)
    }
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

    /// The validators that attested another outcome than a quorum certified, each with the election.
    pub fn dissenters(&self) -> Vec<(u64, PublicKey)> {
        let state = self.state();
        let of_each = state.elections.values().flat_map(|election| {
            let certified = election.result();
            let others = election
                .attestations()
                .filter(move |(_, said, _)| certified.is_some_and(|certified| certified != *said));
            others.map(|(validator, _, _)| (election.id(), *validator))
        });
        of_each.collect()
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
        if wasm.as_ref().is_some_and(|wasm| Hash::of(wasm) != *hash) {
            let damage = Damage::new("plugins", hash, "its bytes are not those of this hash");
            return self.noted(Err(damage.into()));
        }
        Ok(wasm.map(|wasm| (plugin, wasm)))
    }

    /// The block at a height: its header is the one that a quorum certified. Its transactions are as
    /// they were stored; [`whole_block`](Self::whole_block) compares them, too.
    pub fn block(&self, height: u64) -> Result<Option<StoredBlock>, LedgerError> {
        if let Some(known) = self.damages.of_block(height) {
            return Err(known.into());
        }
        self.noted(read_block(&self.database.begin_read()?, height))
    }

    /// The elections whose boards the block at a height appended to, by what is stored beside it: for whoever cannot
    /// read the block itself.
    pub fn boards_of_block(&self, height: u64) -> Result<Vec<u64>, LedgerError> {
        let reads = self.database.begin_read()?;
        let stored = reads.open_table(BOARD_HEADS)?.get(height)?;
        let at = format!("height {height}");
        let heads = stored.map(|bytes| decode("board-heads", at, bytes.value()));
        let heads: Vec<BoardHead> = self
            .noted(heads.transpose().map_err(LedgerError::from))?
            .unwrap_or_default();
        Ok(heads.iter().map(|head| head.election_id).collect())
    }

    /// At most `bytes_max` of the canonical bytes of the block at a height, from the byte `from` on; none
    /// behind its end. Nothing of the block is checked: [`block`](Self::block) does it.
    pub fn block_part(
        &self,
        height: u64,
        from: usize,
        bytes_max: usize,
    ) -> Result<Option<Vec<u8>>, LedgerError> {
        let reads = self.database.begin_read()?;
        let bytes = reads.open_table(BLOCKS)?.get(height)?;
        Ok(bytes.map(|bytes| {
            let left = bytes.value().get(from..).unwrap_or_default();
            left[..left.len().min(bytes_max)].to_vec()
        }))
    }

    /// The block at a height with the ids of its transactions, all of it as it was certified: for whoever
    /// hands it on.
    pub fn whole_block(
        &self,
        height: u64,
    ) -> Result<Option<(StoredBlock, Vec<Hash>)>, LedgerError> {
        let Some(stored) = self.block(height)? else {
            return Ok(None);
        };
        let ids = self.whole(&stored)?;
        Ok(Some((stored, ids)))
    }

    /// The ids of a stored block's transactions, where they are those that its header commits to.
    pub fn whole(&self, stored: &StoredBlock) -> Result<Vec<Hash>, LedgerError> {
        self.noted(stored.ids().map_err(LedgerError::from))
    }

    /// The block at a height with all of its transactions, under a certificate that holds: for a
    /// validator that catches up by it.
    pub fn certified_block(&self, height: u64) -> Result<Option<StoredBlock>, LedgerError> {
        let Some((stored, _)) = self.whole_block(height)? else {
            return Ok(None);
        };
        let history = &self.state().validators;
        let verified = history.verify_header(&stored.block.header, &stored.certificate);
        let damaged = |error| Damage::of_block("certificates", height, error).into();
        self.noted(verified.map_err(damaged))?;
        Ok(Some(stored))
    }

    /// The block with this hash.
    pub fn block_of(&self, hash: &Hash) -> Result<Option<StoredBlock>, LedgerError> {
        let Some(height) = self.height_of(hash)? else {
            return Ok(None);
        };
        match self.block(height)? {
            Some(stored) if stored.hash == *hash => Ok(Some(stored)),
            _ => {
                let what = format!("it names height {height}, whose block is another");
                self.noted(Err(Damage::new("heights", hash, what).into()))
            }
        }
    }

    /// The block that holds a transaction, and the transaction's place in it.
    pub fn block_with(&self, id: &Hash) -> Result<Option<(StoredBlock, u32)>, LedgerError> {
        let Some((height, index)) = self.place_of(id)? else {
            return Ok(None);
        };
        if let Some(stored) = self.block(height)?
            && let Some(bytes) = stored.block.transactions.get(index as usize)
            && Hash::of(bytes) == *id
        {
            return Ok(Some((stored, index)));
        }
        let what = format!("at place {index} of block {height} stands another transaction");
        self.noted(Err(Damage::new("transactions", id, what).into()))
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
        let tiles = reads.open_table(TILES)?;
        let agreeing = ballots.take(count_max).map(|record| {
            let record = record?;
            require_leaf(&tiles, &record.entry)?;
            Ok(record)
        });
        let records = self.noted(agreeing.collect::<Result<_, LedgerError>>())?;
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
        let Some(position) = position else {
            return Ok(None);
        };
        let end = position.saturating_add(1);
        let mut ballots = BoardIter::new(&reads, election_id, position, end)?;
        match self.noted(ballots.next().transpose())? {
            Some(record) if record.entry.voter == *voter => {
                self.noted(require_leaf(&reads.open_table(TILES)?, &record.entry))?;
                Ok(Some(record))
            }
            _ => {
                let what = "no ballot of this voter is at the position that it names";
                let at = format!("election {election_id}, voter {voter}");
                self.noted(Err(Damage::new("voters", at, what).into()))
            }
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
            let (height, bytes) = item?;
            let at = format_args!("height {}", height.value());
            let proof = decode("validator-sets", at, bytes.value()).map_err(LedgerError::from);
            proofs.push(self.noted(proof)?);
        }
        Ok(proofs)
    }

    /// The header at a height.
    pub fn header(&self, height: u64) -> Result<Option<Header>, LedgerError> {
        Ok(self.head(height)?.map(|(header, _)| header))
    }

    /// The header at a height and its certificate, compared with each other. The transactions are not
    /// looked at, however many there are.
    pub fn head(&self, height: u64) -> Result<Option<(Header, CommitCertificate)>, LedgerError> {
        if let Some(known) = self.damages.of_block(height) {
            return Err(known.into());
        }
        self.noted(read_head(&self.database.begin_read()?, height))
    }
}

/// Decodes a stored value of a table.
pub(crate) fn decode<T: borsh::BorshDeserialize>(
    table: &'static str,
    at: impl std::fmt::Display,
    bytes: &[u8],
) -> Result<T, Damage> {
    codec::decode(bytes, RECORD_BYTES_MAX).map_err(|error| Damage::new(table, at, error))
}

/// Reads a block's header and its certificate, and compares the one with the other.
fn read_head(
    reads: &ReadTransaction,
    height: u64,
) -> Result<Option<(Header, CommitCertificate)>, LedgerError> {
    let Some(bytes) = reads.open_table(BLOCKS)?.get(height)? else {
        return Ok(None);
    };
    let header = Header::deserialize(&mut bytes.value())
        .map_err(|error| Damage::of_block("blocks", height, error))?;
    let (_, certificate) = certificate_of(reads, height, &header)?;
    Ok(Some((header, certificate)))
}

/// The hash of a block's header and the certificate that is stored with it, which has to be of it.
fn certificate_of(
    reads: &ReadTransaction,
    height: u64,
    header: &Header,
) -> Result<(Hash, CommitCertificate), LedgerError> {
    let damaged = |table, what: &dyn std::fmt::Display| Damage::of_block(table, height, what);
    let certificate = reads
        .open_table(CERTIFICATES)?
        .get(height)?
        .ok_or_else(|| damaged("certificates", &"it is missing"))?;
    let certificate: CommitCertificate = codec::decode(certificate.value(), RECORD_BYTES_MAX)
        .map_err(|error| damaged("certificates", &error))?;
    let hash = header.hash();
    if (header.height, certificate.height, certificate.block_hash) != (height, height, hash) {
        // Which of the two changed says the third that knows the hash.
        let known = reads.open_table(HEIGHTS)?.get(hash.0)?;
        let damage = match known.is_some_and(|known| known.value() == height) {
            true => damaged("certificates", &"it is of another block"),
            false => damaged("blocks", &"its header is not the one that was certified"),
        };
        return Err(damage.into());
    }
    Ok((hash, certificate))
}

/// Reads a block and its certificate, and compares the one with the other.
pub(crate) fn read_block(
    reads: &ReadTransaction,
    height: u64,
) -> Result<Option<StoredBlock>, LedgerError> {
    let Some(bytes) = reads
        .open_table(BLOCKS)?
        .get(height)?
        .map(|bytes| bytes.value().to_vec())
    else {
        return Ok(None);
    };
    let damaged = |table, what: &dyn std::fmt::Display| Damage::of_block(table, height, what);
    let block: Block =
        codec::decode(&bytes, RECORD_BYTES_MAX).map_err(|error| damaged("blocks", &error))?;
    let (hash, certificate) = certificate_of(reads, height, &block.header)?;
    Ok(Some(StoredBlock {
        hash,
        block,
        bytes,
        certificate,
    }))
}

/// Requires that the tree of a board holds an entry, as it was read from its block, at its position.
fn require_leaf(
    tiles: &impl ReadableTable<(u64, u8, u64), &'static [u8]>,
    entry: &BoardEntry,
) -> Result<(), LedgerError> {
    let (id, position) = (entry.election_id, entry.position);
    if board_log::leaf(tiles, id, position)? == Some(entry.leaf()) {
        return Ok(());
    }
    let at = format_args!("election {id}, position {position}");
    let what = "the ballot and its leaf in the board's tree are not of each other";
    Err(Damage::new("board", at, what).into())
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
        let id = self.election_id;
        let at = format!("election {id}, position {position}");
        let damaged = |table, what: &str| LedgerError::from(Damage::new(table, &at, what));
        if self
            .current
            .as_ref()
            .is_none_or(|(held, _)| *held != height)
        {
            let bytes = self
                .blocks
                .get(height)?
                .ok_or_else(|| damaged("board", "it names a block that is not there"))?;
            let block = codec::decode(bytes.value(), RECORD_BYTES_MAX)
                .map_err(|error| Damage::of_block("blocks", height, error))?;
            self.current = Some((height, block));
        }
        let bytes = self
            .current
            .as_ref()
            .and_then(|(_, block)| block.transactions.get(index as usize))
            .ok_or_else(|| damaged("board", "it names a transaction that is not there"))?;
        let transaction = Transaction::from_bytes(bytes)
            .map_err(|_| damaged("blocks", "its transaction does not decode"))?;
        let Payload::CastBallot {
            election_id,
            voter,
            ballots,
        } = transaction.body.payload
        else {
            return Err(damaged(
                "board",
                "it names a transaction that casts no ballot",
            ));
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
