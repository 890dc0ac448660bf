//! Forms admit exactly the ballots that are declared, and a ballot comes back from its slots.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tabella_abi::ballot::{Approvals, Ballot, Grades, Scores};
use tabella_seal::{
    declaration::{BallotError, Blank, Declaration, Shape, Sum},
    form::{COUNTER_TOTAL_MAX, Form, FormError, Range, SEALED_SLOTS_MAX, Slot, digits},
};

use crate::{declarations, sum};

#[test]
fn digits_reach_every_value_up_to_their_maximum_and_none_above() {
    assert!(digits(0).is_empty());
    for max in 1..=300u64 {
        let digits = digits(max);
        assert_eq!(digits.len(), max.ilog2() as usize + 1);
        assert_eq!(digits.last(), Some(&1));
        let mut sums = BTreeSet::from([0]);
        for digit in &digits {
            let with: Vec<u64> = sums.iter().map(|sum| sum + digit).collect();
            sums.extend(with);
        }
        assert!(sums.into_iter().eq(0..=max), "{max}");
    }
}

proptest! {
    #[test]
    fn a_value_has_digits(max: u64, part: u64) {
        let max = max % (COUNTER_TOTAL_MAX - 1) + 1;
        let value = part % (max + 1);
        let declaration = Declaration { options: 1, shape: Shape::Values { max, sum: None } };
        let form = declaration.form().unwrap();
        let bits = form.bits(&[value]).unwrap();
        let back = digits(max).into_iter().zip(bits).filter(|(_, bit)| *bit).map(|(digit, _)| digit);
        prop_assert_eq!(back.sum::<u64>(), value);
        prop_assert_eq!(form.bits(&[max + 1]), None);
        prop_assert_eq!(form.bits(&[]), None);
        prop_assert_eq!(form.bits(&[value, 0]), None);
    }

    #[test]
    fn bytes_that_are_no_form_are_refused_and_others_come_back(bytes: Vec<u8>) {
        if let Ok(form) = Form::from_bytes(&bytes) {
            prop_assert_eq!(form.to_bytes(), bytes);
        }
    }
}

/// Every list of values of the options, each from 0 to `max`.
fn every_ballot(options: u32, max: u64) -> Vec<Vec<u64>> {
    let mut all = vec![vec![]];
    for _ in 0..options {
        let longer = |start: &Vec<u64>| {
            (0..=max)
                .map(|value| [start.as_slice(), &[value]].concat())
                .collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

/// Whether a declaration allows these values, said without slots.
fn allows(declaration: &Declaration, values: &[u64]) -> bool {
    let within = |bounds: &Option<Sum>, sum: u64| {
        bounds.is_none_or(|bounds| (bounds.min..=bounds.max).contains(&sum))
    };
    let total = values.iter().sum();
    match &declaration.shape {
        Shape::Marks { sum } => values.iter().all(|value| *value <= 1) && within(sum, total),
        Shape::Values { max, sum } => values.iter().all(|value| value <= max) && within(sum, total),
        Shape::Squares { credits } => {
            values.iter().map(|value| value * value).sum::<u64>() <= *credits
        }
        Shape::Grades { grades } => values.iter().all(|value| *value < u64::from(*grades)),
    }
}

fn encoded(declaration: &Declaration, values: &[u64]) -> Vec<u8> {
    let pairs: Vec<(usize, u64)> = values.iter().copied().enumerate().collect();
    let above: Vec<(usize, u64)> = pairs
        .iter()
        .copied()
        .filter(|(_, value)| *value > 0)
        .collect();
    match declaration.shape {
        Shape::Marks { .. } => {
            Approvals::encode(&above.iter().map(|(option, _)| *option).collect::<Vec<_>>())
        }
        Shape::Values { .. } | Shape::Squares { .. } => Scores::encode(&pairs),
        Shape::Grades { .. } => Grades::encode(&above),
    }
}

#[test]
fn a_form_admits_the_declared_ballots_and_no_others() {
    for declaration in declarations() {
        let form = declaration.form().unwrap();
        let mut allowed = BTreeSet::new();
        for values in every_ballot(declaration.options, 6) {
            let is_mark = matches!(declaration.shape, Shape::Marks { .. });
            if is_mark && values.iter().any(|value| *value > 1) {
                continue;
            }
            let ballot = encoded(&declaration, &values);
            match allows(&declaration, &values) {
                true => {
                    let bits = declaration.bits(&ballot).unwrap();
                    assert!(form.admits(&bits), "{declaration:?} {values:?}");
                    assert_eq!(declaration.ballot(&bits).unwrap(), ballot);
                    allowed.insert(ballot);
                }
                false => {
                    let refused = declaration.bits(&ballot);
                    assert_eq!(
                        refused,
                        Err(BallotError::OutOfBounds),
                        "{declaration:?} {values:?}"
                    );
                }
            }
        }
        let slots = form.slots().len();
        assert!(slots <= 16, "{declaration:?} has {slots} slots");
        let mut reached = BTreeSet::new();
        for assignment in 0..1u32 << slots {
            let bits: Vec<bool> = (0..slots).map(|slot| assignment >> slot & 1 == 1).collect();
            if form.admits(&bits) {
                // A vote by squares may leave a cheap slot out, which only costs more: it has a ballot as well.
                let ballot = declaration.ballot(&bits).unwrap();
                let blank = declaration
                    .counts_blank()
                    .then(|| bits[declaration.blank_slot()]);
                assert!(
                    blank.is_none_or(|blank| blank == ballot.is_empty()),
                    "{declaration:?} {bits:?}"
                );
                reached.insert(ballot);
            }
        }
        assert_eq!(reached, allowed, "{declaration:?}");
    }
}

/// Where tests find the slot of blank ballots.
trait BlankSlot {
    fn blank_slot(&self) -> usize;
}

impl BlankSlot for Declaration {
    fn blank_slot(&self) -> usize {
        let form = self.form().unwrap();
        let is_last = |slot: &Slot| matches!(slot, Slot::Counted { counter, .. } if *counter == form.counters() - 1);
        form.slots().iter().position(is_last).unwrap()
    }
}

#[test]
fn the_slots_of_a_form_are_as_few_as_the_figures_say() {
    let marks = |options, sum| Declaration {
        options,
        shape: Shape::Marks { sum },
    };
    let values = |options, max, sum| Declaration {
        options,
        shape: Shape::Values { max, sum },
    };
    for (declaration, slots) in [
        (marks(2, sum(0, 1, Blank::Counted)), 3),
        (marks(10, sum(0, 10, Blank::NotCounted)), 10),
        (marks(5, sum(0, 1, Blank::NotCounted)), 6),
        (marks(10, sum(0, 3, Blank::NotCounted)), 12),
        (marks(20, sum(0, 5, Blank::NotCounted)), 23),
        (values(10, 5, None), 30),
    ] {
        assert_eq!(
            declaration.form().unwrap().slots().len(),
            slots,
            "{declaration:?}"
        );
    }
}

#[test]
fn malformed_ballots_are_refused() {
    let declaration = Declaration {
        options: 3,
        shape: Shape::Marks { sum: None },
    };
    for bytes in [&[3][..], &[1, 1], &[2, 1], &[0x80]] {
        let malformed = Approvals::view(bytes, 3).unwrap_err();
        assert_eq!(
            declaration.bits(bytes),
            Err(BallotError::Malformed(malformed))
        );
    }
    assert_eq!(
        declaration.ballot(&[true; 4]),
        Err(BallotError::OutOfBounds)
    );
}

fn counted(counter: u32, coefficient: u64) -> Slot {
    Slot::Counted {
        counter,
        coefficient,
    }
}

/// A form of one counter with two slots that count and one of slack, and these ranges.
fn with_ranges(ranges: &[(&[(u32, u64)], u64)]) -> Result<Form, FormError> {
    let range = |(terms, total): &(&[(u32, u64)], u64)| Range {
        terms: terms.to_vec(),
        total: *total,
    };
    let slots = vec![counted(0, 1), counted(0, 1), Slot::Slack];
    Form::new(1, slots, ranges.iter().map(range).collect())
}

#[test]
fn ranges_that_would_not_hold_are_refused() {
    type Case<'a> = (&'a [(&'a [(u32, u64)], u64)], FormError);
    let twice: &[(&[(u32, u64)], u64)] = &[(&[(0, 1), (1, 1)], 1), (&[(1, 1), (2, 1)], 1)];
    let (slot, sum, last) = (
        FormError::RangeSlot { range: 0 },
        FormError::RangeSum { range: 0 },
        FormError::RangeLast { range: 0 },
    );
    let cases: [Case<'_>; 10] = [
        (&[(&[(0, 1), (0, 1)], 1)], slot),
        (&[(&[(0, 1), (3, 1)], 1)], slot),
        (&[(&[(0, 0), (1, 1)], 1)], sum),
        (&[(&[(0, 1 << 41), (1, 1)], 1)], sum),
        (&[(&[(0, u64::MAX), (1, 1)], 1)], sum),
        (&[(&[(0, 1), (1, 1)], 3)], sum),
        (&[(&[], 0)], last),
        (&[(&[(0, 1)], 1)], last),
        (&[(&[(0, 1), (1, 2)], 1)], last),
        (twice, last),
    ];
    for (ranges, expected) in cases {
        assert_eq!(with_ranges(ranges), Err(expected), "{ranges:?}");
    }
    assert!(with_ranges(&[(&[(0, 1), (1, 1)], 1), (&[(0, 2), (2, 1)], 2)]).is_ok());
}

#[test]
fn slots_that_would_not_hold_are_refused() {
    let two = || vec![counted(0, 1), counted(0, 1), Slot::Slack];
    let full = vec![counted(0, 1); SEALED_SLOTS_MAX + 1];
    let too_many = SEALED_SLOTS_MAX + 1;
    let cases = [
        (1, vec![], FormError::Slots { count: 0 }),
        (1, full, FormError::Slots { count: too_many }),
        (0, two(), FormError::UnknownCounter { slot: 0 }),
        (0, vec![Slot::Slack], FormError::Counters),
        (2, two(), FormError::Counters),
        (9, two(), FormError::Counters),
        (1, vec![counted(0, 0)], FormError::Coefficient { slot: 0 }),
        (
            1,
            vec![counted(0, COUNTER_TOTAL_MAX + 1)],
            FormError::Coefficient { slot: 0 },
        ),
    ];
    for (counters, slots, expected) in cases {
        assert_eq!(Form::new(counters, slots, vec![]), Err(expected));
    }
}

#[test]
fn declarations_that_admit_nothing_or_too_much_are_refused() {
    let cases = [
        (
            3,
            Shape::Marks {
                sum: sum(2, 1, Blank::NotCounted),
            },
            FormError::Bounds,
        ),
        (
            3,
            Shape::Marks {
                sum: sum(4, 9, Blank::NotCounted),
            },
            FormError::Bounds,
        ),
        (
            3,
            Shape::Marks {
                sum: sum(1, 2, Blank::Counted),
            },
            FormError::Bounds,
        ),
        (
            3,
            Shape::Marks {
                sum: sum(0, 0, Blank::Counted),
            },
            FormError::Bounds,
        ),
        (
            1,
            Shape::Marks {
                sum: sum(1, 1, Blank::NotCounted),
            },
            FormError::RangeLast { range: 0 },
        ),
        (0, Shape::Marks { sum: None }, FormError::Slots { count: 0 }),
        (
            600,
            Shape::Marks { sum: None },
            FormError::Slots { count: 600 },
        ),
        (
            512,
            Shape::Marks {
                sum: sum(0, 1, Blank::NotCounted),
            },
            FormError::Slots { count: 513 },
        ),
        (3, Shape::Values { max: 0, sum: None }, FormError::Bounds),
        (
            3,
            Shape::Values {
                max: u64::MAX,
                sum: None,
            },
            FormError::Coefficient { slot: 0 },
        ),
        (3, Shape::Squares { credits: 0 }, FormError::Bounds),
        (
            3,
            Shape::Squares { credits: u64::MAX },
            FormError::Slots { count: 513 },
        ),
        (3, Shape::Grades { grades: 1 }, FormError::Bounds),
        (
            3,
            Shape::Grades { grades: u32::MAX },
            FormError::Slots { count: 513 },
        ),
    ];
    for (options, shape, expected) in cases {
        let declaration = Declaration { options, shape };
        assert_eq!(declaration.form(), Err(expected), "{declaration:?}");
        assert_eq!(declaration.bits(&[]), Err(BallotError::Form(expected)));
    }
}

#[test]
fn bytes_of_a_form_come_back_and_no_prefix_of_them_does() {
    for declaration in declarations() {
        let form = declaration.form().unwrap();
        let bytes = form.to_bytes();
        assert_eq!(Form::from_bytes(&bytes), Ok(form));
        for end in 0..bytes.len() {
            assert!(Form::from_bytes(&bytes[..end]).is_err());
        }
        assert_eq!(
            Form::from_bytes(&[&bytes[..], &[0]].concat()),
            Err(FormError::Bytes)
        );
    }
}
