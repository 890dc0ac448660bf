//! Taking transactions in: vet, admit, make durable, relay.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Instant,
};

use rayon::prelude::*;
use tabella_consensus::Handle;
use tabella_ledger::{Ledger, Refusal, VetError, Vetted};
use tabella_protocol::{
    Hash,
    rpc::{RefusalCode, TransactionStatus},
};
use tokio::sync::Notify;

use crate::{
    clock::now_ms,
    journal::Journal,
    mempool::{Bounds, Known, Mempool, Origin},
    metrics::{Timing, Timings},
    peer_message::PeerMessage,
    stop::Stop,
};

/// A transaction that has waited this long at the validator that took it is relayed again.
const OVERDUE_MS: u64 = 2_000;
/// Most transactions relayed again at once.
const OVERDUE_MAX: usize = 500;

/// Takes transactions from clients and peers and holds them until they are on the chain.
pub(crate) struct Intake {
    ledger: Arc<Ledger>,
    mempool: Mutex<Mempool>,
    journal: Journal,
    /// Wakes whoever waits for something to decide.
    pub(crate) work: Notify,
    consensus: OnceLock<Handle>,
    stop: Stop,
    vet_time: Timing,
}

impl Intake {
    /// Sets up the mempool and takes up what the journal holds from before.
    pub(crate) async fn start(
        ledger: Arc<Ledger>,
        journal: Journal,
        held: Vec<Vec<u8>>,
        bounds: Bounds,
        stop: Stop,
    ) -> Arc<Self> {
        let intake = Arc::new(Self {
            ledger,
            mempool: Mutex::new(Mempool::new(bounds)),
            journal,
            work: Notify::new(),
            consensus: OnceLock::new(),
            stop,
            vet_time: Timing::default(),
        });
        if !held.is_empty() {
            tracing::info!(
                transactions = held.len(),
                "taking up the mempool from the journal"
            );
            // They are durable already: what is refused now is on the chain or can no longer be.
            let results = intake.judge(held).await;
            let (admitted, refused): (Vec<_>, Vec<_>) =
                results.into_iter().partition(|(_, result)| result.is_ok());
            let mut gone = Vec::new();
            {
                let mut mempool = intake.lock();
                for (_, vetted) in admitted {
                    if let Ok(vetted) = vetted {
                        let _ = mempool.insert(vetted, Origin::Client, now_ms());
                    }
                }
                for (id, result) in refused {
                    gone.push(id);
                    if let Err(refusal) = result
                        && refusal.code != RefusalCode::AlreadyIncluded
                    {
                        mempool.refuse(vec![(id, refusal)]);
                    }
                }
            }
            intake.journal.remove(gone).await;
        }
        intake
    }

    /// Connects the intake to consensus, so that it relays.
    pub(crate) fn connect(&self, consensus: Handle) {
        // Set once, at start.
        let _ = self.consensus.set(consensus);
    }

    /// Takes transactions from a client. Each answer says that the transaction is durable here (or
    /// on the chain), or why it is refused. The same transaction again answers the same.
    pub(crate) async fn submit(&self, transactions: Vec<Vec<u8>>) -> Vec<Result<Hash, Refusal>> {
        let judged = self.judge(transactions).await;
        let mut answers = Vec::with_capacity(judged.len());
        let mut fresh = Vec::new();
        {
            let mut mempool = self.lock();
            for (id, result) in judged {
                let result = result.and_then(|vetted| {
                    if mempool.insert(vetted.clone(), Origin::Client, now_ms())? {
                        fresh.push(vetted);
                    }
                    Ok(id)
                });
                answers.push(match result {
                    Err(refusal) if refusal.code == RefusalCode::AlreadyIncluded => Ok(id),
                    result => result,
                });
            }
        }
        self.relay(&fresh);
        // A transaction that came again while its first copy is being written is answered with it:
        // the journal keeps the order of what it is asked to write.
        let writes = fresh
            .iter()
            .map(|vetted| (vetted.id(), Arc::clone(vetted.bytes())));
        if answers.iter().any(Result::is_ok) && !self.journal.insert(writes.collect()).await {
            let refusal = Refusal::new(RefusalCode::Unavailable, "the validator is stopping");
            return answers.iter().map(|_| Err(refusal.clone())).collect();
        }
        if !fresh.is_empty() {
            self.work.notify_waiters();
        }
        answers
    }

    /// Takes transactions that another validator relays. Refusals are the client's and its
    /// validator's business.
    pub(crate) async fn take_relayed(&self, transactions: Vec<Vec<u8>>) {
        let unknown: Vec<_> = {
            let mempool = self.lock();
            let known = |bytes: &Vec<u8>| mempool.known(&Hash::of(bytes)).is_some();
            transactions
                .into_iter()
                .filter(|bytes| !known(bytes))
                .collect()
        };
        if unknown.is_empty() {
            return;
        }
        let judged = self.judge(unknown).await;
        {
            let mut mempool = self.lock();
            for (id, result) in judged {
                let added = result.and_then(|v| mempool.insert(v, Origin::Peer, now_ms()));
                if let Err(refusal) = added {
                    tracing::debug!(transaction = %id, code = ?refusal.code, "relayed transaction refused");
                }
            }
        }
        self.work.notify_waiters();
    }

    /// Vets and admits transactions, in parallel, off the async threads.
    async fn judge(&self, transactions: Vec<Vec<u8>>) -> Vec<(Hash, Result<Vetted, Refusal>)> {
        let ledger = Arc::clone(&self.ledger);
        let known: Vec<_> = {
            let mempool = self.lock();
            transactions
                .iter()
                .map(|bytes| mempool.get(&Hash::of(bytes)))
                .collect()
        };
        let started = Instant::now();
        let judging = tokio::task::spawn_blocking(move || {
            let work = transactions.into_par_iter().zip(known);
            let judged = work.map(|(bytes, known)| match known {
                Some(vetted) => (vetted.id(), Ok(vetted)),
                None => (Hash::of(&bytes), judge_one(&ledger, &bytes)),
            });
            judged.collect::<Vec<_>>()
        });
        let judged = judging.await;
        self.vet_time.observe(started.elapsed());
        let judged = match judged {
            Ok(judged) => judged,
            Err(panic) => {
                self.stop
                    .fail(format!("judging a transaction failed: {panic}"));
                return Vec::new();
            }
        };
        let answer = |(id, result)| match result {
            Ok(vetted) => (id, Ok(vetted)),
            Err(VetError::Refused(refusal)) => (id, Err(refusal)),
            Err(VetError::Ledger(error)) => {
                self.stop.fail(error);
                let message = "the validator had to stop; ask another";
                (id, Err(Refusal::new(RefusalCode::Unavailable, message)))
            }
        };
        judged.into_iter().map(answer).collect()
    }

    fn relay(&self, transactions: &[Vetted]) {
        let Some(consensus) = self.consensus.get() else {
            return;
        };
        for message in PeerMessage::pack(transactions) {
            // Packed to fit; and what is lost here waits for this validator's own turn.
            let _ = consensus.broadcast(message);
        }
    }

    /// Relays again what has waited long, now and then, until the node stops.
    pub(crate) async fn relay_overdue(&self) {
        let mut period = tokio::time::interval(std::time::Duration::from_millis(OVERDUE_MS));
        loop {
            period.tick().await;
            let before = now_ms().saturating_sub(OVERDUE_MS);
            let overdue = self.lock().overdue(before, OVERDUE_MAX);
            self.relay(&overdue);
        }
    }

    /// How long checking and storing took.
    pub(crate) fn timings(&self) -> Timings<'_> {
        Timings {
            vet: &self.vet_time,
            journal_commit: &self.journal.commit_time,
        }
    }

    /// Whether anything waits for a block.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().len() == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn candidates(&self, count_max: usize) -> Vec<Vetted> {
        self.lock().candidates(count_max)
    }

    pub(crate) fn get(&self, id: &Hash) -> Option<Vetted> {
        self.lock().get(id)
    }

    /// Forgets what is on the chain now.
    pub(crate) async fn remove_included(&self, ids: &[Hash]) {
        let journaled = self.lock().remove(ids);
        self.journal.remove(journaled).await;
    }

    /// Forgets what no block can hold any more, but for the reason.
    pub(crate) async fn remove_refused(&self, refused: Vec<(Hash, Refusal)>) {
        let journaled = self.lock().refuse(refused);
        self.journal.remove(journaled).await;
    }

    /// What is known here of a transaction that is not on the chain.
    pub(crate) fn status(&self, id: &Hash) -> TransactionStatus {
        match self.lock().known(id) {
            None => TransactionStatus::Unknown,
            Some(Known::Waiting) => TransactionStatus::Pending,
            Some(Known::Refused(refusal)) => TransactionStatus::Rejected {
                code: refusal.code,
                reason: refusal.message,
            },
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Mempool> {
        self.mempool.lock().expect("no holder of this lock panics")
    }
}

fn judge_one(ledger: &Ledger, bytes: &[u8]) -> Result<Vetted, VetError> {
    let vetted = ledger.vet(bytes)?;
    ledger.admit(&vetted)?;
    Ok(vetted)
}

#[cfg(test)]
mod tests {
    use tabella_protocol::Revote;

    use super::*;
    use crate::testing::Fixture;

    const BOUNDS: Bounds = Bounds {
        transactions_max: 100,
        bytes_max: 1 << 20,
    };

    async fn start(fixture: &Fixture) -> Arc<Intake> {
        let stop = Stop::default();
        let path = fixture.directory.path().join("mempool.redb");
        let (journal, held) = Journal::open(&path, stop.clone()).unwrap();
        Intake::start(Arc::clone(&fixture.ledger), journal, held, BOUNDS, stop).await
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
    async fn a_relayed_transaction_becomes_durable_when_a_client_brings_it() {
        let fixture = Fixture::new(Revote::Refuse);
        let intake = start(&fixture).await;
        let ballot = fixture.ballot(1, 0);
        intake
            .take_relayed(vec![ballot.clone(), b"garbage".to_vec()])
            .await;
        assert_eq!(intake.len(), 1);
        assert!(intake.submit(vec![ballot.clone()]).await[0].is_ok());
        drop(intake);
        assert_eq!(start(&fixture).await.len(), 1);
    }
}
