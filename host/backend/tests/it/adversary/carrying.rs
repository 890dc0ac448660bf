//! Ballots on their way: what becomes of them is read from the proven chain, and from nobody's word.

use std::{path::PathBuf, time::Duration};

use serde_json::{Value, json};
use tabella_protocol::{
    Payload, SigningKey, Transaction, TransactionBody, VoterId, rpc::RefusalCode,
};
use tabella_testing::{Liar, Lie};

use super::scene::{SUBMIT, cast_for};
use crate::{
    deployment::{ADMIN_TOKEN, Deployment, Running, registrar_roll},
    fake::{Mood, key},
};

/// A network whose nearest validator takes every transaction and keeps it.
async fn keeping() -> (Deployment, Liar) {
    let mut deployment = Deployment::new().await;
    let first = &mut deployment.config.validators[0];
    let liar = Liar::start(&first.rpc_url, Lie::Keeps).await;
    first.rpc_url = liar.url();
    for node in &deployment.nodes[1..] {
        node.set_mood(Mood::Slow(Duration::from_millis(100)));
    }
    (deployment, liar)
}

/// Casts a ballot that a voter's own key signs in election 4.
async fn cast_signed(backend: &Running, voter: &SigningKey, ballots: Vec<Vec<u8>>) -> String {
    let payload = Payload::CastBallot {
        election_id: 4,
        voter: VoterId::from(voter.public()),
        ballots,
    };
    let signed = Transaction::sign(TransactionBody::new(77, 1_000, payload), voter);
    let request = json!({
        "election_id": 4, "ballot": {"choice": "a"}, "credential": voter.public(),
        "signature": signed.signature, "nonce": signed.body.nonce, "expiry_height": 1_000,
    });
    let token = backend.voter_token("anybody").await;
    let (status, answer) = backend.post(SUBMIT, Some(&token), request).await;
    assert_eq!(status, 202, "{answer}");
    answer["transaction_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn who_is_not_on_a_fixed_roll_is_told_so_though_one_validator_takes_its_ballot() {
    let (deployment, _liar) = keeping().await;
    deployment.create_election(registrar_roll()).await;
    deployment.open_election(5);
    let backend = deployment.start().await;
    let (status, answer) = cast_for(&backend, 5, "stranger").await;
    assert_eq!((status, &answer["code"]), (403, &json!("not-on-roll")));
}

/// Of a roll that grows, nobody can tell before the close; then it holds the close up no longer.
#[tokio::test]
async fn a_ballot_off_the_roll_that_one_validator_keeps_holds_no_close_open() {
    off_the_roll(Told::ByTheLiar).await;
}

#[tokio::test]
async fn a_ballot_off_the_roll_of_which_no_validator_tells_holds_no_close_open() {
    off_the_roll(Told::ByNobody).await;
}

/// Who tells where a ballot stands that one validator took.
#[derive(PartialEq)]
enum Told {
    ByTheLiar,
    ByNobody,
}

async fn off_the_roll(told: Told) {
    let (deployment, liar) = keeping().await;
    let backend = deployment.start().await;
    // Any canonical ballot will do: every election here has the same rule.
    assert_eq!(backend.cast("alice", "t1", "a").await.0, 202);
    deployment.network.commit(vec![]);
    let ballots = {
        let kept = backend.until("t1", "confirmed").await;
        assert!(liar.kept() > 0, "{kept}: the liar is not the nearest");
        deployment.ballots().remove(0)
    };
    let id = cast_signed(&backend, &key(7), ballots).await;
    if told == Told::ByNobody {
        liar.set(Lie::Nothing);
        for node in &deployment.nodes {
            node.set_mood(Mood::BusyAt(id.parse().unwrap()));
        }
    }
    deployment.network.commit(vec![]);
    closes_without(&backend, &id).await;
}

/// Two refuse it, and the third may hold it: what it does not say holds no close up.
#[tokio::test]
async fn a_ballot_off_the_roll_that_one_validator_says_nothing_of_holds_no_close_open() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    assert_eq!(backend.cast("alice", "t1", "a").await.0, 201);
    let ballots = deployment.ballots().remove(0);
    deployment.nodes[0].set_mood(Mood::Errors);
    let id = cast_signed(&backend, &key(7), ballots).await;
    closes_without(&backend, &id).await;
}

/// Election 4 is closed and counted, and a ballot that was acknowledged is not in it.
async fn closes_without(backend: &Running, id: &str) {
    let path = "/api/admin/elections/4/close";
    let (status, answer) = backend.post(path, Some(ADMIN_TOKEN), json!({})).await;
    assert!([200, 202].contains(&status), "{answer}");
    backend.counted(4).await;
    let path = format!("/api/votes/transaction-status?transaction_id={id}&election_id=4");
    let (_, answer) = backend.get(&path, Some(ADMIN_TOKEN)).await;
    assert_eq!(answer["status"], "rejected", "{answer}");
}

/// A carrier that holds a ballot back, and lets it go when a restored database has forgotten it and its
/// voter has voted again, changes nothing.
#[tokio::test]
async fn a_registrars_ballot_that_was_held_back_does_not_replace_a_later_one() {
    let deployment = Deployment::new().await;
    deployment.open_election(3);
    let (database, copy) = database_and_copy(&deployment);
    let backend = deployment.start().await;
    // Voters of before, so that the database is not a new one.
    assert_eq!(backend.cast("first", "t0", "a").await.0, 201);
    backend.stop().await;
    std::fs::copy(&database, &copy).unwrap();

    let backend = deployment.start().await;
    *deployment.network.commits.lock().unwrap() = false;
    cast_again(&backend, "a").await;
    let held = deployment.network.withdraw();
    assert_eq!(held.len(), 1);
    backend.stop().await;
    std::fs::copy(&copy, &database).unwrap();
    *deployment.network.commits.lock().unwrap() = true;
    // Ballots of one second are told apart by what is known of the voter, which is lost here.
    tokio::time::sleep(Duration::from_millis(1_100)).await;

    let backend = deployment.start().await;
    cast_again(&backend, "b").await;
    until(&backend, "t-b", "confirmed").await;
    let (code, _) = deployment.network.take(held[0].clone()).unwrap_err();
    assert_eq!(code, RefusalCode::Superseded);
}

/// Ballots of one voter that come at once end in an order, none of them refused for it.
#[tokio::test]
async fn ballots_of_one_voter_that_come_at_once_are_all_confirmed() {
    let deployment = Deployment::new().await;
    deployment.open_election(3);
    let backend = deployment.start().await;
    let casts = (0..8).map(|n| {
        let choice = if n % 2 == 0 { "a" } else { "b" };
        let request = json!({
            "election_id": 3, "ballot": {"choice": choice}, "voter_id": "alice",
            "transaction_id": format!("t{n}"),
        });
        backend.post(SUBMIT, Some(ADMIN_TOKEN), request)
    });
    for (status, answer) in futures::future::join_all(casts).await {
        assert!([201, 202].contains(&status), "{answer}");
    }
    for n in 0..8 {
        until(&backend, &format!("t{n}"), "confirmed").await;
    }
    assert_eq!(deployment.ballots().len(), 8);
}

/// Polls where a ballot of election 3 stands until it is `wanted`.
async fn until(backend: &Running, transaction_id: &str, wanted: &str) -> Value {
    let path =
        format!("/api/votes/transaction-status?transaction_id={transaction_id}&election_id=3");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let (_, answer) = backend.get(&path, Some(ADMIN_TOKEN)).await;
        if answer["status"] == wanted {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "still {answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Alice's ballot in election 3, in which a later one replaces it.
async fn cast_again(backend: &Running, choice: &str) {
    let request = json!({
        "election_id": 3, "ballot": {"choice": choice}, "voter_id": "alice",
        "transaction_id": format!("t-{choice}"),
    });
    let (status, answer) = backend.post(SUBMIT, Some(ADMIN_TOKEN), request).await;
    assert!([201, 202].contains(&status), "{answer}");
}

fn database_and_copy(deployment: &Deployment) -> (PathBuf, PathBuf) {
    let database = deployment.config.data.join("backend.redb");
    (database, deployment.path().join("copy.redb"))
}

/// The database that was restored knows the voter's first ballot, whose transaction has expired, and not
/// that it was signed again, nor the ballot that replaced it.
#[tokio::test]
async fn an_expired_ballot_is_not_signed_again_over_a_later_one() {
    const EXPIRY: u64 = 500;
    let deployment = Deployment::with_expiry(EXPIRY).await;
    deployment.open_election(3);
    let (database, copy) = database_and_copy(&deployment);
    let backend = deployment.start().await;
    backend.mirrored().await;
    deployment.kill_validators().await;
    cast_again(&backend, "a").await;
    backend.stop().await;
    std::fs::copy(&database, &copy).unwrap();
    for _ in 0..EXPIRY + 10 {
        deployment.network.commit(vec![]);
    }
    deployment.restart_validators().await;
    let backend = deployment.start().await;
    until(&backend, "t-a", "confirmed").await;
    cast_again(&backend, "b").await;
    until(&backend, "t-b", "confirmed").await;
    let cast = deployment.ballots();
    assert_eq!(cast.len(), 2);
    backend.stop().await;
    std::fs::copy(&copy, &database).unwrap();

    let backend = deployment.start().await;
    let answer = until(&backend, "t-a", "rejected").await;
    assert_eq!(answer["code"], "superseded", "{answer}");
    assert_eq!(deployment.ballots(), cast, "nothing was cast again");
}
