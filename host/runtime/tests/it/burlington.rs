//! The mayoral election of Burlington, Vermont, on 3 March 2009, against its published count.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tabella_runtime::Verdict;

use crate::contest;

const OPTIONS: [&str; 6] = ["wright", "kiss", "montroll", "smith", "simpson", "write-in"];

/// Distinct ballots with their counts.
fn ballots() -> Vec<(u64, Value)> {
    let csv = include_str!("../../../../examples/elections/burlington-2009/ballots.csv");
    csv.lines()
        .skip(1)
        .map(|line| {
            let (count, ranking) = line.split_once(',').unwrap();
            let rank = |rank: &str| match rank.trim().split('=').collect::<Vec<_>>()[..] {
                [option] => json!(option.trim()),
                ref shared => shared.iter().map(|option| json!(option.trim())).collect(),
            };
            let ranks: Value = ranking
                .split('>')
                .filter(|r| !r.trim().is_empty())
                .map(rank)
                .collect();
            (count.parse().unwrap(), json!({ "ranking": ranks }))
        })
        .collect()
}

fn check(params: Value, expected: Expect) {
    let contest = contest("instant-runoff", &OPTIONS, params);
    let mut cast = Vec::new();
    for (count, ballot) in ballots() {
        let bytes = contest.encode_ballot(&ballot).unwrap();
        assert_eq!(contest.validate(&bytes).unwrap(), Verdict::Accept);
        let shown = contest.decode_ballot(&bytes).unwrap();
        assert_eq!(contest.encode_ballot(&shown).unwrap(), bytes);
        cast.extend(std::iter::repeat_n((1, bytes), count as usize));
    }
    assert_eq!(cast.len(), 8_980);
    let tally = contest.tally(cast.iter().cloned(), [7; 32]).unwrap();
    let outcome = contest.outcome(&tally.outcome).unwrap();
    let mut text = String::new();
    let id = |option: usize| OPTIONS[option];
    for (number, round) in outcome.rounds.iter().enumerate() {
        text += &format!("round {}:", number + 1);
        for (option, votes) in &round.totals {
            text += &format!(" {} {votes},", id(*option));
        }
        text += &format!(" exhausted {}\n", round.exhausted);
        if !round.eliminated.is_empty() {
            let left: Vec<_> = round.eliminated.iter().map(|option| id(*option)).collect();
            text += &format!("  out: {}\n", left.join(", "));
        }
    }
    text += &format!(
        "winners: {:?}\n{}\n",
        outcome.winners.iter().map(|o| id(*o)).collect::<Vec<_>>(),
        outcome.explanation
    );
    expected.assert_eq(&text);
}

#[test]
fn the_published_rounds() {
    check(
        json!({ "batch_elimination": true }),
        expect![[r#"
            round 1: wright 2951, kiss 2585, montroll 2063, smith 1306, simpson 35, write-in 36, exhausted 4
              out: simpson, write-in, smith
            round 2: wright 3294, kiss 2981, montroll 2554, exhausted 151
              out: montroll
            round 3: wright 4061, kiss 4313, exhausted 606
            winners: ["kiss"]
            After round 1 simpson, write-in and smith had the fewest votes and left. After round 2 montroll had the fewest votes and left. In round 3 kiss has 4313 of the 8374 votes that still count, and wins; 606 are exhausted.
        "#]],
    );
}

#[test]
fn ending_two_mark_ballots_for_good_loses_one_vote() {
    check(
        json!({ "batch_elimination": true, "overvote": "exhaust" }),
        expect![[r#"
            round 1: wright 2951, kiss 2585, montroll 2063, smith 1306, simpson 35, write-in 36, exhausted 4
              out: simpson, write-in, smith
            round 2: wright 3294, kiss 2981, montroll 2554, exhausted 151
              out: montroll
            round 3: wright 4060, kiss 4313, exhausted 607
            winners: ["kiss"]
            After round 1 simpson, write-in and smith had the fewest votes and left. After round 2 montroll had the fewest votes and left. In round 3 kiss has 4313 of the 8373 votes that still count, and wins; 607 are exhausted.
        "#]],
    );
}

#[test]
fn passing_over_two_mark_ranks() {
    check(
        json!({ "overvote": "skip" }),
        expect![[r#"
        round 1: wright 2952, kiss 2585, montroll 2065, smith 1307, simpson 35, write-in 36, exhausted 0
          out: simpson
        round 2: wright 2956, kiss 2599, montroll 2069, smith 1316, write-in 37, exhausted 3
          out: write-in
        round 3: wright 2961, kiss 2605, montroll 2082, smith 1318, exhausted 14
          out: smith
        round 4: wright 3295, kiss 2981, montroll 2557, exhausted 147
          out: montroll
        round 5: wright 4061, kiss 4316, exhausted 603
        winners: ["kiss"]
        After round 1 simpson had the fewest votes and left. After round 2 write-in had the fewest votes and left. After round 3 smith had the fewest votes and left. After round 4 montroll had the fewest votes and left. In round 5 kiss has 4316 of the 8377 votes that still count, and wins; 603 are exhausted.
    "#]],
    );
}
