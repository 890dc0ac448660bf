//! Keys that were a quorum once, and sign on.

use tabella_protocol::{
    NodeAddress, Quorum, ReceiptError, VALIDATOR_CHANGE_DELAY, ValidatorChange, ValidatorHistory,
    ValidatorInfo, ValidatorSetProof,
};

use crate::support::{certificate, genesis, key, receipt};

/// Validators 4 to 6 join those of genesis; the history, and what proves the change.
fn proofs_of_changes() -> (ValidatorHistory, Vec<ValidatorSetProof>) {
    let genesis = genesis(3, Quorum::Majority);
    let mut history = ValidatorHistory::new(&genesis);
    let add = |n: u8| ValidatorChange::Add {
        validator: ValidatorInfo {
            node_id: format!("validator-{n}"),
            public_key: key(n).public(),
        },
        address: NodeAddress {
            p2p_address: format!("127.0.0.1:{}", 1_000 + u16::from(n)),
            rpc_url: format!("http://127.0.0.1:{}", 2_000 + u16::from(n)),
        },
    };
    let changes = [add(4), add(5), add(6)];
    let height = 10;
    history.decide(height, &changes).unwrap();
    let mut header = receipt(&genesis, 3, 7, &[]).header;
    header.height = height;
    header.validators = Some(history.hash());
    let proof = ValidatorSetProof {
        certificate: certificate(&genesis, height, header.hash(), &[1, 2]),
        header,
        set: history.latest().clone(),
    };
    (history, vec![proof])
}

#[test]
fn a_header_of_version_1_proves_nothing_once_the_validators_have_changed() {
    let genesis = genesis(3, Quorum::Majority);
    let (history, proofs) = proofs_of_changes();
    let mut forged = receipt(&genesis, 3, 7, &[]);
    forged.version = 2;
    forged.validator_sets = proofs;
    // A quorum of the set of then, which is not that of the chain any more, need not say so.
    forged.header.version = 1;
    forged.header.validators = None;
    forged.header.height = 10 + VALIDATOR_CHANGE_DELAY + 1_000;
    let signers = [1, 2, 3, 4, 5, 6];
    let hash = forged.header.hash();
    forged.certificate = certificate(&genesis, forged.header.height, hash, &signers);
    assert_eq!(forged.verify(&genesis), Err(ReceiptError::OtherValidators));
    let refused = history.verify_header(&forged.header, &forged.certificate);
    assert!(refused.is_err(), "{refused:?}");
}
