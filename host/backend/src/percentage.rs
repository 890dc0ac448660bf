//! What the percentages of results are of.
//!
//! | Votes of an option | Whole |
//! | --- | --- |
//! | ballots: `choice`, `approval` and `ranking` | what all ballots that count weigh, blank ones too |
//! | points: `scores`, `votes`, and `borda` | all points of all options |
//! | a grade, duels, strengths: `grades`, `raw`, and rules that compare in pairs | there is none |

use serde_json::Value;
use tabella_runtime::{BallotKind, Manifest};

/// What the votes of one contest's options are parts of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Whole(Option<f64>);

impl Whole {
    /// Of a rule's outcome, where the ballots that count weigh so much together.
    pub(crate) fn new(rule: &Manifest, outcome: &Value, weight: u64) -> Self {
        let options = outcome.get("options").and_then(Value::as_array);
        let votes = options
            .into_iter()
            .flatten()
            .map(|o| approximate(&o["votes"]));
        let Some(votes) = votes.collect::<Option<Vec<f64>>>() else {
            return Self(None);
        };
        let whole = match (rule.name.as_str(), rule.ballot) {
            // Duels won, or strengths.
            _ if outcome.get("pairwise").is_some() => return Self(None),
            (_, BallotKind::Grades | BallotKind::Raw) => return Self(None),
            ("borda", _) | (_, BallotKind::Scores | BallotKind::Votes) => votes.iter().sum(),
            (_, BallotKind::Choice | BallotKind::Approval | BallotKind::Ranking) => weight as f64,
        };
        // Of a rule of one's own: its votes are no part of this.
        let is_part = |votes: &f64| (0.0..=whole).contains(votes);
        Self(votes.iter().all(is_part).then_some(whole))
    }

    /// Votes as a share of it, for display: two decimals.
    pub(crate) fn percentage(self, votes: &Value) -> Option<f64> {
        let (whole, votes) = (self.0?, approximate(votes)?);
        Some(match whole > 0.0 {
            true => (votes / whole * 10_000.0).round() / 100.0,
            false => 0.0,
        })
    }
}

/// A number, a decimal text or a ratio such as `7/3`, near enough for a percentage.
fn approximate(votes: &Value) -> Option<f64> {
    let text = match votes {
        Value::Number(number) => return number.as_f64(),
        Value::String(text) => text,
        _ => return None,
    };
    match text.split_once('/') {
        Some((numerator, denominator)) => {
            let denominator: f64 = denominator.trim().parse().ok()?;
            let numerator: f64 = numerator.trim().parse().ok()?;
            (denominator != 0.0).then(|| numerator / denominator)
        }
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;
    use tabella_runtime::{ContestConfig, ContestOption, Runtime, RuntimeConfig};

    use super::*;

    #[test]
    fn votes_are_read_as_rules_write_them() {
        let check = |votes: Value, whole: f64, expected: Option<f64>| {
            let found = Whole(Some(whole)).percentage(&votes);
            assert_eq!(found, expected, "{votes} of {whole}");
        };
        check(json!(4313), 8980.0, Some(48.03));
        check(json!("7/3"), 7.0, Some(33.33));
        check(json!("12.5"), 50.0, Some(25.0));
        check(json!(0), 0.0, Some(0.0));
        check(Value::Null, 5.0, None);
        assert_eq!(Whole(None).percentage(&json!(1)), None);
    }

    /// Each option's votes and percentage after weighted ballots.
    fn counted(rule: &str, params: Value, ballots: &[(u64, Value)]) -> String {
        let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
        let plugin = runtime
            .load(tabella_plugins::get(rule).unwrap().wasm)
            .unwrap();
        let options = ["x", "y", "z"].map(|id| ContestOption {
            id: id.into(),
            title: id.into(),
        });
        let config = ContestConfig {
            options: options.into(),
            params,
        };
        let contest = plugin.contest(&config).unwrap();
        let cast = ballots.iter().map(|(weight, ballot)| {
            let bytes = contest.encode_ballot(ballot).unwrap();
            (*weight, bytes)
        });
        let outcome = contest.tally(cast, [7; 32]).unwrap().outcome;
        let outcome = contest.outcome_json(&outcome).unwrap();
        let weight = ballots.iter().map(|(weight, _)| weight).sum();
        let whole = Whole::new(contest.manifest(), &outcome, weight);
        let options = outcome["options"].as_array().unwrap().iter();
        let shown = options.map(|option| {
            let votes = option["votes"].to_string().replace('"', "");
            match whole.percentage(&option["votes"]) {
                Some(percentage) => format!("{votes} {percentage}%"),
                None => format!("{votes} -"),
            }
        });
        format!("{rule}: {}\n", shown.collect::<Vec<_>>().join(", "))
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a case for each rule")]
    fn every_rules_percentages_are_of_what_its_votes_are() {
        let all = |kind: fn(&[&str]) -> Value| {
            [(2, kind(&["x"])), (2, kind(&["y", "x"])), (1, kind(&[]))].to_vec()
        };
        let choices = all(|ids| match ids {
            [] => json!({"choices": []}),
            [first, ..] => json!({"choice": first}),
        });
        let approvals = all(|ids| json!({"approve": ids}));
        let rankings = all(|ids| json!({"ranking": ids}));
        let points = |member: &str| -> Vec<(u64, Value)> {
            [
                (2, json!({"x": 1})),
                (2, json!({"x": 1, "y": 5})),
                (1, json!({})),
            ]
            .map(|(weight, given)| (weight, json!({ member: given })))
            .into()
        };
        let grades: Vec<(u64, Value)> = vec![
            (2, json!({"grades": {"x": "good", "y": "bad", "z": "bad"}})),
            (1, json!({"grades": {"x": "good", "y": "good", "z": "bad"}})),
        ];
        let none = json!({});
        let mut shown = String::new();
        let mut cases = vec![
            ("plurality", none.clone(), choices.clone()),
            ("referendum", none.clone(), choices.clone()),
            ("party-list", json!({"seats": 3}), choices),
            ("approval", none.clone(), approvals.clone()),
            ("committee", json!({"seats": 2}), approvals.clone()),
            (
                "budgeting",
                json!({"budget": 2, "costs": {"x": 1, "y": 1, "z": 1}}),
                approvals,
            ),
            ("stv", json!({"seats": 2}), rankings.clone()),
        ];
        for rule in [
            "instant-runoff",
            "bucklin",
            "borda",
            "copeland",
            "minimax",
            "ranked-pairs",
            "schulze",
        ] {
            cases.push((rule, none.clone(), rankings.clone()));
        }
        cases.push(("score", none.clone(), points("scores")));
        cases.push(("star", none, points("scores")));
        cases.push(("cumulative", json!({"credits": 6}), points("votes")));
        cases.push(("quadratic", json!({"credits": 30}), points("votes")));
        cases.push((
            "majority-judgment",
            json!({"grades": ["bad", "good"]}),
            grades,
        ));
        for (rule, params, ballots) in &cases {
            shown.push_str(&counted(rule, params.clone(), ballots));
        }
        for rule in tabella_plugins::all() {
            assert!(
                cases.iter().any(|(name, ..)| *name == rule.name),
                "{}",
                rule.name
            );
        }
        expect![[r#"
            plurality: 2 40%, 2 40%, 0 0%
            referendum: 2 40%, 2 40%, 0 0%
            party-list: 2 40%, 2 40%, 0 0%
            approval: 4 80%, 2 40%, 0 0%
            committee: 4 80%, 2 40%, 0 0%
            budgeting: 4 80%, 2 40%, 0 0%
            stv: 2 40%, 2 40%, 0 0%
            instant-runoff: 2 40%, 2 40%, 0 0%
            bucklin: 4 80%, 2 40%, 0 0%
            borda: 7 46.67%, 6 40%, 2 13.33%
            copeland: 1.5 -, 1.5 -, 0 -
            minimax: 0 -, 0 -, 4 -
            ranked-pairs: 1 -, 1 -, 0 -
            schulze: 1 -, 1 -, 0 -
            score: 4 28.57%, 10 71.43%, 0 0%
            star: 4 28.57%, 10 71.43%, 0 0%
            cumulative: 4 28.57%, 10 71.43%, 0 0%
            quadratic: 4 28.57%, 10 71.43%, 0 0%
            majority-judgment: 1 -, 0 -, 0 -
        "#]]
        .assert_eq(&shown);
    }

    #[test]
    fn votes_that_are_no_part_of_the_whole_have_no_percentage() {
        let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
        let plugin = runtime
            .load(tabella_plugins::get("plurality").unwrap().wasm)
            .unwrap();
        let outcome = json!({"options": [{"votes": 9}, {"votes": "3"}]});
        let whole = |weight| Whole::new(plugin.manifest(), &outcome, weight);
        assert_eq!(whole(2), Whole(None));
        assert_eq!(whole(12), Whole(Some(12.0)));
        assert_eq!(
            Whole::new(plugin.manifest(), &Value::Null, 2),
            Whole(Some(2.0))
        );
    }
}
