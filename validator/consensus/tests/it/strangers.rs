//! Peers that are no validators, or not even peers.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use tabella_consensus::{Config, Node, PeerLimits, SetPeerError, WalPolicy};
use tabella_protocol::{Hash, Quorum, SigningKey};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::{
    chain::Chain,
    network::{Network, run, until, within},
};

#[tokio::test(flavor = "multi_thread")]
async fn garbage_does_not_stop_a_network() {
    let network = Network::started(3, Quorum::Majority, 10).await;
    network.all_reach(3).await;
    // Random-looking bytes, a promising start of the real protocol, an endless line, nothing.
    let noise: Vec<u8> = (0..100_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let negotiated = b"\x13/multistream/1.0.0\n\x07/noise\n\xff\xff\xff\xff\xff".to_vec();
    for bytes in [noise, negotiated, vec![b'a'; 100_000], Vec::new()] {
        for i in 0..3 {
            let mut stream = TcpStream::connect(network.handle(i).listen())
                .await
                .unwrap();
            // The node may hang up at any moment.
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            let mut answer = Vec::new();
            let read = stream.read_to_end(&mut answer);
            let _ = within("the node hangs up", read).await;
        }
        let height = network.chains[0].height() + 3;
        network.all_reach(height).await;
    }
    let height = network
        .chains
        .iter()
        .map(|chain| chain.height())
        .min()
        .unwrap();
    network.assert_agreement(height);
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_validators_of_the_same_network_may_connect() {
    let network = Network::started(3, Quorum::Majority, 10).await;
    network.all_reach(3).await;
    let directory = tempfile::tempdir().unwrap();
    let public = network
        .keys
        .iter()
        .map(SigningKey::public)
        .collect::<Vec<_>>();
    let own = SigningKey::from_seed([99; 32]);

    // A stranger that knows everything but has no validator's key.
    let stranger = Config {
        signing_key: own.clone(),
        data_dir: directory.path().join("stranger"),
        wal: WalPolicy::Create,
        ..network.config(0)
    };
    // A validator's key, but another network.
    let foreigner = Config {
        genesis_hash: Hash::of(b"another network"),
        data_dir: directory.path().join("foreigner"),
        wal: WalPolicy::Create,
        ..network.config(0)
    };
    for config in [stranger, foreigner] {
        let chain = Arc::new(Chain::new(
            config.signing_key.public(),
            Quorum::Majority,
            public.clone(),
            10,
        ));
        let running = run(Node::start(config, chain.clone()).await.unwrap());
        // Long enough for several attempts of the stranger, which tries once a second.
        let height = network.chains[0].height() + 100;
        network.all_reach(height).await;
        assert_eq!(chain.height(), 0, "it was served a block");
        for i in 0..3 {
            assert!(!network.handle(i).connected_peers().contains(&own.public()));
        }
        until("it is cut off", || {
            running.handle.connected_peers().is_empty()
        })
        .await;
        within("it stops", running.stop()).await.unwrap();
    }

    let address = format!("127.0.0.1:{}", network.handle(0).listen().port());
    let peer = tabella_consensus::PeerAddress::parse(own.public(), &address).unwrap();
    let refused = network.handle(1).set_peer(peer).await;
    assert!(matches!(refused, Err(SetPeerError::NotAllowed(key)) if key == own.public()));
    until("validators are connected", || {
        (0..3).all(|i| network.handle(i).connected_peers().len() == 2)
    })
    .await;
    network.stop_all().await;
}

/// Connects from an address to a validator again and again, and says nothing.
async fn hold(from: SocketAddr, to: SocketAddr) {
    loop {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(from).unwrap();
        if let Ok(mut stream) = socket.connect(to).await {
            let mut answer = Vec::new();
            // It is hung up on, soon or late.
            let _ = stream.read_to_end(&mut answer).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_comes_back_while_strangers_hold_idle_connections() {
    const HELD: usize = 55;
    let mut network = Network::new(3, Quorum::Majority, 10);
    network.peer_limits = PeerLimits {
        messages_per_second_max: 20_000,
        ..PeerLimits::default()
    };
    for i in 0..3 {
        network.start(i).await;
    }
    network.all_reach(3).await;
    network.stop(2).await;
    let held: Vec<_> = (0..2)
        .flat_map(|i| (0..4 * HELD).map(move |n| (i, n)))
        .map(|(i, n)| {
            let from = format!("127.0.0.{}:0", 2 + n / HELD).parse().unwrap();
            tokio::spawn(hold(from, network.handle(i).listen()))
        })
        .collect();
    // They came first.
    let height = network.chains[0].height() + 50;
    network.reaches([0, 1], height).await;
    network.start(2).await;
    until("it is connected", || {
        network.handle(2).connected_peers().len() == 2
    })
    .await;
    let height = network.chains[0].height() + 10;
    network.all_reach(height).await;
    held.iter().for_each(tokio::task::JoinHandle::abort);
    network.stop_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_floods_is_cut_off_and_the_others_go_on() {
    let mut network = Network::new(3, Quorum::Majority, 10);
    network.peer_limits = PeerLimits {
        messages_per_second_max: 2_000,
        ..network.peer_limits
    };
    for i in 0..3 {
        network.start(i).await;
    }
    network.all_reach(3).await;
    let flooding = network.handle(2).clone();
    let flood = tokio::spawn(async move {
        loop {
            for _ in 0..500 {
                let message = Bytes::from_static(b"again and again");
                flooding.broadcast(message).expect("it is short");
            }
            // What it says of consensus must still get out in between.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    for i in 0..2 {
        until("the flood is refused and its sender cut off", || {
            network.handle(i).refused_messages() > 0 && network.handle(i).peers_cut_off() > 0
        })
        .await;
    }
    // The two that behave decide without it.
    let height = network.chains[0].height() + 20;
    network.reaches(0..2, height).await;
    flood.abort();
    network.all_reach(height).await;
    until("it may come back", || {
        (0..2).all(|i| network.handle(i).connected_peers().len() == 2)
    })
    .await;
    network.assert_agreement(height);
    network.stop_all().await;
}
