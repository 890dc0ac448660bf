//! `committee` and `budgeting`.

use serde_json::{Map, Value, json};
use tabella_rule_committee::{Budgeting, Committee};

use crate::agreement::{check, draw, marks};

const METHODS: [&str; 3] = ["sequential-pav", "phragmen", "equal-shares"];
const COMPLETIONS: [&str; 3] = ["none", "add1", "utilitarian"];

fn budget(options: u64, budget: u64, method: &str, completion: &str) -> Value {
    let cost = |option| (format!("o{option}"), json!(1 + option * 7 % 13));
    let costs: Map<String, Value> = (0..options).map(cost).collect();
    json!({"budget": budget, "costs": costs, "method": method, "completion": completion})
}

#[test]
fn wasm_and_native_agree() {
    for seed in 1..12 {
        let ballots = draw(seed, 12, 6, 2, marks);
        for method in METHODS {
            let params = json!({"seats": 1 + seed % 5, "method": method});
            check::<Committee>("committee", 6, params, &ballots);
        }
        check::<Budgeting>("budgeting", 6, budget(6, 20, "greedy", "none"), &ballots);
        for completion in COMPLETIONS {
            let params = budget(6, 20, "equal-shares", completion);
            check::<Budgeting>("budgeting", 6, params, &ballots);
        }
    }
    check::<Committee>("committee", 2, json!({"seats": 2}), "");
    check::<Budgeting>("budgeting", 2, budget(2, 5, "greedy", "none"), "");
}

#[test]
fn many_ballots() {
    let ballots = draw(47, 80_000, 35, 3, marks);
    for method in METHODS {
        for seats in [9, 30] {
            let params = json!({"seats": seats, "method": method});
            let fuel = check::<Committee>("committee", 35, params, &ballots);
            println!("{method}, {seats} seats: {fuel} fuel");
        }
    }
    for completion in COMPLETIONS {
        let params = budget(35, 100, "equal-shares", completion);
        let fuel = check::<Budgeting>("budgeting", 35, params, &ballots);
        println!("equal-shares, {completion}: {fuel} fuel");
    }
}
