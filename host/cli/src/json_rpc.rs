//! JSON-RPC calls to a validator.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::http::{Client, HttpError};

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The validator answered with an error.
    #[error("{}", refusal(method, *code, message, data))]
    Refused {
        /// What was called.
        method: String,
        /// The JSON-RPC error code.
        code: i64,
        /// The validator's words.
        message: String,
        /// Its data, null where there is none.
        data: Value,
    },
    /// The answer has another shape than the method promises.
    #[error("{method}: expected a JSON-RPC answer of the documented shape, got {got}")]
    Shape {
        /// What was called.
        method: String,
        /// The beginning of what came.
        got: String,
    },
}

/// The validator's words, with the name that documents give the refusal, where it has one.
fn refusal(method: &str, code: i64, message: &str, data: &Value) -> String {
    match data["code"].as_str() {
        Some(name) => format!("{message} ({name})"),
        None => format!("{method}: {message} (code {code})"),
    }
}

/// Calls `method` with positional `params` on a validator's JSON-RPC port.
pub async fn call<T: DeserializeOwned>(
    client: &mut Client,
    method: &str,
    params: Value,
) -> Result<T, RpcError> {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let answer = client.post("/", &request).await?;
    let shape = || RpcError::Shape {
        method: method.to_owned(),
        got: answer.excerpt(),
    };
    let mut body = answer.json();
    if let Some(error) = body.get("error") {
        return Err(RpcError::Refused {
            method: method.to_owned(),
            code: error["code"].as_i64().unwrap_or_default(),
            message: error["message"].as_str().unwrap_or_default().to_owned(),
            data: error["data"].clone(),
        });
    }
    let result = body.get_mut("result").map(Value::take).ok_or_else(shape)?;
    serde_json::from_value(result).map_err(|_| shape())
}
