//! A chain that ended with a certified result is checked as a voter and an auditor would, and nothing can
//! be changed in what they took away.

mod scene;

use std::{error::Error, path::Path};

use serde::Serialize;
use serde_json::json;
use tabella_audit::{
    choice::{self, Choice},
    election_export::{self, Step},
    evidence, local_ledger,
    receipt::{self, Expected, OfChoice},
};
use tabella_protocol::{ExportLine, HexBytes, LedgerLine};
use tabella_testing::chain::genesis;
use tempfile::TempDir;

use scene::Scene;

/// An error with all that it came from.
fn chain(error: impl Error + 'static) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

fn export(lines: &[impl Serialize]) -> String {
    let lines = lines
        .iter()
        .map(|line| serde_json::to_string(line).unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

fn check_export(directory: &Path, text: &str) -> Result<String, String> {
    let file = directory.join("election.jsonl");
    std::fs::write(&file, text).unwrap();
    let mut steps = Vec::new();
    let verified = election_export::check(&file, &genesis(), |step| steps.push(step));
    let verified = verified.map_err(chain)?;
    let blocks = (1..=verified.blocks).map(Step::Executed);
    assert!(steps.into_iter().eq(blocks.chain([Step::Counting])));
    let certified = verified.certified.map(|by| (by.by, by.of));
    let winners = &verified.contests[0].outcome["winners"];
    Ok(format!(
        "{} ballots, {winners}, certified by {certified:?}",
        verified.ballots
    ))
}

#[test]
fn an_export_is_counted_again_and_no_line_can_be_another() {
    let scene = Scene::new();
    let directory = TempDir::new().unwrap();
    let check = |text: &str| check_export(directory.path(), text);
    let lines = scene.export();
    assert_eq!(
        check(&export(&lines)).unwrap(),
        r#"3 ballots, ["a"], certified by Some((2, 3))"#
    );
    let refused = |lines: &[ExportLine], reason: &str| {
        let error = check(&export(lines)).unwrap_err();
        assert!(error.starts_with(reason), "{error}");
        let mut causes = error.split(": ").collect::<Vec<_>>();
        let said = causes.len();
        causes.dedup();
        assert_eq!(causes.len(), said, "a cause is said twice: {error}");
    };
    refused(
        &lines[1..],
        "expected the genesis of a network on the first line",
    );
    refused(
        &lines[..lines.len() - 1],
        "the export breaks off before its end",
    );
    let mut twice = lines.clone();
    twice.insert(1, lines[0].clone());
    refused(&twice, "unexpected second genesis line");
    let mut longer = lines.clone();
    longer.push(lines[1].clone());
    refused(&longer, "expected nothing after the end");
    let mut short = lines.clone();
    short.remove(lines.len() - 2);
    let (blocks, left) = (lines.len() - 2, lines.len() - 3);
    refused(&short, &format!("expected {blocks} blocks, got {left}"));
    for place in 1..lines.len() - 1 {
        let mut changed = lines.clone();
        let ExportLine::Block { block, .. } = &mut changed[place] else {
            panic!("a block is expected at {place}");
        };
        let HexBytes(bytes) = block;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        refused(&changed, &format!("block {place} does not hold: "));
    }
    // A certificate of one instead of two.
    let mut alone = lines.clone();
    if let ExportLine::Block { certificate, .. } = &mut alone[1] {
        certificate.signatures.pop();
    }
    refused(
        &alone,
        "block 1 does not hold: the certificate does not hold: ",
    );
    let mut other = lines.clone();
    if let ExportLine::Genesis { genesis, .. } = &mut other[0] {
        genesis.chain_id += 1;
    }
    refused(&other, "the export is of network 0x");
    let error = check(&(export(&lines[..2]) + "\n{}")).unwrap_err();
    let file = directory.path().join("election.jsonl");
    let place = format!(
        "line 3 of {} is not of an export, as /api/elections/ID/export answers it: missing field `line`",
        file.display()
    );
    assert!(error.starts_with(&place), "{error}");
}

#[test]
fn what_validators_certified_is_compared_with_the_count() {
    let scene = Scene::certifying_another_result();
    let directory = TempDir::new().unwrap();
    let error = check_export(directory.path(), &export(&scene.export())).unwrap_err();
    let expected =
        "the validators certified another result than the ballots and rules give: outcome 0x";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_receipt_is_compared_with_the_choice_and_the_number_of_its_voter() {
    let scene = Scene::new();
    let directory = TempDir::new().unwrap();
    let (receipt, proof) = (scene.receipt(), scene.election_proof());
    let transaction = directory.path().join("transaction.hex");
    std::fs::write(&transaction, hex::encode(scene.first_ballot().to_bytes())).unwrap();
    let check = |bytes: &[u8], ballot: Option<&str>, nonce: Option<u64>| {
        let choice = ballot.map(|ballot| Choice {
            ballot,
            election: &proof,
            plugins: &[],
        });
        let expected = Expected {
            choice,
            nonce: nonce.map(|nonce| (nonce, transaction.as_path())),
        };
        let checked = receipt::check(bytes, &genesis(), &expected);
        checked.map(|c| c.choice).map_err(chain)
    };
    let nonce = scene.first_ballot().body.nonce;
    let own = r#"{"choice": "a"}"#;
    assert_eq!(check(receipt.as_bytes(), None, None), Ok(None));
    assert_eq!(
        check(receipt.as_bytes(), Some(own), Some(nonce)),
        Ok(Some(OfChoice::Yes))
    );
    let refused = |bytes: &[u8], ballot: Option<&str>, nonce, reason: &str| {
        let error = check(bytes, ballot, nonce).unwrap_err();
        assert!(error.starts_with(reason), "{error}");
    };
    let whole = receipt.as_bytes();
    refused(&whole[1..], None, None, "not a receipt: ");
    refused(&[0xff], None, None, "not a receipt: not UTF-8");
    let another = r#"{"choice": "b"}"#;
    refused(
        whole,
        Some(another),
        None,
        "the receipt holds, but it is of another choice",
    );
    refused(
        whole,
        Some(r#"{"choice": "d"}"#),
        None,
        "contest 1: /choice: \"d\" is not an option",
    );
    refused(
        whole,
        Some("a"),
        None,
        "--ballot: expected JSON such as {\"choice\": \"a\"}: ",
    );
    refused(
        whole,
        None,
        Some(nonce + 1),
        "the receipt's ballot carries the nonce",
    );

    let proven = choice::proven(&proof, &genesis()).unwrap();
    let choices = [json!({"choice": "a"}), json!({"choice": "b"})];
    let encoded = choice::encode(&proven, &choices, &[], &genesis()).unwrap();
    assert_eq!(encoded, [[[0]], [[1]]]);
}

/// Every byte of a text changed, one at a time.
fn changed(text: &str) -> impl Iterator<Item = Vec<u8>> {
    (0..text.len()).map(|place| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[place] ^= 1;
        bytes
    })
}

#[test]
fn no_byte_of_a_receipt_can_be_another() {
    let receipt = Scene::new().receipt();
    let check = |bytes: &[u8]| receipt::check(bytes, &genesis(), &Expected::default());
    let checked = check(receipt.as_bytes()).unwrap();
    assert_eq!((checked.summary.acks, checked.summary.of), (0, 3));
    for bytes in changed(&receipt) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(check(&bytes).is_err(), "{text} was accepted");
    }
}

#[test]
fn evidence_names_who_lied_and_no_byte_of_it_can_be_another() {
    let check = |bytes: &[u8]| evidence::check(bytes, &genesis());
    let evidence = scene::evidence();
    let summary = check(evidence.as_bytes()).unwrap();
    let liars = summary.liars.iter().map(|liar| liar.node_id.as_str());
    assert!(liars.eq(["validator-3"]), "{summary:?}");
    for bytes in changed(&evidence) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(check(&bytes).is_err(), "{text} was accepted");
    }
    let reason = |bytes: &[u8]| check(bytes).unwrap_err().to_string();
    assert_eq!(reason(&[0xff]), "not an evidence file: not UTF-8");
    assert!(reason(b"{}").starts_with("not an evidence file: "));
}

#[tokio::test]
async fn a_local_ledger_is_of_a_backend_of_the_network_and_no_block_can_be_another() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("local-ledger.jsonl");
    let check = async |text: String| {
        std::fs::write(&file, text).unwrap();
        let validators = Vec::new();
        let findings = local_ledger::check(&file, genesis(), validators, None).await;
        chain(findings.unwrap_err())
    };
    let first = |genesis| json!({"line": "genesis", "genesis": genesis}).to_string();
    let expected = "expected the genesis of a local ledger";
    assert!(check(String::new()).await.starts_with(expected));
    let error = check(first(genesis())).await;
    assert_eq!(
        error,
        "expected the genesis of a local ledger, with one key"
    );
    let mut other = genesis();
    other.validators.truncate(1);
    let error = check(first(other)).await;
    assert_eq!(
        error,
        "the ledger does not belong to a backend of this network"
    );
    let lines = scene::local_export();
    let error = check(export(&lines[..2])).await;
    assert_eq!(
        error,
        "the export breaks off before its end; fetch it again"
    );
    let mut changed = lines.clone();
    let LedgerLine::Block { block, .. } = &mut changed[1] else {
        panic!("a block is expected");
    };
    let middle = block.0.len() / 2;
    block.0[middle] ^= 1;
    let error = check(export(&changed)).await;
    assert!(
        error.starts_with("block 1 of the local ledger: "),
        "{error}"
    );
    let error = check(export(&lines[..1]) + "\n{}").await;
    let place = format!("line 2 of {}: missing field `line`", file.display());
    assert!(error.starts_with(&place), "{error}");
    // It is whole: what is left to ask are validators, and none were named.
    let error = check(export(&lines)).await;
    assert_eq!(error, "expected at least one validator");
}
