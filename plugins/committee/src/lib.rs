//! Approval ballots for more than one winner: [`Committee`] fills seats in proportion to groups of
//! voters, [`Budgeting`] spends a budget on projects.
//!
//! `committee`, by `method`:
//! - `sequential-pav`: T. N. Thiele, "Om Flerfoldsvalg" (1895): each seat goes to the option whose
//!   approvals weigh most, where a ballot with k options elected weighs 1 / (k + 1);
//! - `phragmen`: E. Phragmén's sequential method (1894): an option costs its supporters one unit of
//!   load, and each seat goes to the option whose supporters would bear the least load each;
//! - `equal-shares`: D. Peters and P. Skowron, "Proportionality and the Limits of Welfarism" (2020):
//!   each voter has an equal share of the seats to spend, and each seat goes to the option whose
//!   supporters can pay for it at the lowest price each. Seats that nobody can pay for are filled
//!   by Phragmén's method from what voters have left (`completion`: `phragmen`), or left empty
//!   (`none`); see M. Lackner and P. Skowron, "Multi-Winner Voting with Approval Preferences"
//!   (2023), chapter 2.
//!
//! `budgeting`, by `method`:
//! - `greedy`: most approvals first, whatever the money left still pays for;
//! - `equal-shares`: as above with the projects' costs; voters pay at equal price for each unit of
//!   cost (D. Peters, G. Pierczyński, P. Skowron, "Proportional Participatory Budgeting with
//!   Additive Utilities", 2021, with cost utilities). `completion`: `none`; `add1`: begins anew with
//!   whole shares raised by one unit of money at a time, as long as the outcome stays within the
//!   budget and leaves out something that it would pay for; `utilitarian`: spends the rest greedily.
//!
//! An option that no ballot approves is never elected, and what costs nothing is elected if anybody
//! approves it. Blank ballots are voters with a share of their own.
//!
//! All arithmetic is exact, in fractions of any size. Ties go to the contest's tie-break. Where they
//! are only to be reported, the ways to decide them are followed one by one (up to a bound, and the
//! explanation says when it was reached) and every option that wins in one of them is a winner.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod budgeting;
mod phragmen;
mod seats;
mod shares;
mod thiele;
mod voters;

pub use budgeting::Budgeting;
pub use seats::Committee;
