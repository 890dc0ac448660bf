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
    chain_read::LookError,
    crash, ended,
    lines::short,
    outbox::Outbox,
    pending::{Due, Patience},
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

/// Looks after submissions of which nothing was heard, forever.
pub(crate) async fn carry(outbox: Arc<Outbox>) {
    let mut from = 0;
    loop {
        tokio::time::sleep(ROUND).await;
        if !outbox.client.is_connected() || !outbox.store.is_healthy() {
            continue;
        }
        let (due, next) = outbox.pending.due(from, PATIENCE, ROUND_MAX, SCAN_MAX);
        from = next;
        if due.is_empty() {
            continue;
        }
        let Ok(closing) = outbox.store.closings().await else {
            continue;
        };
        let closing: HashSet<u64> = closing.into_iter().map(|(id, _)| id).collect();
        // Past its expiry on the proven chain, nobody is asked any more.
        let proven = outbox.follower.tip().height;
        let (accepted, unaccepted): (Vec<_>, Vec<_>) = due
            .into_iter()
            .partition(|due| due.accepted && proven < due.expiry_height);
        // In order, and each as soon as the ones before it are on their way.
        stream::iter(unaccepted)
            .for_each_concurrent(CONCURRENT_MAX, |due| {
                let (outbox, is_closing) = (&outbox, closing.contains(&due.election_id));
                async move { carry_one(outbox, due, is_closing).await }
            })
            .await;
        ask_after(&outbox, accepted, &closing).await;
    }
}

async fn carry_one(outbox: &Outbox, due: Due, is_closing: bool) {
    // On the chain that is proven here: what holds it is written down, and nothing later can.
    if outbox.follower.tip().height >= due.expiry_height {
        sign_again(outbox, &due).await;
        return;
    }
    let Some(bytes) = transaction_of(outbox, &due).await else {
        return;
    };
    let Ok(transaction) = Transaction::from_bytes(&bytes) else {
        tracing::error!(
            sequence = due.sequence,
            "a recorded transaction cannot be read"
        );
        return;
    };
    match outbox.client.submit(bytes.clone()).await {
        Ok(submitted) => {
            crash::point("carried");
            outbox.lines.submitted(&transaction, &due.transaction_id);
            let (by, height) = (submitted.validator, outbox.height());
            outbox.pending.accepted(&due.transaction_id, by, height);
        }
        Err(SubmitError::Refused(refusal))
            if !outbox.waits_for_heights(&transaction, refusal.code) =>
        {
            if judge(outbox, &due, bytes, is_closing).await != Some(false) {
                return;
            }
            // An acknowledged ballot is given up on nobody's word but that of all, where a later block may
            // tell otherwise; whatever else refuses it, the chain will show.
            let may_change = refusal.code.may_change();
            if !may_change || refusal.validators < outbox.witnesses(refusal.code) {
                tracing::debug!(transaction_id = %short(&due.transaction_id), %refusal, "a refusal waits for more validators, or for the chain");
                return;
            }
            // Where that cannot be told, a later round asks again.
            let id = &due.transaction_id;
            if outbox.settle_if_on_chain(id, due.expiry_height).await == Some(false) {
                refuse(outbox, &due, &transaction, refusal.code, refusal.message).await;
            }
        }
        Err(error) => {
            tracing::debug!(%error, "a recorded vote waits for a validator");
            // One that leaves out its answer holds no close up.
            if is_closing {
                judge(outbox, &due, bytes, is_closing).await;
            }
        }
    }
}

/// Ends a submission where the proven chain holds it, or can never hold it. Returns whether it did;
/// nothing where that cannot be told now.
async fn judge(outbox: &Outbox, due: &Due, bytes: Vec<u8>, is_closing: bool) -> Option<bool> {
    let transaction = Transaction::from_bytes(&bytes).ok()?;
    // Who closes an election adds nobody to its roll; what was added before may not be
    // executed here yet, and without a quorum nobody tells.
    let roll = match is_closing && outbox.knows_head() && outbox.levels.has_quorum() {
        true => RollChanges::Fixed,
        false => RollChanges::Grows,
    };
    match outbox.judge(bytes, roll).await {
        Ok(Judgement::Open) => Some(false),
        Ok(Judgement::Stands) => {
            let id = &due.transaction_id;
            outbox.settle_if_on_chain(id, due.expiry_height).await
        }
        Ok(Judgement::Refused(refusal)) => {
            refuse(outbox, due, &transaction, refusal.code, refusal.message).await;
            Some(true)
        }
        Err(error) => {
            tracing::warn!(%error, "a recorded vote cannot be judged");
            None
        }
    }
}

/// Records that the chain refuses a submission, unless it does so for holding this very ballot.
async fn refuse(
    outbox: &Outbox,
    due: &Due,
    transaction: &Transaction,
    code: RefusalCode,
    reason: String,
) {
    let id = &due.transaction_id;
    if code == RefusalCode::AlreadyVoted {
        match outbox.settle_as_on_chain(id, transaction).await {
            Ok(None) => {}
            Ok(Some(_)) => return,
            Err(error) => return asked_again(&error),
        }
    }
    let code = code.as_str();
    tracing::info!(transaction_id = %short(id), %code, "a recorded vote was refused by the chain");
    // A failed write is tried again in a later round.
    let _ = outbox.refuse(id, code, reason).await;
}

/// What a later round asks again could not be told now.
fn asked_again(error: &LookError) {
    tracing::warn!(%error, "what the chain holds of a recorded vote cannot be told now");
}

/// The recorded transaction; nothing where it is settled by now, or cannot be read.
async fn transaction_of(outbox: &Outbox, due: &Due) -> Option<Vec<u8>> {
    open_submission(outbox, due).await.map(|s| s.transaction)
}

/// The recorded submission; nothing where it is settled by now, or cannot be read.
async fn open_submission(outbox: &Outbox, due: &Due) -> Option<Submission> {
    match outbox.store.by_sequence(due.sequence).await {
        Ok(Some(submission)) => match ended::settled(&outbox.client, submission.clone()) {
            None => Some(submission),
            Some(settled) => {
                // Another backend was faster to record it.
                outbox.pending.settle(due.sequence, &settled);
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
async fn ask_after(outbox: &Outbox, due: Vec<Due>, closing: &HashSet<u64>) {
    if due.is_empty() {
        return;
    }
    let ids: Vec<Hash> = due.iter().map(|due| due.transaction_id).collect();
    // Where nobody tells, the proven chain still does.
    let statuses = outbox.client.transaction_statuses(&ids).await;
    let mut overdue = Vec::new();
    for (due, status) in due.into_iter().zip(statuses) {
        match status.unwrap_or(TransactionStatus::Pending) {
            TransactionStatus::Pending if outbox.height() <= due.expiry_height => {}
            // Said by one validator: the block itself tells, when it is followed.
            TransactionStatus::Confirmed { .. } => {}
            // Lost, refused or expired: carried again, which tells.
            TransactionStatus::Pending
            | TransactionStatus::Unknown
            | TransactionStatus::Rejected { .. } => outbox.pending.lost(&due.transaction_id),
        }
        let is_closing = closing.contains(&due.election_id);
        let patience = match is_closing {
            true => OVERDUE_AT_CLOSE,
            false => OVERDUE,
        };
        let taken = due.taken;
        if taken.is_some_and(|taken| taken.is_overdue(outbox.height(), patience)) {
            overdue.push((due, is_closing));
        }
    }
    overdue.truncate(OVERDUE_MAX);
    look_after(outbox, overdue).await;
}

/// Looks after what a validator took long ago and no block holds: that one may keep it to itself,
/// whatever it says. The proven chain judges it, and what can still stand in a block is offered to
/// every validator.
async fn look_after(outbox: &Outbox, overdue: Vec<(Due, bool)>) {
    let mut offered = Vec::new();
    let mut transactions = Vec::new();
    for (due, is_closing) in overdue {
        let Some(bytes) = transaction_of(outbox, &due).await else {
            continue;
        };
        if judge(outbox, &due, bytes.clone(), is_closing).await == Some(false) {
            offered.push(due.transaction_id);
            transactions.push(bytes);
        }
    }
    if transactions.is_empty() {
        return;
    }
    let validators = outbox.client.offer_to_all(&transactions).await;
    let count = transactions.len();
    tracing::info!(
        count,
        validators,
        "votes that wait for a block were offered to every validator"
    );
    for id in &offered {
        outbox.pending.offered(id, outbox.height());
    }
}

/// Signs a submission again whose transaction has expired without landing.
///
/// Every block up to its expiry was proven and executed here, so the old transaction is on none of
/// them and can be on none after.
async fn sign_again(outbox: &Outbox, due: &Due) {
    // Where that cannot be told, a later round asks again.
    let id = &due.transaction_id;
    if outbox.settle_if_on_chain(id, due.expiry_height).await != Some(false) {
        return;
    }
    let Some(submission) = open_submission(outbox, due).await else {
        return;
    };
    let Ok(old) = Transaction::from_bytes(&submission.transaction) else {
        return;
    };
    if submission.transaction_id != due.transaction_id {
        // It was, and this was read before.
        let (id, expiry) = (submission.transaction_id, old.body.expiry_height);
        return outbox.pending.replace(due.sequence, id, expiry);
    }
    if old.signer != outbox.registrar.public() {
        // Only the voter could sign it again.
        let reason = "the signed transaction expired before it reached the chain".to_owned();
        let code = RefusalCode::Expired.as_str();
        let _ = outbox.refuse(id, code, reason).await;
        return;
    }
    match outbox.settle_as_on_chain(id, &old).await {
        Ok(None) => {}
        // Confirmed under another transaction.
        Ok(Some(_)) => return,
        Err(error) => return asked_again(&error),
    }
    match replaced(outbox, due, &old).await {
        Ok(None) => {}
        Ok(Some((code, reason))) => {
            let _ = outbox.refuse(id, code.as_str(), reason.to_owned()).await;
            return;
        }
        Err(error) => return asked_again(&error),
    }
    // With the numbers that it had: the voter may know it by one, and its place is what it was.
    let body = old.body;
    let body = outbox.ballot_body(body.payload, Some(body.nonce), body.sequence);
    let transaction = Transaction::sign(body, &outbox.registrar);
    let bytes = transaction.to_bytes();
    let id = Hash::of(&bytes);
    let expiry = transaction.body.expiry_height;
    match outbox
        .store
        .sign_again(due.sequence, id, bytes, expiry)
        .await
    {
        Ok(()) => {
            tracing::info!(old = %short(&due.transaction_id), new = %short(&id), "an expired vote was signed again");
        }
        Err(error) => tracing::warn!(%error, "an expired vote could not be signed again"),
    }
}

/// Why an expired submission would change what the voter did since: the chain holds another ballot of
/// the voter, which stands for good or was cast later. Nothing where it would not.
async fn replaced(
    outbox: &Outbox,
    due: &Due,
    old: &Transaction,
) -> Result<Option<(RefusalCode, &'static str)>, LookError> {
    let Some(standing) = outbox.standing_of(old).await? else {
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
    let known = outbox
        .store
        .by_transaction(&standing.transaction_id)
        .await?;
    let is_older = known.is_some_and(|known| known.sequence < due.sequence);
    let reason = "the chain holds a ballot that this voter cast later";
    Ok((!is_older).then_some((RefusalCode::Superseded, reason)))
}
