//! Compiled plugins between runs.
//!
//! An artifact is native code, so it is only ever read from this host's own folder, where only this
//! process's user may write, and never taken from a peer. A digest in front of it catches what the
//! disk does to it; a file that fails it is compiled anew.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use wasmtime::{Engine, Module};

use crate::verdict::HostFault;

const DIGEST_BYTES: usize = 32;

/// Compiles a module, or takes it from the folder.
pub(crate) fn module(
    engine: &Engine,
    folder: Option<&PathBuf>,
    plugin_sha256: &[u8; 32],
    instrumented: &[u8],
) -> Result<Module, HostFault> {
    let fault = |error: wasmtime::Error| HostFault(format!("cannot compile: {error:#}"));
    let Some(folder) = folder else {
        return Module::new(engine, instrumented).map_err(fault);
    };
    let path = folder.join(format!(
        "{}.cwasm",
        file_name(engine, plugin_sha256, instrumented)
    ));
    if let Some(module) = load(engine, &path) {
        return Ok(module);
    }
    let artifact = engine.precompile_module(instrumented).map_err(fault)?;
    // A cache that cannot be written costs time on the next start, nothing else.
    if let Err(error) = store(folder, &path, &artifact) {
        tracing::warn!(path = %path.display(), %error, "cannot keep a compiled plugin");
    }
    from_artifact(engine, &artifact).map_err(fault)
}

/// Names the plugin, what was compiled, and everything about the engine that compiled it.
fn file_name(engine: &Engine, plugin_sha256: &[u8; 32], instrumented: &[u8]) -> String {
    let mut compatibility = Sha256Hasher(Sha256::new());
    instrumented.hash(&mut compatibility);
    engine
        .precompile_compatibility_hash()
        .hash(&mut compatibility);
    let compatibility = compatibility.0.finalize();
    format!(
        "{}-{}",
        hex::encode(plugin_sha256),
        hex::encode(&compatibility[..16])
    )
}

fn load(engine: &Engine, path: &PathBuf) -> Option<Module> {
    let bytes = fs::read(path).ok()?;
    let (digest, artifact) = bytes.split_at_checked(DIGEST_BYTES)?;
    if Sha256::digest(artifact).as_slice() != digest {
        tracing::warn!(path = %path.display(), "a kept compiled plugin is damaged; compiling anew");
        return None;
    }
    match from_artifact(engine, artifact) {
        Ok(module) => Some(module),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "a kept compiled plugin does not load");
            None
        }
    }
}

#[allow(unsafe_code)]
fn from_artifact(engine: &Engine, artifact: &[u8]) -> wasmtime::Result<Module> {
    // SAFETY: the bytes were made by `precompile_module`, either just now or by an earlier run of
    // this host: they come from its own folder and match the digest written with them.
    unsafe { Module::deserialize(engine, artifact) }
}

fn store(folder: &PathBuf, path: &PathBuf, artifact: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    // Written aside and renamed, so that a crash or a second process leaves no half a file.
    let aside = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&aside)?;
    file.write_all(&Sha256::digest(artifact))?;
    file.write_all(artifact)?;
    fs::rename(&aside, path)
}

struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest: [u8; 32] = self.0.clone().finalize().into();
        u64::from_le_bytes(*digest.first_chunk().expect("a digest has 32 bytes"))
    }
}
