//! Party lists through the bytes of the ABI, natively.

mod laws;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use tabella_abi::ballot::Choices;
use tabella_abi::codec::{Wire, put_varint};
use tabella_abi::contest::{Configuration, ContestOption, Decider, ParamValue, TieOrder};
use tabella_rule_party_list::PartyList;
use tabella_sdk::{Guest, Outcome};

const METHODS: [&str; 4] = ["dhondt", "sainte-lague", "hare", "droop"];

fn guest(parties: usize, seats: i64, method: usize, threshold: i64) -> Guest<PartyList> {
    let option = |option: usize| ContestOption {
        id: option.to_string(),
        title: char::from(b'A' + option as u8).to_string(),
    };
    let configuration = Configuration {
        options: (0..parties).map(option).collect(),
        params: vec![
            ParamValue::Integer(seats),
            ParamValue::Choice(method),
            ParamValue::Decimal(threshold),
            ParamValue::Texts(Vec::new()),
            ParamValue::Choice(0),
            ParamValue::Texts(Vec::new()),
            ParamValue::Integer(1),
        ],
    };
    let mut guest = Guest::new();
    assert_eq!(guest.configure(&configuration.to_wire()), 0);
    guest
}

fn fold(guest: &mut Guest<PartyList>, votes: &[(usize, u64)]) {
    let mut batch = Vec::new();
    for (party, weight) in votes {
        let ballot = Choices::encode(&[*party]);
        assert_eq!(guest.validate(&ballot), 0);
        put_varint(&mut batch, *weight);
        put_varint(&mut batch, ballot.len() as u64);
        batch.extend(ballot);
    }
    assert_eq!(guest.fold(&batch), 0);
}

fn finish(guest: &mut Guest<PartyList>, decider: Decider, order: Vec<usize>) -> Outcome {
    Outcome::from_wire(&guest.finish(&TieOrder { decider, order }.to_wire())).unwrap()
}

fn count(votes: &[u64], seats: i64, method: usize, threshold: i64, decider: Decider) -> Outcome {
    let mut guest = guest(votes.len(), seats, method, threshold);
    let votes: Vec<_> = votes.iter().copied().enumerate().collect();
    fold(&mut guest, &votes);
    finish(&mut guest, decider, (0..votes.len()).collect())
}

fn seats(outcome: &Outcome) -> Vec<u64> {
    outcome.options.iter().map(|option| option.seats).collect()
}

fn check(votes: &[u64], wanted: i64, threshold: i64, expected: Expect) {
    let mut text = String::new();
    for (method, name) in METHODS.iter().enumerate() {
        let outcome = count(votes, wanted, method, threshold, Decider::Order);
        text += &format!("{name}: {:?}", seats(&outcome));
        if let Some(quota) = outcome.quota {
            text += &format!(" quota {quota}");
        }
        for tie in &outcome.ties {
            text += &format!(
                "; tie {:?}: {} ({})",
                tie.options, tie.question, tie.decided_by
            );
        }
        text.push('\n');
    }
    expected.assert_eq(&text);
}

/// The example printed in article 163 of the Spanish electoral law: 480,000 votes, eight seats,
/// 4 2 1 1 0 0 by D'Hondt.
#[test]
fn the_example_of_the_spanish_law() {
    let votes = [168_000, 104_000, 72_000, 64_000, 40_000, 32_000];
    check(
        &votes,
        8,
        0,
        expect![[r#"
            dhondt: [4, 2, 1, 1, 0, 0]
            sainte-lague: [3, 2, 1, 1, 1, 0]
            hare: [3, 2, 1, 1, 1, 0] quota 60000
            droop: [3, 2, 1, 1, 1, 0] quota 53334
        "#]],
    );
}

/// Wikipedia, "D'Hondt method" and "Largest remainder method".
#[test]
fn published_examples() {
    check(
        &[100_000, 80_000, 30_000, 20_000],
        8,
        0,
        expect![[r#"
            dhondt: [4, 3, 1, 0]
            sainte-lague: [3, 3, 1, 1]
            hare: [3, 3, 1, 1] quota 28750
            droop: [4, 3, 1, 0] quota 25556
        "#]],
    );
    check(
        &[47_000, 16_000, 15_900, 12_000, 6_000, 3_100],
        10,
        0,
        expect![[r#"
            dhondt: [5, 2, 2, 1, 0, 0]
            sainte-lague: [4, 2, 2, 1, 1, 0]
            hare: [5, 2, 1, 1, 1, 0] quota 10000
            droop: [5, 2, 2, 1, 0, 0] quota 9091
        "#]],
    );
}

#[test]
fn the_threshold_itself_is_enough() {
    check(
        &[900, 50, 49, 1],
        20,
        50_000,
        expect![[r#"
            dhondt: [19, 1, 0, 0]
            sainte-lague: [19, 1, 0, 0]
            hare: [19, 1, 0, 0] quota 95/2
            droop: [19, 1, 0, 0] quota 46
        "#]],
    );
}

#[test]
fn ties_are_decided_and_named() {
    check(
        &[10, 10, 10],
        4,
        0,
        expect![[r#"
            dhondt: [2, 1, 1]; tie [0, 1, 2]: the last seat, at equal averages (order)
            sainte-lague: [2, 1, 1]; tie [0, 1, 2]: the last seat, at equal averages (order)
            hare: [2, 1, 1] quota 15/2; tie [0, 1, 2]: the last seat, at equal remainders (order)
            droop: [2, 1, 1] quota 7; tie [0, 1, 2]: the last seat, at equal remainders (order)
        "#]],
    );
    for method in 0..4 {
        let outcome = count(&[10, 10, 10], 2, method, 0, Decider::Report);
        assert_eq!(outcome.winners, [0, 1, 2]);
        assert_eq!(seats(&outcome), [0, 0, 0], "the seats are left open");
        assert_eq!(outcome.ties[0].decided_by, "report");
    }
}

#[test]
fn a_ballot_names_one_party() {
    let mut guest = guest(3, 2, 0, 0);
    assert_eq!(guest.validate(&Choices::encode(&[0, 2])), 2);
    assert_eq!(guest.message(), "mark one party, not 2");
    assert_eq!(guest.validate(&[]), 0, "a blank ballot is a ballot");
}

#[test]
fn senseless_thresholds_are_refused() {
    let configuration = Configuration {
        options: vec![],
        params: vec![
            ParamValue::Integer(1),
            ParamValue::Choice(0),
            ParamValue::Decimal(1_000_001),
            ParamValue::Texts(Vec::new()),
            ParamValue::Choice(0),
            ParamValue::Texts(Vec::new()),
            ParamValue::Integer(1),
        ],
    };
    let mut guest = Guest::<PartyList>::new();
    assert_eq!(guest.configure(&configuration.to_wire()), 1);
    assert!(guest.message().contains("more than 100"));
}

#[test]
fn nothing_to_share_by() {
    for method in 0..4 {
        let empty = finish(&mut guest(2, 5, method, 0), Decider::Seed, vec![0, 1]);
        assert!(empty.winners.is_empty());
        assert_eq!(seats(&count(&[7], 5, method, 0, Decider::Seed)), [5]);
        // As many as the method can be asked for, with the largest weights.
        let outcome = count(
            &[u64::MAX / 2, u64::MAX / 2],
            100_000,
            method,
            0,
            Decider::Seed,
        );
        assert_eq!(seats(&outcome), [50_000, 50_000]);
        assert_eq!(seats(&count(&[1, 1], 8, method, 0, Decider::Seed)), [4, 4]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_seats_are_given_and_more_votes_never_get_fewer(
        votes in proptest::collection::vec(0u64..50, 1..6),
        wanted in 1i64..12,
        cut in 0usize..6,
        threshold in prop_oneof![Just(0i64), 0i64..300_000],
    ) {
        for method in 0..4 {
            let outcome = count(&votes, wanted, method, threshold, Decider::Order);
            let given = seats(&outcome);
            let sum: u64 = given.iter().sum();
            prop_assert!(sum == wanted as u64 || outcome.winners.is_empty());
            for (a, votes_a) in votes.iter().enumerate() {
                for (b, votes_b) in votes.iter().enumerate() {
                    prop_assert!(votes_a <= votes_b || given[a] >= given[b], "{method} {votes:?}");
                }
            }
            // Backwards, in two parts that are merged, one ballot at a time.
            let mut parts = [
                guest(votes.len(), wanted, method, threshold),
                guest(votes.len(), wanted, method, threshold),
            ];
            let numbered: Vec<_> = votes.iter().copied().enumerate().collect();
            let (left, right) = numbered.split_at(cut.min(votes.len()));
            for (party, weight) in right {
                fold(&mut parts[0], &vec![(*party, 1); *weight as usize]);
            }
            fold(&mut parts[1], left);
            let saved = parts[1].save();
            prop_assert_eq!(parts[0].merge(&saved), 0);
            let order = (0..votes.len()).collect();
            prop_assert_eq!(&finish(&mut parts[0], Decider::Order, order), &outcome);
        }
    }

    #[test]
    fn numbering_does_not_matter(
        votes in proptest::collection::vec(0u64..20, 1..6),
        wanted in 1i64..12,
        turn in 0usize..6,
    ) {
        let parties = votes.len();
        let new = |party: usize| (party + turn) % parties;
        for method in 0..4 {
            let before = count(&votes, wanted, method, 0, Decider::Order);
            let mut guest = guest(parties, wanted, method, 0);
            let turned: Vec<_> = votes.iter().enumerate().map(|(p, v)| (new(p), *v)).collect();
            fold(&mut guest, &turned);
            let after = finish(&mut guest, Decider::Order, (0..parties).map(new).collect());
            for (party, result) in before.options.iter().enumerate() {
                prop_assert_eq!(result, &after.options[new(party)]);
            }
        }
    }
}
