//! Receipts: proofs for one ballot, from what is stored.

use redb::ReadableDatabase;
use tabella_protocol::{BoardHead, Hash, Payload, Receipt, merkle};

use crate::{
    Ledger, LedgerError,
    board_log::{TILES, TileReader},
    read::decode,
    store::{BOARD, BOARD_HEADS, VOTERS},
};

impl Ledger {
    /// The receipt of the ballot that a committed transaction cast; nothing for any other id.
    pub fn receipt(&self, transaction_id: &Hash) -> Result<Option<Receipt>, LedgerError> {
        let Some((height, index)) = self.place_of(transaction_id)? else {
            return Ok(None);
        };
        let corrupt = |what: &str| LedgerError::Corrupt(format!("receipt at {height}: {what}"));
        let stored = self.block(height)?.ok_or_else(|| corrupt("no block"))?;
        let bytes = stored
            .block
            .transactions
            .get(index as usize)
            .ok_or_else(|| corrupt("no transaction"))?;
        let transaction = tabella_protocol::Transaction::from_bytes(bytes)
            .map_err(|_| corrupt("undecodable transaction"))?;
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
            .ok_or_else(|| corrupt("no board heads"))
            .and_then(|bytes| decode::<Vec<BoardHead>>("board heads", bytes.value()))?;
        let board_index = heads
            .iter()
            .position(|head| head.election_id == election_id)
            .ok_or_else(|| corrupt("no head of the board"))?;
        let board = heads[board_index];
        let position = self.position(&reads, (election_id, voter.0), board.size, height, index)?;
        let (_, records) = self
            .board(election_id, position, 1)?
            .ok_or_else(|| corrupt("no board"))?;
        let record = records
            .into_iter()
            .next()
            .ok_or_else(|| corrupt("no entry"))?;
        let tiles = reads.open_table(TILES)?;
        let reader = TileReader {
            tiles: &tiles,
            log: election_id,
        };
        let leaves: Vec<Hash> = heads.iter().map(BoardHead::leaf).collect();
        let Ok(boards_path) =
            merkle::inclusion_proof(leaves.as_slice(), board_index as u64, leaves.len() as u64);
        let mut validator_sets = self.validator_sets()?;
        validator_sets.retain(|proof| proof.header.height <= height);
        Ok(Some(Receipt {
            version: Receipt::version(validator_sets.len()),
            genesis: self.genesis_hash,
            entry: record.entry,
            board_path: merkle::inclusion_proof(&reader, position, board.size)?,
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
        Err(LedgerError::Corrupt(format!(
            "no board position for {height}/{index}"
        )))
    }
}
