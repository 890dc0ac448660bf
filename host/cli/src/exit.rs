//! How the process ends.

use std::process::ExitCode;

use clap::ArgMatches;
use serde_json::json;

use crate::output::{self, READER_GONE, ReaderGone, set_in};

/// What a command that ran to its end tells its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// What was asked holds or is done: 0.
    Success,
    /// What was checked does not hold: 1.
    Refused,
    /// Something is missing before it can be said whether what was checked holds: 3.
    Undecided,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Success => Self::SUCCESS,
            Exit::Refused => Self::FAILURE,
            Exit::Undecided => Self::from(3),
        }
    }
}

/// Returns whether the subcommand was asked to answer in JSON; then its failure is told in JSON, too.
pub fn wants_json(matches: &ArgMatches) -> bool {
    match matches.subcommand() {
        Some((_, matches)) => wants_json(matches),
        None => matches!(matches.try_get_one("json"), Ok(Some(true))),
    }
}

/// Says on the error output why a program failed, and on the output in JSON where that was asked for.
pub fn failure(program: &str, error: &anyhow::Error, wants_json: bool) -> ExitCode {
    if error.is::<ReaderGone>() {
        return ExitCode::from(READER_GONE);
    }
    tell!("{program}: {}", set_in(&format!("{error:#}")));
    if wants_json {
        output::json(&json!({"error": format!("{error:#}")}));
    }
    ExitCode::FAILURE
}
