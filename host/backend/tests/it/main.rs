//! The backend over real HTTP.

mod accounts;
mod administration;
mod adversary;
mod bad_input;
mod closing;
mod counts_shown;
mod degradation;
mod deployment;
mod events;
#[path = "../../../client/tests/it/fake.rs"]
#[allow(
    dead_code,
    reason = "shared with the client's tests, which use more of it"
)]
mod fake;
mod levels;
mod log_lines;
mod openapi;
mod restored;
mod roll;
mod seed_contract;
mod submission;
mod surface;
mod web;
