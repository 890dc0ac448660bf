//! The SDK that this program was built with, to be written beside a rule.

/// Every file of it, by its path.
const FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/sdk_files.rs"));

/// The files of the SDK as crates that stand alone: what their manifests take from the workspace of Tabella
/// is written out.
pub(crate) fn files() -> impl Iterator<Item = (&'static str, String)> {
    let licence = ("LICENSE", include_str!("../../../LICENSE").to_owned());
    let sources = FILES.iter().map(|(path, text)| match *path {
        "Cargo.toml" | "abi/Cargo.toml" => (*path, standing_alone(text)),
        path => (path, (*text).to_owned()),
    });
    sources.chain([licence])
}

fn standing_alone(manifest: &str) -> String {
    let inherited = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("edition", "2024"),
        ("rust-version", env!("CARGO_PKG_RUST_VERSION")),
        ("license", env!("CARGO_PKG_LICENSE")),
    ];
    let mut text = manifest.replace("[lints]\nworkspace = true\n\n", "");
    for (key, value) in inherited {
        let of_workspace = format!("\n{key}.workspace = true");
        text = text.replace(&of_workspace, &format!("\n{key} = \"{value}\""));
    }
    text.replace("publish.workspace = true", "publish = false")
        .replace(
            "tabella-abi.workspace = true",
            "tabella-abi = { path = \"abi\" }",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_crates_need_nothing_of_a_workspace() {
        let manifests = files().filter(|(path, _)| path.ends_with("Cargo.toml"));
        let mut count = 0;
        for (path, text) in manifests {
            assert!(!text.contains("workspace"), "{path}: {text}");
            let rust = concat!(
                "\nrust-version = \"",
                env!("CARGO_PKG_RUST_VERSION"),
                "\"\n"
            );
            assert!(text.contains(rust), "{path}: {text}");
            count += 1;
        }
        assert_eq!(count, 2);
    }
}
