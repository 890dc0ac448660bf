//! The ledger from outside: real rules, real databases, blocks executed on several nodes.

mod adversary;
mod chain;
mod compilation;
mod crash;
mod damage;
mod recorded;
mod refusals;
mod support;
mod validators;
