//! How a board is cut, and who decides ties.

use expect_test::expect;
use serde_json::json;
use tabella_contest::{Batches, PluginLimits, TieBreak, outcome_json, read_outcome};

use crate::config;

/// The batches of each chunk.
fn cut(ballots: &[(u64, &[u8])], limits: &PluginLimits) -> Result<Vec<Vec<String>>, String> {
    let mut batches = Batches::new(ballots.iter().copied(), limits);
    let mut chunks = Vec::new();
    while let Some(chunk) = batches.next_chunk().map_err(|error| error.to_string())? {
        assert_eq!(chunk.number, chunks.len() as u64);
        let shown = chunk.batches.iter();
        chunks.push(shown.map(|b| format!("{b}: {:?}", b.bytes)).collect());
    }
    assert_eq!(batches.ballots(), ballots.len() as u64);
    Ok(chunks)
}

#[test]
fn the_limits_alone_decide_where_a_board_is_cut() {
    let limits = PluginLimits {
        batch_ballots: 2,
        chunk_batches: 2,
        ballot_bytes: 3,
        ..PluginLimits::default()
    };
    let ballots: [(u64, &[u8]); 5] = [(1, &[7]), (300, &[8, 9]), (1, &[]), (1, &[1]), (2, &[2])];
    expect![[r#"
        Ok(
            [
                [
                    "ballots 0 to 1: [1, 1, 7, 172, 2, 2, 8, 9]",
                    "ballots 2 to 3: [1, 0, 1, 1, 1]",
                ],
                [
                    "ballots 4 to 4: [2, 1, 2]",
                ],
            ],
        )
    "#]]
    .assert_debug_eq(&cut(&ballots, &limits));
    assert_eq!(cut(&[], &limits), Ok(Vec::new()));
    // Full by bytes: the ballot that does not fit any more begins the next one.
    let narrow = PluginLimits {
        batch_bytes: 22,
        ..limits.clone()
    };
    expect![[r#"
        Ok(
            [
                [
                    "ballots 0 to 0: [1, 1, 7]",
                    "ballots 1 to 1: [172, 2, 2, 8, 9]",
                ],
            ],
        )
    "#]]
    .assert_debug_eq(&cut(&ballots[..2], &narrow));
    expect![[r#"
        Err(
            "ballot 1 has 4 bytes, at most 3 allowed",
        )
    "#]]
    .assert_debug_eq(&cut(&[(1, &[0]), (1, &[0; 4])], &limits));
}

#[test]
fn ties_are_decided_as_said() {
    let options = config(json!({})).options;
    let encode = |tie_break: TieBreak| match tie_break.encode(&options) {
        Ok(bytes) => format!("{bytes:?}"),
        Err(error) => error.to_string(),
    };
    let order = |ids: &[&str]| TieBreak::Order(ids.iter().map(ToString::to_string).collect());
    expect![[r#"
        [
            "[2, 3, 0, 1, 2]",
            "[1, 3, 2, 0, 1]",
            "the tie-break order names \"c\", which is not an option or was named before",
            "the tie-break order names \"d\", which is not an option or was named before",
            "[0, 3, 1, 0, 2]",
        ]
    "#]]
    .assert_debug_eq(&[
        encode(TieBreak::Report),
        encode(order(&["c"])),
        encode(order(&["c", "c"])),
        encode(order(&["d"])),
        encode(TieBreak::Seed([7; 32])),
    ]);
    // A lot is an option's own, wherever it stands on the paper.
    let turned: Vec<_> = options.iter().rev().cloned().collect();
    let drawn = |options: &[_]| {
        let bytes = TieBreak::Seed([7; 32]).encode(options).unwrap();
        let order = &bytes[bytes.len() - 3..];
        let place = |place: &u8| options.get(usize::from(*place)).cloned();
        order.iter().map(place).collect::<Vec<_>>()
    };
    assert_eq!(drawn(&options), drawn(&turned));
}

#[test]
fn foreign_outcomes_are_refused() {
    let options = config(json!({})).options;
    for bytes in [&[][..], &[0xff; 40]] {
        assert!(read_outcome(bytes, options.len()).is_err());
        let error = outcome_json(bytes, &options).unwrap_err();
        assert_eq!(error.to_string(), "the outcome's bytes are not canonical");
    }
}
