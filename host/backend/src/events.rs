//! What happens now, for whoever follows: blocks, confirmations, validators' status, the level of
//! service, turnout.
//!
//! Every event is written once and shared by all subscribers in a ring. A subscriber that falls
//! behind the ring is told so and dropped; nothing is kept for it.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use prometheus_client::metrics::counter::Counter;
use serde::Serialize;
use tabella_client::HealthStatus;
use tabella_outbox::{Listener, store::Confirmed};
use tabella_protocol::{Hash, OpenBallots, rpc::ElectionStatus};
use tokio::{
    sync::{broadcast, watch},
    time::Instant,
};

use crate::places::{Place, Places};

/// Events in the ring: about a second of them under load.
const EVENTS_MAX: usize = 128;
/// Pause after which a quiet stream shows that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(crate) enum Event {
    /// A block was committed and verified.
    Block {
        number: u64,
        hash: Hash,
        timestamp: String,
        transactions: u32,
    },
    /// Submissions of this backend stand in a block.
    Confirmations {
        block_number: u64,
        block_hash: Hash,
        /// The ids under which the chain knows them; none where ballots are for readers only, because
        /// with them the headers of blocks tell of choices.
        chain_transaction_ids: Vec<Hash>,
    },
    /// A validator's status changed.
    Validator {
        node_id: String,
        status: HealthStatus,
    },
    /// The level of service changed, or there is a quorum again, or none any more.
    Level {
        level: u8,
        has_quorum: bool,
        meaning: String,
    },
    /// An election's turnout or status changed.
    Turnout {
        election_id: u64,
        status: ElectionStatus,
        turnout: u64,
    },
}

impl Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Block { .. } => "block",
            Self::Confirmations { .. } => "confirmations",
            Self::Validator { .. } => "validator",
            Self::Level { .. } => "level",
            Self::Turnout { .. } => "turnout",
        }
    }

    /// As the stream carries it (WHATWG HTML, 9.2).
    fn to_bytes(&self) -> Bytes {
        let data = serde_json::to_string(self).expect("plain data serialises");
        Bytes::from(format!("event: {}\ndata: {data}\n\n", self.name()))
    }
}

/// Where events are told and followed.
pub(crate) struct Events {
    open_ballots: OpenBallots,
    ring: broadcast::Sender<Bytes>,
    room: Places,
    session: Duration,
    stopped: watch::Sender<bool>,
    dropped: Counter,
}

impl Events {
    /// Nobody follows yet; `dropped` counts those that read too slowly.
    pub(crate) fn new(
        open_ballots: OpenBallots,
        room: Places,
        session: Duration,
        dropped: Counter,
    ) -> Self {
        Self {
            open_ballots,
            ring: broadcast::channel(EVENTS_MAX).0,
            room,
            session,
            stopped: watch::channel(false).0,
            dropped,
        }
    }

    /// Follows from now on; nothing where too many do, in all or of the address.
    pub(crate) fn subscribe(&self, address: Option<IpAddr>) -> Option<Subscription> {
        let place = self.room.take(address)?;
        Some(Subscription {
            events: self.ring.subscribe(),
            stopped: self.stopped.subscribe(),
            until: Instant::now() + self.session,
            dropped: self.dropped.clone(),
            _place: place,
        })
    }

    /// Ends every subscription, now and later.
    pub(crate) fn stop(&self) {
        self.stopped.send_replace(true);
    }

    pub(crate) fn subscribers(&self) -> usize {
        self.ring.receiver_count()
    }

    /// Costs nothing while nobody follows.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if self.subscribers() > 0 {
            // The last one may have gone meanwhile.
            let _ = self.ring.send(event().to_bytes());
        }
    }
}

impl Listener for Events {
    fn confirmed(&self, confirmed: &Confirmed) {
        if confirmed.submissions.is_empty() {
            return;
        }
        self.tell(|| Event::Confirmations {
            block_number: confirmed.height,
            block_hash: confirmed.block_hash,
            chain_transaction_ids: match self.open_ballots {
                OpenBallots::Readers => Vec::new(),
                OpenBallots::Anyone => confirmed
                    .submissions
                    .iter()
                    .map(|submission| submission.transaction_id)
                    .collect(),
            },
        });
    }

    fn level(&self, level: u8, has_quorum: bool, meaning: String) {
        self.tell(|| Event::Level {
            level,
            has_quorum,
            meaning,
        });
    }
}

/// One who follows.
pub(crate) struct Subscription {
    events: broadcast::Receiver<Bytes>,
    stopped: watch::Receiver<bool>,
    until: Instant,
    dropped: Counter,
    _place: Place,
}

/// What a subscription brings next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// More of the stream.
    Text(Bytes),
    /// The last of it.
    Dropped(Bytes),
    /// The end.
    End,
}

impl Subscription {
    pub(crate) async fn next(&mut self) -> Next {
        let received = tokio::select! {
            received = self.events.recv() => received,
            () = tokio::time::sleep(KEEP_ALIVE) => return Next::Text(Bytes::from_static(b":\n\n")),
            () = tokio::time::sleep_until(self.until) => return Next::End,
            _ = self.stopped.wait_for(|stopped| *stopped) => return Next::End,
        };
        match received {
            Ok(event) => Next::Text(event),
            Err(broadcast::error::RecvError::Closed) => Next::End,
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                self.dropped.inc();
                Next::Dropped(Bytes::from(format!(
                    "event: dropped\ndata: {{\"missed\":{missed}}}\n\n"
                )))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turnout(turnout: u64) -> Event {
        Event::Turnout {
            election_id: 1,
            status: ElectionStatus::Open,
            turnout,
        }
    }

    fn events(subscribers_max: usize) -> Events {
        Events::new(
            OpenBallots::Anyone,
            Places::new(subscribers_max, 1),
            Duration::from_secs(60),
            Counter::default(),
        )
    }

    #[tokio::test]
    async fn a_subscriber_reads_what_happens() {
        let events = events(1);
        events.tell(|| panic!("nobody follows yet"));
        let mut subscription = events.subscribe(None).unwrap();
        events.tell(|| turnout(7));
        let expected =
            "event: turnout\ndata: {\"election_id\":1,\"status\":\"open\",\"turnout\":7}\n\n";
        assert_eq!(subscription.next().await, Next::Text(expected.into()));
        let over = Events::new(
            OpenBallots::Anyone,
            Places::new(1, 1),
            Duration::ZERO,
            Counter::default(),
        );
        let mut over = over.subscribe(None).unwrap();
        assert_eq!(over.next().await, Next::End);
    }

    #[tokio::test]
    async fn who_falls_behind_is_dropped() {
        let events = events(2);
        let mut slow = events.subscribe(None).unwrap();
        let mut fast = events.subscribe(None).unwrap();
        for count in 0..EVENTS_MAX as u64 + 5 {
            events.tell(|| turnout(count));
            assert!(matches!(fast.next().await, Next::Text(_)));
        }
        let dropped = "event: dropped\ndata: {\"missed\":5}\n\n";
        assert_eq!(slow.next().await, Next::Dropped(dropped.into()));
        assert_eq!(events.dropped.get(), 1);
    }

    #[tokio::test]
    async fn there_is_room_for_so_many() {
        let events = events(1);
        let subscription = events.subscribe(None);
        assert!(subscription.is_some() && events.subscribe(None).is_none());
        drop(subscription);
        let mut subscription = events.subscribe(None).unwrap();
        events.stop();
        assert_eq!(subscription.next().await, Next::End);
    }
}
