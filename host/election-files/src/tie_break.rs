//! Who decides ties, as a command line says it.

use std::path::Path;

use sha2::{Digest, Sha256};
use tabella_contest::TieBreak;
use thiserror::Error;

/// Why it is not said who decides ties.
#[derive(Debug, Error)]
pub enum TieBreakError {
    /// It is none of the three ways.
    #[error("expected seed:HEX, order:FILE or report, found {0:?}")]
    Unknown(String),
    /// The seed is not hexadecimal.
    #[error("expected 1 to 64 bytes in hexadecimal after seed:, found {0:?}")]
    Seed(String),
    /// The file of the order cannot be read.
    #[error("cannot read the tie-break order {path}: {error}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// The file starts like a JSON array and is not one of texts.
    #[error("{path}: expected a JSON array of option ids: {message}")]
    Order {
        /// The file.
        path: String,
        /// What is wrong.
        message: String,
    },
}

/// Reads `seed:HEX`, `order:FILE` or `report`.
///
/// A seed of 32 bytes, such as a board's root, is taken as it is; any other is hashed with SHA-256
/// first. The file of an order names option ids, one a line (`#` starts a comment) or as a JSON
/// array; the earlier wins.
pub fn read_tie_break(text: &str) -> Result<TieBreak, TieBreakError> {
    if text == "report" {
        return Ok(TieBreak::Report);
    }
    match text.split_once(':') {
        Some(("seed", seed)) => seed_of(seed),
        Some(("order", path)) => order_of(path),
        _ => Err(TieBreakError::Unknown(text.to_owned())),
    }
}

fn seed_of(text: &str) -> Result<TieBreak, TieBreakError> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let bytes = hex::decode(digits).ok();
    let bytes = bytes.filter(|bytes| (1..=64).contains(&bytes.len()));
    let bytes = bytes.ok_or_else(|| TieBreakError::Seed(text.to_owned()))?;
    let seed = <[u8; 32]>::try_from(bytes.as_slice());
    Ok(TieBreak::Seed(
        seed.unwrap_or_else(|_| Sha256::digest(&bytes).into()),
    ))
}

fn order_of(path: &str) -> Result<TieBreak, TieBreakError> {
    let text = std::fs::read_to_string(Path::new(path)).map_err(|error| TieBreakError::Read {
        path: path.to_owned(),
        error,
    })?;
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('[') {
        let ids = serde_json::from_str(text).map_err(|error| TieBreakError::Order {
            path: path.to_owned(),
            message: error.to_string(),
        })?;
        return Ok(TieBreak::Order(ids));
    }
    let ids = text.lines().map(str::trim);
    let ids = ids.filter(|id| !id.is_empty() && !id.starts_with('#'));
    Ok(TieBreak::Order(ids.map(str::to_owned).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_ways() {
        assert_eq!(read_tie_break("report").unwrap(), TieBreak::Report);
        let root = format!("seed:0x{}", "07".repeat(32));
        assert_eq!(read_tie_break(&root).unwrap(), TieBreak::Seed([7; 32]));
        let TieBreak::Seed(hashed) = read_tie_break("seed:07").unwrap() else {
            panic!("not a seed");
        };
        assert_eq!(hashed, <[u8; 32]>::from(Sha256::digest([7])));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("order");
        let way = format!("order:{}", path.display());
        for text in [
            "\u{feff}# drawn by lot\nb\r\n\n a \n",
            "\u{feff}[\"b\", \"a\"]",
        ] {
            std::fs::write(&path, text).unwrap();
            let order = TieBreak::Order(vec!["b".into(), "a".into()]);
            assert_eq!(read_tie_break(&way).unwrap(), order);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["seed:", "seed:0", "seed:xy", "lots", "order:/no/such/file"] {
            assert!(read_tie_break(text).is_err(), "{text}");
        }
    }
}
