//! Every operation that the client offers, by its name, and how it treats validators that are slow
//! or gone.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tabella_client::{
    Client, ConfirmationStatus, HealthStatus, QueryError, SubmitError, ValidatorEndpoint,
};
use tabella_protocol::{
    Genesis, Hash, Payload, Quorum, Transaction, TransactionBody, VoterId,
    rpc::{RefusalCode, TransactionStatus},
};

use crate::{
    PATIENCE, Setup, eventually,
    fake::{self, Mood, genesis, key},
    setup, status, transaction,
};

fn ballot(chain_id: u64, n: u8) -> Transaction {
    let voter = key(n);
    let payload = Payload::CastBallot {
        election_id: 1,
        voter: VoterId::from(voter.public()),
        ballots: vec![vec![n]],
    };
    Transaction::sign(TransactionBody::new(chain_id, 100, payload), &voter)
}

#[tokio::test]
async fn every_operation_on_an_honest_network() {
    let Setup {
        network, client, ..
    } = setup([Mood::Honest, Mood::Honest, Mood::Honest]).await;
    let submitted = client.submit_vote(&ballot(77, 1)).await.unwrap();
    let id = submitted.transaction_id;
    let confirmation = client.wait_for_confirmation(id, PATIENCE).await.unwrap();
    assert_eq!(
        client.confirmation_status(id).await.unwrap(),
        ConfirmationStatus::Confirmed(confirmation)
    );
    let unknown = client.confirmation_status(Hash([9; 32])).await.unwrap();
    assert_eq!(unknown, ConfirmationStatus::Unknown);
    assert!(
        client
            .transaction_receipt(Hash([9; 32]))
            .await
            .unwrap()
            .is_none()
    );
    assert!(client.election_results(1).await.unwrap().is_none());
    let report = client.refresh_validator_status().await;
    assert_eq!(report.validators.len(), 3);
    eventually("all three are healthy", PATIENCE, || {
        client.health().healthy == 3
    })
    .await;
    let state = client.blockchain_state();
    assert!(state.has_quorum);
    assert_eq!(state.tip.map(|tip| tip.height), Some(1));
    assert_eq!(network.chain().summaries.len(), 1);
}

#[tokio::test]
async fn what_is_no_ballot_of_this_network_is_not_sent() {
    let Setup { nodes, client, .. } = setup([Mood::Honest, Mood::Honest, Mood::Honest]).await;
    let mut unsigned = ballot(77, 1);
    unsigned.body.nonce ^= 1;
    let no_ballot = Transaction::from_bytes(&transaction(1)).unwrap();
    for (transaction, expected) in [
        (no_ballot, RefusalCode::MalformedTransaction),
        (ballot(78, 1), RefusalCode::OtherChain),
        (unsigned, RefusalCode::BadSignature),
    ] {
        let Err(SubmitError::Refused(refusal)) = client.submit_vote(&transaction).await else {
            panic!("expected a refusal");
        };
        assert_eq!((refusal.code, refusal.validators), (expected, 0));
    }
    let sent: usize = nodes.iter().map(fake::Node::submission_requests).sum();
    assert_eq!(sent, 0);
}

/// Only what takes this very transaction has taken it.
#[tokio::test]
async fn one_that_says_it_took_another_transaction_took_none() {
    let Setup {
        network, client, ..
    } = setup([
        Mood::TakesAnother,
        Mood::Slow(Duration::from_millis(30)),
        Mood::Slow(Duration::from_millis(30)),
    ])
    .await;
    eventually("all are healthy", PATIENCE, || client.health().healthy == 3).await;
    for n in 1..=6 {
        let vote = ballot(77, n);
        let submitted = client.submit_vote(&vote).await.unwrap();
        assert_eq!(submitted.transaction_id, vote.id());
        assert!(network.chain().included.contains_key(&vote.id()), "{n}");
    }
    let lies = || client.health().validators[0].lies;
    eventually("it is asked once, and found out", PATIENCE, || lies() > 0).await;
    let moods = [Mood::TakesAnother, Mood::TakesAnother, Mood::TakesAnother];
    let Setup { client, .. } = setup(moods).await;
    match client.submit_vote(&ballot(77, 1)).await {
        Err(SubmitError::Unavailable(_) | SubmitError::NoValidator) => {}
        other => panic!("{other:?}"),
    }
}

/// It answers faster than the others, and would be asked first each time.
#[tokio::test]
async fn one_that_takes_no_submissions_is_asked_after_the_others() {
    let slow = Mood::Slow(Duration::from_millis(30));
    let Setup { nodes, client, .. } = setup([Mood::Errors, slow.clone(), slow]).await;
    eventually("all are healthy", PATIENCE, || client.health().healthy == 3).await;
    for n in 1..=20 {
        client.submit_vote(&ballot(77, n)).await.unwrap();
    }
    let asked = nodes[0].submission_requests();
    assert!((1..=10).contains(&asked), "asked {asked} times");
}

#[tokio::test]
async fn a_refusal_says_how_many_validators_gave_it() {
    let refuses = || Mood::Refuses(RefusalCode::AlreadyVoted, "once".into());
    let Setup { nodes, client, .. } = setup([refuses(), refuses(), refuses()]).await;
    let said = async || match client.submit_vote(&ballot(77, 1)).await {
        Err(SubmitError::Refused(refusal)) => refusal.validators,
        other => panic!("expected a refusal, got {other:?}"),
    };
    assert_eq!(said().await, 2);
    for index in [1, 2] {
        nodes[index].kill().await;
        eventually("it is given up", PATIENCE, || {
            status(&client, index) == HealthStatus::Unreachable
        })
        .await;
    }
    assert_eq!(said().await, 1);
}

/// One that holds an old copy and one that lies are no two witnesses.
#[tokio::test]
async fn refusals_for_different_reasons_do_not_add_up() {
    let refuses = |code| Mood::Refuses(code, "no".into());
    let (old, liar) = (
        refuses(RefusalCode::AlreadyVoted),
        refuses(RefusalCode::BallotRefused),
    );
    let Setup { client, .. } = setup([old.clone(), liar.clone(), Mood::Honest]).await;
    client.submit(transaction(1)).await.unwrap();
    let Setup { client, .. } = setup([old, liar, Mood::Unavailable]).await;
    match client.submit(transaction(1)).await {
        Err(SubmitError::Unavailable(_)) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refusal_is_not_final_while_one_that_gave_no_answer_may_hold_the_transaction() {
    let refuses = |code| Mood::Refuses(code, "no".into());
    // Two that lag behind say so, and so do two that know better.
    for (code, is_final) in [
        (RefusalCode::NotOnRoll, false),
        (RefusalCode::AlreadyVoted, true),
    ] {
        let moods = [Mood::LosesAnswers, refuses(code), refuses(code)];
        let Setup { client, .. } = setup(moods).await;
        match client.submit(transaction(1)).await {
            Err(SubmitError::Refused(refusal)) if is_final => {
                assert_eq!((refusal.code, refusal.validators), (code, 2));
            }
            Err(SubmitError::Unavailable(_)) if !is_final => {}
            other => panic!("{code:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn one_validators_refusal_is_not_final_while_anothers_answer_is_missing() {
    let refuses = Mood::Refuses(RefusalCode::AlreadyVoted, "once".into());
    let Setup { nodes, client, .. } = setup([Mood::LosesAnswers, refuses, Mood::Honest]).await;
    nodes[2].kill().await;
    eventually("it is given up", PATIENCE, || {
        status(&client, 2) == HealthStatus::Unreachable
    })
    .await;
    let answer = client.submit(transaction(1)).await;
    assert!(
        matches!(answer, Err(SubmitError::Unavailable(_))),
        "{answer:?}"
    );
}

/// A client of these validators, which hold what `network` holds; the ones that are slow are asked last.
async fn client_of(network: &Arc<fake::Network>, moods: Vec<Mood>) -> (Vec<fake::Node>, Client) {
    let mut nodes = Vec::new();
    for (index, mood) in moods.into_iter().enumerate() {
        nodes.push(fake::Node::start(network, index, mood).await);
    }
    let client = Client::builder(network.genesis.clone())
        .validators(nodes.iter().map(fake::Node::endpoint))
        .health_period(Duration::from_millis(50))
        .build()
        .unwrap();
    eventually("all are healthy", PATIENCE, || {
        client.health().healthy == nodes.len()
    })
    .await;
    (nodes, client)
}

fn slow() -> Mood {
    Mood::Slow(Duration::from_millis(30))
}

#[tokio::test]
async fn one_that_left_the_network_is_no_witness() {
    let refuses = || Mood::Refuses(RefusalCode::BallotRefused, "no".into());
    // The fourth is configured, and not of the chain's validators.
    let network = fake::Network::new(3);
    let moods = vec![refuses(), slow(), slow(), refuses()];
    let (nodes, client) = client_of(&network, moods).await;
    client.submit(transaction(1)).await.unwrap();
    for index in [0, 3] {
        assert_eq!(nodes[index].submission_requests(), 1);
    }
    for index in [1, 2] {
        nodes[index].kill().await;
        eventually("it is given up", PATIENCE, || {
            status(&client, index) == HealthStatus::Unreachable
        })
        .await;
    }
    match client.submit(transaction(2)).await {
        Err(SubmitError::Refused(refusal)) => assert_eq!(refusal.validators, 1),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_lone_claim_of_a_great_height_makes_nobody_late() {
    let Setup {
        network,
        nodes,
        client,
    } = setup([Mood::Claims(1_000_000_000), Mood::Honest, Mood::Honest]).await;
    network.commit(vec![]);
    let checked: Vec<usize> = nodes.iter().map(fake::Node::status_calls).collect();
    eventually("every one was checked again and again", PATIENCE, || {
        let mut nodes = nodes.iter().zip(&checked);
        nodes.all(|(node, checked)| node.status_calls() > checked + 3)
    })
    .await;
    assert_eq!(client.blockchain_state().claimed_height, Some(1));
    for index in [1, 2] {
        assert_eq!(status(&client, index), HealthStatus::Healthy);
    }
}

#[tokio::test]
async fn where_two_may_lie_three_have_to_refuse() {
    let refuses = || Mood::Refuses(RefusalCode::BallotRefused, "no".into());
    let bft = Genesis {
        quorum: Quorum::Bft,
        ..genesis(7)
    };
    let network = fake::Network::with(bft, None);
    let mut moods = vec![slow(); 7];
    moods[..2].fill_with(refuses);
    let (nodes, client) = client_of(&network, moods).await;
    client.submit(transaction(1)).await.unwrap();
    for liar in &nodes[..2] {
        assert_eq!(liar.submission_requests(), 1);
    }
    nodes[2].set_mood(refuses());
    for node in &nodes[3..] {
        node.set_mood(refuses());
    }
    match client.submit(transaction(2)).await {
        Err(SubmitError::Refused(refusal)) => assert_eq!(refusal.validators, 3),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_one_call_of_a_batch_does_not_tell_is_asked_elsewhere() {
    let ids: Vec<Hash> = (0..3).map(|n| Hash::of(&transaction(n))).collect();
    let busy = || Mood::BusyAt(ids[1]);
    let Setup { nodes, client, .. } = setup([busy(), busy(), busy()]).await;
    for n in 0..3 {
        client.submit(transaction(n)).await.unwrap();
    }
    let told = async || -> Vec<bool> {
        let statuses = client.transaction_statuses(&ids).await;
        let confirmed = |s| matches!(s, Some(TransactionStatus::Confirmed { .. }));
        statuses.into_iter().map(confirmed).collect()
    };
    assert_eq!(told().await, [true, false, true]);
    nodes[2].set_mood(Mood::Honest);
    assert_eq!(told().await, [true, true, true]);
}

#[tokio::test]
async fn an_offer_reaches_every_validator_that_can_be_called() {
    let Setup {
        network,
        nodes,
        client,
    } = setup([Mood::Honest, Mood::Honest, Mood::Honest]).await;
    eventually("all three are healthy", PATIENCE, || {
        client.health().healthy == 3
    })
    .await;
    let transactions: Vec<Vec<u8>> = (0..200).map(transaction).collect();
    assert_eq!(client.offer_to_all(&transactions).await, 3);
    let asked = || -> Vec<usize> { nodes.iter().map(fake::Node::submission_requests).collect() };
    assert_eq!(asked(), [4, 4, 4]);
    assert_eq!(network.chain().included.len(), 200);
    nodes[2].kill().await;
    eventually("it is given up", PATIENCE, || {
        status(&client, 2) == HealthStatus::Unreachable
    })
    .await;
    // What is there already is as good; a refusal is an answer too.
    nodes[1].set_mood(Mood::Refuses(RefusalCode::AlreadyVoted, "once".into()));
    assert_eq!(client.offer_to_all(&transactions[..1]).await, 2);
    assert_eq!(asked(), [5, 5, 4]);
}

#[tokio::test]
async fn where_a_transaction_stands_is_an_error_while_nobody_tells() {
    let untold = || Mood::RefusesUntold(RefusalCode::AlreadyVoted, "once".into());
    let Setup { nodes, client, .. } = setup([untold(), untold(), untold()]).await;
    let told = client.confirmation_status(Hash([9; 32])).await;
    assert!(matches!(told, Err(QueryError::Failed { .. })), "{told:?}");
    nodes[1].set_mood(Mood::Honest);
    let told = client.confirmation_status(Hash([9; 32])).await;
    assert_eq!(told.unwrap(), ConfirmationStatus::Unknown);
}

#[tokio::test]
async fn the_default_validators_are_three_on_this_machine() {
    let client = Client::builder(genesis(3)).build().unwrap();
    let known = client.health().validators.into_iter().map(|v| v.endpoint);
    let known: Vec<ValidatorEndpoint> = known.collect();
    assert_eq!(known, ValidatorEndpoint::defaults());
    let urls: Vec<&str> = known.iter().map(|v| v.rpc_url.as_str()).collect();
    assert_eq!(
        urls,
        [
            "http://localhost:8001",
            "http://localhost:8002",
            "http://localhost:8003"
        ]
    );
}

/// Whichever validator a read begins with, another one is asked when it is late: a read never
/// takes the two seconds that one validator may.
#[tokio::test]
async fn a_read_that_one_validator_holds_is_answered_by_another() {
    let Setup { nodes, client, .. } = setup([Mood::Honest, Mood::Honest, Mood::Honest]).await;
    eventually("all three are healthy", PATIENCE, || {
        client.health().healthy == 3
    })
    .await;
    for _ in 0..3 {
        for node in &nodes {
            node.set_mood(Mood::HoldsReads);
            let started = Instant::now();
            client.elections().await.unwrap();
            let cost = started.elapsed();
            assert!(cost < Duration::from_millis(1_500), "cost {cost:?}");
            node.set_mood(Mood::Honest);
        }
    }
}

#[tokio::test]
async fn a_slow_validator_gets_less_to_do() {
    let slow = Mood::Slow(Duration::from_millis(60));
    let Setup { nodes, client, .. } = setup([slow, Mood::Honest, Mood::Honest]).await;
    eventually("all three are healthy", PATIENCE, || {
        client.health().healthy == 3
    })
    .await;
    for n in 0..50 {
        client.submit(transaction(n)).await.unwrap();
    }
    let asked: Vec<usize> = nodes.iter().map(fake::Node::submission_requests).collect();
    assert!(asked[0] * 5 < asked[1] + asked[2], "{asked:?}");
}

#[tokio::test]
async fn a_broken_circuit_keeps_calls_away_until_it_is_closed_again() {
    let Setup { nodes, client, .. } = setup([Mood::Unavailable, Mood::Honest, Mood::Honest]).await;
    eventually("it is given up", PATIENCE, || {
        status(&client, 0) == HealthStatus::Unreachable
    })
    .await;
    let problem = client.health().validators[0].problem.clone();
    assert_eq!(problem.as_deref(), Some("returned status 503"));
    let before = nodes[0].submission_requests();
    for n in 0..30 {
        client.submit(transaction(n)).await.unwrap();
    }
    assert_eq!(nodes[0].submission_requests(), before);
    nodes[0].set_mood(Mood::Honest);
    eventually("it is trusted again", PATIENCE, || {
        status(&client, 0) == HealthStatus::Healthy
    })
    .await;
    // With the others gone, it is the one that serves.
    nodes[1].kill().await;
    nodes[2].kill().await;
    client.submit(transaction(99)).await.unwrap();
}
