//! Who may read open ballots, on the command line.

use clap::ValueEnum;
use tabella_protocol::OpenBallots;

/// `--open-ballots`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OpenBallotsArgument {
    /// Anyone who reads blocks
    Anyone,
    /// Authorities, validators, registrars and auditors
    Readers,
}

impl From<OpenBallotsArgument> for OpenBallots {
    fn from(argument: OpenBallotsArgument) -> Self {
        match argument {
            OpenBallotsArgument::Anyone => Self::Anyone,
            OpenBallotsArgument::Readers => Self::Readers,
        }
    }
}
