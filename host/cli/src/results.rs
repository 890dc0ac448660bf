//! Results as the backend answers them, for people and for comparison.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::output::plain;

/// One round of a count: exact numbers as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Round {
    /// Votes of each continuing option.
    pub(crate) totals: BTreeMap<String, String>,
    /// Ballots that count for none.
    pub(crate) exhausted: String,
}

/// The rounds in the JSON of a contest, or of a file of published rounds.
pub(crate) fn rounds(contest: &Value) -> Vec<Round> {
    let rounds = contest["rounds"].as_array().into_iter().flatten();
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

/// The winners in the JSON of a contest.
pub(crate) fn winners(contest: &Value) -> Vec<String> {
    let winners = contest["winners"].as_array().into_iter().flatten();
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

/// A result for people. Before its certificate, nobody is called elected.
pub(crate) fn describe(answer: &Value) -> String {
    let is_certified = answer["certificate"].is_object();
    let mut text = format!(
        "election {}: {}, {} votes\n",
        plain(&exact(&answer["election_id"])),
        plain(answer["status"].as_str().unwrap_or_default()),
        plain(&known(&answer["total_votes"])),
    );
    for contest in answer["contests"].as_array().into_iter().flatten() {
        text.push_str(&format!(
            "\n{} ({})\n",
            plain(contest["id"].as_str().unwrap_or_default()),
            plain(contest["rule"]["name"].as_str().unwrap_or_default()),
        ));
        for option in contest["options"].as_array().into_iter().flatten() {
            let title = option["title"].as_str();
            let elected = match option["elected"].as_bool() {
                Some(true) if is_certified => "elected",
                Some(true) => "leads",
                _ => "",
            };
            text.push_str(&format!(
                "  {:<24} {:>10}  {elected}\n",
                plain(title.or(option["id"].as_str()).unwrap_or_default()),
                plain(&known(&option["votes"])),
            ));
        }
        if let Some(explanation) = contest["explanation"].as_str() {
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

    use super::*;

    #[test]
    fn numbers_and_text_compare_equal() {
        let numbers = json!({"rounds": [{"totals": {"a": 2, "b": 1}, "exhausted": 4}]});
        let texts = json!({"rounds": [{"totals": {"b": "1", "a": "2"}, "exhausted": "4"}]});
        assert_eq!(rounds(&numbers), rounds(&texts));
        let other = json!({"rounds": [{"totals": {"a": 2, "b": 2}, "exhausted": 4}]});
        assert_ne!(rounds(&numbers), rounds(&other));
    }

    #[test]
    fn a_table_shows_both_counts() {
        let ours = rounds(&json!({"rounds": [
            {"totals": {"a": 5, "b": 4, "c": 1}, "exhausted": 0},
            {"totals": {"a": 5, "b": "4.5"}, "exhausted": "0.5"},
        ]}));
        let published = rounds(&json!({"rounds": [
            {"totals": {"a": 5, "b": 4, "c": 1}, "exhausted": 0},
        ]}));
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

    #[test]
    fn nobody_is_elected_before_the_certificate_and_what_is_unknown_is_no_zero() {
        let mut answer = json!({
            "election_id": 1, "status": "closed", "total_votes": null,
            "contests": [{"id": "c", "rule": {"name": "plurality"}, "options": [
                {"id": "a", "title": "Ann", "votes": 2, "elected": true},
                {"id": "b", "title": "Bo", "votes": null, "elected": false},
            ]}],
        });
        expect![[r#"
            election 1: closed, - votes

            c (plurality)
              Ann                               2  leads
              Bo                                -  

            not certified yet
        "#]]
        .assert_eq(&describe(&answer));
        answer["certificate"] = json!({});
        assert!(describe(&answer).contains("Ann                               2  elected\n"));
    }

    #[test]
    fn no_name_and_no_explanation_forges_a_line() {
        let certified = "certified by a quorum of validators";
        let forging = format!("x\n{certified}\u{1b}[31m\u{202e}");
        let answer = json!({
            "election_id": forging, "status": forging, "total_votes": forging,
            "contests": [{
                "id": forging, "rule": {"name": forging}, "explanation": forging,
                "options": [{"id": "a", "title": forging, "votes": forging, "elected": false}],
            }],
        });
        let text = describe(&answer);
        assert!(
            !text.lines().any(|line| line.starts_with("certified")),
            "{text}"
        );
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
        assert!(text.ends_with("\nnot certified yet\n"), "{text}");
        let round = json!({"rounds": [{"totals": {(forging.as_str()): 1}, "exhausted": forging}]});
        let table = side_by_side(&rounds(&round), &[]);
        assert!(
            !table.lines().any(|line| line.starts_with("certified")),
            "{table}"
        );
    }
}
