//! Documents that are handed out: blocks, certificates, receipts, proofs of elections.

use serde_json::{Value, json};
use tabella_protocol::{
    Attestation, Block, CommitCertificate, ElectionProof, Eligibility, Genesis, Hash, Header,
    HexBytes, Payload, Quorum, Receipt, RollChanges, Transaction, TransactionBody,
    ValidatorHistory, ValidatorSetProof, codec, merkle,
    rpc::{AttestationProof, ResultCertificate},
    state_root, transactions_root,
};

use super::{
    hex,
    values::{attestation, changes, election},
};
use crate::support::{certificate, genesis, key, receipt};

pub(super) fn vectors() -> Value {
    let (majority, bft) = (genesis(3, Quorum::Majority), genesis(4, Quorum::Bft));
    json!({
        "genesis": {"majority": majority, "bft": bft},
        "blocks": [block(&majority, 0), block(&majority, 3)],
        "certificates": certificates(&majority, &bft),
        "receipts": receipts(&majority, &bft),
        "election_proofs": election_proofs(&majority),
        "results": results(),
    })
}

fn block(genesis: &Genesis, size: u64) -> Value {
    let transactions = (0..size).map(|nonce| {
        let body = TransactionBody {
            chain_id: 7,
            expiry_height: 9,
            nonce,
            sequence: None,
            payload: Payload::OpenElection { election_id: 1 },
        };
        Transaction::sign(body, &key(100)).to_bytes()
    });
    let transactions: Vec<_> = transactions.collect();
    let ids: Vec<Hash> = transactions.iter().map(|bytes| Hash::of(bytes)).collect();
    let mut header = receipt(genesis, 0, 1, &[]).header;
    header.transaction_count = u32::try_from(ids.len()).unwrap();
    header.transactions_root = transactions_root(&ids);
    let hash = header.hash();
    let block = Block {
        header,
        transactions,
    };
    json!({"bytes": hex(codec::encode(&block)), "transactions": ids, "hash": hash})
}

fn certificates(majority: &Genesis, bft: &Genesis) -> Vec<Value> {
    let hash = Hash::of(b"block");
    let good = certificate(majority, 9, hash, &[1, 3]);
    let changed = |change: &dyn Fn(&mut CommitCertificate)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed
    };
    let tries = [
        ("two of three", "majority", good.clone()),
        (
            "all three",
            "majority",
            certificate(majority, 9, hash, &[1, 2, 3]),
        ),
        (
            "one of three",
            "majority",
            certificate(majority, 9, hash, &[2]),
        ),
        (
            "somebody else's too",
            "majority",
            certificate(majority, 9, hash, &[1, 2, 9]),
        ),
        (
            "of another network",
            "majority",
            certificate(bft, 9, hash, &[1, 3]),
        ),
        ("another round", "majority", changed(&|c| c.round = 1)),
        ("another height", "majority", changed(&|c| c.height = 8)),
        (
            "another block",
            "majority",
            changed(&|c| c.block_hash = Hash::ZERO),
        ),
        (
            "in the wrong order",
            "majority",
            changed(&|c| c.signatures.reverse()),
        ),
        (
            "one twice",
            "majority",
            changed(&|c| c.signatures[1] = c.signatures[0].clone()),
        ),
        (
            "three of four",
            "bft",
            certificate(bft, 9, hash, &[1, 2, 4]),
        ),
        ("two of four", "bft", certificate(bft, 9, hash, &[1, 2])),
    ];
    let tries = tries.map(|(about, name, certificate)| {
        let genesis = if name == "bft" { bft } else { majority };
        let verified = certificate.verify(&genesis.hash(), genesis.quorum, &genesis.validators);
        json!({"about": about, "genesis": name, "certificate": certificate, "valid": verified.is_ok()})
    });
    tries.to_vec()
}

/// A change of the validators, proven by a quorum of those of genesis; the sets that follow from it.
fn change(genesis: &Genesis) -> (ValidatorHistory, ValidatorSetProof) {
    let mut history = ValidatorHistory::new(genesis);
    history.decide(3, &changes()).unwrap();
    let mut header = receipt(genesis, 0, 1, &[]).header;
    (header.height, header.validators) = (3, Some(history.hash()));
    let certificate = certificate(genesis, 3, header.hash(), &[1, 2]);
    let set = history.latest().clone();
    (
        history,
        ValidatorSetProof {
            header,
            certificate,
            set,
        },
    )
}

/// What a receipt is about, its network's name, and its text.
type Try = (&'static str, &'static str, String);

fn receipts(majority: &Genesis, bft: &Genesis) -> Vec<Value> {
    let good = receipt(majority, 3, 7, &[1, 2, 3]);
    let with_change = after_change(majority);
    let holding = receipts_that_hold(majority, bft, &good, &with_change);
    let tries = holding
        .into_iter()
        .chain(receipts_that_do_not(&good, &with_change));
    let tries = tries.map(|(about, name, text)| {
        let genesis = if name == "bft" { bft } else { majority };
        let summary = Receipt::from_json(&text).and_then(|receipt| receipt.verify(genesis));
        json!({"about": about, "genesis": name, "text": text, "summary": summary.ok()})
    });
    tries.collect()
}

fn receipts_that_hold(
    majority: &Genesis,
    bft: &Genesis,
    good: &Receipt,
    with_change: &Receipt,
) -> [Try; 5] {
    let four = {
        let mut four = receipt(bft, 0, 1, &[]);
        four.certificate = certificate(bft, 9, four.header.hash(), &[2, 3, 4]);
        four.to_json()
    };
    [
        ("acknowledged by all", "majority", good.to_json()),
        (
            "acknowledged by two",
            "majority",
            receipt(majority, 6, 7, &[1, 3]).to_json(),
        ),
        (
            "the only ballot, acknowledged by nobody",
            "majority",
            receipt(majority, 0, 1, &[]).to_json(),
        ),
        (
            "after a change of the validators",
            "majority",
            with_change.to_json(),
        ),
        ("of four that tolerate a liar", "bft", four),
    ]
}

fn receipts_that_do_not(good: &Receipt, with_change: &Receipt) -> [Try; 13] {
    let changed = |of: &Receipt, change: &dyn Fn(&mut Receipt)| {
        let mut changed = of.clone();
        change(&mut changed);
        changed.to_json()
    };
    let text = good.to_json();
    [
        (
            "another weight",
            "majority",
            changed(good, &|r| r.entry.weight = 2),
        ),
        (
            "another position",
            "majority",
            changed(good, &|r| r.entry.position = 2),
        ),
        (
            "another election",
            "majority",
            changed(good, &|r| r.entry.election_id = 2),
        ),
        (
            "another place of the board",
            "majority",
            changed(good, &|r| r.board_index = 1),
        ),
        (
            "another header",
            "majority",
            changed(good, &|r| r.header.timestamp_ms += 1),
        ),
        (
            "a signature too few",
            "majority",
            changed(good, &|r| r.certificate.signatures.truncate(1)),
        ),
        (
            "acks in another order",
            "majority",
            changed(good, &|r| r.acks.reverse()),
        ),
        (
            "an ack of another block",
            "majority",
            changed(good, &|r| r.acks[0].block_hash = Hash::ZERO),
        ),
        (
            "another version",
            "majority",
            changed(good, &|r| r.version = 2),
        ),
        (
            "without the change",
            "majority",
            changed(with_change, &|r| {
                (r.version, r.validator_sets) = (1, Vec::new());
            }),
        ),
        ("of another network", "bft", text.clone()),
        (
            "with a blank more",
            "majority",
            text.replacen(": ", ":  ", 1),
        ),
        (
            "without its line feed",
            "majority",
            text.trim_end().to_owned(),
        ),
    ]
}

/// A receipt in a block that the changed validators certified.
fn after_change(genesis: &Genesis) -> Receipt {
    let (history, proof) = change(genesis);
    let mut receipt = receipt(genesis, 3, 7, &[]);
    receipt.version = Receipt::version(1);
    receipt.header.validators = Some(history.hash());
    receipt.certificate = certificate(genesis, 9, receipt.header.hash(), &[1, 3, 4]);
    receipt.validator_sets = vec![proof];
    receipt
}

fn election_proofs(genesis: &Genesis) -> Vec<Value> {
    let spec = election(Eligibility::Credentials {
        roll: RollChanges::Fixed,
    });
    // What follows the statement in a record is not read.
    let record = codec::encode(&(3u64, Hash::of(b"transaction"), &spec, [0u8; 40]));
    let leaves: Vec<Hash> = [b"one".as_slice(), b"two", &record]
        .map(merkle::leaf_hash)
        .to_vec();
    let Ok(path) = merkle::inclusion_proof(leaves.as_slice(), 2, 3);
    let mut header: Header = receipt(genesis, 0, 1, &[]).header;
    header.state_root = state_root(b"logs", &merkle::root(&leaves));
    let good = ElectionProof {
        version: ElectionProof::VERSION,
        genesis: genesis.hash(),
        record: HexBytes(record),
        index: 2,
        count: 3,
        path,
        logs: HexBytes(b"logs".to_vec()),
        certificate: certificate(genesis, 9, header.hash(), &[2, 3]),
        header,
        validator_sets: Vec::new(),
    };
    let mut other_record = good.clone();
    other_record.record.0[50] ^= 1;
    let mut other_place = good.clone();
    other_place.index = 1;
    let mut other_logs = good.clone();
    other_logs.logs.0.push(0);
    let mut unsigned = good.clone();
    unsigned.certificate.signatures.truncate(1);
    let tries = [
        ("an election", good),
        ("another record", other_record),
        ("another place", other_place),
        ("another rest of the state", other_logs),
        ("a signature too few", unsigned),
    ];
    let tries = tries.map(|(about, proof)| {
        let proven = proof.verify(genesis).ok().map(|proven| {
            json!({"election_id": proven.election_id, "title": proven.spec.title, "height": proven.height})
        });
        json!({"about": about, "genesis": "majority", "proof": proof, "proven": proven})
    });
    tries.to_vec()
}

/// Results of an election, and whether a quorum of three attests them.
fn results() -> Vec<Value> {
    let attest = |seed: u8, attestation: Attestation, chain_id: u64| {
        let body = TransactionBody {
            chain_id,
            expiry_height: 9,
            nonce: 1,
            sequence: None,
            payload: Payload::AttestResult(attestation),
        };
        let transaction = Transaction::sign(body, &key(seed));
        AttestationProof {
            validator: transaction.signer,
            signature: transaction.signature,
            transaction: HexBytes(transaction.to_bytes()),
        }
    };
    let by = |seed: u8| attest(seed, attestation(), 7);
    let mut other = attestation();
    other.outcomes[0] = Hash::of(b"other");
    let mut unsigned = by(2);
    let last = unsigned.transaction.0.len() - 1;
    unsigned.transaction.0[last] ^= 1;
    let mut misnamed = by(2);
    misnamed.validator = key(3).public();
    let tries = [
        ("two of three", vec![by(1), by(3)], true),
        ("all three", vec![by(1), by(2), by(3)], true),
        ("one of three", vec![by(1)], false),
        ("one of three, twice", vec![by(1), by(1)], false),
        (
            "one who attests another outcome",
            vec![by(1), attest(2, other, 7)],
            false,
        ),
        (
            "one of another chain",
            vec![by(1), attest(2, attestation(), 8)],
            false,
        ),
        (
            "somebody who is not a validator",
            vec![by(1), by(2), by(9)],
            false,
        ),
        (
            "one whose signature does not hold",
            vec![by(1), unsigned],
            false,
        ),
        (
            "one under the name of another",
            vec![by(1), misnamed],
            false,
        ),
    ];
    let tries = tries.map(|(about, proofs, valid)| {
        let certificate = ResultCertificate {
            attestation: attestation(),
            height: 9,
            proofs,
        };
        json!({"about": about, "genesis": "majority", "result": certificate, "valid": valid})
    });
    tries.to_vec()
}
