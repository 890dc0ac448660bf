//! `tabella ballots`: files of ballots, without counting them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::json;
use tabella_election_files::{ConvertError, Converted, CountError, Election, Format, convert_to};

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
        let tell = &mut files::Progress::new();
        let tell = &mut |records| tell.tell(records);
        let spoiled = self.files.spoiled();
        let spool = Spool::beside(self.output.as_deref())?;
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
        spool.give(self.output.as_deref())?;
        let Converted {
            ballots, left_out, ..
        } = converted;
        match (&self.output, self.json) {
            (None, _) => {}
            (Some(_), true) => println!(
                "{}",
                json!({"ballots": ballots.to_string(), "left_out": left_out.to_string()})
            ),
            (Some(_), false) => {
                eprintln!("wrote {ballots} ballots, left out {left_out} spoiled ones");
            }
        }
        Ok(Exit::Success)
    }
}

/// A file that is written before anybody sees it: a conversion that fails leaves nothing behind.
struct Spool {
    path: PathBuf,
}

impl Spool {
    /// Beside the file that it becomes; among the system's temporary files where that is none.
    fn beside(output: Option<&Path>) -> Result<Self> {
        let folder = match output {
            Some(output) if is_file_to_be(output) => match output.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
                _ => PathBuf::from("."),
            },
            _ => std::env::temp_dir(),
        };
        let name = format!(
            ".tabella-{}-{:016x}",
            std::process::id(),
            rand::random::<u64>()
        );
        let path = folder.join(name);
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        if !output.is_some_and(is_file_to_be) {
            // Ballots that only this process reads.
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let created = options.open(&path);
        created.with_context(|| format!("cannot write in {}", folder.display()))?;
        Ok(Self { path })
    }

    /// Makes it the output.
    fn give(self, output: Option<&Path>) -> Result<()> {
        if let Some(output) = output.filter(|output| is_file_to_be(output)) {
            let output = std::fs::canonicalize(output).unwrap_or_else(|_| output.to_owned());
            if let Ok(about) = std::fs::metadata(&output) {
                // Who may read it stays as it was.
                std::fs::set_permissions(&self.path, about.permissions())?;
            }
            return std::fs::rename(&self.path, &output)
                .with_context(|| format!("cannot write {}", output.display()));
        }
        let mut written = std::fs::File::open(&self.path)?;
        match output {
            None => {
                let mut out = io::stdout().lock();
                io::copy(&mut written, &mut out)?;
                out.flush()?;
            }
            Some(output) => {
                let failed = || format!("cannot write {}", output.display());
                let mut out = std::fs::OpenOptions::new();
                let mut out = out.write(true).open(output).with_context(failed)?;
                io::copy(&mut written, &mut out).with_context(failed)?;
            }
        }
        Ok(())
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // It became the output, or is of no use any more.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether that is a file, or nothing yet, and no device or pipe.
fn is_file_to_be(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |about| about.is_file())
}
