//! The report of a roll's import: every refused line, in bounded memory.
//!
//! It is one JSON object whose list may be longer than memory is to hold: it grows in a file, and goes
//! out from there.

use std::{
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
use tempfile::SpooledTempFile;

use crate::problem::Problem;

/// Reports up to this size stay in memory, in bytes.
const MEMORY_BYTES_MAX: usize = 256 << 10;
/// Read from the file at once, in bytes.
const CHUNK_BYTES: usize = 64 << 10;

/// What became of a roll.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RollAnswer {
    election_id: u64,
    /// Voters that are on the roll by this request.
    added: u64,
    refused: u64,
    /// Every refused line, in the order in which they were refused.
    refused_lines: Vec<RefusedLine>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RefusedLine {
    /// From 1.
    pub(crate) line: u64,
    pub(crate) reason: String,
}

/// A report that grows.
pub(crate) struct RollReport {
    refused: u64,
    lines: SpooledTempFile,
}

impl RollReport {
    /// Keeps what is too large for memory in a file of `directory`, which goes with the report.
    pub(crate) fn new(directory: &Path) -> Self {
        Self {
            refused: 0,
            lines: tempfile::spooled_tempfile_in(MEMORY_BYTES_MAX, directory),
        }
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
    pub(crate) fn answer(mut self, election_id: u64, added: u64) -> Result<Response, Problem> {
        self.lines
            .rewind()
            .map_err(|error| Problem::internal(&error))?;
        let empty = RollAnswer {
            election_id,
            added,
            refused: self.refused,
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
    use super::*;

    async fn check(refused: u64) {
        let directory = tempfile::tempdir().unwrap();
        let mut report = RollReport::new(directory.path());
        for line in 1..=refused {
            let reason = "the \"same\" voter again".to_owned();
            report.refuse(RefusedLine { line, reason }).unwrap();
        }
        let response = report.answer(7, 3).unwrap();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        let answer: serde_json::Value = serde_json::from_slice(&body.unwrap()).unwrap();
        assert_eq!(answer["election_id"], 7);
        assert_eq!(answer["added"], 3);
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
