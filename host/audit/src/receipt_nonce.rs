//! Whether a receipt is of the very ballot that a voter cast, by the random number that only this voter
//! chose: two voters who chose alike cannot both find theirs in one transaction.

use std::path::Path;

use tabella_protocol::{Hash, Transaction};

/// Checks that the transaction that a receipt names, in the file as hex, carries the voter's nonce.
pub fn check(expected: Hash, file: &Path, nonce: u64) -> Result<(), String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let text = text.trim().trim_matches('"');
    let bytes = hex::decode(text.strip_prefix("0x").unwrap_or(text)).map_err(|_| {
        format!(
            "expected the transaction's bytes as hex in {}, such as `input` of eth_getTransactionByHash",
            file.display()
        )
    })?;
    let id = Hash::of(&bytes);
    if id != expected {
        return Err(format!(
            "{} holds transaction {id}, but the receipt is of {expected}; fetch that one",
            file.display()
        ));
    }
    let transaction = Transaction::from_bytes(&bytes).map_err(|error| error.to_string())?;
    if transaction.body.nonce != nonce {
        return Err(format!(
            "the receipt's ballot carries the nonce {}, not {nonce}: it is another voter's ballot",
            transaction.body.nonce
        ));
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
        super::check(id, &file, given)
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
