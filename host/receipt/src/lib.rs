//! What a voter checks of a receipt with no network: whether it holds, what a file is that is not a receipt, and whether the
//! ballot in it is the one that was marked.
//!
//! `tabella verify receipt` and the page `/check` say what is said here. Nothing is done but to turn bytes into an
//! answer, so that it compiles for `wasm32-unknown-unknown` as it stands.
//!
//! - [`read`]: a file as a receipt; where it is none, [`FileKind`] says what it is.
//! - [`papers`]: the ballot papers of an election, by what the chain committed to.
//! - [`is_of`]: whether a receipt is of one choice.
//!
//! ```
//! use tabella_receipt::{FileKind, NotAReceipt, read};
//!
//! let error = read(br#"{"ranking": ["soup"]}"#).unwrap_err();
//! assert!(matches!(error, NotAReceipt::Other(FileKind::OtherJson)));
//! ```

mod choice;
mod file_kind;
mod papers;

pub use choice::{ChoiceError, is_of};
pub use file_kind::{FileKind, NotAReceipt, read};
pub use papers::{ElectionPapers, PapersError, papers};
