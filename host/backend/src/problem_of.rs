//! What every error of the domain is to HTTP: the one place that says so.

use axum::http::StatusCode;
use tabella_client::{QueryError, Refusal, SubmitError};
use tabella_outbox::{
    AdministerError, BallotError, CastError, CloseError, CredentialError, NotOpen, ReadError,
    ResumeError, SignedCloseError, elections::FindError, electorate::VoterError,
    local_ledger::NotOpenError, reconciliation::AccountError, store::StoreError,
    voter_name::VoterNameError,
};
use tabella_protocol::rpc::RefusalCode;

use crate::problem::{Problem, public_reason, refusal_status};

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let code = refusal.code.as_str();
        let detail = public_reason(&code, &refusal.message);
        Self::new(refusal_status(refusal.code), code, detail).with_plugin_code(refusal.plugin_code)
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Refused(refusal) => refusal.into(),
            SubmitError::NoValidator => Self::no_validator(),
            SubmitError::Unavailable(_) | SubmitError::QueueFull => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "validators-busy",
                "no validator takes transactions now; try again later",
            ),
        }
    }
}

impl From<AdministerError> for Problem {
    fn from(error: AdministerError) -> Self {
        let detail = error.to_string();
        match error {
            AdministerError::NoAuthorityKey => {
                Self::new(StatusCode::FORBIDDEN, "no-authority-key", detail)
            }
            AdministerError::TooLarge { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
            }
            AdministerError::Submit(error) => error.into(),
            AdministerError::NotConfirmed(id) => {
                let code = "not-confirmed-in-time";
                Self::new(StatusCode::GATEWAY_TIMEOUT, code, detail).about(id.to_string())
            }
            AdministerError::Rejected { code, reason } => {
                Self::recorded_refusal(&code.as_str(), &reason)
            }
        }
    }
}

impl From<CloseError> for Problem {
    fn from(error: CloseError) -> Self {
        match error {
            CloseError::Administer(error) => error.into(),
            CloseError::Store(error) => error.into(),
        }
    }
}

impl From<SignedCloseError> for Problem {
    fn from(error: SignedCloseError) -> Self {
        let detail = error.to_string();
        match error {
            SignedCloseError::NotAsked(_) => {
                Self::new(StatusCode::CONFLICT, "close-not-asked", detail)
            }
            SignedCloseError::Unsettled { .. } => {
                Self::new(StatusCode::CONFLICT, "ballots-unsettled", detail)
            }
            SignedCloseError::Administer(error) => error.into(),
            SignedCloseError::Store(error) => error.into(),
        }
    }
}

impl From<ResumeError> for Problem {
    fn from(error: ResumeError) -> Self {
        let detail = error.to_string();
        match error {
            ResumeError::MayBeClosing(_) | ResumeError::SignedUntil { .. } => {
                Self::new(StatusCode::CONFLICT, "may-be-closing", detail)
            }
            ResumeError::Closed(_) | ResumeError::NotOpen(_) => {
                Self::new(StatusCode::CONFLICT, "wrong-election-status", detail)
            }
            ResumeError::Store(error) => error.into(),
        }
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::NoValidator => Self::no_validator(),
            QueryError::Failed { .. } | QueryError::Disproved { .. } => {
                tracing::warn!(%error, "validators gave no usable answer");
                Self::new(
                    StatusCode::BAD_GATEWAY,
                    "validators-failed",
                    "the validators gave no usable answer; try again later",
                )
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let (code, detail) = match error {
            StoreError::Failed(_) => (
                "database-unavailable",
                "the database failed; what you asked for may have been recorded all the same: send the same again later",
            ),
            StoreError::Elsewhere => (
                "settled-elsewhere",
                "another backend looks after this submission; nothing was changed, ask again later",
            ),
            StoreError::Overloaded => (
                "overloaded",
                "too many submissions are waiting; nothing was recorded, try again later",
            ),
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Store(error) => error.into(),
            AccountError::Unreadable { .. } => Self::internal(&error),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        Self::internal(&error)
    }
}

impl From<NotOpenError> for Problem {
    fn from(error: NotOpenError) -> Self {
        Self::internal(&error)
    }
}

impl From<FindError> for Problem {
    fn from(error: FindError) -> Self {
        match error {
            FindError::NoValidator => Self::no_validator(),
            FindError::Unknown(election_id) => Self::unknown_election(election_id),
            FindError::CatchingUp { .. } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "catching-up",
                error.to_string(),
            ),
        }
    }
}

impl From<VoterNameError> for Problem {
    fn from(error: VoterNameError) -> Self {
        Self::bad_request("invalid-request", error.to_string())
    }
}

impl From<VoterError> for Problem {
    fn from(error: VoterError) -> Self {
        let detail = error.to_string();
        match error {
            VoterError::Operator => Self::bad_request("invalid-request", detail).at("/voter_id"),
            VoterError::AccountsNotAdmitted(_) => {
                Self::new(StatusCode::FORBIDDEN, "accounts-not-admitted", detail)
            }
            VoterError::Name(error) => Self::from(error).at("/voter_id"),
            VoterError::Store(error) => error.into(),
            VoterError::Chain(error) => error.into(),
        }
    }
}

impl From<CredentialError> for Problem {
    fn from(error: CredentialError) -> Self {
        let (code, pointer) = match error {
            CredentialError::Expiry { .. } => ("expiry-out-of-range", "/expiry_height"),
            CredentialError::Signature => ("bad-signature", "/signature"),
        };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, error.to_string()).at(pointer)
    }
}

impl From<NotOpen> for Problem {
    fn from(error: NotOpen) -> Self {
        let code = match error {
            NotOpen::NotYet(_) => "election-not-open",
            NotOpen::Over(_) => "election-closed",
        };
        Self::new(StatusCode::CONFLICT, code, error.to_string())
    }
}

impl From<BallotError> for Problem {
    fn from(error: BallotError) -> Self {
        let base = |contest: Option<String>| match contest {
            Some(name) => format!("/ballot/{}", escape(&name)),
            None => "/ballot".to_owned(),
        };
        let unprocessable =
            |code, detail: String| Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
        match error {
            BallotError::Contests(detail) => {
                unprocessable("ballot-malformed", detail).at("/ballot")
            }
            BallotError::Shape {
                contest,
                pointer,
                message,
            } => {
                unprocessable("ballot-malformed", message).at(format!("{}{pointer}", base(contest)))
            }
            BallotError::Refused { contest, refusal } => Self::from(refusal).at(base(contest)),
            BallotError::Fault { contest, reason } => {
                unprocessable("rule-fault", reason).at(base(contest))
            }
            BallotError::Host(error) => Self::internal(&error),
        }
    }
}

impl From<CastError> for Problem {
    fn from(error: CastError) -> Self {
        let detail = error.to_string();
        let forbidden = |code, detail: String| Self::new(StatusCode::FORBIDDEN, code, detail);
        let conflict = |code, detail: String| Self::new(StatusCode::CONFLICT, code, detail);
        match error {
            CastError::Find(error) => error.into(),
            CastError::NotOpen(error) => error.into(),
            CastError::Closing(_) => conflict("election-closed", detail),
            CastError::Voter(error) => error.into(),
            CastError::OtherRegistrar(_) => forbidden("other-registrar", detail),
            CastError::CredentialRequired(_) => forbidden("credential-required", detail),
            CastError::CredentialNotAccepted(_) => forbidden("credential-not-accepted", detail),
            CastError::Credential(error) => error.into(),
            CastError::Ballot(error) => error.into(),
            CastError::TooLarge { .. } => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                RefusalCode::TooLarge.as_str(),
                detail,
            )
            .at("/ballot"),
            CastError::TooManyBallots(wait) => Self::too_many_ballots(wait),
            CastError::Reused => conflict("transaction-id-reused", detail).at("/transaction_id"),
            CastError::AlreadyVoted { standing, .. } => {
                conflict("already-voted", detail).about(standing)
            }
            CastError::Refused(refusal) => refusal.into(),
            CastError::Ended {
                code,
                reason,
                submission,
            } => {
                let problem = Self::recorded_refusal(&code, &reason);
                match submission {
                    Some(submission) => problem.about(submission),
                    None => problem,
                }
            }
            CastError::Store(error) => error.into(),
            CastError::Chain(error) => error.into(),
        }
    }
}

/// A member's name within a JSON pointer (RFC 6901).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
