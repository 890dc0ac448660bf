//! Taking transactions in: vet, admit, make durable, relay.

use std::{sync::Arc, time::Instant};

use prometheus_client::registry::Registry;
use tabella_clock::now_ms;
use tabella_consensus::Worth;
use tabella_http_server::metrics::Durations;
use tabella_ledger::{Refusal, Vetted};
use tabella_protocol::{Hash, rpc::RefusalCode, rpc::TransactionStatus};
use tokio::sync::Notify;

use crate::{
    journal::Journal,
    pool::{Judged, Pool},
    relay::Relay,
    stop::Stop,
};

/// Takes transactions from clients and peers and holds them until they are on the chain.
pub(crate) struct Intake {
    pool: Arc<Pool>,
    journal: Journal,
    /// Wakes whoever waits for something to decide.
    pub(crate) work: Notify,
    pub(crate) relay: Relay,
    stop: Stop,
    vet_time: Durations,
}

impl Intake {
    /// Sets up the intake and takes up what the journal holds from before.
    pub(crate) async fn start(
        pool: Arc<Pool>,
        journal: Journal,
        held: Vec<Vec<u8>>,
        stop: Stop,
    ) -> Arc<Self> {
        let relay = Relay::new(Arc::clone(&pool));
        let intake = Arc::new(Self {
            pool,
            journal,
            work: Notify::new(),
            relay,
            stop,
            vet_time: Durations::default(),
        });
        if !held.is_empty() {
            tracing::info!(
                transactions = held.len(),
                "taking up the mempool from the journal"
            );
            let pool = Arc::clone(&intake.pool);
            let resumed = tokio::task::spawn_blocking(move || pool.resume(held, now_ms()));
            match resumed.await {
                Ok(Ok(forget)) => intake.forget(forget).await,
                Ok(Err(error)) => intake.stop.fail(error),
                Err(panic) => intake.stop.fail(panic),
            }
        }
        intake
    }

    /// Takes transactions from a client. Each answer says that the transaction is durable here (or
    /// on the chain), or why it is refused. The same transaction again answers the same.
    pub(crate) async fn submit(&self, transactions: Vec<Vec<u8>>) -> Vec<Result<Hash, Refusal>> {
        let count = transactions.len();
        let unavailable =
            |message| vec![Err(Refusal::new(RefusalCode::Unavailable, message)); count];
        let Some(judged) = self.judge(transactions).await else {
            return unavailable("the validator had to stop; ask another");
        };
        let submitted = self.pool.submit(judged, now_ms());
        self.relay.offer(&submitted.fresh);
        // A transaction that came again while its first copy is being written is answered with it:
        // the journal keeps the order of what it is asked to write.
        let fresh = submitted.fresh.iter();
        let writes = fresh.map(|vetted| (vetted.id(), Arc::clone(vetted.bytes())));
        if submitted.answers.iter().any(Result::is_ok)
            && !self.journal.insert(writes.collect()).await
        {
            return unavailable("the validator is stopping");
        }
        if !submitted.fresh.is_empty() {
            self.work.notify_waiters();
        }
        submitted.answers
    }

    /// Takes transactions that another validator relays.
    pub(crate) async fn take_relayed(&self, transactions: Vec<Vec<u8>>) -> Worth {
        let unknown = self.pool.unknown(transactions);
        if unknown.is_empty() {
            return Worth::Sound;
        }
        let Some(judged) = self.judge(unknown).await else {
            return Worth::Sound;
        };
        let worth = self.pool.take_relayed(judged, now_ms());
        self.work.notify_waiters();
        worth
    }

    /// Judges transactions off the async threads; `None` when the node has to stop.
    async fn judge(&self, transactions: Vec<Vec<u8>>) -> Option<Vec<Judged>> {
        let pool = Arc::clone(&self.pool);
        let started = Instant::now();
        let judged = tokio::task::spawn_blocking(move || pool.judge(transactions)).await;
        self.vet_time.observe(started.elapsed());
        match judged {
            Ok(Ok(judged)) => Some(judged),
            Ok(Err(error)) => {
                self.stop.fail(error);
                None
            }
            Err(panic) => {
                self.stop
                    .fail(format!("judging a transaction failed: {panic}"));
                None
            }
        }
    }

    /// Shows in `registry` how long checking and storing take.
    pub(crate) fn register(&self, registry: &mut Registry) {
        self.vet_time.register(
            registry,
            "transactions_vet",
            "Checking a batch of new transactions: signatures, rolls, rules in the sandbox",
        );
        self.journal.commit_time.register(
            registry,
            "journal_commit",
            "Writing accepted transactions to the mempool's journal, synced to disk",
        );
    }

    /// Whether anything waits for a block.
    pub(crate) fn is_empty(&self) -> bool {
        self.pool.len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.pool.len()
    }

    pub(crate) fn get(&self, id: &Hash) -> Option<Vetted> {
        self.pool.get(id)
    }

    /// Lets the journal forget what is on the chain or can never be.
    pub(crate) async fn forget(&self, journaled: Vec<Hash>) {
        self.journal.remove(journaled).await;
    }

    /// What is known here of a transaction that is not on the chain.
    pub(crate) fn status(&self, id: &Hash) -> TransactionStatus {
        self.pool.status(id)
    }
}

#[cfg(test)]
mod tests {
    use tabella_protocol::{Revote, Transaction};

    use super::*;
    use crate::{mempool::Bounds, testing::Fixture};

    const BOUNDS: Bounds = Bounds {
        transactions_max: 100,
        bytes_max: 1 << 20,
    };

    async fn start(fixture: &Fixture) -> Arc<Intake> {
        let stop = Stop::default();
        let path = fixture.directory.path().join("mempool.redb");
        let (journal, held) = Journal::open(&path, stop.clone()).unwrap();
        let pool = Arc::new(Pool::new(Arc::clone(&fixture.ledger), BOUNDS));
        Intake::start(pool, journal, held, stop).await
    }

    #[tokio::test]
    async fn accepted_transactions_wait_again_after_a_restart_unless_they_are_on_the_chain() {
        let fixture = Fixture::new(Revote::Refuse);
        let ballots: Vec<_> = (1..=3).map(|n| fixture.ballot(n, 0)).collect();
        let intake = start(&fixture).await;
        let answers = intake.submit(ballots.clone()).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(
            intake.submit(ballots.clone()).await,
            answers,
            "the same again"
        );
        drop(intake);

        fixture.commit_bytes(&ballots[0]);
        let intake = start(&fixture).await;
        let waiting: Vec<_> = intake
            .pool
            .candidates(10)
            .iter()
            .map(|v| v.bytes().to_vec())
            .collect();
        assert_eq!(waiting, ballots[1..]);
        assert_eq!(
            intake.submit(ballots.clone()).await,
            answers,
            "one is on the chain now"
        );
        assert_eq!(intake.len(), 2);
    }

    #[tokio::test]
    async fn refusals_come_back_in_place_and_leave_nothing() {
        let fixture = Fixture::new(Revote::Refuse);
        let intake = start(&fixture).await;
        let (good, again) = (fixture.ballot(1, 0), fixture.ballot(1, 1));
        let answers = intake
            .submit(vec![b"garbage".to_vec(), good.clone(), again])
            .await;
        let codes: Vec<_> = answers
            .iter()
            .map(|a| a.as_ref().map_err(|refusal| refusal.code))
            .collect();
        assert_eq!(
            codes,
            [
                Err(RefusalCode::MalformedTransaction),
                Ok(&Hash::of(&good)),
                Err(RefusalCode::AlreadyVoted)
            ]
        );
        assert_eq!(intake.len(), 1);
    }

    #[tokio::test]
    async fn a_relayed_transaction_of_a_later_version_is_passed_over_and_no_garbage() {
        let fixture = Fixture::new(Revote::Refuse);
        let intake = start(&fixture).await;
        let mut later = fixture.ballot(1, 0);
        later[0] = Transaction::ORDERED_BATCHED + 1;
        let relayed = vec![later.clone(), fixture.ballot(2, 0)];
        assert_eq!(intake.take_relayed(relayed).await, Worth::Sound);
        assert_eq!(intake.len(), 1);
        // A version that never was is one's own, and a client learns of either.
        later[0] = 0;
        assert_eq!(
            intake.take_relayed(vec![later.clone()]).await,
            Worth::Garbage
        );
        later[0] = Transaction::ORDERED_BATCHED + 1;
        let answers = intake.submit(vec![later]).await;
        let refusal = answers[0].as_ref().unwrap_err();
        assert_eq!(refusal.code, RefusalCode::MalformedTransaction);
    }

    #[tokio::test]
    async fn a_relayed_transaction_becomes_durable_when_a_client_brings_it() {
        let fixture = Fixture::new(Revote::Refuse);
        let intake = start(&fixture).await;
        let ballot = fixture.ballot(1, 0);
        let relayed = vec![ballot.clone(), b"\x01garbage".to_vec()];
        assert_eq!(intake.take_relayed(relayed).await, Worth::Garbage);
        assert_eq!(intake.len(), 1);
        // A second ballot of the voter is refused, but an honest peer may not know of the first yet.
        let other = vec![fixture.ballot(1, 1)];
        assert_eq!(intake.take_relayed(other).await, Worth::Sound);
        assert_eq!(intake.len(), 1);
        assert!(intake.submit(vec![ballot.clone()]).await[0].is_ok());
        drop(intake);
        assert_eq!(start(&fixture).await.len(), 1);
    }
}
