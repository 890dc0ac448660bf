//! Floods against a validator's JSON-RPC.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::{scene::Scene, send_from, unread};
use crate::hostile_client::post;

/// Boards in a batch: about as many as may be asked for at once.
const BOARDS: u64 = 90;
/// Blocks in a batch: likewise.
const BLOCKS: u64 = 190;
/// Clients that read no answer. (A flood of batches that are read is a matter of turns, which all of this
/// machine are trusted with: `rpc::adversary` plays it from other addresses.)
const ASKERS: usize = 40;

/// The `n`th address that a stranger comes from.
fn stranger(n: usize) -> Ipv4Addr {
    let last = u8::try_from(n % 200).unwrap_or_default();
    Ipv4Addr::new(127, 0, 1, last + 1)
}

fn batch(calls: impl Iterator<Item = (&'static str, Value)>) -> String {
    let calls = calls.map(
        |(method, params)| json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}),
    );
    post(&Value::from_iter(calls).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_stays_within_its_bounds_and_serves_an_honest_client_while_answers_are_not_read()
 {
    let scene = Scene::start().await;
    let port = scene.rpc_port;
    let honest = scene.honest_reader().await;
    let boards = batch((0..BOARDS).map(|_| ("tabella_getBoard", json!([1]))));
    let newest = scene.height().await;
    let blocks = (1..=newest)
        .cycle()
        .take(usize::try_from(BLOCKS).unwrap_or_default());
    let blocks = batch(blocks.map(|height| ("tabella_getBlock", json!([height]))));

    let flood = honest.meets("answers that nobody reads");
    let held = unread(ASKERS, async |n| {
        let request = if n % 2 == 0 { &boards } else { &blocks };
        send_from(stranger(n), port, request.as_bytes()).await
    })
    .await;
    honest.is_served_in(&flood).await;
    drop(held);
}
