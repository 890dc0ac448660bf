//! A liar that is nearer than the honest validators, so that it is the one to be asked.

use std::collections::BTreeSet;

use serde_json::json;
use tabella_protocol::{Payload, Receipt};
use tabella_testing::Lie;

use super::{
    lying_validator::{MET, nearest, vote},
    scene::payloads,
};
use crate::deployment::{ADMIN_TOKEN, Running, registrar};

/// All that a backend asks of validators: they take transactions, hand out blocks with what vouches for
/// them, and tell of their own health.
const ASKED: [&str; 7] = [
    "eth_sendTransaction",
    "tabella_getBlock",
    "tabella_getBlockSummaries",
    "tabella_getEvidence",
    "tabella_getTransactionStatus",
    "tabella_getValidatorSets",
    "tabella_nodeStatus",
];
/// Asked as well, for the acks in it: the receipt itself is of the proven chain.
const ASKED_FOR_ACKS: &str = "tabella_getReceipt";
/// The lies that a backend meets now and then: about a ballot that is long overdue, in a receipt with more
/// acks than its own, and when the validators change.
const PERHAPS_MET: [Lie; 3] = [Lie::Standings, Lie::Receipts, Lie::Validators];
/// The lies that no backend meets any more: nobody asks what is changed.
const UNASKED: [Lie; 8] = [
    Lie::Options,
    Lie::Status("final"),
    Lie::Status("closed"),
    Lie::Turnout,
    Lie::Board,
    Lie::Results,
    Lie::Plugins,
    Lie::Changes,
];

#[tokio::test]
async fn validators_are_asked_to_take_transactions_and_to_hand_out_blocks_alone() {
    let (deployment, liar) = nearest(Lie::Nothing).await;
    let backend = deployment.start().await;
    vote(&deployment, &backend).await;
    let admin = Some(ADMIN_TOKEN);
    for path in [
        "/api/elections",
        "/api/elections/1",
        "/api/elections/1/board",
        "/api/votes/results?election_id=1",
        "/api/votes/receipt?transaction_id=t-alice",
        "/api/votes/transaction-status?transaction_id=t-alice",
        "/api/plugins",
        "/api/blocks",
        "/api/blocks/1",
    ] {
        let (status, answer) = backend.get(path, admin).await;
        assert_eq!(status, 200, "{path}: {answer}");
    }
    let path = "/api/votes/verify-blockchain?election_id=1";
    assert_eq!(backend.post(path, admin, json!({})).await.0, 200);
    let path = "/api/admin/validators/refresh-status";
    assert_eq!(backend.post(path, admin, json!({})).await.0, 200);
    let calls = liar.calls();
    let mut asked: BTreeSet<_> = calls.keys().map(String::as_str).collect();
    asked.remove(ASKED_FOR_ACKS);
    asked.retain(|method| !ASKED.contains(method));
    assert!(asked.is_empty(), "{asked:?} of {calls:?}");
    assert!(calls.contains_key("tabella_getBlock"), "{calls:?}");
}

/// What a test of all lies cannot tell is not passed off as tested.
#[test]
fn each_lie_is_met_or_is_about_what_nobody_asks() {
    let mut all = [&MET[..], &PERHAPS_MET, &UNASKED].concat();
    all.sort();
    let mut known = Lie::ALL.to_vec();
    known.sort();
    assert_eq!(all, known, "each lie belongs in one of these lists");
    for lie in UNASKED {
        let asked = lie.methods().iter().find(|method| ASKED.contains(method));
        assert_eq!(asked, None, "{lie:?} is met");
    }
    for lie in MET.iter().chain(&PERHAPS_MET) {
        let mut asked = lie.methods().iter();
        let is_met = asked.any(|method| ASKED.contains(method) || *method == ASKED_FOR_ACKS);
        assert!(is_met, "{lie:?} is of methods that nobody calls");
    }
}

#[tokio::test]
async fn an_election_that_names_its_rule_has_the_rule_of_the_chain() {
    let (deployment, liar) = nearest(Lie::Plugins).await;
    let backend = deployment.start().await;
    let election = json!({
        "title": "Lunch",
        "contests": [{"id": "c", "rule": "plurality", "options": [{"id": "a"}, {"id": "b"}]}],
    });
    let path = "/api/admin/elections";
    let (status, created) = backend.post(path, Some(ADMIN_TOKEN), election).await;
    assert_eq!(status, 201, "{created}");
    let Some(Payload::CreateElection(spec)) = payloads(&deployment).pop() else {
        panic!("expected an election");
    };
    assert_eq!(spec.contests[0].plugin, deployment.plugin());
    let calls = liar.calls();
    assert!(calls.contains_key("tabella_getBlock"), "{calls:?}");
    assert!(!calls.contains_key("tabella_getPlugins"), "{calls:?}");
    assert!(!calls.contains_key("tabella_getPlugin"), "{calls:?}");
}

#[tokio::test]
async fn an_elections_text_parameters_and_voters_are_those_of_the_chain() {
    let (deployment, liar) = nearest(Lie::Spec).await;
    let backend = deployment.start().await;
    let (status, answer) = backend.cast("alice", "t1", "a").await;
    assert!([201, 202].contains(&status), "{answer}");
    backend.until("t1", "confirmed").await;
    assert!(liar.told() > 0, "the lie was never told");
    let (status, election) = backend.get("/api/elections/1", None).await;
    assert_eq!((status, &election["title"]), (200, &json!("Mayor")));
    assert_eq!(election["contests"][0]["params"], json!({}), "{election}");
    assert_eq!(election["eligibility"], json!(registrar()), "{election}");
    let (_, list) = backend.get("/api/elections", None).await;
    let titles = list["elections"].as_array().or(list.as_array()).unwrap();
    assert!(titles.iter().all(|election| election["title"] == "Mayor"));
    let (_, health) = backend.get("/api/admin/validators/health", None).await;
    assert_eq!(health["validators"][0]["status"], "degraded", "{health}");
}

#[tokio::test]
async fn no_false_acknowledgement_stands_in_a_receipt_and_true_ones_do() {
    let (deployment, liar) = nearest(Lie::Acks).await;
    let backend = deployment.start().await;
    let (status, answer) = backend.cast("alice", "t1", "a").await;
    assert!([201, 202].contains(&status), "{answer}");
    backend.until("t1", "confirmed").await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    // Acks are asked for a while after their block.
    while liar.told() < 3 {
        assert!(tokio::time::Instant::now() < deadline, "{:?}", liar.calls());
        deployment.network.commit(vec![]);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    // Those of the other two that it leaves out are asked for elsewhere.
    let mut receipt = receipt_of(&backend, "t1").await;
    while receipt.acks.len() < 2 {
        assert!(tokio::time::Instant::now() < deadline, "{receipt:?}");
        deployment.network.commit(vec![]);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        receipt = receipt_of(&backend, "t1").await;
    }
    let genesis = &deployment.network.genesis;
    assert!(receipt.verify(genesis).is_ok(), "{receipt:?}");
    for ack in &receipt.acks {
        assert!(ack.verify(&genesis.hash()), "{ack:?}");
        assert_eq!(ack.state_root, receipt.header.state_root);
    }
}

/// Byte for byte as it came.
async fn receipt_of(backend: &Running, transaction_id: &str) -> Receipt {
    let path = format!("/api/votes/receipt?transaction_id={transaction_id}");
    let request = backend.http.get(format!("{}{path}", backend.url));
    let answer = request.bearer_auth(ADMIN_TOKEN).send().await.unwrap();
    Receipt::from_json(&answer.text().await.unwrap()).unwrap()
}
