//! A database that was restored from an older copy.

use std::path::PathBuf;

use serde_json::json;

use crate::deployment::Deployment;

/// The database, and its copy.
struct Copies {
    database: PathBuf,
    copy: PathBuf,
}

impl Copies {
    fn of(deployment: &Deployment) -> Self {
        Self {
            database: deployment.config.data.join("backend.redb"),
            copy: deployment.path().join("copy.redb"),
        }
    }

    /// Of a backend that does not run.
    fn save(&self) {
        std::fs::copy(&self.database, &self.copy).unwrap();
    }

    fn restore(&self) {
        std::fs::copy(&self.copy, &self.database).unwrap();
    }
}

#[tokio::test]
async fn ballots_of_a_local_ledger_that_is_newer_than_the_database_are_carried() {
    let deployment = Deployment::new().await;
    let copies = Copies::of(&deployment);
    let backend = deployment.start().await;
    assert_eq!(backend.cast("first", "t0", "a").await.0, 201);
    backend.mirrored().await;
    backend.stop().await;
    copies.save();
    let backend = deployment.start().await;
    deployment.kill_validators().await;
    let mut ids = Vec::new();
    for n in 1..=3 {
        let (status, answer) = backend.cast(&format!("v{n}"), &format!("t{n}"), "a").await;
        assert_eq!(
            (status, &answer["status"]),
            (202, &json!("local")),
            "{answer}"
        );
        let id = answer["chain_transaction_id"].as_str().unwrap();
        ids.push(id.to_owned());
    }
    backend.stop().await;
    copies.restore();

    let backend = deployment.start().await;
    let settled = backend
        .until_reconciliation(|answer| answer["unsettled"]["local"] == 3)
        .await;
    assert_eq!(settled["local_ballots"]["unsettled"], 3);
    assert_eq!(backend.status(&ids[0]).await["status"], "local");
    deployment.restart_validators().await;
    for id in &ids {
        backend.until(id, "confirmed").await;
    }
    assert_eq!(deployment.ballots().len(), 4, "each once");
    // The voter's own id answers again, for the same ballot and for no other.
    let (status, again) = backend.cast("v1", "t1", "a").await;
    assert_eq!(
        (status, &again["status"]),
        (200, &json!("confirmed")),
        "{again}"
    );
    assert_eq!(backend.status("t1").await["chain_transaction_id"], ids[0]);
    let (status, problem) = backend.cast("v2", "other", "b").await;
    assert_eq!((status, &problem["code"]), (409, &json!("already-voted")));
    assert_eq!(deployment.ballots().len(), 4);
}

#[tokio::test]
async fn what_was_confirmed_after_the_copy_was_made_is_found_on_the_chain() {
    let deployment = Deployment::new().await;
    let copies = Copies::of(&deployment);
    let backend = deployment.start().await;
    assert_eq!(backend.cast("first", "t0", "a").await.0, 201);
    backend.stop().await;
    copies.save();
    let backend = deployment.start().await;
    let (status, confirmed) = backend.cast("alice", "t1", "a").await;
    assert_eq!(status, 201, "{confirmed}");
    backend.stop().await;
    copies.restore();

    let backend = deployment.start().await;
    let (status, again) = backend.cast("alice", "t1", "a").await;
    assert!(status == 200 || status == 201, "{again}");
    for member in [
        "status",
        "block_number",
        "block_hash",
        "chain_transaction_id",
        "receipt_url",
    ] {
        assert_eq!(again[member], confirmed[member], "{again}");
    }
    let receipt = again["receipt_url"].as_str().unwrap();
    assert_eq!(backend.get(receipt, None).await.0, 200);
    let known = backend.until("t1", "confirmed").await;
    assert_eq!(
        known["chain_transaction_id"],
        confirmed["chain_transaction_id"]
    );
    // Another choice is another ballot, and the voter has cast one.
    let (status, problem) = backend.cast("alice", "t2", "b").await;
    assert_eq!((status, &problem["code"]), (409, &json!("already-voted")));
    assert_eq!(deployment.ballots().len(), 2);
}
