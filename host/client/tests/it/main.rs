//! The client against validators that are honest, dead, slow, broken or lying.

mod asker;
#[allow(
    dead_code,
    reason = "shared with the backend's tests, which use more of it"
)]
mod fake;
mod floods;
mod integrity;
mod operations;
mod results;

use std::time::{Duration, Instant};

use fake::{Mood, Network, Node, key};
use tabella_client::{Client, FollowFrom, HealthStatus, SubmitError, WaitError};
use tabella_protocol::{Hash, Payload, Transaction, TransactionBody, rpc::RefusalCode};

const PATIENCE: Duration = Duration::from_secs(10);

/// Any signed transaction; different ones for different `n`.
fn transaction(n: u64) -> Vec<u8> {
    let mut body = TransactionBody::new(77, 100, Payload::OpenElection { election_id: n });
    body.nonce = n;
    Transaction::sign(body, &key(fake::AUTHORITY)).to_bytes()
}

struct Setup {
    network: std::sync::Arc<Network>,
    nodes: Vec<Node>,
    client: Client,
}

async fn setup(moods: [Mood; 3]) -> Setup {
    let network = Network::new(3);
    let mut nodes = Vec::new();
    for (index, mood) in moods.into_iter().enumerate() {
        nodes.push(Node::start(&network, index, mood).await);
    }
    let client = Client::builder(network.genesis.clone())
        .validators(nodes.iter().map(Node::endpoint))
        .health_period(Duration::from_millis(50))
        .health_deadline(Duration::from_millis(200))
        .follow_from(FollowFrom::Genesis)
        .build()
        .unwrap();
    Setup {
        network,
        nodes,
        client,
    }
}

use Mood::{Garbage, Hanging, Honest, Unavailable};

/// Polls `condition` until it holds.
async fn eventually(what: &str, deadline: Duration, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(
            started.elapsed() < deadline,
            "not within {deadline:?}: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn status(client: &Client, index: usize) -> HealthStatus {
    client.health().validators[index].status
}

#[tokio::test]
async fn a_submission_is_confirmed_by_a_verified_block() {
    let setup = setup([Honest, Honest, Honest]).await;
    let submitted = setup.client.submit(transaction(1)).await.unwrap();
    assert_eq!(submitted.transaction_id, Hash::of(&transaction(1)));
    let confirmation = setup
        .client
        .wait_for_confirmation(submitted.transaction_id, PATIENCE)
        .await
        .unwrap();
    assert_eq!((confirmation.height, confirmation.index), (1, 0));
    assert_eq!(confirmation.signatures, 3);
    // The same bytes again are the same transaction, and nothing new on the chain.
    let again = setup.client.submit(transaction(1)).await.unwrap();
    assert_eq!(again.transaction_id, submitted.transaction_id);
    assert_eq!(setup.network.chain().summaries.len(), 1);
}

#[tokio::test]
async fn what_is_not_on_the_chain_is_not_confirmed() {
    let setup = setup([Honest, Honest, Honest]).await;
    *setup.network.commits.lock().unwrap() = false;
    let submitted = setup.client.submit(transaction(1)).await.unwrap();
    let deadline = Duration::from_millis(100);
    let waited = setup
        .client
        .wait_for_confirmation(submitted.transaction_id, deadline)
        .await;
    assert_eq!(waited, Err(WaitError::Timeout(deadline)));
}

/// Submits to three validators of which the first two are in `mood`; returns what it cost.
async fn cost_of(mood: Mood) -> Duration {
    let setup = setup([mood.clone(), mood, Honest]).await;
    let started = Instant::now();
    let submitted = setup.client.submit(transaction(1)).await.unwrap();
    let cost = started.elapsed();
    assert_eq!(submitted.validator.node_id, "validator-3");
    setup
        .client
        .wait_for_confirmation(submitted.transaction_id, PATIENCE)
        .await
        .unwrap();
    cost
}

#[tokio::test]
async fn unavailable_and_garbled_validators_are_passed_over() {
    for mood in [Unavailable, Garbage] {
        let cost = cost_of(mood.clone()).await;
        assert!(cost < Duration::from_millis(300), "{mood:?} cost {cost:?}");
    }
}

#[tokio::test]
async fn a_hanging_validator_costs_less_than_300_ms() {
    let setup = setup([Hanging, Honest, Honest]).await;
    let started = Instant::now();
    for n in 0..5 {
        setup.client.submit(transaction(n)).await.unwrap();
    }
    let cost = started.elapsed();
    assert!(cost < Duration::from_millis(300), "cost {cost:?}");
}

#[tokio::test]
async fn a_validator_killed_meanwhile_costs_less_than_300_ms() {
    let setup = setup([Honest, Honest, Honest]).await;
    for (n, node) in (0..).zip(&setup.nodes[..2]) {
        setup.client.submit(transaction(n)).await.unwrap();
        node.kill().await;
        let started = Instant::now();
        setup.client.submit(transaction(n + 100)).await.unwrap();
        let cost = started.elapsed();
        assert!(cost < Duration::from_millis(300), "cost {cost:?}");
    }
}

#[tokio::test]
async fn with_no_validator_left_the_caller_is_told() {
    let setup = setup([Honest, Honest, Honest]).await;
    for node in &setup.nodes {
        node.kill().await;
    }
    let refused = setup.client.submit(transaction(1)).await;
    assert!(matches!(
        refused,
        Err(SubmitError::NoValidator | SubmitError::Unavailable(_))
    ));
    eventually("disconnected", PATIENCE, || !setup.client.is_connected()).await;
    let refused = setup.client.submit(transaction(1)).await;
    assert!(matches!(refused, Err(SubmitError::NoValidator)));
}

#[tokio::test]
async fn health_follows_death_and_return() {
    let setup = setup([Honest, Honest, Honest]).await;
    let bound = Duration::from_secs(2);
    eventually("healthy at first", bound, || {
        setup.client.health().healthy == 3
    })
    .await;
    setup.nodes[1].kill().await;
    eventually("unreachable after death", bound, || {
        status(&setup.client, 1) == HealthStatus::Unreachable
    })
    .await;
    setup.nodes[1].restart().await;
    eventually("healthy after return", bound, || {
        status(&setup.client, 1) == HealthStatus::Healthy
    })
    .await;
}

#[tokio::test]
async fn refreshing_asks_every_validator_now() {
    let setup = setup([Honest, Unavailable, Honest]).await;
    setup.client.refresh_validator_status().await;
    let report = setup.client.refresh_validator_status().await;
    assert_eq!(report.healthy, 2);
    assert_ne!(report.validators[1].status, HealthStatus::Healthy);
    setup.nodes[1].set_mood(Honest);
    setup.client.refresh_validator_status().await;
    let report = setup.client.refresh_validator_status().await;
    assert_eq!(report.healthy, 3);
}

/// A validator in `mood` serves blocks; the client must learn the truth from the others.
async fn check_liar(mood: Mood) {
    let setup = setup([mood, Honest, Honest]).await;
    for n in 0..20 {
        let submitted = setup.client.submit(transaction(n)).await.unwrap();
        setup
            .client
            .wait_for_confirmation(submitted.transaction_id, PATIENCE)
            .await
            .unwrap();
    }
    let invented = setup
        .client
        .wait_for_confirmation(Hash([9; 32]), Duration::from_millis(50))
        .await;
    assert!(invented.is_err());
    // Asked alone, it is caught.
    setup.nodes[1].kill().await;
    setup.nodes[2].kill().await;
    eventually("the others are given up", PATIENCE, || {
        [1, 2]
            .iter()
            .all(|n| status(&setup.client, *n) == HealthStatus::Unreachable)
    })
    .await;
    setup.network.commit(vec![]);
    eventually("the liar is caught", PATIENCE, || {
        !setup.client.is_connected()
    })
    .await;
    let height = setup.client.tip().borrow().map(|tip| tip.height);
    assert_eq!(height, Some(20), "nothing of the liar's block is believed");
    assert_eq!(status(&setup.client, 0), HealthStatus::Degraded);
}

#[tokio::test]
async fn invented_transactions_are_caught() {
    check_liar(Mood::InventsTransactions).await;
}

#[tokio::test]
async fn forged_certificates_are_caught() {
    check_liar(Mood::ForgesCertificates).await;
}

fn refuses() -> Mood {
    Mood::Refuses(RefusalCode::BallotRefused, "rank 2 is empty".into())
}

#[tokio::test]
async fn one_validators_refusal_is_not_the_chains() {
    let slow = Mood::Slow(Duration::from_millis(30));
    let setup = setup([refuses(), slow.clone(), slow]).await;
    eventually("all are healthy", PATIENCE, || {
        setup.client.health().healthy == 3
    })
    .await;
    for n in 0..5 {
        setup.client.submit(transaction(n)).await.unwrap();
    }
    let asked = setup.nodes[0].submission_requests();
    assert!(asked > 0, "the one that refuses was not asked");
}

#[tokio::test]
async fn blocks_that_do_not_follow_the_one_that_is_known_are_refused() {
    let setup = setup([Honest, Honest, Honest]).await;
    for _ in 0..3 {
        setup.network.commit(vec![]);
    }
    let known = setup.network.chain().summaries[0].header.hash();
    assert_eq!(setup.client.blocks(1, known, 3).await.unwrap().len(), 2);
    assert!(setup.client.blocks(1, Hash([9; 32]), 3).await.is_err());
}

#[tokio::test]
async fn a_refusal_comes_through_with_its_words() {
    let setup = setup([refuses(), refuses(), refuses()]).await;
    let Err(SubmitError::Refused(refusal)) = setup.client.submit(transaction(1)).await else {
        panic!("expected a refusal");
    };
    assert_eq!(refusal.code, RefusalCode::BallotRefused);
    assert_eq!(refusal.message, "rank 2 is empty");
}

#[tokio::test]
async fn many_submissions_travel_in_few_requests() {
    let setup = setup([Honest, Honest, Honest]).await;
    let submissions = (0..640).map(|n| setup.client.submit(transaction(n)));
    for submitted in futures::future::join_all(submissions).await {
        submitted.unwrap();
    }
    let requests: usize = setup.nodes.iter().map(Node::submission_requests).sum();
    assert!((10..200).contains(&requests), "{requests} requests");
    let included = setup.network.chain().included.len();
    assert_eq!(included, 640);
}

#[tokio::test]
async fn following_goes_on_from_the_block_the_caller_knows() {
    let setup = setup([Honest, Honest, Honest]).await;
    for _ in 0..200 {
        setup.network.commit(vec![]);
    }
    let hash = setup.network.chain().summaries[149].header.hash();
    let (deliver, mut blocks) = tokio::sync::mpsc::channel(4);
    let _client = Client::builder(setup.network.genesis.clone())
        .validators(setup.nodes.iter().map(Node::endpoint))
        .follow_from(FollowFrom::Block { height: 150, hash })
        .deliver_blocks(deliver)
        .build()
        .unwrap();
    for height in 151..=200 {
        let block = tokio::time::timeout(PATIENCE, blocks.recv()).await;
        assert_eq!(block.unwrap().unwrap().height(), height);
    }
}

#[tokio::test]
async fn full_blocks_in_a_row_are_followed_in_smaller_steps() {
    let setup = setup([Honest, Honest, Honest]).await;
    // 64 blocks of 3,000 transactions are more than one answer may hold.
    *setup.network.commits.lock().unwrap() = false;
    for _ in 0..64 {
        setup.network.commit(transactions(3_000));
    }
    let mut tip = setup.client.tip();
    let arrived = tip.wait_for(|tip| tip.is_some_and(|tip| tip.height == 64));
    tokio::time::timeout(PATIENCE * 3, arrived)
        .await
        .unwrap()
        .unwrap();
}

/// Transactions that differ; their signatures do not hold, which following does not look at.
fn transactions(count: u64) -> Vec<Transaction> {
    let signed = Transaction::from_bytes(&transaction(0)).unwrap();
    let different = |nonce| {
        let mut transaction = signed.clone();
        transaction.body.nonce = nonce;
        transaction
    };
    (0..count).map(different).collect()
}

#[tokio::test]
async fn following_fails_over_when_its_validator_hangs() {
    let setup = setup([Honest, Honest, Honest]).await;
    let mut subscription = setup.client.subscribe_blocks();
    for (height, moods) in [[Hanging, Honest, Honest], [Honest, Hanging, Honest]]
        .into_iter()
        .enumerate()
    {
        for (node, mood) in setup.nodes.iter().zip(moods) {
            node.set_mood(mood);
        }
        setup.network.commit(vec![]);
        let block = tokio::time::timeout(PATIENCE, subscription.recv()).await;
        assert_eq!(block.unwrap().unwrap().height(), height as u64 + 1);
    }
}

/// On one thread: who asks again and again without a pause lets nobody else go on.
#[tokio::test]
async fn one_that_alone_has_the_next_block_is_not_asked_without_a_pause() {
    let setup = setup([Mood::Idle, Mood::Behind, Mood::Behind]).await;
    let idle = || setup.client.health().validators[0].clone();
    eventually("two are healthy", PATIENCE, || {
        setup.client.health().healthy == 2 && idle().status == HealthStatus::Degraded
    })
    .await;
    setup.network.commit(vec![]);
    eventually("it is known to have the block", PATIENCE, || {
        idle().height == Some(1)
    })
    .await;
    let later = tabella_clock::now() + Duration::from_millis(500);
    eventually("it is checked half a second later", PATIENCE, || {
        idle().last_seen > Some(later)
    })
    .await;
    for node in &setup.nodes[1..] {
        node.set_mood(Honest);
    }
    let mut tip = setup.client.tip();
    let arrived = tip.wait_for(|tip| tip.is_some_and(|tip| tip.height == 1));
    tokio::time::timeout(PATIENCE, arrived)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn doubled_and_unreachable_validators_are_refused() {
    let network = Network::new(3);
    let node = Node::start(&network, 0, Honest).await;
    let build = |endpoints| {
        Client::builder(network.genesis.clone())
            .validators(endpoints)
            .build()
    };
    let mut newcomer = node.endpoint();
    newcomer.node_id = "validator-9".into();
    assert!(build(vec![newcomer]).is_ok(), "it may join later");
    assert!(build(vec![node.endpoint(), node.endpoint()]).is_err());
    let mut unsafe_url = node.endpoint();
    unsafe_url.rpc_url = "ftp://localhost".into();
    assert!(build(vec![unsafe_url]).is_err());
    assert!(build(vec![]).is_err());
}

#[tokio::test]
async fn blocks_with_other_bytes_than_the_certified_ones_are_asked_of_another() {
    let setup = setup([Mood::TampersWithBlocks, Honest, Honest]).await;
    for transaction in transactions(3) {
        setup.network.commit(vec![transaction]);
    }
    let genesis = setup.network.genesis.hash();
    // Whoever is asked first.
    for _ in 0..6 {
        let blocks = setup.client.blocks(0, genesis, 3).await.unwrap();
        let heights: Vec<u64> = blocks.iter().map(|view| view.header.height).collect();
        assert_eq!(heights, [1, 2, 3]);
    }
    setup.nodes[1].kill().await;
    setup.nodes[2].kill().await;
    assert!(setup.client.blocks(0, genesis, 3).await.is_err());
}
