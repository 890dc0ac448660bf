//! What consensus drives: runs the [`Replica`] off the async threads, and tells everybody else what
//! came of it.

use std::{
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tabella_consensus::{
    Application, BuiltBlock, Checked, Equivocation, Fatal, Handle, HeightStart, UndecidedBlock,
};
use tabella_ledger::{Ledger, Tip};
use tabella_protocol::{CommitCertificate, Hash, PublicKey};
use tokio::{sync::watch, time::Instant};

use crate::{
    clock::now_ms, evidence::EvidenceLog, intake::Intake, metrics::Metrics,
    peer_message::PeerMessage, replica::Replica,
};

/// How often the newest ack is said again.
const ACK_INTERVAL: Duration = Duration::from_secs(2);

/// The application behind consensus.
pub(crate) struct Validator {
    pub(crate) replica: Arc<Replica>,
    /// The replica's chain, to be read.
    pub(crate) ledger: Arc<Ledger>,
    /// The replica's evidence, to be read.
    pub(crate) evidence: Arc<EvidenceLog>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) idle_block: Duration,
    /// The newest committed block, for whoever follows the chain.
    pub(crate) tip: watch::Sender<Tip>,
    pub(crate) consensus: OnceLock<Handle>,
    /// When this node last committed a block since it started.
    pub(crate) last_commit: Mutex<Option<Instant>>,
}

#[async_trait]
impl Application for Validator {
    async fn start(&self) -> Result<HeightStart, Fatal> {
        Ok(self.replica.height_start())
    }

    async fn build(&self, height: u64, round: u32) -> Result<BuiltBlock, Fatal> {
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
        let started = Instant::now();
        let checked = self.blocking(move |replica| replica.check(height, round, proposer, &body));
        let checked = checked.await?;
        self.metrics.check_time.observe(started.elapsed());
        Ok(checked)
    }

    async fn undecided(&self, height: u64, round: u32) -> Result<Vec<UndecidedBlock>, Fatal> {
        self.blocking(move |replica| replica.undecided(height, round))
            .await
    }

    async fn undecided_body(&self, height: u64, block_hash: Hash) -> Result<Option<Bytes>, Fatal> {
        self.blocking(move |replica| replica.undecided_body(height, &block_hash))
            .await
    }

    async fn commit(&self, certificate: CommitCertificate) -> Result<HeightStart, Fatal> {
        let started = Instant::now();
        let committed = self.blocking(move |replica| replica.commit(&certificate));
        let committed = committed.await?;
        let tip = committed.tip;
        self.metrics.commit_time.observe(started.elapsed());
        self.metrics.transactions.add(committed.transactions as u64);
        *self
            .last_commit
            .lock()
            .expect("no holder of this lock panics") = Some(Instant::now());
        if let Some(consensus) = self.consensus.get() {
            // An ack is far below the longest message; the newest one is said again.
            let _ = consensus.broadcast(PeerMessage::Ack(committed.ack).to_bytes());
        }
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
        let last = self.last_commit().unwrap_or_else(Instant::now);
        let idle = tokio::time::sleep_until(last + self.idle_block);
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

    async fn evidence(&self, equivocations: Vec<Equivocation>) -> Result<(), Fatal> {
        for equivocation in equivocations {
            tracing::error!(
                validator = %equivocation.validator(),
                height = equivocation.height(),
                "a validator signed contradicting consensus messages"
            );
            self.metrics.evidence.add(1);
        }
        Ok(())
    }

    async fn message(&self, from: PublicKey, message: Bytes) {
        match PeerMessage::from_bytes(&message) {
            Ok(PeerMessage::Transactions(transactions)) => {
                self.intake.take_relayed(transactions).await;
            }
            Ok(PeerMessage::Ack(ack)) => {
                if !self.replica.take_ack(ack) {
                    self.metrics.peer_garbage.add(1);
                }
            }
            Err(error) => {
                self.metrics.peer_garbage.add(1);
                tracing::debug!(%from, %error, "malformed message of a peer dropped");
            }
        }
    }
}

impl Validator {
    /// Says this node's newest ack again, now and then, until the node stops.
    pub(crate) async fn repeat_acks(&self) {
        let mut period = tokio::time::interval(ACK_INTERVAL);
        loop {
            period.tick().await;
            if let (Some(consensus), Some(ack)) = (self.consensus.get(), self.replica.tip_ack()) {
                // An ack is far below the longest message.
                let _ = consensus.broadcast(PeerMessage::Ack(ack).to_bytes());
            }
        }
    }

    /// When this node last committed a block since it started.
    pub(crate) fn last_commit(&self) -> Option<Instant> {
        *self
            .last_commit
            .lock()
            .expect("no holder of this lock panics")
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
