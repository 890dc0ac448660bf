//! The rule that a command line names.

use std::path::Path;

use tabella_runtime::{LoadError, Plugin, Runtime};
use thiserror::Error;

/// Why there is no rule to run.
#[derive(Debug, Error)]
pub enum RuleError {
    /// It is neither a built-in rule nor a file.
    #[error(
        "no rule is named {name:?}; expected a .wasm file, the folder of a crate or one of {known}"
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The built-in rules.
        known: String,
    },
    /// The file cannot be read.
    #[error("cannot read {path}: {error}")]
    Read {
        /// The file.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// It is not a plugin.
    #[error("{name}: {error}")]
    Load {
        /// What was asked for.
        name: String,
        /// Why not.
        error: LoadError,
    },
}

/// Loads a built-in rule by its name, or a module from a file that ends in `.wasm`.
pub fn load_rule(runtime: &Runtime, rule: &str) -> Result<Plugin, RuleError> {
    let wasm = rule_bytes(rule)?;
    runtime.load(&wasm).map_err(|error| RuleError::Load {
        name: rule.to_owned(),
        error,
    })
}

/// The module of a built-in rule, or of a file.
pub fn rule_bytes(rule: &str) -> Result<Vec<u8>, RuleError> {
    if let Some(builtin) = tabella_plugins::get(rule) {
        return Ok(builtin.wasm.to_vec());
    }
    let path = Path::new(rule);
    if path.extension().is_none_or(|extension| extension != "wasm") {
        let known: Vec<_> = tabella_plugins::all()
            .iter()
            .map(|rule| rule.name)
            .collect();
        return Err(RuleError::Unknown {
            name: rule.to_owned(),
            known: known.join(", "),
        });
    }
    std::fs::read(path).map_err(|error| RuleError::Read {
        path: rule.to_owned(),
        error,
    })
}
