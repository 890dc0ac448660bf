//! How the process ends.

use std::process::ExitCode;

/// What a command that ran to its end tells its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// What was asked holds or is done: 0.
    Success,
    /// What was checked does not hold: 1.
    Refused,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Success => Self::SUCCESS,
            Exit::Refused => Self::FAILURE,
        }
    }
}
