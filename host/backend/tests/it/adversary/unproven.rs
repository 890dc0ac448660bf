//! Ballots for what the backend cannot prove: none is encoded with options that only a validator names.

use serde_json::json;
use tabella_testing::Lie;

use super::lying_validator::lying;
use crate::{
    deployment::{ADMIN_TOKEN, Deployment},
    fake::Mood,
};

/// A first start while only the liar can be reached, and its blocks prove nothing: a ballot is refused,
/// and not even recorded. Once the honest ones are back, it is taken.
async fn no_ballot_is_taken(lie: Lie) {
    let (deployment, liar) = lying(3, lie).await;
    only(&deployment, 0).await;
    let backend = deployment.start().await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while liar.told() == 0 {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{lie:?} was never told"
        );
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let (status, answer) = backend.cast("alice", "t1", "a").await;
    assert!([404, 503].contains(&status), "{lie:?}: {status} {answer}");
    let path = "/api/votes/transaction-status?transaction_id=t1&election_id=1";
    let (status, answer) = backend.get(path, Some(ADMIN_TOKEN)).await;
    assert!([404, 503].contains(&status), "{lie:?}: {status} {answer}");
    let kept = &backend.reconciliation().await["unsettled"];
    let kept_nowhere = kept.as_object().unwrap().values().all(|count| *count == 0);
    assert!(kept_nowhere, "{lie:?}: {kept}");
    assert_eq!(deployment.ballots().len(), 0, "{lie:?}");

    for node in &deployment.nodes[1..] {
        node.restart().await;
    }
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while ![201, 202].contains(&backend.cast("alice", "t1", "a").await.0) {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{lie:?}: no ballot is taken"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    backend.until("t1", "confirmed").await;
    deployment.close(1);
    let results = backend.counted(1).await;
    assert_eq!(results["contests"][0]["winners"], json!(["a"]), "{lie:?}");
}

/// Kills every validator but one.
async fn only(deployment: &Deployment, left: usize) {
    for (n, node) in deployment.nodes.iter().enumerate() {
        match n == left {
            true => node.set_mood(Mood::Honest),
            false => node.kill().await,
        }
    }
}

#[tokio::test]
async fn no_ballot_is_encoded_against_bodies_of_other_blocks() {
    no_ballot_is_taken(Lie::Bodies).await;
}

#[tokio::test]
async fn no_ballot_is_encoded_against_blocks_that_no_quorum_certified() {
    no_ballot_is_taken(Lie::Certificates).await;
}
