//! Every page, in every language, wide and narrow.

use serde_json::{Value, json};
use tabella_test_browser::Browser;

use super::{
    NARROW, WIDE, assert_quiet, axe::assert_accessible, elections, open_election, until_shown,
    voting_link,
};
use crate::network::{Network, eventually, ok};

/// Pages that need nobody to be signed in; `{open}` and `{final}` stand for elections.
const PAGES: [&str; 11] = [
    "",
    "elections/{open}",
    "elections/{open}/vote",
    "elections/{open}/results",
    "elections/{final}/results",
    "ballot",
    "check",
    "account",
    "chain",
    "chain/blocks/1",
    "about",
];

/// An election that is closed and counted, with hostile titles.
async fn counted(network: &Network) -> u64 {
    let id = open_election(network, &elections::hostile()).await;
    for (voter, order) in [
        ("ada", ["a", "b", "c"]),
        ("bea", ["b", "a", "c"]),
        ("cem", ["a", "c", "b"]),
    ] {
        let body = json!({
            "election_id": id,
            "voter_id": voter,
            "transaction_id": voter,
            "ballot": {
                (elections::HOSTILE): {"ranking": order},
                "two": {"ranking": order},
                "three": {"choice": order[0]},
            },
        });
        ok(network
            .admin()
            .post("/api/votes/submit", &body)
            .await
            .expect("an answer"));
    }
    let close = format!("/api/admin/elections/{id}/close");
    let answer = network.admin().post(&close, &json!({})).await;
    assert!(answer.expect("an answer").is_success());
    eventually("the result is final", async || {
        let path = format!("/api/votes/results?election_id={id}");
        let answer = network.anonymous().get(&path).await.ok()?.json();
        (answer["verified"] == true).then_some(())
    })
    .await;
    id
}

/// What is wrong with a page as it stands in the browser.
const FAULTS: &str = r#"
    const faults = [];
    if (window.harmed) faults.push("a title ran as a program");
    if (document.querySelector("img, main script")) faults.push("a title became an element");
    const room = document.documentElement.clientWidth;
    for (const e of document.querySelectorAll("main *")) {
        const box = e.getBoundingClientRect();
        const scrolls = e.closest(".scroll, .command, .unseen, #say");
        if (!scrolls && box.width > 0 && (box.right > room + 1 || box.left < -1)) faults.push(`too wide: ${e.outerHTML.slice(0, 120)}`);
    }
    for (const e of document.querySelectorAll("button, .button, input, select, textarea, .tick, nav a")) {
        const box = e.getBoundingClientRect();
        const inside = e.closest(".tick");
        if (!inside && box.height > 0 && (box.height < 44 || box.width < 44)) faults.push(`too small: ${e.outerHTML.slice(0, 120)}`);
    }
    for (const e of document.querySelectorAll("input, select, textarea")) {
        if (!e.labels?.length) faults.push(`no label: ${e.outerHTML.slice(0, 120)}`);
    }
    const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
    const twice = ids.filter((id, place) => ids.indexOf(id) !== place);
    if (twice.length > 0) faults.push(`ids twice: ${twice}`);
    if (document.querySelectorAll("h1").length !== 1) faults.push("not one heading of the first level");
    return faults;
"#;

pub(super) async fn check(browser: &Browser, place: &str) {
    let settled = "const w = document.getElementById('wait'); return document.readyState === 'complete' && (!w || w.hidden)";
    browser
        .eventually(&format!("{place} is drawn"), settled)
        .await;
    let problem = "return document.getElementById('problem')?.textContent || 'none'";
    assert_eq!(browser.script(problem, &[]).await, "none", "{place}");
    let faults = browser.script(FAULTS, &[]).await;
    assert_eq!(faults, json!([]), "{place}");
    assert_quiet(browser, place, "").await;
    assert_accessible(browser, place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_drawn_in_every_language_and_width_and_titles_stay_text() {
    let Some(wide) = Browser::start(WIDE, 900).await else {
        return;
    };
    let narrow = Browser::start(NARROW, 740).await.expect("as before");
    let network = Network::start(&["--validators", "1"]).await;
    let over = counted(&network).await;
    let mut hostile = elections::hostile();
    hostile["open_to"] = json!("accounts");
    let open = open_election(&network, &hostile).await;
    for (browser, width) in [(&wide, WIDE), (&narrow, NARROW)] {
        for language in ["en", "ar"] {
            for page in PAGES {
                let page = page.replace("{open}", &open.to_string());
                let page = page.replace("{final}", &over.to_string());
                let place = format!("/{language}/{page}");
                browser
                    .go(&format!("{}{place}", network.ready.backend))
                    .await;
                check(browser, &format!("{place} at {width}")).await;
            }
        }
    }
    // The ballot itself, for who may mark it.
    for browser in [&wide, &narrow] {
        browser.go(&voting_link(&network, open, "dora").await).await;
        until_shown(browser, "mark").await;
        check(browser, "the booth").await;
    }
    results_say_who_won(&wide, &network, over).await;
    languages_lead_to_the_same_page(&wide, &network, over).await;
}

async fn results_say_who_won(browser: &Browser, network: &Network, election_id: u64) {
    let address = format!(
        "{}/en/elections/{election_id}/results",
        network.ready.backend
    );
    browser.go(&address).await;
    until_shown(browser, "found").await;
    let winners = "return [...document.querySelectorAll('.winner')].map((p) => p.textContent)";
    let expected = format!("Elected: {} a", elections::HOSTILE);
    assert_eq!(
        browser.script(winners, &[]).await,
        json!([expected, expected, expected])
    );
    let state = "return document.getElementById('state').textContent";
    let state = browser.script(state, &[]).await;
    let expected = "Final: attested by 1 of 1 validators";
    assert!(
        state
            .as_str()
            .is_some_and(|said| said.starts_with(expected)),
        "{state}"
    );
    // Ada's and Cem's first choice beats each other option by two to one.
    let pairwise = "return [...document.querySelectorAll('table')].some((t) => t.caption.textContent === 'Every option against every other' && t.rows[1].cells[2].textContent.startsWith('2'))";
    assert_eq!(browser.script(pairwise, &[]).await, Value::Bool(true));
}

async fn languages_lead_to_the_same_page(browser: &Browser, network: &Network, election_id: u64) {
    browser
        .script("document.querySelector('[data-language=ar]').click()", &[])
        .await;
    let expected = format!(
        "{}/ar/elections/{election_id}/results",
        network.ready.backend
    );
    let there =
        format!("return location.href === '{expected}' && document.documentElement.dir === 'rtl'");
    browser.eventually("the page in Arabic", &there).await;
}

/// Where there is no such election, a page says so in words, and the one for no page does too.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said() {
    let Some(browser) = Browser::start(WIDE, 900).await else {
        return;
    };
    let network = Network::start(&["--validators", "1"]).await;
    let backend = &network.ready.backend;
    browser.go(&format!("{backend}/en/elections/99")).await;
    let said = "return document.getElementById('problem').textContent.includes('There is no such election.')";
    browser.eventually("there is no such election", said).await;
    assert_quiet(&browser, "an unknown election", "404 (Not Found)").await;
    browser.go(&format!("{backend}/en/nowhere")).await;
    let said = "return document.querySelector('h1').textContent === 'There is no such page'";
    browser.eventually("there is no such page", said).await;
    assert_quiet(&browser, "an unknown page", "404 (Not Found)").await;
    let unknown = format!("{backend}/en/ballot#t=0x{}", "ab".repeat(32));
    browser.go(&unknown).await;
    let said = "return document.getElementById('problem').textContent.includes('No ballot has this receipt number')";
    browser.eventually("there is no such ballot", said).await;
}
