//! Compiled plugins between runs.
//!
//! An artifact is native code, so it is only ever read from this host's own folder, where only this
//! process's user may write, and never taken from a peer. A digest in front of it catches what the
//! disk does to it; a file that fails it is compiled anew. A plugin that has one passed inspection
//! when it was made, under the same limits, and is not inspected again.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::{Engine, Module};

use tabella_limits::PluginLimits;

const DIGEST_BYTES: usize = 32;

/// What decides, beside the limits, which modules are accepted and what is compiled of them.
const SOURCES: [&str; 3] = [
    include_str!("inspect.rs"),
    include_str!("instrument.rs"),
    include_str!("operators.rs"),
];

/// A folder of artifacts made under the same conditions.
pub(crate) struct Cache {
    folder: PathBuf,
    /// Of everything that an artifact depends on beside the plugin's bytes.
    conditions: String,
}

impl Cache {
    pub(crate) fn new(folder: PathBuf, engine: &Engine, limits: &PluginLimits) -> Self {
        let mut hash = Sha256Hasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hash);
        SOURCES.hash(&mut hash);
        serde_json::to_vec(limits)
            .expect("plain data serialises")
            .hash(&mut hash);
        let conditions = hex::encode(&hash.0.finalize()[..16]);
        Self { folder, conditions }
    }

    fn path(&self, plugin_sha256: &[u8; 32]) -> PathBuf {
        let plugin = hex::encode(plugin_sha256);
        self.folder
            .join(format!("{plugin}-{}.cwasm", self.conditions))
    }

    /// A module that was compiled before.
    pub(crate) fn load(&self, engine: &Engine, plugin_sha256: &[u8; 32]) -> Option<Module> {
        let path = self.path(plugin_sha256);
        let bytes = fs::read(&path).ok()?;
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

    /// Keeps an artifact. A cache that cannot be written costs time on the next start, nothing else.
    pub(crate) fn keep(&self, plugin_sha256: &[u8; 32], artifact: &[u8]) {
        let path = self.path(plugin_sha256);
        if let Err(error) = store(&self.folder, &path, artifact) {
            tracing::warn!(path = %path.display(), %error, "cannot keep a compiled plugin");
        }
    }
}

#[allow(unsafe_code)]
pub(crate) fn from_artifact(engine: &Engine, artifact: &[u8]) -> wasmtime::Result<Module> {
    // SAFETY: the bytes were made by `precompile_module`: just now, by this process or by one of the
    // same program that it started; or by an earlier run of this host, in which case they come from
    // its own folder and match the digest written with them.
    unsafe { Module::deserialize(engine, artifact) }
}

fn store(folder: &Path, path: &Path, artifact: &[u8]) -> std::io::Result<()> {
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
