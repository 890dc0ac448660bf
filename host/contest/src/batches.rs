//! A board as a rule's `fold` reads it: cut into batches, and these into chunks.

use std::fmt;

use tabella_abi::codec::put_varint;
use tabella_limits::PluginLimits;
use thiserror::Error;

/// A ballot that is longer than the limit, so it cannot have been validated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("ballot {position} has {bytes} bytes, at most {bytes_max} allowed")]
pub struct BallotTooLong {
    /// Its position, from 0.
    pub position: u64,
    /// Its length.
    pub bytes: u64,
    /// The limit.
    pub bytes_max: u64,
}

/// Ballots as `fold` reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// For each ballot its weight, its length and its bytes.
    pub bytes: Vec<u8>,
    first: u64,
    count: u64,
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.first + self.count - 1;
        write!(f, "ballots {} to {last}", self.first)
    }
}

/// Batches that one instance folds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its place on the board, from 0.
    pub number: u64,
    /// In the order of the board.
    pub batches: Vec<Batch>,
}

/// Cuts a board; where it is cut decides what a count costs, so the limits alone do.
pub struct Batches<'a, I, B> {
    ballots: std::iter::Fuse<I>,
    limits: &'a PluginLimits,
    /// Of the next ballot.
    position: u64,
    /// Cut so far.
    chunks: u64,
    /// The last batch's length, which the next one's will be about.
    bytes_before: usize,
    /// A ballot that did not fit the last batch.
    held_back: Option<(u64, B)>,
}

impl<'a, I: Iterator<Item = (u64, B)>, B: AsRef<[u8]>> Batches<'a, I, B> {
    /// Cuts weighted ballots in the order given.
    pub fn new(ballots: I, limits: &'a PluginLimits) -> Self {
        Self {
            ballots: ballots.fuse(),
            limits,
            position: 0,
            chunks: 0,
            bytes_before: 0,
            held_back: None,
        }
    }

    /// How many ballots were cut so far.
    pub fn ballots(&self) -> u64 {
        self.position
    }

    /// Returns the next batch; nothing after the last one.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, BallotTooLong> {
        // A weight and a length in their longest forms.
        const HEAD_BYTES_MAX: u64 = 20;
        let mut batch = Batch {
            bytes: Vec::with_capacity(self.bytes_before + self.bytes_before / 8),
            first: self.position,
            count: 0,
        };
        while batch.count < self.limits.batch_ballots.max(1) {
            let Some((weight, ballot)) = self.held_back.take().or_else(|| self.ballots.next())
            else {
                break;
            };
            let bytes = ballot.as_ref();
            let (len, most) = (bytes.len() as u64, self.limits.ballot_bytes);
            if len > most {
                let position = self.position;
                return Err(BallotTooLong {
                    position,
                    bytes: len,
                    bytes_max: most,
                });
            }
            let full = batch.bytes.len() as u64 + HEAD_BYTES_MAX + len > self.limits.batch_bytes;
            if full && batch.count > 0 {
                self.held_back = Some((weight, ballot));
                break;
            }
            put_varint(&mut batch.bytes, weight);
            put_varint(&mut batch.bytes, len);
            batch.bytes.extend_from_slice(bytes);
            batch.count += 1;
            self.position += 1;
        }
        self.bytes_before = batch.bytes.len();
        Ok((batch.count > 0).then_some(batch))
    }

    /// Returns the next chunk; nothing after the last one.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, BallotTooLong> {
        let mut batches = Vec::new();
        while (batches.len() as u64) < self.limits.chunk_batches.max(1) {
            match self.next_batch()? {
                Some(batch) => batches.push(batch),
                None => break,
            }
        }
        if batches.is_empty() {
            return Ok(None);
        }
        let number = self.chunks;
        self.chunks += 1;
        Ok(Some(Chunk { number, batches }))
    }
}
