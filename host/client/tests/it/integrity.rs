//! Re-checking whole chains.

use std::{sync::Arc, time::Duration};

use expect_test::{Expect, expect};
use tabella_client::Client;
use tabella_protocol::{
    ContestSpec, Disclosure, ElectionSpec, Eligibility, Hash, OpenTo, OptionSpec, Payload, Revote,
    Transaction, TransactionBody, VoterId, rpc::ElectionStatus,
};

use crate::fake::{AUTHORITY, Mood, Network, Node, REGISTRAR, election_view, key};

fn spec() -> ElectionSpec {
    ElectionSpec {
        title: "Mayor".into(),
        contests: vec![ContestSpec {
            id: "mayor".into(),
            title: "Mayor".into(),
            plugin: Hash::ZERO,
            options: vec![OptionSpec {
                id: "a".into(),
                title: "A".into(),
            }],
            params: "{}".into(),
        }],
        eligibility: Eligibility::Registrar {
            registrar: key(REGISTRAR).public(),
            open_to: OpenTo::Named,
        },
        revote: Revote::Refuse,
        disclosure: Disclosure::AtClose,
    }
}

fn ballot(n: u8, signer: u8) -> Transaction {
    let payload = Payload::CastBallot {
        election_id: 1,
        voter: VoterId([n; 32]),
        ballots: vec![vec![n]],
    };
    let mut body = TransactionBody::new(77, 100, payload);
    body.nonce = u64::from(n);
    Transaction::sign(body, &key(signer))
}

/// A chain of 50 blocks with an election of 20 ballots.
fn network() -> Arc<Network> {
    let network = Network::new(3);
    let view = election_view(1, spec(), Hash::ZERO, ElectionStatus::Open);
    network.elections.lock().unwrap().insert(1, view);
    for n in 0..50 {
        let ballots = if n < 10 {
            vec![ballot(2 * n, REGISTRAR), ballot(2 * n + 1, REGISTRAR)]
        } else {
            vec![]
        };
        network.commit(ballots);
    }
    network
}

async fn check(network: Arc<Network>, moods: [Mood; 3], expected: Expect) {
    let mut nodes = Vec::new();
    for (index, mood) in moods.into_iter().enumerate() {
        nodes.push(Node::start(&network, index, mood).await);
    }
    let client = Client::builder(network.genesis.clone())
        .validators(nodes.iter().map(Node::endpoint))
        .health_period(Duration::from_millis(50))
        .build()
        .unwrap();
    client.refresh_validator_status().await;
    let found = client.verify_integrity(1).await.unwrap();
    let mut text = format!(
        "{} blocks, {} signatures, {} ballots to height {}; {} agree\n",
        found.blocks, found.signatures, found.ballots, found.height, found.validators_agreeing
    );
    for problem in found.problems.iter().take(3) {
        text.push_str(problem);
        text.push('\n');
    }
    expected.assert_eq(&text);
}

use Mood::Honest;

#[tokio::test]
async fn a_sound_chain_has_no_problems() {
    check(
        network(),
        [Honest, Honest, Honest],
        expect![[r#"
            50 blocks, 170 signatures, 20 ballots to height 50; 3 agree
        "#]],
    )
    .await;
}

#[tokio::test]
async fn changed_transactions_are_found() {
    let tampers = || Mood::TampersWithBlocks;
    check(
        network(),
        [tampers(), tampers(), tampers()],
        expect![[r#"
            50 blocks, 150 signatures, 0 ballots to height 50; 3 agree
            block 1: the header does not commit to the transactions that came with it
            block 2: the header does not commit to the transactions that came with it
            block 3: the header does not commit to the transactions that came with it
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_board_that_is_not_the_chains_is_found() {
    let network = network();
    let root = Hash([7; 32]);
    network
        .elections
        .lock()
        .unwrap()
        .get_mut(&1)
        .unwrap()
        .board
        .root = root;
    check(
        network,
        [Honest, Honest, Honest],
        expect![[r#"
            50 blocks, 170 signatures, 20 ballots to height 50; 3 agree
            the board of election 1 holds 20 ballots under 0x0707070707070707070707070707070707070707070707070707070707070707, but the chain's ballots make 20 under 0x16ac35eb1e2fbf9656763b4d8c6cccd6068497b0822e7cb0e62ea395a2dfaf1c
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_ballot_that_nobody_entitled_signed_is_found() {
    let network = network();
    network.commit(vec![ballot(200, AUTHORITY)]);
    check(network, [Honest, Honest, Honest], expect![[r#"
        51 blocks, 174 signatures, 21 ballots to height 51; 3 agree
        ballot 0x3e5cd173f93ab56f8c38108ed86bd7b1199a536a4b17654100624d517b0aabb1 in block 51 is not signed by who may cast it
    "#]]).await;
}
