//! A follower takes what a quorum certified and nothing else, and finds bytes that changed on its disk.

use tabella_follower::{FollowError, Follower, Replay};
use tabella_ledger::Ledger;
use tabella_protocol::{Ack, CommitCertificate, Hash, HexBytes, Payload, VoterId, rpc::BlockView};
use tabella_testing::chain::{
    AUTHORITY, ELECTION, VALIDATORS, commit, genesis, key, open_election, sign,
};
use tempfile::TempDir;

fn certify(height: u64, hash: Hash, signers: &[u8]) -> CommitCertificate {
    let keys: Vec<_> = signers.iter().map(|n| key(*n)).collect();
    CommitCertificate::sign(&genesis().hash(), &keys, height, hash)
}

/// The blocks of a chain with one open election and two ballots, as a validator sends them.
fn chain(directory: &TempDir) -> Vec<BlockView> {
    let ledger = Ledger::open(directory.path(), genesis()).unwrap();
    let quorum = [1, 2].map(key);
    let mut views = open_election(&ledger, &quorum);
    let choice = serde_json::json!({"choice": "a"});
    let contests = ledger.election(ELECTION).unwrap();
    let ballot = contests.contests()[0].encode_ballot(&choice).unwrap();
    for n in 1..=2 {
        let payload = Payload::CastBallot {
            election_id: ELECTION,
            voter: VoterId([n; 32]),
            ballots: vec![ballot.clone()],
        };
        let cast = sign(AUTHORITY, 10 + u64::from(n), payload);
        views.push(commit(&ledger, &cast, &quorum));
    }
    views
}

fn follower(directory: &TempDir) -> Follower {
    Follower::open(directory.path(), genesis()).unwrap()
}

#[test]
fn certified_blocks_are_executed_and_survive_a_restart() {
    let (source, own) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let blocks = chain(&source);
    let follower_of = follower(&own);
    assert!(follower_of.take(&blocks, true).unwrap());
    let election = follower_of.ledger().election(1).unwrap();
    assert_eq!((election.turnout(), election.board().size), (2, 2));
    assert!(follower_of.recheck(1).unwrap().problems.is_empty());
    drop((election, follower_of));
    assert_eq!(follower(&own).tip().height, 5);
}

#[test]
fn what_no_quorum_certified_is_refused_and_changes_nothing() {
    let (source, own) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let blocks = chain(&source);
    let follower = follower(&own);
    let refused = |change: &dyn Fn(&mut BlockView)| {
        let mut forged = blocks[0].clone();
        change(&mut forged);
        let taken = follower.take(&[forged], true);
        assert!(
            matches!(taken, Err(FollowError::Invalid { height: 1, .. })),
            "{taken:?}"
        );
        assert_eq!(follower.tip().height, 0);
    };
    refused(&|view| view.certificate.signatures.truncate(1));
    refused(&|view| view.certificate = certify(1, view.hash, &[1]));
    refused(&|view| view.certificate = certify(1, Hash([9; 32]), &[1, 2]));
    refused(&|view| {
        if let Some(last) = view.block.0.last_mut() {
            *last ^= 1;
        }
    });
    refused(&|view| view.block.0.truncate(view.block.0.len() - 1));
    refused(&|view| *view = blocks[1].clone());
    refused(&|view| view.block.0.clear());
    follower.take(&blocks[..1], true).unwrap();
    assert_eq!(follower.tip().height, 1);
}

#[test]
fn acks_that_prove_nothing_are_not_kept() {
    let source = TempDir::new().unwrap();
    let first = chain(&source).swap_remove(0);
    let (hash, state_root) = (first.hash, first.header.state_root);
    let other = Hash([9; 32]);
    let ack = |hash, state_root, n| Ack::sign(&genesis().hash(), 1, hash, state_root, &key(n));
    let forged = Ack {
        validator: key(2).public(),
        ..ack(hash, state_root, 3)
    };
    let kept = |ack: Ack| {
        let own = TempDir::new().unwrap();
        let follower = follower(&own);
        let view = BlockView {
            acks: vec![ack],
            ..first.clone()
        };
        follower.take(&[view], true).unwrap();
        follower.sync().unwrap();
        follower.ledger().acks(1).unwrap().len()
    };
    assert_eq!(kept(ack(hash, state_root, 2)), 1);
    for (what, ack) in [
        ("in another's name", forged),
        ("of another block", ack(other, state_root, 2)),
        ("of another state", ack(hash, other, 2)),
        ("of a stranger", ack(hash, state_root, VALIDATORS + 1)),
    ] {
        assert_eq!(kept(ack), 0, "{what}");
    }
}

#[test]
fn a_byte_that_changed_on_the_disk_is_found() {
    let (source, own) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let blocks = chain(&source);
    let first = follower(&own);
    first.take(&blocks, true).unwrap();
    drop(first);
    // A signature of a ballot, wherever the database keeps it.
    let HexBytes(block) = &blocks[4].block;
    let needle = &block[block.len() - 40..];
    let path = own.path().join("chain.redb");
    let mut bytes = std::fs::read(&path).unwrap();
    let places: Vec<usize> = bytes
        .windows(needle.len())
        .enumerate()
        .filter(|(_, window)| *window == needle)
        .map(|(place, _)| place)
        .collect();
    assert!(!places.is_empty(), "the block is in the file");
    for place in places {
        bytes[place + 20] ^= 1;
    }
    std::fs::write(&path, bytes).unwrap();
    let found = follower(&own).recheck(1).unwrap();
    assert!(!found.problems.is_empty(), "{found:?}");
}

/// What a network sends and what stands in an export or a local ledger are taken by the same rules: they
/// come to the same chain, and stop at the same forged block.
#[test]
fn blocks_from_a_network_and_from_a_file_come_to_the_same_chain() {
    let [made, followed, replayed] = [(); 3].map(|()| TempDir::new().unwrap());
    let views = chain(&made);
    let follower = follower(&followed);
    let mut replay = Replay::start(replayed.path(), genesis()).unwrap();
    let (last, sound) = views.split_last().unwrap();
    for view in sound {
        follower.take(std::slice::from_ref(view), true).unwrap();
        replay.apply(&view.block.0, &view.certificate).unwrap();
    }
    let mut alone = last.clone();
    alone.certificate = certify(last.header.height, last.hash, &[3]);
    assert!(follower.take(&[alone.clone()], true).is_err());
    assert!(replay.apply(&alone.block.0, &alone.certificate).is_err());
    follower.take(std::slice::from_ref(last), true).unwrap();
    replay.apply(&last.block.0, &last.certificate).unwrap();
    assert_eq!(follower.tip().block_hash, last.hash);
    assert_eq!(replay.ledger().tip(), follower.tip());
    let board = |ledger: &Ledger| ledger.election(1).unwrap().board();
    assert_eq!(board(replay.ledger()), board(follower.ledger()));
    assert_eq!(board(replay.ledger()).size, 2);
}
