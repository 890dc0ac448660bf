//! Chains that programs of before recorded: they replay to the states that their blocks commit to.

use expect_test::expect;
use tabella_protocol::{Eligibility, RollChanges, rpc::ElectionStatus};
use tempfile::TempDir;

use crate::support::{certify, open};

/// Recorded by the program that knew neither `open_to` nor `roll`: an election of each kind of eligibility,
/// whose rolls were extended after the opening, as it was possible then. Each block follows its length in bytes
/// (u32, little-endian).
const ROLLS_OF_BEFORE: &[u8] = include_bytes!("recorded/rolls_of_before.blocks");

#[test]
fn rolls_that_grew_after_the_opening_replay_to_the_same_state_roots() {
    let directory = TempDir::new().unwrap();
    let ledger = open(directory.path());
    let mut rest = ROLLS_OF_BEFORE;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (bytes, after) = after.split_at(u32::from_le_bytes(*length) as usize);
        rest = after;
        // Executes it, and compares with what its header commits to.
        let block = ledger.check(bytes, |_| None).unwrap().unwrap();
        let (height, root) = (block.header().height, block.header().state_root);
        let certificate = certify(height, block.hash());
        let tip = ledger.commit(block, &certificate).unwrap();
        assert_eq!((tip.height, tip.state_root), (height, root));
    }
    assert_eq!(ledger.verify().unwrap().problems, Vec::<String>::new());
    let tip = ledger.tip();
    expect!["22 0x4fb2ac59b0130f807fa73bc7ad419b771f75d1042a4066cd076cd747bc9b5296"]
        .assert_eq(&format!("{} {}", tip.height, tip.state_root));
    let kinds = (1..=3).map(|id| {
        let election = ledger.election(id).unwrap();
        assert_eq!(election.status(), ElectionStatus::Closed);
        (election.spec().eligibility.roll(), election.roll_size())
    });
    let grows = Some(RollChanges::Grows);
    let kinds: Vec<_> = kinds.collect();
    assert_eq!(kinds, [(None, 0), (grows, 2), (grows, 2)]);
    let last = ledger.election(3).unwrap();
    let roll = RollChanges::Grows;
    assert_eq!(last.spec().eligibility, Eligibility::Credentials { roll });
}
