//! `POST /api/admin/elections/{id}/roll`: CSV or JSON lines, streamed.
//!
//! A line names a voter and, optionally, a weight: `voter_id[,weight]`, or
//! `{"voter_id": "...", "weight": 1}`. In an election of credentials `voter_id` is the public key.
//! Good lines go to the chain in parts as they come; refused lines are reported.

use std::{collections::HashSet, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    response::Response,
};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use serde::Deserialize;
use tabella_protocol::{Eligibility, Payload, PublicKey, RollEntry, VoterId};

use crate::{
    app::App,
    auth::{NAME_BYTES_MAX, Principal},
    elections::Election,
    extract::Path,
    openapi::{Administers, ReadsBody, Restricts},
    problem::Problem,
    roll_report::{RefusedLine, RollAnswer, RollReport},
};

/// Voters in one transaction.
const PART_MAX: usize = 5_000;
/// Longest line, in bytes.
const LINE_BYTES_MAX: usize = 1_024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonLine {
    voter_id: String,
    #[serde(default = "one")]
    weight: u32,
}

fn one() -> u32 {
    1
}

#[derive(Clone, Copy)]
enum Format {
    Csv,
    JsonLines,
}

/// Put voters on the roll of an election
///
/// Streamed: CSV lines `voter_id[,weight]` (`text/csv`) or JSON lines `{"voter_id": "..", "weight": 1}` (`application/x-ndjson`). Good lines go to the chain in parts as they come; every refused line is reported. The same roll again is harmless.
#[utoipa::path(
    post,
    path = "/api/admin/elections/{id}/roll",
    tag = "administration",
    operation_id = "extend_roll",
    params(("id" = u64, Path, description = "The election", example = 1)),
    request_body(content((String = "text/csv"), (String = "application/x-ndjson"))),
    responses(
        (status = 200, description = "What became of the lines", body = RollAnswer),
        Restricts,
        ReadsBody,
        Administers
    ),
    security(("bearer" = []))
)]
pub(crate) async fn extend(
    State(app): State<Arc<App>>,
    principal: Principal,
    Path(election_id): Path<u64>,
    request: Request,
) -> Result<Response, Problem> {
    principal.require_admin()?;
    let format = format(&request)?;
    let election = app.elections.get(election_id).await?;
    let mut import = Import {
        app: &app,
        election_id,
        election,
        format,
        line: 0,
        part: Vec::new(),
        part_lines: Vec::new(),
        part_voters: HashSet::new(),
        added: 0,
        report: RollReport::new(&app.spool_directory),
    };
    let mut body = request.into_body().into_data_stream();
    let mut rest = BytesMut::new();
    let mut skipping = false;
    while let Some(chunk) = body.next().await {
        let chunk: Bytes = chunk.map_err(|_| {
            Problem::bad_request(
                "unreadable-body",
                format!(
                    "the body ended before it was complete; {} voters were added",
                    import.added
                ),
            )
        })?;
        rest.extend_from_slice(&chunk);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line = rest.split_to(end + 1);
            if !std::mem::take(&mut skipping) {
                import.line(&line[..end]).await?;
            }
        }
        if rest.len() > LINE_BYTES_MAX {
            if !skipping {
                import.line(&rest).await?;
            }
            // Up to its end, wherever that is.
            skipping = true;
            rest.clear();
        }
    }
    if !rest.is_empty() && !skipping {
        import.line(&rest).await?;
    }
    import.flush().await?;
    import.report.answer(election_id, import.added)
}

fn format(request: &Request) -> Result<Format, Problem> {
    let content_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("text/csv");
    match content_type.split(';').next().unwrap_or_default().trim() {
        "text/csv" | "text/plain" => Ok(Format::Csv),
        "application/x-ndjson" | "application/jsonl" | "application/json" => Ok(Format::JsonLines),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "expected content-type text/csv or application/x-ndjson",
        )),
    }
}

struct Import<'a> {
    app: &'a App,
    election_id: u64,
    election: Election,
    format: Format,
    line: u64,
    part: Vec<RollEntry>,
    /// The line of each entry in the part.
    part_lines: Vec<u64>,
    part_voters: HashSet<VoterId>,
    added: u64,
    report: RollReport,
}

impl Import<'_> {
    async fn line(&mut self, line: &[u8]) -> Result<(), Problem> {
        self.line += 1;
        if line.len() > LINE_BYTES_MAX {
            let reason = format!("expected a line of at most {LINE_BYTES_MAX} bytes");
            return self.refuse(self.line, reason);
        }
        let Ok(text) = std::str::from_utf8(line) else {
            return self.refuse(self.line, "not UTF-8".to_owned());
        };
        let text = text.trim();
        let heading = self.line == 1 && (text == "voter_id" || text == "voter_id,weight");
        if text.is_empty() || heading {
            return Ok(());
        }
        match self.entry(text) {
            Ok(entry) if !self.part_voters.insert(entry.voter) => {
                self.refuse(self.line, "the same voter again".to_owned())?;
            }
            Ok(entry) => {
                self.part.push(entry);
                self.part_lines.push(self.line);
            }
            Err(reason) => self.refuse(self.line, reason)?,
        }
        if self.part.len() >= PART_MAX {
            self.flush().await?;
        }
        Ok(())
    }

    fn entry(&self, text: &str) -> Result<RollEntry, String> {
        let (voter_id, weight) = match self.format {
            Format::Csv => csv_line(text)?,
            Format::JsonLines => {
                let line: JsonLine =
                    serde_json::from_str(text).map_err(|error| error.to_string())?;
                (line.voter_id, line.weight)
            }
        };
        if voter_id.is_empty() || voter_id.len() > NAME_BYTES_MAX {
            return Err(format!(
                "expected a voter id of 1 to {NAME_BYTES_MAX} bytes"
            ));
        }
        if weight == 0 {
            return Err("expected a weight of at least 1".to_owned());
        }
        let voter = match self.election.view.spec.eligibility {
            Eligibility::Credentials => {
                let key: PublicKey = voter_id.parse().map_err(|_| "expected a public key")?;
                if !key.is_valid() {
                    return Err("expected an ed25519 public key".to_owned());
                }
                VoterId::from(key)
            }
            _ => self.election.pseudonym(&voter_id),
        };
        Ok(RollEntry { voter, weight })
    }

    fn refuse(&mut self, line: u64, reason: String) -> Result<(), Problem> {
        self.report.refuse(RefusedLine { line, reason })
    }

    /// Puts the part on the chain. The chain takes a part as a whole, so that one which it refuses
    /// is split until the refused lines are known.
    async fn flush(&mut self) -> Result<(), Problem> {
        let entries = std::mem::take(&mut self.part);
        let lines = std::mem::take(&mut self.part_lines);
        self.part_voters.clear();
        let mut parts = vec![(entries, lines)];
        while let Some((mut entries, mut lines)) = parts.pop() {
            if entries.is_empty() {
                continue;
            }
            let payload = Payload::ExtendRoll {
                election_id: self.election_id,
                entries: entries.clone(),
            };
            match self.app.administer(payload).await {
                Ok(_) => self.added += entries.len() as u64,
                Err(problem) if !problem.is(tabella_protocol::rpc::RefusalCode::InvalidRoll) => {
                    return Err(problem);
                }
                Err(problem) if entries.len() == 1 => {
                    self.refuse(lines[0], problem.detail().to_owned())?;
                }
                Err(_) => {
                    let half = entries.len() / 2;
                    let second = (entries.split_off(half), lines.split_off(half));
                    parts.push(second);
                    parts.push((entries, lines));
                }
            }
        }
        Ok(())
    }
}

/// `voter_id[,weight]` with the quoting of RFC 4180.
fn csv_line(text: &str) -> Result<(String, u32), String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    let read = reader.read_record(&mut record);
    if !read.map_err(|error| error.to_string())? {
        return Err("expected voter_id[,weight]".to_owned());
    }
    let mut fields = record.iter();
    let (voter_id, weight, more) = (fields.next(), fields.next(), fields.next());
    if more.is_some() {
        return Err("expected voter_id[,weight], got more fields".to_owned());
    }
    let weight = match weight {
        Some(weight) => weight
            .parse()
            .map_err(|_| format!("expected a weight from 1 to {}, got {weight:?}", u32::MAX))?,
        None => 1,
    };
    Ok((voter_id.unwrap_or_default().to_owned(), weight))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    fn check(line: &str, expected: Expect) {
        expected.assert_eq(&format!("{:?}", super::csv_line(line)));
    }

    #[test]
    fn csv_lines_name_a_voter_and_a_weight() {
        check("alice", expect![[r#"Ok(("alice", 1))"#]]);
        check("alice, 3", expect![[r#"Ok(("alice", 3))"#]]);
        check(r#""Doe, Jane",2"#, expect![[r#"Ok(("Doe, Jane", 2))"#]]);
        check(
            "alice,many",
            expect![[r#"Err("expected a weight from 1 to 4294967295, got \"many\"")"#]],
        );
        check(
            "alice,1,2",
            expect![[r#"Err("expected voter_id[,weight], got more fields")"#]],
        );
    }
}
