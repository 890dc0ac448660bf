//! `POST /api/admin/elections/{id}/roll`: CSV or JSON lines, streamed.
//!
//! A line names a voter and, optionally, a weight and a realm: `voter_id[,weight[,realm]]`, the columns of
//! a head, or `{"voter_id": "...", "weight": 1, "realm": "registrar"}`. In an election of credentials
//! `voter_id` is the public key. Once the whole is read, good lines go to the chain in the order of their pseudonyms and in
//! parts of equal size, so that a place on the roll tells nothing of the voter; refused lines are reported.

use std::{io, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    response::Response,
};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use serde::Deserialize;
use tabella_outbox::{
    elections::Election,
    electorate::Pseudonyms,
    subject::{NamedVoter, Realm},
};
use tabella_protocol::{Genesis, Payload, PublicKey, RollEntry, VoterId, rpc::RefusalCode};

use crate::{
    accounts::account_name,
    app::App,
    auth::Principal,
    extract::{Path, Query},
    openapi::{Administers, ReadsBody, Restricts},
    problem::Problem,
    roll_order::{LINES_MAX, Line, RollOrder, part_sizes},
    roll_report::{RefusedLine, RollAnswer, RollReport},
    roll_table::{RollLine, Table},
};

/// Most voters in one transaction,
const PART_MAX: u64 = 5_000;
/// each of whom takes this many bytes of it,
const ENTRY_BYTES: u64 = 36;
/// and all else in it no more than these.
const PART_ENVELOPE_BYTES: u64 = 512;
/// Longest line, in bytes.
const LINE_BYTES_MAX: usize = 1_024;
/// What some programs write before a text that is UTF-8. It is no part of the first voter's id.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// What is wanted of a roll.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollQuery {
    /// Read the roll and answer what would become of it, and put nobody on it.
    #[serde(default)]
    dry_run: bool,
    /// Whether the first line of a CSV is a head. Where this is not given the line tells, unless it is one
    /// word, such as `email`, that may be a head or a voter: then the roll is refused.
    head: Option<bool>,
}

#[derive(Clone, Copy)]
enum Format {
    Csv,
    JsonLines,
}

/// Put voters on the roll of an election
///
/// Streamed: CSV lines `voter_id[,weight[,realm]]` or a head and its columns, separated by commas, tabs or semicolons (`text/csv`), or JSON lines `{"voter_id": "..", "weight": 1, "realm": "registrar"}` (`application/x-ndjson`). The realm is `registrar`, for a voter whom a registrar names, or `account`, for an account of this backend. Nothing goes to the chain before the whole is read; then the good lines go, sorted by pseudonym, and every refused line is reported. The same roll again is harmless.
#[utoipa::path(
    post,
    path = "/api/admin/elections/{id}/roll",
    tag = "administration",
    operation_id = "extend_roll",
    params(("id" = u64, Path, description = "The election", example = 1), RollQuery),
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
    Query(query): Query<RollQuery>,
    request: Request,
) -> Result<Response, Problem> {
    principal.require_admin()?;
    let format = format(&request)?;
    let election = app.elections.get(election_id).await?;
    if election.view.spec.eligibility.roll().is_none() {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            RefusalCode::InvalidRoll.as_str(),
            format!(
                "election {election_id} has no roll; create one with eligibility registrar_roll or credentials"
            ),
        ));
    }
    let mut import = Import {
        app: &app,
        election_id,
        pseudonyms: app.electorate.pseudonyms(election_id),
        election,
        format,
        head: query.head,
        table: None,
        line: 0,
        order: RollOrder::new(&app.spool_directory).map_err(spool_failed)?,
        report: RollReport::new(&app.spool_directory),
    };
    let mut body = request.into_body().into_data_stream();
    let mut rest = BytesMut::new();
    let mut skipping = false;
    while let Some(chunk) = body.next().await {
        let chunk: Bytes = chunk.map_err(|_| {
            Problem::bad_request(
                "unreadable-body",
                "the body ended before it was complete; no voter was added",
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
    match query.dry_run {
        true => {
            let voters = import.once_each()?;
            import.report.would_add(voters);
        }
        false => import.put_on_chain().await?,
    }
    import.report.answer(election_id)
}

fn spool_failed(error: io::Error) -> Problem {
    Problem::internal(&error)
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
    pseudonyms: Pseudonyms,
    format: Format,
    /// Whether the first line of CSV is a head, where that was said.
    head: Option<bool>,
    /// The columns of CSV, once its first line is read.
    table: Option<Table>,
    line: u64,
    order: RollOrder,
    report: RollReport,
}

/// Why a line gave no entry.
enum Unread {
    /// The line stands for no voter.
    Line(String),
    /// This backend failed.
    Failed(Problem),
}

impl From<String> for Unread {
    fn from(reason: String) -> Self {
        Self::Line(reason)
    }
}

impl From<Problem> for Unread {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

impl Import<'_> {
    async fn line(&mut self, line: &[u8]) -> Result<(), Problem> {
        self.line += 1;
        if line.len() > LINE_BYTES_MAX {
            let reason = format!("expected a line of at most {LINE_BYTES_MAX} bytes");
            return self.refuse(self.line, reason);
        }
        let Ok(mut text) = std::str::from_utf8(line) else {
            return self.refuse(self.line, "not UTF-8".to_owned());
        };
        if self.line == 1 {
            text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        }
        let text = text.trim();
        if text.is_empty() || self.is_head(text)? {
            return Ok(());
        }
        match self.entry(text).await {
            Ok(_) if self.order.count() >= LINES_MAX => Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "roll-too-long",
                format!(
                    "expected at most {LINES_MAX} voters in one roll; no voter was added, send it in several"
                ),
            )),
            Ok(entry) => {
                let line = Line {
                    voter: entry.voter,
                    number: self.line,
                    weight: entry.weight,
                };
                self.order.push(line).map_err(spool_failed)
            }
            Err(Unread::Line(reason)) => self.refuse(self.line, reason),
            Err(Unread::Failed(problem)) => Err(problem),
        }
    }

    /// Whether a line is the head of the table, which the first line tells of.
    fn is_head(&mut self, text: &str) -> Result<bool, Problem> {
        if matches!(self.format, Format::JsonLines) || self.table.is_some() {
            return Ok(false);
        }
        let table = Table::of(text, self.head).map_err(|reason| {
            Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                RefusalCode::InvalidRoll.as_str(),
                format!("line {}: {reason}; no voter was added", self.line),
            )
        })?;
        let head = table.head.clone();
        let is_head = head.is_some();
        self.report.head(head);
        self.table = Some(table);
        Ok(is_head)
    }

    /// The entry that a line stands for, or why it stands for none.
    async fn entry(&mut self, text: &str) -> Result<RollEntry, Unread> {
        let line = match &self.table {
            Some(table) => table.line(text),
            None => serde_json::from_str(text).map_err(|error| error.to_string()),
        };
        let line: RollLine = line?;
        if line.weight == 0 {
            return Err("expected a weight of at least 1".to_owned().into());
        }
        let has_credentials = self.election.view.spec.eligibility.registrar().is_none();
        // Where voters hold keys, a line that names no realm is one of theirs.
        let realm = match has_credentials {
            true => Realm::Credential,
            false => line.realm,
        };
        let (weight, given) = (line.weight, line.voter_id.clone());
        let voter = match line.realm {
            Realm::Registrar if has_credentials => credential(&line.voter_id),
            Realm::Registrar => self.named(line.voter_id),
            Realm::Account if has_credentials => {
                Err("expected a public key, because voters of this election hold keys".to_owned())
            }
            Realm::Account => Ok(self.account(&line.voter_id).await?),
            Realm::Credential if has_credentials => credential(&line.voter_id),
            Realm::Credential => {
                Err("expected the realm registrar or account in this election".to_owned())
            }
        };
        let voter = voter?;
        self.report.preview(self.line, &given, weight, realm);
        Ok(RollEntry { voter, weight })
    }

    /// The voter whom a registrar names.
    fn named(&self, voter_id: String) -> Result<VoterId, String> {
        let voter = NamedVoter::new(voter_id);
        let name = voter.name.as_ref().map_err(ToString::to_string)?;
        let electorate = &self.app.electorate;
        if electorate.is_on_roll_otherwise(self.election_id, &voter) {
            return Err("the voter is on the roll already, by another form of this id".to_owned());
        }
        Ok(self.pseudonyms.of_registrar(name.as_str()))
    }

    /// The voter that an account is. The account must be there: whoever registered its name later would
    /// have the vote.
    async fn account(&self, given: &str) -> Result<VoterId, Unread> {
        let Ok(name) = account_name(given) else {
            return Err("expected the name of an account".to_owned().into());
        };
        let account = self.app.store.account(&name).await.map_err(Problem::from)?;
        if account.is_none() {
            return Err("there is no account of this name".to_owned().into());
        }
        let before = self
            .app
            .electorate
            .may_have_voted_before(self.election_id, &name);
        if before.await.map_err(Problem::from)? {
            let reason = "a ballot was cast under this name before accounts and registrars' voters were told apart";
            return Err(reason.to_owned().into());
        }
        Ok(self.pseudonyms.of_account(&name))
    }

    fn refuse(&mut self, line: u64, reason: String) -> Result<(), Problem> {
        self.report.refuse(RefusedLine { line, reason })
    }

    /// How many voters there are; who stands there again is refused.
    fn once_each(&mut self) -> Result<u64, Problem> {
        let mut count = 0;
        let mut before = None;
        for line in self.order.sorted().map_err(spool_failed)? {
            let line = line.map_err(spool_failed)?;
            if before.replace(line.voter) == Some(line.voter) {
                let reason = "the same voter again".to_owned();
                let number = line.number;
                self.report.refuse(RefusedLine {
                    line: number,
                    reason,
                })?;
            } else {
                count += 1;
            }
        }
        Ok(count)
    }

    /// Puts everybody on the chain, in the order of pseudonyms.
    async fn put_on_chain(&mut self) -> Result<(), Problem> {
        let count = self.once_each()?;
        let mut sorted = self.order.sorted().map_err(spool_failed)?;
        let mut before = None;
        for size in part_sizes(count, part_max(self.app.client.genesis())) {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            let mut part = Vec::with_capacity(size);
            while part.len() < size {
                let Some(line) = sorted.next().transpose().map_err(spool_failed)? else {
                    break;
                };
                if before.replace(line.voter) != Some(line.voter) {
                    part.push(line);
                }
            }
            put_part(self.app, self.election_id, part, &mut self.report).await?;
        }
        Ok(())
    }
}

/// Most voters in one transaction that a block of the network can hold.
fn part_max(genesis: &Genesis) -> u64 {
    let bytes_max = genesis.transaction_bytes_max() as u64;
    let fitting = bytes_max.saturating_sub(PART_ENVELOPE_BYTES) / ENTRY_BYTES;
    fitting.min(PART_MAX)
}

/// Puts a part on the chain, which takes it as a whole, so that one which it refuses is split until the
/// refused lines are known.
async fn put_part(
    app: &App,
    election_id: u64,
    part: Vec<Line>,
    report: &mut RollReport,
) -> Result<(), Problem> {
    let mut parts = vec![part];
    while let Some(mut part) = parts.pop() {
        let Some(first) = part.first() else {
            continue;
        };
        let entries: Vec<RollEntry> = part.iter().map(Line::entry).collect();
        let payload = Payload::ExtendRoll {
            election_id,
            entries: entries.clone(),
        };
        match app.outbox.administer(payload).await {
            Ok(_) => report.add(&entries),
            Err(error) if error.refusal() != Some(RefusalCode::InvalidRoll) => {
                return Err(error.into());
            }
            Err(error) if part.len() == 1 => report.refuse(RefusedLine {
                line: first.number,
                reason: Problem::from(error).detail().to_owned(),
            })?,
            Err(_) => {
                let second = part.split_off(part.len() / 2);
                parts.push(second);
                parts.push(part);
            }
        }
    }
    Ok(())
}

/// The voter that holds a key.
fn credential(text: &str) -> Result<VoterId, String> {
    let key: PublicKey = text.parse().map_err(|_| "expected a public key")?;
    if !key.is_valid() {
        return Err("expected an ed25519 public key".to_owned());
    }
    Ok(VoterId::from(key))
}
