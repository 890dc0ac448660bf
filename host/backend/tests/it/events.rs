//! Server-sent events.

use std::time::Duration;

use futures::{Stream, StreamExt, stream::BoxStream};
use serde_json::{Value, json};

use crate::deployment::{Deployment, Running};

/// Follows the events; each as its name and data.
async fn follow(backend: &Running) -> BoxStream<'static, (String, Value)> {
    let response = backend
        .http
        .get(format!("{}/api/events", backend.url))
        .send();
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let lines = response.bytes_stream().map(|chunk| chunk.unwrap());
    let state = (Box::pin(lines), String::new());
    Box::pin(futures::stream::unfold(
        state,
        |(mut chunks, mut text)| async move {
            loop {
                if let Some((event, rest)) = text.split_once("\n\n") {
                    let (event, rest) = (event.to_owned(), rest.to_owned());
                    text = rest;
                    let line = |name: &str| {
                        let start = format!("{name}: ");
                        event.lines().find_map(|line| line.strip_prefix(&start))
                    };
                    if let (Some(name), Some(data)) = (line("event"), line("data")) {
                        let event = (name.to_owned(), serde_json::from_str(data).unwrap());
                        return Some((event, (chunks, text)));
                    }
                    continue;
                }
                text.push_str(std::str::from_utf8(&chunks.next().await?).unwrap());
            }
        },
    ))
}

/// Reads until an event of this name has come that `holds`.
async fn until(
    events: &mut (impl Stream<Item = (String, Value)> + Unpin),
    name: &str,
    holds: impl Fn(&Value) -> bool,
) -> Value {
    let found = async {
        loop {
            let (told, data) = events.next().await.expect("the stream goes on");
            if told == name && holds(&data) {
                return data;
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(20), found).await;
    found.unwrap_or_else(|_| panic!("no {name} came"))
}

#[tokio::test]
async fn a_ballot_its_block_and_the_turnout_are_told() {
    let mut deployment = Deployment::new().await;
    deployment.config.confirmation_wait_ms = 20_000;
    let backend = deployment.start().await;
    let mut events = follow(&backend).await;
    let (status, answer) = backend.cast("alice", "t1", "a").await;
    assert_eq!(status, 201, "{answer}");
    let number = answer["block_number"].clone();
    let mut others = follow(&backend).await;
    let block = until(&mut events, "block", |block| block["number"] == number).await;
    assert_eq!(block["hash"], answer["block_hash"]);
    let mut again = follow(&backend).await;
    let (_, second) = backend.cast("bob", "t2", "b").await;
    for events in [&mut events, &mut others, &mut again] {
        let wanted = second["chain_transaction_id"].clone();
        let confirmed = until(events, "confirmations", |confirmations| {
            confirmations["chain_transaction_ids"]
                .as_array()
                .unwrap()
                .contains(&wanted)
        });
        assert_eq!(confirmed.await["block_number"], second["block_number"]);
    }
    until(&mut events, "turnout", |turnout| {
        turnout["election_id"] == 1
    })
    .await;
}

#[tokio::test]
async fn a_validators_death_and_return_are_told() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let mut events = follow(&backend).await;
    let name = deployment.nodes[2].endpoint().node_id;
    deployment.nodes[2].kill().await;
    let status = |status: &'static str| {
        let name = name.clone();
        move |data: &Value| data["node_id"] == name.as_str() && data["status"] == status
    };
    until(&mut events, "validator", status("unreachable")).await;
    deployment.nodes[2].restart().await;
    until(&mut events, "validator", status("healthy")).await;
}

#[tokio::test]
async fn so_many_may_follow_and_a_stop_ends_them() {
    let mut deployment = Deployment::new().await;
    deployment.config.event_subscribers_max = 1;
    let backend = deployment.start().await;
    let mut events = follow(&backend).await;
    let (status, problem) = backend.get("/api/events", None).await;
    assert_eq!(
        (status, &problem["code"]),
        (503, &json!("too-many-subscribers"))
    );
    let stopped = tokio::time::timeout(Duration::from_secs(4), backend.stop()).await;
    assert!(stopped.is_ok(), "followers must not hold up a stop");
    while events.next().await.is_some() {}
}

#[tokio::test]
async fn a_session_of_events_ends() {
    let mut deployment = Deployment::new().await;
    deployment.config.event_session_s = 1;
    let backend = deployment.start().await;
    let mut events = follow(&backend).await;
    let ended = async { while events.next().await.is_some() {} };
    assert!(
        tokio::time::timeout(Duration::from_secs(10), ended)
            .await
            .is_ok()
    );
}

/// Losing the quorum, then everybody, and their return: each is told with the level and in words.
#[tokio::test]
async fn each_change_of_the_level_is_told() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    backend.mirrored().await;
    let mut events = follow(&backend).await;
    let level = |level: u8, has_quorum: bool| {
        move |told: &Value| told["level"] == level && told["has_quorum"] == has_quorum
    };
    for node in &deployment.nodes[1..] {
        node.kill().await;
    }
    let lost = until(&mut events, "level", level(2, false)).await;
    let meaning = lost["meaning"].as_str().unwrap();
    assert!(meaning.starts_with("1 of 3 validators"), "{meaning}");
    deployment.nodes[0].kill().await;
    let alone = until(&mut events, "level", level(3, false)).await;
    assert_ne!(alone["meaning"], lost["meaning"]);
    deployment.restart_validators().await;
    deployment.network.commit(vec![]);
    let whole = until(&mut events, "level", level(1, true)).await;
    assert_ne!(whole["meaning"], alone["meaning"]);
}
