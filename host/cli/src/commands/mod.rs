//! One file per command.

pub(crate) mod dev;
pub(crate) mod init;
pub(crate) mod keys;
pub(crate) mod role;
pub(crate) mod verify;
