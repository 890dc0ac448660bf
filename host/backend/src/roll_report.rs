//! The report of a roll's import: every refused line, in bounded memory.
//!
//! It is one JSON object whose list may be longer than memory is to hold: it grows in a file, and goes
//! out from there.

use std::{
    collections::BTreeMap,
    io::{Read, Seek, Write},
    path::Path,
};

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream;
use serde::Serialize;
use tabella_outbox::{subject::Realm, voter_name::VoterName};
use tabella_protocol::RollEntry;
use tempfile::SpooledTempFile;

use crate::{problem::Problem, roll_table::RollHead, schemas};

/// Reports up to this size stay in memory, in bytes.
const MEMORY_BYTES_MAX: usize = 256 << 10;
/// Different weights that are counted.
const WEIGHTS_MAX: usize = 1_000;
/// A weight that fewer voters share points at them.
const WEIGHT_VOTERS_MIN: u64 = 5;
/// Voters of the answer's preview.
const PREVIEW_MAX: usize = 10;
/// Read from the file at once, in bytes.
const CHUNK_BYTES: usize = 64 << 10;

/// What became of a roll.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RollAnswer {
    election_id: u64,
    /// Voters that are on the roll by this request.
    added: u64,
    refused: u64,
    /// With `dry_run`: how many voters the roll would add, if the chain takes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    would_add: Option<u64>,
    /// What the first line was taken for, where it names no voter.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<RollHead>,
    /// The first voters of the roll, as they are known from now on.
    preview: Vec<PreviewVoter>,
    /// How many of the added voters have which weight, where not all have the same: the first thousand
    /// weights.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    weights: Vec<WeightCount>,
    /// Where a weight that few share tells whose ballot is whose.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    /// Every refused line, in the order in which they were refused: first those that cannot be read, then
    /// those that do not go together with others.
    refused_lines: Vec<RefusedLine>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct PreviewVoter {
    /// From 1.
    line: u64,
    /// In its one form, in which tokens and submissions name the voter.
    voter_id: String,
    weight: u32,
    #[schema(value_type = schemas::Realm)]
    realm: Realm,
}

#[derive(Serialize, utoipa::ToSchema)]
struct WeightCount {
    weight: u32,
    voters: u64,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RefusedLine {
    /// From 1.
    pub(crate) line: u64,
    pub(crate) reason: String,
}

impl WeightCount {
    fn of((weight, voters): (&u32, &u64)) -> Self {
        Self {
            weight: *weight,
            voters: *voters,
        }
    }
}

/// A report that grows.
pub(crate) struct RollReport {
    added: u64,
    /// How many voters were added with which weight; no more weights than `WEIGHTS_MAX`.
    weights: BTreeMap<u32, u64>,
    refused: u64,
    would_add: Option<u64>,
    head: Option<RollHead>,
    preview: Vec<PreviewVoter>,
    lines: SpooledTempFile,
}

impl RollReport {
    /// Keeps what is too large for memory in a file of `directory`, which goes with the report.
    pub(crate) fn new(directory: &Path) -> Self {
        Self {
            added: 0,
            weights: BTreeMap::new(),
            refused: 0,
            would_add: None,
            head: None,
            preview: Vec::new(),
            lines: tempfile::spooled_tempfile_in(MEMORY_BYTES_MAX, directory),
        }
    }

    /// What the first line was taken for.
    pub(crate) fn head(&mut self, head: Option<RollHead>) {
        self.head = head;
    }

    /// A voter as it was given; the first are shown.
    pub(crate) fn preview(&mut self, line: u64, given: &str, weight: u32, realm: Realm) {
        if self.preview.len() < PREVIEW_MAX {
            let name = VoterName::parse(given);
            self.preview.push(PreviewVoter {
                line,
                voter_id: name.map_or_else(|_| given.to_owned(), |name| name.as_str().to_owned()),
                weight,
                realm,
            });
        }
    }

    /// Voters that would be on the roll, which are not put on it.
    pub(crate) fn would_add(&mut self, voters: u64) {
        self.would_add = Some(voters);
    }

    /// Voters that are on the roll now.
    pub(crate) fn add(&mut self, entries: &[RollEntry]) {
        self.added += entries.len() as u64;
        for entry in entries {
            if self.weights.len() < WEIGHTS_MAX || self.weights.contains_key(&entry.weight) {
                *self.weights.entry(entry.weight).or_default() += 1;
            }
        }
    }

    fn warning(&self) -> Option<String> {
        if self.weights.len() < 2 {
            return None;
        }
        let rare = self
            .weights
            .values()
            .filter(|voters| **voters < WEIGHT_VOTERS_MIN);
        let voters: u64 = rare.sum();
        (voters > 0).then(|| {
            format!(
                "{voters} voters have a weight that fewer than {WEIGHT_VOTERS_MIN} share; the board shows every ballot's weight, so that whoever knows theirs finds their ballots"
            )
        })
    }

    pub(crate) fn refuse(&mut self, line: RefusedLine) -> Result<(), Problem> {
        let mut text = match self.refused {
            0 => Vec::new(),
            _ => b",".to_vec(),
        };
        serde_json::to_writer(&mut text, &line).map_err(|error| Problem::internal(&error))?;
        self.refused += 1;
        self.lines
            .write_all(&text)
            .map_err(|error| Problem::internal(&error))
    }

    /// The whole, as [`RollAnswer`].
    pub(crate) fn answer(mut self, election_id: u64) -> Result<Response, Problem> {
        self.lines
            .rewind()
            .map_err(|error| Problem::internal(&error))?;
        let weights = match self.weights.len() {
            0 | 1 => Vec::new(),
            _ => self.weights.iter().map(WeightCount::of).collect(),
        };
        let warning = self.warning();
        let empty = RollAnswer {
            election_id,
            added: self.added,
            refused: self.refused,
            would_add: self.would_add,
            head: self.head,
            preview: self.preview,
            weights,
            warning,
            refused_lines: Vec::new(),
        };
        let around = serde_json::to_string(&empty).map_err(|error| Problem::internal(&error))?;
        let (before, after) = around.split_at(around.len() - "]}".len());
        let before = stream::iter([Ok(Bytes::copy_from_slice(before.as_bytes()))]);
        let after = stream::iter([Ok(Bytes::copy_from_slice(after.as_bytes()))]);
        let lines = stream::unfold(self.lines, |mut lines| async move {
            let mut chunk = vec![0; CHUNK_BYTES];
            match lines.read(&mut chunk) {
                Ok(0) => None,
                Ok(length) => {
                    chunk.truncate(length);
                    Some((Ok(Bytes::from(chunk)), lines))
                }
                Err(error) => Some((Err(error), lines)),
            }
        });
        let whole = futures::StreamExt::chain(futures::StreamExt::chain(before, lines), after);
        let headers = [(header::CONTENT_TYPE, "application/json")];
        Ok((headers, Body::from_stream(whole)).into_response())
    }
}

#[cfg(test)]
mod tests {
    use tabella_protocol::VoterId;

    use super::*;

    async fn check(refused: u64) {
        let directory = tempfile::tempdir().unwrap();
        let mut report = RollReport::new(directory.path());
        for line in 1..=refused {
            let reason = "the \"same\" voter again".to_owned();
            report.refuse(RefusedLine { line, reason }).unwrap();
        }
        let entry = |weight| RollEntry {
            voter: VoterId([9; 32]),
            weight,
        };
        report.add(&[entry(1), entry(2), entry(1)]);
        let response = report.answer(7).unwrap();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        let answer: serde_json::Value = serde_json::from_slice(&body.unwrap()).unwrap();
        assert_eq!(answer["election_id"], 7);
        assert_eq!(answer["added"], 3);
        let weights = serde_json::json!([{"weight": 1, "voters": 2}, {"weight": 2, "voters": 1}]);
        assert_eq!(answer["weights"], weights);
        let warning = answer["warning"].as_str().unwrap();
        assert!(warning.starts_with("3 voters have a weight"), "{warning}");
        assert_eq!(answer["refused"], refused);
        let lines = answer["refused_lines"].as_array().unwrap();
        let numbers = lines.iter().filter_map(|line| line["line"].as_u64());
        assert!(numbers.eq(1..=refused));
    }

    #[tokio::test]
    async fn every_line_is_reported_in_order() {
        for refused in [0, 1, 2, 100_000] {
            check(refused).await;
        }
    }
}
