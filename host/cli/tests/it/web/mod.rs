//! The pages in a real browser, on a real network: every page is drawn without a violation of its policy and without a
//! finding of axe, every kind of ballot is cast by keyboard alone, no ballot is lost or cast twice, and a receipt is
//! checked with no network.

mod axe;
mod check;
mod elections;
mod keyboard;
mod pages;
mod paper;
mod site;
mod trouble;
mod voting;

use serde_json::{Value, json};
use tabella_test_browser::Browser;

use crate::network::{Network, eventually, ok, tabella};

/// The width of a desk's window.
const WIDE: u32 = 1280;
/// The width of a telephone.
const NARROW: u32 = 375;

/// What voters see of a ballot's standing.
async fn heading(browser: &Browser) -> String {
    let text = browser
        .script("return document.querySelector('h1').textContent", &[])
        .await;
    text.as_str().unwrap_or_default().to_owned()
}

/// Waits until the page's heading says so.
async fn until_heading(browser: &Browser, expected: &str) {
    let script = format!(
        "return document.querySelector('h1')?.textContent === {}",
        json!(expected)
    );
    browser
        .eventually(&format!("the heading says {expected}"), &script)
        .await;
}

/// Waits until the element is shown.
async fn until_shown(browser: &Browser, id: &str) {
    let script =
        format!("const e = document.getElementById('{id}'); return Boolean(e?.checkVisibility())");
    browser.eventually(&format!("{id} is shown"), &script).await;
}

/// Creates and opens an election as soon as the validator takes it: next to a browser it may need a while to compile the
/// rules; its id.
async fn open_election(network: &Network, statement: &Value) -> u64 {
    let file = network.path("election.json");
    std::fs::write(&file, statement.to_string()).expect("writable");
    let created = eventually("the election is open", async || {
        let output = tabella()
            .args(["election", "create"])
            .arg(&file)
            .args(["--open", "--json", "--backend", &network.ready.backend])
            .arg("--token-file")
            .arg(network.data().join("keys/admin-token"))
            .output()
            .expect("the binary starts");
        let created: Option<Value> = serde_json::from_slice(&output.stdout).ok();
        output.status.success().then_some(created).flatten()
    });
    created.await["election_id"]
        .as_u64()
        .expect("an election id")
}

/// The address at which a voter of the registrar votes.
async fn voting_link(network: &Network, election_id: u64, voter: &str) -> String {
    let token = network.voter_token(voter).await;
    let backend = &network.ready.backend;
    format!("{backend}/en/elections/{election_id}/vote#token={token}")
}

/// The ballots on an election's board, as plain JSON.
async fn board(network: &Network, election_id: u64) -> Vec<Value> {
    let path = format!("/api/elections/{election_id}/board");
    let page = ok(network.anonymous().get(&path).await.expect("an answer"));
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item["plain"].clone()).collect()
}

/// Nothing was written to the console but what the test says may be.
async fn assert_quiet(browser: &Browser, place: &str, allowed: &str) {
    let said = browser.console().await;
    let said: Vec<_> = said
        .iter()
        .filter(|line| allowed.is_empty() || !line.contains(allowed))
        .collect();
    assert!(said.is_empty(), "{place}: {said:#?}");
}
