//! Voting by keyboard alone: what is marked is what stands on the board.

use serde_json::json;
use tabella_test_browser::Browser;

use super::{
    WIDE, assert_quiet, board, elections,
    keyboard::{choose, fill, pick, press, tick},
    open_election, until_heading, until_shown, voting_link,
};
use crate::network::Network;

/// Ranks the options of a contest: a second, c first, d third, b not at all.
async fn rank(browser: &Browser, contest: usize) {
    choose(browser, &format!("c{contest}-o0"), 2).await;
    choose(browser, &format!("c{contest}-o2"), 1).await;
    choose(browser, &format!("c{contest}-o3"), 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ballot_of_every_rule_is_cast_by_keyboard_alone() {
    let Some(browser) = Browser::start(WIDE, 900).await else {
        return;
    };
    let network = Network::start(&["--validators", "1"]).await;
    let statement = elections::of_every_rule();
    let id = open_election(&network, &statement).await;
    browser.go(&voting_link(&network, id, "ada").await).await;
    until_shown(&browser, "mark").await;

    let contests = statement["contests"].as_array().expect("contests");
    for (place, contest) in contests.iter().enumerate() {
        let first = format!("c{place}-o0");
        match contest["rule"].as_str().expect("a rule") {
            "approval" | "budgeting" | "committee" | "plurality" => {
                tick(&browser, &first).await;
                tick(&browser, &format!("c{place}-o2")).await;
            }
            "party-list" | "referendum" => pick(&browser, &first, 1).await,
            "cumulative" | "quadratic" => {
                fill(&browser, &first, "3").await;
                fill(&browser, &format!("c{place}-o2"), "2").await;
            }
            "score" => fill(&browser, &format!("c{place}-o1"), "97").await,
            "star" => {
                pick(&browser, &format!("c{place}-o0-v0"), 5).await;
                pick(&browser, &format!("c{place}-o1-v0"), 2).await;
            }
            "majority-judgment" => {
                // The best grade stands first.
                pick(&browser, &format!("c{place}-o0-v0"), 0).await;
                pick(&browser, &format!("c{place}-o3-v0"), 2).await;
            }
            _ => rank(&browser, place).await,
        }
    }
    press(&browser, "to-review").await;
    until_shown(&browser, "review").await;
    press(&browser, "cast").await;
    until_heading(&browser, "Confirmed").await;
    assert_quiet(&browser, "voting", "").await;

    let expected: Vec<_> = contests
        .iter()
        .map(|contest| match contest["rule"].as_str().expect("a rule") {
            "approval" | "budgeting" | "committee" => json!({"approve": ["a", "c"]}),
            "plurality" => json!({"choices": ["a", "c"]}),
            "party-list" | "referendum" => json!({"choice": "b"}),
            "cumulative" | "quadratic" => json!({"votes": {"a": 3, "c": 2}}),
            "score" => json!({"scores": {"b": 97}}),
            "star" => json!({"scores": {"a": 5, "b": 2}}),
            "majority-judgment" => json!({"grades": {"a": "good", "d": "poor"}}),
            _ => json!({"ranking": ["c", "a", "d"]}),
        })
        .collect();
    assert_eq!(board(&network, id).await, [json!(expected)]);
}

/// The buttons beside each option, shared ranks, and a review that says what will count.
#[tokio::test(flavor = "multi_thread")]
async fn options_are_ranked_by_buttons_and_may_share_a_rank() {
    let Some(browser) = Browser::start(WIDE, 900).await else {
        return;
    };
    let network = Network::start(&["--validators", "1"]).await;
    let contest = elections::contest("schulze", &json!({}));
    let id = open_election(&network, &elections::of_one("Order", &contest)).await;
    browser.go(&voting_link(&network, id, "ada").await).await;
    until_shown(&browser, "mark").await;
    // b, then c, then a by the numbers; then c above b by its button, and d beside a.
    choose(&browser, "c0-o1", 1).await;
    choose(&browser, "c0-o2", 2).await;
    choose(&browser, "c0-o3", 3).await;
    choose(&browser, "c0-o0", 3).await;
    let numbered = "document.querySelectorAll('#c0 .rank')[2].querySelectorAll('button')[0].id = 'higher-c'; return true";
    browser.script(numbered, &[]).await;
    press(&browser, "higher-c").await;
    let said = "return document.getElementById('say').textContent.includes('Option c: rank 1')";
    browser.eventually("the move is said", said).await;
    press(&browser, "to-review").await;
    until_shown(&browser, "review").await;
    let items =
        "return [...document.querySelectorAll('#review-contests li')].map((li) => li.textContent)";
    let expected = json!(["Option c", "Option b", "Option a and Option d"]);
    assert_eq!(browser.script(items, &[]).await, expected);
    press(&browser, "cast").await;
    until_heading(&browser, "Confirmed").await;
    let expected = json!([{"ranking": ["c", "b", ["a", "d"]]}]);
    assert_eq!(board(&network, id).await, [expected]);
}

/// Too many marks are explained where they are, and nothing is sent.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_does_not_take_is_said_before_it_is_sent() {
    let Some(browser) = Browser::start(WIDE, 900).await else {
        return;
    };
    let network = Network::start(&["--validators", "1"]).await;
    let contest = elections::contest("plurality", &json!({"max_choices": 2}));
    let id = open_election(&network, &elections::of_one("Two", &contest)).await;
    browser.go(&voting_link(&network, id, "ada").await).await;
    until_shown(&browser, "mark").await;
    for option in ["c0-o0", "c0-o1", "c0-o2"] {
        tick(&browser, option).await;
    }
    press(&browser, "to-review").await;
    until_shown(&browser, "mark-errors").await;
    let at = "const e = document.getElementById('c0-error'); return [e.textContent, document.activeElement.id]";
    let expected = json!(["Mark at most 2 options. You marked 3.", "mark-errors"]);
    assert_eq!(browser.script(at, &[]).await, expected);
    assert!(board(&network, id).await.is_empty());
    tick(&browser, "c0-o1").await;
    press(&browser, "to-review").await;
    until_shown(&browser, "review").await;
    press(&browser, "cast").await;
    until_heading(&browser, "Confirmed").await;
    let expected = json!([{"choices": ["a", "c"]}]);
    assert_eq!(board(&network, id).await, [expected]);
}
