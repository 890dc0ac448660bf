//! `tabella verify receipt`: a real receipt holds offline, and no changed byte is accepted.

use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::json;
use tabella_protocol::Receipt;

use crate::network::{Network, eventually, ok, ranked_election, signal, tabella};

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::too_many_lines,
    reason = "one scene, told from beginning to end"
)]
async fn a_receipt_holds_offline_and_no_changed_byte_does() {
    let mut network = Network::start(&["--validators", "3"]).await;
    let election_id = network.open_election(&ranked_election());
    let mut client = network.admin();
    for voter in 0..5 {
        let body = json!({
            "election_id": election_id,
            "voter_id": format!("voter-{voter}"),
            "transaction_id": format!("receipt-{voter}"),
            "ballot": {"ranking": ["b", "a"]},
        });
        ok(client.post("/api/votes/submit", &body).await.unwrap());
    }
    let path = "/api/votes/receipt?transaction_id=receipt-2";
    let text = eventually("a receipt with the acks of all validators", async || {
        let answer = client.get(path).await.unwrap();
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        let receipt = Receipt::from_json(&text).ok()?;
        (receipt.acks.len() == 3).then_some(text)
    })
    .await;
    let proof_path = format!("/api/elections/{election_id}/proof");
    let proof = ok(client.get(&proof_path).await.unwrap());
    let proof_file = network.path("election.json");
    std::fs::write(&proof_file, proof.to_string()).unwrap();
    let genesis = network.genesis();
    let genesis_file = network.ready.genesis.clone();

    // Offline: nothing of the network is left.
    signal(network.dev_pid(), Signal::SIGTERM);
    network.dev_ended().await;
    network.all_gone().await;

    let file = network.path("receipt.json");
    let verify = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        verify(&file, &genesis_file)
    };
    let (code, answer) = verify(text.as_bytes());
    assert_eq!(code, Some(0), "{answer}");
    assert!(answer.contains("VALID"), "{answer}");
    assert!(answer.contains("3 of 3 validators"), "{answer}");

    // Whether it is of a choice is told with the options that the chain's state commits to.
    let of = |election: &Path, ballot: &str| {
        std::fs::write(&file, text.as_bytes()).unwrap();
        let answer = tabella()
            .args(["verify", "receipt"])
            .arg(&file)
            .args(["--genesis", &genesis_file, "--ballot", ballot])
            .arg("--election")
            .arg(election)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        (answer.status.code(), text)
    };
    let (code, answer) = of(&proof_file, r#"{"ranking": ["b", "a"]}"#);
    assert_eq!(code, Some(0), "{answer}");
    assert!(
        answer.contains("The ballot is the choice given"),
        "{answer}"
    );
    let (code, answer) = of(&proof_file, r#"{"ranking": ["a", "b"]}"#);
    assert_eq!(code, Some(1), "{answer}");
    assert!(answer.contains("it is of another choice"), "{answer}");
    // A proof in which one byte of the statement is another proves nothing.
    let mut forged = proof.clone();
    let record = forged["record"].as_str().unwrap().replacen("62", "61", 1);
    assert_ne!(record, proof["record"]);
    forged["record"] = json!(record);
    let forged_file = network.path("forged.json");
    std::fs::write(&forged_file, forged.to_string()).unwrap();
    let (code, answer) = of(&forged_file, r#"{"ranking": ["b", "a"]}"#);
    assert_eq!(code, Some(1), "{answer}");

    // Every byte, in three ways, through the function that the binary calls.
    let bytes = text.as_bytes();
    let mut accepted = Vec::new();
    for position in 0..bytes.len() {
        for change in [1, 0x20, 0x80] {
            let mut changed = bytes.to_vec();
            changed[position] ^= change;
            let holds = String::from_utf8(changed)
                .ok()
                .and_then(|text| Receipt::from_json(&text).ok())
                .is_some_and(|receipt| receipt.verify(&genesis).is_ok());
            if holds {
                accepted.push((position, change));
            }
        }
    }
    assert_eq!(accepted, [], "changed bytes that were accepted");

    // Some of them through the binary itself, and cuts and additions.
    for position in (0..bytes.len()).step_by(bytes.len() / 12) {
        let mut changed = bytes.to_vec();
        changed[position] ^= 1;
        let (code, answer) = verify(&changed);
        assert_eq!(code, Some(1), "byte {position}: {answer}");
        assert!(answer.contains("NOT VALID"), "{answer}");
    }
    assert_eq!(verify(&bytes[..bytes.len() - 1]).0, Some(1));
    assert_eq!(verify(&[bytes, b"\n"].concat()).0, Some(1));
    assert_eq!(verify(b"").0, Some(1));
    assert_eq!(verify(&[0xff, 0xfe]).0, Some(1));

    // Another network's genesis does not vouch for it.
    let mut other = genesis.clone();
    other.chain_id += 1;
    let other_file = network.path("other-genesis.json");
    std::fs::write(&other_file, other.to_json()).unwrap();
    std::fs::write(&file, &text).unwrap();
    let (code, answer) = self::verify(&file, other_file.to_str().unwrap());
    assert_eq!(code, Some(1), "{answer}");
    assert!(answer.contains("the receipt is for network"), "{answer}");
}

fn verify(receipt: &Path, genesis: &str) -> (Option<i32>, String) {
    let output = tabella()
        .args(["verify", "receipt"])
        .arg(receipt)
        .args(["--genesis", genesis])
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_rules_bytes_nobody_says_which_choice_a_receipt_is_of() {
    let network = Network::start(&["--validators", "1"]).await;
    let mut client = network.admin();
    // A rule that is built in, with a section that nothing reads: another hash.
    let built_in = tabella_plugins::all()
        .iter()
        .find(|rule| rule.name == "instant-runoff")
        .unwrap();
    let wasm = [built_in.wasm, b"\x00\x05\x04note"].concat();
    let published = client
        .post_bytes("/api/admin/plugins", "application/wasm", wasm.clone())
        .await;
    let sha256 = ok(published.unwrap())["sha256"].clone();
    let mut election = ranked_election();
    election["contests"][0]["rule"] = sha256.clone();
    let election_id = network.open_election(&election);
    let body = json!({
        "election_id": election_id,
        "voter_id": "ada",
        "transaction_id": "own-rule",
        "ballot": {"ranking": ["b"]},
    });
    ok(client.post("/api/votes/submit", &body).await.unwrap());
    let path = "/api/votes/receipt?transaction_id=own-rule";
    let receipt = eventually("a receipt", async || {
        let answer = client.get(path).await.unwrap();
        answer.is_success().then(|| answer.body.to_vec())
    })
    .await;
    std::fs::write(network.path("receipt.json"), receipt).unwrap();
    let path = format!("/api/elections/{election_id}/proof");
    let proof = ok(client.get(&path).await.unwrap());
    std::fs::write(network.path("proof.json"), proof.to_string()).unwrap();
    std::fs::write(network.path("rule.wasm"), wasm).unwrap();
    let said = |ballot: &str, more: &[&str]| {
        let output = tabella()
            .args(["verify", "receipt"])
            .arg(network.path("receipt.json"))
            .args(["--genesis", &network.ready.genesis, "--ballot", ballot])
            .arg("--election")
            .arg(network.path("proof.json"))
            .args(more)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), text)
    };
    let (cast, other) = (r#"{"ranking": ["b"]}"#, r#"{"ranking": ["a"]}"#);
    for ballot in [cast, other] {
        let (code, text) = said(ballot, &[]);
        assert_eq!(code, Some(3), "{text}");
        assert!(text.starts_with("UNDECIDED: the receipt holds"), "{text}");
        assert!(!text.contains("VALID"), "{text}");
        assert!(text.contains(sha256.as_str().unwrap()), "{text}");
        assert!(text.contains("--plugin FILE"), "{text}");
    }
    let (code, text) = said(cast, &["--json"]);
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (code, &answer["valid"], &answer["receipt"]["election_id"]),
        (Some(3), &json!(null), &json!(election_id)),
        "{answer}"
    );
    assert!(answer["missing"].as_str().unwrap().contains("--plugin"));
    let rule = network.path("rule.wasm");
    let rule = ["--plugin", rule.to_str().unwrap()];
    assert_eq!(said(cast, &rule).0, Some(0));
    let (code, text) = said(other, &rule);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.starts_with("NOT VALID"), "{text}");
}
