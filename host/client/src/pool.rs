//! The validators with their health: who is asked next, and what an answer says of them.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Serialize, de::DeserializeOwned};
use tabella_protocol::{
    Genesis, Hash,
    rpc::{EvidenceView, NodeStatus},
};
use tokio::sync::watch;

use crate::{
    HealthReport, HealthStatus, ValidatorEndpoint, ValidatorHealth,
    health::Health,
    log_lines::{LogLines, News, StatusLines},
    transport::{ANSWER_BYTES_MAX, Batch, CallError, Transport, shorten},
};

/// Another validator is asked as well after this many times the usual answer time of the first.
const HEDGE_LATENCIES: u32 = 8;
/// The least delay before another validator is asked as well.
const HEDGE_AFTER_MIN: Duration = Duration::from_millis(150);
/// The greatest delay before another validator is asked as well.
const HEDGE_AFTER_MAX: Duration = Duration::from_secs(1);

/// Where whole blocks are asked for, another validator is asked as well after this many times what they
/// took the last time,
const BLOCKS_HEDGE: u32 = 2;
/// but not sooner,
const BLOCKS_HEDGE_AFTER_MIN: Duration = Duration::from_secs(1);
/// nor later than this.
const BLOCKS_HEDGE_AFTER_MAX: Duration = Duration::from_secs(8);

/// Largest status that is read, in bytes.
const STATUS_BYTES_MAX: usize = 256 << 10;
/// Bytes of what a validator says that a line of the log holds, before control characters are escaped.
const WORDS_BYTES_MAX: usize = 200;
/// Evidence of one validator that is looked at; a chain that needs more has other troubles.
const EVIDENCE_MAX: usize = 256;

/// One validator.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) endpoint: Arc<ValidatorEndpoint>,
    health: Mutex<Health>,
    in_flight: AtomicUsize,
    /// How much evidence it held when that was last read.
    evidence_read: AtomicU64,
    /// How often something that it said was disproved.
    lies: AtomicU64,
    logged: Mutex<StatusLines>,
    /// Of calls that it failed.
    complaints: Mutex<LogLines>,
}

impl Node {
    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn height(&self) -> Option<u64> {
        self.health().height
    }

    /// How long an answer may take before another validator is asked as well.
    pub(crate) fn patience(&self) -> Duration {
        let usual = self.health().latency.unwrap_or_default();
        (usual * HEDGE_LATENCIES).clamp(HEDGE_AFTER_MIN, HEDGE_AFTER_MAX)
    }
}

/// All validators of the network.
#[derive(Debug)]
pub(crate) struct Pool {
    nodes: Vec<Arc<Node>>,
    transport: Transport,
    genesis: Genesis,
    genesis_hash: Hash,
    best_height: AtomicU64,
    /// How long whole blocks took the last time, in milliseconds.
    blocks_took_ms: AtomicU64,
    /// Counts the changes of any validator's status.
    changes: watch::Sender<u64>,
}

impl Pool {
    pub(crate) fn new(
        endpoints: Vec<ValidatorEndpoint>,
        transport: Transport,
        genesis: Genesis,
    ) -> Self {
        let nodes = endpoints.into_iter().map(|mut endpoint| {
            // Paths are appended to it nowhere, but a slash at the end would be a different key
            // in answers that name validators by URL.
            endpoint.rpc_url = endpoint.rpc_url.trim_end_matches('/').to_owned();
            Arc::new(Node {
                endpoint: Arc::new(endpoint),
                health: Mutex::new(Health::unknown()),
                in_flight: AtomicUsize::new(0),
                evidence_read: AtomicU64::new(0),
                lies: AtomicU64::new(0),
                logged: Mutex::new(StatusLines::new(Instant::now())),
                complaints: Mutex::new(LogLines::new(Instant::now())),
            })
        });
        Self {
            nodes: nodes.collect(),
            transport,
            genesis_hash: genesis.hash(),
            genesis,
            best_height: AtomicU64::new(0),
            blocks_took_ms: AtomicU64::new(0),
            changes: watch::Sender::new(0),
        }
    }

    pub(crate) fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// Wakes whenever a validator's status changes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn status(&self, node: &Node) -> HealthStatus {
        node.health()
            .status(self.best_height.load(Ordering::Relaxed))
    }

    /// The height that validators have reached, as far as they said.
    pub(crate) fn best_height(&self) -> Option<u64> {
        let known = self.nodes.iter().any(|node| node.height().is_some());
        known.then(|| self.best_height.load(Ordering::Relaxed))
    }

    /// Records how long a validator took over whole blocks that hold.
    pub(crate) fn blocks_took(&self, took: Duration) {
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.blocks_took_ms.store(took_ms, Ordering::Relaxed);
    }

    /// How long a request for whole blocks may take before another validator is asked as well.
    pub(crate) fn patience_for_blocks(&self) -> Duration {
        let last = Duration::from_millis(self.blocks_took_ms.load(Ordering::Relaxed));
        let patience = last.saturating_mul(BLOCKS_HEDGE);
        patience.clamp(BLOCKS_HEDGE_AFTER_MIN, BLOCKS_HEDGE_AFTER_MAX)
    }

    /// Whether any validator may be called.
    pub(crate) fn any_callable(&self) -> bool {
        self.nodes.iter().any(|node| node.health().is_callable())
    }

    /// Every validator that may be called.
    pub(crate) fn callable(&self) -> Vec<Arc<Node>> {
        let nodes = self.nodes.iter();
        let callable = nodes.filter(|node| node.health().is_callable());
        callable.cloned().collect()
    }

    /// The validator to ask next: healthy before degraded, then the one whose answer is expected
    /// first. None of `tried` is chosen again, nor one whose circuit is open.
    pub(crate) fn pick(&self, tried: &[Arc<Node>]) -> Option<Arc<Node>> {
        let best_height = self.best_height.load(Ordering::Relaxed);
        let candidates = self.nodes.iter().filter_map(|node| {
            let health = node.health();
            if !health.is_callable() || tried.iter().any(|t| Arc::ptr_eq(t, node)) {
                return None;
            }
            let latency = health.latency.unwrap_or(Duration::from_millis(1));
            let in_flight = node.in_flight.load(Ordering::Relaxed);
            let expected = latency.as_micros() * (in_flight as u128 + 1);
            Some(((health.status(best_height), expected), node))
        });
        candidates
            .min_by_key(|(cost, _)| *cost)
            .map(|(_, node)| node.clone())
    }

    /// Calls one method of one validator; its answer, or the lack of one, moves its health.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        node: &Node,
        method: &str,
        params: impl Serialize,
        deadline: Duration,
    ) -> Result<T, CallError> {
        self.call_sized(node, method, params, deadline, ANSWER_BYTES_MAX)
            .await
    }

    /// As [`call`](Self::call), for answers of another size.
    pub(crate) async fn call_sized<T: DeserializeOwned>(
        &self,
        node: &Node,
        method: &str,
        params: impl Serialize,
        deadline: Duration,
        answer_bytes_max: usize,
    ) -> Result<T, CallError> {
        let call = self
            .transport
            .call(&node.endpoint, method, params, deadline, answer_bytes_max);
        self.observe(node, Latency::Ignored, call).await
    }

    /// Sends a batch to one validator.
    pub(crate) async fn batch<T: DeserializeOwned>(
        &self,
        node: &Node,
        batch: Batch,
        deadline: Duration,
        answer_bytes_max: usize,
    ) -> Result<Vec<Result<T, CallError>>, CallError> {
        let call = self
            .transport
            .batch(&node.endpoint, batch, deadline, answer_bytes_max);
        self.observe(node, Latency::Counted, call).await
    }

    /// Asks a validator for its status and records what that says of its health.
    pub(crate) async fn check(&self, node: &Node, deadline: Duration) {
        let call = self.transport.call::<NodeStatus>(
            &node.endpoint,
            "tabella_nodeStatus",
            [(); 0],
            deadline,
            STATUS_BYTES_MAX,
        );
        let Ok(status) = self.observe(node, Latency::Counted, call).await else {
            return;
        };
        if status.genesis != self.genesis_hash {
            self.disproved(node, format!("is of another network, {}", status.genesis));
            return;
        }
        if status.node_id != node.endpoint.node_id {
            self.disproved(node, format!("says it is {:?}", status.node_id));
            return;
        }
        node.health().checked(&status);
        // A lone claim of a great height must not make the others look late: the best height is
        // the second best claim, where there is more than one validator.
        let mut heights: Vec<u64> = self.nodes.iter().filter_map(|n| n.height()).collect();
        heights.sort_unstable_by(|a, b| b.cmp(a));
        let best = heights.get(1).or(heights.first()).copied().unwrap_or(0);
        self.best_height.store(best, Ordering::Relaxed);
        self.publish(node);
        if !node.health().is_callable() {
            // Caught lying: what else it shows is not looked at.
            return;
        }
        let read = node.evidence_read.swap(status.evidence, Ordering::Relaxed);
        if status.evidence > read && self.read_evidence(node, deadline).await.is_err() {
            // Not answered in time; the next check tries again.
            node.evidence_read.store(read, Ordering::Relaxed);
        }
    }

    /// Reads the evidence that a validator holds, and believes what proves itself.
    async fn read_evidence(&self, node: &Node, deadline: Duration) -> Result<(), CallError> {
        let call = self.call::<Vec<EvidenceView>>(node, "tabella_getEvidence", [(); 0], deadline);
        for evidence in call.await?.into_iter().take(EVIDENCE_MAX) {
            let summary = match evidence.file.verify(&self.genesis) {
                Ok(summary) => summary,
                Err(error) => {
                    self.disproved(node, format!("holds evidence that proves nothing: {error}"));
                    return Ok(());
                }
            };
            for liar in summary.liars {
                let accused = |node: &&Arc<Node>| node.endpoint.node_id == liar.node_id;
                if let Some(accused) = self.nodes.iter().find(accused) {
                    accused.health().convicted(summary.height);
                    self.publish(accused);
                }
            }
        }
        Ok(())
    }

    /// Records that something a validator said was disproved.
    pub(crate) fn disproved(&self, node: &Node, mut lie: String) {
        shorten(&mut lie);
        node.lies.fetch_add(1, Ordering::Relaxed);
        let is_news = node.health().lied(lie.clone());
        // It is checked on while it is not asked: what it repeats is counted, and not logged again.
        if is_news {
            tracing::warn!(node_id = %node.endpoint.node_id, "{} was caught: {lie}", node.endpoint.node_id);
        }
        self.publish(node);
    }

    /// Logs what a call to a validator came to, in one line that it has no say in the length of, and not
    /// for each call where it fails many.
    pub(crate) fn complain(&self, node: &Node, what: &str, error: &dyn std::fmt::Display) {
        let mut complaints = node
            .complaints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(left_out) = complaints.take(Instant::now()) {
            let node_id = &node.endpoint.node_id;
            tracing::warn!(%node_id, left_out, "{what}: {}", words(error.to_string()));
        }
    }

    /// Records that a validator failed a submission; not where it has too much to do.
    pub(crate) fn failed_submission(&self, node: &Node, error: &CallError) {
        if !error.is_busy() {
            let mut words = format!("takes no submissions: {error}");
            shorten(&mut words);
            node.health().failed_submission(words);
            self.publish(node);
        }
    }

    /// Records that a validator took a submission.
    pub(crate) fn took_submission(&self, node: &Node) {
        node.health().took_submission();
    }

    /// Records that a validator was slower than another would be.
    pub(crate) fn late(&self, node: &Node, fault: String) {
        node.health().late(fault);
        self.publish(node);
    }

    /// The health of every validator.
    pub(crate) fn report(&self) -> HealthReport {
        let best_height = self.best_height.load(Ordering::Relaxed);
        let validators: Vec<ValidatorHealth> = self
            .nodes
            .iter()
            .map(|node| {
                let health = node.health();
                ValidatorHealth {
                    endpoint: (*node.endpoint).clone(),
                    status: health.status(best_height),
                    problem: health.problem(best_height),
                    signing: health.signs(),
                    height: health.height,
                    latency: health.latency,
                    last_seen: health.last_seen,
                    lies: node.lies.load(Ordering::Relaxed),
                }
            })
            .collect();
        let healthy = validators
            .iter()
            .filter(|v| v.status == HealthStatus::Healthy)
            .count();
        HealthReport {
            validators,
            healthy,
        }
    }

    async fn observe<T>(
        &self,
        node: &Node,
        latency: Latency,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let in_flight = InFlight::enter(node);
        let started = Instant::now();
        let result = call.await;
        drop(in_flight);
        match &result {
            Err(error) if error.blames_validator() => node.health().failed(error.to_string()),
            _ => {
                let mut health = node.health();
                let taken = match (latency, health.latency) {
                    // A long poll says nothing of speed.
                    (Latency::Ignored, Some(known)) => known,
                    _ => started.elapsed(),
                };
                health.answered(taken);
            }
        }
        self.publish(node);
        result
    }

    /// Logs and announces a change of status.
    fn publish(&self, node: &Node) {
        let status = self.status(node);
        let news = {
            let mut logged = node.logged.lock().unwrap_or_else(PoisonError::into_inner);
            logged.take(status, Instant::now())
        };
        match news {
            News::No => return,
            News::Unlogged => {}
            News::Logged { left_out } => self.log(node, status, left_out),
        }
        self.changes.send_modify(|count| *count += 1);
    }

    fn log(&self, node: &Node, status: HealthStatus, left_out: u32) {
        let node_id = &node.endpoint.node_id;
        let problem = node
            .health()
            .problem(self.best_height.load(Ordering::Relaxed));
        if left_out > 0 {
            tracing::warn!("{node_id} changed {left_out} times more than is logged");
        }
        match (status, problem) {
            (HealthStatus::Healthy, _) => tracing::info!("{node_id} is healthy"),
            (HealthStatus::Degraded, problem) => {
                tracing::warn!(
                    "{node_id} is degraded: {}",
                    words(problem.unwrap_or_default())
                );
            }
            (HealthStatus::Unreachable, problem) => {
                tracing::warn!(
                    "{node_id} is unreachable: {}",
                    words(problem.unwrap_or_default())
                );
            }
        }
        let report = self.report();
        tracing::info!(
            "validator health check: {}/{} healthy",
            report.healthy,
            report.validators.len()
        );
    }
}

/// What a validator said, as a line of the log holds it.
fn words(mut said: String) -> String {
    said.truncate(said.floor_char_boundary(WORDS_BYTES_MAX));
    said.escape_debug().to_string()
}

#[derive(Clone, Copy)]
enum Latency {
    Counted,
    Ignored,
}

/// Counts a call for as long as it lives, so that a call dropped midway is not counted forever.
struct InFlight<'a>(&'a Node);

impl<'a> InFlight<'a> {
    fn enter(node: &'a Node) -> Self {
        node.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(node)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
