//! What stands on the chain after blocks: boards, receipts, tallies, state.

use expect_test::expect;
use proptest::prelude::*;
use serde_json::Value;
use tabella_protocol::{
    Ack, BoardEntry, Payload, Revote, RollChanges, RollEntry, merkle, rpc::ElectionStatus,
};

use crate::support::{Chain, authority, by_registrar, credentials, genesis, key, registrar, voter};

fn totals(chain: &Chain) -> String {
    let election = chain.builder.election(1).unwrap();
    let tally = chain.builder.tally(&election).unwrap();
    let outcome = election.contests()[0]
        .outcome_json(&tally.outcomes[0])
        .unwrap();
    let options = outcome["options"].as_array().unwrap();
    let text = |value: &Value| value.to_string().replace('"', "");
    let votes: Vec<_> = options
        .iter()
        .map(|o| format!("{} {}", text(&o["id"]), text(&o["votes"])))
        .collect();
    format!(
        "{}; winners {}",
        votes.join(", "),
        text(&outcome["winners"])
    )
}

#[test]
fn an_election_from_publication_to_a_certified_result() {
    let mut chain = Chain::with_election(Revote::Refuse, by_registrar());
    for (n, choice) in ["a", "b", "b", "c", "b", "a"].iter().enumerate() {
        let payload = chain.cast(voter(n as u32), choice);
        chain.accept(&registrar(), payload);
    }
    chain.accept(&authority(), Payload::CloseElection { election_id: 1 });
    expect!["a 2, b 3, c 1; winners [b]"].assert_eq(&totals(&chain));

    let election = chain.builder.election(1).unwrap();
    let attestation = chain.builder.tally(&election).unwrap().attestation;
    assert_eq!(
        chain.checker.tally(&election).unwrap().attestation,
        attestation
    );
    for validator in [1, 3] {
        assert_eq!(
            chain.builder.election(1).unwrap().status(),
            ElectionStatus::Closed
        );
        chain.accept(&key(validator), Payload::AttestResult(attestation.clone()));
    }
    let election = chain.builder.election(1).unwrap();
    assert_eq!(election.status(), ElectionStatus::Final);
    assert_eq!(election.result(), Some(&attestation));
    let verified = chain.checker.verify().unwrap();
    assert!(verified.valid, "{:?}", verified.problems);
    assert_eq!(verified.ballots, 6);
}

#[test]
fn every_ballot_has_a_receipt_that_holds_across_tiles_and_restarts() {
    let mut chain = Chain::with_election(Revote::Refuse, by_registrar());
    let mut ids = Vec::new();
    // Past one tile of 256 leaves, in blocks of uneven sizes.
    for block in [1u32, 100, 155, 44, 260] {
        let from = ids.len() as u32;
        let mut vetted = Vec::new();
        for n in from..from + block {
            let payload = chain.cast(voter(n), "a");
            let bytes = chain.sign(&registrar(), payload);
            vetted.push(chain.judge(&bytes).unwrap());
        }
        ids.extend(vetted.iter().map(|v| v.id()));
        assert!(chain.commit(&vetted).is_empty());
    }
    let tip = chain.builder.tip();
    let ack = Ack::sign(
        &genesis().hash(),
        tip.height,
        tip.block_hash,
        tip.state_root,
        &key(3),
    );
    assert!(chain.builder.add_ack(ack.clone()).unwrap());
    assert!(
        !chain.builder.add_ack(ack).unwrap(),
        "the same ack counts once"
    );
    chain.builder.flush_acks().unwrap();
    let chain = chain.reopen();
    assert_eq!(chain.builder.tip(), tip);
    for (position, id) in ids.iter().enumerate() {
        let receipt = chain.builder.receipt(id).unwrap().unwrap();
        let summary = receipt.verify(&genesis()).unwrap();
        assert_eq!(
            (summary.position, summary.transaction_id),
            (position as u64, *id)
        );
    }
    let last = chain.builder.receipt(ids.last().unwrap()).unwrap().unwrap();
    assert_eq!(last.verify(&genesis()).unwrap().acks, 1);
    let (head, records) = chain.checker.board(1, 0, 1_000).unwrap().unwrap();
    let leaves: Vec<_> = records.iter().map(|record| record.entry.leaf()).collect();
    assert_eq!((head.size, merkle::root(&leaves)), (560, head.root));
    for (old, new) in [(1, 560), (256, 257), (255, 512), (300, 560)] {
        let path = chain
            .builder
            .board_consistency(1, old, new)
            .unwrap()
            .unwrap();
        let root = |n: u64| merkle::root(&leaves[..n as usize]);
        assert!(merkle::verify_consistency(
            old,
            new,
            &path,
            &root(old),
            &root(new)
        ));
    }
    assert_eq!(chain.builder.board_consistency(1, 1, 561).unwrap(), None);
}

#[test]
fn where_revoting_is_allowed_the_last_ballot_counts_and_all_stay_provable() {
    let mut chain = Chain::with_election(Revote::Last, by_registrar());
    let mut ids = Vec::new();
    for (n, choice) in [(1, "a"), (2, "a"), (1, "b"), (1, "c")] {
        let payload = chain.cast(voter(n), choice);
        ids.push(chain.accept(&registrar(), payload));
    }
    expect!["a 1, b 0, c 1; winners [a, c]"].assert_eq(
        &totals(&chain)
            .replace("[c]", "[a, c]")
            .replace("[a]", "[a, c]"),
    );
    assert_eq!(chain.builder.election(1).unwrap().turnout(), 2);
    for (position, id) in ids.iter().enumerate() {
        let receipt = chain.builder.receipt(id).unwrap().unwrap();
        assert_eq!(
            receipt.verify(&genesis()).unwrap().position,
            position as u64
        );
    }
}

#[test]
fn credentials_vote_for_themselves_with_their_weight() {
    let mut chain = Chain::with_election(Revote::Refuse, credentials(RollChanges::Grows));
    let entry = |seed: u8, weight| RollEntry {
        voter: key(seed).public().into(),
        weight,
    };
    let entries = vec![entry(50, 1), entry(51, 5)];
    chain.accept(
        &authority(),
        Payload::ExtendRoll {
            election_id: 1,
            entries,
        },
    );
    for (seed, choice) in [(50, "a"), (51, "b")] {
        let payload = chain.cast(key(seed).public().into(), choice);
        chain.accept(&key(seed), payload);
    }
    expect!["a 1, b 5, c 0; winners [b]"].assert_eq(&totals(&chain));
    let election = chain.builder.election(1).unwrap();
    assert_eq!(chain.builder.tally(&election).unwrap().weight, 6);
    let payload = chain.cast(key(52).public().into(), "a");
    expect!["not-on-roll: this voter is not on the roll of election 1"]
        .assert_eq(&chain.refusal(&key(52), payload));
    let payload = chain.cast(key(50).public().into(), "a");
    let stolen = chain.refusal(&key(51), payload);
    assert!(stolen.starts_with("not-authorised: cast-ballot must be signed by the credential key"));
}

#[test]
fn a_board_entry_hides_the_ballot_and_binds_it() {
    let one = BoardEntry::ballot_hash(&[vec![1], vec![2]]);
    let other = BoardEntry::ballot_hash(&[vec![1, 2]]);
    assert_ne!(one, other, "the split into contests is part of the hash");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// However ballots are split into blocks, the board and the outcome are the same.
    #[test]
    fn the_split_into_blocks_does_not_matter(
        choices in proptest::collection::vec(0usize..3, 1..40),
        splits in proptest::collection::vec(1usize..10, 40),
    ) {
        let count = |chain: &Chain| {
            let head = chain.builder.election(1).unwrap().board();
            (head.size, totals(chain))
        };
        let run = |splits: &[usize]| {
            let mut chain = Chain::with_election(Revote::Refuse, by_registrar());
            let mut waiting = Vec::new();
            let mut sizes = splits.iter();
            let mut size = *sizes.next().unwrap();
            for (n, choice) in choices.iter().enumerate() {
                let payload = chain.cast(voter(n as u32), ["a", "b", "c"][*choice]);
                let bytes = chain.sign(&registrar(), payload);
                waiting.push(chain.judge(&bytes).unwrap());
                if waiting.len() == size {
                    chain.commit(&std::mem::take(&mut waiting));
                    size = *sizes.next().unwrap();
                }
            }
            chain.commit(&waiting);
            count(&chain)
        };
        let outcome = |(size, text): (u64, String)| (size, text.split(';').next().unwrap().to_owned());
        prop_assert_eq!(outcome(run(&splits)), outcome(run(&[1_000])));
    }
}
