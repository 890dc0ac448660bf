//! What is durable here but not on the chain is carried there, in order, until it is confirmed or
//! refused.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use tabella_client::{Confirmation, ConfirmationStatus, SubmitError};
use tabella_protocol::{Hash, Transaction, rpc::RefusalCode};

use crate::{
    app::App,
    clock,
    confirm::BLOCKS_MAX,
    crash, failover,
    pending::{Due, Patience, Settled},
    store::{Confirmed, ConfirmedSubmission},
};

/// Heights after its expiry at which every block that may hold a transaction is written down: more
/// than can be delivered, or being written.
const EXPIRED_AFTER: u64 = 3 * BLOCKS_MAX as u64;
/// Pause between two rounds of carrying.
const ROUND: Duration = Duration::from_millis(250);
/// Submissions looked after in one round.
const ROUND_MAX: usize = 1_024;
/// Submissions looked at in one round.
const SCAN_MAX: usize = 16_384;
/// Of these, under way at once.
const CONCURRENT_MAX: usize = 128;
/// How long a submission that a validator took may wait while blocks go by; then all are offered it.
const OVERDUE: Duration = Duration::from_secs(10);
/// Submissions offered to all validators in one round.
const OFFERED_MAX: usize = 256;
/// A request carries its own submission; this looks after the ones whose request has gone.
const PATIENCE: Patience = Patience {
    accepted: Duration::from_secs(3),
    unaccepted: Duration::from_secs(2),
};

/// Looks after submissions of which nothing was heard, for ever.
pub(crate) async fn carry(app: Arc<App>) {
    let mut from = 0;
    loop {
        tokio::time::sleep(ROUND).await;
        if !app.client.is_connected() || !app.store.is_healthy() {
            continue;
        }
        let (due, next) = app.pending.due(from, PATIENCE, ROUND_MAX, SCAN_MAX);
        from = next;
        let (accepted, unaccepted): (Vec<_>, Vec<_>) = due.into_iter().partition(|d| d.accepted);
        // In order, and each as soon as the ones before it are on their way.
        stream::iter(unaccepted)
            .for_each_concurrent(CONCURRENT_MAX, |due| {
                let app = &app;
                async move { carry_one(app, due).await }
            })
            .await;
        ask_after(&app, accepted).await;
    }
}

async fn carry_one(app: &App, due: Due) {
    if app.height() > due.expiry_height.saturating_add(EXPIRED_AFTER) {
        sign_again(app, &due).await;
        return;
    }
    let Some(bytes) = transaction_of(app, &due).await else {
        return;
    };
    let Ok(transaction) = Transaction::from_bytes(&bytes) else {
        tracing::error!(
            sequence = due.sequence,
            "a recorded transaction cannot be read"
        );
        return;
    };
    match app.client.submit(bytes).await {
        Ok(submitted) => {
            crash::point("carried");
            app.lines.submitted(&transaction, &due.transaction_id);
            let (by, height) = (submitted.validator, app.height());
            app.pending.accepted(&due.transaction_id, by, height);
        }
        // An acknowledged ballot is not given up on one validator's word.
        Err(SubmitError::Refused(refusal)) if refusal.validators < app.witnesses(refusal.code) => {
            tracing::debug!(transaction_id = %due.transaction_id, %refusal, "a refusal waits for more validators");
        }
        Err(SubmitError::Refused(refusal)) if !app.can_sign_again(&transaction, refusal.code) => {
            // The chain refuses a copy of what it holds already only when it never held this one.
            // Where that cannot be told, a later round asks again.
            if settle_if_confirmed(app, &due).await == Some(false) {
                if refusal.code == RefusalCode::AlreadyVoted {
                    let id = &due.transaction_id;
                    match app.settle_as_on_chain(id, &transaction).await {
                        Ok(None) => {}
                        // Confirmed, or a later round asks again.
                        Ok(Some(_)) | Err(_) => return,
                    }
                }
                let code = refusal.code.as_str();
                tracing::info!(transaction_id = %due.transaction_id, %code, "a recorded vote was refused by the chain");
                // A failed write is tried again in a later round.
                let _ = app.refuse(&due.transaction_id, code, refusal.message).await;
            }
        }
        Err(error) => tracing::debug!(%error, "a recorded vote waits for a validator"),
    }
}

/// The recorded transaction; nothing where it is settled by now, or cannot be read.
async fn transaction_of(app: &App, due: &Due) -> Option<Vec<u8>> {
    match app.store.by_sequence(due.sequence).await {
        Ok(Some(submission)) => match failover::settled(app, submission.state) {
            None => Some(submission.transaction),
            Some(settled) => {
                // Another backend was faster to record it.
                app.pending.settle(due.sequence, &settled);
                None
            }
        },
        Ok(None) => None,
        Err(error) => {
            tracing::warn!(%error, "a recorded submission cannot be read");
            None
        }
    }
}

/// Asks what became of submissions that a validator took long ago.
async fn ask_after(app: &App, due: Vec<Due>) {
    if due.is_empty() {
        return;
    }
    let ids: Vec<Hash> = due.iter().map(|due| due.transaction_id).collect();
    let Ok(statuses) = app.client.transaction_statuses(&ids).await else {
        return;
    };
    let mut overdue = Vec::new();
    for (due, status) in due.into_iter().zip(statuses) {
        use tabella_protocol::rpc::TransactionStatus as S;
        let is_settled = match status {
            S::Pending if app.height() <= due.expiry_height => false,
            S::Confirmed { .. } => settle_if_confirmed(app, &due).await == Some(true),
            // Lost, refused or expired: carried again, which tells.
            S::Pending | S::Unknown | S::Rejected { .. } => {
                app.pending.lost(&due.transaction_id);
                false
            }
        };
        let taken = due.taken.filter(|_| !is_settled);
        if taken.is_some_and(|taken| taken.is_overdue(app.height(), OVERDUE)) {
            overdue.push(due);
        }
    }
    offer_to_all(app, overdue).await;
}

/// Offers to every validator what one took long ago and no block holds: that one may keep it to
/// itself, whatever it says.
async fn offer_to_all(app: &App, mut overdue: Vec<Due>) {
    overdue.truncate(OFFERED_MAX);
    let mut transactions = Vec::with_capacity(overdue.len());
    for due in &overdue {
        transactions.extend(transaction_of(app, due).await);
    }
    if transactions.is_empty() {
        return;
    }
    let validators = app.client.offer_to_all(&transactions).await;
    let count = transactions.len();
    tracing::info!(
        count,
        validators,
        "votes that wait for a block were offered to every validator"
    );
    for due in &overdue {
        app.pending.offered(&due.transaction_id, app.height());
    }
}

/// Whether the submission is on the chain, as far as that can be told; if a block proves it, writes
/// that down.
async fn settle_if_confirmed(app: &App, due: &Due) -> Option<bool> {
    match app.client.confirmation_status(due.transaction_id).await {
        Ok(ConfirmationStatus::Confirmed(confirmation)) => {
            settle(app, due, &confirmation).await;
            Some(true)
        }
        Ok(ConfirmationStatus::Unknown | ConfirmationStatus::Rejected { .. }) => Some(false),
        Ok(ConfirmationStatus::Pending) | Err(_) => None,
    }
}

async fn settle(app: &App, due: &Due, confirmation: &Confirmation) {
    let landed = app.pending.landed(&[due.transaction_id]);
    let accepted_by = landed.first().and_then(|(_, l)| l.accepted_by.clone());
    let submission = ConfirmedSubmission {
        sequence: due.sequence,
        transaction_id: due.transaction_id,
        index: u32::try_from(confirmation.index).unwrap_or(u32::MAX),
        validator: accepted_by.as_ref().map(|v| v.node_id.clone()),
    };
    let confirmed = Confirmed {
        mark: None,
        height: confirmation.height,
        block_hash: confirmation.block_hash,
        confirmed_at_ms: clock::unix_ms(confirmation.timestamp),
        signatures: u32::try_from(confirmation.signatures).unwrap_or(u32::MAX),
        submissions: vec![submission],
        transaction_ids: Vec::new(),
    };
    if app.store.confirm(confirmed.clone()).await.is_ok() {
        app.events.confirmed(&confirmed);
        let settled = Settled::Confirmed {
            height: confirmation.height,
            block_hash: confirmation.block_hash,
            validator: accepted_by,
        };
        app.pending.settle(due.sequence, &settled);
    }
}

/// Signs a submission again whose transaction has expired without landing.
///
/// Every block up to its expiry was followed and verified, so the old transaction is on none of
/// them and can be on none after; the last check covers blocks before following began.
async fn sign_again(app: &App, due: &Due) {
    // Where that cannot be told, a later round asks again.
    if settle_if_confirmed(app, due).await != Some(false) {
        return;
    }
    let Ok(Some(submission)) = app.store.by_sequence(due.sequence).await else {
        return;
    };
    if let Some(settled) = failover::settled(app, submission.state) {
        return app.pending.settle(due.sequence, &settled);
    }
    let Ok(old) = Transaction::from_bytes(&submission.transaction) else {
        return;
    };
    if submission.transaction_id != due.transaction_id {
        // It was, and this was read before.
        let (id, expiry) = (submission.transaction_id, old.body.expiry_height);
        return app.pending.replace(due.sequence, id, expiry);
    }
    if old.signer != app.registrar.public() {
        // Only the voter could sign it again.
        let reason = "the signed transaction expired before it reached the chain".to_owned();
        let code = RefusalCode::Expired.as_str();
        let _ = app.refuse(&due.transaction_id, code, reason).await;
        return;
    }
    // With the number that it had: the voter may know it by that.
    let transaction = app.sign_ballot(old.body.payload, Some(old.body.nonce));
    let bytes = transaction.to_bytes();
    let id = Hash::of(&bytes);
    let expiry = transaction.body.expiry_height;
    match app.store.sign_again(due.sequence, id, bytes, expiry).await {
        Ok(()) => {
            tracing::info!(old = %due.transaction_id, new = %id, "an expired vote was signed again");
        }
        Err(error) => tracing::warn!(%error, "an expired vote could not be signed again"),
    }
}
