//! Whether the ballots of elections that are not over are for who asks.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use tabella_protocol::OpenBallots;

use crate::{app::App, auth::Principal, problem::Problem};

/// What who asks may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// Everything on the chain.
    All,
    /// What is not a ballot of an election that shows counts at its close, before it.
    Shown,
}

impl FromRequestParts<Arc<App>> for Reads {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        app: &Arc<App>,
    ) -> Result<Self, Self::Rejection> {
        if app.open_ballots == OpenBallots::Anyone {
            return Ok(Self::All);
        }
        // A token that is not good admits to what is for anyone, as none does.
        let principal = <Principal as FromRequestParts<Arc<App>>>::from_request_parts(parts, app);
        Ok(match principal.await {
            Ok(principal) if principal.require_auditor().is_ok() => Self::All,
            _ => Self::Shown,
        })
    }
}

/// What holds ballots of `election_id` is not for who asks.
pub(crate) fn withheld(election_id: u64) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "ballots-withheld",
        format!(
            "this holds ballots of election {election_id}, which shows counts at its close; until then it \
             is for auditors and administrators, with their token"
        ),
    )
}
