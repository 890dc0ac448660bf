//! Why a ballot is not acknowledged.

use std::time::Duration;

use tabella_client::Refusal;
use tabella_contest::ChoiceError;
use tabella_protocol::{ContestSpec, rpc::RefusalCode};
use tabella_runtime::Verdict;

use crate::{
    chain_read::{LookError, ReadError},
    credential::CredentialError,
    elections::{BallotProblem, FindError},
    electorate::VoterError,
    store::StoreError,
};

/// Why an election takes no ballots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOpen {
    /// It will.
    #[error("election {0} is not open yet")]
    NotYet(u64),
    /// It did.
    #[error("election {0} is closed")]
    Over(u64),
}

/// Why a ballot is none of its election.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BallotError {
    /// It has other contests than the election.
    #[error("{0}")]
    Contests(String),
    /// A contest's part is not shaped as the rule's schema says.
    #[error("{message}")]
    Shape {
        /// The contest's name, where the election has several.
        contest: Option<String>,
        /// Where in the contest's part, as a JSON pointer.
        pointer: String,
        /// What was expected.
        message: String,
    },
    /// The rule refuses it.
    #[error("{}", .refusal.message)]
    Refused {
        /// The contest's name, where the election has several.
        contest: Option<String>,
        /// In the rule's own words.
        refusal: Refusal,
    },
    /// The rule does not finish on it.
    #[error("{reason}")]
    Fault {
        /// The contest's name, where the election has several.
        contest: Option<String>,
        /// What stopped it.
        reason: String,
    },
    /// The sandbox failed.
    #[error("{0}")]
    Host(String),
}

/// Why a ballot is not acknowledged, or is refused for good.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CastError {
    /// Its election cannot be found.
    #[error(transparent)]
    Find(#[from] FindError),
    /// Its election takes none now.
    #[error(transparent)]
    NotOpen(#[from] NotOpen),
    /// Its election is being closed.
    #[error("election {0} is being closed and takes no more ballots")]
    Closing(u64),
    /// Who asks is no voter of the election.
    #[error(transparent)]
    Voter(#[from] VoterError),
    /// Another backend registers the voters of the election.
    #[error("election {0} has another registrar; vote through its backend")]
    OtherRegistrar(u64),
    /// Voters of the election hold keys.
    #[error("voters of election {0} sign their own ballots; send credential and signature")]
    CredentialRequired(u64),
    /// Voters of the election hold none.
    #[error("election {0} takes ballots of registered voters, not of credentials")]
    CredentialNotAccepted(u64),
    /// The voter's signature is no good.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// It is none of its election.
    #[error(transparent)]
    Ballot(#[from] BallotError),
    /// No block can hold it.
    #[error(
        "expected a ballot whose transaction has at most {most} bytes, which a block can hold, got {got}; \
         nothing was recorded"
    )]
    TooLarge {
        /// Its bytes.
        got: usize,
        /// What a block can hold.
        most: usize,
    },
    /// The voter has cast many lately.
    #[error("this voter has cast many ballots in this election lately")]
    TooManyBallots(Duration),
    /// The id that the client chose stands for another ballot.
    #[error("this transaction_id stands for another ballot; choose a new one")]
    Reused,
    /// The voter has a ballot in the election, which lets it have one.
    #[error("this voter has cast a ballot in election {election_id} already")]
    AlreadyVoted {
        /// The election.
        election_id: u64,
        /// The id to show of the voter's ballot.
        standing: String,
    },
    /// Validators, the proven chain or the local ledger refuse it for good.
    #[error("refused as {}: {}", .0.code.as_str(), .0.message)]
    Refused(Refusal),
    /// It was refused before, or would be by the chain.
    #[error("{reason}")]
    Ended {
        /// The stable code.
        code: String,
        /// Why, for people.
        reason: String,
        /// The id to show of the submission, where it was acknowledged before.
        submission: Option<String>,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The proven chain cannot be read.
    #[error(transparent)]
    Chain(#[from] ReadError),
}

impl CastError {
    /// What a rule or a schema said of a ballot, with the name of the contest.
    pub(crate) fn ballot(problem: BallotProblem, contests: &[ContestSpec]) -> Self {
        let name = |contest: usize| match (contests.get(contest), contests.len()) {
            (Some(contest), 2..) => Some(contest.id.clone()),
            _ => None,
        };
        Self::Ballot(match problem {
            BallotProblem::Choice(ChoiceError::Shape { contest, error }) => BallotError::Shape {
                contest: name(contest),
                pointer: error.pointer,
                message: error.message,
            },
            BallotProblem::Choice(ChoiceError::Contests(detail)) => BallotError::Contests(detail),
            BallotProblem::Rule {
                contest,
                verdict: Verdict::Reject { code, message },
            } => BallotError::Refused {
                contest: name(contest),
                refusal: Refusal {
                    code: RefusalCode::BallotRefused,
                    message,
                    plugin_code: Some(code),
                    contest: Some(contest),
                    validators: 0,
                },
            },
            BallotProblem::Rule { contest, verdict } => BallotError::Fault {
                contest: name(contest),
                reason: match verdict {
                    Verdict::Fault(fault) => fault.to_string(),
                    _ => "the rule gave no verdict".to_owned(),
                },
            },
            BallotProblem::Host(error) => BallotError::Host(error),
        })
    }
}

impl From<LookError> for CastError {
    fn from(error: LookError) -> Self {
        match error {
            LookError::Store(error) => error.into(),
            LookError::Chain(error) => error.into(),
        }
    }
}
