//! Elections whose results are in the literature.

use expect_test::expect;
use tabella_rule_testing::Ties;

use crate::check;

/// Where to put Tennessee's capital, as in Wikipedia: Nashville beats each of the others.
#[test]
fn tennessee() {
    check(
        "memphis nashville chattanooga knoxville",
        "winning",
        "42: memphis > nashville > chattanooga > knoxville
         26: nashville > chattanooga > knoxville > memphis
         15: chattanooga > knoxville > nashville > memphis
         17: knoxville > chattanooga > nashville > memphis",
        Ties::Report,
        expect![[r#"
            memphis over: 0 42 42 42
            nashville over: 58 0 68 68
            chattanooga over: 58 32 0 83
            knoxville over: 58 32 17 0
            schulze
              winners: nashville
              votes: memphis 0, nashville 3, chattanooga 2, knoxville 1
              More voters prefer nashville to each other option than the reverse: it wins.
            ranked-pairs
              winners: nashville
              votes: memphis 0, nashville 3, chattanooga 2, knoxville 1
              More voters prefer nashville to each other option than the reverse: it wins.
            minimax
              winners: nashville
              votes: memphis 58, nashville 0, chattanooga 68, knoxville 83
              More voters prefer nashville to each other option than the reverse: it wins.
            copeland
              winners: nashville
              votes: memphis 0, nashville 3, chattanooga 2, knoxville 1
              More voters prefer nashville to each other option than the reverse: it wins.
        "#]],
    );
}

/// Schulze's example of 45 voters, as in Wikipedia: E has the strongest paths, then A, C, B, D.
#[test]
fn schulze_45_voters() {
    check(
        "a b c d e",
        "winning",
        "5: a > c > b > e > d
         5: a > d > e > c > b
         8: b > e > d > a > c
         3: c > a > b > e > d
         7: c > a > e > b > d
         2: c > b > a > d > e
         7: d > c > e > b > a
         8: e > b > a > d > c",
        Ties::Report,
        expect![[r#"
            a over: 0 20 26 30 22
            b over: 25 0 16 33 18
            c over: 19 29 0 17 24
            d over: 15 12 28 0 14
            e over: 23 27 21 31 0
            schulze
              winners: e
              votes: a 3, b 1, c 2, d 0, e 4
              No option beats every other head to head. The strongest path from e to a is 25 strong, back 24, to b is 28 strong, back 24, to c is 28 strong, back 24, to d is 31 strong, back 24. So e wins.
            ranked-pairs
              winners: a
              votes: a 2, b 2, c 2, d 1, e 3
              No option beats every other head to head. Majorities left out because they contradict stronger ones: d over c, b over a, e over a. None that is locked in is against the winner. So a wins.
            minimax
              winners: e
              votes: a 25, b 29, c 28, d 33, e 24
              No option beats every other head to head. The weakest worst defeat has strength 24: that of e. So e wins.
            copeland
              winners: e
              votes: a 2, b 2, c 2, d 1, e 3
              No option beats every other head to head. The most points from comparisons are 3 of 4: e. So e wins.
        "#]],
    );
}

/// Truncated ballots on which the two measures differ: a beats b by 8 to 5, b beats c by 5 to 3, c
/// beats a by 6 to 5. The weakest is b over c by votes, c over a by margins.
const TRUNCATED: &str = "5: a
                         3: b > c
                         2: b
                         3: c > a";

#[test]
fn truncated_ballots_by_winning_votes() {
    check(
        "a b c",
        "winning",
        TRUNCATED,
        Ties::Report,
        expect![[r#"
        a over: 0 8 5
        b over: 5 0 5
        c over: 6 3 0
        schulze
          winners: c
          votes: a 1, b 0, c 2
          No option beats every other head to head. The strongest path from c to a is 6 strong, back 5, to b is 6 strong, back 5. So c wins.
        ranked-pairs
          winners: c
          votes: a 1, b 1, c 1
          No option beats every other head to head. Majorities left out because they contradict stronger ones: b over c. None that is locked in is against the winner. So c wins.
        minimax
          winners: c
          votes: a 6, b 8, c 5
          No option beats every other head to head. The weakest worst defeat has strength 5: that of c. So c wins.
        copeland
          winners: a, b, c
          tie: a, b, c: winning (by report)
          votes: a 1, b 1, c 1
          The most points from comparisons are 1 of 2: a, b and c. a, b and c tie; the tie is not decided.
    "#]],
    );
}

#[test]
fn truncated_ballots_by_margins() {
    check(
        "a b c",
        "margins",
        TRUNCATED,
        Ties::Report,
        expect![[r#"
        a over: 0 8 5
        b over: 5 0 5
        c over: 6 3 0
        schulze
          winners: a
          votes: a 2, b 1, c 0
          No option beats every other head to head. The strongest path from a to b is 3 strong, back 1, to c is 2 strong, back 1. So a wins.
        ranked-pairs
          winners: a
          votes: a 1, b 1, c 1
          No option beats every other head to head. Majorities left out because they contradict stronger ones: c over a. None that is locked in is against the winner. So a wins.
        minimax
          winners: a
          votes: a 1, b 3, c 2
          No option beats every other head to head. The weakest worst defeat has strength 1: that of a. So a wins.
        copeland
          winners: a, b, c
          tie: a, b, c: winning (by report)
          votes: a 1, b 1, c 1
          The most points from comparisons are 1 of 2: a, b and c. a, b and c tie; the tie is not decided.
    "#]],
    );
}
