//! A receipt is checked in the browser as `tabella verify receipt` checks it: with the network cut, and in a file from
//! the disk.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tabella_test_browser::Browser;

use super::{
    NARROW, WIDE, assert_quiet,
    axe::assert_accessible,
    elections,
    keyboard::{pick, press},
    open_election, pages, paper, until_shown,
};
use crate::network::{Network, eventually, ok};

/// What a voter has on their device.
pub(super) struct Files {
    receipt: PathBuf,
    /// The ballot's receipt number.
    pub(super) number: String,
    /// The fingerprint of the ballot.
    pub(super) ballot_hash: String,
    /// The receipt of another voter, who chose the same.
    pub(super) other: PathBuf,
    genesis: PathBuf,
    proof: PathBuf,
    rule: PathBuf,
    page: PathBuf,
    block: u64,
}

/// Casts a vote for option b; its receipt.
async fn receipt_of(network: &Network, election: u64, voter: &str) -> Vec<u8> {
    let body = json!({
        "election_id": election, "voter_id": voter, "transaction_id": voter, "ballot": {"choice": "b"},
    });
    ok(network
        .admin()
        .post("/api/votes/submit", &body)
        .await
        .expect("an answer"));
    let path = format!("/api/votes/receipt?transaction_id={voter}");
    let receipt = eventually("a receipt", async || {
        let answer = network.admin().get(&path).await.ok()?;
        answer.is_success().then_some(answer.body)
    });
    receipt.await.to_vec()
}

/// A network, and the files of a voter who chose option b.
async fn voted() -> (Network, Files) {
    let network = Network::start(&["--validators", "1"]).await;
    let contest = elections::contest("plurality", &json!({}));
    let id = open_election(&network, &elections::of_one("Checked", &contest)).await;
    let other = network.path("other-receipt.json");
    std::fs::write(&other, receipt_of(&network, id, "bob").await).expect("writable");
    let receipt = receipt_of(&network, id, "ada").await;
    let parsed: Value = serde_json::from_slice(&receipt).expect("JSON");
    let rule = ok(network
        .anonymous()
        .get("/api/plugins")
        .await
        .expect("an answer"));
    let rule = rule[0]["sha256"].as_str().expect("a hash").to_owned();
    let saved = async |name: &str, path: &str| {
        let answer = network.anonymous().get(path).await.expect("an answer");
        assert!(answer.is_success(), "{path}: {}", answer.excerpt());
        let file = network.path(name);
        std::fs::write(&file, &answer.body).expect("writable");
        file
    };
    let of_entry = |name: &str| parsed["entry"][name].as_str().expect("text").to_owned();
    let files = Files {
        number: of_entry("transaction_id"),
        ballot_hash: of_entry("ballot_hash"),
        receipt: network.path("receipt.json"),
        other,
        genesis: saved("own-genesis.json", "/api/genesis").await,
        proof: saved("proof.json", &format!("/api/elections/{id}/proof")).await,
        rule: saved("rule.wasm", &format!("/api/plugins/{rule}/wasm")).await,
        page: saved("kept.html", "/en/tabella-check.html").await,
        block: parsed["header"]["height"].as_u64().expect("a height"),
    };
    std::fs::write(&files.receipt, &receipt).expect("writable");
    (network, files)
}

/// Checks this file, and waits for the heading of what is said of it; the words below.
async fn said(browser: &Browser, file: &Path, heading: &str) -> String {
    browser.choose_files("receipt-file", &[file]).await;
    press(browser, "check-now").await;
    until_said(browser, "verdict", heading).await
}

async fn until_said(browser: &Browser, id: &str, heading: &str) -> String {
    let script = format!(
        "const h = document.getElementById('{id}-heading');
         return h.checkVisibility() && h === document.activeElement && h.textContent === {}",
        json!(heading)
    );
    browser.eventually(heading, &script).await;
    let words = format!("return document.getElementById('{id}').innerText");
    let words = browser.script(&words, &[]).await;
    words.as_str().unwrap_or_default().to_owned()
}

/// Marks the option at a place, and compares it with the receipt.
async fn compared(browser: &Browser, place: usize, heading: &str) {
    pick(browser, "c0-o0", place).await;
    press(browser, "compare").await;
    until_said(browser, "own-verdict", heading).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_checked_with_the_network_cut_and_in_a_file_from_the_disk() {
    let Some(browser) = Browser::start(WIDE, 900).await else {
        return;
    };
    let (network, files) = voted().await;
    browser
        .go(&format!("{}/en/check", network.ready.backend))
        .await;
    until_shown(&browser, "found").await;
    assert_quiet(&browser, "the page", "").await;

    browser.set_offline(true).await;
    let words = said(&browser, &files.receipt, "The receipt is valid").await;
    assert!(
        words.contains(&format!("in block {}", files.block)),
        "{words}"
    );
    assert!(
        words.contains("Acknowledged by 1 of 1 validators."),
        "{words}"
    );
    assert!(
        words.contains("if the network is the one that this site names"),
        "{words}"
    );
    network_is_named(&browser, &network).await;
    // What was said of one receipt is not left standing beside another.
    browser
        .choose_files("receipt-file", &[&files.genesis])
        .await;
    let gone =
        "return document.getElementById('verdict').hidden && document.getElementById('own').hidden";
    browser.eventually("the verdict is gone", gone).await;
    said(&browser, &files.receipt, "The receipt is valid").await;
    press(&browser, "own-begin").await;
    let missing = "Nobody can say yet whether it holds your marks";
    until_said(&browser, "own-verdict", missing).await;
    what_does_not_hold_is_said(&browser, &network, &files).await;

    browser.set_offline(false).await;
    said(&browser, &files.receipt, "The receipt is valid").await;
    press(&browser, "own-begin").await;
    until_shown(&browser, "own-form").await;
    assert_accessible(&browser, "a ballot to compare").await;
    compared(&browser, 1, "It holds the same marks").await;
    compared(&browser, 1, "It is another ballot").await;
    browser.console().await;

    a_kept_file_checks_alone(&browser, &network, &files).await;
    paper::a_printed_receipt_leads_to_its_ballot(&browser, &network, &files).await;
    an_arabic_voter_on_a_telephone_checks(&network, &files).await;
}

/// The page names the genesis that it checks against, and takes no other hash for its own.
async fn network_is_named(browser: &Browser, network: &Network) {
    let hash = network.genesis().hash().to_string();
    let shown = "return '0x' + document.querySelector('#network-hash code').textContent";
    assert_eq!(browser.script(shown, &[]).await, json!(hash));
}

async fn what_does_not_hold_is_said(browser: &Browser, network: &Network, files: &Files) {
    let receipt = std::fs::read(&files.receipt).expect("a receipt");
    let changed = network.path("changed.json");
    let step = receipt.len() / 9;
    for place in (step / 2..receipt.len()).step_by(step) {
        let mut bytes = receipt.clone();
        bytes[place] ^= 1;
        std::fs::write(&changed, &bytes).expect("writable");
        said(browser, &changed, "The receipt is not valid").await;
    }
    assert_accessible(browser, "a receipt that is not valid").await;
    let words = said(browser, &files.genesis, "This is not a receipt").await;
    assert!(words.contains("It is a genesis file"), "{words}");
    let words = said(browser, &files.page, "This is not a receipt").await;
    assert!(words.contains("It is a text of another kind."), "{words}");

    // A hash that the voter knows is that of another network.
    let known = "document.getElementById('known-hash').value = arguments[0]";
    browser.script(known, &[json!("ab".repeat(32))]).await;
    said(browser, &files.receipt, "Nobody can say yet").await;
    let hash = network.genesis().hash().to_string().to_uppercase();
    let groups = json!(format!(" {} {}", &hash[2..20], &hash[20..]));
    browser.script(known, &[groups]).await;
    let words = said(browser, &files.receipt, "The receipt is valid").await;
    assert!(words.contains("or hash you gave"), "{words}");
    browser.script(known, &[json!("")]).await;

    let mut other = network.genesis();
    other.chain_id += 1;
    let file = network.path("another-genesis.json");
    std::fs::write(&file, other.to_json()).expect("writable");
    browser.choose_files("genesis-file", &[&file]).await;
    let words = said(browser, &files.receipt, "The receipt is not valid").await;
    assert!(words.contains("It is of another network"), "{words}");
    browser
        .choose_files("genesis-file", &[&files.genesis])
        .await;
    said(browser, &files.receipt, "The receipt is valid").await;
}

/// The page as a file, which asks nobody and cannot.
async fn a_kept_file_checks_alone(browser: &Browser, network: &Network, files: &Files) {
    browser
        .go(&format!("file://{}", files.page.display()))
        .await;
    until_shown(browser, "found").await;
    assert_quiet(browser, "the file", "").await;
    said(browser, &files.receipt, "Nobody can say yet").await;
    browser
        .choose_files("genesis-file", &[&files.genesis])
        .await;
    said(browser, &files.receipt, "The receipt is valid").await;
    browser.choose_files("election-file", &[&files.proof]).await;
    browser.choose_files("rule-files", &[&files.rule]).await;
    press(browser, "own-begin").await;
    until_shown(browser, "own-form").await;
    compared(browser, 0, "It is another ballot").await;
    compared(browser, 1, "It holds the same marks").await;
    assert_quiet(browser, "the file", "").await;
    assert_accessible(browser, "the file").await;
    browser.console().await;
    let ask = "return fetch(arguments[0]).then(() => 'answered', () => 'refused')";
    let asked = json!(format!("{}/api/genesis", network.ready.backend));
    assert_eq!(browser.script(ask, &[asked]).await, "refused");
    let said = browser.console().await;
    assert!(
        said.iter()
            .any(|line| line.contains("Content Security Policy")),
        "{said:?}"
    );
}

async fn an_arabic_voter_on_a_telephone_checks(network: &Network, files: &Files) {
    let browser = Browser::start(NARROW, 740).await.expect("as before");
    browser
        .go(&format!("{}/ar/check", network.ready.backend))
        .await;
    until_shown(&browser, "found").await;
    said(&browser, &files.receipt, "الإيصال صحيح").await;
    press(&browser, "own-begin").await;
    until_shown(&browser, "own-form").await;
    pages::check(&browser, "a valid receipt in Arabic").await;
}
