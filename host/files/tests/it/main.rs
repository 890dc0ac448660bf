//! Tests of this crate.

mod adversary;
mod files;
