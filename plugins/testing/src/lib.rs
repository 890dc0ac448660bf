//! Runs rules natively for the tests of the rule crates: elections in as text, outcomes out as
//! text, and the properties that every rule has.
//!
//! - [`Paper`]: a contest, its parameters, and ballots written as text;
//! - [`count`], [`outcome`], [`verdict`], [`refusal`]: what a rule makes of them;
//! - [`properties`] and its like: order of ballots, any split and merge, weights, relabelled options.
//!
//! A ballot is a line: `3: a > b = c` for rankings (`-` for a skipped rank, `?` for one with unknown
//! marks, `*` for somebody who is not on the paper), `3: a c` for choices and approvals,
//! `3: a=5 c=1` for scores, votes and grades (`a=good`). The weight before the colon is 1 where it
//! is left out.

mod native;
mod paper;
mod properties;
mod show;

pub use native::{Ties, count, order, outcome, refusal, verdict};
pub use paper::Paper;
pub use properties::{properties, properties_but_numbering, properties_of_rounds};
pub use show::show;
