//! What a count says of a tie that the votes do not decide: a lot is called a lot, in every rule.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};
use tabella_contest::TieBreak;
use tabella_election_files::{BallotFile, Election, Spoiled, count, load_rule, read_tie_break};
use tabella_runtime::{Plugin, Runtime, RuntimeConfig};

fn explanation(rule: &Plugin, params: &Value, text: &str, tie_break: &TieBreak) -> String {
    let election = json!({"options": ["a", "b", "c"], "params": params}).to_string();
    let election = Election::from_text(&election, "e.json", None).unwrap();
    let file = BallotFile::from_bytes(Path::new("x.csv"), text.as_bytes().to_vec(), None).unwrap();
    let counted = count(rule, &election, &file, tie_break, Spoiled::Refuse).unwrap();
    let answer = counted.to_json();
    assert!(!answer["ties"].as_array().unwrap().is_empty());
    answer["explanation"].as_str().unwrap().to_owned()
}

const RANKINGS: &str = "ranking\na > b\nb > a\n";
const MARKS: &str = "a,b,c\n1,,\n,1,\n";

#[test]
fn every_rule_says_that_a_lot_decided() {
    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    let mut rules: HashMap<&str, Plugin> = HashMap::new();
    let costs = json!({"budget": 10, "costs": {"a": 10, "b": 10, "c": 10}});
    let credits = json!({"credits": 4});
    for (rule, params, text) in [
        ("plurality", json!({}), MARKS),
        ("approval", json!({}), MARKS),
        ("party-list", json!({"seats": 1}), MARKS),
        ("party-list", json!({"seats": 1, "method": "hare"}), MARKS),
        ("committee", json!({"seats": 1}), MARKS),
        (
            "committee",
            json!({"seats": 1, "method": "phragmen"}),
            MARKS,
        ),
        (
            "committee",
            json!({"seats": 1, "method": "equal-shares"}),
            MARKS,
        ),
        ("budgeting", costs, MARKS),
        ("borda", json!({}), RANKINGS),
        ("bucklin", json!({}), RANKINGS),
        ("copeland", json!({}), RANKINGS),
        ("minimax", json!({}), RANKINGS),
        ("ranked-pairs", json!({}), RANKINGS),
        ("schulze", json!({}), RANKINGS),
        ("instant-runoff", json!({}), RANKINGS),
        ("stv", json!({"seats": 1}), RANKINGS),
        ("stv", json!({"seats": 1, "rules": "meek"}), RANKINGS),
        ("score", json!({}), MARKS),
        ("star", json!({}), MARKS),
        // A place in the runoff is drawn, and then the runoff is won.
        ("star", json!({}), "a,b,c\n5,1,1\n1,3,3\n"),
        ("cumulative", credits.clone(), MARKS),
        ("quadratic", credits, MARKS),
        (
            "majority-judgment",
            json!({"grades": ["bad", "good"]}),
            "a,b,c\ngood,good,bad\n",
        ),
    ] {
        let name = rule;
        let rule = rules
            .entry(name)
            .or_insert_with(|| load_rule(&runtime, name).unwrap());
        let lot = explanation(rule, &params, text, &read_tie_break("seed:07").unwrap());
        assert!(lot.contains("decided by lot"), "{name} {params}: {lot}");
        let order = TieBreak::Order(["b", "a", "c"].map(String::from).to_vec());
        let order = explanation(rule, &params, text, &order);
        assert!(
            order.contains("decided by the declared order"),
            "{name} {params}: {order}"
        );
        let open = explanation(rule, &params, text, &TieBreak::Report);
        assert!(!open.contains("decided by"), "{name} {params}: {open}");
    }
}
