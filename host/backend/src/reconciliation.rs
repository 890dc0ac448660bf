//! What became of the ballots in the local ledger: counted from the ledger and the database, so
//! that a restart forgets nothing.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use tabella_protocol::{Hash, Payload, Transaction};

use crate::{
    app::App,
    clock,
    lines::short,
    store::{Admission, NewSubmission, State, StoreError, Submission},
    subject::Realm,
    submissions::content,
};

/// Pause between two looks at the ledger.
const PERIOD: Duration = Duration::from_secs(1);
/// Conflicts listed, the newest; all are counted, and the export has them all.
const CONFLICTS_MAX: usize = 1_000;

/// An acknowledged ballot that the chain refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct Conflict {
    transaction_id: String,
    election_id: u64,
    code: String,
    reason: String,
    rejected_at: String,
}

/// The ballots of the local ledger by what became of them.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Settled {
    pub(crate) confirmed: u64,
    pub(crate) rejected: u64,
    pub(crate) unsettled: u64,
    pub(crate) conflicts: VecDeque<Conflict>,
}

#[derive(Default)]
struct Inner {
    /// The local height up to which ballots were looked at.
    height: u64,
    /// Those that were open when last looked at.
    open: BTreeSet<Hash>,
    settled: Settled,
}

impl Inner {
    fn take(&mut self, id: Hash, submission: Option<Submission>) {
        let Some(submission) = submission else {
            self.open.insert(id);
            return;
        };
        let public_id = submission.public_id();
        match submission.state {
            State::Open => {
                self.open.insert(id);
            }
            State::Confirmed { .. } => {
                self.settled.confirmed += 1;
                self.open.remove(&id);
            }
            State::Rejected {
                code,
                reason,
                rejected_at_ms,
            } => {
                self.settled.rejected += 1;
                self.open.remove(&id);
                let conflicts = &mut self.settled.conflicts;
                if conflicts.len() >= CONFLICTS_MAX {
                    conflicts.pop_front();
                }
                conflicts.push_back(Conflict {
                    transaction_id: public_id,
                    election_id: submission.election_id,
                    code,
                    reason,
                    rejected_at: clock::rfc3339(rejected_at_ms),
                });
            }
        }
    }
}

/// A running account of the local ledger.
#[derive(Default)]
pub(crate) struct Reconciliation {
    inner: Mutex<Inner>,
    /// Held by the one who looks.
    looking: tokio::sync::Mutex<()>,
    /// Whether the whole ledger was looked at since the start.
    has_looked: AtomicBool,
}

impl Reconciliation {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of the ballots, as of the last look.
    pub(crate) fn settled(&self) -> Settled {
        let inner = self.inner();
        Settled {
            unsettled: inner.open.len() as u64,
            ..inner.settled.clone()
        }
    }

    /// Whether the whole ledger was looked at since the start, so that the database has what it holds.
    pub(crate) fn has_looked(&self) -> bool {
        self.has_looked.load(Ordering::Relaxed)
    }

    /// Looks again at ballots that were open, and at new ones. A ballot that the database has not, because
    /// it was restored from an older copy, is recorded there once more, and so carried.
    pub(crate) async fn look(&self, app: &App) -> Result<(), StoreError> {
        let _looking = self.looking.lock().await;
        let open: Vec<Hash> = self.inner().open.iter().copied().collect();
        for id in open {
            // What is among the unsettled needs no look into the database.
            if app.pending.standing(&id).is_none() {
                let submission = read(app, &id).await?;
                self.inner().take(id, submission);
            }
        }
        loop {
            let height = self.inner().height + 1;
            // One that cannot be opened now may hold ballots all the same.
            if !app.local.is_open() {
                return Ok(());
            }
            let block = app.local.block(height);
            let Some((appended_at_ms, transactions)) =
                block.map_err(|error| StoreError::of(&error))?
            else {
                self.has_looked.store(true, Ordering::Relaxed);
                return Ok(());
            };
            let mut ballots = Vec::new();
            for transaction in transactions {
                let id = transaction.id();
                let Payload::CastBallot { .. } = transaction.body.payload else {
                    continue;
                };
                let mut submission = read(app, &id).await?;
                if submission.is_none() {
                    recover(app, &transaction, appended_at_ms).await?;
                    submission = read(app, &id).await?;
                }
                ballots.push((id, submission));
            }
            // A block counts as a whole, so that a failing database makes none count twice.
            let mut inner = self.inner();
            for (id, submission) in ballots {
                inner.take(id, submission);
            }
            inner.height = height;
        }
    }
}

/// Records a ballot that was acknowledged and that the database lacks. The id that the voter chose is
/// lost; it is the voter's again once the same ballot comes under one.
async fn recover(
    app: &App,
    transaction: &Transaction,
    submitted_at_ms: u64,
) -> Result<(), StoreError> {
    let Payload::CastBallot {
        election_id,
        voter,
        ballots,
    } = &transaction.body.payload
    else {
        return Ok(());
    };
    let transaction_id = transaction.id();
    let new = NewSubmission {
        client_id: None,
        election_id: *election_id,
        voter: *voter,
        content: content(*election_id, voter, ballots),
        transaction_id,
        transaction: transaction.to_bytes(),
        expiry_height: transaction.body.expiry_height,
        submitted_at_ms,
        admission: Admission::Acknowledged,
        number: None,
        // It has no id yet; what gives it one says whose that is.
        realm: Realm::Registrar,
    };
    app.store.record(new).await?;
    app.pending.kept_locally(&transaction_id);
    tracing::warn!(%voter, election_id, transaction_id = %short(&transaction_id), "a vote of the local ledger was not in the database, and is carried from now on");
    Ok(())
}

async fn read(app: &App, id: &Hash) -> Result<Option<Submission>, StoreError> {
    // Others get their turn between two reads.
    tokio::task::yield_now().await;
    app.store.by_transaction(id).await
}

/// Keeps the account up to date, for ever.
pub(crate) async fn keep(app: Arc<App>) {
    loop {
        if let Err(error) = app.reconciliation.look(&app).await {
            tracing::debug!(%error, "the account of the local ledger waits for the database");
        }
        tokio::time::sleep(PERIOD).await;
    }
}
