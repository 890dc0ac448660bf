//! The one writer of a backend: commits what has queued up in one transaction.

use std::{sync::Arc, time::Instant};

use sqlx::{Connection, PgConnection};
use tokio::sync::mpsc;

use super::{
    super::{
        OnCommit, StoreError,
        signing::{self, Queued},
        write::Write,
    },
    ANSWER_MAX, Doubt, Shared, carriers,
    connection::may_be_repeated,
    group::{self, Done},
};
use crate::{lines::Ended, pending::Pending};

/// Most writes in one commit, so that nobody waits for a commit without end.
const GROUP_MAX: usize = 2_048;
/// How often a group is tried of which nothing was committed.
const ATTEMPTS_MAX: usize = 3;

pub(super) struct Writer {
    shared: Arc<Shared>,
    pending: Arc<Pending>,
    on_commit: OnCommit,
    /// Only where the last group succeeded: what is left of a failed one ends with its session.
    connection: Option<PgConnection>,
}

/// Why a group failed.
enum Failure {
    /// Nothing of it was committed.
    Undone(sqlx::Error),
    /// It may be committed.
    Unknown(sqlx::Error),
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, pending: Arc<Pending>, on_commit: OnCommit) -> Self {
        Self {
            shared,
            pending,
            on_commit,
            connection: None,
        }
    }

    /// Runs until it is told to stop or the last sender is gone.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Queued>) {
        let _ended = Ended("the database");
        let mut group = Vec::new();
        while queue.recv_many(&mut group, GROUP_MAX).await > 0 {
            let (writes, stop) = signing::sign(std::mem::take(&mut group));
            self.commit(writes).await;
            if let Some(reply) = stop {
                self.leave().await;
                let _ = reply.send(());
                return;
            }
        }
    }

    async fn leave(mut self) {
        let leaving = async {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => self.shared.connect_writer().await?,
            };
            carriers::leave(&mut connection, &self.shared.me).await?;
            connection.close().await
        };
        // Otherwise others find out by themselves a little later.
        let _ = tokio::time::timeout(ANSWER_MAX, leaving).await;
        self.shared.pool.close().await;
    }

    async fn commit(&mut self, group: Vec<Write>) {
        if group.is_empty() {
            return;
        }
        let started = Instant::now();
        let writes = group.len();
        let result = self.attempt(&group).await;
        let was_healthy = self.shared.set_healthy(result.is_ok());
        (self.on_commit)(writes, started.elapsed());
        match result {
            Ok(done) => {
                for (write, done) in group.into_iter().zip(done) {
                    self.finish(write, done);
                }
            }
            Err(error) => {
                if was_healthy {
                    tracing::error!(%error, writes, "the database failed");
                }
                for write in group {
                    fail(write, error.clone());
                }
            }
        }
    }

    /// Tries again as long as nothing was committed, within the time that a group may take.
    async fn attempt(&mut self, group: &[Write]) -> Result<Vec<Done>, StoreError> {
        let shared = self.shared.clone();
        let attempts = async {
            let mut left = ATTEMPTS_MAX;
            loop {
                left -= 1;
                match self.once(group).await {
                    Ok(done) => return Ok(done),
                    Err(Failure::Undone(error)) if left > 0 && may_be_repeated(&error) => {
                        tracing::debug!(%error, "a group of writes is tried again");
                    }
                    Err(Failure::Undone(error)) => return Err(StoreError::of(error)),
                    Err(Failure::Unknown(error)) => {
                        shared.set_doubt(Doubt::Unread);
                        return Err(StoreError::of(error));
                    }
                }
            }
        };
        match tokio::time::timeout(ANSWER_MAX, attempts).await {
            Ok(result) => result,
            Err(_) => {
                // The session went with the attempt; what it had sent may still be carried out.
                self.shared.set_doubt(Doubt::Unread);
                let late = format!("no answer within {ANSWER_MAX:?}");
                Err(StoreError::Failed(late))
            }
        }
    }

    async fn once(&mut self, group: &[Write]) -> Result<Vec<Done>, Failure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let connecting = self.shared.connect_writer();
                connecting.await.map_err(Failure::Undone)?
            }
        };
        let mut transaction = connection.begin().await.map_err(Failure::Undone)?;
        let done = group::apply(&mut transaction, &self.shared.me, group)
            .await
            .map_err(Failure::Undone)?;
        transaction.commit().await.map_err(Failure::Unknown)?;
        self.connection = Some(connection);
        Ok(done)
    }

    /// Tells who waits, and what is to be carried.
    fn finish(&self, write: Write, done: Done) {
        let pending = &self.pending;
        // Who asked may have gone.
        match (write, done) {
            (Write::Record { reply, .. }, Done::Recorded(done)) => {
                // Those of others first: this one may have to wait for them.
                done.elsewhere.into_iter().for_each(|d| pending.watch(d));
                if let Some(durable) = done.own {
                    pending.insert(durable);
                }
                let _ = reply.send(Ok(done.recorded));
            }
            (
                Write::SignAgain {
                    sequence,
                    transaction_id,
                    expiry_height,
                    reply,
                    ..
                },
                Done::Written,
            ) => {
                pending.replace(sequence, transaction_id, expiry_height);
                let _ = reply.send(Ok(()));
            }
            (
                Write::Confirm { reply, .. }
                | Write::Reject { reply, .. }
                | Write::Closing { reply, .. },
                Done::Written,
            ) => {
                let _ = reply.send(Ok(()));
            }
            (Write::Account(write), Done::Account(done)) => write.finish(done),
            (write, Done::Elsewhere { sequence }) => {
                pending.disown(sequence);
                fail(write, StoreError::Elsewhere);
            }
            (write, done) => {
                tracing::error!(?done, "the reply does not match the write");
                fail(write, StoreError::of("the reply does not match the write"));
            }
        }
    }
}

fn fail(write: Write, error: StoreError) {
    // Who asked may have gone.
    match write {
        Write::Record { reply, .. } => drop(reply.send(Err(error))),
        Write::Confirm { reply, .. }
        | Write::Reject { reply, .. }
        | Write::SignAgain { reply, .. }
        | Write::Closing { reply, .. } => drop(reply.send(Err(error))),
        Write::Account(write) => write.fail(error),
    }
}
