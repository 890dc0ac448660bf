//! Checks of the repository's documents.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::shell::workspace_root;

/// Documents whose paths must exist.
const DOCUMENTS: [&str; 2] = ["ARCHITECTURE.md", "README.md"];

/// Fails where a document names a path of this repository that does not exist.
pub(crate) fn paths_exist() -> Result<()> {
    let mut missing = Vec::new();
    for document in DOCUMENTS {
        let path = workspace_root().join(document);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {document}"))?;
        for named in paths_in(&text) {
            if !workspace_root().join(named).exists() {
                missing.push(format!("{document} names {named}, which does not exist"));
            }
        }
    }
    if !missing.is_empty() {
        bail!("{}", missing.join("\n"));
    }
    Ok(())
}

/// The paths that a document names: link targets, and code in backticks that starts with the name
/// of a top-level entry followed by a slash.
fn paths_in(text: &str) -> Vec<&str> {
    let top: Vec<String> = fs::read_dir(workspace_root())
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name != "target" && name != ".data")
        .collect();
    let code = text.split('`').skip(1).step_by(2);
    let code = code.filter(|code| {
        !code.contains(char::is_whitespace)
            && code
                .split_once('/')
                .is_some_and(|(first, _)| top.iter().any(|name| name == first))
    });
    let links = text.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', '#']).next()?;
        (!target.is_empty() && !target.contains("://")).then_some(target)
    });
    code.chain(links).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_name_only_paths_that_exist() {
        paths_exist().unwrap();
    }

    #[test]
    fn paths_are_found_in_code_and_links() {
        let text =
            "see `host/cli` and [it](docs/x.md#part), not `a/b`, `cargo xtask`, [w](https://x/)";
        assert_eq!(paths_in(text), ["host/cli", "docs/x.md"]);
    }

    #[test]
    fn a_missing_path_would_be_noticed() {
        let named = paths_in("`host/nothing-of-the-kind`")[0];
        assert!(!workspace_root().join(named).exists());
    }
}
