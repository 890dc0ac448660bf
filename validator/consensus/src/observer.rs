//! Listens to the network beside the engine: which peers are there, and whether they are ahead.

use std::{net::SocketAddr, sync::Arc};

use arc_malachitebft_engine::network::NetworkEvent;
use arc_malachitebft_network::{Multiaddr, PeerId};
use async_trait::async_trait;
use ractor::{Actor, ActorProcessingErr, ActorRef, SpawnErr};

use crate::{context::Tabella, shared::Shared};

pub(crate) struct Observer {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) enum Observed {
    Listening(Multiaddr),
    Connected(PeerId),
    Disconnected(PeerId),
    /// Someone votes or proposes at a height; the signature is not checked yet.
    Consensus(u64),
    Other,
}

impl From<NetworkEvent<Tabella>> for Observed {
    fn from(event: NetworkEvent<Tabella>) -> Self {
        match event {
            NetworkEvent::Listening(address) => Self::Listening(address),
            NetworkEvent::PeerConnected(peer) => Self::Connected(peer),
            NetworkEvent::PeerDisconnected(peer) => Self::Disconnected(peer),
            NetworkEvent::Vote(_, vote) => Self::Consensus(vote.message.height.0),
            NetworkEvent::Proposal(_, proposal) => Self::Consensus(proposal.message.height.0),
            _ => Self::Other,
        }
    }
}

impl Observer {
    pub(crate) async fn spawn(self) -> Result<ActorRef<Observed>, SpawnErr> {
        Ok(Actor::spawn(None, self, ()).await?.0)
    }
}

#[async_trait]
impl Actor for Observer {
    type Msg = Observed;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Observed>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Observed>,
        observed: Observed,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match observed {
            Observed::Listening(address) => {
                if let Some(port) = tcp_port(&address) {
                    self.shared
                        .listening(SocketAddr::new(self.shared.listen.ip(), port));
                }
            }
            Observed::Connected(peer) => self.shared.connected(peer),
            Observed::Disconnected(peer) => self.shared.disconnected(&peer),
            Observed::Consensus(height) => self.shared.peers_at(height),
            Observed::Other => {}
        }
        Ok(())
    }
}

/// The port in `/ip4/127.0.0.1/tcp/30303`.
fn tcp_port(address: &Multiaddr) -> Option<u16> {
    let text = address.to_string();
    let mut words = text.split('/').skip_while(|word| *word != "tcp");
    words.nth(1)?.parse().ok()
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
