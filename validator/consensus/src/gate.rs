//! Stands between the network and the engine: only peers that may take part are heard.
//!
//! The engine cuts off other peers when they identify themselves, but listens to them until then, and a
//! peer that never does would stay. So the engine subscribes to the gate instead of the network, and
//! nothing passes from a peer whose key, which the connection has proven, is not allowed. Of those that
//! are, votes and proposals pass that they signed themselves and that are not too many of one step: the
//! engine verifies one message after the other, and must not be kept busy with those of a liar. The gate
//! also notes which peers are there, whether they are ahead, and whether they are deaf, and cuts off those
//! that flood this node or keep sending what it refuses.

use std::{
    collections::{BTreeMap, HashSet},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_malachitebft_engine::network::{NetworkEvent, NetworkMsg, NetworkRef, Subscriber};
use arc_malachitebft_network::{Channel, Multiaddr, PeerId};
use arc_malachitebft_sync::InboundRequestId;
use async_trait::async_trait;
use ractor::{Actor, ActorProcessingErr, ActorRef, SpawnErr};
use tabella_protocol::{Hash, Statement};
use tracing::{debug, warn};

use crate::{
    Application, PeerLimits,
    context::Tabella,
    evidence,
    peers::{AddressBook, public_key},
    said::{Known, Said, Seal},
    shared::Shared,
};

mod served;

use served::Served;

/// How long a connected peer may take to say on which channels it listens.
///
/// It says so only on its first connection to a node. If it still holds an older one, which this node
/// lost in a crash or a partition, it does not say it again, and this node would never send it a vote.
/// Cutting the new connection lets both start over; it helps as soon as the peer has noticed that the
/// old one is dead.
const DEAF_TIMEOUT: Duration = Duration::from_secs(4);

/// Rounds beyond this node's own that are heard of.
const ROUNDS_AHEAD_MAX: u32 = 10;

/// Heights beyond this node's own of which votes pass: whoever is further behind asks for blocks.
const HEIGHTS_AHEAD_MAX: u64 = 2;

/// What a peer's messages are counted in.
const SECOND: Duration = Duration::from_secs(1);

/// Certificates of rounds that pass in a second: a validator says one now and then while a round lasts, and
/// each may bear as many signatures as there are validators.
const CERTIFICATES_MAX: u32 = 20;

/// One of so many messages may be a vote or proposal, which somebody has to verify.
const STATEMENTS_SHARE: u32 = 4;

/// How often peers are looked at.
const TICK: Duration = Duration::from_secs(1);

/// Hears the network's events.
pub(crate) struct Gate {
    pub(crate) shared: Arc<Shared>,
    pub(crate) application: Arc<dyn Application>,
    pub(crate) network: NetworkRef<Tabella>,
    pub(crate) address_book: Arc<tokio::sync::Mutex<AddressBook>>,
    pub(crate) genesis_hash: Hash,
    pub(crate) limits: PeerLimits,
}

pub(crate) enum GateMsg {
    /// What the network told, and when: it may wait here.
    Event(Box<NetworkEvent<Tabella>>, Instant),
    Subscribe(Box<dyn Subscriber<NetworkEvent<Tabella>>>),
    /// A request for blocks was answered with so many bytes of them.
    Answered(InboundRequestId, u64),
    Tick,
}

impl From<NetworkEvent<Tabella>> for GateMsg {
    fn from(event: NetworkEvent<Tabella>) -> Self {
        Self::Event(Box::new(event), Instant::now())
    }
}

/// Who listens, and what those who come later must still hear.
#[derive(Default)]
pub(crate) struct State {
    subscribers: Vec<Box<dyn Subscriber<NetworkEvent<Tabella>>>>,
    listening: Vec<Multiaddr>,
    /// With the time since when they have to be listening.
    connected: BTreeMap<PeerId, Instant>,
    subscriptions: HashSet<(PeerId, Channel)>,
    /// What each peer sent in its current second.
    heard: BTreeMap<PeerId, Heard>,
    /// What each peer said in its own name.
    said: BTreeMap<PeerId, Said>,
    served: Served,
}

/// Messages of one peer within a second of their arrival.
struct Heard {
    since: Instant,
    messages: u32,
    /// Votes and proposals.
    statements: u32,
    /// Certificates of rounds.
    certificates: u32,
}

impl Heard {
    fn since(since: Instant) -> Self {
        Self {
            since,
            messages: 0,
            statements: 0,
            certificates: 0,
        }
    }
}

impl Gate {
    pub(crate) async fn spawn(self) -> Result<ActorRef<GateMsg>, SpawnErr> {
        Ok(Actor::spawn(None, self, ()).await?.0)
    }

    fn event(&self, state: &mut State, event: NetworkEvent<Tabella>, arrived: Instant) {
        if let Some(peer) = peer(&event)
            && !public_key(peer).is_some_and(|key| self.shared.allows(&key))
        {
            if !matches!(event, NetworkEvent::PeerDisconnected(_)) {
                self.shared
                    .refuse(peer, &"a message of a peer that is no validator");
            }
            self.drop_event(event);
            return;
        }
        if let Some(peer) = sender(&event)
            && !self.admits(state, *peer, arrived)
        {
            self.drop_event(event);
            return;
        }
        match &event {
            NetworkEvent::Listening(address) => {
                state.listening.push(address.clone());
                if let Some(port) = tcp_port(address) {
                    self.shared
                        .listening(SocketAddr::new(self.shared.listen.ip(), port));
                }
            }
            NetworkEvent::PeerConnected(peer) => {
                state.connected.insert(*peer, Instant::now());
                self.shared.connected(*peer);
            }
            NetworkEvent::PeerDisconnected(peer) => {
                state.connected.remove(peer);
                state.subscriptions.retain(|(of, _)| of != peer);
                state.said.remove(peer);
                self.shared.disconnected(peer);
            }
            NetworkEvent::PeerSubscribed(peer, channel) => {
                state.subscriptions.insert((*peer, *channel));
            }
            NetworkEvent::Vote(peer, vote) if !self.passes(state, peer, evidence::vote(vote)) => {
                return;
            }
            NetworkEvent::Proposal(peer, proposal)
                if !self.passes(state, peer, evidence::proposal(proposal)) =>
            {
                return;
            }
            NetworkEvent::PolkaCertificate(peer, _) | NetworkEvent::RoundCertificate(peer, _) => {
                if let Some(heard) = state.heard.get_mut(peer) {
                    heard.certificates = heard.certificates.saturating_add(1);
                    if heard.certificates > CERTIFICATES_MAX {
                        self.shared
                            .refuse(peer, &"more certificates than a validator has to send");
                        return;
                    }
                }
            }
            NetworkEvent::SyncRequest(request, peer, _)
                if !state.served.admits(*peer, request, arrived) =>
            {
                let reason = "a request for blocks of a peer that had as many bytes as it may";
                self.shared.drop_message(peer, &reason);
                self.drop_event(event);
                return;
            }
            // Nobody can prove it; it only cuts a wait short.
            NetworkEvent::Status(peer, status) => {
                self.shared.peer_tip(peer, status.tip_height.0);
                self.shared.peer_at(peer, status.tip_height.0);
            }
            _ => {}
        }
        // While the node stops, its subscribers are gone.
        if !self.shared.stop.is_cancelled() {
            state
                .subscribers
                .iter()
                .for_each(|subscriber| subscriber.send(event.clone()));
        }
    }
}

impl Gate {
    /// Whether a peer may send one more message in the second that goes on; one that sends too many is cut
    /// off at once.
    fn admits(&self, state: &mut State, peer: PeerId, arrived: Instant) -> bool {
        let most = self.limits.messages_per_second_max;
        let heard = state
            .heard
            .entry(peer)
            .or_insert_with(|| Heard::since(arrived));
        if arrived.saturating_duration_since(heard.since) >= SECOND {
            *heard = Heard::since(arrived);
        }
        heard.messages = heard.messages.saturating_add(1);
        if heard.messages <= most {
            return true;
        }
        let is_first = heard.messages == most.saturating_add(1);
        self.shared
            .drop_message(&peer, &"more messages in a second than a peer may send");
        if is_first {
            self.cut_off(&peer);
        }
        false
    }

    /// Whether a vote or proposal is to be looked at by the engine: its sender signed it, and has not said
    /// too much else. Lets the application hear what is, too.
    fn passes(&self, state: &mut State, peer: &PeerId, statement: Option<Statement>) -> bool {
        let refuse = |reason: &str| {
            self.shared.refuse(peer, &reason);
            false
        };
        let Some(statement) = statement else {
            return refuse("a vote or proposal without a round");
        };
        if public_key(peer) != Some(statement.signer()) {
            return refuse("a vote or proposal in another's name");
        }
        let step = statement.step();
        let own = self.shared.height();
        if own > 0 && step.height > own.saturating_add(HEIGHTS_AHEAD_MAX) {
            // This node is behind, or the peer lies; the wait for the next height is cut short.
            self.shared.peer_at(peer, step.height);
            return false;
        }
        if let Some(heard) = state.heard.get_mut(peer) {
            heard.statements = heard.statements.saturating_add(1);
            if heard.statements > self.limits.messages_per_second_max / STATEMENTS_SHARE {
                return refuse("more votes and proposals than a validator has to send");
            }
        }
        let said = state.said.entry(*peer).or_default();
        let seal = match said.known(&statement) {
            Known::Before(seal) => seal,
            Known::TooMany => return refuse("different votes or proposals of one step"),
            Known::New => {
                let seal = match statement.verify(&self.genesis_hash) {
                    true => Seal::Sound,
                    false => Seal::Forged,
                };
                said.remember(&statement, seal);
                seal
            }
        };
        if seal == Seal::Forged {
            return refuse("a vote or proposal with a forged signature");
        }
        self.shared.peer_at(peer, step.height);
        // No honest peer is far ahead of this node's round: those rounds would crowd out the earlier ones.
        if step.round <= self.shared.round().saturating_add(ROUNDS_AHEAD_MAX) {
            self.application.heard(statement);
        }
        true
    }

    fn drop_event(&self, event: NetworkEvent<Tabella>) {
        if let NetworkEvent::SyncRequest(request, ..) = event {
            // Gives back what the network holds for the answer.
            let _ = self.network.cast(NetworkMsg::CancelInboundRequest(request));
        }
    }

    /// Cuts off peers of which too much was refused since the last tick; they may connect again.
    fn cut_garblers(&self) {
        let refused = self.shared.take_refused();
        let garbling = refused
            .into_iter()
            .filter(|(_, count)| *count > self.limits.refused_per_second_max);
        for (peer, _) in garbling {
            self.cut_off(&peer);
        }
    }

    fn cut_off(&self, peer: &PeerId) {
        if let Some(key) = public_key(peer) {
            warn!(validator = %key, "a peer floods this node; cutting it off");
            self.shared.cut_off();
            self.reconnect(key);
        }
    }

    fn reconnect(&self, key: tabella_protocol::PublicKey) {
        let (address_book, network) = (self.address_book.clone(), self.network.clone());
        self.shared.spawn(async move {
            if let Err(error) = address_book.lock().await.reconnect(&network, &key).await {
                debug!(%error, "could not connect again");
            }
            Ok(())
        });
    }

    /// Starts over with peers that do not listen to everything.
    fn cut_deaf_peers(&self, state: &mut State) {
        for (peer, since) in &mut state.connected {
            let listens = |channel: &Channel| state.subscriptions.contains(&(*peer, *channel));
            if since.elapsed() < DEAF_TIMEOUT || Channel::all().iter().all(listens) {
                continue;
            }
            *since = Instant::now();
            let Some(key) = public_key(peer) else {
                continue;
            };
            warn!(validator = %key, "a connected peer does not listen; connecting again");
            self.reconnect(key);
        }
    }
}

#[async_trait]
impl Actor for Gate {
    type Msg = GateMsg;
    type State = State;
    type Arguments = ();

    async fn pre_start(
        &self,
        myself: ActorRef<GateMsg>,
        (): (),
    ) -> Result<State, ActorProcessingErr> {
        // Ends with the actor.
        myself.send_interval(TICK, || GateMsg::Tick);
        Ok(State::default())
    }

    async fn handle(
        &self,
        _: ActorRef<GateMsg>,
        message: GateMsg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            GateMsg::Event(event, arrived) => self.event(state, *event, arrived),
            GateMsg::Subscribe(subscriber) => {
                let listening = state.listening.iter().cloned().map(NetworkEvent::Listening);
                let connected = state
                    .connected
                    .keys()
                    .copied()
                    .map(NetworkEvent::PeerConnected);
                let subscriptions = state.subscriptions.iter();
                let subscriptions = subscriptions
                    .map(|(peer, channel)| NetworkEvent::PeerSubscribed(*peer, *channel));
                let missed = listening.chain(connected).chain(subscriptions);
                missed.for_each(|event| subscriber.send(event));
                state.subscribers.push(subscriber);
            }
            GateMsg::Answered(request, bytes) => {
                state.served.answered(&request, bytes, Instant::now());
            }
            GateMsg::Tick => {
                state.served.forget(Instant::now());
                self.cut_garblers();
                let is_allowed =
                    |peer: &PeerId| public_key(peer).is_some_and(|key| self.shared.allows(&key));
                state.heard.retain(|peer, _| is_allowed(peer));
                self.cut_deaf_peers(state);
            }
        }
        Ok(())
    }
}

/// Who an event comes from or is about.
fn peer(event: &NetworkEvent<Tabella>) -> Option<&PeerId> {
    match event {
        NetworkEvent::Listening(_) => None,
        NetworkEvent::PeerConnected(peer)
        | NetworkEvent::PeerDisconnected(peer)
        | NetworkEvent::PeerSubscribed(peer, _)
        | NetworkEvent::Vote(peer, _)
        | NetworkEvent::Proposal(peer, _)
        | NetworkEvent::ProposalPart(peer, ..)
        | NetworkEvent::PolkaCertificate(peer, _)
        | NetworkEvent::RoundCertificate(peer, _)
        | NetworkEvent::ValidatorProofReceived { peer_id: peer, .. }
        | NetworkEvent::Status(peer, _)
        | NetworkEvent::SyncRequest(_, peer, _)
        | NetworkEvent::SyncResponse(_, peer, _)
        | NetworkEvent::SyncRequestFailed(_, peer, _)
        | NetworkEvent::SyncInboundRequestFailed(_, peer) => Some(peer),
    }
}

/// Who sent a message, where an event is one.
fn sender(event: &NetworkEvent<Tabella>) -> Option<&PeerId> {
    match event {
        NetworkEvent::PeerConnected(_)
        | NetworkEvent::PeerDisconnected(_)
        | NetworkEvent::PeerSubscribed(..)
        | NetworkEvent::SyncRequestFailed(..)
        | NetworkEvent::SyncInboundRequestFailed(..) => None,
        event => peer(event),
    }
}

/// The port in `/ip4/127.0.0.1/tcp/30303`.
fn tcp_port(address: &Multiaddr) -> Option<u16> {
    let text = address.to_string();
    let mut words = text.split('/').skip_while(|word| *word != "tcp");
    words.nth(1)?.parse().ok()
}

/// What the engine takes for the network: passes everything on, but lets the gate answer those who
/// want to hear, and tells it how much peers are sent.
pub(crate) struct GatedNetwork {
    pub(crate) network: NetworkRef<Tabella>,
    pub(crate) gate: ActorRef<GateMsg>,
}

impl GatedNetwork {
    pub(crate) async fn spawn(self) -> Result<NetworkRef<Tabella>, SpawnErr> {
        Ok(Actor::spawn(None, self, ()).await?.0)
    }
}

#[async_trait]
impl Actor for GatedNetwork {
    type Msg = NetworkMsg<Tabella>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: NetworkRef<Tabella>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: NetworkRef<Tabella>,
        message: NetworkMsg<Tabella>,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match message {
            NetworkMsg::Subscribe(subscriber) => {
                self.gate.cast(GateMsg::Subscribe(subscriber))?;
            }
            message => {
                if let Some((request, bytes)) = served::answer(&message) {
                    self.gate.cast(GateMsg::Answered(request, bytes))?;
                }
                self.network.cast(message)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod flood;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_port() {
        let port = |text: &str| tcp_port(&text.parse().unwrap());
        assert_eq!(port("/ip4/127.0.0.1/tcp/30303"), Some(30303));
        assert_eq!(port("/ip6/::1/tcp/1"), Some(1));
        assert_eq!(port("/ip4/127.0.0.1/udp/5"), None);
    }
}
