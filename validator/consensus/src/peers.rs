//! Who may connect and where they are.
//!
//! A node's libp2p identity is its validator key, so who a peer is follows from genesis and the
//! chain alone, and the handshake proves it. The two uses of the key cannot be confused: libp2p signs
//! texts with prefixes of its own, and every protocol message starts with a `tabella/` domain.

use std::collections::{BTreeMap, BTreeSet};

use arc_malachitebft_engine::network::{NetworkMsg, NetworkRef, PersistentPeerError};
use arc_malachitebft_network::{Multiaddr, PeerId, PersistentPeersOp};
use ractor::rpc::CallResult;
use tabella_protocol::PublicKey;
use tracing::{info, warn};

use crate::{
    config::{Host, PeerAddress},
    context::Tabella,
};

/// A libp2p peer id of an ed25519 key: identity multihash (0x00) of 36 (0x24) bytes of protobuf, which
/// are key type (field 1) ed25519 (1) and the 32 (0x20) bytes of the key (field 2).
const PEER_ID_PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// The peer id of a validator.
pub(crate) fn peer_id(key: &PublicKey) -> PeerId {
    let bytes = [PEER_ID_PREFIX.as_slice(), &key.0].concat();
    PeerId::from_bytes(&bytes).expect("an identity multihash of 36 bytes is a peer id")
}

/// The key behind a peer id, if it is an ed25519 key.
pub(crate) fn public_key(peer_id: &PeerId) -> Option<PublicKey> {
    let bytes = peer_id.to_bytes();
    let key = bytes.strip_prefix(&PEER_ID_PREFIX)?;
    key.try_into().ok().map(PublicKey)
}

/// The address to which the engine listens or connects.
pub(crate) fn listen_multiaddr(listen: &std::net::SocketAddr) -> Multiaddr {
    let family = if listen.is_ipv4() { "ip4" } else { "ip6" };
    parsed(format!("/{family}/{}/tcp/{}", listen.ip(), listen.port()))
}

/// A peer to connect to, with the identity it must prove.
pub(crate) fn peer_multiaddr(peer: &PeerAddress) -> Multiaddr {
    let (family, host) = match &peer.host {
        Host::Ip(ip) if ip.is_ipv4() => ("ip4", ip.to_string()),
        Host::Ip(ip) => ("ip6", ip.to_string()),
        Host::Name(name) => ("dns", name.clone()),
    };
    let id = peer_id(&peer.validator);
    parsed(format!("/{family}/{host}/tcp/{}/p2p/{id}", peer.port))
}

/// An entry that lets a validator connect without saying where it is.
fn identity_multiaddr(key: &PublicKey) -> Multiaddr {
    parsed(format!("/p2p/{}", peer_id(key)))
}

fn parsed(text: String) -> Multiaddr {
    text.parse()
        .expect("checked hosts, ports and peer ids make a multiaddr")
}

/// The engine's list of persistent peers, which is also its list of peers allowed to connect.
///
/// It always holds the identity of every validator and follower of the current height and of every
/// configured peer, and the last address told of each.
pub(crate) struct AddressBook {
    own: PublicKey,
    /// Kept in the list whether or not they are validators: the operator named them.
    configured: BTreeSet<PublicKey>,
    validators: BTreeSet<PublicKey>,
    addresses: BTreeMap<PublicKey, PeerAddress>,
}

/// Telling the engine about a peer failed.
#[derive(Debug, thiserror::Error)]
pub enum SetPeerError {
    /// The engine does not answer: it is stopping.
    #[error("the consensus network does not answer; the node is stopping")]
    Stopped,
    /// The peer is neither a validator, nor a follower, nor configured.
    #[error("expected the key of a validator or of a configured peer, got {0}")]
    NotAllowed(PublicKey),
}

impl AddressBook {
    pub(crate) fn new(own: PublicKey, validators: &[PublicKey], peers: &[PeerAddress]) -> Self {
        let peers = peers.iter().filter(|peer| peer.validator != own);
        let addresses: BTreeMap<_, _> = peers.map(|peer| (peer.validator, peer.clone())).collect();
        Self {
            own,
            configured: addresses.keys().copied().collect(),
            validators: validators.iter().copied().collect(),
            addresses,
        }
    }

    /// What the engine starts with.
    pub(crate) fn multiaddrs(&self) -> Vec<Multiaddr> {
        let identities = self
            .validators
            .union(&self.configured)
            .filter(|key| **key != self.own);
        let addresses = self.addresses.values();
        identities
            .map(identity_multiaddr)
            .chain(addresses.map(peer_multiaddr))
            .collect()
    }

    /// Everyone who may take part.
    pub(crate) fn allowed(&self) -> BTreeSet<PublicKey> {
        self.validators.union(&self.configured).copied().collect()
    }

    /// Whether a peer may take part.
    pub(crate) fn allows(&self, key: &PublicKey) -> bool {
        self.validators.contains(key) || self.configured.contains(key)
    }

    /// Follows a peer to another address.
    pub(crate) async fn set(
        &mut self,
        network: &NetworkRef<Tabella>,
        peer: PeerAddress,
    ) -> Result<(), SetPeerError> {
        let key = peer.validator;
        if key == self.own || self.addresses.get(&key) == Some(&peer) {
            return Ok(());
        }
        if !self.allows(&key) {
            return Err(SetPeerError::NotAllowed(key));
        }
        // Removing also cuts a connection to the peer, which it or we make again at once.
        if let Some(old) = self.addresses.remove(&key) {
            update(network, PersistentPeersOp::Remove(peer_multiaddr(&old))).await?;
        }
        info!(validator = %key, address = %peer, "peer address set");
        update(network, PersistentPeersOp::Add(peer_multiaddr(&peer))).await?;
        self.addresses.insert(key, peer);
        Ok(())
    }

    /// Cuts the connections of a peer, which then connects anew.
    pub(crate) async fn reconnect(
        &self,
        network: &NetworkRef<Tabella>,
        key: &PublicKey,
    ) -> Result<(), SetPeerError> {
        if self.allows(key) {
            // Removing a peer from the list is what cuts it off.
            update(network, PersistentPeersOp::Remove(identity_multiaddr(key))).await?;
            update(network, PersistentPeersOp::Add(identity_multiaddr(key))).await?;
        }
        Ok(())
    }

    /// Allows the validators and followers of a new height, and no longer those that left.
    pub(crate) async fn set_validators(
        &mut self,
        network: &NetworkRef<Tabella>,
        validators: &[PublicKey],
    ) -> Result<(), SetPeerError> {
        let validators: BTreeSet<_> = validators.iter().copied().collect();
        if validators == self.validators {
            return Ok(());
        }
        let kept = |key: &&PublicKey| **key != self.own && !self.configured.contains(*key);
        for key in validators.difference(&self.validators).filter(kept) {
            update(network, PersistentPeersOp::Add(identity_multiaddr(key))).await?;
        }
        for key in self.validators.difference(&validators).filter(kept) {
            if let Some(address) = self.addresses.remove(key) {
                update(network, PersistentPeersOp::Remove(peer_multiaddr(&address))).await?;
            }
            update(network, PersistentPeersOp::Remove(identity_multiaddr(key))).await?;
        }
        self.validators = validators;
        Ok(())
    }
}

async fn update(
    network: &NetworkRef<Tabella>,
    operation: PersistentPeersOp,
) -> Result<(), SetPeerError> {
    let message = |reply| NetworkMsg::UpdatePersistentPeers(operation, reply);
    match network.call(message, None).await {
        Ok(CallResult::Success(Ok(())))
        | Ok(CallResult::Success(Err(
            PersistentPeerError::AlreadyExists | PersistentPeerError::NotFound,
        ))) => Ok(()),
        Ok(CallResult::Success(Err(error))) => {
            warn!(%error, "the network did not accept a change of peers");
            Err(SetPeerError::Stopped)
        }
        _ => Err(SetPeerError::Stopped),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arc_malachitebft_network::{Keypair, PeerIdExt};
    use tabella_protocol::SigningKey;

    #[test]
    fn the_peer_id_is_the_validator_key() {
        let key = SigningKey::from_seed([9; 32]);
        let keypair = Keypair::ed25519_from_bytes(key.to_seed()).unwrap();
        let from_libp2p = PeerId::from_libp2p(&keypair.public().to_peer_id());
        assert_eq!(peer_id(&key.public()), from_libp2p);
        assert_eq!(public_key(&from_libp2p), Some(key.public()));
    }

    #[test]
    fn addresses_become_multiaddrs() {
        let key = PublicKey([3; 32]);
        let id = peer_id(&key);
        for (text, expected) in [
            (
                "10.0.0.1:30303",
                format!("/ip4/10.0.0.1/tcp/30303/p2p/{id}"),
            ),
            ("[::1]:1", format!("/ip6/::1/tcp/1/p2p/{id}")),
            (
                "validator-1.example:2",
                format!("/dns/validator-1.example/tcp/2/p2p/{id}"),
            ),
        ] {
            let peer = PeerAddress::parse(key, text).unwrap();
            assert_eq!(peer_multiaddr(&peer).to_string(), expected);
        }
    }

    #[test]
    fn lists_validators_and_configured_peers_but_not_itself() {
        let keys = [1, 2, 3].map(|seed| SigningKey::from_seed([seed; 32]).public());
        let observer = PeerAddress::parse(keys[2], "127.0.0.1:3").unwrap();
        let own = PeerAddress::parse(keys[0], "127.0.0.1:1").unwrap();
        let book = AddressBook::new(keys[0], &keys[..2], &[observer.clone(), own]);
        assert_eq!(
            book.multiaddrs(),
            [
                identity_multiaddr(&keys[1].min(keys[2])),
                identity_multiaddr(&keys[1].max(keys[2])),
                peer_multiaddr(&observer)
            ]
        );
        assert!(book.allows(&keys[0]) && book.allows(&keys[1]) && book.allows(&keys[2]));
    }
}
