//! The follower's own copy of the chain.

use std::{path::Path, sync::Arc};

use tabella_ledger::{InvalidBlock, Ledger, LedgerError, Tip};
use tabella_protocol::{Ack, Genesis, rpc::BlockView};
use tokio::sync::watch;

/// How far the copy is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The height up to which blocks were proven and executed here.
    pub height: u64,
    /// The greatest height whose certificate was checked; blocks up to it are being fetched.
    pub certified_height: u64,
    /// Why it does not advance, where it does not.
    pub problem: Option<String>,
    /// Elections whose certified result is not what the board and the rules give here.
    pub dissents: Vec<u64>,
}

impl Progress {
    /// Returns how many certified blocks are still to be executed.
    pub fn behind(&self) -> u64 {
        self.certified_height.saturating_sub(self.height)
    }
}

/// Why blocks were not taken.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// A block came that is not the next one, or that nobody vouches for.
    #[error("block {height} does not hold: {error}")]
    Invalid {
        /// The height that was expected.
        height: u64,
        /// What is wrong.
        error: InvalidBlock,
    },
    /// The copy cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The executing task failed.
    #[error("blocks could not be executed: {0}")]
    Task(String),
}

/// A copy of the chain that advances with the network. Cheap to clone.
#[derive(Clone)]
pub struct Follower {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) progress: Arc<watch::Sender<Progress>>,
}

impl Follower {
    /// Opens the copy in `directory`, or starts it at `genesis`. Compiled plugins are cached there,
    /// so that only this process may write to it.
    pub fn open(directory: &Path, genesis: Genesis) -> Result<Self, LedgerError> {
        let ledger = Arc::new(Ledger::open(directory, genesis)?);
        let height = ledger.tip().height;
        let progress = Progress {
            height,
            certified_height: height,
            ..Progress::default()
        };
        Ok(Self {
            ledger,
            progress: Arc::new(watch::Sender::new(progress)),
        })
    }

    /// Returns the proven chain, for reading.
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Returns the newest proven block.
    pub fn tip(&self) -> Tip {
        self.ledger.tip()
    }

    /// Returns how far the copy is.
    pub fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Wakes whenever the copy advances.
    pub fn changes(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Waits until the block at `height` is executed here.
    pub async fn reached(&self, height: u64) {
        let mut changes = self.progress.subscribe();
        // The sender lives in this follower.
        let _ = changes.wait_for(|progress| progress.height >= height).await;
    }

    /// Takes certified blocks that follow the newest one, in order. Durable when it returns if
    /// `durable` says so, or if one of them shaped an election; else with a later call.
    ///
    /// Returns whether what was taken is durable.
    pub fn take(&self, views: &[BlockView], durable: bool) -> Result<bool, FollowError> {
        let mut shaped = false;
        for (left, view) in (0..views.len()).rev().zip(views) {
            let height = self.ledger.tip().height + 1;
            let checked = self
                .ledger
                .check_certified(&view.block.0, &view.certificate)?;
            let block = checked.map_err(|error| FollowError::Invalid { height, error })?;
            shaped |= !block.is_ballots_alone();
            let durable = left == 0 && (durable || shaped);
            if durable {
                self.ledger.commit(block, &view.certificate)?;
            } else {
                self.ledger.commit_unsynced(block, &view.certificate)?;
            }
            self.take_acks(&view.acks)?;
            self.advanced(height);
        }
        Ok(durable || shaped)
    }

    fn advanced(&self, height: u64) {
        self.progress.send_modify(|progress| {
            progress.height = height;
            progress.certified_height = progress.certified_height.max(height);
            progress.problem = None;
        });
    }

    /// Keeps acks of a block that stands here; others prove nothing and are dropped. A signature is
    /// checked before the block that it is of is read, and not at all where there is an ack of its signer.
    /// Returns whether there was a new one.
    pub(crate) fn take_acks(&self, acks: &[Ack]) -> Result<bool, LedgerError> {
        let history = self.ledger.validators();
        let genesis = self.ledger.genesis_hash();
        let mut known: Option<(u64, Vec<Ack>)> = None;
        let mut is_new = false;
        // More acks of a block than there are validators are not worth checking.
        for ack in acks.iter().take(history.latest().validators.len()) {
            if known
                .as_ref()
                .is_none_or(|(height, _)| *height != ack.height)
            {
                known = Some((ack.height, self.ledger.acks(ack.height)?));
            }
            let mut of_height = known.iter().flat_map(|(_, acks)| acks);
            if history.at(ack.height).contains(&ack.validator)
                && !of_height.any(|known| known.validator == ack.validator)
                && ack.verify(&genesis)
                && self.stands(ack)?
            {
                is_new |= self.ledger.add_ack(ack.clone())?;
            }
        }
        Ok(is_new)
    }

    /// Whether there are validators of a height of which this chain has no ack.
    pub(crate) fn lacks_acks(&self, height: u64) -> Result<bool, LedgerError> {
        let history = self.ledger.validators();
        let validators = history.at(height).validators.len();
        match self.ledger.acks(height) {
            // What is stored of them cannot be read: asking for more mends nothing.
            Err(LedgerError::Damaged(_)) => Ok(false),
            acks => Ok(acks?.len() < validators),
        }
    }

    fn stands(&self, ack: &Ack) -> Result<bool, LedgerError> {
        let header = match self.ledger.header(ack.height) {
            // There is nothing to compare it with, and no reason to stop following.
            Err(LedgerError::Damaged(_)) => None,
            header => header?,
        };
        Ok(header.is_some_and(|header| {
            header.hash() == ack.block_hash && header.state_root == ack.state_root
        }))
    }

    /// Makes everything taken so far durable.
    pub fn sync(&self) -> Result<(), LedgerError> {
        self.ledger.flush_acks()
    }

    pub(crate) fn certified(&self, height: u64) {
        self.progress.send_if_modified(|progress| {
            let news = progress.certified_height < height;
            progress.certified_height = progress.certified_height.max(height);
            news
        });
    }

    pub(crate) fn stuck(&self, problem: String) {
        self.progress
            .send_modify(|progress| progress.problem = Some(problem));
    }
}
