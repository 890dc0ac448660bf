//! What tests of several crates need: parties that lie, and a chain without a network.
//!
//! [`chain`] makes blocks with an open election. A [`Liar`] stands before a validator, real or fake, passes everything on, and changes the answers
//! of the method that it is told to lie about. Whoever believes one validator believes the liar.

pub mod chain;
mod liar;

pub use liar::{Liar, Lie};
