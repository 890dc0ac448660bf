//! The mayoral election of Burlington, Vermont, on 3 March 2009: the published comparisons, in which
//! Montroll beats every other candidate.

use expect_test::expect;
use tabella_rule_testing::Ties;

use crate::check;

#[test]
fn montroll_beats_everyone() {
    let csv = include_str!("../../../../examples/elections/burlington-2009/ballots.csv");
    let ballots = csv
        .lines()
        .skip(1)
        .map(|line| line.replacen(',', ": ", 1) + "\n");
    check(
        "wright kiss montroll smith simpson write-in",
        "winning",
        &ballots.collect::<String>(),
        Ties::Report,
        expect![[r#"
            wright over: 0 4064 3668 3975 5274 6063
            kiss over: 4314 0 3477 3946 5517 6149
            montroll over: 4597 4067 0 4573 6267 6658
            smith over: 3793 3577 2998 0 5573 6057
            simpson over: 1309 845 591 721 0 3338
            write-in over: 163 116 104 117 165 0
            schulze
              winners: montroll
              votes: wright 3, kiss 4, montroll 5, smith 2, simpson 1, write-in 0
              More voters prefer montroll to each other option than the reverse: it wins.
            ranked-pairs
              winners: montroll
              votes: wright 3, kiss 4, montroll 5, smith 2, simpson 1, write-in 0
              More voters prefer montroll to each other option than the reverse: it wins.
            minimax
              winners: montroll
              votes: wright 4597, kiss 4067, montroll 0, smith 4573, simpson 6267, write-in 6658
              More voters prefer montroll to each other option than the reverse: it wins.
            copeland
              winners: montroll
              votes: wright 3, kiss 4, montroll 5, smith 2, simpson 1, write-in 0
              More voters prefer montroll to each other option than the reverse: it wins.
        "#]],
    );
}
