//! Reading answers of others, who may say anything at any length.

use serde::de::DeserializeOwned;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    #[error("the answer is not understood: {0}")]
    Json(#[from] serde_json::Error),
}

/// Reads a successful answer of at most `bytes_max` bytes.
pub(crate) async fn read_json<T: DeserializeOwned>(
    answer: reqwest::Response,
    bytes_max: usize,
) -> Result<T, Error> {
    let mut answer = answer.error_for_status()?;
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if bytes.len() + chunk.len() > bytes_max {
            return Err(Error::TooLong(bytes_max));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(serde_json::from_slice(&bytes)?)
}
