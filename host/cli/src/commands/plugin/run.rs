//! `tabella plugin run`: counts an election from files.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use tabella_election_files::{CountError, Counted, Election, count_telling, read_tie_break};
use tabella_runtime::Plugin;

use super::files::{self, FileArguments, show_problems};
use crate::exit::Exit;
use crate::output::{self, plain, plain_json, set_in};

/// Count an election from files, with no network
///
/// Example: tabella plugin run instant-runoff --election examples/elections/burlington-2009/election.toml
///          --ballots examples/elections/burlington-2009/ballots.csv
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct RunArguments {
    /// A built-in rule's name, a .wasm file, or the folder of a crate, which is built first
    rule: String,
    /// Options and parameters, JSON or TOML: {"options": [{"id": "a", "title": "A"}], "params": {}}
    #[arg(long)]
    election: PathBuf,
    #[command(flatten)]
    files: FileArguments,
    /// Who decides ties: seed:HEX (lots), order:FILE (option ids, the earlier wins) or report
    /// (nobody; every tied option is listed)
    #[arg(long, default_value = "report")]
    tie_break: String,
    /// Threads that count; 0 for one a processor. Neither the outcome nor the fuel depends on it
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=256))]
    threads: u16,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &RunArguments) -> Result<Exit> {
    let tie_break = read_tie_break(&arguments.tie_break)?;
    let election = Election::read(&arguments.election, arguments.files.contest())?;
    let ballots = arguments.files.read()?;
    let rule = super::loaded(&arguments.rule, arguments.threads.into())?;
    let spoiled = arguments.files.spoiled();
    let tell = &mut files::Progress::new();
    let tell = &mut |records| tell.tell(records);
    match count_telling(&rule, &election, &ballots, &tie_break, spoiled, tell) {
        Ok(counted) => {
            show_problems(&counted.problems, counted.spoiled);
            if let Some(doubt) = counted.doubt() {
                if !arguments.json {
                    tell!("{}", plain(&counted.report.to_line()));
                    return Err(doubt.into());
                }
                tell!("tabella: {}", set_in(&doubt.to_string()));
                let read = counted.report.to_json();
                let answer = json!({
                    "error": doubt.to_string(), "problems": counted.problems, "read": read,
                });
                output::json(&answer);
                return Ok(Exit::Refused);
            }
            match arguments.json {
                true => output::json(&counted.to_json()),
                false => output::text(&describe(&rule, &counted)),
            }
            Ok(Exit::Success)
        }
        Err(error) => {
            let (CountError::Spoiled { count, problems }
            | CountError::Undecided { count, problems }) = &error
            else {
                return Err(error.into());
            };
            show_problems(problems, *count);
            if !arguments.json {
                return Err(error.into());
            }
            tell!("tabella: {}", set_in(&error.to_string()));
            let answer = json!({"error": error.to_string(), "problems": problems});
            output::json(&answer);
            Ok(Exit::Refused)
        }
    }
}

fn describe(rule: &Plugin, counted: &Counted) -> String {
    let answer = plain_json(&counted.to_json());
    let manifest = rule.manifest();
    let mut text = format!("{} {}\n", plain(&manifest.name), plain(&manifest.version));
    let ballots = &answer["ballots"];
    // Writing into a string cannot fail.
    let _ = writeln!(
        text,
        "{} ballots counted, {} spoiled; fuel {}",
        ballots["counted"], ballots["spoiled"], answer["fuel"]
    );
    let _ = writeln!(text, "{}", plain(&counted.report.to_line()));
    for (number, round) in list(&answer["rounds"]).iter().enumerate() {
        let _ = writeln!(text, "\nround {}", number + 1);
        for (id, votes) in round["totals"].as_object().into_iter().flatten() {
            let _ = writeln!(text, "  {:>14}  {id}", shown(votes));
        }
        let _ = writeln!(text, "  {:>14}  (exhausted)", shown(&round["exhausted"]));
        for (member, word) in [("elected", "elected"), ("eliminated", "out")] {
            let ids: Vec<String> = list(&round[member]).iter().map(shown).collect();
            if !ids.is_empty() {
                let _ = writeln!(text, "  {word}: {}", ids.join(", "));
            }
        }
    }
    text.push('\n');
    for option in list(&answer["options"]) {
        let mark = if option["elected"] == true { "*" } else { " " };
        let (votes, seats) = (shown(&option["votes"]), &option["seats"]);
        let title = shown(&option["title"]);
        let seats = match seats.as_u64() {
            Some(0 | 1) | None => String::new(),
            Some(seats) => format!(" ({seats} seats)"),
        };
        let gone = match option["withdrawn"] == true {
            true => " (withdrawn)",
            false => "",
        };
        let _ = writeln!(text, "{mark} {votes:>14}  {title}{seats}{gone}");
    }
    if !answer["quota"].is_null() {
        let _ = writeln!(text, "quota {}", shown(&answer["quota"]));
    }
    for tie in list(&answer["ties"]) {
        let ids: Vec<String> = list(&tie["options"]).iter().map(shown).collect();
        let (question, by) = (shown(&tie["question"]), shown(&tie["decided_by"]));
        let _ = writeln!(text, "tie between {} ({question}): {by}", ids.join(", "));
    }
    let winners: Vec<String> = list(&answer["winners"]).iter().map(shown).collect();
    let _ = writeln!(text, "\nwinners: {}", winners.join(", "));
    let _ = writeln!(text, "{}", shown(&answer["explanation"]));
    text
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
