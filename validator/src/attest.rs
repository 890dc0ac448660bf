//! Tallying closed elections and attesting the result on the chain.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tabella_ledger::{Election, ElectionTallyError, Ledger, Tip};
use tabella_protocol::{
    Hash, Payload, SigningKey, Transaction, TransactionBody, rpc::ElectionStatus,
};
use tokio::{sync::watch, time::Instant};

use crate::{intake::Intake, stop::Stop};

/// An attestation that is not on the chain after this long is sent again.
const RETRY: Duration = Duration::from_secs(10);
/// How many heights an attestation stays valid.
const EXPIRY_HEIGHTS: u64 = 10_000;

/// Follows the chain; tallies what closes, outside block execution, and attests it.
pub(crate) async fn attest_results(
    ledger: Arc<Ledger>,
    intake: Arc<Intake>,
    key: SigningKey,
    mut tip: watch::Receiver<Tip>,
    stop: Stop,
) {
    let mut attempts: BTreeMap<u64, Instant> = BTreeMap::new();
    loop {
        let is_validator = ledger.next_validators().contains(&key.public());
        for election in ledger.elections() {
            let attested = election
                .attestations()
                .any(|(by, _, _)| *by == key.public());
            let closed = matches!(
                election.status(),
                ElectionStatus::Closed | ElectionStatus::Final
            );
            if !closed || attested || !is_validator {
                attempts.remove(&election.id());
                continue;
            }
            let retry = attempts
                .get(&election.id())
                .is_none_or(|at| at.elapsed() >= RETRY);
            if retry {
                attempts.insert(election.id(), Instant::now());
                attest(&ledger, &intake, &key, election, &stop).await;
            }
        }
        if tip.changed().await.is_err() {
            return;
        }
    }
}

async fn attest(
    ledger: &Arc<Ledger>,
    intake: &Intake,
    key: &SigningKey,
    election: Arc<Election>,
    stop: &Stop,
) {
    let id = election.id();
    let tallying = tokio::task::spawn_blocking({
        let ledger = Arc::clone(ledger);
        move || {
            if let Some(tally) = ledger.stored_tally(election.id())? {
                return Ok(tally);
            }
            let started = std::time::Instant::now();
            let tally = ledger.tally(&election)?;
            ledger.store_tally(&tally)?;
            let ballots = tally.attestation.board_size;
            tracing::info!(election = election.id(), ballots, took = ?started.elapsed(), "tallied");
            Ok(tally)
        }
    });
    let attestation = match tallying.await {
        Ok(Ok(tally)) => tally.attestation,
        Ok(Err(ElectionTallyError::Ledger(error))) => return stop.fail(error),
        Ok(Err(error @ ElectionTallyError::Rule { .. })) => {
            // Every honest validator fails alike: there is no result to attest.
            tracing::error!(election = id, %error, "the rule cannot count this board");
            return;
        }
        Err(panic) => return stop.fail(format!("tallying election {id} failed: {panic}")),
    };
    let chain_id = ledger.genesis().chain_id;
    let ahead = EXPIRY_HEIGHTS.min(ledger.genesis().expiry_heights_max);
    let expiry_height = ledger.tip().height + ahead;
    let body = TransactionBody::new(chain_id, expiry_height, Payload::AttestResult(attestation));
    let transaction = Transaction::sign(body, key);
    for answer in intake.submit(vec![transaction.to_bytes()]).await {
        match answer {
            Ok(transaction) => log_sent(id, transaction),
            Err(refusal) => {
                tracing::warn!(election = id, %refusal, "attestation refused");
            }
        }
    }
}

fn log_sent(election: u64, transaction: Hash) {
    tracing::info!(election, %transaction, "result attested");
}
