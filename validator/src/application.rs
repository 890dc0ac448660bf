//! What consensus drives: builds, checks and commits blocks.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tabella_consensus::{
    Application, BuiltBlock, Checked, Fatal, Handle, HeightStart, UndecidedBlock,
};
use tabella_ledger::{BuildLimits, ExecutedBlock, Ledger, Tip};
use tabella_protocol::{
    Ack, Block, CommitCertificate, Evidence, Hash, PublicKey, SigningKey, codec, rpc::Standing,
};
use tokio::{sync::watch, time::Instant};

use crate::{
    clock::now_ms, evidence::EvidenceLog, intake::Intake, metrics::Metrics,
    peer_message::PeerMessage, undecided::Undecided,
};

/// Blocks of one height that are held executed; a later one is executed again when it is decided.
const EXECUTED_MAX: usize = 16;

/// How long a node that stops signing stays connected, so that the others hear why.
pub(crate) const HALT_GRACE: Duration = Duration::from_secs(1);

/// The application behind consensus.
pub(crate) struct Validator {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) undecided: Arc<Undecided>,
    pub(crate) evidence: Arc<EvidenceLog>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) key: SigningKey,
    pub(crate) build_limits: BuildLimits,
    pub(crate) idle_block: Duration,
    /// The newest committed block, for whoever follows the chain.
    pub(crate) tip: watch::Sender<Tip>,
    pub(crate) consensus: std::sync::OnceLock<Handle>,
    /// Blocks of the height being decided, executed on the tip.
    pub(crate) executed: Mutex<BTreeMap<Hash, ExecutedBlock>>,
    /// The height being decided, and since when.
    pub(crate) deciding: Mutex<Option<(u64, Instant)>>,
    /// When this node last committed a block since it started.
    pub(crate) last_commit: Mutex<Option<Instant>>,
}

#[async_trait]
impl Application for Validator {
    async fn start(&self) -> Result<HeightStart, Fatal> {
        Ok(self.height_start())
    }

    async fn build(&self, height: u64, round: u32) -> Result<BuiltBlock, Fatal> {
        self.refuse_when_halted().await?;
        let own = self.key.public();
        let stored = self.blocking({
            let undecided = Arc::clone(&self.undecided);
            move || {
                let stored = undecided.list(height, round).map_err(Fatal::new)?;
                let Some(block) = stored.iter().find(|block| block.proposer == own) else {
                    return Ok(None);
                };
                let body = undecided
                    .body(height, &block.block_hash)
                    .map_err(Fatal::new)?;
                Ok(body.map(|body| BuiltBlock {
                    block_hash: block.block_hash,
                    body: body.into(),
                }))
            }
        });
        if let Some(built) = stored.await? {
            return Ok(built);
        }
        let candidates = self.intake.candidates(self.build_limits.transactions_max);
        let (ledger, undecided) = (Arc::clone(&self.ledger), Arc::clone(&self.undecided));
        let limits = self.build_limits;
        let started = Instant::now();
        let built = self.blocking(move || {
            let built = ledger
                .build(own, now_ms(), &candidates, limits)
                .map_err(Fatal::new)?;
            let block = &built.block;
            undecided
                .store(height, round, own, block.hash(), block.bytes())
                .map_err(Fatal::new)?;
            Ok(built)
        });
        let built = built.await?;
        self.metrics.build_time.observe(started.elapsed());
        let answer = BuiltBlock {
            block_hash: built.block.hash(),
            body: Bytes::copy_from_slice(built.block.bytes()),
        };
        self.hold(built.block);
        self.intake.remove_refused(built.refused).await;
        Ok(answer)
    }

    async fn check(
        &self,
        height: u64,
        round: u32,
        proposer: PublicKey,
        body: Bytes,
    ) -> Result<Checked, Fatal> {
        self.refuse_when_halted().await?;
        let held = block_hash(&body).filter(|hash| self.lock_executed().contains_key(hash));
        let (ledger, undecided) = (Arc::clone(&self.ledger), Arc::clone(&self.undecided));
        let intake = Arc::clone(&self.intake);
        let started = Instant::now();
        let checked = self.blocking(move || {
            if let Some(hash) = held {
                undecided.store(height, round, proposer, hash, &body).map_err(Fatal::new)?;
                return Ok((Checked::Valid(hash), None));
            }
            let Some(hash) = block_hash(&body) else { return Ok((Checked::Undecodable, None)) };
            match ledger.check(&body, |id| intake.get(id)).map_err(Fatal::new)? {
                Ok(block) => {
                    undecided.store(height, round, proposer, hash, &body).map_err(Fatal::new)?;
                    Ok((Checked::Valid(hash), Some(block)))
                }
                Err(invalid) => {
                    tracing::warn!(height, round, %proposer, block = %hash, %invalid, "invalid block proposed");
                    Ok((Checked::Invalid(hash), None))
                }
            }
        });
        let (checked, block) = checked.await?;
        self.metrics.check_time.observe(started.elapsed());
        if let Some(block) = block {
            self.hold(block);
        }
        Ok(checked)
    }

    async fn undecided(&self, height: u64, round: u32) -> Result<Vec<UndecidedBlock>, Fatal> {
        // What a round starts with.
        self.deciding(height);
        let undecided = Arc::clone(&self.undecided);
        self.blocking(move || undecided.list(height, round).map_err(Fatal::new))
            .await
    }

    async fn undecided_body(&self, height: u64, block_hash: Hash) -> Result<Option<Bytes>, Fatal> {
        let undecided = Arc::clone(&self.undecided);
        let body = move || undecided.body(height, &block_hash).map_err(Fatal::new);
        Ok(self.blocking(body).await?.map(Bytes::from))
    }

    async fn commit(&self, certificate: CommitCertificate) -> Result<HeightStart, Fatal> {
        let height = certificate.height;
        if let Some(took) = self.decided_after(height) {
            self.metrics.decide_time.observe(took);
        }
        let block = self.take_executed(&certificate).await?;
        let ids = block.transaction_ids().to_vec();
        let ledger = Arc::clone(&self.ledger);
        let started = Instant::now();
        let committed =
            self.blocking(move || ledger.commit(block, &certificate).map_err(Fatal::new));
        let tip = committed.await?;
        self.metrics.commit_time.observe(started.elapsed());
        self.metrics.transactions.add(ids.len() as u64);
        self.lock_executed().clear();
        *self
            .last_commit
            .lock()
            .expect("no holder of this lock panics") = Some(Instant::now());
        self.acknowledge(height, &tip)?;
        let found = self.evidence.take_early(&self.ledger);
        self.tell(found);
        self.note_membership(height);
        self.intake.remove_included(&ids).await;
        self.tip.send_replace(tip);
        tracing::debug!(height, block = %tip.block_hash, transactions = ids.len(), "block committed");
        Ok(self.height_start())
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
        let ledger = Arc::clone(&self.ledger);
        let stored = self
            .blocking(move || ledger.block(height).map_err(Fatal::new))
            .await?;
        Ok(stored.map(|stored| (stored.certificate, stored.bytes.into())))
    }

    async fn history_min_height(&self) -> Result<u64, Fatal> {
        self.ledger.lowest_height().map_err(Fatal::new)
    }

    async fn evidence(&self, evidence: Vec<Evidence>) -> Result<(), Fatal> {
        let new = evidence
            .into_iter()
            .filter_map(|evidence| self.evidence.take(&self.ledger, evidence));
        self.tell(new.collect());
        Ok(())
    }

    async fn message(&self, from: PublicKey, message: Bytes) {
        match PeerMessage::from_bytes(&message) {
            Ok(PeerMessage::Transactions(transactions)) => {
                self.intake.take_relayed(transactions).await;
            }
            Ok(PeerMessage::Ack(ack)) => self.take_ack(ack),
            Ok(PeerMessage::Evidence(evidence)) => {
                let new = self.evidence.take(&self.ledger, *evidence);
                self.tell(new.into_iter().collect());
            }
            Ok(PeerMessage::Certificate(certificate)) => {
                let new = self.evidence.take_certificate(&self.ledger, certificate);
                self.tell(new.into_iter().collect());
            }
            Err(error) => {
                self.metrics.peer_garbage.add(1);
                tracing::debug!(%from, %error, "malformed message of a peer dropped");
            }
        }
    }
}

impl Validator {
    /// When this node last committed a block since it started.
    pub(crate) fn last_commit(&self) -> Option<Instant> {
        *self
            .last_commit
            .lock()
            .expect("no holder of this lock panics")
    }

    /// Notes when a height started; its later rounds change nothing.
    fn deciding(&self, height: u64) {
        let mut deciding = self.deciding.lock().expect("no holder of this lock panics");
        if deciding.is_none_or(|(known, _)| known != height) {
            *deciding = Some((height, Instant::now()));
        }
    }

    /// How long this height was being decided here, where it started here at all.
    fn decided_after(&self, height: u64) -> Option<Duration> {
        let deciding = *self.deciding.lock().expect("no holder of this lock panics");
        deciding
            .filter(|(known, _)| *known == height)
            .map(|(_, since)| since.elapsed())
    }

    fn height_start(&self) -> HeightStart {
        let height = self.ledger.tip().height + 1;
        let history = self.ledger.validators();
        HeightStart {
            height,
            quorum: history.at(height).quorum,
            validators: self.ledger.proposers(),
            followers: history.followers(height),
        }
    }

    /// What this node is to its network now.
    pub(crate) fn standing(&self) -> Standing {
        let history = self.ledger.validators();
        let own = self.key.public();
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
        let own = self.key.public();
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

    /// Tells the others what was found, and what stands here at a contested height.
    fn tell(&self, found: Vec<Evidence>) {
        let Some(consensus) = self.consensus.get() else {
            return;
        };
        for evidence in found {
            let height = evidence.height();
            let contested = matches!(evidence, Evidence::Acks { .. } | Evidence::Fork { .. });
            // Both are far below the longest message; one that is lost is found by others.
            let _ = consensus.broadcast(PeerMessage::Evidence(Box::new(evidence)).to_bytes());
            let own = contested.then(|| self.ledger.block(height));
            if let Some(Ok(Some(own))) = own {
                let _ = consensus.broadcast(PeerMessage::Certificate(own.certificate).to_bytes());
            }
        }
    }

    /// Runs work that computes or touches the disk off the async threads.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Fatal> + Send + 'static,
    ) -> Result<T, Fatal> {
        tokio::task::spawn_blocking(work)
            .await
            .map_err(Fatal::new)?
    }

    fn lock_executed(&self) -> std::sync::MutexGuard<'_, BTreeMap<Hash, ExecutedBlock>> {
        self.executed.lock().expect("no holder of this lock panics")
    }

    fn hold(&self, block: ExecutedBlock) {
        let mut executed = self.lock_executed();
        // A slow check may end after its height was committed.
        if block.header().parent == self.ledger.tip().block_hash && executed.len() < EXECUTED_MAX {
            executed.insert(block.hash(), block);
        }
    }

    /// The decided block, executed: as held, or from its stored body.
    async fn take_executed(&self, certificate: &CommitCertificate) -> Result<ExecutedBlock, Fatal> {
        let (height, hash) = (certificate.height, certificate.block_hash);
        if let Some(block) = self.lock_executed().remove(&hash) {
            return Ok(block);
        }
        let (ledger, undecided) = (Arc::clone(&self.ledger), Arc::clone(&self.undecided));
        let intake = Arc::clone(&self.intake);
        self.blocking(move || {
            let body = undecided
                .body(height, &hash)
                .map_err(Fatal::new)?
                .ok_or_else(|| Fatal::new(format!("decided block {hash} was never stored here")))?;
            let checked = ledger
                .check(&body, |id| intake.get(id))
                .map_err(Fatal::new)?;
            // The others executed it and agreed; this node cannot follow them.
            checked.map_err(|invalid| {
                Fatal::new(format!(
                    "block {hash} was decided, but is invalid here: {invalid}"
                ))
            })
        })
        .await
    }

    /// Signs and spreads the ack of a block that is durable now.
    fn acknowledge(&self, height: u64, tip: &Tip) -> Result<(), Fatal> {
        let history = self.ledger.validators();
        if !history.at(height).contains(&self.key.public()) {
            return Ok(());
        }
        let genesis = self.ledger.genesis_hash();
        let ack = Ack::sign(&genesis, height, tip.block_hash, tip.state_root, &self.key);
        self.ledger.add_ack(ack.clone()).map_err(Fatal::new)?;
        if let Some(consensus) = self.consensus.get() {
            // An ack is far below the longest message; a lost one only weakens receipts.
            let _ = consensus.broadcast(PeerMessage::Ack(ack).to_bytes());
        }
        Ok(())
    }

    /// Keeps another validator's ack where it agrees with this chain, and raises the alarm where not.
    fn take_ack(&self, ack: Ack) {
        let known = self
            .ledger
            .validators()
            .at(ack.height)
            .contains(&ack.validator);
        if !known || !ack.verify(&self.ledger.genesis_hash()) {
            self.metrics.peer_garbage.add(1);
            return;
        }
        let new = self.evidence.take_ack(&self.ledger, ack);
        self.tell(new.into_iter().collect());
    }
}

/// The hash of the header that a body starts with, where it is a block at all.
fn block_hash(body: &[u8]) -> Option<Hash> {
    codec::decode::<Block>(body, body.len())
        .ok()
        .map(|block| block.header.hash())
}
