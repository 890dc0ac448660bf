//! Receipts: proofs for one ballot, from what is stored.

use redb::ReadableDatabase;
use tabella_protocol::{BoardHead, Hash, Payload, Receipt, Transaction, merkle};

use crate::{
    Damage, Ledger, LedgerError,
    board_log::{TILES, TileReader},
    read::decode,
    store::{BOARD, BOARD_HEADS, VOTERS},
};

impl Ledger {
    /// The receipt of the ballot that a committed transaction cast; nothing for any other id.
    pub fn receipt(&self, transaction_id: &Hash) -> Result<Option<Receipt>, LedgerError> {
        self.noted(self.prove(transaction_id))
    }

    fn prove(&self, transaction_id: &Hash) -> Result<Option<Receipt>, LedgerError> {
        let Some((stored, index)) = self.block_with(transaction_id)? else {
            return Ok(None);
        };
        let height = stored.block.header.height;
        let at = format!("height {height}");
        let damaged = |table, what: &str| LedgerError::from(Damage::new(table, &at, what));
        let bytes = stored.block.transactions.get(index as usize);
        let transaction = bytes.and_then(|bytes| Transaction::from_bytes(bytes).ok());
        let transaction =
            transaction.ok_or_else(|| damaged("blocks", "a transaction does not decode"))?;
        let Payload::CastBallot {
            election_id, voter, ..
        } = transaction.body.payload
        else {
            return Ok(None);
        };
        let reads = self.database.begin_read()?;
        let heads = reads
            .open_table(BOARD_HEADS)?
            .get(height)?
            .ok_or_else(|| damaged("board-heads", "they are missing"))
            .and_then(|bytes| Ok(decode::<Vec<BoardHead>>("board-heads", &at, bytes.value())?))?;
        let leaves: Vec<Hash> = heads.iter().map(BoardHead::leaf).collect();
        if merkle::root(&leaves) != stored.block.header.boards_root {
            let what = "they are not those that the header commits to";
            return Err(damaged("board-heads", what));
        }
        let board_index = heads
            .iter()
            .position(|head| head.election_id == election_id)
            .ok_or_else(|| damaged("board-heads", "the ballot's board is not among them"))?;
        let board = heads[board_index];
        let position = self.position(&reads, (election_id, voter.0), board.size, height, index)?;
        let (_, records) = self
            .board(election_id, position, 1)?
            .ok_or_else(|| damaged("elections", "the ballot's election is missing"))?;
        let record = records
            .into_iter()
            .next()
            .ok_or_else(|| damaged("board", "the ballot's position is missing"))?;
        let tiles = reads.open_table(TILES)?;
        let reader = TileReader {
            tiles: &tiles,
            log: election_id,
        };
        let board_path = merkle::inclusion_proof(&reader, position, board.size)?;
        let (leaf, root) = (record.entry.leaf(), board.root);
        if !merkle::verify_inclusion(&leaf, position, board.size, &board_path, &root) {
            let what = format!("the tree of election {election_id} does not lead to its root");
            return Err(damaged("tiles", &what));
        }
        let Ok(boards_path) =
            merkle::inclusion_proof(leaves.as_slice(), board_index as u64, leaves.len() as u64);
        let mut validator_sets = self.validator_sets()?;
        validator_sets.retain(|proof| proof.header.height <= height);
        Ok(Some(Receipt {
            version: Receipt::version(validator_sets.len()),
            genesis: self.genesis_hash,
            entry: record.entry,
            board_path,
            board,
            board_index: board_index as u64,
            board_count: heads.len() as u64,
            boards_path,
            header: stored.block.header,
            certificate: stored.certificate,
            acks: self.acks(height)?,
            validator_sets,
        }))
    }

    /// The board position of the ballot at a place: the voter's counting one, or, where that was
    /// cast again since, found among the positions that the block appended.
    fn position(
        &self,
        reads: &redb::ReadTransaction,
        voter: (u64, [u8; 32]),
        size: u64,
        height: u64,
        index: u32,
    ) -> Result<u64, LedgerError> {
        let board = reads.open_table(BOARD)?;
        let counting = reads
            .open_table(VOTERS)?
            .get(voter)?
            .map(|position| position.value());
        if let Some(position) = counting
            && let Some(place) = board.get((voter.0, position))?.map(|place| place.value())
            && (place.0, place.1) == (height, index)
        {
            return Ok(position);
        }
        for item in board.range((voter.0, 0)..(voter.0, size))?.rev() {
            let (key, place) = item?;
            let (at, place_index, _) = place.value();
            if (at, place_index) == (height, index) {
                return Ok(key.value().1);
            }
            if at < height {
                break;
            }
        }
        let at = format!("election {}", voter.0);
        let what = format!("no position has the ballot at place {index} of block {height}");
        Err(Damage::new("board", at, what).into())
    }
}
