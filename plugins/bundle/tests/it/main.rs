//! Every built-in rule as Wasm through the real host, against the same rule run natively. One file
//! for each crate of rules.

mod agreement;
mod approval;
mod borda;
mod bucklin;
mod committee;
mod cumulative;
mod instant_runoff;
mod majority_judgment;
mod pairwise;
mod party_list;
mod plurality;
mod referendum;
mod scoring;
mod stv;
