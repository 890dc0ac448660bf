//! Where a process of a development network runs.

use std::ffi::OsString;

/// On this machine as it is, or set apart from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Site {
    /// How others reach it; `None` for loopback.
    pub host: Option<String>,
    /// URL of what stands before its RPC, as the backend sees it; `None` for nothing.
    pub front: Option<String>,
    /// The words in front of its command line, such as those that enter a network namespace. They
    /// must become the process, so that its id is the id of the role.
    pub launcher: Vec<OsString>,
    /// What is added to its environment.
    pub environment: Vec<(OsString, OsString)>,
}
