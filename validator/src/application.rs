//! What consensus drives: runs the [`Replica`] off the async threads, and tells everybody else what
//! came of it.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tabella_clock::now_ms;
use tabella_consensus::{
    Application, BuiltBlock, Checked, Fatal, Handle, HeightStart, UndecidedBlock, Worth,
};
use tabella_ledger::{Ledger, Tip};
use tabella_protocol::{
    CommitCertificate, Evidence, Hash, PublicKey, Statement,
    rpc::{BlockView, Standing},
};
use tokio::{sync::watch, time::Instant};

use crate::{
    dissent::Dissent, evidence::EvidenceLog, intake::Intake, metrics::Metrics,
    peer_message::PeerMessage, replica::Replica, witness::Heard,
};

/// After a block of at least this many transactions,
const BUSY_TRANSACTIONS: usize = 32;
/// the next one gathers transactions for this long: what a block costs beside them is shared by more.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// How often the newest ack is said again.
const ACK_INTERVAL: Duration = Duration::from_secs(2);

/// How long a node that stops signing stays connected, so that the others hear why, more than once.
pub(crate) const HALT_GRACE: Duration = Duration::from_secs(5);

/// The application behind consensus.
pub(crate) struct Validator {
    pub(crate) replica: Arc<Replica>,
    /// The replica's chain, to be read.
    pub(crate) ledger: Arc<Ledger>,
    /// The replica's evidence, to be read.
    pub(crate) evidence: Arc<EvidenceLog>,
    /// Whether outcomes of this validator or of others are not the network's.
    pub(crate) dissent: Arc<Dissent>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) idle_block: Duration,
    /// The newest committed block, for whoever follows the chain.
    pub(crate) tip: watch::Sender<Tip>,
    pub(crate) consensus: OnceLock<Handle>,
    /// The height being decided, and since when.
    pub(crate) deciding: Mutex<Option<(u64, Instant)>>,
    /// The block that this node last committed since it started.
    pub(crate) last_commit: Mutex<Option<LastCommit>>,
}

/// A commit, as far as the next height's start depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LastCommit {
    at: Instant,
    transactions: usize,
}

#[async_trait]
impl Application for Validator {
    async fn start(&self) -> Result<HeightStart, Fatal> {
        Ok(self.replica.height_start())
    }

    async fn build(&self, height: u64, round: u32) -> Result<BuiltBlock, Fatal> {
        self.refuse_when_halted().await?;
        let started = Instant::now();
        let built = self.blocking(move |replica| replica.build(height, round, now_ms()));
        let built = built.await?;
        self.metrics.build_time.observe(started.elapsed());
        self.intake.forget(built.forget).await;
        Ok(built.block)
    }

    async fn check(
        &self,
        height: u64,
        round: u32,
        proposer: PublicKey,
        body: Bytes,
    ) -> Result<Checked, Fatal> {
        self.checked(move |replica| replica.check(height, round, proposer, &body))
            .await
    }

    async fn check_proposed(
        &self,
        height: u64,
        round: u32,
        proposer: PublicKey,
        body: Bytes,
    ) -> Result<Checked, Fatal> {
        self.checked(move |replica| {
            replica.check_proposed(height, round, proposer, &body, now_ms())
        })
        .await
    }

    async fn undecided(&self, height: u64, round: u32) -> Result<Vec<UndecidedBlock>, Fatal> {
        // What a round starts with.
        self.deciding(height);
        self.blocking(move |replica| replica.undecided(height, round))
            .await
    }

    async fn undecided_body(&self, height: u64, block_hash: Hash) -> Result<Option<Bytes>, Fatal> {
        self.blocking(move |replica| replica.undecided_body(height, &block_hash))
            .await
    }

    async fn commit(&self, certificate: CommitCertificate) -> Result<HeightStart, Fatal> {
        if let Some(took) = self.decided_after(certificate.height) {
            self.metrics.decide_time.observe(took);
        }
        let started = Instant::now();
        let committed = self.blocking(move |replica| replica.commit(&certificate));
        let committed = committed.await?;
        let tip = committed.tip;
        self.metrics.commit_time.observe(started.elapsed());
        self.metrics
            .transactions
            .inc_by(committed.transactions as u64);
        *self
            .last_commit
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(LastCommit {
            at: Instant::now(),
            transactions: committed.transactions,
        });
        self.broadcast(committed.tell);
        self.note_membership(tip.height);
        self.intake.forget(committed.forget).await;
        self.tip.send_replace(tip);
        tracing::debug!(
            height = tip.height,
            block = %tip.block_hash,
            transactions = committed.transactions,
            "block committed"
        );
        Ok(committed.next)
    }

    async fn next_height(&self) {
        let last = *self
            .last_commit
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let last = last.unwrap_or_else(|| LastCommit {
            at: Instant::now(),
            transactions: 0,
        });
        if last.transactions >= BUSY_TRANSACTIONS {
            tokio::time::sleep_until(last.at + BUSY_PAUSE).await;
        }
        let idle = tokio::time::sleep_until(last.at + self.idle_block);
        tokio::pin!(idle);
        loop {
            // Listening before looking, so that what arrives in between is not missed.
            let work = self.intake.work.notified();
            if !self.intake.is_empty() {
                return;
            }
            tokio::select! {
                () = &mut idle => return,
                () = work => {}
            }
        }
    }

    async fn decided(&self, height: u64) -> Result<Option<(CommitCertificate, Bytes)>, Fatal> {
        self.blocking(move |replica| replica.decided(height)).await
    }

    async fn history_min_height(&self) -> Result<u64, Fatal> {
        self.ledger.lowest_height().map_err(Fatal::new)
    }

    async fn evidence(&self, evidence: Vec<Evidence>) -> Result<(), Fatal> {
        self.take_evidence(evidence).await;
        Ok(())
    }

    fn heard(&self, statement: Statement) {
        let heard = self.replica.witness.hear(statement);
        if heard == Heard::Fine {
            return;
        }
        // Keeping evidence writes a file.
        let (replica, consensus) = (Arc::clone(&self.replica), self.consensus.get().cloned());
        tokio::task::spawn_blocking(move || broadcast(consensus.as_ref(), replica.acted_on(heard)));
    }

    async fn message(&self, from: PublicKey, message: Bytes) -> Worth {
        let worth = match PeerMessage::from_bytes(&message) {
            Ok(PeerMessage::Transactions(transactions)) => {
                self.intake.take_relayed(transactions).await
            }
            Ok(PeerMessage::Ack(ack)) => self.take(move |replica| replica.take_ack(ack)).await,
            Ok(PeerMessage::Evidence(evidence)) => {
                self.take_evidence(vec![*evidence]).await;
                Worth::Sound
            }
            Ok(PeerMessage::Certificate(certificate)) => {
                let take = move |replica: &Replica| Some(replica.take_certificate(certificate));
                self.take(take).await
            }
            Ok(PeerMessage::Statements(statements)) => {
                self.take(move |replica| replica.take_statements(statements))
                    .await
            }
            Err(error) => {
                tracing::debug!(%from, %error, "malformed message of a peer dropped");
                Worth::Garbage
            }
        };
        if worth == Worth::Garbage {
            self.metrics.peer_garbage.inc();
        }
        worth
    }
}

impl Validator {
    /// Takes up blocks that others decided while this node takes no part, as
    /// [`Replica::follow`] does.
    pub(crate) async fn follow(&self, blocks: Vec<BlockView>) -> Result<(), Fatal> {
        let forget = self
            .blocking(move |replica| replica.follow(&blocks))
            .await?;
        self.intake.forget(forget).await;
        self.tip.send_replace(self.ledger.tip());
        Ok(())
    }

    /// Says this node's newest ack again and what it heard, now and then, until the node stops.
    pub(crate) async fn repeat_acks(&self) {
        let mut period = tokio::time::interval(ACK_INTERVAL);
        loop {
            period.tick().await;
            self.broadcast(self.replica.repeated());
        }
    }

    /// Takes what a peer says off the async threads, because what it proves is written to a file; tells the
    /// others what came of it, and answers garbage where nothing is said.
    async fn take(
        &self,
        take: impl FnOnce(&Replica) -> Option<Vec<Bytes>> + Send + 'static,
    ) -> Worth {
        let replica = Arc::clone(&self.replica);
        match tokio::task::spawn_blocking(move || take(&replica)).await {
            Ok(Some(tell)) => {
                self.broadcast(tell);
                Worth::Sound
            }
            Ok(None) => Worth::Garbage,
            Err(error) => {
                tracing::error!(%error, "what a peer said could not be taken");
                Worth::Sound
            }
        }
    }

    /// Keeps evidence that proves something new, and tells the others.
    pub(crate) async fn take_evidence(&self, evidence: Vec<Evidence>) {
        let replica = Arc::clone(&self.replica);
        // What is kept is written to a file.
        let taken = tokio::task::spawn_blocking(move || {
            let taken = evidence.into_iter().map(|e| replica.take_evidence(e));
            taken.flatten().collect::<Vec<_>>()
        });
        match taken.await {
            Ok(tell) => self.broadcast(tell),
            Err(error) => tracing::error!(%error, "evidence could not be taken"),
        }
    }

    fn broadcast(&self, messages: impl IntoIterator<Item = Bytes>) {
        broadcast(self.consensus.get(), messages);
    }

    /// When this node last committed a block since it started.
    pub(crate) fn last_commit(&self) -> Option<Instant> {
        self.last_commit
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .map(|last| last.at)
    }

    /// Notes when a height started; its later rounds change nothing.
    fn deciding(&self, height: u64) {
        let mut deciding = self.deciding.lock().unwrap_or_else(PoisonError::into_inner);
        if deciding.is_none_or(|(known, _)| known != height) {
            *deciding = Some((height, Instant::now()));
        }
    }

    /// How long this height was being decided here, where it started here at all.
    fn decided_after(&self, height: u64) -> Option<Duration> {
        let deciding = *self.deciding.lock().unwrap_or_else(PoisonError::into_inner);
        deciding
            .filter(|(known, _)| *known == height)
            .map(|(_, since)| since.elapsed())
    }

    /// What this node is to its network now.
    pub(crate) fn standing(&self) -> Standing {
        let history = self.ledger.validators();
        let own = self.replica.key.public();
        let is_now = history.at(self.ledger.tip().height + 1).contains(&own);
        match (is_now, history.latest().contains(&own)) {
            _ if !self.evidence.is_signing() => Standing::Halted,
            (true, true) => Standing::Validator,
            (true, false) => Standing::Leaving,
            (false, true) => Standing::Joining,
            (false, false) => Standing::Outside,
        }
    }

    /// A node that must not sign builds and judges nothing any more. It answers when it has left
    /// consensus, so that the engine does not take the answer for a failure.
    async fn refuse_when_halted(&self) -> Result<(), Fatal> {
        if self.evidence.is_signing() {
            return Ok(());
        }
        tokio::time::sleep(2 * HALT_GRACE).await;
        Err(Fatal::new("this validator has stopped signing"))
    }

    /// Says so when this validator joins or leaves with the height after `height`.
    fn note_membership(&self, height: u64) {
        let history = self.ledger.validators();
        let own = self.replica.key.public();
        let (before, after) = (history.at(height), history.at(height + 1));
        if before.from_height == after.from_height {
            return;
        }
        tracing::info!(
            height = height + 1,
            validators = after.validators.len(),
            quorum = after.quorum.name(),
            "the validator set changes"
        );
        match (before.contains(&own), after.contains(&own)) {
            (true, false) => tracing::warn!(
                height = height + 1,
                "this node is no validator from this height on: it votes no more, takes no \
                 transactions, and goes on answering reads"
            ),
            (false, true) => {
                tracing::info!(
                    height = height + 1,
                    "this node is a validator from this height on"
                );
            }
            _ => {}
        }
    }

    /// Checks a body, unless this validator has to stop signing.
    async fn checked(
        &self,
        check: impl FnOnce(&Replica) -> Result<Checked, Fatal> + Send + 'static,
    ) -> Result<Checked, Fatal> {
        self.refuse_when_halted().await?;
        let started = Instant::now();
        let checked = self.blocking(check).await?;
        self.metrics.check_time.observe(started.elapsed());
        Ok(checked)
    }

    /// Runs work that computes or touches the disk off the async threads.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Replica) -> Result<T, Fatal> + Send + 'static,
    ) -> Result<T, Fatal> {
        let replica = Arc::clone(&self.replica);
        tokio::task::spawn_blocking(move || work(&replica))
            .await
            .map_err(Fatal::new)?
    }
}

fn broadcast(consensus: Option<&Handle>, messages: impl IntoIterator<Item = Bytes>) {
    if let Some(consensus) = consensus {
        for message in messages {
            // All are far below the longest message; one that is lost is said again or found by
            // others.
            let _ = consensus.broadcast(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use tabella_ledger::BuildLimits;

    use super::*;
    use crate::{
        stop::Stop,
        testing::{Fixture, key, validator},
    };

    /// Further than any clock may be ahead.
    const FAR_AHEAD_MS: u64 = 3 * 60 * 60 * 1_000;
    const LIMITS: BuildLimits = BuildLimits {
        bytes_max: 1 << 20,
        transactions_max: 10,
    };

    /// What a vote is asked for, and what is said of the same block where others decided it.
    async fn checked(fixture: &Fixture, builder: u8, at_ms: u64) -> (Checked, Checked) {
        let validator = validator(fixture, &Stop::default()).await;
        let height = fixture.ledger.tip().height + 1;
        let proposer = key(builder).public();
        let built = fixture.ledger.build(proposer, at_ms, [], LIMITS).unwrap();
        let body = Arc::clone(built.block.bytes());
        let body = Bytes::from(body.to_vec());
        let proposed = validator.check_proposed(height, 0, proposer, body.clone());
        let proposed = proposed.await.unwrap();
        let decided = validator.check(height, 0, proposer, body).await.unwrap();
        (proposed, decided)
    }

    #[tokio::test]
    async fn no_vote_is_given_to_a_block_from_the_future_which_is_followed_where_it_is_decided() {
        let fixture = Fixture::of_today();
        let timely = checked(&fixture, 1, now_ms()).await;
        assert!(
            matches!(timely, (Checked::Valid(_), Checked::Valid(_))),
            "{timely:?}"
        );
        let pushed = checked(&fixture, 1, now_ms() + FAR_AHEAD_MS).await;
        assert!(
            matches!(pushed, (Checked::Invalid(_), Checked::Valid(_))),
            "{pushed:?}"
        );
    }

    #[tokio::test]
    async fn no_vote_is_given_to_a_block_in_anothers_name() {
        let fixture = Fixture::of_three();
        let order = fixture.ledger.proposers();
        for builder in [1, 2, 3] {
            let found = checked(&fixture, builder, now_ms()).await;
            let has_its_turn = order[0] == key(builder).public();
            assert_eq!(
                matches!(found.0, Checked::Valid(_)),
                has_its_turn,
                "{builder}"
            );
            assert!(matches!(found.1, Checked::Valid(_)), "{builder}: {found:?}");
        }
    }
}
