//! Sealed ballots: what voters encrypt, trustees open and everybody checks.
//!
//! A ballot is split into slots of 0 or 1. Each is encrypted to a key that trustees made together, with a
//! proof that it is 0 or 1. Sums of ballots are sums of ciphertexts, and only sums are ever opened.
//! `docs/sealed.md` has the formats, the equations and the argument why they hold.
//!
//! - [`form`]: the slots of a contest, what is counted, and which sums are allowed;
//! - [`declaration`]: the forms that rules declare, and a plain ballot as slots and back;
//! - [`slots`]: sealing, verifying, and opening one's own ballot with its seed;
//! - [`sum`]: encrypted sums of ballots;
//! - [`ceremony`]: how trustees make a key that nobody has;
//! - [`opening`]: what each trustee contributes when the sums are opened, and the totals.
//!
//! Everything here is deterministic. Randomness comes in as seeds of 32 bytes, and the purpose of a proof as a context
//! of 32 bytes. Nothing here knows a transaction, an election or a clock.
//!
//! ```
//! use tabella_seal::{Key, ceremony::*, declaration::*, opening::*, slots::*, sum::Sums};
//!
//! // One trustee makes a key alone.
//! let ceremony = Ceremony::new([1; 32], 1, 1)?;
//! let trustee = Trustee::new(&[2; 32], &ceremony, 1)?;
//! let commits = [trustee.commit()];
//! let deals = [trustee.deal(&commits)?];
//! let keys = Keys::new(&ceremony, &commits, &deals)?;
//!
//! // A voter marks the second of three options.
//! let declaration = Declaration { options: 3, shape: Shape::Marks { sum: None } };
//! let form = declaration.form()?;
//! let sealer = Sealer::new(&form, &keys.key);
//! let bytes = sealer.seal(&[3; 32], &declaration.bits(&[1])?, &[4; 32])?;
//!
//! // Anybody checks the ballot, and adds it up.
//! verify(&keys.key, &[Sealed { form: &form, context: &[3; 32], bytes: &bytes }])?;
//! let mut sums = Sums::new(&form);
//! sums.add(&form, &bytes, 1)?;
//!
//! // The trustee opens the sums.
//! let counters = sums.counters(&form);
//! let share = trustee.share(&commits, &deals)?;
//! let opening = share.open(&counters, &[5; 32]);
//! let factors = opening.check(&keys, 1, &counters, &[5; 32])?;
//! let totals = totals(&keys, &counters, &[factors], &Logarithms::new(1, 3))?;
//! assert_eq!(totals, [0, 1, 0]);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
#![no_std]

extern crate alloc;

pub mod ceremony;
pub mod declaration;
mod equality;
pub mod form;
mod group;
mod key;
mod logarithm;
pub mod opening;
pub mod slots;
pub mod sum;
mod transcript;

pub use key::{Key, KeyError};

/// The purpose of a proof, as a hash. A proof does not hold in any other context.
pub type Context = [u8; 32];

/// All the randomness of a ballot or of a trustee. Whoever knows it knows the secret.
pub type Seed = [u8; 32];
