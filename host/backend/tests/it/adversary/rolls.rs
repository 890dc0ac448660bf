//! What a roll tells, and who is on it.

use std::collections::BTreeSet;

use serde_json::json;
use tabella_protocol::{Payload, RollChanges, VoterId};

use super::scene::{account, open, payloads, roll_parts, upload, vote, voters};
use crate::deployment::{ADMIN_TOKEN, Deployment, registrar_roll};

#[tokio::test]
async fn an_account_is_on_a_roll_only_where_the_roll_says_account() {
    let deployment = Deployment::new().await;
    deployment.create_election(registrar_roll()).await;
    let backend = deployment.start().await;
    let carol = account(&backend, "carol").await;
    let csv = "voter_id,weight,realm\ncarol,1,account\nlater,1,account\ncarol,1,registrar\n";
    let (status, answer) = upload(&backend, 5, csv.into()).await;
    assert_eq!((status, &answer["added"]), (200, &json!(2)), "{answer}");
    // Whoever registers the name later would have the vote.
    assert_eq!(answer["refused_lines"][0]["line"], 3);
    open(&backend, 5).await;
    let (status, answer) = vote(&backend, &carol, 5).await;
    assert_eq!(status, 201, "{answer}");
    let roll = roll_parts(&deployment).concat();
    let voter = *voters(&deployment).last().unwrap();
    assert!(roll.iter().any(|entry| entry.voter == voter));
}

#[tokio::test]
async fn two_forms_of_one_id_are_one_line_of_a_roll() {
    let deployment = Deployment::new().await;
    deployment.create_election(registrar_roll()).await;
    let backend = deployment.start().await;
    let csv = "\u{feff}José\nJose\u{301}\n\" José \"\nJo\u{200b}sé\nbob\n";
    let (status, answer) = upload(&backend, 5, csv.into()).await;
    assert_eq!((status, &answer["added"]), (200, &json!(2)), "{answer}");
    let refused = answer["refused_lines"].as_array().unwrap().iter();
    let lines: BTreeSet<_> = refused.map(|line| line["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [2, 3, 4].into());
}

#[tokio::test]
async fn the_order_of_a_roll_tells_nothing_of_its_file() {
    const VOTERS: usize = 12_001;
    let deployment = Deployment::new().await;
    deployment.create_election(registrar_roll()).await;
    let backend = deployment.start().await;
    let csv: String = (0..VOTERS).map(|n| format!("voter-{n}\n")).collect();
    let (status, answer) = upload(&backend, 5, csv).await;
    assert_eq!(
        (status, &answer["added"]),
        (200, &json!(VOTERS)),
        "{answer}"
    );
    let parts = roll_parts(&deployment);
    let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
    assert_eq!(sizes, [4_001, 4_000, 4_000]);
    let voters: Vec<VoterId> = parts.concat().iter().map(|entry| entry.voter).collect();
    assert!(voters.is_sorted(), "the file's order shows");
}

#[tokio::test]
async fn a_weight_that_few_share_is_pointed_out_to_the_officer() {
    let deployment = Deployment::new().await;
    deployment.create_election(registrar_roll()).await;
    let backend = deployment.start().await;
    let mut csv = "rich,1000\n".to_owned();
    csv.extend((0..9).map(|n| format!("voter-{n}\n")));
    let (_, answer) = upload(&backend, 5, csv).await;
    let weights = json!([{"weight": 1, "voters": 9}, {"weight": 1000, "voters": 1}]);
    assert_eq!(answer["weights"], weights);
    let warning = answer["warning"].as_str().unwrap();
    assert!(
        warning.starts_with("1 voters have a weight that fewer than 5 share"),
        "{warning}"
    );
}

#[tokio::test]
async fn a_roll_is_fixed_once_voting_begins_unless_the_election_says_that_it_grows() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let contest = json!({
        "id": "c", "rule": deployment.plugin(), "options": [{"id": "a"}, {"id": "b"}],
    });
    for (wish, expected) in [
        (json!({"eligibility": "credentials"}), RollChanges::Fixed),
        (json!({"eligibility": "registrar_roll"}), RollChanges::Fixed),
        (
            json!({"eligibility": "registrar_roll", "roll": "grows"}),
            RollChanges::Grows,
        ),
    ] {
        let mut statement = wish.clone();
        statement["title"] = json!("Lunch");
        statement["contests"] = json!([contest]);
        let path = "/api/admin/elections";
        let (status, created) = backend.post(path, Some(ADMIN_TOKEN), statement).await;
        assert_eq!(status, 201, "{created}");
        let Some(Payload::CreateElection(spec)) = payloads(&deployment).pop() else {
            panic!("expected an election");
        };
        assert_eq!(spec.eligibility.roll(), Some(expected), "{wish}");
    }
}
