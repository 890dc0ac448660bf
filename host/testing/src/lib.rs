//! What tests need to play the parties that lie.
//!
//! A [`Liar`] stands before a validator, real or fake, passes everything on, and changes the answers
//! of the method that it is told to lie about. Whoever believes one validator believes the liar.

mod liar;

pub use liar::{Liar, Lie};
