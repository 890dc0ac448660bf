//! Transactions of every kind and version, and bytes that are not one.

use serde_json::{Value, json};
use tabella_protocol::{
    Hash, Payload, Quorum, RollEntry, SigningKey, Transaction, TransactionBody, VoterId, codec,
    sign_together,
};

use super::{
    hex,
    values::{attestation, changes, election, eligibilities, evidence},
};
use crate::support::{genesis, key};

fn body(sequence: Option<u64>, payload: Payload) -> TransactionBody {
    TransactionBody {
        chain_id: 7,
        expiry_height: 1_000,
        nonce: 1,
        sequence,
        payload,
    }
}

fn ballot(voter: u8) -> Payload {
    Payload::CastBallot {
        election_id: 3,
        voter: VoterId([voter; 32]),
        ballots: vec![vec![0, 2], vec![1]],
    }
}

fn payloads() -> Vec<Payload> {
    let wasm = b"\0asm\x01\0\0\0".to_vec();
    let entry = |voter: u8| RollEntry {
        voter: VoterId([voter; 32]),
        weight: u32::from(voter),
    };
    let mut payloads = vec![
        Payload::PublishPlugin { wasm },
        Payload::ExtendRoll {
            election_id: 3,
            entries: vec![entry(1), entry(2)],
        },
        Payload::OpenElection { election_id: 3 },
        Payload::CloseElection { election_id: 3 },
        ballot(9),
        Payload::AttestResult(attestation()),
        Payload::ChangeValidators { changes: changes() },
    ];
    payloads
        .extend(eligibilities().map(|eligibility| Payload::CreateElection(election(eligibility))));
    let evidence = evidence(&genesis(3, Quorum::Majority));
    payloads.extend(evidence.map(|evidence| Payload::SubmitEvidence(Box::new(evidence))));
    payloads
}

fn described(transaction: &Transaction) -> Value {
    let body = &transaction.body;
    let batch = transaction.batch.as_ref();
    json!({
        "kind": body.payload.kind(), "version": transaction.to_bytes()[0], "chain_id": body.chain_id,
        "expiry_height": body.expiry_height, "nonce": body.nonce, "sequence": body.sequence,
        "payload": hex(codec::encode(&body.payload)), "signer": transaction.signer,
        "signature": transaction.signature,
        "batch": batch.map(|place| json!({"index": place.index, "size": place.size, "path": place.path})),
        "bytes": hex(transaction.to_bytes()), "id": transaction.id(), "valid": transaction.verify(),
    })
}

/// Ballots that one registrar signed together.
fn batched(
    voters: std::ops::Range<u8>,
    sequence: Option<u64>,
    key: &SigningKey,
) -> Vec<Transaction> {
    let bodies = voters.map(|voter| body(sequence.map(|s| s + u64::from(voter)), ballot(voter)));
    sign_together(bodies.collect(), key)
}

pub(super) fn vectors() -> Value {
    let registrar = key(50);
    let mut signed: Vec<Transaction> = payloads()
        .into_iter()
        .map(|payload| Transaction::sign(body(None, payload), &registrar))
        .collect();
    signed.push(Transaction::sign(body(Some(2), ballot(9)), &registrar));
    signed.extend(batched(1..3, None, &registrar));
    signed.extend(batched(1..6, Some(7), &registrar));
    signed.extend(batched(0..64, None, &registrar).into_iter().step_by(21));
    json!({
        "transactions": signed.iter().map(described).collect::<Vec<_>>(),
        "badly_signed": badly_signed(&registrar),
        "unreadable": unreadable(&registrar),
    })
}

/// Transactions that can be read, and whose signature does not hold.
fn badly_signed(key: &SigningKey) -> Vec<Value> {
    let of_two = batched(1..3, None, key).remove(0);
    let alone = Transaction::sign(body(None, ballot(9)), key);
    let changed = |about: &str, of: &Transaction, change: &dyn Fn(&mut Transaction)| {
        let mut changed = of.clone();
        change(&mut changed);
        assert!(!changed.verify(), "{about}");
        json!({"about": about, "bytes": hex(changed.to_bytes())})
    };
    let place = |change: &'static dyn Fn(&mut tabella_protocol::BatchPlace)| {
        move |transaction: &mut Transaction| change(transaction.batch.as_mut().unwrap())
    };
    vec![
        changed("another nonce", &alone, &|t| t.body.nonce = 2),
        changed("another signer", &alone, &|t| {
            t.signer = crate::support::key(51).public()
        }),
        changed("a sequence added", &alone, &|t| t.body.sequence = Some(1)),
        changed("another place", &of_two, &place(&|p| p.index ^= 1)),
        changed(
            "a place beyond the batch",
            &of_two,
            &place(&|p| p.index = 2),
        ),
        changed(
            "another size with a path of the same shape",
            &of_two,
            &place(&|p| p.size = 3),
        ),
        changed(
            "a longer path",
            &of_two,
            &place(&|p| p.path.push(Hash::ZERO)),
        ),
        changed("no path", &of_two, &place(&|p| p.path.clear())),
        changed("a batch of one", &alone, &|t| {
            t.batch = Some(tabella_protocol::BatchPlace {
                index: 0,
                size: 1,
                path: Vec::new(),
            });
        }),
        changed("the batch's signature without the place", &of_two, &|t| {
            t.batch = None
        }),
    ]
}

/// Bytes that are not a transaction.
fn unreadable(key: &SigningKey) -> Vec<Value> {
    let good = Transaction::sign(body(None, ballot(9)), key).to_bytes();
    let open = Payload::OpenElection { election_id: 3 };
    let mut not_a_ballot = Transaction::sign(body(None, open), key).to_bytes();
    not_a_ballot.splice(0..1, [2]);
    not_a_ballot.splice(25..25, 9u64.to_le_bytes());
    let start = |version: u8| [&[version], &good[1..]].concat();
    let mut kind = good.clone();
    kind[25] = 9;
    let tries = [
        ("nothing", vec![]),
        ("version 0", start(0)),
        ("version 5", start(5)),
        ("version 3 without a place", start(3)),
        ("an unknown kind", kind),
        ("a byte too many", [&good[..], &[0]].concat()),
        ("a byte too few", good[..good.len() - 1].to_vec()),
        ("version 2 of what is not a ballot", not_a_ballot),
    ];
    let tries = tries.map(|(about, bytes)| {
        assert!(Transaction::from_bytes(&bytes).is_err(), "{about}");
        json!({"about": about, "bytes": hex(bytes)})
    });
    tries.to_vec()
}
