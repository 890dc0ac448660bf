//! Peer records: what is refused.

use expect_test::expect;
use tabella_protocol::{Hash, PeerRecord, Quorum, Signature};

use crate::support::{genesis, key};

#[test]
fn refuses_forged_foreign_stale_and_malformed_records() {
    let network = genesis(3, Quorum::Majority);
    let record = PeerRecord {
        genesis: network.hash(),
        node_id: "validator-1".into(),
        public_key: key(1).public(),
        p2p_address: "127.0.0.1:30303".into(),
        rpc_url: "http://127.0.0.1:8001".into(),
        sequence: 1,
        expires_at_ms: 2_000,
        signature: Signature([0; 64]),
    };
    assert!(record.clone().sign(&key(1)).check(&network, 1_000).is_ok());
    let refusal =
        |record: PeerRecord, now_ms| record.check(&network, now_ms).unwrap_err().to_string();
    let changed = |change: &dyn Fn(&mut PeerRecord)| {
        let mut record = record.clone();
        change(&mut record);
        refusal(record.sign(&key(1)), 1_000)
    };
    let table = [
        refusal(record.clone(), 1_000),
        refusal(record.clone().sign(&key(2)), 1_000),
        refusal(record.clone().sign(&key(1)), 2_000),
        changed(&|r| r.genesis = Hash::ZERO).replace(&network.hash().to_string(), "OURS"),
        changed(&|r| r.public_key = key(9).public()),
        changed(&|r| r.node_id = "validator-2".into()),
        changed(&|r| r.expires_at_ms = u64::MAX),
        changed(&|r| r.p2p_address = "nowhere".into()),
        changed(&|r| r.rpc_url = "file:///etc/passwd".into()),
    ];
    expect![[r#"
        the record of validator-1 is not signed by its key
        the record of validator-1 is not signed by its key
        the record of validator-1 expired at 2000, now is 2000
        expected a record for network OURS, got one for 0x0000000000000000000000000000000000000000000000000000000000000000
        0xfd1724385aa0c75b64fb78cd602fa1d991fdebf76b13c58ed702eac835e9f618 is not a validator of this network
        0x8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c is not a validator of this network
        expected an expiry at most 86400000 ms ahead
        expected a p2p address host:port, got "nowhere"
        expected an rpc_url that starts with http:// or https://, got "file:///etc/passwd""#]]
    .assert_eq(&table.join("\n"));
}
