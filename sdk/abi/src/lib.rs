//! The bytes that a rule plugin and its host agree on: ballots, configuration, manifest, outcome.
//!
//! Both sides use this crate, so that there is one codec and no drift. It has no dependencies and
//! needs no standard library. Plugin authors use it through `tabella-sdk`.
//!
//! - [`ballot`]: one compact byte form for each kind of ballot, read in place;
//! - [`codec`]: integers, texts and lists of which everything else is made;
//! - [`contest`]: what the host hands to `configure` and `finish`;
//! - [`manifest`]: what a plugin says of itself, written as JSON;
//! - [`number`]: exact numbers in results;
//! - [`outcome`]: what `finish` answers.
#![no_std]

extern crate alloc;

pub mod ballot;
pub mod codec;
pub mod contest;
pub mod manifest;
pub mod number;
pub mod outcome;

/// The name of the export that marks a module as a plugin of this version.
pub const MARKER: &str = "tabella_abi_v1";

/// The name of the export that says: this plugin takes rankings with marks that a plain ranking
/// cannot hold; see [`ballot::MarkedRanking`]. A host that does not know it hands over plain ones.
pub const MARKS_MARKER: &str = "tabella_marks_v1";
