//! A plugin that is configured for one contest.

use std::sync::Arc;

use tabella_contest::{Manifest, Paper};

use crate::instance::{Instance, Snapshot, Template};
use crate::shared::Shared;
use crate::verdict::HostFault;

/// Everything a call needs.
pub(crate) struct Configured {
    pub(crate) shared: Arc<Shared>,
    pub(crate) manifest: Arc<Manifest>,
    /// What `configure` was given.
    pub(crate) configuration: Vec<u8>,
    pub(crate) template: Arc<Template>,
    pub(crate) snapshot: Snapshot,
    pub(crate) paper: Paper,
}

impl Configured {
    /// An instance in which nothing ran but `configure`.
    pub(crate) fn instance(&self, memory_bytes: u64) -> Result<Instance, HostFault> {
        let mut instance = Instance::new(&self.template, memory_bytes)?;
        instance.restore(&self.snapshot)?;
        Ok(instance)
    }
}
