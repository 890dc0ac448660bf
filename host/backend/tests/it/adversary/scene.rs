//! What the attacks share.

use serde_json::json;
use tabella_protocol::{Eligibility, Payload, Revote, RollEntry, SigningKey, Transaction, VoterId};

use crate::deployment::{
    ADMIN_TOKEN, Answer, Deployment, Running, by_authority, credentials, spec,
};

pub(super) const SUBMIT: &str = "/api/votes/submit";

/// Registers an account; its access token.
pub(super) async fn account(backend: &Running, username: &str) -> String {
    let body = json!({"username": username, "password": "correct horse"});
    let (status, answer) = backend.post("/api/auth/register", None, body).await;
    assert_eq!(status, 201, "{answer}");
    answer["access_token"].as_str().unwrap().to_owned()
}

pub(super) async fn vote(backend: &Running, token: &str, election_id: u64) -> Answer {
    let body = json!({"election_id": election_id, "ballot": {"choice": "a"}});
    backend.post(SUBMIT, Some(token), body).await
}

pub(super) async fn cast_for(backend: &Running, election_id: u64, voter_id: &str) -> Answer {
    let body = json!({"election_id": election_id, "ballot": {"choice": "a"}, "voter_id": voter_id});
    backend.post(SUBMIT, Some(ADMIN_TOKEN), body).await
}

pub(super) async fn upload(backend: &Running, election_id: u64, csv: String) -> Answer {
    let path = format!("/api/admin/elections/{election_id}/roll");
    let request = backend.http.post(format!("{}{path}", backend.url));
    let request = request.header("content-type", "text/csv");
    let response = request.bearer_auth(ADMIN_TOKEN).body(csv).send();
    let response = response.await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap())
}

pub(super) async fn open(backend: &Running, election_id: u64) {
    let path = format!("/api/admin/elections/{election_id}/open");
    let (status, answer) = backend.post(&path, Some(ADMIN_TOKEN), json!({})).await;
    assert_eq!(status, 200, "{answer}");
}

pub(super) fn payloads(deployment: &Deployment) -> Vec<Payload> {
    let chain = deployment.network.chain();
    let transactions = chain.blocks.iter().flat_map(|block| &block.transactions);
    let payloads = transactions.map(|bytes| Transaction::from_bytes(bytes).unwrap().body.payload);
    payloads.collect()
}

/// The voters of the ballots on the chain, in order.
pub(super) fn voters(deployment: &Deployment) -> Vec<VoterId> {
    let payloads = payloads(deployment).into_iter();
    let voters = payloads.filter_map(|payload| match payload {
        Payload::CastBallot { voter, .. } => Some(voter),
        _ => None,
    });
    voters.collect()
}

/// The parts of rolls on the chain, in order.
pub(super) fn roll_parts(deployment: &Deployment) -> Vec<Vec<RollEntry>> {
    let payloads = payloads(deployment).into_iter();
    let parts = payloads.filter_map(|payload| match payload {
        Payload::ExtendRoll { entries, .. } => Some(entries),
        _ => None,
    });
    parts.collect()
}

/// A running backend before an open election 5.
pub(super) async fn with_election(eligibility: Eligibility) -> (Deployment, Running) {
    let deployment = Deployment::new().await;
    deployment.create_election(eligibility).await;
    let backend = deployment.start().await;
    open(&backend, 5).await;
    (deployment, backend)
}

/// A running backend before an open election 5 in which `voter`, and nobody else, signs its own
/// ballots and may vote again; and the canonical bytes of a ballot for option `a`.
pub(super) async fn with_credential(
    deployment: &Deployment,
    voter: &SigningKey,
) -> (Running, Vec<Vec<u8>>) {
    let created = Payload::CreateElection(spec(Revote::Last, credentials()));
    deployment.network.commit(vec![by_authority(created)]);
    deployment.open_election(5);
    let entry = RollEntry {
        voter: VoterId::from(voter.public()),
        weight: 1,
    };
    deployment.extend_roll(5, vec![entry]);
    let backend = deployment.start().await;
    // Every election here has the same rule, which makes them.
    assert_eq!(cast_for(&backend, 1, "anybody").await.0, 201);
    (backend, deployment.ballots().remove(0))
}
