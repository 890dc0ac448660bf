//! The forms that rules declare, and how a plain ballot becomes slots and slots a plain ballot.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use tabella_abi::ballot::{Approvals, Ballot, Grades, Malformed, Scores};

use crate::form::{Form, FormError, Range, SEALED_SLOTS_MAX, Slot, digits};

/// What a rule says of the ballots that it takes sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// How many options the contest has.
    pub options: u32,
    /// How they are marked.
    pub shape: Shape,
}

/// How options are marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each option is marked or not: ballots of kind choice or approval. A counter for each option.
    Marks {
        /// How many may be marked; any number where there is none.
        sum: Option<Sum>,
    },
    /// Each option has a value from 0: ballots of kind scores or votes. A counter for each option.
    Values {
        /// The highest value of one option.
        max: u64,
        /// What the values may add up to; anything where there is none.
        sum: Option<Sum>,
    },
    /// Votes for an option cost their square: ballots of kind votes. A counter for each option.
    Squares {
        /// What a ballot can spend.
        credits: u64,
    },
    /// Each option has a grade: ballots of kind grades. A counter for each option and each grade above the worst.
    ///
    /// An option without a grade and one with the worst are the same slots.
    Grades {
        /// How many grades there are, the worst included.
        grades: u32,
    },
}

/// The bounds of a sum, both allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// The least.
    pub min: u64,
    /// The most.
    pub max: u64,
    /// What becomes of blank ballots.
    pub blank: Blank,
}

/// What becomes of blank ballots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blank {
    /// They are allowed where the least sum is 0, and nobody learns how many there are.
    NotCounted,
    /// They are allowed and counted: by the last counter, after those of the options.
    Counted,
}

impl Declaration {
    /// The form of the contest.
    pub fn form(&self) -> Result<Form, FormError> {
        if self.options as usize > SEALED_SLOTS_MAX {
            let count = self.options as usize;
            return Err(FormError::Slots { count });
        }
        match &self.shape {
            Shape::Marks { sum } => self.weighed(&[1], *sum),
            Shape::Values { max: 0, .. } => Err(FormError::Bounds),
            Shape::Values { max, sum } => self.weighed(&digits(*max), *sum),
            Shape::Squares { credits: 0 } => Err(FormError::Bounds),
            Shape::Squares { credits } => self.squares(*credits),
            Shape::Grades { grades: 0 | 1 } => Err(FormError::Bounds),
            Shape::Grades { grades } => self.graded(*grades),
        }
    }

    /// Slots of these coefficients for each option, and the range of their sum.
    fn weighed(&self, coefficients: &[u64], sum: Option<Sum>) -> Result<Form, FormError> {
        let mut builder = Builder::new();
        let mut terms = Vec::new();
        for counter in 0..self.options {
            for coefficient in coefficients {
                terms.push((builder.counted(counter, *coefficient)?, *coefficient));
            }
        }
        let Some(Sum { min, max, blank }) = sum else {
            return builder.form(self.options);
        };
        let reach = terms
            .iter()
            .map(|(_, coefficient)| u128::from(*coefficient));
        let reach = u64::try_from(reach.sum::<u128>()).unwrap_or(u64::MAX);
        let bounded = max.min(reach);
        match blank {
            // Every ballot keeps such bounds.
            Blank::NotCounted if min == 0 && max >= reach => builder.form(self.options),
            Blank::NotCounted => {
                builder.range(terms, min, bounded)?;
                builder.form(self.options)
            }
            Blank::Counted if min == 0 => {
                terms.push((builder.counted(self.options, 1)?, bounded));
                builder.range(terms, 1, bounded)?;
                builder.form(self.options + 1)
            }
            Blank::Counted => Err(FormError::Bounds),
        }
    }

    fn squares(&self, credits: u64) -> Result<Form, FormError> {
        let mut builder = Builder::new();
        let mut terms = Vec::new();
        for counter in 0..self.options {
            for vote in 1..=credits.isqrt() {
                terms.push((builder.counted(counter, 1)?, 2 * vote - 1));
            }
        }
        builder.range(terms, 0, credits)?;
        builder.form(self.options)
    }

    fn graded(&self, grades: u32) -> Result<Form, FormError> {
        let mut builder = Builder::new();
        let row = grades - 1;
        let mut counter = 0;
        for _ in 0..self.options {
            let mut terms = Vec::new();
            for _ in 0..row {
                terms.push((builder.counted(counter, 1)?, 1));
                counter += 1;
            }
            // One grade needs no range: its slot is 0 or 1 anyway.
            if row > 1 {
                builder.range(terms, 0, 1)?;
            }
        }
        builder.form(counter)
    }

    /// The slots of a plain ballot in the bytes of its kind.
    pub fn bits(&self, ballot: &[u8]) -> Result<Vec<bool>, BallotError> {
        let form = self.form()?;
        let options = self.options as usize;
        let mut values = vec![0; form.counters() as usize];
        match &self.shape {
            Shape::Marks { .. } => {
                let marks = Approvals::view(ballot, options)?;
                marks.options().for_each(|option| values[option] = 1);
            }
            Shape::Values { .. } | Shape::Squares { .. } => {
                for (option, value) in Scores::view(ballot, options)?.values() {
                    values[option] = value;
                }
            }
            Shape::Grades { grades } => {
                let row = grades.saturating_sub(1) as usize;
                for (option, grade) in Grades::view(ballot, options)?.values() {
                    let grade = usize::try_from(grade).ok().filter(|grade| *grade <= row);
                    match grade.ok_or(BallotError::OutOfBounds)? {
                        0 => {}
                        above => values[option * row + above - 1] = 1,
                    }
                }
            }
        }
        if self.counts_blank() && values.iter().all(|value| *value == 0) {
            values[options] = 1;
        }
        form.bits(&values).ok_or(BallotError::OutOfBounds)
    }

    /// Whether the last counter is that of blank ballots.
    pub fn counts_blank(&self) -> bool {
        match self.shape {
            Shape::Marks { sum } | Shape::Values { sum, .. } => {
                sum.is_some_and(|sum| sum.blank == Blank::Counted)
            }
            Shape::Squares { .. } | Shape::Grades { .. } => false,
        }
    }

    /// The plain ballot of slots that the form admits.
    pub fn ballot(&self, bits: &[bool]) -> Result<Vec<u8>, BallotError> {
        let form = self.form()?;
        if !form.admits(bits) {
            return Err(BallotError::OutOfBounds);
        }
        let mut counters = vec![0; form.counters() as usize];
        for (slot, _) in form.slots().iter().zip(bits).filter(|(_, bit)| **bit) {
            if let Slot::Counted {
                counter,
                coefficient,
            } = slot
            {
                counters[*counter as usize] += coefficient;
            }
        }
        let pairs = |counters: &[u64]| counters.iter().copied().enumerate().collect::<Vec<_>>();
        Ok(match &self.shape {
            Shape::Marks { .. } => {
                let marked = |option: &usize| counters[*option] == 1;
                let options: Vec<usize> = (0..self.options as usize).filter(marked).collect();
                Approvals::encode(&options)
            }
            Shape::Values { .. } | Shape::Squares { .. } => {
                Scores::encode(&pairs(&counters[..self.options as usize]))
            }
            Shape::Grades { grades } => {
                let row = grades.saturating_sub(1) as usize;
                let set = pairs(&counters)
                    .into_iter()
                    .filter(|(_, count)| *count == 1);
                let grades = set.map(|(slot, _)| (slot / row, (slot % row) as u64 + 1));
                Grades::encode(&grades.collect::<Vec<_>>())
            }
        })
    }
}

/// Slots and ranges as they are added.
struct Builder {
    slots: Vec<Slot>,
    bounds: Vec<Bounds>,
}

/// What terms may add up to.
struct Bounds {
    terms: Vec<(u32, u64)>,
    min: u64,
    max: u64,
}

impl Builder {
    fn new() -> Self {
        Self {
            slots: Vec::new(),
            bounds: Vec::new(),
        }
    }

    /// Adds a slot and returns its number.
    fn push(&mut self, slot: Slot) -> Result<u32, FormError> {
        let count = self.slots.len();
        if count == SEALED_SLOTS_MAX {
            return Err(FormError::Slots { count: count + 1 });
        }
        self.slots.push(slot);
        Ok(count as u32)
    }

    fn counted(&mut self, counter: u32, coefficient: u64) -> Result<u32, FormError> {
        self.push(Slot::Counted {
            counter,
            coefficient,
        })
    }

    /// Says what the terms may add up to. Slack comes after all counted slots.
    fn range(&mut self, terms: Vec<(u32, u64)>, min: u64, max: u64) -> Result<(), FormError> {
        if min > max || max == 0 {
            return Err(FormError::Bounds);
        }
        self.bounds.push(Bounds { terms, min, max });
        Ok(())
    }

    fn form(mut self, counters: u32) -> Result<Form, FormError> {
        let mut ranges = Vec::new();
        for bounds in core::mem::take(&mut self.bounds) {
            let mut terms = bounds.terms;
            for coefficient in digits(bounds.max - bounds.min) {
                terms.push((self.push(Slot::Slack)?, coefficient));
            }
            let total = bounds.max;
            ranges.push(Range { terms, total });
        }
        Form::new(counters, self.slots, ranges)
    }
}

/// Why a plain ballot has no slots, or slots no plain ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BallotError {
    /// The declaration has no form.
    Form(FormError),
    /// The bytes are not a ballot of the kind.
    Malformed(Malformed),
    /// A value or a sum is not within the declared bounds.
    OutOfBounds,
}

impl From<FormError> for BallotError {
    fn from(error: FormError) -> Self {
        Self::Form(error)
    }
}

impl From<Malformed> for BallotError {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}

impl fmt::Display for BallotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(error) => error.fmt(f),
            Self::Malformed(error) => error.fmt(f),
            Self::OutOfBounds => f.write_str(
                "a value of the ballot, or their sum, is not within the contest's bounds; mark it again",
            ),
        }
    }
}

impl core::error::Error for BallotError {}
