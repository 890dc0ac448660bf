//! A loaded plugin.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tabella_contest::{BallotKind, ContestConfig, Manifest};
use thiserror::Error;
use wasmtime::{ExternType, Module};

use crate::cache;
use crate::compile::NotCompiled;
use crate::contest::{ConfigError, Contest};
use crate::inspect::{self, Report};
use crate::instance::{CallError, Instance, Template};
use crate::instrument;
use crate::shared::Shared;
use crate::verdict::{Fault, HostFault};

/// Why a module is not a plugin.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The module breaks rules of the sandbox; every violation, in the order found.
    #[error("the module is refused: {0}")]
    Refused(Report),
    /// The module failed while it described itself.
    #[error("while describing itself, {0}")]
    Fault(Fault),
    /// The manifest is not what the ABI asks for.
    #[error("the manifest is refused: {0}")]
    Manifest(String),
    /// The module is good, but this host could not compile it.
    #[error(transparent)]
    NotCompiled(#[from] NotCompiled),
    /// The host failed.
    #[error(transparent)]
    Host(#[from] HostFault),
}

/// A plugin that passed every check and is compiled. A clone shares everything with its original.
#[derive(Clone)]
pub struct Plugin {
    shared: Arc<Shared>,
    template: Arc<Template>,
    manifest: Arc<Manifest>,
    sha256: [u8; 32],
}

impl Plugin {
    pub(crate) fn load(shared: &Arc<Shared>, wasm: &[u8]) -> Result<Self, LoadError> {
        let limits = &shared.limits;
        let sha256 = Sha256::digest(wasm).into();
        let module = match kept(shared, &sha256) {
            Some(module) => module,
            None => make(shared, wasm, &sha256)?,
        };
        let slots = Arc::clone(&shared.slots);
        let template = Template::new(&shared.engine, &module, slots, limits)?;
        let template = Arc::new(template);
        let mut manifest = describe(&template, shared)?;
        let marker = module.get_export(tabella_abi::MARKS_MARKER);
        manifest.marks =
            manifest.ballot == BallotKind::Ranking && matches!(marker, Some(ExternType::Func(_)));
        Ok(Self {
            shared: Arc::clone(shared),
            template,
            manifest: Arc::new(manifest),
            sha256,
        })
    }

    /// The SHA-256 of the Wasm bytes, by which a chain names the plugin.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// What the plugin says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Configures the plugin for one contest.
    pub fn contest(&self, config: &ContestConfig) -> Result<Contest, ConfigError> {
        Contest::configure(&self.shared, &self.template, &self.manifest, config)
    }
}

fn kept(shared: &Shared, sha256: &[u8; 32]) -> Option<Module> {
    shared.cache.as_ref()?.load(&shared.engine, sha256)
}

/// Inspects and compiles a module that is not kept.
fn make(shared: &Shared, wasm: &[u8], sha256: &[u8; 32]) -> Result<Module, LoadError> {
    let limits = &shared.limits;
    let frames = inspect::inspect(wasm, limits).map_err(LoadError::Refused)?;
    let instrumented = instrument::instrument(wasm, &frames, limits.stack_slots)
        .map_err(|error| HostFault(format!("cannot instrument a valid module: {error}")))?;
    let _alone = shared.compiling.lock();
    // Whoever held the lock may have compiled the same plugin.
    if let Some(module) = kept(shared, sha256) {
        return Ok(module);
    }
    let compiler = &shared.compiler;
    let artifact = compiler.compile(&shared.engine, limits, &instrumented)?;
    let module = cache::from_artifact(&shared.engine, &artifact)
        .map_err(|error| NotCompiled(format!("what its compiler made does not load: {error:#}")))?;
    if let Some(cache) = &shared.cache {
        cache.keep(sha256, &artifact);
    }
    Ok(module)
}

fn describe(template: &Arc<Template>, shared: &Shared) -> Result<Manifest, LoadError> {
    let limits = &shared.limits;
    let failed = |error| match error {
        CallError::Plugin(fault) => LoadError::Fault(fault),
        CallError::Host(fault) => LoadError::Host(fault),
    };
    let mut instance = Instance::first(template, limits.validate_memory_bytes).map_err(failed)?;
    let json = instance.describe(limits).map_err(failed)?;
    Manifest::read(&json, limits).map_err(LoadError::Manifest)
}
