//! What is durable here but not on the chain is carried there, in order, until it is confirmed or
//! refused.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use tabella_client::SubmitError;
use tabella_protocol::{
    Hash, Revote, RollChanges, Transaction,
    rpc::{RefusalCode, TransactionStatus},
};

use crate::{
    app::App,
    crash, failover,
    lines::short,
    pending::{Due, Patience},
    problem::Problem,
    refusals::Judgement,
    store::Submission,
};

/// Pause between two rounds of carrying.
const ROUND: Duration = Duration::from_millis(250);
/// Submissions looked after in one round.
const ROUND_MAX: usize = 1_024;
/// Submissions looked at in one round.
const SCAN_MAX: usize = 16_384;
/// Of these, under way at once.
const CONCURRENT_MAX: usize = 128;
/// How long a submission that a validator took may wait while blocks go by; then the proven chain
/// judges it, and all validators are offered it.
const OVERDUE: Duration = Duration::from_secs(10);
/// As [`OVERDUE`], in an election that is being closed.
const OVERDUE_AT_CLOSE: Duration = Duration::from_secs(1);
/// Overdue submissions looked after in one round.
const OVERDUE_MAX: usize = 256;
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
        if due.is_empty() {
            continue;
        }
        let Ok(closing) = app.store.closings().await else {
            continue;
        };
        let closing: HashSet<u64> = closing.into_iter().map(|(id, _)| id).collect();
        // Past its expiry on the proven chain, nobody is asked any more.
        let proven = app.follower.tip().height;
        let (accepted, unaccepted): (Vec<_>, Vec<_>) = due
            .into_iter()
            .partition(|due| due.accepted && proven < due.expiry_height);
        // In order, and each as soon as the ones before it are on their way.
        stream::iter(unaccepted)
            .for_each_concurrent(CONCURRENT_MAX, |due| {
                let (app, is_closing) = (&app, closing.contains(&due.election_id));
                async move { carry_one(app, due, is_closing).await }
            })
            .await;
        ask_after(&app, accepted, &closing).await;
    }
}

async fn carry_one(app: &App, due: Due, is_closing: bool) {
    // On the chain that is proven here: what holds it is written down, and nothing later can.
    if app.follower.tip().height >= due.expiry_height {
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
    match app.client.submit(bytes.clone()).await {
        Ok(submitted) => {
            crash::point("carried");
            app.lines.submitted(&transaction, &due.transaction_id);
            let (by, height) = (submitted.validator, app.height());
            app.pending.accepted(&due.transaction_id, by, height);
        }
        Err(SubmitError::Refused(refusal))
            if !app.waits_for_heights(&transaction, refusal.code) =>
        {
            if judge(app, &due, bytes, is_closing).await != Some(false) {
                return;
            }
            // An acknowledged ballot is given up on nobody's word but that of all, where a later block may
            // tell otherwise; whatever else refuses it, the chain will show.
            let may_change = refusal.code.may_change();
            if !may_change || refusal.validators < app.witnesses(refusal.code) {
                tracing::debug!(transaction_id = %short(&due.transaction_id), %refusal, "a refusal waits for more validators, or for the chain");
                return;
            }
            // Where that cannot be told, a later round asks again.
            let id = &due.transaction_id;
            if app.settle_if_on_chain(id, due.expiry_height).await == Some(false) {
                refuse(app, &due, &transaction, refusal.code, refusal.message).await;
            }
        }
        Err(error) => {
            tracing::debug!(%error, "a recorded vote waits for a validator");
            // One that leaves out its answer holds no close up.
            if is_closing {
                judge(app, &due, bytes, is_closing).await;
            }
        }
    }
}

/// Ends a submission where the proven chain holds it, or can never hold it. Returns whether it did;
/// nothing where that cannot be told now.
async fn judge(app: &App, due: &Due, bytes: Vec<u8>, is_closing: bool) -> Option<bool> {
    let transaction = Transaction::from_bytes(&bytes).ok()?;
    // Who closes an election adds nobody to its roll; what was added before may not be
    // executed here yet, and without a quorum nobody tells.
    let roll = match is_closing && app.knows_head() && app.levels.has_quorum() {
        true => RollChanges::Fixed,
        false => RollChanges::Grows,
    };
    match app.judge(bytes, roll).await {
        Ok(Judgement::Open) => Some(false),
        Ok(Judgement::Stands) => {
            let id = &due.transaction_id;
            app.settle_if_on_chain(id, due.expiry_height).await
        }
        Ok(Judgement::Refused(refusal)) => {
            refuse(app, due, &transaction, refusal.code, refusal.message).await;
            Some(true)
        }
        Err(error) => {
            let error = error.detail();
            tracing::warn!(error, "a recorded vote cannot be judged");
            None
        }
    }
}

/// Records that the chain refuses a submission, unless it does so for holding this very ballot.
async fn refuse(
    app: &App,
    due: &Due,
    transaction: &Transaction,
    code: RefusalCode,
    reason: String,
) {
    let id = &due.transaction_id;
    if code == RefusalCode::AlreadyVoted {
        match app.settle_as_on_chain(id, transaction).await {
            Ok(None) => {}
            // Confirmed, or a later round asks again.
            Ok(Some(_)) | Err(_) => return,
        }
    }
    let code = code.as_str();
    tracing::info!(transaction_id = %short(id), %code, "a recorded vote was refused by the chain");
    // A failed write is tried again in a later round.
    let _ = app.refuse(id, code, reason).await;
}

/// The recorded transaction; nothing where it is settled by now, or cannot be read.
async fn transaction_of(app: &App, due: &Due) -> Option<Vec<u8>> {
    open_submission(app, due).await.map(|s| s.transaction)
}

/// The recorded submission; nothing where it is settled by now, or cannot be read.
async fn open_submission(app: &App, due: &Due) -> Option<Submission> {
    match app.store.by_sequence(due.sequence).await {
        Ok(Some(submission)) => match failover::settled(app, submission.state.clone()) {
            None => Some(submission),
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
async fn ask_after(app: &App, due: Vec<Due>, closing: &HashSet<u64>) {
    if due.is_empty() {
        return;
    }
    let ids: Vec<Hash> = due.iter().map(|due| due.transaction_id).collect();
    // Where nobody tells, the proven chain still does.
    let statuses = app.client.transaction_statuses(&ids).await;
    let mut overdue = Vec::new();
    for (due, status) in due.into_iter().zip(statuses) {
        match status.unwrap_or(TransactionStatus::Pending) {
            TransactionStatus::Pending if app.height() <= due.expiry_height => {}
            // Said by one validator: the block itself tells, when it is followed.
            TransactionStatus::Confirmed { .. } => {}
            // Lost, refused or expired: carried again, which tells.
            TransactionStatus::Pending
            | TransactionStatus::Unknown
            | TransactionStatus::Rejected { .. } => app.pending.lost(&due.transaction_id),
        }
        let is_closing = closing.contains(&due.election_id);
        let patience = match is_closing {
            true => OVERDUE_AT_CLOSE,
            false => OVERDUE,
        };
        let taken = due.taken;
        if taken.is_some_and(|taken| taken.is_overdue(app.height(), patience)) {
            overdue.push((due, is_closing));
        }
    }
    overdue.truncate(OVERDUE_MAX);
    look_after(app, overdue).await;
}

/// Looks after what a validator took long ago and no block holds: that one may keep it to itself,
/// whatever it says. The proven chain judges it, and what can still stand in a block is offered to
/// every validator.
async fn look_after(app: &App, overdue: Vec<(Due, bool)>) {
    let mut offered = Vec::new();
    let mut transactions = Vec::new();
    for (due, is_closing) in overdue {
        let Some(bytes) = transaction_of(app, &due).await else {
            continue;
        };
        if judge(app, &due, bytes.clone(), is_closing).await == Some(false) {
            offered.push(due.transaction_id);
            transactions.push(bytes);
        }
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
    for id in &offered {
        app.pending.offered(id, app.height());
    }
}

/// Signs a submission again whose transaction has expired without landing.
///
/// Every block up to its expiry was proven and executed here, so the old transaction is on none of
/// them and can be on none after.
async fn sign_again(app: &App, due: &Due) {
    // Where that cannot be told, a later round asks again.
    let id = &due.transaction_id;
    if app.settle_if_on_chain(id, due.expiry_height).await != Some(false) {
        return;
    }
    let Some(submission) = open_submission(app, due).await else {
        return;
    };
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
        let _ = app.refuse(id, code, reason).await;
        return;
    }
    match app.settle_as_on_chain(id, &old).await {
        Ok(None) => {}
        // Confirmed under another transaction, or a later round asks again.
        Ok(Some(_)) | Err(_) => return,
    }
    match replaced(app, due, &old).await {
        Ok(None) => {}
        Ok(Some((code, reason))) => {
            let _ = app.refuse(id, code.as_str(), reason.to_owned()).await;
            return;
        }
        // A later round asks again.
        Err(_) => return,
    }
    // With the numbers that it had: the voter may know it by one, and its place is what it was.
    let body = old.body;
    let transaction = app.sign_ballot(body.payload, Some(body.nonce), body.sequence);
    let bytes = transaction.to_bytes();
    let id = Hash::of(&bytes);
    let expiry = transaction.body.expiry_height;
    match app.store.sign_again(due.sequence, id, bytes, expiry).await {
        Ok(()) => {
            tracing::info!(old = %short(&due.transaction_id), new = %short(&id), "an expired vote was signed again");
        }
        Err(error) => tracing::warn!(%error, "an expired vote could not be signed again"),
    }
}

/// Why an expired submission would change what the voter did since: the chain holds another ballot of
/// the voter, which stands for good or was cast later. Nothing where it would not.
async fn replaced(
    app: &App,
    due: &Due,
    old: &Transaction,
) -> Result<Option<(RefusalCode, &'static str)>, Problem> {
    let Some(standing) = app.standing_of(old).await? else {
        return Ok(None);
    };
    if standing.revote == Revote::Refuse {
        let reason = "the chain holds another ballot of this voter";
        return Ok(Some((RefusalCode::AlreadyVoted, reason)));
    }
    // Of numbered ballots the chain itself takes only a later one.
    if old.body.sequence.is_some() {
        return Ok(None);
    }
    // One that this database lacks was cast after the copy that it was restored from.
    let known = app.store.by_transaction(&standing.transaction_id).await?;
    let is_older = known.is_some_and(|known| known.sequence < due.sequence);
    let reason = "the chain holds a ballot that this voter cast later";
    Ok((!is_older).then_some((RefusalCode::Superseded, reason)))
}
