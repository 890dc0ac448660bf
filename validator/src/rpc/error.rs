//! JSON-RPC errors: the standard codes, `-32003` for refused transactions, `-32005` (EIP-1474) for
//! what goes beyond a bound, and `-32006` for ballots that are not for who asks.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};
use tabella_ledger::{LedgerError, Refusal};
use tabella_protocol::rpc::RefusalData;

const TOO_LARGE: &str = "answer-too-large";

/// Why a call has no result. Small: a request of a few bytes can make a thousand of them.
#[derive(Debug, Clone)]
pub(crate) struct RpcError {
    code: i32,
    message: Cow<'static, str>,
    data: Data,
}

/// What programs look at.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Data {
    Code { code: &'static str },
    Refusal(RefusalData),
}

impl RpcError {
    fn new(code: i32, message: impl Into<Cow<'static, str>>, data_code: &'static str) -> Self {
        Self {
            code,
            message: message.into(),
            data: Data::Code { code: data_code },
        }
    }

    /// The body is not JSON.
    pub(crate) fn parse(error: &serde_json::Error) -> Self {
        Self::new(-32700, format!("parse error: {error}"), "parse-error")
    }

    /// The JSON is not a call.
    pub(crate) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(
            -32600,
            format!("invalid request: {}", message.into()),
            "invalid-request",
        )
    }

    /// No method has this name.
    pub(crate) fn unknown_method(name: &str) -> Self {
        let name: String = name.chars().take(64).collect();
        Self::new(
            -32601,
            format!("the method {name} does not exist"),
            "unknown-method",
        )
    }

    /// The parameters are not the method's.
    pub(crate) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(
            -32602,
            format!("invalid params: {}", message.into()),
            "invalid-params",
        )
    }

    /// What the method works on is not there.
    pub(crate) fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(-32001, message, "not-found")
    }

    /// The node keeps no accounts.
    pub(crate) fn no_accounts() -> Self {
        let message = "this node holds no unlocked accounts: expected data with the hex of a signed \
                       Tabella transaction";
        Self::new(-32004, message, "no-accounts")
    }

    /// The answer holds ballots that are not for who asks, `reason` says why.
    pub(crate) fn withheld(election_id: u64, reason: &str) -> Self {
        let message = format!(
            "this holds ballots of election {election_id}, which shows counts at its close; until then it \
             is for authorities, validators, registrars and auditors, who send a reader's token \
             (`tabella keys reader-token`): {reason}"
        );
        Self::new(-32006, message, "withheld")
    }

    /// The request asks for more than one may at once.
    pub(crate) fn limit_exceeded(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(-32005, message, "limit-exceeded")
    }

    /// The result does not fit into the answer.
    pub(crate) fn answer_too_large(bytes_max: usize) -> Self {
        let message = format!(
            "the result is larger than the {bytes_max} bytes left in this answer; ask for less at once"
        );
        Self::new(-32005, message, TOO_LARGE)
    }

    /// Whether the result did not fit into the answer.
    pub(crate) fn is_too_large(&self) -> bool {
        matches!(self.data, Data::Code { code } if code == TOO_LARGE)
    }

    /// Too many ask at the moment.
    pub(crate) fn busy() -> Self {
        let message = "too many requests wait at the moment; ask again later, or another validator";
        Self::new(-32005, message, "busy")
    }

    /// The transaction is refused.
    pub(crate) fn refused(refusal: &Refusal) -> Self {
        Self {
            code: -32003,
            message: refusal.message.clone().into(),
            data: Data::Refusal(refusal.data()),
        }
    }

    /// The whole answer of a call that failed.
    pub(crate) fn respond(&self, id: Value) -> Value {
        json!({
            "jsonrpc": "2.0",
            "id": id,
            "error": { "code": self.code, "message": self.message, "data": self.data },
        })
    }
}

/// The cause goes to the log; the caller learns that it was not its fault.
impl From<LedgerError> for RpcError {
    fn from(error: LedgerError) -> Self {
        if let LedgerError::Damaged(_) = error {
            // Said in the log where it was found.
            let message = "what is stored here of this is damaged; ask another validator";
            return Self::new(-32603, message, "damaged");
        }
        tracing::error!(%error, "a call could not be answered");
        Self::new(
            -32603,
            "internal error; see the validator's log",
            "internal-error",
        )
    }
}
