//! Everything that the author of a rule plugin needs.
//!
//! A rule is a struct that implements [`Rule`], and one call of [`export!`]:
//!
//! ```
//! #![cfg_attr(target_arch = "wasm32", no_std)]
//! extern crate alloc;
//! use tabella_sdk::prelude::*;
//!
//! /// Most marks win.
//! pub struct MostMarks {
//!     contest: Contest,
//! }
//!
//! impl Rule for MostMarks {
//!     type Ballot = Choices;
//!     type Tally = alloc::vec::Vec<u64>;
//!
//!     const MANIFEST: Manifest =
//!         Manifest::new("most-marks", "1.0.0", "Each mark is a vote; most votes win.");
//!
//!     fn configure(_params: &Params, contest: &Contest) -> Result<Self, ConfigError> {
//!         Ok(Self { contest: contest.clone() })
//!     }
//!
//!     fn validate(&self, ballot: &Choices) -> Verdict {
//!         if ballot.len() > 3 {
//!             return Verdict::reject(2, "mark at most three options");
//!         }
//!         Verdict::Accept
//!     }
//!
//!     fn start(&self) -> Self::Tally {
//!         alloc::vec![0; self.contest.len()]
//!     }
//!
//!     fn fold(&self, tally: &mut Self::Tally, ballot: &Choices, weight: u64) {
//!         for option in ballot.options() {
//!             tally[option] += weight;
//!         }
//!     }
//!
//!     fn merge(&self, tally: &mut Self::Tally, other: Self::Tally) {
//!         for (votes, more) in tally.iter_mut().zip(other) {
//!             *votes += more;
//!         }
//!     }
//!
//!     fn finish(&self, tally: Self::Tally, ties: &mut TieBreak) -> Outcome {
//!         let best = self.contest.highest(&tally);
//!         let winners = ties.choose(&best, 1, "the most votes");
//!         let mut outcome = self.contest.outcome(&tally, winners);
//!         outcome.explanation = alloc::format!("Won by: {}.", self.contest.list(&outcome.winners));
//!         outcome
//!     }
//! }
//!
//! tabella_sdk::export!(MostMarks);
//! # fn main() {}
//! ```
//!
//! There are no floats, clocks, files or randomness in a plugin: every host must compute the same
//! bytes. Counts are integers; overflow stops the plugin instead of wrapping. A panic is a fault of
//! the plugin and its message reaches the operator.
//!
//! - [`Rule`], [`Verdict`], [`ConfigError`]: what to implement;
//! - [`Contest`], [`Params`]: what a rule is configured with;
//! - [`ballot`]: kinds of ballot;
//! - [`MarkRules`]: what skipped ranks, repeated options and several marks at a rank mean;
//! - [`Profile`]: distinct ballots with their weight, for rules that must see them all at the end;
//! - [`TieBreak`], [`Lots`], [`Outcome`], [`Number`]: results;
//! - [`Fixed`], [`Ratio`]: checked decimals and fractions; [`Natural`]: whole numbers of any size.
#![no_std]

extern crate alloc;

mod contest;
mod exact;
mod guest;
mod lots;
mod marks;
mod natural;
mod params;
mod profile;
mod rule;
mod tie_break;

pub use tabella_abi::manifest::{Manifest, Param};
pub use tabella_abi::number::Number;
pub use tabella_abi::outcome::{OptionResult, Outcome, Round, Tie, Transfer};
pub use tabella_abi::{ballot, codec, wire};

pub use contest::Contest;
pub use exact::{Fixed, Ratio};
pub use lots::{Chosen, Followed, Lots};
pub use marks::{MarkRules, Repeated, Several};
pub use natural::Natural;
pub use params::Params;
pub use profile::Profile;
pub use rule::{ConfigError, Rule, Verdict};
pub use tie_break::TieBreak;

pub use guest::Guest;

/// What most rules use.
pub mod prelude {
    pub use crate::ballot::{
        Approvals, Ballot, Choices, Grades, MarkedRanking, Ranking, Raw, Scores, Votes,
    };
    pub use crate::{
        ConfigError, Contest, Manifest, Number, OptionResult, Outcome, Param, Params, Profile,
        Round, Rule, Tie, TieBreak, Verdict,
    };
}

#[doc(hidden)]
pub mod __private {
    #[cfg(target_arch = "wasm32")]
    pub use crate::guest::exports::Cell;
}
