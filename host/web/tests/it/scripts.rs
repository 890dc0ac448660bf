//! The modules and the words that they use.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use tabella_web::site;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files_below(&path),
            false => vec![path],
        })
        .collect()
}

fn scripts() -> Vec<(PathBuf, String)> {
    let paths = ["script", "worker"].map(|folder| files_below(&root().join(folder)));
    let scripts = paths.into_iter().flatten().map(|path| {
        let text = fs::read_to_string(&path).expect("UTF-8");
        (path, text)
    });
    scripts.collect()
}

#[test]
fn every_file_is_served_as_it_stands_in_the_repository() {
    let mut seen = 0;
    for directory in ["script", "style", "worker"] {
        for path in files_below(&root().join(directory)) {
            let name = path.strip_prefix(root()).expect("below").display();
            let name = format!("/{name}");
            let mut served = site()
                .files()
                .filter(|asset| asset.path.starts_with("/assets/") && asset.path.ends_with(&name));
            let served = served
                .next()
                .unwrap_or_else(|| panic!("{name} is not served"));
            assert_eq!(served.bytes, fs::read(&path).expect("a file"), "{name}");
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}

/// What turns text into markup or programs: none of it is there.
#[test]
fn no_module_makes_markup_or_programs_of_text() {
    for (path, text) in scripts() {
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "DOMParser",
            "createContextualFragment",
            "setHTML",
            "eval(",
            "new Function",
            "localStorage",
            "document.cookie",
            "import(",
            ".style.",
        ] {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
    }
}

#[test]
fn every_module_is_reached_from_a_page() {
    let pages = site().files().filter(|asset| asset.is_page());
    let pages: Vec<String> = pages
        .map(|page| String::from_utf8_lossy(&page.bytes).into_owned())
        .collect();
    for asset in site().files().filter(|asset| asset.path.ends_with(".js")) {
        let is_loaded = pages.iter().any(|page| page.contains(&asset.path));
        assert!(is_loaded, "{} is loaded by no page", asset.path);
    }
}

/// The names of words that a module uses, where it names them in full: their beginnings where it makes them.
fn used(text: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut whole, mut begun) = (BTreeSet::new(), BTreeSet::new());
    for quote in ['"', '`'] {
        for part in text.split(quote) {
            let (name, rest) = match part.split_once("${") {
                Some((name, rest)) if quote == '`' => (name, Some(rest)),
                _ => (part, None),
            };
            let is_name = name.contains('.')
                && name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b"._-0123456789".contains(&b));
            if is_name && !name.ends_with(".js") {
                match rest {
                    Some(_) => begun.insert(name.to_owned()),
                    None => whole.insert(name.to_owned()),
                };
            }
        }
    }
    (whole, begun)
}

#[test]
fn modules_use_all_words_of_the_catalogue_and_no_others() {
    let catalogue: toml::Table = include_str!("../../text/en.toml").parse().expect("TOML");
    let mut known = BTreeSet::new();
    for (section, entries) in &catalogue {
        if let Some(section) = section.strip_prefix("script-") {
            let names = entries.as_table().expect("a section").keys();
            known.extend(names.map(|name| format!("{section}.{name}")));
        }
    }
    let (mut whole, mut begun) = (BTreeSet::new(), BTreeSet::new());
    for (_, text) in scripts() {
        let (names, beginnings) = used(&text);
        whole.extend(names);
        begun.extend(beginnings);
    }
    let sections: BTreeSet<_> = known
        .iter()
        .filter_map(|n| n.split_once('.'))
        .map(|n| n.0)
        .collect();
    for name in &whole {
        let section = name.split('.').next().unwrap_or_default();
        // Other texts with a point in them are none of the catalogue's.
        if sections.contains(section) {
            assert!(
                known.contains(name),
                "a module uses {name}, which has no words"
            );
        }
    }
    for name in &known {
        let is_made = begun
            .iter()
            .any(|beginning| name.starts_with(beginning.as_str()));
        assert!(whole.contains(name) || is_made, "no module uses {name}");
    }
    for beginning in &begun {
        let is_known = known
            .iter()
            .any(|name| name.starts_with(beginning.as_str()));
        let section = beginning.split('.').next().unwrap_or_default();
        assert!(
            is_known || !sections.contains(section),
            "no words begin with {beginning}"
        );
    }
    assert!(known.len() > 150, "{}", known.len());
}
