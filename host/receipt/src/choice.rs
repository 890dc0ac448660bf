//! Whether a receipt is of one choice: what a voter's own program asks, with no network.

use tabella_protocol::{
    ElectionProof, ElectionProofError, Genesis, ProvenElection, Receipt, ReceiptError,
};

/// Why it cannot be said whether a receipt is of a choice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError<E> {
    /// The receipt proves nothing.
    #[error("the receipt does not hold: {0}")]
    Receipt(ReceiptError),
    /// The election's proof shows nothing.
    #[error("the election's proof does not hold: {0}")]
    Election(ElectionProofError),
    /// They are of two elections.
    #[error("the receipt is of election {receipt}, the proof of election {proof}")]
    OtherElection {
        /// The receipt's.
        receipt: u64,
        /// The proof's.
        proof: u64,
    },
    /// The choice is none in this election.
    #[error(transparent)]
    Ballot(E),
}

/// Returns whether `receipt` is of the choice that `encode` encodes, by nothing but genesis.
///
/// `encode` is given the election as the chain committed to it, as `GET /api/elections/{id}/proof` proves
/// it, and returns the canonical bytes of the choice, one byte string for each contest: with its options
/// and with what the rule of its hash says of its ballots (`tabella_contest::encode_choice`), whose program
/// this crate does not run.
pub fn is_of<E>(
    receipt: &Receipt,
    election: &ElectionProof,
    genesis: &Genesis,
    encode: impl FnOnce(&ProvenElection) -> Result<Vec<Vec<u8>>, E>,
) -> Result<bool, ChoiceError<E>> {
    receipt.verify(genesis).map_err(ChoiceError::Receipt)?;
    let election = election.verify(genesis).map_err(ChoiceError::Election)?;
    if election.election_id != receipt.entry.election_id {
        return Err(ChoiceError::OtherElection {
            receipt: receipt.entry.election_id,
            proof: election.election_id,
        });
    }
    let ballots = encode(&election).map_err(ChoiceError::Ballot)?;
    Ok(receipt.is_of(&ballots))
}
