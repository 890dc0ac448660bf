//! Tallies: the same on any number of threads, ties, weights, empty boards.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tabella_contest::TieBreak;
use tabella_runtime::{Contest, PluginLimits, Runtime, RuntimeConfig, Tally};

use crate::{config, contest};

/// Ballots that differ, from a seed.
fn rankings(count: u64, options: u64) -> Vec<(u64, Vec<u8>)> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    (0..count)
        .map(|_| {
            let mut left: Vec<u64> = (0..options).collect();
            let ranked = next(options + 1);
            let ballot = (0..ranked)
                .map(|_| (left.swap_remove(next(left.len() as u64) as usize) * 2) as u8)
                .collect();
            (1 + next(3), ballot)
        })
        .collect()
}

fn tally_with(limits: &PluginLimits, tally_threads: usize, ballots: &[(u64, Vec<u8>)]) -> Tally {
    let config_ = RuntimeConfig {
        limits: limits.clone(),
        tally_threads,
        ..RuntimeConfig::default()
    };
    let plugin = Runtime::new(config_)
        .unwrap()
        .load(tabella_plugins::get("instant-runoff").unwrap().wasm);
    let contest = plugin
        .unwrap()
        .contest(&config(&["a", "b", "c", "d", "e", "f"], json!({})));
    contest
        .unwrap()
        .tally(ballots.iter().cloned(), [1; 32])
        .unwrap()
}

#[test]
fn threads_change_neither_outcome_nor_fuel() {
    let limits = PluginLimits {
        batch_ballots: 64,
        chunk_batches: 4,
        ..PluginLimits::default()
    };
    let ballots = rankings(5_000, 6);
    let one = tally_with(&limits, 1, &ballots);
    assert_eq!(one.ballots, 5_000);
    for threads in [2, 3, 7] {
        assert_eq!(
            tally_with(&limits, threads, &ballots),
            one,
            "{threads} threads"
        );
    }
}

#[test]
fn neither_order_nor_split_changes_the_outcome() {
    let ballots = rankings(3_000, 6);
    let whole = tally_with(&PluginLimits::default(), 2, &ballots);
    let mut backwards = ballots.clone();
    backwards.reverse();
    for (batch_ballots, chunk_batches, batch_bytes) in [(1, 1, 1), (7, 3, 1 << 20), (1_024, 1, 50)]
    {
        let limits = PluginLimits {
            batch_ballots,
            chunk_batches,
            batch_bytes,
            ..PluginLimits::default()
        };
        assert_eq!(tally_with(&limits, 2, &backwards).outcome, whole.outcome);
    }
}

#[test]
fn a_weight_counts_like_so_many_ballots() {
    let ballots = rankings(300, 6);
    let apart: Vec<_> = ballots
        .iter()
        .flat_map(|(weight, ballot)| vec![(1, ballot.clone()); *weight as usize])
        .collect();
    let limits = PluginLimits::default();
    assert_eq!(
        tally_with(&limits, 2, &ballots).outcome,
        tally_with(&limits, 2, &apart).outcome
    );
}

#[test]
fn the_default_cut_of_a_large_board() {
    // More than one chunk of 64 batches of 1,024 ballots.
    let ballots = rankings(150_000, 6);
    let one = tally_with(&PluginLimits::default(), 1, &ballots);
    assert_eq!(tally_with(&PluginLimits::default(), 2, &ballots), one);
}

fn count(contest: &Contest, ballots: &[Value], tie_break: &TieBreak) -> Value {
    let bytes = ballots
        .iter()
        .map(|ballot| (1, contest.encode_ballot(ballot).unwrap()));
    let tally = contest.tally_with(bytes, tie_break).unwrap();
    contest.outcome_json(&tally.outcome).unwrap()
}

fn check(rule: &str, ballots: &[Value], tie_break: &TieBreak, expected: Expect) {
    let contest = contest(rule, &["a", "b", "c"], json!({}));
    let outcome = count(&contest, ballots, tie_break);
    let shown = format!(
        "winners {} ties {}\n{}\n",
        outcome["winners"],
        outcome["ties"],
        outcome["explanation"].as_str().unwrap()
    );
    expected.assert_eq(&shown);
}

fn order(ids: &[&str]) -> TieBreak {
    TieBreak::Order(ids.iter().map(|id| (*id).to_owned()).collect())
}

#[test]
fn ties_in_plurality() {
    let ballots = ["a", "b", "c", "b", "c"].map(|id| json!({ "choice": id }));
    check(
        "plurality",
        &ballots,
        &order(&["c"]),
        expect![[r#"
        winners ["c"] ties [{"decided_by":"order","options":["b","c"],"question":"the most votes"}]
        b and c tie with 2 of 5 votes; c wins, decided by the declared order.
    "#]],
    );
    check(
        "plurality",
        &ballots,
        &order(&["a", "b", "c"]),
        expect![[r#"
            winners ["b"] ties [{"decided_by":"order","options":["b","c"],"question":"the most votes"}]
            b and c tie with 2 of 5 votes; b wins, decided by the declared order.
        "#]],
    );
    check(
        "plurality",
        &ballots,
        &TieBreak::Report,
        expect![[r#"
        winners ["b","c"] ties [{"decided_by":"report","options":["b","c"],"question":"the most votes"}]
        b and c tie with 2 of 5 votes; the tie is not decided.
    "#]],
    );
    check(
        "plurality",
        &ballots,
        &TieBreak::Seed([0; 32]),
        expect![[r#"
            winners ["c"] ties [{"decided_by":"seed","options":["b","c"],"question":"the most votes"}]
            b and c tie with 2 of 5 votes; c wins, decided by lot.
        "#]],
    );
    check(
        "plurality",
        &ballots,
        &TieBreak::Seed([3; 32]),
        expect![[r#"
            winners ["b"] ties [{"decided_by":"seed","options":["b","c"],"question":"the most votes"}]
            b and c tie with 2 of 5 votes; b wins, decided by lot.
        "#]],
    );
}

#[test]
fn ties_in_instant_runoff() {
    let ballots = [
        json!({"ranking": ["a"]}),
        json!({"ranking": ["a"]}),
        json!({"ranking": ["b", "c"]}),
        json!({"ranking": ["c", "a"]}),
    ];
    check(
        "instant-runoff",
        &ballots,
        &order(&["b", "c", "a"]),
        expect![[r#"
            winners ["a"] ties [{"decided_by":"order","options":["b","c"],"question":"elimination in round 1"}]
            After round 1 b and c tied for the fewest votes; c left, decided by the declared order. In round 2 a has 3 of the 4 votes that still count, and wins; 0 are exhausted.
        "#]],
    );
    check(
        "instant-runoff",
        &ballots,
        &order(&["c", "b", "a"]),
        expect![[r#"
            winners ["c"] ties [{"decided_by":"order","options":["b","c"],"question":"elimination in round 1"},{"decided_by":"order","options":["a","c"],"question":"elimination in round 2"}]
            After round 1 b and c tied for the fewest votes; b left, decided by the declared order. After round 2 a and c tied for the fewest votes; a left, decided by the declared order. In round 3 c has 2 of the 2 votes that still count, and wins; 2 are exhausted.
        "#]],
    );
    check(
        "instant-runoff",
        &ballots,
        &TieBreak::Report,
        expect![[r#"
            winners ["a","c"] ties [{"decided_by":"report","options":["b","c"],"question":"elimination in round 1"}]
            After round 1 b and c tied for the fewest votes; c left, which nobody decided. Ties were left undecided; depending on them a and c can win. The rounds show one way to decide them.
        "#]],
    );
}

#[test]
fn a_tie_order_names_options_once() {
    let contest = contest("plurality", &["a", "b", "c"], json!({}));
    for ids in [&["d"][..], &["a", "a"]] {
        let error = contest.tally_with(std::iter::empty::<(u64, Vec<u8>)>(), &order(ids));
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("not an option or was named before")
        );
    }
}

#[test]
fn an_empty_board_elects_nobody() {
    let seed = TieBreak::Seed([0; 32]);
    check(
        "plurality",
        &[],
        &seed,
        expect![[r#"
        winners [] ties []
        No option has a vote, so nobody wins.
    "#]],
    );
    check(
        "instant-runoff",
        &[],
        &seed,
        expect![[r#"
        winners [] ties []
        No ballot counts for any option, so nobody wins.
    "#]],
    );
}

#[test]
fn a_ballot_over_the_limit_is_not_counted() {
    let contest = contest("plurality", &["a"], json!({}));
    let ballots = [(1, vec![0]), (1, vec![0; 16_385])];
    let error = contest.tally(ballots.into_iter(), [0; 32]).unwrap_err();
    expect!["ballot 1 has 16385 bytes, at most 16384 allowed"].assert_eq(&error.to_string());
}

#[test]
fn the_whole_answer() {
    let contest = contest("instant-runoff", &["a", "b", "c"], json!({}));
    let ballots = [
        json!({"ranking": ["a", "b"]}),
        json!({"ranking": ["b"]}),
        json!({"ranking": ["b"]}),
    ];
    let outcome = count(&contest, &ballots, &TieBreak::Report);
    expect![[r#"
        {
          "explanation": "In round 1 b has 2 of the 3 votes that still count, and wins; 0 are exhausted.",
          "options": [
            {
              "elected": false,
              "id": "a",
              "seats": 0,
              "title": "a",
              "votes": 1
            },
            {
              "elected": true,
              "id": "b",
              "seats": 1,
              "title": "b",
              "votes": 2
            },
            {
              "elected": false,
              "id": "c",
              "seats": 0,
              "title": "c",
              "votes": 0
            }
          ],
          "quota": null,
          "rounds": [
            {
              "elected": [
                "b"
              ],
              "eliminated": [],
              "exhausted": "0",
              "totals": {
                "a": "1",
                "b": "2",
                "c": "0"
              },
              "transfers": []
            }
          ],
          "ties": [],
          "winners": [
            "b"
          ]
        }"#]].assert_eq(&format!("{outcome:#}"));
}
