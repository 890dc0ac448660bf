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
use tabella_protocol::{PublicKey, Quorum};
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, Span, info, warn};

use crate::{Fatal, RunError, peers::public_key};

/// How long a height lasts after its decision at least, where fewer validators have gone on than may lie: an
/// idle network is slowed down by that, and one liar makes empty blocks no faster.
const FEW_AHEAD_PAUSE: Duration = Duration::from_millis(500);

/// Refused messages of peers are logged at most this often.
const REFUSED_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Validators that work on a height that this node has not started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ahead {
    /// This node's next height.
    height: u64,
    /// Whether there are more of them than may be missing: one at least is honest.
    is_enough: bool,
}

/// The validators of a height.
#[derive(Default)]
struct Validators {
    keys: BTreeSet<PublicKey>,
    /// How many of them a quorum can do without.
    missing_max: usize,
}

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
    /// The next height, once validators were seen to work on it or on a later one.
    ahead: watch::Sender<Ahead>,
    /// The greatest height that each validator was seen to work on.
    works_on: Mutex<BTreeMap<PublicKey, u64>>,
    validators: RwLock<Validators>,
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
            ahead: watch::Sender::default(),
            works_on: Mutex::default(),
            validators: RwLock::default(),
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
        self.note_ahead();
    }

    pub(crate) fn height(&self) -> u64 {
        self.height.load(Ordering::Relaxed)
    }

    pub(crate) fn round(&self) -> u32 {
        self.round.load(Ordering::Relaxed)
    }

    /// A peer was seen to work on `height`, or claims to.
    pub(crate) fn peer_at(&self, peer: &PeerId, height: u64) {
        let Some(key) = public_key(peer) else { return };
        if height <= self.height() || !self.validators().keys.contains(&key) {
            return;
        }
        let known = lock(&self.works_on).insert(key, height);
        if known.is_none_or(|known| known <= self.height()) {
            self.note_ahead();
        }
    }

    fn note_ahead(&self) {
        let current = self.height();
        let ahead = {
            let validators = self.validators();
            let works_on = lock(&self.works_on);
            let ahead = works_on
                .iter()
                .filter(|(key, height)| **height > current && validators.keys.contains(key));
            match ahead.count() {
                0 => return,
                count => Ahead {
                    height: current.saturating_add(1),
                    is_enough: count > validators.missing_max,
                },
            }
        };
        self.ahead
            .send_if_modified(|noted| std::mem::replace(noted, ahead) != ahead);
    }

    /// Says who decides the next height.
    pub(crate) fn set_validators(&self, quorum: Quorum, keys: &[PublicKey]) {
        let keys: BTreeSet<_> = keys.iter().copied().collect();
        lock(&self.works_on).retain(|key, _| keys.contains(key));
        let missing_max = quorum.tolerates_crashed(keys.len());
        let validators = Validators { keys, missing_max };
        *self
            .validators
            .write()
            .unwrap_or_else(PoisonError::into_inner) = validators;
    }

    fn validators(&self) -> std::sync::RwLockReadGuard<'_, Validators> {
        self.validators
            .read()
            .unwrap_or_else(PoisonError::into_inner)
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

    /// Waits until validators work on `height` or beyond, while the height before is this node's. As many as
    /// may lie do not make this node hurry: for fewer than that it waits [`FEW_AHEAD_PAUSE`] at least.
    pub(crate) async fn peers_reach(&self, height: u64) {
        let pause = tokio::time::sleep(FEW_AHEAD_PAUSE);
        // The sender lives in `self`, so waiting never fails.
        let (mut some, mut enough) = (self.ahead.subscribe(), self.ahead.subscribe());
        let is_enough = |ahead: &Ahead| ahead.height == height && ahead.is_enough;
        let few = async {
            pause.await;
            let _ = some.wait_for(|ahead| ahead.height == height).await;
        };
        tokio::select! {
            _ = enough.wait_for(is_enough) => {}
            () = few => {}
        }
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

#[cfg(test)]
mod tests {
    use tabella_protocol::SigningKey;

    use super::*;
    use crate::peers::peer_id;

    const HEIGHT: u64 = 7;

    fn key(n: u8) -> PublicKey {
        SigningKey::from_seed([n; 32]).public()
    }

    /// How long a node of so many validators waits at the end of [`HEIGHT`], if these peers claim a height.
    async fn waits(validators: u8, claims: &[(u8, u64)]) -> Option<Duration> {
        let (shared, _) = Shared::new(([127, 0, 0, 1], 0).into(), Span::none());
        let keys: Vec<_> = (1..=validators).map(key).collect();
        let quorum = if validators < 4 {
            Quorum::Majority
        } else {
            Quorum::Bft
        };
        shared.set_validators(quorum, &keys);
        shared.started_round(HEIGHT, 0);
        for (peer, height) in claims {
            shared.peer_at(&peer_id(&key(*peer)), *height);
        }
        let began = tokio::time::Instant::now();
        let wait = tokio::time::timeout(Duration::from_secs(10), shared.peers_reach(HEIGHT + 1));
        wait.await.ok().map(|()| began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn as_many_as_may_lie_do_not_make_a_node_hurry() {
        let liar = [(4, u64::MAX), (4, HEIGHT + 1)];
        let waited = waits(4, &liar).await.expect("it is woken");
        assert!(waited >= FEW_AHEAD_PAUSE, "{waited:?}");
        let waited = waits(3, &[(3, HEIGHT + 1)]).await.expect("it is woken");
        assert!(waited >= FEW_AHEAD_PAUSE, "{waited:?}");
        // One that is no validator makes nobody do anything.
        assert_eq!(
            waits(4, &[(5, u64::MAX), (6, u64::MAX), (7, u64::MAX)]).await,
            None
        );
        assert_eq!(waits(4, &[(2, HEIGHT), (3, HEIGHT), (4, 0)]).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_goes_on_with_the_others() {
        let others = [(3, HEIGHT + 1), (4, HEIGHT + 9)];
        assert_eq!(waits(4, &others).await, Some(Duration::ZERO));
        assert_eq!(waits(2, &[(2, HEIGHT + 1)]).await, Some(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn peers_that_are_several_heights_ahead_are_so_at_each() {
        let (shared, _) = Shared::new(([127, 0, 0, 1], 0).into(), Span::none());
        shared.set_validators(Quorum::Bft, &[key(1), key(2), key(3), key(4)]);
        shared.started_round(HEIGHT, 0);
        for peer in [2, 3] {
            shared.peer_at(&peer_id(&key(peer)), HEIGHT + 3);
        }
        for height in HEIGHT..HEIGHT + 3 {
            shared.started_round(height, 0);
            let began = tokio::time::Instant::now();
            shared.peers_reach(height + 1).await;
            assert_eq!(began.elapsed(), Duration::ZERO);
        }
    }
}
