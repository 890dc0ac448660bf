//! Receipts hold, and hold no longer after any change.

use expect_test::expect;
use tabella_protocol::{Quorum, Receipt};

use crate::support::{certificate, genesis, receipt};

#[test]
fn says_what_it_proves() {
    let genesis = genesis(3, Quorum::Majority);
    let summary = |ackers: &[u8]| {
        let summary = receipt(&genesis, 3, 7, ackers).verify(&genesis).unwrap();
        format!("{} of {}: {}", summary.acks, summary.of, summary.strength)
    };
    expect!["3 of 3: holds against one Byzantine validator"].assert_eq(&summary(&[1, 2, 3]));
    expect!["2 of 3: holds against crashed validators only"].assert_eq(&summary(&[1, 3]));
}

#[test]
fn no_single_byte_can_be_changed() {
    let genesis = genesis(3, Quorum::Majority);
    let text = receipt(&genesis, 3, 7, &[1, 2, 3]).to_json();
    assert!(Receipt::from_json(&text).unwrap().verify(&genesis).is_ok());
    let bytes = text.as_bytes();
    for position in 0..bytes.len() {
        for change in [1, 0x20] {
            let mut changed = bytes.to_vec();
            changed[position] ^= change;
            let accepted = String::from_utf8(changed)
                .ok()
                .and_then(|text| Receipt::from_json(&text).ok())
                .is_some_and(|receipt| receipt.verify(&genesis).is_ok());
            assert!(!accepted, "byte {position} xor {change} was accepted");
        }
    }
}

#[test]
fn refusals_name_the_reason() {
    let three = genesis(3, Quorum::Majority);
    let refusal = |change: &dyn Fn(&mut Receipt)| {
        let mut changed = receipt(&three, 3, 7, &[1, 2, 3]);
        change(&mut changed);
        changed.verify(&three).unwrap_err().to_string()
    };
    let table = [
        refusal(&|r| r.entry.position = 4),
        refusal(&|r| r.board.size = 8),
        refusal(&|r| r.header.height = 10),
        refusal(&|r| {
            r.certificate.signatures.pop();
        }),
        refusal(&|r| r.certificate.signatures.reverse()),
        refusal(&|r| r.certificate = certificate(&three, 9, r.header.hash(), &[1, 9])),
        refusal(&|r| r.acks.reverse()),
        refusal(&|r| r.acks[0].height = 8),
    ];
    expect![[r#"
        the receipt is inconsistent: the entry is not on the board
        the receipt is inconsistent: the board is not in the block
        the receipt is inconsistent: the certificate is of another block
        the commit certificate does not hold: expected signatures of at least 2 of 3 validators, got 1
        the commit certificate does not hold: expected signatures in ascending order of validator key, each validator once
        the commit certificate does not hold: 0xfd1724385aa0c75b64fb78cd602fa1d991fdebf76b13c58ed702eac835e9f618 signed, but is not a validator of this network at this height
        the receipt is inconsistent: acks are out of order
        the receipt is inconsistent: an ack does not hold"#]]
    .assert_eq(&table.join("\n"));
    let other = genesis(4, Quorum::Majority);
    let refused = receipt(&three, 3, 7, &[1])
        .verify(&other)
        .unwrap_err()
        .to_string();
    assert!(
        refused.starts_with("the receipt is for network 0x"),
        "{refused}"
    );
}
