//! Elections of every kind of ballot.

use serde_json::{Value, json};

/// What a title may hold that wants to be more than text.
pub(super) const HOSTILE: &str =
    "<img src=x onerror=\"window.harmed=1\"> \u{202e}<script>window.harmed=1</script>&amp;";

/// A contest with options a, b, c, d.
pub(super) fn contest(rule: &str, params: &Value) -> Value {
    let options: Vec<Value> = ["a", "b", "c", "d"]
        .iter()
        .map(|id| json!({"id": id, "title": format!("Option {id}")}))
        .collect();
    json!({"id": rule, "title": format!("By {rule}"), "rule": rule, "params": params, "options": options})
}

/// One contest of each built-in rule, counted while people vote so that the board shows ballots.
pub(super) fn of_every_rule() -> Value {
    let mut contests: Vec<Value> = [
        ("approval", json!({"max_choices": 3})),
        ("borda", json!({})),
        ("bucklin", json!({})),
        (
            "budgeting",
            json!({"budget": 10, "costs": {"a": 4, "b": 5, "c": 6, "d": 1}}),
        ),
        ("committee", json!({"seats": 2})),
        ("copeland", json!({})),
        ("cumulative", json!({"credits": 5})),
        ("instant-runoff", json!({})),
        (
            "majority-judgment",
            json!({"grades": ["poor", "fair", "good"]}),
        ),
        ("minimax", json!({})),
        ("party-list", json!({"seats": 3})),
        ("plurality", json!({"max_choices": 2})),
        ("quadratic", json!({"credits": 16})),
        ("ranked-pairs", json!({})),
        ("schulze", json!({})),
        ("score", json!({"max": 100})),
        ("star", json!({})),
        ("stv", json!({"seats": 2, "rules": "scottish"})),
    ]
    .iter()
    .map(|(rule, params)| contest(rule, params))
    .collect();
    let mut referendum = contest("referendum", &json!({}));
    referendum["options"].as_array_mut().expect("options").pop();
    contests.push(referendum);
    json!({"title": "Every rule", "counts_shown": "live", "contests": contests})
}

/// An election with one contest of this rule.
pub(super) fn of_one(title: &str, contest: &Value) -> Value {
    json!({"title": title, "counts_shown": "live", "contests": [contest]})
}

/// An election whose every title wants to be more than text.
pub(super) fn hostile() -> Value {
    let options = ["a", "b", "c"].map(|id| json!({"id": id, "title": format!("{HOSTILE} {id}")}));
    json!({
        "title": HOSTILE,
        "counts_shown": "live",
        "contests": [
            {"id": HOSTILE, "title": HOSTILE, "rule": "instant-runoff", "options": options},
            {"id": "two", "title": HOSTILE, "rule": "schulze", "options": options},
            {"id": "three", "title": HOSTILE, "rule": "plurality", "options": options},
        ],
    })
}
