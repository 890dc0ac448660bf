//! JSON-RPC errors: the standard codes, `-32003` for refused transactions, and `-32005` (EIP-1474) for
//! what goes beyond a bound.

use serde_json::{Value, json};
use tabella_ledger::{LedgerError, Refusal};

/// Why a call has no result.
#[derive(Debug, Clone)]
pub(crate) struct RpcError {
    code: i32,
    message: String,
    data: Value,
}

impl RpcError {
    fn new(code: i32, message: impl Into<String>, data_code: &str) -> Self {
        Self {
            code,
            message: message.into(),
            data: json!({ "code": data_code }),
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
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(-32001, message, "not-found")
    }

    /// The node keeps no accounts.
    pub(crate) fn no_accounts() -> Self {
        let message = "this node holds no unlocked accounts: expected data with the hex of a signed \
                       Tabella transaction";
        Self::new(-32004, message, "no-accounts")
    }

    /// The request asks for more than one may at once.
    pub(crate) fn limit_exceeded(message: impl Into<String>) -> Self {
        Self::new(-32005, message, "limit-exceeded")
    }

    /// The result does not fit into the answer.
    pub(crate) fn answer_too_large(bytes_max: usize) -> Self {
        let message = format!(
            "the result is larger than the {bytes_max} bytes left in this answer; ask for less at once"
        );
        Self::new(-32005, message, "answer-too-large")
    }

    /// Whether the result did not fit into the answer.
    pub(crate) fn is_too_large(&self) -> bool {
        self.data["code"] == "answer-too-large"
    }

    /// Too many ask at the moment.
    pub(crate) fn busy() -> Self {
        let message = "too many requests wait at the moment; ask again later, or another validator";
        Self::new(-32005, message, "busy")
    }

    /// The transaction is refused.
    pub(crate) fn refused(refusal: &Refusal) -> Self {
        let data = serde_json::to_value(refusal.data()).unwrap_or_default();
        Self {
            code: -32003,
            message: refusal.message.clone(),
            data,
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
