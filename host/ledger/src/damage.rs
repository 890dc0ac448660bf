//! Stored values that are not what the chain committed to: a disk, or memory, that changed a byte.
//!
//! redb checks its pages only when it repairs a database, so whatever is read is compared with what
//! consensus decided: headers with their certificates, ballots with their board, copies with what they
//! were copied from. A difference is an answer refused, never another answer, and no reason to stop:
//! the state that this node votes by is in memory, and commits to itself.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{Ledger, LedgerError};

/// Damaged values remembered; more than these say nothing new.
const DAMAGE_MAX: usize = 100;

/// A stored value that is not what the chain committed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The table of the chain's database.
    pub table: &'static str,
    /// Which of its values.
    pub at: String,
    /// The error in it.
    pub what: String,
    /// The block that it belongs to, where that block is not to be read any more.
    pub(crate) block: Option<u64>,
}

impl Damage {
    pub(crate) fn new(table: &'static str, at: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self {
            table,
            at: at.to_string(),
            what: what.to_string(),
            block: None,
        }
    }

    /// Damage of a block or of its certificate: neither is handed out any more.
    pub(crate) fn of_block(table: &'static str, height: u64, what: impl fmt::Display) -> Self {
        Self {
            block: Some(height),
            ..Self::new(table, format_args!("height {height}"), what)
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at {}: {}", self.table, self.at, self.what)
    }
}

/// What was found since the ledger was opened.
#[derive(Default)]
pub(crate) struct Damages(Mutex<Found>);

#[derive(Default)]
struct Found {
    damage: Vec<Damage>,
    blocks: BTreeSet<u64>,
}

impl Damages {
    fn lock(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known to be wrong with the block at a height.
    pub(crate) fn of_block(&self, height: u64) -> Option<Damage> {
        let found = self.lock();
        if !found.blocks.contains(&height) {
            return None;
        }
        let mut damage = found.damage.iter();
        damage.find(|d| d.block == Some(height)).cloned()
    }
}

impl Ledger {
    /// Returns the damaged values found since this ledger was opened, oldest first, at most a hundred.
    pub fn damage(&self) -> Vec<Damage> {
        self.damages.lock().damage.clone()
    }

    /// Returns whether nothing that was read since this ledger was opened was damaged.
    pub fn is_sound(&self) -> bool {
        self.damages.lock().damage.is_empty()
    }

    /// Remembers damage and says so, once for each value.
    pub(crate) fn note(&self, damage: &Damage) {
        let mut found = self.damages.lock();
        let known = |known: &Damage| (known.table, &known.at) == (damage.table, &damage.at);
        if found.damage.len() >= DAMAGE_MAX || found.damage.iter().any(known) {
            return;
        }
        found.blocks.extend(damage.block);
        found.damage.push(damage.clone());
        drop(found);
        tracing::error!(
            table = damage.table,
            at = damage.at,
            what = damage.what,
            "a stored value is not what the chain committed to: this machine's disk or memory changed it"
        );
    }

    /// Notes the damage that a read ended with, if it did.
    pub(crate) fn noted<T>(&self, read: Result<T, LedgerError>) -> Result<T, LedgerError> {
        if let Err(LedgerError::Damaged(damage)) = &read {
            self.note(damage);
        }
        read
    }
}
