//! Connections that break on one side only, as when a machine or a cable is gone.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tabella_consensus::{Config, Node, PeerAddress};
use tabella_protocol::Quorum;
use tokio::{
    io,
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::network::{Network, run, within};

/// Write halves that are kept, so that their connections do not close.
type Held = Arc<Mutex<Vec<OwnedWriteHalf>>>;

/// Passes connections on to a node. When a client goes away, the node is not told.
async fn silent_proxy(node: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let held = Held::default();
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let Ok(node) = TcpStream::connect(node).await else {
                continue;
            };
            let (from_client, to_client) = client.into_split();
            let (from_node, to_node) = node.into_split();
            tokio::spawn(pass(from_client, to_node, Some(held.clone())));
            tokio::spawn(pass(from_node, to_client, None));
        }
    });
    address
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, held: Option<Held>) {
    // However it ends, the connection is over.
    let _ = io::copy(&mut from, &mut to).await;
    match held {
        Some(held) => held.lock().unwrap().push(to),
        // Reads on, so that the node can go on sending to nobody.
        None => drop(io::copy(&mut from, &mut io::sink()).await),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_is_heard_again_though_its_old_connection_never_closed() {
    let mut network = Network::new(2, Quorum::Majority, 10);
    network.start(0).await;
    let proxy = silent_proxy(network.handle(0).listen()).await;
    let config = |network: &Network| Config {
        peers: vec![PeerAddress::new(network.public(0), proxy)],
        ..network.config(1)
    };
    let node = Node::start(config(&network), network.chains[1].clone())
        .await
        .unwrap();
    let first = run(node);
    network.all_reach(5).await;
    within("it stops", first.stop()).await.unwrap();
    assert_eq!(
        network.handle(0).connected_peers(),
        [network.public(1)],
        "it was told"
    );

    // Both validators are needed, so nothing is decided until they hear each other.
    let node = Node::start(config(&network), network.chains[1].clone())
        .await
        .unwrap();
    let second = run(node);
    let height = network.chains[0].height() + 5;
    network.all_reach(height).await;
    network.assert_agreement(height);
    within("it stops", second.stop()).await.unwrap();
    network.stop_all().await;
}
