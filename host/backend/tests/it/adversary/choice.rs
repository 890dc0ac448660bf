//! Whether a receipt is of a voter's choice, asked by the voter's own program.

use serde_json::json;
use tabella_contest::encode_choice;
use tabella_protocol::{ElectionProof, Receipt};
use tabella_receipt::{ChoiceError, is_of};
use tabella_runtime::Contest;

use crate::deployment::{ADMIN_TOKEN, Deployment};

#[tokio::test]
async fn a_receipt_is_of_the_choice_that_was_cast_and_of_no_other() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let (status, answer) = backend.cast("alice", "t1", "a").await;
    assert_eq!(status, 201, "{answer}");
    let path = "/api/votes/receipt?transaction_id=t1";
    // Byte for byte as it came.
    let receipt = backend
        .http
        .get(format!("{}{path}", backend.url))
        .bearer_auth(ADMIN_TOKEN);
    let receipt = receipt.send().await.unwrap().text().await.unwrap();
    let receipt = Receipt::from_json(&receipt).unwrap();
    let proof = async |id: u64| -> ElectionProof {
        let (status, proof) = backend
            .get(&format!("/api/elections/{id}/proof"), None)
            .await;
        assert_eq!(status, 200, "{proof}");
        serde_json::from_value(proof).unwrap()
    };
    let genesis = &deployment.network.genesis;
    // With the rule's own program, as the voter has it.
    let election = deployment
        .network
        .ledger
        .as_ref()
        .unwrap()
        .election(1)
        .unwrap();
    let asked = |receipt: &Receipt, proof: &ElectionProof, choice: &str| {
        is_of(receipt, proof, genesis, |proven| {
            let ballot = json!({ "choice": choice });
            let ids = proven.spec.contests.iter().map(|c| c.id.as_str());
            let papers = election.contests().iter().map(Contest::paper);
            encode_choice(ids.zip(papers), &ballot)
        })
    };
    let own = proof(1).await;
    assert_eq!(asked(&receipt, &own, "a").ok(), Some(true));
    assert_eq!(asked(&receipt, &own, "b").ok(), Some(false));
    let unknown = asked(&receipt, &own, "c");
    assert!(
        matches!(unknown, Err(ChoiceError::Ballot(_))),
        "{unknown:?}"
    );
    let other = asked(&receipt, &proof(3).await, "a");
    assert!(
        matches!(other, Err(ChoiceError::OtherElection { .. })),
        "{other:?}"
    );

    let mut forged = own.clone();
    forged.certificate.signatures.truncate(1);
    let forged = asked(&receipt, &forged, "a");
    assert!(
        matches!(forged, Err(ChoiceError::Election(_))),
        "{forged:?}"
    );
    let mut forged = receipt.clone();
    forged.entry.ballot_hash = tabella_protocol::Hash::of(b"another");
    let forged = asked(&forged, &own, "a");
    assert!(matches!(forged, Err(ChoiceError::Receipt(_))), "{forged:?}");
}
