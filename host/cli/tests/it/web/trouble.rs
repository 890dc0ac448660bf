//! What goes wrong between a voter and the chain: a ballot counts once, and the page says what is so.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tabella_test_browser::Browser;

use super::{
    WIDE, board, elections, heading,
    keyboard::{pick, press},
    open_election, until_heading, until_shown, voting_link,
};
use crate::network::{Network, eventually, ok, signal};

/// A network with an election of one contest, which takes one ballot of each voter.
async fn network() -> (Network, u64) {
    let network = Network::start(&["--validators", "1"]).await;
    let contest = elections::contest("plurality", &json!({}));
    let id = open_election(&network, &elections::of_one("Trouble", &contest)).await;
    (network, id)
}

/// Marks the option at a place of the ballot, and goes on to the review.
async fn mark(browser: &Browser, place: usize) {
    until_shown(browser, "mark").await;
    pick(browser, "c0-o0", place).await;
    press(browser, "to-review").await;
    until_shown(browser, "review").await;
}

/// From now on the page hears nothing of so many submissions, though the server takes them.
async fn lose_answers(browser: &Browser, count: u32) {
    let script = "
        const send = window.fetch;
        let left = arguments[0];
        window.fetch = async (path, request) => {
            const answer = await send(path, request);
            if (path === '/api/votes/submit' && left > 0) {
                left -= 1;
                await answer.text();
                throw new TypeError('lost');
            }
            return answer;
        };";
    browser.script(script, &[json!(count)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_whose_answer_was_lost_is_sent_again_and_counts_once() {
    let Some(browser) = Browser::start(WIDE, 900).await else {
        return;
    };
    let (network, id) = network().await;
    browser.go(&voting_link(&network, id, "ada").await).await;
    mark(&browser, 1).await;
    lose_answers(&browser, 1).await;
    press(&browser, "cast").await;
    let said =
        "return document.getElementById('cast-problem').textContent.includes('it counts once')";
    browser
        .eventually("the page says that it sends again", said)
        .await;
    assert_ne!(heading(&browser).await, "Confirmed");
    until_heading(&browser, "Confirmed").await;
    assert_eq!(board(&network, id).await, [json!([{"choice": "b"}])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reloads_after_a_lost_answer_learns_of_the_ballot_and_casts_no_other() {
    let Some(browser) = Browser::start(WIDE, 900).await else {
        return;
    };
    let (network, id) = network().await;
    browser.go(&voting_link(&network, id, "ada").await).await;
    mark(&browser, 1).await;
    lose_answers(&browser, 1_000).await;
    press(&browser, "cast").await;
    let said =
        "return document.getElementById('cast-problem').textContent.includes('it counts once')";
    browser.eventually("the answer is lost", said).await;
    let address = format!("{}/en/elections/{id}/vote", network.ready.backend);
    let asks = "const leave = new Event('beforeunload', {cancelable: true}); dispatchEvent(leave); return leave.defaultPrevented";
    assert_eq!(browser.script(asks, &[]).await, Value::Bool(true));
    browser.go(&address).await;
    let said = "return document.getElementById('notice').textContent.includes('You have voted in this election.')";
    browser
        .eventually("the page knows of the ballot", said)
        .await;
    let hidden = "return document.getElementById('mark').hidden";
    assert_eq!(browser.script(hidden, &[]).await, Value::Bool(true));
    browser
        .script("document.querySelector('#notice a').click()", &[])
        .await;
    until_heading(&browser, "Confirmed").await;
    assert_eq!(board(&network, id).await, [json!([{"choice": "b"}])]);
}

/// A tab that was closed to the answer still has the id: another ballot under it is not cast beside the first.
#[tokio::test(flavor = "multi_thread")]
async fn another_ballot_under_an_id_that_arrived_is_not_cast() {
    let Some(browser) = Browser::start(WIDE, 900).await else {
        return;
    };
    let (network, id) = network().await;
    let link = voting_link(&network, id, "ada").await;
    browser.go(&link).await;
    until_shown(&browser, "mark").await;
    // As a page that was left while it sent: the id is kept, and the ballot arrives while the next page is marked.
    let (_, token) = link.split_once("#token=").expect("a token");
    let keep = format!(
        "sessionStorage.setItem('tabella.attempts', JSON.stringify({{{id}: {{id: 'left', isKnown: false}}}}))"
    );
    browser.script(&keep, &[]).await;
    mark(&browser, 1).await;
    let body = json!({"election_id": id, "transaction_id": "left", "ballot": {"choice": "a"}});
    let mut voter = network.anonymous().with_token(token);
    ok(voter
        .post("/api/votes/submit", &body)
        .await
        .expect("an answer"));
    press(&browser, "cast").await;
    let said = "return document.getElementById('cast-problem').textContent.includes('A ballot that you sent earlier had arrived')";
    browser
        .eventually("the page says which ballot stands", said)
        .await;
    assert_eq!(board(&network, id).await, [json!([{"choice": "a"}])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_is_received_while_validators_are_away_and_confirmed_once_they_are_back() {
    let Some(browser) = Browser::start(WIDE, 900).await else {
        return;
    };
    let (network, id) = network().await;
    // The local ledger takes ballots of elections that it knows.
    eventually("the local ledger knows the election", async || {
        let answer = network
            .admin()
            .get("/api/admin/reconciliation")
            .await
            .ok()?;
        (answer.json()["local_ledger"]["elections"].as_u64() >= Some(id)).then_some(())
    })
    .await;
    browser.go(&voting_link(&network, id, "ada").await).await;
    mark(&browser, 2).await;
    let validator = network.ready.validators[0].pid;
    signal(validator, Signal::SIGSTOP);
    press(&browser, "cast").await;
    until_heading(&browser, "Received, not confirmed yet").await;
    let warned = "return document.getElementById('receipt').hidden && document.body.textContent.includes('You need not do anything.')";
    let is_held = "return !document.getElementById('warning').hidden";
    browser
        .eventually("the page says that the ballot waits", is_held)
        .await;
    assert_eq!(browser.script(warned, &[]).await, Value::Bool(true));
    signal(validator, Signal::SIGCONT);
    until_heading(&browser, "Confirmed").await;
    until_shown(&browser, "receipt").await;
    assert_eq!(board(&network, id).await, [json!([{"choice": "c"}])]);
}

/// A link's token is in no address, and `Finish` leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_leaves_the_address_at_once_and_the_device_at_the_end() {
    let Some(browser) = Browser::start(WIDE, 900).await else {
        return;
    };
    let (network, id) = network().await;
    let link = voting_link(&network, id, "ada").await;
    browser.go(&link).await;
    mark(&browser, 0).await;
    let address = browser.script("return location.href", &[]).await;
    assert_eq!(address, link.split_once('#').expect("a token").0);
    press(&browser, "cast").await;
    until_heading(&browser, "Confirmed").await;
    let kept = "return Object.keys(sessionStorage).sort().concat(Object.keys(localStorage), document.cookie)";
    let expected = json!(["tabella.attempts", "tabella.session", "tabella.voter", ""]);
    assert_eq!(browser.script(kept, &[]).await, expected);
    let ballot = "return Object.values(sessionStorage).join().includes('choice')";
    assert_eq!(browser.script(ballot, &[]).await, Value::Bool(false));

    // Another voter's link in the same tab: nothing of the first is left.
    browser.go(&voting_link(&network, id, "bea").await).await;
    until_shown(&browser, "mark").await;
    let attempts = "return sessionStorage.getItem('tabella.attempts')";
    assert_eq!(browser.script(attempts, &[]).await, Value::Null);
    mark(&browser, 1).await;
    press(&browser, "cast").await;
    until_heading(&browser, "Confirmed").await;
    press(&browser, "finish").await;
    until_heading(&browser, "Elections").await;
    assert_eq!(browser.script(kept, &[]).await, json!([""]));
    assert_eq!(board(&network, id).await.len(), 2);
}

/// A refresh token that is sent twice ends the session: tabs that share one send it once.
#[tokio::test(flavor = "multi_thread")]
async fn tabs_that_share_a_session_trade_its_token_once() {
    let Some(browser) = Browser::start(WIDE, 900).await else {
        return;
    };
    let network = Network::start(&["--validators", "1"]).await;
    let account = format!("{}/en/account", network.ready.backend);
    browser.go(&account).await;
    until_shown(&browser, "stranger").await;
    super::keyboard::fill(&browser, "username", "ada").await;
    super::keyboard::fill(&browser, "password", "correct horse").await;
    press(&browser, "register-button").await;
    until_shown(&browser, "known").await;
    let first = browser.tab().await;
    let session = "return sessionStorage.getItem('tabella.session')";
    let session = browser.script(session, &[]).await;
    let second = browser.new_tab().await;
    browser.switch_to(&second).await;
    browser.go(&account).await;
    // As a browser does that duplicates a tab; and the access token has ended in both.
    let take = "
        const session = {...JSON.parse(arguments[0]), ends: 0};
        sessionStorage.setItem('tabella.session', JSON.stringify(session));
        location.reload();";
    browser.script(take, std::slice::from_ref(&session)).await;
    browser.switch_to(&first).await;
    browser.script(take, std::slice::from_ref(&session)).await;
    let mut traded = Vec::new();
    for tab in [&first, &second] {
        browser.switch_to(tab).await;
        let renewed = "const s = JSON.parse(sessionStorage.getItem('tabella.session')); return s?.ends > 0 ? s.refresh : ''";
        traded.push(browser.eventually("the session goes on", renewed).await);
        until_shown(&browser, "known").await;
    }
    assert_eq!(traded[0], traded[1]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Ended in one, ended in both.
    press(&browser, "sign-out").await;
    until_shown(&browser, "stranger").await;
    browser.switch_to(&first).await;
    until_shown(&browser, "stranger").await;
}
