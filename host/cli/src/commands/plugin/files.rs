//! Files of ballots as a command line names them.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use tabella_election_files::{BallotFile, Columns, Format, ImportError, Problem, Spoiled};

use crate::output::plain;

/// Problems shown to people; `--json` lists up to a thousand.
const PROBLEMS_SHOWN: usize = 20;

/// Which files, and how they are to be read.
#[derive(Debug, Args)]
pub(crate) struct FileArguments {
    /// The ballots: a file, or a folder or zip archive of files that belong together; given several
    /// times, as for precincts, all are taken as one election's
    #[arg(long, required = true)]
    ballots: Vec<PathBuf>,
    /// The ballots' format, where the file's name does not tell: json, jsonl, csv, xlsx, blt, cvr,
    /// cvr-xml, dominion, hart, clear-ballot, preflib, scot-elex, pabulib or abif
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
    /// What to do about ballots that cannot be read or that the rule refuses
    #[arg(long, value_enum, default_value = "refuse")]
    spoiled: SpoiledName,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SpoiledName {
    /// Take none, and list them
    Refuse,
    /// Take the others, and say how many were spoiled
    Count,
}

/// The format of that name.
pub(crate) fn format_of(name: &str) -> Result<Format, String> {
    Format::from_name(name).ok_or_else(|| {
        let known = Format::ALL.map(|(name, _)| name).join(", ");
        format!("expected one of {known}")
    })
}

impl FileArguments {
    pub(crate) fn contest(&self) -> Option<&str> {
        self.contest.as_deref()
    }

    pub(crate) fn spoiled(&self) -> Spoiled {
        match self.spoiled {
            SpoiledName::Refuse => Spoiled::Refuse,
            SpoiledName::Count => Spoiled::Count,
        }
    }

    /// Reads the files.
    pub(crate) fn read(&self) -> Result<Vec<BallotFile>, ImportError> {
        let read = |path: &PathBuf| {
            let file = BallotFile::read(path, self.format)?;
            match &self.columns {
                Some(columns) => file.with_columns(columns.clone()),
                None => Ok(file),
            }
        };
        self.ballots.iter().map(read).collect()
    }
}

/// Says how far the reading of a long file is, where somebody looks at it.
pub(crate) struct Progress {
    since: Instant,
    is_seen: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            since: Instant::now(),
            is_seen: std::io::stderr().is_terminal(),
        }
    }

    /// So many records were read.
    pub(crate) fn tell(&mut self, records: u64) {
        if self.is_seen {
            let seconds = self.since.elapsed().as_secs();
            tell!("… {records} records read in {seconds} s");
        }
    }
}

/// Lists the first of the ballots that were not taken; `count` is how many there are.
pub(crate) fn show_problems(problems: &[Problem], count: u128) {
    for problem in problems.iter().take(PROBLEMS_SHOWN) {
        tell!("{}", plain(&problem.to_line()));
    }
    if problems.len() > PROBLEMS_SHOWN {
        tell!("… the first {PROBLEMS_SHOWN} are shown; {count} ballots are spoiled in all");
    }
}
