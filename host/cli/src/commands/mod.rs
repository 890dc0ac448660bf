//! One file per command.

pub(crate) mod backend;
pub(crate) mod backup;
pub(crate) mod ballots;
pub(crate) mod compile_plugin;
pub(crate) mod demo;
pub(crate) mod dev;
pub(crate) mod election;
pub(crate) mod health;
pub(crate) mod init;
pub(crate) mod keys;
pub(crate) mod membership;
pub(crate) mod newcomer;
pub(crate) mod plugin;
pub(crate) mod role;
pub(crate) mod validator;
pub(crate) mod verify;
mod web_site;
