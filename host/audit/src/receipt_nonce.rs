//! Whether a receipt is of the very ballot that a voter cast, by the random number that only this voter
//! chose: two voters who chose alike cannot both find theirs in one transaction.

use std::path::Path;

use tabella_protocol::{Hash, Transaction, TransactionError};

/// Why a receipt is not shown to be of the voter's own ballot.
#[derive(Debug, thiserror::Error)]
pub enum NonceError {
    /// The file cannot be read.
    #[error("cannot read {path}: {error}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// The file holds no bytes as hex.
    #[error(
        "expected the transaction's bytes as hex in {path}, such as `input` of eth_getTransactionByHash"
    )]
    NotHex {
        /// The file.
        path: String,
    },
    /// The file holds another transaction than the receipt is of.
    #[error("{path} holds transaction {found}, but the receipt is of {expected}; fetch that one")]
    OtherTransaction {
        /// The file.
        path: String,
        /// Its transaction.
        found: Hash,
        /// The receipt's.
        expected: Hash,
    },
    /// The bytes are no transaction.
    #[error("{0}")]
    Transaction(TransactionError),
    /// The ballot carries the number of another voter.
    #[error(
        "the receipt's ballot carries the nonce {found}, not {expected}: it is another voter's ballot"
    )]
    OtherNonce {
        /// The ballot's.
        found: u64,
        /// The voter's.
        expected: u64,
    },
}

/// Checks that the transaction that a receipt names, in the file as hex, carries the voter's nonce.
pub(crate) fn check(expected: Hash, file: &Path, nonce: u64) -> Result<(), NonceError> {
    let path = || file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| NonceError::Read {
        path: path(),
        error,
    })?;
    let text = text.trim().trim_matches('"');
    let bytes = hex::decode(text.strip_prefix("0x").unwrap_or(text))
        .map_err(|_| NonceError::NotHex { path: path() })?;
    let found = Hash::of(&bytes);
    if found != expected {
        return Err(NonceError::OtherTransaction {
            path: path(),
            found,
            expected,
        });
    }
    let transaction = Transaction::from_bytes(&bytes).map_err(NonceError::Transaction)?;
    if transaction.body.nonce != nonce {
        return Err(NonceError::OtherNonce {
            found: transaction.body.nonce,
            expected: nonce,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tabella_protocol::{Payload, SigningKey, TransactionBody, VoterId};

    use super::*;

    /// A transaction in a file, changed after its receipt was given.
    fn check(nonce: u64, given: u64, change: impl Fn(&mut Vec<u8>)) -> Result<(), String> {
        let payload = Payload::CastBallot {
            election_id: 1,
            voter: VoterId([1; 32]),
            ballots: vec![vec![1]],
        };
        let mut body = TransactionBody::new(7, 100, payload);
        body.nonce = nonce;
        let mut bytes = Transaction::sign(body, &SigningKey::from_seed([1; 32])).to_bytes();
        let id = Hash::of(&bytes);
        change(&mut bytes);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("transaction.hex");
        std::fs::write(&file, format!("0x{}\n", hex::encode(&bytes))).unwrap();
        super::check(id, &file, given).map_err(|error| error.to_string())
    }

    #[test]
    fn the_voters_own_number_is_in_the_voters_own_ballot_alone() {
        assert_eq!(check(5, 5, |_| {}), Ok(()));
        let clash = check(6, 5, |_| {}).unwrap_err();
        assert!(clash.ends_with("it is another voter's ballot"), "{clash}");
        let other = check(5, 5, |bytes| bytes[9] ^= 1).unwrap_err();
        assert!(other.contains("but the receipt is of"), "{other}");
    }
}
