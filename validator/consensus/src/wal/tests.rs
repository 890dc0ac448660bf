use arc_malachitebft_core_consensus::{Input, ProposedValue};
use arc_malachitebft_core_types::{
    Round, SignedMessage, Timeout, TimeoutKind, Validity, ValueOrigin,
};
use arc_malachitebft_engine::wal::encode_entry;
use arc_malachitebft_wal::Log;
use tabella_protocol::{ConsensusVote, ConsensusVoteKind, Hash, SigningKey};

use super::*;
use crate::{
    codec::WireCodec,
    context::{Address, BlockId, Height, Tabella, Vote},
};

#[test]
fn a_log_must_fit_the_chain() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("new");
    let require = |height| check(&data_dir, WalPolicy::Require, height);
    assert!(matches!(
        require(5),
        Err(WalError::Missing { height: 5, .. })
    ));

    let path = check(&data_dir, WalPolicy::Create, 5).unwrap();
    let header = |sequence: u64| [&1_u32.to_be_bytes()[..], &sequence.to_be_bytes()].concat();
    for (sequence, fits) in [
        (3, false),
        (4, true),
        (5, true),
        (6, false),
        (u64::MAX, false),
    ] {
        fs::write(&path, header(sequence)).unwrap();
        assert_eq!(require(5).is_ok(), fits, "log of height {sequence}");
        assert!(check(&data_dir, WalPolicy::Create, 5).is_ok());
        let may_be_old = check(&data_dir, WalPolicy::MayBeOld, 5);
        assert_eq!(
            may_be_old.is_ok(),
            sequence <= 5,
            "log of height {sequence}"
        );
    }
    fs::remove_file(&path).unwrap();
    assert!(check(&data_dir, WalPolicy::MayBeOld, 5).is_err());
}

/// An entry with a vote of this validator's own.
pub(super) fn vote(height: u64, round: u32, seed: u8) -> Input<Tabella> {
    let key = SigningKey::from_seed([1; 32]);
    let vote = ConsensusVote {
        kind: ConsensusVoteKind::Precommit,
        height,
        round,
        value: Some(Hash([seed; 32])),
        validator: key.public(),
    };
    let signature = key.sign(&vote.signing_bytes(&Hash::ZERO));
    Input::Vote(SignedMessage::new(Vote::from_protocol(vote), signature))
}

pub(super) fn proposed(height: u64, seed: u8) -> Input<Tabella> {
    let value = ProposedValue {
        height: Height(height),
        round: Round::new(0),
        valid_round: Round::Nil,
        proposer: Address(SigningKey::from_seed([1; 32]).public()),
        value: BlockId(Hash([seed; 32])),
        validity: Validity::Valid,
    };
    Input::ProposedValue(value, ValueOrigin::Consensus)
}

pub(super) fn timeout() -> Input<Tabella> {
    Input::TimeoutElapsed(Timeout::new(Round::new(0), TimeoutKind::Propose))
}

/// Writes a log of `height` with these entries; returns it and where its entries end.
pub(super) fn write(
    path: &Path,
    height: u64,
    entries: impl IntoIterator<Item = Input<Tabella>>,
) -> (Log, Vec<usize>) {
    let mut log = Log::open(path).unwrap();
    log.reset(height).unwrap();
    let ends = entries.into_iter().map(|entry| {
        let mut bytes = Vec::new();
        encode_entry(entry, &WireCodec, &mut bytes).unwrap();
        log.append(&bytes).unwrap();
        usize::try_from(log.size_bytes().unwrap()).unwrap()
    });
    let ends = ends.collect();
    (log, ends)
}

/// A log of `height` with entries of `of`.
fn log(path: &Path, height: u64, of: u64) -> (Log, Vec<usize>) {
    write(path, height, [proposed(of, 1), timeout(), proposed(of, 2)])
}

#[test]
fn a_torn_end_is_cut_off_and_damage_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE_NAME);
    let (_, ends) = log(&path, 5, 5);
    let whole = fs::read(&path).unwrap();
    let [first, second, third] = ends[..] else {
        panic!("three entries")
    };
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        bytes
    };
    let mended = |bytes: &[u8], policy| {
        fs::write(&path, bytes).unwrap();
        check(directory.path(), policy, 5).map(|_| fs::read(&path).unwrap())
    };
    let zeros = |length: usize| move |bytes: &mut Vec<u8>| bytes.extend(vec![0; length]);
    for (bytes, kept) in [
        (whole.clone(), third),
        (with(&zeros(5)), third),
        // Entries without data have the checksum of no data, and are nothing to the engine.
        (with(&zeros(13)), third),
        (with(&zeros(4096)), third),
        (with(&|bytes| bytes.truncate(third - 1)), second),
        (with(&|bytes| bytes.truncate(second + 3)), second),
        (with(&|bytes| bytes[second..].fill(0)), second),
        (with(&|bytes| bytes[first..].fill(0)), first),
    ] {
        let got = mended(&bytes, WalPolicy::Require).unwrap();
        assert_eq!(got, whole[..kept], "of {bytes:?}");
    }
    for damaged in [
        with(&|bytes| bytes[first - 1] ^= 1),
        with(&|bytes| bytes[second] = 1),
        with(&|bytes| bytes[third - 20] = !bytes[third - 20]),
    ] {
        let refused = mended(&damaged, WalPolicy::Require);
        assert!(matches!(refused, Err(WalError::Damaged { height: 5, .. })));
        assert_eq!(fs::read(&path).unwrap(), damaged, "it is evidence");
        assert_eq!(mended(&damaged, WalPolicy::Create).unwrap(), b"");
    }
}

#[test]
fn a_log_that_was_being_emptied_holds_nothing_of_the_new_height() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE_NAME);
    log(&path, 5, 4);
    check(directory.path(), WalPolicy::Require, 5).unwrap();
    assert_eq!(fs::read(&path).unwrap().len(), HEADER_BYTES);
}

/// No crash puts entries of a height behind the header of one before it.
#[test]
fn a_log_with_entries_of_a_later_height_is_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE_NAME);
    drop(log(&path, 5, 6));
    let refused = check(directory.path(), WalPolicy::Require, 5);
    assert!(
        matches!(refused, Err(WalError::Damaged { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_header_that_was_never_written_is_written_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE_NAME);
    for torn in [&b"torn"[..], &[0; HEADER_BYTES], &[0; 100]] {
        fs::write(&path, torn).unwrap();
        let required = check(directory.path(), WalPolicy::Require, 5);
        assert!(matches!(required, Err(WalError::Missing { .. })));
        check(directory.path(), WalPolicy::Create, 5).unwrap();
        assert_eq!(Log::open(&path).unwrap().sequence(), 0);
    }
}

#[test]
fn the_log_of_a_running_node_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE_NAME);
    let (running, _) = log(&path, 5, 5);
    let torn = [fs::read(&path).unwrap(), vec![0; 13]].concat();
    fs::write(&path, &torn).unwrap();
    check(directory.path(), WalPolicy::Require, 5).unwrap();
    assert_eq!(fs::read(&path).unwrap(), torn);
    drop(running);
}
