//! The picture of the crates in ARCHITECTURE.md is the one that Cargo builds: who depends on whom, and which
//! library stands in which crates alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use serde_json::Value;

/// Dependencies of crates by name.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// Crates that are drawn nowhere: tools beside the product.
const TOOLS: [&str; 4] = [
    "xtask",
    "tabella-fuzz",
    "tabella-test-browser",
    "tabella-test-postgres",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
}

fn architecture() -> String {
    std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md")
}

/// The packages of the workspace, as Cargo reads them.
fn packages() -> Vec<Value> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let metadata = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

/// The name of a crate in the picture; all rules are one.
fn drawn(package: &str) -> Option<&str> {
    match package {
        _ if TOOLS.contains(&package) => None,
        "tabella" => Some("cli"),
        "tabella-rule-testing" => None,
        _ if package.starts_with("tabella-rule-") => Some("rules"),
        _ => package.strip_prefix("tabella-"),
    }
}

/// What a package is built with, tests aside.
fn libraries(package: &Value) -> impl Iterator<Item = &str> {
    let all = package["dependencies"].as_array().expect("dependencies");
    let built = all.iter().filter(|of| of["kind"] != "dev");
    built.map(|of| of["name"].as_str().expect("a name"))
}

fn name(package: &Value) -> &str {
    package["name"].as_str().expect("a name")
}

/// The dependencies between crates, as Cargo builds them.
fn built() -> Graph {
    let packages = packages();
    let mut graph = Graph::new();
    for package in &packages {
        let Some(from) = drawn(name(package)) else {
            continue;
        };
        let members = libraries(package).filter(|on| packages.iter().any(|p| name(p) == *on));
        let on = members.filter_map(drawn).filter(|on| *on != from);
        let on = on.map(str::to_owned);
        graph.entry(from.to_owned()).or_default().extend(on);
    }
    graph
}

fn reached(graph: &Graph, from: &str, found: &mut BTreeSet<String>) {
    for on in graph.get(from).into_iter().flatten() {
        if found.insert(on.clone()) {
            reached(graph, on, found);
        }
    }
}

/// The arrows that no path of other arrows says already.
fn arrows(graph: &Graph) -> BTreeSet<String> {
    let mut arrows = BTreeSet::new();
    for (from, on) in graph {
        for to in on {
            let mut by_others = BTreeSet::new();
            for other in on.iter().filter(|other| *other != to) {
                reached(graph, other, &mut by_others);
            }
            if !by_others.contains(to) {
                arrows.insert(format!("{from} --> {to}"));
            }
        }
    }
    arrows
}

#[test]
fn the_picture_shows_the_arrows_that_cargo_builds() {
    let text = architecture();
    let picture = text.split("```mermaid").nth(1).expect("a picture");
    let picture = picture.split("```").next().unwrap_or_default();
    let shown = picture.lines().map(str::trim);
    let shown: BTreeSet<String> = shown
        .filter(|line| line.contains("-->"))
        .map(str::to_owned)
        .collect();
    let built = arrows(&built());
    let missing: Vec<_> = built.difference(&shown).collect();
    let wrong: Vec<_> = shown.difference(&built).collect();
    assert!(
        missing.is_empty() && wrong.is_empty(),
        "ARCHITECTURE.md lacks {missing:?}, and shows what is not so: {wrong:?}"
    );
}

/// The rows of the table below this head, without quotes.
fn rows<'t>(text: &'t str, head: &str) -> Vec<(&'t str, BTreeSet<&'t str>)> {
    let plain = |cell: &'t str| cell.trim().trim_matches('`');
    let table = text.split(head).nth(1).expect("a table");
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        (plain(cells[1]), cells[2].split(',').map(plain).collect())
    })
    .collect()
}

#[test]
fn a_library_stands_in_the_crates_that_the_map_names_and_in_no_other() {
    let text = architecture();
    let packages = packages();
    let rows = rows(&text, "| Library | Only in |");
    assert!(rows.len() >= 8, "{} rows", rows.len());
    for (library, expected) in rows {
        let users = packages
            .iter()
            .filter(|p| libraries(p).any(|of| is_of(library, of)));
        let users: BTreeSet<&str> = users
            .map(|package| drawn(name(package)).unwrap_or(name(package)))
            .collect();
        assert_eq!(users, expected, "{library}");
    }
}

/// Whether a name of the map, which may end in `*`, is that of a package.
fn is_of(name: &str, package: &str) -> bool {
    match name.strip_suffix('*') {
        Some(prefix) => package.starts_with(prefix),
        None => package == name,
    }
}

/// All that is linked into a crate of the workspace, itself included: crates of the workspace as they are
/// drawn, libraries by their names.
fn linked(package: &str) -> BTreeSet<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let tree = Command::new(cargo)
        .args(["tree", "--package", package, "--edges", "normal"])
        .args(["--prefix", "none", "--format", "{lib} {p}", "--offline"])
        .current_dir(root())
        // With it, cargo draws the whole workspace and not the one package.
        .env_remove("CARGO_RESOLVER_FEATURE_UNIFICATION")
        .output()
        .expect("cargo runs");
    let errors = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "{errors}");
    let text = String::from_utf8(tree.stdout).expect("UTF-8");
    let names = text.lines().filter_map(|line| line.split(' ').nth(1));
    names
        .map(|name| drawn(name).unwrap_or(name).to_owned())
        .collect()
}

#[test]
fn a_crate_links_nothing_that_the_map_says_it_does_without() {
    let text = architecture();
    let rows = rows(&text, "| Crate | Links none of |");
    assert_eq!(rows.len(), 5, "{rows:?}");
    let everything = linked("tabella");
    for (of, without) in rows {
        let linked = linked(&format!("tabella-{of}"));
        assert!(linked.contains(of), "{linked:?}");
        for name in without {
            let known = everything.iter().any(|package| is_of(name, package));
            assert!(known, "nothing of the product is called {name}");
            let found = linked.iter().find(|package| is_of(name, package));
            assert_eq!(found, None, "{of} links it");
        }
    }
}
