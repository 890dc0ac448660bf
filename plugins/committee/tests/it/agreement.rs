//! Published elections, and random ones counted by a second implementation in exact fractions.

use tabella_abi::contest::Decider;

use crate::{ballots, budgeting, committee, finish, fold, letters};

fn elected(options: usize, seats: i64, cast: &str, method: usize, completion: usize) -> String {
    let mut guest = committee(options, seats, method, completion);
    fold(&mut guest, &ballots(cast));
    letters(&finish(&mut guest, Decider::Order, (0..options).collect()).winners)
}

/// Phragmén's own example (1894), options A B C P Q R as a to f, three seats; see S. Janson,
/// "Phragmén's and Thiele's election methods" (2016).
#[test]
fn the_example_of_1894() {
    let cast = "1034abc 519def 90abe 47ade";
    assert_eq!(elected(6, 3, cast, 0, 0), "aeb");
    assert_eq!(elected(6, 3, cast, 1, 0), "aeb");
    assert_eq!(elected(6, 3, cast, 2, 0), "abe");
    assert_eq!(elected(6, 3, cast, 2, 1), "ab");
}

#[test]
fn committees_as_counted_elsewhere() {
    for line in include_str!("committees.txt").lines() {
        let parts: Vec<_> = line.split(" | ").collect();
        let (options, seats) = parts[0].split_once(' ').unwrap();
        let (options, seats) = (options.parse().unwrap(), seats.parse().unwrap());
        let found = [(0, 0), (1, 0), (2, 0), (2, 1)]
            .map(|(method, completion)| elected(options, seats, parts[1], method, completion));
        assert_eq!(found.join(" "), parts[2], "{line}");
    }
}

fn funded(costs: &[u64], budget: i64, cast: &str, method: usize, completion: usize) -> String {
    let mut guest = budgeting(costs, budget, method, completion);
    fold(&mut guest, &ballots(cast));
    let outcome = finish(&mut guest, Decider::Order, (0..costs.len()).collect());
    let mut winners = outcome.winners;
    winners.sort_unstable();
    letters(&winners)
}

#[test]
fn budgets_as_counted_elsewhere() {
    for line in include_str!("budgets.txt").lines() {
        let parts: Vec<_> = line.split(" | ").collect();
        let (budget, costs) = parts[0].split_once(' ').unwrap();
        let costs: Vec<u64> = costs.split(',').map(|cost| cost.parse().unwrap()).collect();
        let budget = budget.parse().unwrap();
        let found = [(0, 0), (1, 0), (1, 1), (1, 2)]
            .map(|(method, completion)| funded(&costs, budget, parts[1], method, completion));
        assert_eq!(found.join(" "), parts[2], "{line}");
    }
}

/// Two groups of voters: the larger takes all greedily, equal shares give the smaller its part.
#[test]
fn equal_shares_hear_the_smaller_group() {
    let costs = [50, 50, 40, 40];
    let cast = "60ab 40cd";
    assert_eq!(funded(&costs, 100, cast, 0, 0), "ab");
    assert_eq!(funded(&costs, 100, cast, 1, 0), "ac");
}

#[test]
fn outcomes_explain_themselves() {
    let mut guest = committee(3, 2, 2, 0);
    fold(&mut guest, &ballots("3a 2ab 1c"));
    let outcome = finish(&mut guest, Decider::Order, vec![0, 1, 2]);
    assert_eq!(
        outcome.explanation,
        "From equal shares of 6 ballots their supporters paid for a (5 approvals). The other \
         seats went by Phragmén's method to b (2 approvals)."
    );
    let mut guest = budgeting(&[5, 9], 8, 0, 0);
    fold(&mut guest, &ballots("3a 2ab"));
    let outcome = finish(&mut guest, Decider::Order, vec![0, 1]);
    assert_eq!(
        outcome.explanation,
        "By most approvals: a (5 approvals, costs 5). 5 of 8 are spent."
    );
}
