//! Rules that add up scores: `score` and `star`.
//!
//! - [`Score`]: score (range) voting: the highest sum of scores wins. Definition: W. D. Smith, "Range
//!   voting", 2000, section 1; an option without a score has 0.
//! - [`Star`]: score then automatic runoff: of the two options with the highest sums, the one that
//!   more ballots score higher wins. Definition: Equal Vote Coalition, "STAR Voting", and its
//!   standard tie-breaking protocol (starvoting.org/ties).
//!
//! Ties of `score` are decided by the contest's tie-break. Those of `star` are decided, as far as
//! they can be, by the ballots: a tie for the runoff by head-to-head comparison of the tied options,
//! leaving out those that lose the most comparisons until all lose equally many; a tie in the runoff
//! by the higher sum. What is still tied is decided, in both, by how many ballots give the highest
//! score (five stars). What stays tied is decided by the contest's tie-break; where ties are only
//! reported, every pair that the tie allows runs off, and all their winners are reported. A tie of more
//! than sixteen options for the runoff goes to the tie-break at once, and is reported as it is.
//!
//! Where no option has a point, nobody wins.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod runoff;
mod score;
mod star;

use alloc::format;

use tabella_sdk::prelude::*;

pub use score::Score;
pub use star::Star;

/// The parameter of both rules.
const MAX: Param = Param::integer("max", 1, 1_000_000)
    .default_integer(5)
    .about("The highest score that a voter can give; the lowest is 0.");

/// Refuses a ballot with a score above the highest.
fn check_scores(contest: &Contest, max: u64, ballot: &Scores) -> Verdict {
    match ballot.values().find(|(_, score)| *score > max) {
        Some((option, score)) => Verdict::reject(
            2,
            format!(
                "give each option at most {max}; option {} has {score}",
                option_name(contest, option)
            ),
        ),
        None => Verdict::Accept,
    }
}

/// An option's id where it is short enough for a message.
fn option_name(contest: &Contest, option: usize) -> &str {
    const ID_BYTES_MAX: usize = 64;
    let id = contest.id(option);
    if id.len() <= ID_BYTES_MAX { id } else { "…" }
}
