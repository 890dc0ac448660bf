//! `tabella plugin run`: counts an election from files.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tabella_election_files::{
    BallotFile, Columns, CountError, Counted, Election, Format, ImportError, Problem, Spoiled,
    count_all, read_tie_break,
};
use tabella_runtime::Plugin;

use super::source;
use crate::exit::Exit;

/// Problems shown to people; `--json` lists up to a thousand.
const PROBLEMS_SHOWN: usize = 20;

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
    /// The ballots: a file, or a folder or zip archive of files that belong together; given several
    /// times, as for precincts, all are counted as one election's
    #[arg(long, required = true)]
    ballots: Vec<PathBuf>,
    /// The ballots' format, where the file's name does not tell: json, jsonl, csv, xlsx, blt, cvr,
    /// cvr-xml, dominion, hart, preflib, scot-elex, pabulib or abif
    #[arg(long, alias = "import", value_parser = format_of)]
    format: Option<Format>,
    /// What the columns of a table are, where its head does not tell: words by place, such as
    /// count,rank1,rank2 or count,... (count, id, ignore, ballot, rankN; `...` at the end for further
    /// ranks; head, in front where the first line is a head)
    #[arg(long)]
    columns: Option<Columns>,
    /// Which contest, where a file has several
    #[arg(long)]
    contest: Option<String>,
    /// Who decides ties: seed:HEX (lots), order:FILE (option ids, the earlier wins) or report
    /// (nobody; every tied option is listed)
    #[arg(long, default_value = "report")]
    tie_break: String,
    /// What to do about ballots that cannot be read or that the rule refuses
    #[arg(long, value_enum, default_value = "refuse")]
    spoiled: SpoiledName,
    /// Threads that count; 0 for one a processor. Neither the outcome nor the fuel depends on it
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=256))]
    threads: u16,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// The format of that name.
fn format_of(name: &str) -> Result<Format, String> {
    Format::from_name(name).ok_or_else(|| {
        let known = Format::ALL.map(|(name, _)| name).join(", ");
        format!("expected one of {known}")
    })
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SpoiledName {
    /// Count nothing, and list them
    Refuse,
    /// Count the others, and say how many were spoiled
    Count,
}

impl From<SpoiledName> for Spoiled {
    fn from(name: SpoiledName) -> Self {
        match name {
            SpoiledName::Refuse => Self::Refuse,
            SpoiledName::Count => Self::Count,
        }
    }
}

/// Runs the command.
pub(crate) fn run(arguments: &RunArguments) -> Result<Exit> {
    let tie_break = read_tie_break(&arguments.tie_break)?;
    let election = Election::read(&arguments.election, arguments.contest.as_deref())?;
    let read = |path: &PathBuf| {
        let file = BallotFile::read(path, arguments.format)?;
        Ok(match &arguments.columns {
            Some(columns) => file.with_columns(columns.clone()),
            None => file,
        })
    };
    let ballots = arguments.ballots.iter().map(read);
    let ballots: Vec<BallotFile> = ballots.collect::<Result<_, ImportError>>()?;
    let source = source::load(&arguments.rule)?;
    let rule = super::runtime_of(arguments.threads.into())?.load(&source.wasm);
    let rule = rule.with_context(|| arguments.rule.clone())?;
    let spoiled = Spoiled::from(arguments.spoiled);
    match count_all(&rule, &election, &ballots, &tie_break, spoiled) {
        Ok(counted) => {
            show_problems(&counted.problems, counted.spoiled);
            if let Some(doubt) = counted.doubt() {
                if !arguments.json {
                    eprintln!("{}", counted.report.to_line());
                    return Err(doubt.into());
                }
                eprintln!("tabella: {doubt}");
                let read = counted.report.to_json();
                let answer = json!({
                    "error": doubt.to_string(), "problems": counted.problems, "read": read,
                });
                println!("{answer}");
                return Ok(Exit::Refused);
            }
            match arguments.json {
                true => println!("{}", counted.to_json()),
                false => print!("{}", describe(&rule, &counted)),
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
            eprintln!("tabella: {error}");
            let answer = json!({"error": error.to_string(), "problems": problems});
            println!("{answer}");
            Ok(Exit::Refused)
        }
    }
}

fn show_problems(problems: &[Problem], count: u128) {
    for problem in problems.iter().take(PROBLEMS_SHOWN) {
        eprintln!("{}", problem.to_line());
    }
    if problems.len() > PROBLEMS_SHOWN {
        eprintln!("… the first {PROBLEMS_SHOWN} are shown; {count} ballots are spoiled in all");
    }
}

fn describe(rule: &Plugin, counted: &Counted) -> String {
    let answer = counted.to_json();
    let manifest = rule.manifest();
    let mut text = format!("{} {}\n", manifest.name, manifest.version);
    let ballots = &answer["ballots"];
    // Writing into a string cannot fail.
    let _ = writeln!(
        text,
        "{} ballots counted, {} spoiled; fuel {}",
        ballots["counted"], ballots["spoiled"], answer["fuel"]
    );
    let _ = writeln!(text, "{}", counted.report.to_line());
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
        let _ = writeln!(text, "{mark} {votes:>14}  {title}{seats}");
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
