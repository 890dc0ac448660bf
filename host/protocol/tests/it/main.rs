//! The protocol's values, proofs and signatures, from outside.

mod adversary;
mod consensus;
mod eligibility;
mod evidence;
mod genesis;
mod merkle;
mod peer_record;
mod receipt;
mod support;
mod transaction;
mod validators;
mod vectors;
