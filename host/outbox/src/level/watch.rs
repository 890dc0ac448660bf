//! Observing what the level of service is computed from, and announcing its changes.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tabella_client::{Client, HealthStatus};
use tokio::{
    sync::{broadcast, watch},
    time::MissedTickBehavior,
};

use super::{BLOCK_PROVES, Seen, Service};
use crate::{listener::Listener, local_ledger::LocalLedger, pending::Pending, store::Store};

/// Pause between two looks where nothing happens.
const LOOK: Duration = Duration::from_millis(250);

/// The service now, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// What was observed.
    pub seen: Seen,
    /// What it means.
    pub service: Service,
    /// Since when the level is this one, in Unix milliseconds.
    pub level_since_ms: u64,
    /// Since when there is a quorum, or is not, in Unix milliseconds.
    pub quorum_since_ms: u64,
}

impl Now {
    /// Whether ballots are confirmed.
    pub fn has_quorum(&self) -> bool {
        self.service.quorum.is_present()
    }
}

/// What earlier looks found.
#[derive(Debug, Default)]
struct Before {
    /// The newest block that came, and when.
    block: Option<(u64, Instant)>,
    /// The height that validators spoke of when too few of them were left.
    height_at_loss: Option<u64>,
}

/// The level of service as it changes.
pub struct Levels {
    client: Client,
    store: Store,
    pending: Arc<Pending>,
    local: LocalLedger,
    listener: Arc<dyn Listener>,
    before: Mutex<Before>,
    now: watch::Sender<Now>,
}

impl Levels {
    /// Nothing was observed yet: until the first look, validators are taken to be there.
    pub(crate) fn new(
        client: Client,
        store: Store,
        pending: Arc<Pending>,
        local: LocalLedger,
        listener: Arc<dyn Listener>,
    ) -> Self {
        let seen = Seen {
            members: 0,
            threshold: 0,
            healthy: 0,
            able: 0,
            is_connected: true,
            block_age: None,
            is_block_after_loss: false,
            is_waiting: false,
            has_database: true,
            has_local_ledger: true,
        };
        let now = Now {
            seen,
            service: seen.service(),
            level_since_ms: tabella_clock::now_ms(),
            quorum_since_ms: tabella_clock::now_ms(),
        };
        Self {
            client,
            store,
            pending,
            local,
            listener,
            before: Mutex::default(),
            now: watch::Sender::new(now),
        }
    }

    /// Whether there was a quorum at the last look.
    pub fn has_quorum(&self) -> bool {
        self.now.borrow().has_quorum()
    }

    /// Resolves once there is no quorum; at once where there is none now.
    pub(crate) async fn quorum_lost(&self) {
        let mut now = self.now.subscribe();
        if now.wait_for(|now| !now.has_quorum()).await.is_err() {
            // The sender lives as long as this.
            std::future::pending::<()>().await;
        }
    }

    fn block_came(&self, height: u64) {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        before.block = Some((height, Instant::now()));
    }

    /// Looks at everything once more, and announces what has changed.
    pub fn look(&self) -> Now {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = self.observe(&mut before);
        let service = seen.service();
        let earlier = *self.now.borrow();
        let now_ms = tabella_clock::now_ms();
        let since = |is_same: bool, earlier_ms: u64| if is_same { earlier_ms } else { now_ms };
        let has_same_quorum = earlier.has_quorum() == service.quorum.is_present();
        let now = Now {
            seen,
            service,
            level_since_ms: since(
                earlier.service.level == service.level,
                earlier.level_since_ms,
            ),
            quorum_since_ms: since(has_same_quorum, earlier.quorum_since_ms),
        };
        self.now.send_replace(now);
        drop(before);
        if earlier.service != service {
            self.announce(&earlier, &now);
        }
        now
    }

    /// Says in the log and to whoever follows the events that the service has changed.
    fn announce(&self, earlier: &Now, now: &Now) {
        let level = now.service.level.number();
        let has_quorum = now.has_quorum();
        let meaning = now.seen.meaning(self.client.current_validators().quorum);
        // 0 takes nothing: it is the last of the levels.
        let rank = |level: u8| if level == 0 { u8::MAX } else { level };
        let is_worse = rank(level) > rank(earlier.service.level.number())
            || (earlier.has_quorum() && !has_quorum);
        if is_worse {
            tracing::warn!(level, has_quorum, "service is at level {level}: {meaning}");
        } else {
            tracing::info!(level, has_quorum, "service is at level {level}: {meaning}");
        }
        self.listener.level(level, has_quorum, meaning);
    }

    fn observe(&self, before: &mut Before) -> Seen {
        let set = self.client.current_validators();
        let state = self.client.blockchain_state();
        let (mut healthy, mut able) = (0, 0);
        for member in state.health.members(&set) {
            healthy += usize::from(member.status == HealthStatus::Healthy);
            able += usize::from(member.status != HealthStatus::Unreachable && member.signing);
        }
        let threshold = set.threshold();
        let known_height = state
            .claimed_height
            .unwrap_or_default()
            .max(self.client.tip().borrow().map_or(0, |tip| tip.height));
        before.height_at_loss = match able >= threshold {
            true => None,
            false => before.height_at_loss.or(Some(known_height)),
        };
        let block_age = before.block.map(|(_, came)| came.elapsed());
        let is_old = block_age.is_none_or(|age| age >= BLOCK_PROVES);
        Seen {
            members: set.validators.len(),
            threshold,
            healthy,
            able,
            is_connected: self.client.is_connected(),
            block_age,
            is_block_after_loss: match (before.block, before.height_at_loss) {
                (Some((height, _)), Some(at_loss)) => height > at_loss,
                _ => false,
            },
            // Looked up only where it matters.
            is_waiting: is_old && self.pending.is_held_longer_than(BLOCK_PROVES),
            has_database: self.store.is_healthy(),
            has_local_ledger: self.local.is_open(),
        }
    }
}

/// Keeps the level of service up to date until the backend ends.
pub(crate) async fn watch(levels: Arc<Levels>) {
    let mut blocks = levels.client.subscribe_blocks();
    let mut health = levels.client.health_changes();
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            block = blocks.recv() => match block {
                Ok(block) => levels.block_came(block.height()),
                // The next one comes at once.
                Err(broadcast::error::RecvError::Lagged(_)) => continue,
                // The client has ended, and the backend with it.
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            },
            changed = health.changed() => {
                if changed.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            _ = tick.tick() => {}
        }
        levels.look();
    }
}
