//! The REST routes, one file for each subject.

pub(crate) mod accounts;
pub(crate) mod admin_accounts;
pub(crate) mod admin_elections;
pub(crate) mod admin_transactions;
pub(crate) mod alerts;
pub(crate) mod blocks;
pub(crate) mod board;
pub(crate) mod document;
pub(crate) mod elections;
pub(crate) mod events;
pub(crate) mod export;
pub(crate) mod genesis;
pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod plugins;
pub(crate) mod receipt;
pub(crate) mod reconciliation;
pub(crate) mod results;
pub(crate) mod roll;
pub(crate) mod submit;
pub(crate) mod transaction_status;
pub(crate) mod validators;
pub(crate) mod verify_blockchain;
pub(crate) mod voter;
pub(crate) mod voter_tokens;
pub(crate) mod web;
