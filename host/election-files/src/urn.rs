//! The ballots of a count as they come in.

use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Value, json};
use tabella_runtime::{Contest, TallyError, Verdict};

use crate::ballots::{BallotFile, Cast, ImportError, Paper, Problem, Unread};
use crate::count::CountError;
use crate::repeats::Repeats;
use crate::report::{MarkCounts, Report};

/// After so many records somebody is told how many were read.
pub(crate) const RECORDS_TOLD: u64 = 100_000;

/// More spoiled ballots than this are counted but not listed.
pub(crate) const PROBLEMS_MAX: usize = 1_000;

/// The ballots to be counted in the order of their files, each by the number of the distinct ballot: 4 bytes for
/// a ballot, and 16 more where its weight is not that of the ballot before.
#[derive(Default)]
pub(crate) struct Board {
    numbers: Vec<u32>,
    /// Weights, and how many ballots one after the other have each.
    weights: Vec<(u64, u64)>,
}

impl Board {
    fn push(&mut self, weight: u64, number: u32) {
        self.numbers.push(number);
        match self.weights.last_mut() {
            Some((same, ballots)) if *same == weight => *ballots += 1,
            _ => self.weights.push((weight, 1)),
        }
    }

    /// Weights and numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        let weights = self.weights.iter();
        let weights = weights.flat_map(|(weight, ballots)| (0..*ballots).map(move |_| *weight));
        weights.zip(self.numbers.iter().copied())
    }
}

/// The ballots as they come in. The same ballot is judged once and kept once: in a fresh instance
/// a rule answers the same each time.
pub(crate) struct Urn<'a> {
    pub(crate) contest: &'a Contest,
    pub(crate) paper: &'a Paper<'a>,
    pub(crate) file: &'a str,
    /// Its position among all.
    pub(crate) file_number: usize,
    pub(crate) repeats: Repeats<'a>,
    pub(crate) known: HashMap<Rc<[u8]>, Result<u32, String>>,
    pub(crate) distinct: Vec<Rc<[u8]>>,
    pub(crate) board: Board,
    /// Records so far, and those that were counted.
    pub(crate) records: u64,
    /// Records of all files so far.
    pub(crate) records_in_all: u64,
    pub(crate) counted_records: u64,
    pub(crate) counted: u128,
    pub(crate) spoiled: u128,
    /// Of the spoiled ones, those that by the file's own word do not count.
    pub(crate) invalid: u128,
    /// Whether a ballot is spoiled of which the file itself does not say so.
    pub(crate) is_refused: bool,
    /// Ballots that somebody has to decide about.
    pub(crate) undecided: u128,
    pub(crate) problems: Vec<Problem>,
    pub(crate) report: Report,
    /// What ends the count: a ballot cannot be blamed for a rule that fails, or for its file.
    pub(crate) failure: Option<CountError>,
    /// Is told how many records were read.
    tell: &'a mut dyn FnMut(u64),
}

impl<'a> Urn<'a> {
    pub(crate) fn new(
        contest: &'a Contest,
        paper: &'a Paper<'a>,
        files: &'a [BallotFile],
        tell: &'a mut dyn FnMut(u64),
    ) -> Self {
        Self {
            contest,
            paper,
            file: "",
            file_number: 0,
            repeats: Repeats::new(files),
            known: HashMap::new(),
            distinct: Vec::new(),
            board: Board::default(),
            records: 0,
            records_in_all: 0,
            counted_records: 0,
            counted: 0,
            spoiled: 0,
            invalid: 0,
            is_refused: false,
            undecided: 0,
            problems: Vec::new(),
            report: Report::default(),
            failure: None,
            tell,
        }
    }

    pub(crate) fn put(&mut self, mut cast: Cast) {
        if self.failure.is_some() {
            return;
        }
        self.records += 1;
        self.records_in_all += 1;
        if self.records_in_all.is_multiple_of(RECORDS_TOLD) {
            (self.tell)(self.records_in_all);
        }
        let weight = cast.weight;
        self.report.ballots += u128::from(weight);
        let ballot = std::mem::replace(&mut cast.ballot, Err(String::new().into()));
        let judged = ballot.and_then(|ballot| {
            let ballot = self.paper.in_words_of_the_rule(ballot);
            let of = || MarkCounts::of(self.paper.kind, &ballot, self.paper.marks_max);
            let mut marks = cast.marks.unwrap_or_else(of);
            marks.write_ins += cast.write_ins;
            marks.undervotes = marks.undervotes.saturating_sub(cast.write_ins_more);
            self.report.add(marks, weight);
            let number = self.judge(&ballot, cast.line)?;
            if self.distinct[number as usize].is_empty() {
                self.report.blank += u128::from(weight);
            }
            Ok(number)
        });
        match judged {
            Ok(number) => self.accept(number, &cast),
            Err(Unread::File(message)) => {
                self.failure = Some(CountError::Import(ImportError::Malformed {
                    path: cast.place(self.file),
                    line: cast.line,
                    message,
                }));
            }
            Err(Unread::Undecided(reason)) => {
                // What is listed are the ballots to decide about, and nothing else.
                if self.undecided == 0 {
                    self.problems.clear();
                }
                self.undecided += u128::from(weight);
                self.list(&cast, reason);
            }
            Err(Unread::Invalid(reason)) => {
                self.invalid += u128::from(weight);
                self.spoil(&cast, reason);
            }
            Err(Unread::Spoiled(reason)) => {
                self.is_refused = true;
                self.spoil(&cast, reason);
            }
        }
    }

    fn accept(&mut self, number: u32, cast: &Cast) {
        if let Some(id) = cast.id.as_ref().filter(|_| cast.is_id_unique) {
            let ballot = &self.distinct[number as usize];
            self.repeats.see(self.file_number, cast.line, id, ballot);
        }
        self.counted_records += 1;
        self.counted += u128::from(cast.weight);
        self.board.push(cast.weight, number);
        if cast.write_ins_more == 0 {
            return;
        }
        // A ballot of choices names an option once: further votes are ballots of one vote each.
        let write_in = self.paper.names.write_in();
        let vote = write_in.map(|option| json!({ "choice": self.paper.id(option) }));
        if let Some(Ok(number)) = vote.map(|vote| self.judge(&vote, cast.line)) {
            for _ in 0..cast.write_ins_more {
                self.board.push(cast.weight, number);
            }
        }
    }

    fn spoil(&mut self, cast: &Cast, reason: String) {
        self.spoiled += u128::from(cast.weight);
        self.report.spoil(&reason, cast.weight);
        if self.undecided == 0 {
            self.list(cast, reason);
        }
    }

    fn list(&mut self, cast: &Cast, reason: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem {
                file: cast.place(self.file),
                line: cast.line,
                record: self.records,
                ballot: cast.id.clone(),
                weight: cast.weight,
                reason,
            });
        }
    }

    /// The number of the distinct ballot, or why it is spoiled.
    fn judge(&mut self, ballot: &Value, line: u64) -> Result<u32, String> {
        let bytes = self.contest.encode_ballot(ballot);
        let bytes = bytes.map_err(|error| error.to_string())?;
        if let Some(known) = self.known.get(&*bytes) {
            return known.clone();
        }
        let bytes: Rc<[u8]> = bytes.into();
        let verdict = match self.contest.validate(&bytes) {
            Ok(Verdict::Accept) => {
                self.distinct.push(Rc::clone(&bytes));
                Ok((self.distinct.len() - 1) as u32)
            }
            Ok(Verdict::Reject { code, message }) if message.is_empty() => {
                Err(format!("the rule refuses it with code {code}"))
            }
            Ok(Verdict::Reject { message, .. }) => Err(format!("the rule refuses it: {message}")),
            Ok(Verdict::Fault(fault)) => {
                let step = format!("judging the ballot of {}:{line}", self.file);
                self.failure = Some(TallyError::Fault { step, fault }.into());
                return Err(String::new());
            }
            Err(fault) => {
                self.failure = Some(TallyError::Host(fault).into());
                return Err(String::new());
            }
        };
        self.known.insert(bytes, verdict.clone());
        verdict
    }
}
