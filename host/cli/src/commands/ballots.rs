//! `tabella ballots`: files of ballots, without counting them.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::json;
use tabella_election_files::{ConvertError, CountError, Election, Format, Spoiled, convert};

use super::plugin::{files, loaded};
use crate::exit::Exit;

/// Files of ballots
#[derive(Debug, Args)]
pub(crate) struct BallotsArguments {
    #[command(subcommand)]
    command: BallotsCommand,
}

#[derive(Debug, Subcommand)]
enum BallotsCommand {
    Convert(ConvertArguments),
}

/// Write ballots in another format, so that they count the same
///
/// What was written is read again and compared: a format that has no place for a mark is refused.
///
/// Example: tabella ballots convert stv --election ward.json --ballots ward.csv --to blt --output ward.blt
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
struct ConvertArguments {
    /// The rule that will count them: a built-in rule's name, a .wasm file, or the folder of a crate
    rule: String,
    /// Options and parameters, JSON or TOML
    #[arg(long)]
    election: PathBuf,
    #[command(flatten)]
    files: files::FileArguments,
    /// The format to write: json, jsonl, csv, blt, cvr, preflib, scot-elex, pabulib or abif
    #[arg(long, value_parser = files::format_of)]
    to: Format,
    /// The file to write; left out: the output
    #[arg(long)]
    output: Option<PathBuf>,
    /// Answer in JSON; then --output is needed
    #[arg(long, requires = "output")]
    json: bool,
}

impl BallotsArguments {
    /// Runs the command.
    pub(crate) fn run(&self) -> Result<Exit> {
        match &self.command {
            BallotsCommand::Convert(arguments) => arguments.run(),
        }
    }
}

impl ConvertArguments {
    fn run(&self) -> Result<Exit> {
        let election = Election::read(&self.election, self.files.contest())?;
        let files = self.files.read()?;
        let rule = loaded(&self.rule, 1)?;
        let spoiled = self.files.spoiled();
        let converted = match convert(&rule, &election, &files, self.to, spoiled) {
            Ok(converted) => converted,
            Err(error) => {
                if let ConvertError::Count(
                    CountError::Spoiled { count, problems }
                    | CountError::Undecided { count, problems },
                ) = &error
                {
                    files::show_problems(problems, *count);
                }
                return Err(error.into());
            }
        };
        let left_out = converted
            .problems
            .iter()
            .map(|problem| u128::from(problem.weight));
        let left_out: u128 = left_out.sum();
        debug_assert!(left_out == 0 || spoiled == Spoiled::Count);
        files::show_problems(&converted.problems, left_out);
        match &self.output {
            None => print!("{}", converted.text),
            Some(path) => {
                std::fs::write(path, &converted.text)
                    .with_context(|| format!("cannot write {}", path.display()))?;
                let ballots = converted.ballots;
                match self.json {
                    true => println!(
                        "{}",
                        json!({"ballots": ballots.to_string(), "left_out": left_out.to_string()})
                    ),
                    false => eprintln!("wrote {ballots} ballots, left out {left_out} spoiled ones"),
                }
            }
        }
        Ok(Exit::Success)
    }
}
