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

#[test]
fn a_library_stands_in_the_crates_that_the_map_names_and_in_no_other() {
    let text = architecture();
    let table = text.split("| Library | Only in |").nth(1).expect("a table");
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let packages = packages();
    let mut seen = 0;
    for row in rows {
        let cells: Vec<&str> = row
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        let (library, expected) = (cells[1], cells[2]);
        let expected: BTreeSet<&str> = expected
            .split(',')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        let prefix = library.strip_suffix('*');
        let is_named = |of: &str| match prefix {
            Some(prefix) => of.starts_with(prefix),
            None => of == library,
        };
        let users = packages.iter().filter(|p| libraries(p).any(is_named));
        let users: BTreeSet<&str> = users
            .map(|package| drawn(name(package)).unwrap_or(name(package)))
            .collect();
        assert_eq!(users, expected, "{library}");
        seen += 1;
    }
    assert!(seen >= 8, "{seen} rows");
}
