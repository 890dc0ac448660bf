//! Counts elections from files, with no network: the election's file, ballots in the formats that
//! election offices and counting programs write, any rule, and the answer as JSON.
//!
//! - [`Election`]: options and parameters, from JSON or TOML;
//! - [`BallotFile`]: ballots in each [`Format`], from a file, a folder or an archive;
//! - [`TieBreak`](tabella_contest::TieBreak) from a command line: [`read_tie_break`];
//! - [`load_rule`]: a built-in rule or a Wasm file;
//! - [`count`]: all of it together;
//! - [`convert`]: the same ballots in another format.
//!
//! A ballot that cannot be read or that the rule refuses is never dropped in silence: it is listed
//! as a [`Problem`] with file, line, record and reason, and stops the count unless [`Spoiled::Count`]
//! says that spoiled ballots are expected. A file that can mean two things is refused with both. A
//! count of nothing, or of the lesser part of a file, is a [`Doubt`]. [`Report`] says what was read.
//!
//! ```no_run
//! use tabella_election_files::{BallotFile, Election, Spoiled, count, load_rule};
//! use tabella_contest::TieBreak;
//! use tabella_runtime::{Runtime, RuntimeConfig};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = Runtime::new(RuntimeConfig::default())?;
//! let rule = load_rule(&runtime, "instant-runoff")?;
//! let election = Election::read("election.toml".as_ref(), None)?;
//! let ballots = BallotFile::read("ballots.csv".as_ref(), None)?;
//! let counted = count(&rule, &election, &ballots, &TieBreak::Report, Spoiled::Refuse)?;
//! println!("{}", counted.to_json());
//! # Ok(())
//! # }
//! ```

mod ballots;
mod convert;
mod count;
mod election;
mod options;
mod repeats;
mod report;
mod rule;
mod tie_break;
mod urn;

pub use ballots::{BallotFile, Columns, ColumnsError, Format, ImportError, Problem};
pub use convert::{ConvertError, Converted, convert, convert_to};
pub use count::{CountError, Counted, Doubt, Spoiled, count, count_all, count_telling};
pub use election::{ContestName, Election, ElectionError};
pub use report::Report;
pub use rule::{RuleError, load_rule, rule_bytes};
pub use tie_break::{TieBreakError, read_tie_break};
