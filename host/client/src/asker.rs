//! Asks processes that nobody trusts and that somebody else said where to find: bootnodes, and validators that are not
//! connected.

use std::time::Duration;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use tabella_protocol::PeerRecord;

/// Largest list of a bootnode: more than any network's records.
const PEERS_BYTES_MAX: usize = 256 << 10;

/// Why a process did not answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No connection, no answer in time, or a status that is not success.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    /// More than is read.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// Another answer than was asked for.
    #[error("the answer is not understood: {0}")]
    Json(serde_json::Error),
}

impl From<serde_json::Error> for AskError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

/// What became of an announcement.
#[derive(Debug)]
pub enum Announced {
    /// The bootnode holds this record, or a newer one.
    Held,
    /// The bootnode refused it.
    Refused(AskError),
}

/// Asks by deadline and reads only so much. It is sent nowhere else: it follows no redirect, and asks past any proxy
/// that the environment names.
#[derive(Debug, Clone)]
pub struct Asker {
    http: reqwest::Client,
}

impl Asker {
    /// Waits at most `deadline` for each answer.
    pub fn new(deadline: Duration) -> Result<Self, AskError> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(deadline)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { http })
    }

    /// The records that a bootnode holds. Each has to be checked.
    pub async fn peers(&self, bootnode: &str) -> Result<Vec<PeerRecord>, AskError> {
        let answer = self.http.get(peers_of(bootnode)).send().await?;
        read(answer, PEERS_BYTES_MAX).await
    }

    /// Tells a bootnode where a validator is.
    pub async fn announce(
        &self,
        bootnode: &str,
        record: &PeerRecord,
    ) -> Result<Announced, AskError> {
        let request = self.http.post(peers_of(bootnode)).json(record);
        let answer = request.send().await?;
        if answer.status() == reqwest::StatusCode::CONFLICT {
            return Ok(Announced::Held);
        }
        Ok(match answer.error_for_status() {
            Ok(_) => Announced::Held,
            Err(error) => Announced::Refused(error.into()),
        })
    }

    /// Calls a method without parameters at a validator's JSON-RPC.
    pub async fn call<T: DeserializeOwned>(
        &self,
        rpc_url: &str,
        method: &str,
        answer_bytes_max: usize,
    ) -> Result<T, AskError> {
        #[derive(Deserialize)]
        struct Answer<T> {
            result: T,
        }
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": []});
        let answer = self.http.post(rpc_url).json(&call).send().await?;
        let answer: Answer<T> = read(answer, answer_bytes_max).await?;
        Ok(answer.result)
    }
}

fn peers_of(bootnode: &str) -> String {
    format!("{}/peers", bootnode.trim_end_matches('/'))
}

/// Reads a successful answer of at most `bytes_max` bytes.
async fn read<T: DeserializeOwned>(
    answer: reqwest::Response,
    bytes_max: usize,
) -> Result<T, AskError> {
    let mut answer = answer.error_for_status()?;
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if bytes.len() + chunk.len() > bytes_max {
            return Err(AskError::TooLong(bytes_max));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(serde_json::from_slice(&bytes)?)
}
