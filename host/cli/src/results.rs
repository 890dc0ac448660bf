//! Results as the backend answers them, for people and for comparison.

use std::collections::BTreeMap;

use serde_json::Value;
use tabella_api::ResultsAnswer;
use tabella_protocol::rpc::ElectionStatus;

use crate::output::plain;

/// One round of a count: exact numbers as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Round {
    /// Votes of each continuing option.
    pub(crate) totals: BTreeMap<String, String>,
    /// Ballots that count for none.
    pub(crate) exhausted: String,
}

/// The rounds of a contest, or of a file of published rounds.
pub(crate) fn rounds(rounds: &Value) -> Vec<Round> {
    let rounds = rounds.as_array().into_iter().flatten();
    rounds
        .map(|round| Round {
            totals: round["totals"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(option, votes)| (option.clone(), exact(votes)))
                .collect(),
            exhausted: exact(&round["exhausted"]),
        })
        .collect()
}

/// Whole numbers come as numbers or text, fractions as text.
fn exact(number: &Value) -> String {
    match number {
        Value::String(text) => text.clone(),
        Value::Null => "0".to_owned(),
        other => other.to_string(),
    }
}

/// The winners of a contest.
pub(crate) fn winners(winners: &Value) -> Vec<String> {
    let winners = winners.as_array().into_iter().flatten();
    winners
        .filter_map(|winner| winner.as_str().map(str::to_owned))
        .collect()
}

/// Two counts side by side: every option and round as `ours/theirs` where they differ.
pub(crate) fn side_by_side(ours: &[Round], published: &[Round]) -> String {
    let rounds = ours.len().max(published.len());
    let nothing = Round::default();
    let round = |rounds: &[Round], index: usize| rounds.get(index).unwrap_or(&nothing).clone();
    let mut options: Vec<&String> = Vec::new();
    for option in published.iter().chain(ours).flat_map(|r| r.totals.keys()) {
        if !options.contains(&option) {
            options.push(option);
        }
    }
    let first = |option: &String| -> u64 {
        let votes = published.first().and_then(|r| r.totals.get(option));
        votes.and_then(|votes| votes.parse().ok()).unwrap_or(0)
    };
    options.sort_by_key(|option| std::cmp::Reverse(first(option)));

    let mut text = format!("{:<12}", "");
    for index in 1..=rounds {
        text.push_str(&format!("{:>24}", format!("round {index}")));
    }
    text.push_str(&format!("\n{:<12}", ""));
    for _ in 0..rounds {
        text.push_str(&format!("{:>12}{:>12}", "ours", "published"));
    }
    let mut row = |name: &str, cell: &dyn Fn(&Round) -> String| {
        text.push_str(&format!("\n{:<12}", plain(name)));
        for index in 0..rounds {
            text.push_str(&format!(
                "{:>12}{:>12}",
                plain(&cell(&round(ours, index))),
                plain(&cell(&round(published, index)))
            ));
        }
    };
    for option in options {
        row(option, &|round| {
            round.totals.get(option).cloned().unwrap_or_default()
        });
    }
    row("exhausted", &|round| round.exhausted.clone());
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

/// A number for people, and a dash where it is not known yet.
fn known(number: &Value) -> String {
    match number {
        Value::Null => "-".to_owned(),
        other => exact(other),
    }
}

/// An election's status as the API names it.
pub(crate) fn status_name(status: ElectionStatus) -> &'static str {
    match status {
        ElectionStatus::Upcoming => "upcoming",
        ElectionStatus::Open => "open",
        ElectionStatus::Closed => "closed",
        ElectionStatus::Final => "final",
    }
}

/// A result for people. Before its certificate, nobody is called elected.
pub(crate) fn describe(answer: &ResultsAnswer) -> String {
    let is_certified = answer.certificate.is_some();
    let mut text = format!(
        "election {}: {}, {} votes\n",
        answer.election_id,
        status_name(answer.status),
        answer.total_votes,
    );
    for contest in &answer.contests {
        text.push_str(&format!(
            "\n{} ({})\n",
            plain(&contest.id),
            plain(&contest.rule.name),
        ));
        for option in &contest.options {
            let elected = match option.elected {
                Some(true) if is_certified => "elected",
                Some(true) => "leads",
                _ => "",
            };
            text.push_str(&format!(
                "  {:<24} {:>10}  {elected}\n",
                plain(&option.title),
                plain(&known(&option.votes)),
            ));
        }
        if let Some(explanation) = contest.explanation.as_str() {
            text.push_str(&format!("  {}\n", plain(explanation)));
        }
    }
    text.push_str(match is_certified {
        true => "\ncertified by a quorum of validators\n",
        false => "\nnot certified yet\n",
    });
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;
    use tabella_api::{ContestResult, OptionResult, RuleAnswer, Source};
    use tabella_protocol::{Attestation, Hash, rpc::ResultCertificate};

    use super::*;

    #[test]
    fn numbers_and_text_compare_equal() {
        let numbers = json!([{"totals": {"a": 2, "b": 1}, "exhausted": 4}]);
        let texts = json!([{"totals": {"b": "1", "a": "2"}, "exhausted": "4"}]);
        assert_eq!(rounds(&numbers), rounds(&texts));
        let other = json!([{"totals": {"a": 2, "b": 2}, "exhausted": 4}]);
        assert_ne!(rounds(&numbers), rounds(&other));
    }

    #[test]
    fn a_table_shows_both_counts() {
        let ours = rounds(&json!([
            {"totals": {"a": 5, "b": 4, "c": 1}, "exhausted": 0},
            {"totals": {"a": 5, "b": "4.5"}, "exhausted": "0.5"},
        ]));
        let published = rounds(&json!([
            {"totals": {"a": 5, "b": 4, "c": 1}, "exhausted": 0},
        ]));
        expect![[r#"
                                         round 1                 round 2
                                ours   published        ours   published
            a                      5           5           5
            b                      4           4         4.5
            c                      1           1
            exhausted              0           0         0.5
        "#]]
        .assert_eq(&side_by_side(&ours, &published));
    }

    /// Two options of a contest, as a backend answers them.
    fn answer(text: &str, certificate: Option<ResultCertificate>) -> ResultsAnswer {
        let options = [("Ann", json!(2), true), (text, json!(null), false)];
        let options = options.map(|(title, votes, elected)| OptionResult {
            id: title.to_owned(),
            title: title.to_owned(),
            votes,
            percentage: None,
            elected: Some(elected),
            seats: None,
        });
        let contest = ContestResult {
            id: text.to_owned(),
            title: text.to_owned(),
            rule: RuleAnswer {
                name: text.to_owned(),
                version: "1.0.0".to_owned(),
                sha256: Hash::of(b"rule"),
            },
            options: options.into(),
            winners: json!([]),
            rounds: json!([]),
            ties: json!([]),
            quota: json!(null),
            pairwise: json!(null),
            explanation: json!(text),
        };
        ResultsAnswer {
            election_id: 1,
            status: ElectionStatus::Closed,
            source: Source::Poa,
            as_of_height: 9,
            total_votes: 2,
            contests: vec![contest],
            verified: certificate.is_some(),
            attested_by: 0,
            validators: 3,
            certificate,
        }
    }

    #[test]
    fn nobody_is_elected_before_the_certificate_and_what_is_unknown_is_no_zero() {
        expect![[r#"
            election 1: closed, 2 votes

            Bo (Bo)
              Ann                               2  leads
              Bo                                -  
              Bo

            not certified yet
        "#]]
        .assert_eq(&describe(&answer("Bo", None)));
        let certificate = ResultCertificate {
            attestation: Attestation {
                election_id: 1,
                board_root: Hash::of(b"board"),
                board_size: 2,
                plugins: Vec::new(),
                outcomes: Vec::new(),
            },
            height: 9,
            proofs: Vec::new(),
        };
        let text = describe(&answer("Bo", Some(certificate)));
        assert!(
            text.contains("Ann                               2  elected\n"),
            "{text}"
        );
    }

    #[test]
    fn no_name_and_no_explanation_forges_a_line() {
        let certified = "certified by a quorum of validators";
        let forging = format!("x\n{certified}\u{1b}[31m\u{202e}");
        let text = describe(&answer(&forging, None));
        assert!(
            !text.lines().any(|line| line.starts_with("certified")),
            "{text}"
        );
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
        assert!(text.ends_with("\nnot certified yet\n"), "{text}");
        let round = json!([{"totals": {(forging.as_str()): 1}, "exhausted": forging}]);
        let table = side_by_side(&rounds(&round), &[]);
        assert!(
            !table.lines().any(|line| line.starts_with("certified")),
            "{table}"
        );
    }
}
