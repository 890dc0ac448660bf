//! `tabella ballots`: files of ballots, without counting them.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;
use tabella_election_files::{ConvertError, Converted, CountError, Election, Format, convert_to};

use super::plugin::{files, loaded};
use crate::exit::Exit;
use crate::output;
use crate::spool::{Spool, Target};

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
        let tell = &mut files::Progress::new();
        let tell = &mut |records| tell.tell(records);
        let spoiled = self.files.spoiled();
        let target = Target::of(self.output.as_deref())?;
        let spool = Spool::for_target(&target)?;
        let converted = convert_to(
            &rule,
            &election,
            &files,
            self.to,
            spoiled,
            &spool.path,
            tell,
        );
        let converted = match converted {
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
        files::show_problems(&converted.problems, converted.left_out);
        spool.give(&target)?;
        let Converted {
            ballots, left_out, ..
        } = converted;
        match (&self.output, self.json) {
            (None, _) => {}
            (Some(_), true) => output::json(
                &json!({"ballots": ballots.to_string(), "left_out": left_out.to_string()}),
            ),
            (Some(_), false) => {
                tell!("wrote {ballots} ballots, left out {left_out} spoiled ones");
            }
        }
        Ok(Exit::Success)
    }
}
