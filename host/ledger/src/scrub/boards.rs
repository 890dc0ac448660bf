//! The ballots of a block, where boards, trees, heads, voters and sequences have them.
//!
//! A ballot's leaf is computed of the block's bytes and of the weight in `board`, and stands a second time
//! in `tiles`. Where the two differ, the header's `boards_root` says which of them changed.

use std::collections::BTreeMap;

use redb::{ReadOnlyTable, ReadTransaction};
use tabella_protocol::{
    BoardEntry, BoardHead, Hash, Header, Revote, VoterId,
    merkle::{self, Frontier},
};

use super::Scrub;
use crate::{
    Damage, Ledger, LedgerError,
    board_log::{self, TILE_BITS, TILES},
    read::decode,
    store::{BOARD, BOARD_HEADS, ROLL, SEQUENCES, VOTERS},
};

/// A ballot of a block.
pub(super) struct Cast {
    pub(super) election_id: u64,
    /// The transaction's place in the block.
    pub(super) index: u32,
    pub(super) transaction_id: Hash,
    pub(super) voter: VoterId,
    pub(super) sequence: Option<u64>,
    pub(super) ballots: Vec<Vec<u8>>,
}

/// The tables that know ballots.
struct Tables {
    board: ReadOnlyTable<(u64, u64), (u64, u32, u32)>,
    voters: ReadOnlyTable<(u64, [u8; 32]), u64>,
    sequences: ReadOnlyTable<(u64, [u8; 32]), u64>,
    roll: ReadOnlyTable<(u64, [u8; 32]), u32>,
    tiles: ReadOnlyTable<(u64, u8, u64), &'static [u8]>,
}

impl Tables {
    fn open(reads: &ReadTransaction) -> Result<Self, LedgerError> {
        Ok(Self {
            board: reads.open_table(BOARD)?,
            voters: reads.open_table(VOTERS)?,
            sequences: reads.open_table(SEQUENCES)?,
            roll: reads.open_table(ROLL)?,
            tiles: reads.open_table(TILES)?,
        })
    }
}

/// A board as a block leaves it, by the two places that know its leaves.
struct Grown {
    by_ballots: Frontier,
    by_tiles: Frontier,
    /// Positions where they differ.
    differ: Vec<u64>,
}

impl Scrub {
    pub(super) fn boards(
        &mut self,
        ledger: &Ledger,
        reads: &ReadTransaction,
        header: &Header,
        cast: &[Cast],
    ) -> Result<(), LedgerError> {
        if cast.is_empty() {
            return Ok(());
        }
        let tables = Tables::open(reads)?;
        let mut grown = BTreeMap::new();
        for ballot in cast {
            if self.lost.contains(&ballot.election_id) {
                continue;
            }
            let before = self.boards.entry(ballot.election_id).or_default();
            let grown = grown.entry(ballot.election_id).or_insert_with(|| Grown {
                by_ballots: before.clone(),
                by_tiles: before.clone(),
                differ: Vec::new(),
            });
            let position = grown.by_ballots.size();
            let leaf = self.place(ledger, &tables, header.height, position, ballot)?;
            let stored = board_log::leaf(&tables.tiles, ballot.election_id, position)?;
            grown.by_ballots.push(leaf);
            grown.by_tiles.push(stored.unwrap_or(Hash::ZERO));
            if stored != Some(leaf) {
                grown.differ.push(position);
            }
            self.voter(ledger, &tables, position, ballot)?;
        }
        self.judge(ledger, reads, header, grown)
    }

    /// Compares where `board` has a ballot; returns the leaf that it makes of it.
    fn place(
        &mut self,
        ledger: &Ledger,
        tables: &Tables,
        height: u64,
        position: u64,
        ballot: &Cast,
    ) -> Result<Hash, LedgerError> {
        let id = ballot.election_id;
        let place = tables.board.get((id, position))?;
        let place = place.map(|place| place.value());
        let weight = match place {
            Some((at, index, weight)) if (at, index) == (height, ballot.index) => weight,
            _ => {
                let at = format!("election {id}, position {position}");
                let index = ballot.index;
                let what = format!("it does not name place {index} of block {height}");
                self.found(ledger, Damage::new("board", at, what));
                let election = ledger.election(id);
                match election.and_then(|election| election.spec().eligibility.roll()) {
                    None => 1,
                    Some(_) => tables
                        .roll
                        .get((id, ballot.voter.0))?
                        .map_or(0, |w| w.value()),
                }
            }
        };
        let entry = BoardEntry {
            election_id: id,
            position,
            transaction_id: ballot.transaction_id,
            voter: ballot.voter,
            weight,
            ballot_hash: BoardEntry::ballot_hash(&ballot.ballots),
        };
        Ok(entry.leaf())
    }

    /// Compares what is stored of a ballot's voter.
    fn voter(
        &mut self,
        ledger: &Ledger,
        tables: &Tables,
        position: u64,
        ballot: &Cast,
    ) -> Result<(), LedgerError> {
        let (id, key) = (ballot.election_id, (ballot.election_id, ballot.voter.0));
        let at = || format!("election {id}, voter {}", ballot.voter);
        let counting = tables.voters.get(key)?.map(|p| p.value());
        let revote = ledger.election(id).map(|election| election.spec().revote);
        match counting {
            Some(counting) if counting == position => {}
            // Cast again since.
            Some(counting)
                if counting > position
                    && revote == Some(Revote::Last)
                    && tables.board.get((id, counting))?.is_some() =>
            {
                return Ok(());
            }
            _ => {
                let what = format!("it does not know this voter's ballot at position {position}");
                self.found(ledger, Damage::new("voters", at(), what));
                return Ok(());
            }
        }
        if let Some(counted) = self.counting.get_mut(&id) {
            *counted += 1;
        }
        let sequence = tables.sequences.get(key)?.map(|s| s.value());
        if sequence != ballot.sequence {
            let what = "it is not the sequence of this voter's counting ballot";
            self.found(ledger, Damage::new("sequences", at(), what));
        }
        Ok(())
    }

    /// Says by the header which of two that differ is right, and continues with it.
    fn judge(
        &mut self,
        ledger: &Ledger,
        reads: &ReadTransaction,
        header: &Header,
        grown: BTreeMap<u64, Grown>,
    ) -> Result<(), LedgerError> {
        let height = header.height;
        let stored = self.heads(ledger, reads, height)?;
        // A board that is lost is known by its stored head alone.
        let heads = |by: fn(&Grown) -> &Frontier| -> Vec<BoardHead> {
            let lost = stored.iter().flatten();
            let lost = lost.filter(|head| !grown.contains_key(&head.election_id));
            let known = grown.iter().map(|(id, grown)| head(*id, by(grown)));
            let heads: BTreeMap<u64, BoardHead> = lost
                .copied()
                .chain(known)
                .map(|head| (head.election_id, head))
                .collect();
            heads.into_values().collect()
        };
        let is_committed = |heads: &[BoardHead]| {
            let leaves: Vec<Hash> = heads.iter().map(BoardHead::leaf).collect();
            merkle::root(&leaves) == header.boards_root
        };
        let by_ballots = heads(|grown| &grown.by_ballots);
        let by_tiles = heads(|grown| &grown.by_tiles);
        let (wrong, committed) = if is_committed(&by_ballots) {
            ("tiles", Some(by_ballots))
        } else if is_committed(&by_tiles) {
            ("board", Some(by_tiles))
        } else {
            ("board", None)
        };
        for (id, grown) in grown {
            let before = self.boards.get(&id).map_or(0, Frontier::size);
            for position in &grown.differ {
                let at = format!("election {id}, position {position}");
                let what = format!("it is not as block {height} commits to it");
                self.found(ledger, Damage::new(wrong, at, what));
            }
            if committed.is_none() {
                self.lost.insert(id);
                let at = format!("election {id}, from position {before} on");
                let what = format!("its ballots do not make the board of block {height}");
                self.found(ledger, Damage::new("board", at, what));
                continue;
            }
            let after = match wrong {
                "board" => grown.by_tiles,
                _ => grown.by_ballots,
            };
            self.subtrees(ledger, reads, id, before, after.size())?;
            self.boards.insert(id, after);
        }
        if let Some(committed) = committed
            && stored.is_some_and(|stored| stored != committed)
        {
            let what = "they are not those that the block commits to";
            self.found(
                ledger,
                Damage::new("board-heads", format!("height {height}"), what),
            );
        }
        Ok(())
    }

    /// The stored heads of the boards that a block appended to.
    fn heads(
        &mut self,
        ledger: &Ledger,
        reads: &ReadTransaction,
        height: u64,
    ) -> Result<Option<Vec<BoardHead>>, LedgerError> {
        let at = format!("height {height}");
        let stored = reads.open_table(BOARD_HEADS)?.get(height)?;
        let stored = match &stored {
            Some(bytes) => decode("board-heads", at, bytes.value()),
            None => Err(Damage::new("board-heads", at, "they are missing")),
        };
        Ok(stored.map_err(|damage| self.found(ledger, damage)).ok())
    }

    /// Follows the boards past a block that cannot be read, by the heads and leaves that are stored.
    pub(super) fn boards_unread(
        &mut self,
        ledger: &Ledger,
        reads: &ReadTransaction,
        height: u64,
    ) -> Result<(), LedgerError> {
        if reads.open_table(BOARD_HEADS)?.get(height)?.is_none() {
            return Ok(());
        }
        let Some(heads) = self.heads(ledger, reads, height)? else {
            // Which boards grew here is not known.
            self.lost
                .extend(ledger.elections().iter().map(|election| election.id()));
            return Ok(());
        };
        let tiles = reads.open_table(TILES)?;
        for stored in heads {
            let id = stored.election_id;
            // What voters cast here is not known, so who counts is not either.
            self.counting.remove(&id);
            let before = self.boards.entry(id).or_default();
            let mut frontier = before.clone();
            while frontier.size() < stored.size
                && let Some(leaf) = board_log::leaf(&tiles, id, frontier.size())?
            {
                frontier.push(leaf);
            }
            if head(id, &frontier) == stored {
                let from = before.size();
                *before = frontier;
                self.subtrees(ledger, reads, id, from, stored.size)?;
            } else {
                self.lost.insert(id);
            }
        }
        Ok(())
    }

    /// Compares the roots of the tiles that became full between two sizes of a board.
    fn subtrees(
        &mut self,
        ledger: &Ledger,
        reads: &ReadTransaction,
        id: u64,
        before: u64,
        after: u64,
    ) -> Result<(), LedgerError> {
        let tiles = reads.open_table(TILES)?;
        let (mut from, mut to) = (before >> TILE_BITS, after >> TILE_BITS);
        let mut level = 0;
        while from < to {
            for index in from..to {
                let root = board_log::full_root(&tiles, id, level, index)?;
                let stored = board_log::entry(&tiles, id, level + 1, index)?;
                if root.is_none() || root != stored {
                    let at = format!("election {id}, tile {}/{index}", level + 1);
                    let what = "it is not the root of the tile below it";
                    self.found(ledger, Damage::new("tiles", at, what));
                }
            }
            (from, to) = (from >> TILE_BITS, to >> TILE_BITS);
            level += 1;
        }
        Ok(())
    }
}

fn head(election_id: u64, frontier: &Frontier) -> BoardHead {
    BoardHead {
        election_id,
        size: frontier.size(),
        root: frontier.root(),
    }
}
