//! JSON-RPC 2.0 over pooled HTTP, with a deadline and a size bound on every answer.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{ValidatorEndpoint, reader::Reader};

/// Largest answer read where the caller names no other bound, in bytes.
pub(crate) const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Why one call of one validator gave nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// No connection, or it broke.
    #[error("no connection: {0}")]
    Connection(String),
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// An HTTP status that is not success.
    #[error("returned status {0}")]
    Status(u16),
    /// An answer that is not the JSON-RPC answer asked for.
    #[error("the response does not match the request: {0}")]
    Garbage(String),
    /// An answer larger than is read: less must be asked for at once.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The validator refused the call.
    #[error("answered error {code}: {message}")]
    Rpc {
        /// JSON-RPC error code.
        code: i64,
        /// The validator's words.
        message: String,
        /// The error's `data`.
        data: Value,
    },
}

impl CallError {
    /// Whether it has too much to do, and says so.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Rpc { data, .. } if data["code"] == "busy")
    }

    /// Whether the validator itself is at fault, as opposed to the call that was made.
    pub(crate) fn blames_validator(&self) -> bool {
        !matches!(self, Self::Rpc { .. } | Self::TooLarge(_))
    }
}

#[derive(Serialize)]
struct Request<'a, P> {
    jsonrpc: &'static str,
    id: usize,
    method: &'a str,
    params: P,
}

#[derive(Deserialize)]
pub(crate) struct Response<T> {
    #[serde(default)]
    id: Option<usize>,
    #[serde(default = "Option::default")]
    result: Option<T>,
    error: Option<RpcError>,
}

#[derive(Deserialize)]
struct RpcError {
    code: i64,
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: Value,
}

impl<T: DeserializeOwned> Response<T> {
    fn into_result(self) -> Result<T, CallError> {
        if let Some(RpcError {
            code,
            mut message,
            data,
        }) = self.error
        {
            shorten(&mut message);
            return Err(CallError::Rpc {
                code,
                message,
                data,
            });
        }
        match self.result {
            Some(result) => Ok(result),
            // `null` is an answer where the type has a place for nothing.
            None => serde_json::from_value(Value::Null)
                .map_err(|_| CallError::Garbage("expected a result, got null".into())),
        }
    }
}

/// Longest message taken over from a validator, in bytes.
const MESSAGE_BYTES_MAX: usize = 2_000;

/// Cuts off what goes beyond [`MESSAGE_BYTES_MAX`].
pub(crate) fn shorten(message: &mut String) {
    if message.len() > MESSAGE_BYTES_MAX {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
    }
}

/// One method called many times in one request.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    body: Vec<u8>,
    count: usize,
}

impl Batch {
    pub(crate) fn new(method: &str, calls: impl IntoIterator<Item = impl Serialize>) -> Self {
        let mut body = vec![b'['];
        let mut count = 0;
        for (id, params) in calls.into_iter().enumerate() {
            if id > 0 {
                body.push(b',');
            }
            let request = Request {
                jsonrpc: "2.0",
                id,
                method,
                params,
            };
            serde_json::to_writer(&mut body, &request)
                .expect("plain data serialises, and memory takes it");
            count += 1;
        }
        body.push(b']');
        Self { body, count }
    }
}

/// The HTTP side, shared by all validators.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    http: reqwest::Client,
    reader: Option<Arc<Reader>>,
}

impl Transport {
    pub(crate) fn new(
        connect_timeout: Duration,
        reader: Option<Reader>,
    ) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(connect_timeout)
            .pool_max_idle_per_host(32)
            .pool_idle_timeout(Duration::from_secs(30))
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            http,
            reader: reader.map(Arc::new),
        })
    }

    /// Calls one method.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        endpoint: &ValidatorEndpoint,
        method: &str,
        params: impl Serialize,
        deadline: Duration,
        answer_bytes_max: usize,
    ) -> Result<T, CallError> {
        let request = Request {
            jsonrpc: "2.0",
            id: 0,
            method,
            params,
        };
        let body = serde_json::to_vec(&request).map_err(|e| CallError::Garbage(e.to_string()))?;
        let answer = self
            .post(endpoint, body, deadline, answer_bytes_max)
            .await?;
        let response: Response<T> = parse(&answer)?;
        response.into_result()
    }

    /// Sends a batch; the answers come in the order of its calls.
    pub(crate) async fn batch<T: DeserializeOwned>(
        &self,
        endpoint: &ValidatorEndpoint,
        batch: Batch,
        deadline: Duration,
        answer_bytes_max: usize,
    ) -> Result<Vec<Result<T, CallError>>, CallError> {
        let Batch { body, count } = batch;
        let answer = self
            .post(endpoint, body, deadline, answer_bytes_max)
            .await?;
        // A request refused as a whole is answered by one object instead of an array.
        if answer.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{') {
            let whole: Response<Value> = parse(&answer)?;
            return Err(match whole.into_result() {
                Err(error) => error,
                Ok(_) => CallError::Garbage("expected an array of answers".into()),
            });
        }
        let responses: Vec<Response<T>> = parse(&answer)?;
        in_order(responses, count)
    }

    async fn post(
        &self,
        endpoint: &ValidatorEndpoint,
        body: Vec<u8>,
        deadline: Duration,
        answer_bytes_max: usize,
    ) -> Result<Vec<u8>, CallError> {
        let exchange = async {
            let mut request = self
                .http
                .post(&endpoint.rpc_url)
                .header(reqwest::header::CONTENT_TYPE, "application/json")
                .body(body);
            if let Some(reader) = &self.reader {
                request = request.bearer_auth(reader.token(&endpoint.node_id));
            }
            let mut response = request.send().await.map_err(connection)?;
            if !response.status().is_success() {
                return Err(CallError::Status(response.status().as_u16()));
            }
            let mut answer = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(connection)? {
                if answer.len() + chunk.len() > answer_bytes_max {
                    return Err(CallError::TooLarge(answer_bytes_max));
                }
                answer.extend_from_slice(&chunk);
            }
            Ok(answer)
        };
        tokio::time::timeout(deadline, exchange)
            .await
            .unwrap_or(Err(CallError::Timeout(deadline)))
    }
}

fn connection(error: reqwest::Error) -> CallError {
    // The outer error repeats the URL; the innermost says what happened.
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    CallError::Connection(cause.to_string())
}

fn parse<T: DeserializeOwned>(answer: &[u8]) -> Result<T, CallError> {
    serde_json::from_slice(answer).map_err(|error| {
        // It may quote the answer.
        let mut error = error.to_string();
        shorten(&mut error);
        CallError::Garbage(error)
    })
}

fn in_order<T: DeserializeOwned>(
    responses: Vec<Response<T>>,
    count: usize,
) -> Result<Vec<Result<T, CallError>>, CallError> {
    let mut answers: Vec<Option<Result<T, CallError>>> = Vec::new();
    answers.resize_with(count, || None);
    for response in responses {
        let place = response.id.and_then(|id| answers.get_mut(id));
        let Some(place) = place else {
            return Err(CallError::Garbage("an answer to no call of ours".into()));
        };
        *place = Some(response.into_result());
    }
    let missing = || Err(CallError::Garbage("it has no response to this call".into()));
    Ok(answers
        .into_iter()
        .map(|answer| answer.unwrap_or_else(missing))
        .collect())
}
