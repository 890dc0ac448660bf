//! Evidence that validators lied.

use tabella_protocol::{EvidenceError, EvidenceFile, EvidenceSummary, Genesis};

/// Why evidence proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Not text.
    #[error("not an evidence file: not UTF-8")]
    NotText,
    /// It does not hold.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

/// Checks the bytes of an evidence file, which must be of the network of `genesis`.
pub fn check(bytes: &[u8], genesis: &Genesis) -> Result<EvidenceSummary, CheckError> {
    let text = std::str::from_utf8(bytes).map_err(|_| CheckError::NotText)?;
    Ok(EvidenceFile::from_json(text)?.verify(genesis)?)
}
