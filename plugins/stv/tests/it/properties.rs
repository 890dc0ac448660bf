//! What holds for every election.

use proptest::prelude::*;
use tabella_abi::contest::{Decider, TieOrder};
use tabella_sdk::{Number, Outcome};

use crate::{Ballots, Rules, Setting};

fn elections() -> impl Strategy<Value = (usize, i64, Ballots)> {
    (1usize..7, 1i64..5).prop_flat_map(|(options, seats)| {
        let order = Just((0..options).collect::<Vec<_>>()).prop_shuffle();
        let ballot = (1u64..9, order, 0..=options).prop_map(|(weight, order, ranked)| {
            (weight, order[..ranked].iter().map(|o| vec![*o]).collect())
        });
        let ballots = proptest::collection::vec(ballot, 0..12);
        (Just(options), Just(seats), ballots)
    })
}

fn by_order(options: &[usize]) -> TieOrder {
    TieOrder {
        decider: Decider::Order,
        order: options.to_vec(),
    }
}

/// Votes in the smallest unit.
fn units(number: Number) -> i128 {
    match number {
        Number::Integer(units) | Number::Decimal { units, .. } => units,
        Number::Ratio { .. } => panic!("a count has no fractions"),
    }
}

fn is_consistent(outcome: &Outcome, options: usize, seats: i64, cast: u64) -> Result<(), String> {
    let elected = outcome.winners.len();
    let expected = if cast == 0 {
        0
    } else {
        options.min(seats as usize)
    };
    if elected != expected {
        return Err(format!("{elected} elected, not {expected}"));
    }
    let first = outcome.rounds.first().ok_or("no rounds")?;
    let all = |round: &tabella_sdk::Round| {
        let held: i128 = round.totals.iter().map(|(_, votes)| units(*votes)).sum();
        held + units(round.exhausted)
    };
    for round in &outcome.rounds {
        if all(round) != all(first) || units(round.exhausted) < 0 {
            return Err("votes appear or vanish".to_owned());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn seats_are_filled_and_votes_are_kept((options, seats, ballots) in elections()) {
        let cast = ballots.iter().filter(|(_, ranks)| !ranks.is_empty()).map(|(w, _)| w).sum();
        for rules in Rules::ALL {
            for quota in [None, Some(2)] {
                let setting = Setting { quota, ..Setting::new(options, seats, rules) };
                let outcome = setting.count(&ballots, Decider::Order);
                let consistent = is_consistent(&outcome, options, seats, cast);
                prop_assert!(consistent.is_ok(), "{rules:?} {quota:?}: {consistent:?}");
            }
        }
    }

    #[test]
    fn neither_order_nor_split_matters((options, seats, ballots) in elections(), cut in 0usize..12) {
        let order: Vec<_> = (0..options).collect();
        let mut backwards = ballots.clone();
        backwards.reverse();
        let apart: Ballots = (ballots.iter())
            .flat_map(|(weight, ranks)| vec![(1, ranks.clone()); *weight as usize])
            .collect();
        let (left, right) = ballots.split_at(cut.min(ballots.len()));
        for rules in Rules::ALL {
            let setting = Setting::new(options, seats, rules);
            let whole = setting.count_parts(&[&ballots], by_order(&order));
            prop_assert_eq!(&setting.count_parts(&[&backwards], by_order(&order)), &whole);
            prop_assert_eq!(&setting.count_parts(&[left, right], by_order(&order)), &whole);
            prop_assert_eq!(&setting.count_parts(&[&apart], by_order(&order)), &whole);
        }
    }

    #[test]
    fn numbering_does_not_matter(
        (options, seats, ballots) in elections(),
        keys in proptest::collection::vec(any::<u64>(), 7),
    ) {
        let mut new: Vec<_> = (0..options).collect();
        new.sort_by_key(|option| keys[*option]);
        let relabelled: Ballots = (ballots.iter())
            .map(|(weight, ranks)| {
                let ranks = ranks.iter().map(|rank| vec![new[rank[0]]]);
                (*weight, ranks.collect())
            })
            .collect();
        let order: Vec<_> = (0..options).collect();
        for rules in Rules::ALL {
            let setting = Setting::new(options, seats, rules);
            let before = setting.count_parts(&[&ballots], by_order(&order));
            let after = setting.count_parts(&[&relabelled], by_order(&new));
            for (option, new) in new.iter().enumerate() {
                prop_assert_eq!(&before.options[option], &after.options[*new], "{:?}", rules);
            }
            let report = |ballots: &Ballots| {
                let outcome = setting.count(ballots, Decider::Report);
                (outcome.winners, outcome.explanation.contains("more ways"))
            };
            let (before, before_cut) = report(&ballots);
            let (mut after, after_cut) = report(&relabelled);
            let mut expected: Vec<_> = before.iter().map(|option| new[*option]).collect();
            expected.sort_unstable();
            after.sort_unstable();
            if !before_cut && !after_cut {
                prop_assert_eq!(after, expected, "{:?}", rules);
            }
        }
    }
}

#[test]
fn an_empty_election_elects_nobody() {
    for rules in Rules::ALL {
        let outcome = Setting::new(4, 2, rules).count(&Vec::new(), Decider::Order);
        assert!(outcome.winners.is_empty(), "{rules:?}");
    }
}

#[test]
fn the_largest_weights_do_not_overflow() {
    let ballots: Ballots = vec![
        (u64::MAX / 2, vec![vec![0], vec![1], vec![2]]),
        (u64::MAX / 3, vec![vec![0], vec![2]]),
        (u64::MAX / 8, vec![vec![1], vec![3]]),
    ];
    for rules in Rules::ALL {
        let setting = Setting {
            places: (rules != Rules::Senate).then_some(9),
            ..Setting::new(4, 2, rules)
        };
        let outcome = setting.count(&ballots, Decider::Order);
        assert_eq!(outcome.winners.len(), 2, "{rules:?}");
    }
}

#[test]
fn the_largest_contest_fits_an_outcome() {
    use tabella_abi::codec::Wire;
    let ballots: Ballots = (0..256)
        .map(|o| (1 + o as u64 % 7, vec![vec![o], vec![255 - o]]))
        .map(|(weight, ranks): (u64, Vec<Vec<usize>>)| {
            let distinct = ranks[0] != ranks[1];
            (weight, if distinct { ranks } else { ranks[..1].to_vec() })
        })
        .collect();
    let outcome = Setting::new(256, 9, Rules::Scottish).count(&ballots, Decider::Order);
    assert_eq!(outcome.winners.len(), 9);
    assert!(outcome.to_wire().len() < 1 << 20);
}
