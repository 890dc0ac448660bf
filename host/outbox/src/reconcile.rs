//! Looks what became of the ballots in the local ledger, and records those that the database lacks.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tabella_ledger::LedgerError;
use tabella_protocol::{Hash, Payload, Transaction};

use crate::{
    lines::short,
    reconciliation::{AccountError, Reconciliation, Unread},
    store::{Admission, NewSubmission, StoreError, Submission},
    subject::Realm,
    submissions::content,
};

/// Pause between two looks at the ledger.
const PERIOD: Duration = Duration::from_secs(1);
/// Blocks that cannot be read and are passed over.
const UNREAD_MAX: usize = 64;

impl Reconciliation {
    /// Looks again at ballots that were open, and at new ones. A ballot that the database has not, because
    /// it was restored from an older copy, is recorded there once more, and so carried. A block that cannot be read is
    /// said, and passed over.
    pub async fn look(&self) -> Result<(), AccountError> {
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
            match self.local.block(height) {
                Ok(Some((appended_at_ms, transactions))) => {
                    self.take_block(height, appended_at_ms, transactions)
                        .await?;
                }
                Ok(None) => break,
                // It was closed meanwhile, which passes.
                Err(_) if !self.local.is_open() => return Ok(()),
                Err(error) => self.pass_over(height, &error)?,
            }
        }
        self.has_looked.store(true, Ordering::Relaxed);
        match self.inner().unread.first_key_value() {
            Some((height, unread)) => Err(AccountError::Unreadable {
                height: *height,
                reason: unread.reason.clone(),
            }),
            None => Ok(()),
        }
    }

    async fn take_block(
        &self,
        height: u64,
        appended_at_ms: u64,
        transactions: Vec<Transaction>,
    ) -> Result<(), StoreError> {
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
        Ok(())
    }

    /// Says that a block cannot be read, and what to do; the look ends where too many cannot.
    fn pass_over(&self, height: u64, error: &LedgerError) -> Result<(), AccountError> {
        let elections = self.local.elections_of_block(height);
        let mut inner = self.inner();
        let reason = error.to_string();
        if inner.unread.len() >= UNREAD_MAX {
            return Err(AccountError::Unreadable { height, reason });
        }
        inner.height = height;
        let of = match &elections {
            Some(elections) => format!("elections {elections:?}"),
            None => "any election".to_owned(),
        };
        tracing::error!(
            %error,
            "block {height} of the local ledger cannot be read, which may hold ballots of {of} that nothing else holds: \
             none of these is closed as long as that is so; stop the backend, put a copy of the folder local-ledger \
             back, and start it, or close without them, with leave_unsettled"
        );
        inner.unread.insert(height, Unread { reason, elections });
        Ok(())
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
        // A block that cannot be read is said once, where it is found.
        if let Err(AccountError::Store(error)) = account.look().await {
            tracing::debug!(%error, "the account of the local ledger waits for the database");
        }
        tokio::time::sleep(PERIOD).await;
    }
}
