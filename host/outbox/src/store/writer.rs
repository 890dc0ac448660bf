//! The one writer: commits what has queued up in one durable transaction.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    OnCommit, OpenError, StoreError,
    apply::Tables,
    file::load_open,
    handle::{Handle, Opener},
    signing::{self, Queued},
    write::{Completion, Write},
};
use crate::pending::Pending;

/// Most writes in one commit, so that nobody waits for a commit without end.
const GROUP_MAX: usize = 2_048;

/// Pause between two attempts to open a database that failed.
const REOPEN: Duration = Duration::from_millis(200);

pub(super) struct Writer {
    pub(super) database: Handle,
    pub(super) opener: Opener,
    /// When it was last tried to open the database again.
    pub(super) tried: Option<Instant>,
    pub(super) pending: Arc<Pending>,
    pub(super) healthy: Arc<AtomicBool>,
    pub(super) on_commit: OnCommit,
    pub(super) next_sequence: u64,
}

impl Writer {
    /// Runs until it is told to stop or the last sender is gone.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Queued>) {
        let mut group = Vec::new();
        while queue.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
            let (writes, stop) = signing::sign(std::mem::take(&mut group));
            self.commit(writes);
            if let Some(reply) = stop {
                drop(self);
                let _ = reply.send(());
                return;
            }
        }
    }

    fn commit(&mut self, group: Vec<Write>) {
        if group.is_empty() {
            return;
        }
        let started = Instant::now();
        let writes = group.len();
        if !self.healthy.load(Ordering::Relaxed) {
            self.open_again();
        }
        let mut completions: Vec<Completion> = Vec::with_capacity(writes);
        let result = self.write(group, &mut completions);
        if let Err(error) = &result {
            tracing::error!(%error, writes, "the database failed");
            // What of the group reached the disk shows when it is opened again.
            self.database.set(None);
        }
        self.healthy.store(result.is_ok(), Ordering::Relaxed);
        (self.on_commit)(writes, started.elapsed());
        for completion in completions {
            completion(&self.pending, result.clone());
        }
    }

    /// Opens the database again after a failure, and takes over what it holds.
    fn open_again(&mut self) {
        if self.tried.is_some_and(|tried| tried.elapsed() < REOPEN) {
            return;
        }
        self.tried = Some(Instant::now());
        self.database.set(None);
        let opened = (self.opener)().map_err(OpenError::from);
        let loaded = opened.and_then(|database| {
            let next_sequence = load_open(&database, &self.pending)?;
            Ok((database, next_sequence))
        });
        match loaded {
            Ok((database, next_sequence)) => {
                self.next_sequence = next_sequence;
                self.database.set(Some(database));
                tracing::info!("the database is open again");
            }
            Err(error) => tracing::error!(%error, "the database cannot be opened again"),
        }
    }

    fn write(
        &mut self,
        group: Vec<Write>,
        completions: &mut Vec<Completion>,
    ) -> Result<(), StoreError> {
        // Replies are dropped with the group where this fails early; their waiters then see the
        // channel closed, which is an error too.
        let write = self.database.begin_write()?;
        {
            let mut tables = Tables::open(&write)?;
            for item in group {
                tables.apply(item, &mut self.next_sequence, completions)?;
            }
        }
        write.commit().map_err(StoreError::of)
    }
}
