//! What was read: ballots and their marks, for people who compare a count with a ledger.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tabella_contest::BallotKind;

use crate::count::exact;

/// Marks of one ballot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MarkCounts {
    /// Ranks with several marks, or a choice with more marks than allowed.
    pub(crate) overvotes: u64,
    /// Marks that a choice could have had besides.
    pub(crate) undervotes: u64,
    /// Ranks without a mark before the last one with a mark.
    pub(crate) skipped_ranks: u64,
    /// Options that stand at more than one rank.
    pub(crate) repeated: u64,
    /// Marks for somebody who is not on the paper.
    pub(crate) write_ins: u64,
}

impl MarkCounts {
    /// What the ballot itself shows; a reader adds what it alone knows.
    pub(crate) fn of(kind: BallotKind, ballot: &Value, marks_max: u64) -> Self {
        let mut counts = Self::default();
        let list = |member: &str| ballot[member].as_array().map_or(&[][..], Vec::as_slice);
        match kind {
            BallotKind::Choice => {
                let marked = match ballot["choice"].is_string() {
                    true => 1,
                    false => list("choices").len() as u64,
                };
                counts.overvotes = u64::from(marked > marks_max);
                counts.undervotes = marks_max.saturating_sub(marked);
            }
            BallotKind::Ranking => {
                let mut seen: Vec<&Value> = Vec::new();
                let mut empty = 0;
                for rank in list("ranking") {
                    let marks = match rank {
                        Value::Array(marks) => marks.as_slice(),
                        one => std::slice::from_ref(one),
                    };
                    if marks.is_empty() {
                        empty += 1;
                        continue;
                    }
                    counts.skipped_ranks += std::mem::take(&mut empty);
                    let is_unknown = rank["mark"] == "overvote";
                    counts.overvotes += u64::from(marks.len() > 1 || is_unknown);
                    for mark in marks.iter().filter(|mark| mark.is_string()) {
                        counts.repeated += u64::from(seen.contains(&mark));
                        seen.push(mark);
                    }
                }
            }
            _ => {}
        }
        counts
    }
}

/// What was read for one contest, by weight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Ballots with this contest.
    pub ballots: u128,
    /// Of those, ballots without any mark; they count as the rule says.
    pub blank: u128,
    /// Ranks with several marks, and choices of more options than allowed.
    pub overvotes: u128,
    /// Marks that choices could have had besides.
    pub undervotes: u128,
    /// Ranks without a mark before one with a mark.
    pub skipped_ranks: u128,
    /// Options at more than one rank of a ballot.
    pub repeated: u128,
    /// Marks for somebody who is not on the paper.
    pub write_ins: u128,
    /// Ballots that were not counted, by reason; beyond a number of reasons, as `other`.
    pub spoiled: BTreeMap<String, u128>,
    /// What somebody should know of the files, though they can be counted.
    pub notes: Vec<String>,
}

impl Report {
    /// Different reasons that are kept apart.
    const REASONS_MAX: usize = 100;

    pub(crate) fn add(&mut self, marks: MarkCounts, weight: u64) {
        let weight = u128::from(weight);
        let times = |count: u64| u128::from(count).saturating_mul(weight);
        self.overvotes += times(marks.overvotes);
        self.undervotes += times(marks.undervotes);
        self.skipped_ranks += times(marks.skipped_ranks);
        self.repeated += times(marks.repeated);
        self.write_ins += times(marks.write_ins);
    }

    pub(crate) fn spoil(&mut self, reason: &str, weight: u64) {
        let known = self.spoiled.contains_key(reason) || self.spoiled.len() < Self::REASONS_MAX;
        let reason = if known { reason } else { "other" };
        *self.spoiled.entry(reason.to_owned()).or_default() += u128::from(weight);
    }

    /// The report as `tabella plugin run --json` gives it.
    pub fn to_json(&self) -> Value {
        let spoiled = self.spoiled.iter();
        let spoiled = spoiled.map(|(reason, ballots)| (reason.clone(), exact(*ballots)));
        let mut json = json!({
            "ballots": exact(self.ballots),
            "blank": exact(self.blank),
            "overvotes": exact(self.overvotes),
            "undervotes": exact(self.undervotes),
            "skipped_ranks": exact(self.skipped_ranks),
            "repeated": exact(self.repeated),
            "write_ins": exact(self.write_ins),
            "spoiled": spoiled.collect::<serde_json::Map<_, _>>(),
        });
        if !self.notes.is_empty() {
            json["notes"] = json!(self.notes);
        }
        json
    }

    /// The report in one line.
    pub fn to_line(&self) -> String {
        let spoiled: u128 = self.spoiled.values().sum();
        let mut line = format!(
            "read {} ballots: {} blank, {spoiled} spoiled; {} overvotes, {} undervotes, {} skipped \
             ranks, {} repeated options, {} write-ins",
            self.ballots,
            self.blank,
            self.overvotes,
            self.undervotes,
            self.skipped_ranks,
            self.repeated,
            self.write_ins,
        );
        for note in &self.notes {
            line.push_str("; ");
            line.push_str(note);
        }
        line
    }
}
