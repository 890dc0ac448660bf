//! What the actors of one node and its handle know together.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_malachitebft_network::PeerId;
use tabella_protocol::PublicKey;
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, Span, info, warn};

use crate::{Fatal, RunError, peers::public_key};

/// Refused messages of peers are logged at most this often.
const REFUSED_LOG_INTERVAL: Duration = Duration::from_secs(10);

pub(crate) struct Shared {
    /// Where the configuration says to listen.
    pub(crate) listen: SocketAddr,
    /// Cancelled when the node stops.
    pub(crate) stop: CancellationToken,
    /// True once every actor of the engine listens to the others.
    pub(crate) wired: watch::Sender<bool>,
    /// Work of the application in progress.
    pub(crate) tasks: TaskTracker,
    span: Span,
    failures: mpsc::Sender<RunError>,
    listening: watch::Sender<Option<SocketAddr>>,
    height: AtomicU64,
    round: AtomicU32,
    /// The next height, once peers were seen to work on it or on a later one.
    peers_ahead: watch::Sender<u64>,
    /// What allowed peers said of their own heights.
    peer_tips: Mutex<BTreeMap<PublicKey, u64>>,
    connected: Mutex<BTreeSet<PeerId>>,
    allowed: RwLock<BTreeSet<PublicKey>>,
    refused: AtomicU64,
    /// What each peer sent and this node dropped since it was last asked.
    refused_of: Mutex<BTreeMap<PeerId, u32>>,
    /// How often a peer was cut off because it went beyond a limit.
    cut_off: AtomicU64,
    refused_logged: Mutex<Option<Instant>>,
}

impl Shared {
    /// Also answers where the first failure will be told.
    pub(crate) fn new(listen: SocketAddr, span: Span) -> (Self, mpsc::Receiver<RunError>) {
        let (failures, failed) = mpsc::channel(1);
        let shared = Self {
            listen,
            stop: CancellationToken::new(),
            wired: watch::Sender::new(false),
            tasks: TaskTracker::new(),
            span,
            failures,
            listening: watch::Sender::new(None),
            height: AtomicU64::new(0),
            round: AtomicU32::new(0),
            peers_ahead: watch::Sender::new(0),
            peer_tips: Mutex::default(),
            connected: Mutex::default(),
            allowed: RwLock::default(),
            refused: AtomicU64::new(0),
            refused_of: Mutex::default(),
            cut_off: AtomicU64::new(0),
            refused_logged: Mutex::default(),
        };
        (shared, failed)
    }

    /// Ends the node with an error; only the first one is told.
    pub(crate) fn fail(&self, error: RunError) {
        if !self.stop.is_cancelled() {
            let _ = self.failures.try_send(error);
        }
    }

    /// Runs work of the application beside the actors; its failure, or a panic, ends the node.
    pub(crate) fn spawn(
        self: &std::sync::Arc<Self>,
        work: impl Future<Output = Result<(), Fatal>> + Send + 'static,
    ) {
        let shared = self.clone();
        let work = tokio::spawn(work.instrument(self.span.clone()));
        self.tasks.spawn(async move {
            match work.await {
                Ok(Ok(())) => {}
                Ok(Err(fatal)) => shared.fail(RunError::Application(fatal)),
                Err(panic) => shared.fail(RunError::Application(Fatal::new(panic))),
            }
        });
    }

    pub(crate) fn listening(&self, address: SocketAddr) {
        self.listening.send_if_modified(|known| {
            let first = known.is_none();
            known.get_or_insert(address);
            first
        });
    }

    /// Waits until the network listens.
    pub(crate) async fn listen_address(&self) -> Option<SocketAddr> {
        let mut listening = self.listening.subscribe();
        let address = listening.wait_for(Option::is_some).await.ok()?;
        *address
    }

    pub(crate) fn started_round(&self, height: u64, round: u32) {
        self.height.store(height, Ordering::Relaxed);
        self.round.store(round, Ordering::Relaxed);
    }

    pub(crate) fn height(&self) -> u64 {
        self.height.load(Ordering::Relaxed)
    }

    pub(crate) fn round(&self) -> u32 {
        self.round.load(Ordering::Relaxed)
    }

    /// Peers were seen to work on `height`, or claim to.
    pub(crate) fn peers_at(&self, height: u64) {
        let current = self.height();
        if height > current {
            // Only the next height is noted, whatever a peer claims, so that no single message can
            // make this node hurry through later ones.
            let next = current.saturating_add(1);
            self.peers_ahead
                .send_if_modified(|noted| std::mem::replace(noted, next) != next);
        }
    }

    /// A peer says that it has committed `height`.
    pub(crate) fn peer_tip(&self, peer: &PeerId, height: u64) {
        if let Some(key) = public_key(peer) {
            lock(&self.peer_tips).insert(key, height);
        }
    }

    pub(crate) fn peer_tips(&self) -> BTreeMap<PublicKey, u64> {
        lock(&self.peer_tips).clone()
    }

    /// Waits until peers work on `height` or beyond, while the height before is this node's.
    pub(crate) async fn peers_reach(&self, height: u64) {
        // The sender lives in `self`, so this never fails.
        let _ = self
            .peers_ahead
            .subscribe()
            .wait_for(|noted| *noted == height)
            .await;
    }

    pub(crate) fn connected(&self, peer: PeerId) {
        if lock(&self.connected).insert(peer)
            && let Some(key) = public_key(&peer)
        {
            info!(validator = %key, "peer connected");
        }
    }

    pub(crate) fn disconnected(&self, peer: &PeerId) {
        if lock(&self.connected).remove(peer)
            && let Some(key) = public_key(peer)
        {
            info!(validator = %key, "peer disconnected");
        }
    }

    pub(crate) fn connected_peers(&self) -> Vec<PublicKey> {
        lock(&self.connected)
            .iter()
            .filter_map(public_key)
            .collect()
    }

    pub(crate) fn set_allowed(&self, allowed: BTreeSet<PublicKey>) {
        *self.allowed.write().unwrap_or_else(PoisonError::into_inner) = allowed;
    }

    pub(crate) fn allows(&self, key: &PublicKey) -> bool {
        self.allowed
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(key)
    }

    /// Counts what a peer should not have sent, and logs it, but not every time.
    pub(crate) fn refuse(&self, peer: &PeerId, reason: &dyn std::fmt::Display) {
        if let Some(key) = public_key(peer)
            && self.allows(&key)
        {
            // Of strangers nothing is kept: there is no end of them.
            let mut refused_of = lock(&self.refused_of);
            let count = refused_of.entry(*peer).or_default();
            *count = count.saturating_add(1);
        }
        self.drop_message(peer, reason);
    }

    /// Counts what a peer sent and this node dropped, whoever is to blame, and logs it.
    pub(crate) fn drop_message(&self, peer: &PeerId, reason: &dyn std::fmt::Display) {
        let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        let mut logged = lock(&self.refused_logged);
        if logged.is_none_or(|at| at.elapsed() >= REFUSED_LOG_INTERVAL) {
            *logged = Some(Instant::now());
            warn!(%peer, %reason, refused, "dropped what a peer sent");
        }
    }

    /// What was refused of each peer since the last call.
    pub(crate) fn take_refused(&self) -> BTreeMap<PeerId, u32> {
        std::mem::take(&mut *lock(&self.refused_of))
    }

    pub(crate) fn cut_off(&self) {
        self.cut_off.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn times_cut_off(&self) -> u64 {
        self.cut_off.load(Ordering::Relaxed)
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// Plain data stays usable when a holder of the lock panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
