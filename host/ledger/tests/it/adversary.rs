//! What an authority, a registrar or a stranger must not be able to do to an election's voters.

use serde_json::json;
use tabella_ledger::{BuildLimits, Ledger, VetError};
use tabella_protocol::{
    Eligibility, Genesis, Payload, Revote, RollChanges, RollEntry, Transaction, TransactionBody,
    VoterId, rpc::RefusalCode, sign_together,
};

use crate::support::{
    Chain, LIMITS, authority, by_registrar, credentials, election, genesis, key, refusal_text,
    registrar, voter,
};

fn extend(voters: &[VoterId]) -> Payload {
    let entries = voters.iter().map(|voter| RollEntry {
        voter: *voter,
        weight: 1,
    });
    Payload::ExtendRoll {
        election_id: 1,
        entries: entries.collect(),
    }
}

fn by_roll(roll: RollChanges) -> Eligibility {
    Eligibility::RegistrarRoll {
        registrar: registrar().public(),
        roll,
    }
}

/// An election that is not open yet.
fn upcoming(eligibility: Eligibility) -> Chain {
    let mut chain = Chain::new();
    let wasm = crate::support::plurality().to_vec();
    chain.accept(&authority(), Payload::PublishPlugin { wasm });
    let spec = election(Revote::Refuse, eligibility);
    chain.accept(&authority(), Payload::CreateElection(spec));
    chain
}

#[test]
fn nobody_adds_voters_to_the_roll_of_an_open_election() {
    for eligibility in [credentials(RollChanges::Fixed), by_roll(RollChanges::Fixed)] {
        let mut chain = upcoming(eligibility);
        let honest: VoterId = key(50).public().into();
        chain.accept(&authority(), extend(&[honest]));
        chain.accept(&authority(), Payload::OpenElection { election_id: 1 });
        let stuffed: VoterId = key(51).public().into();
        let refusal = chain.refusal(&authority(), extend(&[stuffed]));
        assert!(
            refusal.starts_with("wrong-election-status: the roll of election 1 is fixed"),
            "{refusal}"
        );
        assert_eq!(chain.builder.election(1).unwrap().roll_size(), 1);
    }
}

#[test]
fn a_roll_that_was_announced_to_grow_grows_until_the_close() {
    let mut chain = upcoming(by_roll(RollChanges::Grows));
    chain.accept(&authority(), Payload::OpenElection { election_id: 1 });
    chain.accept(&registrar(), extend(&[voter(1)]));
    chain.accept(&authority(), Payload::CloseElection { election_id: 1 });
    let refusal = chain.refusal(&authority(), extend(&[voter(2)]));
    assert!(refusal.starts_with("wrong-election-status"), "{refusal}");
}

#[test]
fn no_refusal_names_a_pseudonym() {
    let mut chain = upcoming(by_roll(RollChanges::Grows));
    chain.accept(&authority(), extend(&[voter(1)]));
    chain.accept(&authority(), Payload::OpenElection { election_id: 1 });
    let payload = chain.cast(voter(1), "a");
    chain.accept(&registrar(), payload);
    let again = chain.cast(voter(1), "b");
    let stranger = chain.cast(voter(2), "a");
    let zero = Payload::ExtendRoll {
        election_id: 1,
        entries: vec![RollEntry {
            voter: voter(3),
            weight: 0,
        }],
    };
    for (payload, code) in [
        (again, "already-voted"),
        (stranger, "not-on-roll"),
        (extend(&[voter(1)]), "invalid-roll"),
        (extend(&[voter(4), voter(4)]), "invalid-roll"),
        (zero, "invalid-roll"),
    ] {
        let refusal = chain.refusal(&registrar(), payload);
        assert!(refusal.starts_with(code), "{refusal}");
        assert!(!refusal.contains("0x"), "{refusal}");
    }
}

/// A carrier that holds a voter's older ballot back and lets it go after the newer one changes nothing.
#[test]
fn a_ballot_that_was_held_back_does_not_replace_a_later_one_of_its_voter() {
    let own = key(50);
    let mut chain = Chain::new();
    let wasm = crate::support::plurality().to_vec();
    chain.accept(&authority(), Payload::PublishPlugin { wasm });
    let spec = election(Revote::Last, credentials(RollChanges::Fixed));
    chain.accept(&authority(), Payload::CreateElection(spec));
    chain.accept(&authority(), extend(&[own.public().into()]));
    chain.accept(&authority(), Payload::OpenElection { election_id: 1 });
    let unordered = chain.cast(own.public().into(), "a");
    let unordered = chain.sign(&own, unordered);
    let ordered = |choice: &str, sequence| {
        let body = TransactionBody {
            sequence: Some(sequence),
            ..TransactionBody::new(7, 50, chain.cast(own.public().into(), choice))
        };
        Transaction::sign(body, &own).to_bytes()
    };
    let [held, newest, same] = [ordered("a", 3), ordered("b", 4), ordered("a", 4)];

    // Both in one block, the held one last.
    let both = [&newest, &held].map(|bytes| chain.judge(bytes).unwrap());
    chain.commit(&both);
    assert_eq!(chain.builder.election(1).unwrap().board().size, 1);
    // And in later ones, after a restart too, by its number or by having none.
    let mut chain = chain.reopen();
    for late in [held, same, unordered] {
        let refusal = chain.judge(&late).err().unwrap();
        assert_eq!(refusal.code, RefusalCode::Superseded, "{refusal}");
    }
    chain.accept(&authority(), Payload::CloseElection { election_id: 1 });
    let election = chain.builder.election(1).unwrap();
    let tally = chain.builder.tally(&election).unwrap();
    let outcome = election.contests()[0].outcome_json(&tally.outcomes[0]);
    assert_eq!(outcome.unwrap()["winners"], json!(["b"]));
}

#[test]
fn only_ballots_have_an_order() {
    let chain = Chain::new();
    let body = TransactionBody {
        sequence: Some(1),
        ..TransactionBody::new(7, 50, Payload::OpenElection { election_id: 1 })
    };
    let bytes = Transaction::sign(body, &authority()).to_bytes();
    let refusal = chain.judge(&bytes).err().unwrap();
    assert_eq!(refusal.code, RefusalCode::MalformedTransaction, "{refusal}");
}

/// At the head of those that wait, it would keep all others out of every block.
#[test]
fn a_transaction_that_no_block_holds_keeps_nothing_out() {
    let mut chain = upcoming(by_roll(RollChanges::Grows));
    chain.accept(&authority(), Payload::OpenElection { election_id: 1 });
    let many: Vec<VoterId> = (0..3_000).map(voter).collect();
    let large = chain.sign(&authority(), extend(&many));
    let small = chain.sign(&authority(), extend(&[voter(3_001)]));
    let waiting = [large.clone(), small].map(|bytes| chain.judge(&bytes).unwrap());
    let limits = BuildLimits {
        bytes_max: 64 << 10,
        ..LIMITS
    };
    let proposer = chain.builder.proposers()[0];
    let built = chain.builder.build(proposer, 1 << 40, &waiting, limits);
    assert_eq!(
        built.unwrap().block.transaction_ids(),
        [waiting[1].id()],
        "the small one does not wait for the large one"
    );

    // Where the network's blocks are that small, nobody takes it in the first place.
    let directory = tempfile::tempdir().unwrap();
    let narrow = Genesis {
        block_bytes_max: 64 << 10,
        ..genesis()
    };
    let ledger = Ledger::open(directory.path(), narrow).unwrap();
    let judged = ledger.vet(&large).map_err(|error| match error {
        VetError::Refused(refusal) => refusal,
        VetError::Ledger(error) => panic!("{error}"),
    });
    let refusal = refusal_text(judged);
    assert!(refusal.starts_with("too-large: "), "{refusal}");
}

/// What is wrong with one ballot of a batch, or with its place, touches no other: each is judged by itself.
#[test]
fn a_bad_ballot_of_a_batch_sinks_no_other() {
    let mut chain = Chain::with_election(Revote::Refuse, by_registrar());
    let mut bodies: Vec<_> = (0..10)
        .map(|n| TransactionBody::new(7, 50, chain.cast(voter(n), "a")))
        .collect();
    // Of another network, expired, of a voter who voted already, and no ballot of this rule.
    bodies[1].chain_id = 8;
    bodies[2].expiry_height = 1;
    bodies[3].payload = chain.cast(voter(0), "b");
    let Payload::CastBallot { ballots, .. } = &mut bodies[4].payload else {
        unreachable!("it is a ballot")
    };
    ballots[0] = vec![200];
    let mut batch = sign_together(bodies, &registrar());
    // With a place that is another's, and with the signature of a batch of somebody else.
    batch[5].batch = batch[6].batch.clone();
    let strangers: Vec<_> = batch.iter().map(|t| t.body.clone()).collect();
    batch[7].signature = sign_together(strangers, &key(9))[7].signature;

    let judged: Vec<String> = batch
        .iter()
        .map(|t| refusal_text(chain.judge(&t.to_bytes())))
        .map(|text| text.split(':').next().unwrap().to_owned())
        .collect();
    let expected = [
        "accepted",
        "other-chain",
        "expired",
        "accepted",
        "ballot-refused",
        "bad-signature",
        "accepted",
        "bad-signature",
        "accepted",
        "accepted",
    ];
    assert_eq!(judged, expected);
    let good = batch.iter().filter_map(|t| chain.judge(&t.to_bytes()).ok());
    let good: Vec<_> = good.collect();
    // The voter's second ballot is left out of a block that holds the first, and no other with it.
    chain.commit(&good);
    assert_eq!(chain.builder.election(1).unwrap().board().size, 4);
    let second = refusal_text(chain.judge(&batch[3].to_bytes()));
    assert!(second.starts_with("already-voted"), "{second}");
    // The signatures stand when everything is read again.
    assert!(chain.checker.verify().unwrap().problems.is_empty());
}

/// A ballot that its registrar signed twice, in two batches, counts once.
#[test]
fn a_ballot_of_two_batches_counts_once() {
    let mut chain = Chain::with_election(Revote::Refuse, by_registrar());
    let body = |n| TransactionBody::new(7, 50, chain.cast(voter(n), "a"));
    let (twice, others) = (body(0), [body(1), body(2)]);
    let of = |other: &TransactionBody| {
        let batch = sign_together(vec![twice.clone(), other.clone()], &registrar());
        chain.judge(&batch[0].to_bytes()).unwrap()
    };
    let [first, second] = [of(&others[0]), of(&others[1])];
    assert_ne!(first.id(), second.id());
    chain.commit(&[first, second.clone()]);
    assert_eq!(chain.builder.election(1).unwrap().board().size, 1);
    let refused = refusal_text(chain.judge(second.bytes()));
    assert!(refused.starts_with("already-voted"), "{refused}");
}
