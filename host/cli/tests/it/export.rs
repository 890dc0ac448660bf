//! `tabella verify election`: an export holds offline, is counted again, and nothing can be changed
//! in it or left out of it.

use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::network::{Network, eventually, ok, ranked_election, signal, tabella};

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::too_many_lines,
    reason = "one scene, told from beginning to end"
)]
async fn an_exported_election_is_counted_again_offline() {
    let mut network = Network::start(&["--validators", "3"]).await;
    let other = network.open_election(&ranked_election());
    let election_id = network.open_election(&ranked_election());
    let mut client = network.admin();
    for voter in 0..7 {
        let body = json!({
            "election_id": election_id,
            "voter_id": format!("voter-{voter}"),
            "ballot": {"ranking": if voter < 4 { ["b", "a"] } else { ["a", "b"] }},
        });
        ok(client.post("/api/votes/submit", &body).await.unwrap());
    }
    let path = format!("/api/elections/{election_id}/export");
    let early = client.get(&path).await.unwrap();
    assert_eq!(early.status, 409);
    assert_eq!(early.json()["code"], "election-not-closed");

    network.election(&["close", &election_id.to_string()]);
    eventually("the result is certified", async || {
        let results = network.election(&["results", &election_id.to_string()]);
        (results["status"] == "final").then_some(())
    })
    .await;
    let export = client.get(&path).await.unwrap();
    assert_eq!(export.status, 200);
    let export = String::from_utf8(export.body.to_vec()).unwrap();
    let genesis = network.ready.genesis.clone();

    // Offline: nothing of the network is left.
    signal(network.dev_pid(), Signal::SIGTERM);
    network.dev_ended().await;
    network.all_gone().await;

    let file = network.path("election.jsonl");
    let check = |lines: &[String]| {
        std::fs::write(&file, lines.join("\n")).unwrap();
        verify(&file, &genesis)
    };
    let lines: Vec<String> = export.lines().map(str::to_owned).collect();
    let (code, answer) = check(&lines);
    assert_eq!(code, Some(0), "{answer}");
    let verified = &answer["election"];
    assert_eq!(verified["status"], "final", "{answer}");
    assert_eq!(verified["ballots"], 7);
    assert_eq!(verified["turnout"], 7);
    assert_eq!(verified["contests"][0]["outcome"]["winners"], json!(["b"]));
    assert!(verified["certified"]["by"].as_u64() >= Some(2), "{answer}");

    // The same chain, asked for the other election, which nobody certified.
    let mut asked = lines.clone();
    asked[0] = asked[0].replace(
        &format!("\"election_id\":{election_id}"),
        &format!("\"election_id\":{other}"),
    );
    let (code, answer) = check(&asked);
    assert_eq!(code, Some(0), "{answer}");
    assert_eq!(answer["election"]["status"], "open");
    assert_eq!(answer["election"]["certified"], Value::Null);

    let refused = |lines: &[String], reason: &str| {
        let (code, answer) = check(lines);
        assert_eq!(code, Some(1), "{answer}");
        let text = answer["reason"].as_str().unwrap_or_default();
        assert!(text.contains(reason), "expected {reason:?}, got {text:?}");
    };
    // A block left out, the end left out, two blocks swapped, another block's certificate, a line of garbage.
    let mut short = lines.clone();
    short.remove(3);
    refused(&short, "block 3 does not hold");
    refused(&lines[..lines.len() - 1], "breaks off before its end");
    let mut swapped = lines.clone();
    swapped.swap(1, 2);
    refused(&swapped, "block 1 does not hold");
    let mut exchanged = lines.clone();
    let mut blocks: Vec<Value> = [1, 2]
        .map(|line: usize| serde_json::from_str(&lines[line]).unwrap())
        .to_vec();
    blocks[0]["certificate"] = blocks[1]["certificate"].take();
    exchanged[1] = blocks[0].to_string();
    refused(&exchanged, "the certificate is of another block");
    let mut garbage = lines.clone();
    garbage[2] = "{}".to_owned();
    refused(&garbage, "line 3 of");
    // Any changed digit of any block, and any changed signature.
    for place in 1..lines.len() - 1 {
        let mut changed = lines.clone();
        let middle = changed[place].find("0x").unwrap() + 2 + place % 64;
        let digit = changed[place].as_bytes()[middle];
        let other = if digit == b'0' { "1" } else { "0" };
        changed[place].replace_range(middle..=middle, other);
        refused(&changed, &format!("block {place} does not hold"));

        let mut unsigned = lines.clone();
        let mut line: Value = serde_json::from_str(&unsigned[place]).unwrap();
        let signatures = &mut line["certificate"]["signatures"];
        let signature = signatures[0]["signature"].as_str().unwrap().to_owned();
        let digit = if signature.ends_with('0') { "1" } else { "0" };
        signatures[0]["signature"] = json!(format!("{}{digit}", &signature[..signature.len() - 1]));
        unsigned[place] = line.to_string();
        refused(&unsigned, &format!("block {place} does not hold"));
    }
}

fn verify(export: &Path, genesis: &str) -> (Option<i32>, Value) {
    let output = tabella()
        .args(["verify", "election", "--json"])
        .arg(export)
        .args(["--genesis", genesis])
        .output()
        .unwrap();
    let answer = serde_json::from_slice(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    (output.status.code(), answer.expect(&stderr))
}
