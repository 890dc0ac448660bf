//! Files of a crate that import each other in a circle are read as one: no circle is larger than four.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Files in the largest circle that a reader is asked to hold in mind at once.
const CIRCLE_MAX: usize = 4;

/// A module by its path within the crate; the root is empty.
type Module = Vec<String>;
type Imports = BTreeMap<Module, BTreeSet<Module>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
}

/// The folders of sources of every crate.
fn crates() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = ["sdk", "plugins", "host", "validator", "bootnode", "xtask"]
        .map(|folder| root().join(folder))
        .into();
    while let Some(folder) = folders.pop() {
        if folder.join("Cargo.toml").is_file() && folder.join("src").is_dir() {
            found.push(folder.join("src"));
        }
        let entries = fs::read_dir(&folder).expect("a folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let is_part = |path: &PathBuf| {
            path.is_dir()
                && !["src", "tests", "target"]
                    .iter()
                    .any(|name| path.ends_with(name))
        };
        folders.extend(paths.filter(is_part));
    }
    found
}

/// The modules below a folder, with their files' texts, tests aside.
fn modules(sources: &Path, path: &Module, found: &mut BTreeMap<Module, String>) {
    for entry in fs::read_dir(sources).expect("a folder") {
        let file = entry.expect("an entry").path();
        let stem = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let child = || [path.as_slice(), &[stem.to_owned()]].concat();
        if file.is_dir() {
            modules(&file, &child(), found);
        } else if file.extension().is_some_and(|e| e == "rs") && stem != "tests" {
            let module = match stem {
                "mod" | "lib" | "main" => path.clone(),
                _ => child(),
            };
            let text = fs::read_to_string(&file).expect("a source");
            let text = text.split("#[cfg(test)]\nmod tests").next();
            found.insert(module, text.unwrap_or_default().to_owned());
        }
    }
}

/// The paths that a tree of imports names, such as `a::{b, c::d}`.
fn leaves(tree: &str, before: &[String], found: &mut Vec<Module>) {
    let mut depth = 0;
    let at_top = |c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    };
    for part in tree
        .split(at_top)
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let (path, below) = match part.split_once('{') {
            Some((path, below)) => (path, below.strip_suffix('}')),
            None => (part, None),
        };
        let names = path
            .split("::")
            .map(|name| name.split(" as ").next().unwrap_or_default());
        let names = names.map(str::trim).filter(|name| !name.is_empty());
        let path = [before, &names.map(str::to_owned).collect::<Vec<_>>()].concat();
        match below {
            Some(below) => leaves(below, &path, found),
            None => found.push(path),
        }
    }
}

/// The paths into its own crate that a file names.
fn paths(text: &str) -> Vec<Module> {
    let mut found = Vec::new();
    let starts = |text: &str| {
        ["crate::", "super::", "self::"]
            .iter()
            .any(|own| text.starts_with(own))
    };
    let mut rest = text;
    while let Some(at) = rest.find(['c', 's']) {
        let here = &rest[at..];
        let is_word = rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        if is_word || !starts(here) {
            rest = &here[1..];
            continue;
        }
        let line = text[..text.len() - here.len()]
            .lines()
            .next_back()
            .unwrap_or_default();
        let is_import = line.trim_end().ends_with("use");
        let end = match is_import {
            true => here.find(';'),
            false => here.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')),
        };
        let (path, left) = here.split_at(end.unwrap_or(here.len()));
        leaves(path, &[], &mut found);
        rest = left;
    }
    found
}

/// The file in which a path from `module` ends.
fn file_of(path: &Module, module: &Module, known: &BTreeMap<Module, String>) -> Option<Module> {
    let ups = path.iter().take_while(|name| *name == "super").count();
    let absolute = match path.first()?.as_str() {
        "crate" => path[1..].to_vec(),
        "self" => [module.as_slice(), &path[1..]].concat(),
        _ => [&module[..module.len().saturating_sub(ups)], &path[ups..]].concat(),
    };
    (1..=absolute.len())
        .rev()
        .map(|length| absolute[..length].to_vec())
        .find(|module| known.contains_key(module))
}

fn imports(sources: &Path) -> Imports {
    let mut known = BTreeMap::new();
    modules(sources, &Vec::new(), &mut known);
    let of = |module: &Module, text: &String| {
        let named = paths(text);
        let files = named
            .iter()
            .filter_map(|path| file_of(path, module, &known));
        files.filter(|file| file != module).collect()
    };
    known
        .iter()
        .map(|(module, text)| (module.clone(), of(module, text)))
        .collect()
}

/// All that is reached from a module.
fn reached(from: &Module, imports: &Imports) -> BTreeSet<Module> {
    let mut found = BTreeSet::new();
    let mut next = vec![from.clone()];
    while let Some(module) = next.pop() {
        for on in imports.get(&module).into_iter().flatten() {
            if found.insert(on.clone()) {
                next.push(on.clone());
            }
        }
    }
    found
}

/// The largest circle of files.
fn largest(imports: &Imports) -> BTreeSet<Module> {
    let reached: BTreeMap<_, _> = imports
        .keys()
        .map(|module| (module, reached(module, imports)))
        .collect();
    let circle_of = |module: &Module| {
        let in_circle = |other: &&Module| reached[*other].contains(module);
        let circle = reached[module].iter().filter(in_circle);
        circle.cloned().collect::<BTreeSet<_>>()
    };
    let circles = imports.keys().map(circle_of);
    circles.max_by_key(BTreeSet::len).unwrap_or_default()
}

#[test]
fn no_circle_of_files_is_too_large_to_be_read_at_once() {
    let crates = crates();
    assert!(crates.len() > 20, "{crates:?}");
    for sources in crates {
        let circle = largest(&imports(&sources));
        assert!(
            circle.len() <= CIRCLE_MAX,
            "{} files of {} import each other: {circle:?}",
            circle.len(),
            sources.display()
        );
    }
}

#[test]
fn a_circle_is_found() {
    let text = "use crate::{\n    a::{B, c::D},\n    e,\n};\nfn f() -> super::g::H {}\n";
    let named: Vec<String> = paths(text).iter().map(|path| path.join("::")).collect();
    let expected = ["crate::a::B", "crate::a::c::D", "crate::e", "super::g::H"];
    assert_eq!(named, expected);
    let module = |name: &str| vec![name.to_owned()];
    let on = |names: &[&str]| names.iter().map(|name| module(name)).collect();
    let imports = Imports::from([
        (module("a"), on(&["b"])),
        (module("b"), on(&["c", "d"])),
        (module("c"), on(&["a"])),
        (module("d"), on(&[])),
    ]);
    assert_eq!(largest(&imports), on(&["a", "b", "c"]));
}
