//! Stands between the network and the engine: only peers that may take part are heard.
//!
//! The engine cuts off other peers when they identify themselves, but listens to them until then, and a
//! peer that never does would stay. So the engine subscribes to the gate instead of the network, and
//! nothing passes from a peer whose key, which the connection has proven, is not allowed. The gate also
//! notes which peers are there, whether they are ahead, and whether they are deaf, and cuts off those
//! that flood this node or keep sending what it refuses.

use std::{
    collections::{BTreeMap, HashSet},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_malachitebft_engine::network::{NetworkEvent, NetworkMsg, NetworkRef, Subscriber};
use arc_malachitebft_network::{Channel, Multiaddr, PeerId};
use async_trait::async_trait;
use ractor::{Actor, ActorProcessingErr, ActorRef, SpawnErr};
use tabella_protocol::Statement;
use tracing::{debug, warn};

use crate::{
    Application, PeerLimits,
    context::Tabella,
    evidence,
    peers::{AddressBook, public_key},
    shared::Shared,
};

/// How long a connected peer may take to say on which channels it listens.
///
/// It says so only on its first connection to a node. If it still holds an older one, which this node
/// lost in a crash or a partition, it does not say it again, and this node would never send it a vote.
/// Cutting the new connection lets both start over; it helps as soon as the peer has noticed that the
/// old one is dead.
const DEAF_TIMEOUT: Duration = Duration::from_secs(4);

/// Rounds beyond this node's own that are heard of.
const ROUNDS_AHEAD_MAX: u32 = 10;

/// How often peers are looked at.
const TICK: Duration = Duration::from_secs(1);

/// Hears the network's events.
pub(crate) struct Gate {
    pub(crate) shared: Arc<Shared>,
    pub(crate) application: Arc<dyn Application>,
    pub(crate) network: NetworkRef<Tabella>,
    pub(crate) address_book: Arc<tokio::sync::Mutex<AddressBook>>,
    pub(crate) limits: PeerLimits,
}

pub(crate) enum GateMsg {
    Event(Box<NetworkEvent<Tabella>>),
    Subscribe(Box<dyn Subscriber<NetworkEvent<Tabella>>>),
    Tick,
}

impl From<NetworkEvent<Tabella>> for GateMsg {
    fn from(event: NetworkEvent<Tabella>) -> Self {
        Self::Event(Box::new(event))
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
    /// Messages of each peer since the last tick.
    heard: BTreeMap<PeerId, u32>,
}

impl Gate {
    pub(crate) async fn spawn(self) -> Result<ActorRef<GateMsg>, SpawnErr> {
        Ok(Actor::spawn(None, self, ()).await?.0)
    }

    fn event(&self, state: &mut State, event: NetworkEvent<Tabella>) {
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
        if let Some(peer) = sender(&event) {
            let heard = state.heard.entry(*peer).or_default();
            *heard = heard.saturating_add(1);
            if *heard > self.limits.messages_per_second_max {
                self.shared
                    .refuse(peer, &"more messages in a second than a peer may send");
                self.drop_event(event);
                return;
            }
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
                self.shared.disconnected(peer);
            }
            NetworkEvent::PeerSubscribed(peer, channel) => {
                state.subscriptions.insert((*peer, *channel));
            }
            // What peers say here is not verified yet, or never is; it only cuts a wait short.
            NetworkEvent::Vote(peer, vote) => {
                self.shared.peers_at(vote.message.height.0);
                self.heard(peer, evidence::vote(vote));
            }
            NetworkEvent::Proposal(peer, proposal) => {
                self.shared.peers_at(proposal.message.height.0);
                self.heard(peer, evidence::proposal(proposal));
            }
            NetworkEvent::Status(peer, status) => {
                self.shared.peer_tip(peer, status.tip_height.0);
                self.shared.peers_at(status.tip_height.0);
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
    /// Lets the application hear what a peer says in its own name, unless it is far ahead of this
    /// node's round, as no honest peer is: those rounds would crowd out the earlier ones.
    fn heard(&self, peer: &PeerId, statement: Option<Statement>) {
        if let Some(statement) = statement
            && public_key(peer) == Some(statement.signer())
            && statement.step().round <= self.shared.round().saturating_add(ROUNDS_AHEAD_MAX)
        {
            self.application.heard(statement);
        }
    }

    fn drop_event(&self, event: NetworkEvent<Tabella>) {
        if let NetworkEvent::SyncRequest(request, ..) = event {
            // Gives back what the network holds for the answer.
            let _ = self.network.cast(NetworkMsg::CancelInboundRequest(request));
        }
    }

    /// Cuts off peers that went beyond a limit since the last tick; they may connect again.
    fn cut_floods(&self, state: &mut State) {
        let heard = std::mem::take(&mut state.heard);
        let refused = self.shared.take_refused();
        let flooding = heard
            .into_iter()
            .filter(|(_, count)| *count > self.limits.messages_per_second_max);
        let garbling = refused
            .into_iter()
            .filter(|(_, count)| *count > self.limits.refused_per_second_max);
        let beyond: HashSet<PeerId> = flooding.chain(garbling).map(|(peer, _)| peer).collect();
        for peer in beyond {
            if let Some(key) = public_key(&peer) {
                warn!(validator = %key, "a peer floods this node; cutting it off");
                self.shared.cut_off();
                self.reconnect(key);
            }
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
            GateMsg::Event(event) => self.event(state, *event),
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
            GateMsg::Tick => {
                self.cut_floods(state);
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
/// want to hear.
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
            message => self.network.cast(message)?,
        }
        Ok(())
    }
}

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
