//! Looks what became of the ballots in the local ledger, and records those that the database lacks.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tabella_protocol::{Hash, Payload, Transaction};

use crate::{
    lines::short,
    reconciliation::Reconciliation,
    store::{Admission, NewSubmission, StoreError, Submission},
    subject::Realm,
    submissions::content,
};

/// Pause between two looks at the ledger.
const PERIOD: Duration = Duration::from_secs(1);

impl Reconciliation {
    /// Looks again at ballots that were open, and at new ones. A ballot that the database has not, because
    /// it was restored from an older copy, is recorded there once more, and so carried.
    pub async fn look(&self) -> Result<(), StoreError> {
        let _looking = self.looking.lock().await;
        let open: Vec<Hash> = self.inner().open.iter().copied().collect();
        for id in open {
            // What is among the unsettled needs no look into the database.
            if self.pending.standing(&id).is_none() {
                let submission = read(self, &id).await?;
                self.inner().take(id, submission);
            }
        }
        loop {
            let height = self.inner().height + 1;
            // One that cannot be opened now may hold ballots all the same.
            if !self.local.is_open() {
                return Ok(());
            }
            let block = self.local.block(height);
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
                let mut submission = read(self, &id).await?;
                if submission.is_none() {
                    recover(self, &transaction, appended_at_ms).await?;
                    submission = read(self, &id).await?;
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
    account: &Reconciliation,
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
    account.store.record(new).await?;
    account.pending.kept_locally(&transaction_id);
    tracing::warn!(%voter, election_id, transaction_id = %short(&transaction_id), "a vote of the local ledger was not in the database, and is carried from now on");
    Ok(())
}

async fn read(account: &Reconciliation, id: &Hash) -> Result<Option<Submission>, StoreError> {
    // Others get their turn between two reads.
    tokio::task::yield_now().await;
    account.store.by_transaction(id).await
}

/// Keeps the account up to date, until the backend ends.
pub(crate) async fn keep(account: Arc<Reconciliation>) {
    loop {
        if let Err(error) = account.look().await {
            tracing::debug!(%error, "the account of the local ledger waits for the database");
        }
        tokio::time::sleep(PERIOD).await;
    }
}
