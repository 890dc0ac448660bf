//! What is acknowledged before an election is closed is in the count.

use std::time::Duration;

use serde_json::{Value, json};
use tabella_backend::DatabaseUrl;
use tabella_protocol::{Payload, Transaction};
use tabella_test_postgres::Postgres;

use crate::{
    deployment::{ADMIN_TOKEN, Answer, Deployment, Running, by_authority},
    fake::{AUTHORITY, Mood, key},
};

const CLOSE: &str = "/api/admin/elections/1/close";

async fn close(backend: &Running) -> Answer {
    backend.post(CLOSE, Some(ADMIN_TOKEN), json!({})).await
}

/// The kinds of everything on the chain that concerns election 1 from its opening on, in order.
fn history(deployment: &Deployment) -> Vec<&'static str> {
    let chain = deployment.network.chain();
    let transactions = chain.blocks.iter().flat_map(|block| &block.transactions);
    let kinds = transactions.filter_map(|bytes| {
        match Transaction::from_bytes(bytes).unwrap().body.payload {
            Payload::CastBallot { election_id: 1, .. } => Some("ballot"),
            Payload::CloseElection { election_id: 1 } => Some("close"),
            _ => None,
        }
    });
    kinds.collect()
}

async fn until_closed(deployment: &Deployment) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !history(deployment).contains(&"close") {
        assert!(tokio::time::Instant::now() < deadline, "not closed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn is_refused(answer: &Answer) -> bool {
    answer.0 == 409 && answer.1["code"] == "election-closed"
}

#[tokio::test]
async fn a_ballot_that_no_validator_took_before_the_close_is_in_the_count() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    assert_eq!(backend.cast("first", "t0", "a").await.0, 201);
    backend.mirrored().await;
    deployment.kill_validators().await;
    assert_eq!(backend.cast("alice", "t1", "a").await.1["status"], "local");
    let (status, answer) = close(&backend).await;
    assert_eq!(
        (status, &answer["status"]),
        (202, &json!("closing")),
        "{answer}"
    );
    assert_eq!(answer["unsettled"], 1);
    // From now on nobody is told anything else, though nothing can be carried.
    let late = backend.cast("late", "t2", "a").await;
    assert!(is_refused(&late), "{late:?}");
    let (status, again) = backend.cast("alice", "t1", "a").await;
    assert_eq!(
        (status, &again["status"]),
        (202, &json!("local")),
        "{again}"
    );
    deployment.restart_validators().await;
    until_closed(&deployment).await;
    assert_eq!(history(&deployment), ["ballot", "ballot", "close"]);
    backend.until("t1", "confirmed").await;
    let late = backend.cast("late", "t2", "a").await;
    assert!(is_refused(&late), "{late:?}");
}

#[tokio::test]
async fn a_ballot_that_a_validator_holds_is_confirmed_before_the_close() {
    let mut deployment = Deployment::new().await;
    deployment.config.confirmation_wait_ms = 50;
    let backend = deployment.start().await;
    *deployment.network.commits.lock().unwrap() = false;
    assert_eq!(backend.cast("alice", "t1", "a").await.0, 202);
    let closing = close(&backend);
    let committing = async {
        // The mark is there before anything is committed.
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        let mut n = 0;
        loop {
            n += 1;
            let (voter, id) = (format!("late-{n}"), format!("l{n}"));
            let late = backend.cast(&voter, &id, "a").await;
            if is_refused(&late) {
                break;
            }
            assert_eq!(late.0, 202, "{late:?}");
            assert!(tokio::time::Instant::now() < deadline, "not marked");
        }
        *deployment.network.commits.lock().unwrap() = true;
        deployment.network.commit(vec![]);
        n
    };
    let ((status, answer), n) = tokio::join!(closing, committing);
    assert!(status == 200 || status == 202, "{answer}");
    until_closed(&deployment).await;
    let mut expected = vec!["ballot"; n];
    expected.push("close");
    assert_eq!(history(&deployment), expected, "alice and all but the last");
    backend.until("t1", "confirmed").await;
}

/// Stopped at any moment between the mark and the close, the next start goes on.
#[tokio::test]
async fn a_backend_that_ends_while_it_closes_goes_on_at_its_next_start() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    assert_eq!(backend.cast("first", "t0", "a").await.0, 201);
    backend.mirrored().await;
    deployment.kill_validators().await;
    assert_eq!(backend.cast("alice", "t1", "a").await.0, 202);
    assert_eq!(close(&backend).await.0, 202);
    backend.stop().await;

    let backend = deployment.start().await;
    let late = backend.cast("late", "t2", "a").await;
    assert!(is_refused(&late), "{late:?}");
    deployment.restart_validators().await;
    until_closed(&deployment).await;
    assert_eq!(history(&deployment), ["ballot", "ballot", "close"]);
    // It is closed on the chain, and the database does not know yet: the same end.
    backend.stop().await;
    let backend = deployment.start().await;
    let (status, problem) = close(&backend).await;
    assert_eq!(status, 409, "{problem}");
}

#[tokio::test]
async fn an_administrator_may_leave_out_what_has_not_ended() {
    let mut deployment = Deployment::new().await;
    deployment.config.confirmation_wait_ms = 50;
    let cut_off = deployment.start().await;
    assert_eq!(cut_off.cast("first", "t0", "a").await.0, 201);
    cut_off.mirrored().await;
    deployment.kill_validators().await;
    assert_eq!(cut_off.cast("alice", "t1", "a").await.1["status"], "local");
    let path = format!("{CLOSE}?leave_unsettled=true");
    let (status, answer) = cut_off.post(&path, Some(ADMIN_TOKEN), json!({})).await;
    assert_eq!((status, &answer["unsettled"]), (202, &json!(1)), "{answer}");
    deployment.restart_validators().await;
    until_closed(&deployment).await;
    // In the count or refused, whichever came first; told in either case.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let status = cut_off.status("t1").await;
        if status["status"] == "rejected" {
            assert_eq!(status["code"], "election-closed");
            break;
        }
        if status["status"] == "confirmed" {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "still {status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// There is a quorum, and it would take the close.
#[tokio::test]
async fn a_close_does_not_go_before_a_ballot_that_nobody_takes_yet() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    for node in &deployment.nodes {
        node.set_mood(Mood::FailsBallots);
    }
    assert_eq!(backend.cast("alice", "t1", "a").await.0, 202);
    let taking = async {
        // The mark is there; then there are rounds enough in which it could be closed.
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        let mut n = 0;
        while !is_refused(
            &backend
                .cast(&format!("late-{n}"), &format!("l{n}"), "a")
                .await,
        ) {
            assert!(tokio::time::Instant::now() < deadline, "not marked");
            n += 1;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(history(&deployment), [""; 0]);
        for node in &deployment.nodes {
            node.set_mood(Mood::Honest);
        }
    };
    let ((status, answer), ()) = tokio::join!(close(&backend), taking);
    assert!(status == 200 || status == 202, "{answer}");
    until_closed(&deployment).await;
    let history = history(&deployment);
    assert_eq!(history.last(), Some(&"close"), "{history:?}");
    assert_eq!(history.iter().filter(|what| **what == "close").count(), 1);
    backend.until("t1", "confirmed").await;
}

/// Another administrator closed it, in a block that is not proven here yet: a close is refused for that, and no
/// ballot is taken on the old copy's word.
#[tokio::test]
async fn no_ballot_is_taken_while_a_close_is_not_proven() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    assert_eq!(backend.cast("first", "t0", "a").await.0, 201);
    backend.until("t0", "confirmed").await;
    for node in &deployment.nodes {
        node.set_mood(Mood::HoldsBodies);
    }
    let others = by_authority(Payload::CloseElection { election_id: 1 });
    deployment.network.commit(vec![others]);
    let (status, answer) = close(&backend).await;
    let until = tokio::time::Instant::now() + Duration::from_secs(3);
    let mut n = 0;
    while tokio::time::Instant::now() < until {
        n += 1;
        let (voter, id) = (format!("late-{n}"), format!("l{n}"));
        let late = backend.cast(&voter, &id, "a").await;
        assert!(is_refused(&late), "{n}: {late:?}");
    }
    assert_eq!((status, &answer["unsettled"]), (202, &json!(0)), "{answer}");
    for node in &deployment.nodes {
        node.set_mood(Mood::Honest);
    }
    // What it asked for before is never answered.
    backend.stop().await;
    let backend = deployment.start().await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let (_, election) = backend.get("/api/elections/1", None).await;
        if election["status"] == "closed" {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "still {election}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(history(&deployment), ["ballot", "close"]);
}

/// Without the authority's key the mark is all there is: a slip in the id would refuse the ballots of an
/// election that comes later.
#[tokio::test]
async fn an_election_that_is_not_there_is_not_marked() {
    let mut deployment = Deployment::new().await;
    deployment.config.authority_key = None;
    let backend = deployment.start().await;
    let path = "/api/admin/elections/99/close";
    let (status, problem) = backend.post(path, Some(ADMIN_TOKEN), json!({})).await;
    assert_eq!(
        (status, &problem["code"]),
        (404, &json!("unknown-election"))
    );
}

#[tokio::test]
async fn an_election_that_cannot_be_closed_goes_on() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let path = "/api/admin/elections/99/close";
    let (status, problem) = backend.post(path, Some(ADMIN_TOKEN), json!({})).await;
    assert_eq!(
        (status, &problem["code"]),
        (404, &json!("unknown-election"))
    );
}

/// Backends over one database: none of them acknowledges a ballot after the mark, and one that is cut off
/// has its ballots counted.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_backend_over_the_database_acknowledged_is_in_the_count() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let mut deployment = Deployment::new().await;
    let mut other_deployment = deployment.another().await;
    for deployment in [&mut deployment, &mut other_deployment] {
        deployment.config.database = Some(DatabaseUrl::new(postgres.url()));
    }
    let cut_off = deployment.start().await;
    let other = other_deployment.start().await;
    assert_eq!(cut_off.cast("first", "t0", "a").await.0, 201);
    cut_off.mirrored().await;
    deployment.kill_validators().await;
    assert_eq!(cut_off.cast("alice", "t1", "a").await.1["status"], "local");
    let (status, answer) = close(&other).await;
    assert!(status == 200 || status == 202, "{answer}");
    // The one that is cut off knows of the close by the database alone.
    let late = cut_off.cast("late", "t2", "a").await;
    assert!(is_refused(&late), "{late:?}");
    until_closed(&deployment).await;
    assert_eq!(history(&deployment), ["ballot", "ballot", "close"]);
    let confirmed: Value = other.until("t1", "confirmed").await;
    assert!(confirmed["block_number"].is_u64());
}

/// Ballots of a carrier over another database are not known here: the chain refuses them, and their carrier
/// says so.
#[tokio::test]
async fn a_ballot_of_another_carrier_that_comes_late_is_refused_with_the_reason() {
    let deployment = Deployment::new().await;
    let cut_off = deployment.start().await;
    assert_eq!(cut_off.cast("first", "t0", "a").await.0, 201);
    cut_off.mirrored().await;
    deployment.kill_validators().await;
    assert_eq!(cut_off.cast("alice", "t1", "a").await.1["status"], "local");
    deployment
        .network
        .commit(vec![by_authority(Payload::CloseElection {
            election_id: 1,
        })]);
    deployment.restart_validators().await;
    let rejected = cut_off.until("t1", "rejected").await;
    assert_eq!(rejected["code"], "election-closed");
}

/// Asks to take ballots of an election again.
async fn resume(backend: &Running, election_id: u64) -> (u16, Value) {
    let path = format!("/api/admin/elections/{election_id}/close");
    let request = backend.http.delete(format!("{}{path}", backend.url));
    let answer = request.bearer_auth(ADMIN_TOKEN).send().await.unwrap();
    (
        answer.status().as_u16(),
        answer.json::<Value>().await.unwrap(),
    )
}

/// Hands on a transaction that was signed elsewhere.
async fn hand_on(backend: &Running, transaction: &Transaction) -> (u16, Value) {
    let text = format!("0x{}", hex::encode(transaction.to_bytes()));
    let body = json!({ "transaction": text });
    backend
        .post("/api/admin/transactions", Some(ADMIN_TOKEN), body)
        .await
}

/// Ballots that were taken while it is on its way would be acknowledged and then refused.
#[tokio::test]
async fn no_ballot_is_taken_again_while_a_signed_close_may_come() {
    let mut deployment = Deployment::new().await;
    deployment.config.authority_key = None;
    let backend = deployment.start().await;
    let (status, answer) = close(&backend).await;
    assert_eq!((status, &answer["unsettled"]), (202, &json!(0)), "{answer}");
    assert_eq!(resume(&backend, 1).await.0, 200);
    assert_eq!(resume(&backend, 99).await.0, 404, "there is none");
    let (_, answer) = resume(&backend, 2).await;
    assert_eq!(answer["code"], "wrong-election-status", "it is closed");
    assert_eq!(backend.cast("alice", "t1", "a").await.0, 201);
    backend.until("t1", "confirmed").await;

    let (status, answer) = close(&backend).await;
    assert_eq!((status, &answer["unsettled"]), (202, &json!(0)), "{answer}");
    deployment.kill_validators().await;
    let signed = by_authority(Payload::CloseElection { election_id: 1 });
    let mut late = signed.body.clone();
    late.expiry_height = u64::MAX;
    let late = Transaction::sign(late, &key(AUTHORITY));
    let (_, answer) = hand_on(&backend, &late).await;
    assert_eq!(answer["code"], "expiry-too-far", "somebody could keep it");
    let foreign = Transaction::sign(signed.body.clone(), &key(9));
    let (_, answer) = hand_on(&backend, &foreign).await;
    assert_eq!(answer["code"], "not-authorised", "{answer}");
    // What no validator takes leaves no mark.
    assert_eq!(resume(&backend, 1).await.0, 200);
    assert_eq!(close(&backend).await.0, 202);
    let (status, answer) = hand_on(&backend, &signed).await;
    assert!(status >= 500, "{status} {answer}");
    let (status, answer) = resume(&backend, 1).await;
    let refused = (409, &json!("may-be-closing"));
    assert_eq!((status, &answer["code"]), refused, "{answer}");
    // Asked for again, it is as signed as before; and the next start knows it, too.
    assert_eq!(close(&backend).await.0, 202);
    backend.stop().await;
    let backend = deployment.start().await;
    let (status, answer) = resume(&backend, 1).await;
    assert_eq!((status, &answer["code"]), refused, "{answer}");
    // Another one that expires sooner does not take its place.
    let mut sooner = signed.body.clone();
    sooner.expiry_height -= 100;
    let (status, answer) = hand_on(&backend, &Transaction::sign(sooner, &key(AUTHORITY))).await;
    assert!(status >= 500, "{status} {answer}");
    let (_, answer) = resume(&backend, 1).await;
    let until = format!("until block {};", signed.body.expiry_height);
    let detail = answer["detail"].as_str().unwrap_or_default();
    assert!(detail.contains(&until), "{answer}");
    assert_eq!(backend.cast("bob", "t2", "a").await.0, 409);
}
