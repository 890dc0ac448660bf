//! Checking a result certificate: a quorum of validators signed the same outcome of the same board.

use std::collections::BTreeSet;

use tabella_protocol::{
    Attestation, Genesis, Hash, HexBytes, Payload, Transaction, TransactionError, ValidatorHistory,
    rpc::{ElectionStatus, ResultCertificate, ResultsView},
};

use crate::Client;

/// A final result whose certificate holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedResults {
    /// What a quorum attested.
    pub attestation: Attestation,
    /// The canonical outcome of each contest, whose hashes were attested.
    pub outcomes: Vec<Vec<u8>>,
    /// How many validators attested.
    pub validators: usize,
}

/// Why results prove nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResultsError {
    /// No quorum has attested yet.
    #[error("the result is not final yet")]
    NotFinal,
    /// Certificate, board and outcomes do not belong together.
    #[error("the result certificate is of another {0}")]
    Other(&'static str),
    /// A proof is no attestation transaction.
    #[error("an attestation is not readable: {0}")]
    Unreadable(String),
    /// A proof is not signed by a validator of this network.
    #[error("an attestation is not signed by a validator of this network")]
    BadSignature,
    /// Too few validators attested.
    #[error("expected attestations of at least {expected} of {of} validators, got {got}")]
    NoQuorum {
        /// A quorum.
        expected: usize,
        /// All validators.
        of: usize,
        /// Distinct validators that attested.
        got: usize,
    },
}

impl Client {
    /// Checks that a quorum of validators attested these results, outcome bytes included.
    ///
    /// The plain JSON beside the outcome bytes is not covered: derive it from the bytes.
    pub fn verify_results(&self, view: &ResultsView) -> Result<VerifiedResults, ResultsError> {
        let certificate = match (&view.certificate, view.status) {
            (Some(certificate), ElectionStatus::Final) => certificate,
            _ => return Err(ResultsError::NotFinal),
        };
        let attestation = &certificate.attestation;
        if attestation.election_id != view.election_id
            || attestation.election_id != view.board.election_id
        {
            return Err(ResultsError::Other("election"));
        }
        if (attestation.board_size, attestation.board_root) != (view.board.size, view.board.root) {
            return Err(ResultsError::Other("board"));
        }
        let outcomes: Vec<_> = view
            .outcomes
            .iter()
            .map(|HexBytes(bytes)| bytes.clone())
            .collect();
        if !outcomes
            .iter()
            .map(|outcome| Hash::of(outcome))
            .eq(attestation.outcomes.iter().copied())
        {
            return Err(ResultsError::Other("outcome"));
        }
        let validators = count_attesters(certificate, self.genesis(), &self.validators())?;
        Ok(VerifiedResults {
            attestation: attestation.clone(),
            outcomes,
            validators,
        })
    }
}

fn count_attesters(
    certificate: &ResultCertificate,
    genesis: &Genesis,
    validators: &ValidatorHistory,
) -> Result<usize, ResultsError> {
    let set = validators.at(certificate.height);
    let unreadable = |error: TransactionError| ResultsError::Unreadable(error.to_string());
    let mut attesters = BTreeSet::new();
    for proof in &certificate.proofs {
        let transaction = Transaction::from_bytes(&proof.transaction.0).map_err(unreadable)?;
        let attests = matches!(
            &transaction.body.payload,
            Payload::AttestResult(attestation) if *attestation == certificate.attestation
        );
        if !attests || transaction.body.chain_id != genesis.chain_id {
            return Err(ResultsError::Other("attestation"));
        }
        let known = set.contains(&transaction.signer);
        if !known || !transaction.verify() {
            return Err(ResultsError::BadSignature);
        }
        attesters.insert(transaction.signer);
    }
    let of = set.validators.len();
    let (expected, got) = (set.threshold(), attesters.len());
    if got < expected {
        return Err(ResultsError::NoQuorum { expected, of, got });
    }
    Ok(got)
}
