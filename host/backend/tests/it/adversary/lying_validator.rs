//! A backend before a validator that lies: nothing that a voter, an administrator or a count depends
//! on comes from its word.

use std::time::Duration;

use serde_json::{Value, json};
use tabella_client::Client;
use tabella_protocol::{Hash, rpc::RefusalCode};
use tabella_testing::{Liar, Lie};

use crate::{
    deployment::{ADMIN_TOKEN, Deployment, FIRST_BLOCKS, Running, registrar},
    fake::{Mood, Node},
};

/// A network whose first validator answers through a liar.
pub(super) async fn lying(validators: u8, lie: Lie) -> (Deployment, Liar) {
    let mut deployment = Deployment::with(validators).await;
    let first = &mut deployment.config.validators[0];
    let liar = Liar::start(&first.rpc_url, lie).await;
    first.rpc_url = liar.url();
    (deployment, liar)
}

/// A network whose first validator answers through a liar, and sooner than the others: it is the one that
/// is asked.
pub(super) async fn nearest(lie: Lie) -> (Deployment, Liar) {
    let (deployment, liar) = lying(3, lie).await;
    for node in &deployment.nodes[1..] {
        node.set_mood(Mood::Slow(Duration::from_millis(30)));
    }
    (deployment, liar)
}

/// The liar was asked for blocks, and never for that about which it lies.
fn asked_for_blocks_alone(liar: &Liar) {
    let calls = liar.calls();
    assert!(calls.contains_key("tabella_getBlock"), "{calls:?}");
    let lied_about = liar.lie().methods().iter();
    let asked: Vec<_> = lied_about.filter(|m| calls.contains_key(**m)).collect();
    assert!(asked.is_empty(), "the backend asks a validator: {asked:?}");
    assert_eq!(liar.told(), 0);
}

/// What a backend answers about election 1 and the rules, with nothing in it that differs from run
/// to run.
async fn shown(backend: &Running) -> Value {
    let mut shown = Vec::new();
    for path in [
        "/api/elections",
        "/api/elections/1",
        "/api/elections/1/board",
        "/api/votes/results?election_id=1",
        "/api/plugins",
    ] {
        let (status, mut answer) = backend.get(path, None).await;
        assert_eq!(status, 200, "{path}: {answer}");
        // More validators may attest, and idle blocks may follow.
        for changing in ["as_of_height", "attested_by", "certificate"] {
            if let Some(members) = answer.as_object_mut() {
                members.remove(changing);
            }
        }
        shown.push(json!({ path: answer }));
    }
    Value::Array(shown)
}

/// Forged, or another ballot's: only the receipt that was asked for, and that holds, is handed on.
#[tokio::test]
async fn a_receipt_is_the_ballots_own_whoever_hands_it_out() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let mut ids = Vec::new();
    for (voter, name) in [("alice", "t1"), ("bob", "t2")] {
        assert_eq!(backend.cast(voter, name, "a").await.0, 201);
        let id = &backend.status(name).await["chain_transaction_id"];
        ids.push(serde_json::from_value::<Hash>(id.clone()).unwrap());
    }
    let ledger = deployment.network.ledger.as_ref().unwrap();
    let [own, other] = [0, 1].map(|n| ledger.receipt(&ids[n]).unwrap().unwrap());
    let mut forged = own.clone();
    forged.entry.ballot_hash = Hash::ZERO;
    for lie in [forged, other] {
        deployment.nodes[0].set_mood(Mood::Receipt(Box::new(lie)));
        for node in &deployment.nodes[1..] {
            node.set_mood(Mood::Slow(Duration::from_millis(30)));
        }
        let endpoints = deployment.nodes.iter().map(Node::endpoint);
        let client = Client::builder(deployment.network.genesis.clone())
            .validators(endpoints)
            .build()
            .unwrap();
        client.refresh_validator_status().await;
        // Whoever is asked first, the liar is asked once at least.
        for _ in 0..20 {
            let receipt = client.transaction_receipt(ids[0]).await.unwrap();
            assert_eq!(receipt.as_ref(), Some(&own));
        }
        assert!(client.health().validators[0].lies > 0);
    }
}

/// Casts three ballots, closes the election and has its result certified.
pub(super) async fn vote(deployment: &Deployment, backend: &Running) {
    let votes = [("alice", "a"), ("bob", "a"), ("carol", "b")];
    let names = votes.map(|(voter, _)| format!("t-{voter}"));
    for ((voter, choice), name) in votes.into_iter().zip(&names) {
        let (status, answer) = backend.cast(voter, name, choice).await;
        assert!([201, 202].contains(&status), "{answer}");
    }
    // A network makes blocks without ballots too.
    let idle = async {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            deployment.network.commit(vec![]);
        }
    };
    let confirmed = async {
        for name in &names {
            backend.until(name, "confirmed").await;
        }
    };
    tokio::select! {
        () = confirmed => {}
        () = idle => {}
    }
    deployment.close(1);
    deployment.network.attest(1, &[0, 1, 2]);
    let results = backend.certified(1).await;
    assert_eq!(results["contests"][0]["winners"], json!(["a"]), "{results}");
    assert_eq!(results["total_votes"], 3);
}

/// The lies that a backend meets: the others are of methods that it does not call any more, or calls now
/// and then (see `nearest`).
pub(super) const MET: [Lie; 8] = [
    Lie::Bodies,
    Lie::Certificates,
    Lie::Tip,
    Lie::Refusals,
    Lie::Keeps,
    Lie::Evidence,
    Lie::Spec,
    Lie::Acks,
];

/// Each answer of one validator is changed in turn, before voting begins: what is counted and shown
/// is what an honest network gives. The others are slower, so that the liar is the one to be asked.
async fn no_lie_reaches_anybody(validators: u8) {
    let honest = {
        let (deployment, _liar) = lying(validators, Lie::Nothing).await;
        let backend = deployment.start().await;
        vote(&deployment, &backend).await;
        shown(&backend).await
    };
    let mut caught = Vec::new();
    for lie in Lie::ALL {
        let (deployment, liar) = lying(validators, lie).await;
        for node in &deployment.nodes[1..] {
            node.set_mood(Mood::Slow(Duration::from_millis(30)));
        }
        let backend = deployment.start().await;
        vote(&deployment, &backend).await;
        let shown = shown(&backend).await;
        similar(&shown, &honest, &format!("{lie:?}"));
        let chain = deployment.network.ledger.as_ref().unwrap();
        let board = chain.election(1).unwrap().board();
        let shown = &shown[1]["/api/elections/1"];
        assert_eq!(shown["board"]["root"], json!(board.root), "{lie:?}");
        let rule = &shown["contests"][0]["rule"]["sha256"];
        assert_eq!(*rule, json!(deployment.plugin()), "{lie:?}: {shown}");
        let receipt = "/api/votes/receipt?transaction_id=t-alice";
        let (status, receipt) = backend.get(receipt, Some(ADMIN_TOKEN)).await;
        assert_eq!(status, 200, "{lie:?}: {receipt}");
        assert_eq!(receipt["entry"]["position"], 0, "{lie:?}");
        let verify = "/api/votes/verify-blockchain?election_id=1";
        let (status, verified) = backend.post(verify, Some(ADMIN_TOKEN), json!({})).await;
        assert_eq!(status, 200, "{lie:?}: {verified}");
        assert_eq!(verified["checked"]["ballots"], 3, "{lie:?}: {verified}");
        let (_, health) = backend.get("/api/admin/validators/health", None).await;
        if health["validators"][0]["status"] != "healthy" {
            caught.push(lie);
        }
        assert!(
            liar.told() > 0 || !MET.contains(&lie),
            "{lie:?} was never told"
        );
    }
    // What contradicts a certificate is a lie that names its author.
    for lie in [Lie::Bodies, Lie::Certificates] {
        assert!(caught.contains(&lie), "{lie:?} was not caught: {caught:?}");
    }
}

/// Times, blocks and transaction ids differ from run to run: compares the rest.
fn similar(found: &Value, honest: &Value, lie: &str) {
    match (found, honest) {
        (Value::Object(found), Value::Object(honest)) => {
            for (name, value) in honest.iter().filter(|(name, _)| *name != "height") {
                let at = format!("{lie}/{name}");
                similar(found.get(name).unwrap_or(&Value::Null), value, &at);
            }
        }
        (Value::Array(found), Value::Array(honest)) => {
            assert_eq!(found.len(), honest.len(), "{lie}: {found:?}");
            for (index, (found, honest)) in found.iter().zip(honest).enumerate() {
                similar(found, honest, &format!("{lie}/{index}"));
            }
        }
        (Value::String(found), Value::String(honest)) if found.starts_with("0x") => {
            assert_eq!(found.len(), honest.len(), "{lie}");
        }
        _ => assert_eq!(found, honest, "{lie}"),
    }
}

#[tokio::test]
async fn no_lie_of_one_in_three_reaches_anybody() {
    no_lie_reaches_anybody(3).await;
}

#[tokio::test]
async fn no_lie_of_one_in_four_reaches_anybody() {
    no_lie_reaches_anybody(4).await;
}

#[tokio::test]
async fn a_ballot_is_encoded_with_the_options_of_the_chain() {
    let (deployment, liar) = nearest(Lie::Options).await;
    let backend = deployment.start().await;
    let (status, answer) = backend.cast("alice", "t1", "a").await;
    assert_eq!(status, 201, "{answer}");
    deployment.close(1);
    let results = backend.counted(1).await;
    assert_eq!(results["contests"][0]["winners"], json!(["a"]), "{results}");
    asked_for_blocks_alone(&liar);
}

#[tokio::test]
async fn a_refusal_that_only_the_liar_gives_ends_no_ballot() {
    let (deployment, liar) = lying(3, Lie::Refusals).await;
    for node in &deployment.nodes[1..] {
        node.kill().await;
    }
    let backend = deployment.start().await;
    // Only the liar can be reached: its word is not the chain's.
    let (status, answer) = backend.cast("alice", "t1", "a").await;
    assert_eq!(status, 202, "{answer}");
    assert_ne!(answer["status"], "rejected");
    for node in &deployment.nodes[1..] {
        node.restart().await;
    }
    backend.until("t1", "confirmed").await;
    drop(liar);
}

/// As all of them might refuse it for a while: what a later block may change is not the liar's to say.
#[tokio::test]
async fn a_refusal_that_a_later_block_may_change_is_not_one_validators_to_give() {
    let deployment = Deployment::new().await;
    let refuses = Mood::Refuses(RefusalCode::NotOnRoll, "who is that?".into());
    deployment.nodes[0].set_mood(refuses);
    for node in &deployment.nodes[1..] {
        node.kill().await;
    }
    let backend = deployment.start().await;
    let (status, answer) = backend.cast("alice", "t1", "a").await;
    assert_eq!(status, 202, "{answer}");
    assert!(
        deployment.nodes[0].submission_requests() > 0,
        "it was not asked"
    );
    for node in &deployment.nodes[1..] {
        node.restart().await;
    }
    backend.until("t1", "confirmed").await;
}

/// The nearest validator takes administrators' transactions, keeps them, and says that they were rejected.
#[tokio::test]
async fn administration_goes_past_one_that_keeps_transactions() {
    let (deployment, liar) = lying(3, Lie::Keeps).await;
    for node in &deployment.nodes[1..] {
        node.set_mood(Mood::Slow(Duration::from_millis(100)));
    }
    deployment.create_election(registrar()).await;
    let backend = deployment.start().await;
    for (step, kept) in [("open", 1), ("close", 2)] {
        let path = format!("/api/admin/elections/5/{step}");
        let (status, answer) = backend.post(&path, Some(ADMIN_TOKEN), json!({})).await;
        assert_eq!(status, 200, "{step}: {answer}");
        assert!(liar.kept() >= kept, "{step}: the liar is not the nearest");
    }
    let (_, answer) = backend.get("/api/elections/5", None).await;
    assert_eq!(answer["status"], "closed", "{answer}");
}

/// What it says of a kept close reopens nothing: no ballot is acknowledged that the close may overtake.
#[tokio::test]
async fn a_close_that_one_validator_calls_rejected_stays_announced() {
    let (deployment, _liar) = lying(3, Lie::Keeps).await;
    let backend = deployment.start().await;
    for node in &deployment.nodes[1..] {
        node.set_mood(Mood::Hanging);
    }
    let close = backend.post("/api/admin/elections/1/close", Some(ADMIN_TOKEN), json!({}));
    let (status, answer) = close.await;
    assert_eq!(status, 202, "{answer}");
    let (status, answer) = backend.cast("alice", "t1", "a").await;
    assert_eq!((status, &answer["code"]), (409, &json!("election-closed")));
    for node in &deployment.nodes[1..] {
        node.set_mood(Mood::Honest);
    }
    backend.counted(1).await;
}

/// An upcoming election's close is not even signed: whoever kept it could let it out once it is open.
#[tokio::test]
async fn an_election_that_is_not_open_is_not_closed_in_advance() {
    let (deployment, liar) = lying(3, Lie::Keeps).await;
    for node in &deployment.nodes[1..] {
        node.set_mood(Mood::Slow(Duration::from_millis(100)));
    }
    deployment.create_election(registrar()).await;
    let backend = deployment.start().await;
    let close = backend.post("/api/admin/elections/5/close", Some(ADMIN_TOKEN), json!({}));
    let (status, answer) = close.await;
    assert_eq!(
        (status, &answer["code"]),
        (409, &json!("wrong-election-status")),
        "{answer}"
    );
    assert_eq!(liar.kept(), 0, "a signed close got out");
}

#[tokio::test]
async fn an_election_that_the_liar_calls_final_goes_on() {
    let (deployment, liar) = nearest(Lie::Status("final")).await;
    let backend = deployment.start().await;
    let (status, answer) = backend.get("/api/elections/1", None).await;
    assert_eq!((status, &answer["status"]), (200, &json!("open")));
    assert_eq!(backend.cast("alice", "t1", "a").await.0, 201);
    asked_for_blocks_alone(&liar);
    liar.set(Lie::Status("closed"));
    assert_eq!(backend.cast("bob", "t2", "a").await.0, 201);
    asked_for_blocks_alone(&liar);
}

#[tokio::test]
async fn a_first_start_with_only_the_liar_there_follows_no_claimed_height() {
    let (deployment, liar) = lying(3, Lie::Tip).await;
    for node in &deployment.nodes[1..] {
        node.kill().await;
    }
    let backend = deployment.start().await;
    // The blocks that it does hold are certified, whatever it says of others.
    let (status, answer) = backend.get("/api/blocks", None).await;
    assert_eq!(status, 200);
    assert_eq!(answer["height"], FIRST_BLOCKS, "{answer}");
    drop(liar);
}

/// Certificates confirm ballots, whether or not the bodies of their blocks can be had.
#[tokio::test]
async fn blocks_that_are_held_back_hold_up_no_confirmation() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    for node in &deployment.nodes {
        node.set_mood(Mood::HoldsBodies);
    }
    for n in 0..5 {
        let (status, answer) = backend.cast(&format!("v{n}"), &format!("t{n}"), "a").await;
        assert_eq!(
            (status, &answer["status"]),
            (201, &json!("confirmed")),
            "{answer}"
        );
    }
    let (_, ready) = backend.get("/health/ready", None).await;
    assert_eq!(ready["chain"]["height"], FIRST_BLOCKS, "{ready}");
    assert!(ready["chain"]["behind"].as_u64() >= Some(4), "{ready}");
}

#[tokio::test]
async fn a_certified_election_is_shown_with_every_validator_down() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    vote(&deployment, &backend).await;
    let before = shown(&backend).await;
    let receipt = "/api/votes/receipt?transaction_id=t-alice";
    let kept = backend.get(receipt, Some(ADMIN_TOKEN)).await;
    assert_eq!(kept.0, 200);
    deployment.kill_validators().await;
    // Another start, so that nothing is left in memory.
    backend.stop().await;
    let backend = deployment.start().await;
    let mut after = shown(&backend).await;
    let results = &mut after[3]["/api/votes/results?election_id=1"];
    assert_eq!(results["source"], "local");
    assert_eq!(results["verified"], true);
    for answer in after.as_array_mut().unwrap() {
        for (_, shown) in answer.as_object_mut().unwrap() {
            if shown["source"] == "local" {
                shown["source"] = json!("poa");
            }
        }
    }
    assert_eq!(after, before);
    let (status, again) = backend.get(receipt, Some(ADMIN_TOKEN)).await;
    assert_eq!((status, &again["entry"]), (200, &kept.1["entry"]));
    let verify = "/api/votes/verify-blockchain?election_id=1";
    let (status, verified) = backend.post(verify, Some(ADMIN_TOKEN), json!({})).await;
    assert_eq!((status, &verified["valid"]), (200, &json!(true)));
    assert_eq!(verified["source"], "local");
    let export = backend
        .http
        .get(format!("{}/api/elections/1/export", backend.url));
    let export = export.send().await.unwrap().text().await.unwrap();
    assert!(export.lines().last().unwrap().contains("end"), "{export}");
    for path in ["/api/blocks", "/api/blocks/1", "/api/elections/1/board"] {
        assert_eq!(backend.get(path, None).await.0, 200, "{path}");
    }
}
