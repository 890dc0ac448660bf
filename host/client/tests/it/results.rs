//! Result certificates that hold and ones that do not.

use tabella_client::{Client, ResultsError};
use tabella_protocol::{
    Attestation, BoardHead, Hash, HexBytes, Payload, SigningKey, Transaction, TransactionBody,
    rpc::{AttestationProof, ElectionStatus, ResultCertificate, ResultsView},
};

use crate::fake::{genesis, key};

fn proof(attestation: &Attestation, signer: &SigningKey) -> AttestationProof {
    let body = TransactionBody::new(77, 100, Payload::AttestResult(attestation.clone()));
    let transaction = Transaction::sign(body, signer);
    AttestationProof {
        validator: signer.public(),
        transaction: HexBytes(transaction.to_bytes()),
        signature: transaction.signature,
    }
}

fn view() -> ResultsView {
    let outcome = b"outcome".to_vec();
    let attestation = Attestation {
        election_id: 1,
        board_root: Hash([5; 32]),
        board_size: 9,
        plugins: vec![Hash([6; 32])],
        outcomes: vec![Hash::of(&outcome)],
    };
    ResultsView {
        election_id: 1,
        status: ElectionStatus::Final,
        board: BoardHead {
            election_id: 1,
            size: 9,
            root: Hash([5; 32]),
        },
        turnout: 9,
        outcomes: vec![HexBytes(outcome.clone())],
        plain: vec![],
        attested_by: vec![],
        certificate: Some(ResultCertificate {
            height: 1,
            proofs: vec![proof(&attestation, &key(1)), proof(&attestation, &key(2))],
            attestation,
        }),
    }
}

async fn check(change: impl FnOnce(&mut ResultsView)) -> Result<usize, ResultsError> {
    let client = Client::builder(genesis(3)).build().unwrap();
    let mut view = view();
    change(&mut view);
    client
        .verify_results(&view)
        .map(|verified| verified.validators)
}

#[tokio::test]
async fn a_quorum_of_equal_attestations_holds() {
    assert_eq!(check(|_| {}).await, Ok(2));
}

#[tokio::test]
async fn another_outcome_is_caught() {
    let result = check(|view| view.outcomes = vec![HexBytes(vec![0])]).await;
    assert_eq!(result, Err(ResultsError::Other("outcome")));
}

#[tokio::test]
async fn another_board_is_caught() {
    let result = check(|view| view.board.size = 10).await;
    assert_eq!(result, Err(ResultsError::Other("board")));
}

#[tokio::test]
async fn one_validator_twice_is_no_quorum() {
    let result = check(|view| {
        let certificate = view.certificate.as_mut().unwrap();
        certificate.proofs[1] = certificate.proofs[0].clone();
    })
    .await;
    assert_eq!(
        result,
        Err(ResultsError::NoQuorum {
            expected: 2,
            of: 3,
            got: 1
        })
    );
}

#[tokio::test]
async fn a_strangers_attestation_is_caught() {
    let result = check(|view| {
        let certificate = view.certificate.as_mut().unwrap();
        certificate.proofs[1] = proof(&certificate.attestation, &key(50));
    })
    .await;
    assert_eq!(result, Err(ResultsError::BadSignature));
}

#[tokio::test]
async fn an_attestation_of_something_else_is_caught() {
    let result = check(|view| {
        let certificate = view.certificate.as_mut().unwrap();
        let mut other = certificate.attestation.clone();
        other.outcomes = vec![Hash::ZERO];
        certificate.proofs[1] = proof(&other, &key(2));
    })
    .await;
    assert_eq!(result, Err(ResultsError::Other("attestation")));
}

#[tokio::test]
async fn a_changed_signature_is_caught() {
    let result = check(|view| {
        let proof = &mut view.certificate.as_mut().unwrap().proofs[0];
        *proof.transaction.0.last_mut().unwrap() ^= 1;
    })
    .await;
    assert_eq!(result, Err(ResultsError::BadSignature));
}

#[tokio::test]
async fn what_is_not_final_proves_nothing() {
    let result = check(|view| view.status = ElectionStatus::Closed).await;
    assert_eq!(result, Err(ResultsError::NotFinal));
}
