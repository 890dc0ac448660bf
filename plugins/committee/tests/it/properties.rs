//! What holds for every election.

use proptest::prelude::*;
use tabella_abi::ballot::Approvals;
use tabella_abi::contest::Decider;
use tabella_sdk::{Guest, Outcome, Profile, Rule};

use crate::{Cast, budgeting, committee, finish, fold};

const METHODS: [(usize, usize); 4] = [(0, 0), (1, 0), (2, 0), (2, 1)];
const BUDGETS: [(usize, usize); 4] = [(0, 0), (1, 0), (1, 1), (1, 2)];

fn elections() -> impl Strategy<Value = (usize, Vec<Cast>)> {
    (1usize..6).prop_flat_map(|options| {
        let approved = proptest::collection::btree_set(0..options, 0..=options);
        let ballot = (1u64..6, approved.prop_map(|set| set.into_iter().collect()));
        (Just(options), proptest::collection::vec(ballot, 0..8))
    })
}

/// The outcome with the ballots in another order and one by one, in two parts that are merged.
fn otherwise<R>(
    make: impl Fn() -> Guest<R>,
    ballots: &[Cast],
    cut: usize,
    options: usize,
) -> Outcome
where
    R: Rule<Ballot = Approvals, Tally = Profile<Approvals>>,
{
    let (left, right) = ballots.split_at(cut.min(ballots.len()));
    let (mut total, mut part) = (make(), make());
    for (weight, approved) in right.iter().rev() {
        fold(&mut total, &vec![(1, approved.clone()); *weight as usize]);
    }
    fold(&mut part, left);
    assert_eq!(total.merge(&part.save()), 0);
    finish(&mut total, Decider::Order, (0..options).collect())
}

fn check<R>(
    make: impl Fn() -> Guest<R>,
    relabelled: Guest<R>,
    ballots: &[Cast],
    cut: usize,
    new: &[usize],
) -> Result<Outcome, TestCaseError>
where
    R: Rule<Ballot = Approvals, Tally = Profile<Approvals>>,
{
    let options = new.len();
    let mut guest = make();
    fold(&mut guest, ballots);
    let outcome = finish(&mut guest, Decider::Order, (0..options).collect());
    prop_assert_eq!(&otherwise(&make, ballots, cut, options), &outcome);
    let renumbered: Vec<Cast> = (ballots.iter())
        .map(|(weight, approved)| {
            (
                *weight,
                approved.iter().map(|option| new[*option]).collect(),
            )
        })
        .collect();
    let mut relabelled = relabelled;
    fold(&mut relabelled, &renumbered);
    let after = finish(&mut relabelled, Decider::Order, new.to_vec());
    for (option, new) in new.iter().enumerate() {
        prop_assert_eq!(&outcome.options[option], &after.options[*new]);
    }
    for winner in &outcome.winners {
        prop_assert!(
            ballots
                .iter()
                .any(|(_, approved)| approved.contains(winner))
        );
    }
    let mut report = make();
    fold(&mut report, ballots);
    let report = finish(&mut report, Decider::Report, (0..options).collect());
    prop_assert!(
        outcome
            .winners
            .iter()
            .all(|winner| report.winners.contains(winner))
    );
    Ok(outcome)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn committees((options, ballots) in elections(), seats in 1i64..6, cut in 0usize..8, turn in 0usize..6) {
        let new: Vec<_> = (0..options).map(|option| (option + turn) % options).collect();
        let approved = (0..options)
            .filter(|option| ballots.iter().any(|(_, ballot)| ballot.contains(option)))
            .count();
        for (method, completion) in METHODS {
            let make = || committee(options, seats, method, completion);
            let outcome = check(make, make(), &ballots, cut, &new)?;
            let most = approved.min(seats as usize);
            if completion == 0 {
                prop_assert_eq!(outcome.winners.len(), most);
            } else {
                prop_assert!(outcome.winners.len() <= most);
            }
        }
    }

    #[test]
    fn budgets(
        (options, ballots) in elections(),
        costs in proptest::collection::vec(0u64..40, 5),
        budget in 0i64..100,
        cut in 0usize..8,
        turn in 0usize..6,
    ) {
        let new: Vec<_> = (0..options).map(|option| (option + turn) % options).collect();
        let costs = &costs[..options];
        let mut turned = vec![0; options];
        for (option, cost) in costs.iter().enumerate() {
            turned[new[option]] = *cost;
        }
        for (method, completion) in BUDGETS {
            let make = || budgeting(costs, budget, method, completion);
            let relabelled = budgeting(&turned, budget, method, completion);
            let outcome = check(make, relabelled, &ballots, cut, &new)?;
            let spent: u64 = outcome.winners.iter().map(|project| costs[*project]).sum();
            prop_assert!(spent <= budget as u64, "{method} {completion}: {spent} of {budget}");
        }
    }
}

#[test]
fn large_numbers_do_not_overflow() {
    let ballots: Vec<Cast> = (0..40)
        .map(|ballot| {
            (
                u64::MAX / 64 - ballot,
                vec![ballot as usize % 30, (ballot as usize * 7 + 1) % 30],
            )
        })
        .map(|(weight, mut approved)| {
            approved.dedup();
            (weight, approved)
        })
        .collect();
    for (method, completion) in METHODS {
        let mut guest = committee(30, 30, method, completion);
        fold(&mut guest, &ballots);
        let outcome = finish(&mut guest, Decider::Order, (0..30).collect());
        assert!(outcome.winners.len() > 15);
    }
    for (method, completion) in BUDGETS {
        let mut guest = budgeting(&[u64::MAX; 30], i64::MAX, method, completion);
        fold(&mut guest, &ballots);
        let outcome = finish(&mut guest, Decider::Order, (0..30).collect());
        assert!(outcome.winners.is_empty(), "nothing is cheap enough");
    }
}
