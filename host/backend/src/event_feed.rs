//! Tells followers what happens.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tabella_client::{Client, HealthStatus, VerifiedBlock};
use tabella_follower::Follower;
use tabella_outbox::elections::{Election, Elections};
use tabella_protocol::rpc::ElectionStatus;
use tokio::{sync::broadcast, time::MissedTickBehavior};

use crate::{
    clock,
    events::{Event, Events},
};

/// Pause between two looks at the elections.
const TURNOUT_PERIOD: Duration = Duration::from_secs(1);

/// What followers are told of.
pub(crate) struct Feed {
    pub(crate) client: Client,
    pub(crate) follower: Follower,
    pub(crate) elections: Arc<Elections>,
    pub(crate) events: Arc<Events>,
}

/// Tells what happens, until the backend ends.
pub(crate) async fn tell(feed: Feed) {
    let mut blocks = feed.client.subscribe_blocks();
    let mut health = feed.client.health_changes();
    let mut look = tokio::time::interval(TURNOUT_PERIOD);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut statuses = HashMap::new();
    let mut turnouts = HashMap::new();
    let mut has_changed = true;
    tell_statuses(&feed, &mut statuses);
    loop {
        tokio::select! {
            block = blocks.recv() => match block {
                Ok(block) => {
                    has_changed |= block.header.transaction_count > 0;
                    feed.events.tell(|| block_event(&block));
                }
                // Followers see by the numbers that blocks are missing.
                Err(broadcast::error::RecvError::Lagged(_)) => has_changed = true,
                // The client has ended, and the backend with it.
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            },
            changed = health.changed() => match changed {
                Ok(()) => tell_statuses(&feed, &mut statuses),
                Err(_) => std::future::pending().await,
            },
            _ = look.tick() => {
                if has_changed && feed.events.subscribers() > 0 {
                    // Blocks that are certified and not executed yet change it later.
                    has_changed = feed.follower.progress().behind() > 0;
                    tell_turnouts(&feed, &mut turnouts);
                }
            }
        }
    }
}

fn block_event(block: &VerifiedBlock) -> Event {
    Event::Block {
        number: block.height(),
        hash: block.hash,
        timestamp: clock::rfc3339(block.header.timestamp_ms),
        transactions: block.header.transaction_count,
    }
}

fn tell_statuses(feed: &Feed, known: &mut HashMap<String, HealthStatus>) {
    for validator in feed.client.health().validators {
        let (node_id, status) = (validator.endpoint.node_id, validator.status);
        if known.insert(node_id.clone(), status) != Some(status) {
            feed.events.tell(|| Event::Validator { node_id, status });
        }
    }
}

fn tell_turnouts(feed: &Feed, known: &mut HashMap<u64, (ElectionStatus, u64)>) {
    for Election { view, .. } in feed.elections.all() {
        let (election_id, status, turnout) = (view.election_id, view.status, view.turnout);
        if known.insert(election_id, (status, turnout)) != Some((status, turnout)) {
            feed.events.tell(|| Event::Turnout {
                election_id,
                status,
                turnout,
            });
        }
    }
}
