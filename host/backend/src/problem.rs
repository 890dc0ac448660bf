//! Refusals and failures as RFC 9457 problem documents with a stable `code`.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use tabella_api::ProblemDocument;
use tabella_protocol::{VoterId, rpc::RefusalCode};

/// A refusal or failure: its status, its stable code, and a sentence for the public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    code: String,
    detail: Box<str>,
    pointer: Option<Box<str>>,
    plugin_code: Option<u32>,
    transaction_id: Option<Box<str>>,
    retry_after: Option<Duration>,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            detail: detail.into().into(),
            pointer: None,
            plugin_code: None,
            transaction_id: None,
            retry_after: None,
        }
    }

    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub(crate) fn unknown_election(election_id: u64) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown-election",
            format!("there is no election {election_id}"),
        )
    }

    pub(crate) fn no_validator() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no-validator",
            "no validator can be reached now; try again later",
        )
    }

    /// More requests than one may make.
    pub(crate) fn too_many(wait: Duration) -> Self {
        let mut problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-requests",
            "too many requests; wait as long as retry-after says",
        );
        problem.retry_after = Some(wait);
        problem
    }

    /// More ballots of one voter in one election than are taken.
    pub(crate) fn too_many_ballots(wait: Duration) -> Self {
        let mut problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-ballots",
            "this voter has cast many ballots in this election lately; the last one stands, and another is taken after retry-after",
        );
        problem.retry_after = Some(wait);
        problem
    }

    /// More streams than are sent at once.
    pub(crate) fn too_many_streams() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-many-streams",
            "too many exports and boards are being sent; try again when others are done, or read the board by pages",
        )
    }

    /// More costly reads of one address, or of all, than wait for their turn.
    pub(crate) fn too_many_reads() -> Self {
        let mut problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-reads",
            "too many costly reads wait for their turn; wait as long as retry-after says",
        );
        problem.retry_after = Some(Duration::from_secs(1));
        problem
    }

    /// An internal failure: the error goes to the log, the client sees nothing of it.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed inside the backend");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the backend failed; the failure is in its log",
        )
    }

    /// The number that a rule gave with its refusal.
    pub(crate) fn with_plugin_code(mut self, code: Option<u32>) -> Self {
        self.plugin_code = code;
        self
    }

    /// The JSON pointer to the offending field.
    pub(crate) fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into().into());
        self
    }

    /// The submission that it is about.
    pub(crate) fn about(mut self, transaction_id: String) -> Self {
        self.transaction_id = Some(transaction_id.into());
        self
    }

    /// The sentence for the public.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// Whether the backend or the validators are at fault, not the request.
    pub(crate) fn is_server_fault(&self) -> bool {
        self.status.is_server_error()
    }

    /// The chain's refusal under its recorded code and reason.
    pub(crate) fn recorded_refusal(code: &str, reason: &str) -> Self {
        let parsed = serde_json::from_value(serde_json::Value::from(code)).ok();
        let status = parsed.map_or(StatusCode::CONFLICT, refusal_status);
        Self::new(status, code, public_reason(code, reason))
    }
}

/// A refusal's reason without pseudonyms: ledgers of before named the voter in what they refused, and so do
/// refusals that were recorded then.
pub(crate) fn public_reason(code: &str, reason: &str) -> String {
    let of_voters = [
        RefusalCode::NotOnRoll,
        RefusalCode::AlreadyVoted,
        RefusalCode::InvalidRoll,
    ];
    if !of_voters.iter().any(|of_voters| of_voters.as_str() == code) {
        return reason.to_owned();
    }
    let is_pseudonym = |word: &&str| {
        let word = word.trim_end_matches([',', ';', ':', '.']);
        word.parse::<VoterId>().is_ok()
    };
    let words = reason.split(' ').filter(|word| !is_pseudonym(word));
    words.collect::<Vec<_>>().join(" ")
}

/// The HTTP status that stands for a refusal by the chain.
pub(crate) fn refusal_status(code: RefusalCode) -> StatusCode {
    match code {
        RefusalCode::UnknownElection | RefusalCode::UnknownPlugin => StatusCode::NOT_FOUND,
        RefusalCode::NotOnRoll | RefusalCode::NotAuthorised => StatusCode::FORBIDDEN,
        RefusalCode::AlreadyVoted
        | RefusalCode::Superseded
        | RefusalCode::ElectionClosed
        | RefusalCode::ElectionNotOpen
        | RefusalCode::WrongElectionStatus
        | RefusalCode::AlreadyPublished
        | RefusalCode::AlreadyIncluded
        | RefusalCode::Expired
        | RefusalCode::ExpiryTooFar => StatusCode::CONFLICT,
        RefusalCode::MalformedTransaction | RefusalCode::OtherChain => StatusCode::BAD_REQUEST,
        RefusalCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        RefusalCode::MempoolFull | RefusalCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        // Understood, but what it says does not hold: ballots, rolls, plugins, signatures.
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemDocument {
            r#type: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail.into(),
            pointer: self.pointer.map(String::from),
            plugin_code: self.plugin_code,
            transaction_id: self.transaction_id.map(String::from),
        };
        let mut response = (self.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        let wait = match self.status {
            StatusCode::SERVICE_UNAVAILABLE => Some(Duration::from_secs(1)),
            _ => self.retry_after,
        };
        if let Some(wait) = wait {
            // Whole seconds, so that who waits them is not too early.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
