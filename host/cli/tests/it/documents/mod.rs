//! Every document as its readers type it: each command of a page in order, in one shell, against a fresh
//! network, and what the page promises compared with what came.
//!
//! How a page says what is typed, what a command prints and what varies: `page.rs` and `promise.rs`.
//! Where the machine has no namespaces for it, or lacks a tool that a page needs, the test says so and
//! passes, unless `TABELLA_REQUIRE_DOCUMENTS` is set.

mod commands;
mod faults;
mod links;
mod page;
mod promise;
mod session;

use std::path::{Path, PathBuf};

use self::{page::Page, session::Session};

const CURL: &str = "curl --json '{}' --help";
const JQ: &str = "jq --version";
const NODE: &str = "node --input-type=module --eval 'fetch; crypto.randomUUID()'";
const PYTHON: &str = "python3 --version";
const CRYPTOGRAPHY: &str = "python3 -c 'import cryptography'";

/// The pages that are typed, each by a test below.
const TYPED: [&str; 10] = [
    "README.md",
    "docs/auditing.md",
    "docs/credentials.md",
    "docs/election-file.md",
    "docs/integration.md",
    "docs/operating.md",
    "docs/quick-reference.md",
    "docs/rest-api.md",
    "docs/troubleshooting.md",
    "docs/writing-a-rule.md",
];

#[test]
fn the_readme_does_what_it_says() {
    check("README.md", &[CURL]);
}

#[test]
fn auditing_does_what_it_says() {
    check("docs/auditing.md", &[CURL, JQ]);
}

#[test]
fn credentials_does_what_it_says() {
    check("docs/credentials.md", &[CURL, JQ, NODE, CRYPTOGRAPHY]);
}

#[test]
fn election_file_does_what_it_says() {
    check("docs/election-file.md", &[CURL]);
}

#[test]
fn integration_does_what_it_says() {
    check("docs/integration.md", &[CURL, JQ]);
}

#[test]
fn operating_does_what_it_says() {
    check("docs/operating.md", &[CURL, JQ]);
}

#[test]
fn quick_reference_does_what_it_says() {
    check("docs/quick-reference.md", &[CURL, JQ, NODE, PYTHON]);
}

#[test]
fn rest_api_does_what_it_says() {
    check("docs/rest-api.md", &[CURL, JQ]);
}

#[test]
fn troubleshooting_does_what_it_says() {
    check("docs/troubleshooting.md", &[CURL]);
}

#[test]
fn writing_a_rule_does_what_it_says() {
    check("docs/writing-a-rule.md", &["rustup --version", CURL]);
}

#[test]
fn every_other_page_says_why_it_is_not_typed() {
    let root = root();
    for name in pages() {
        if !TYPED.contains(&&*name) {
            let page = Page::read(&root, &name);
            let typed: Vec<_> = page.steps.iter().map(|step| step.line).collect();
            assert!(
                typed.is_empty(),
                "{name}: type its commands in a test, or say in the fences why not: {typed:?}"
            );
        }
    }
}

/// The documents, from the repository's root.
fn pages() -> Vec<String> {
    let mut pages = ["README.md", "CONTRIBUTING.md", "SECURITY.md"]
        .map(str::to_owned)
        .to_vec();
    let folder = std::fs::read_dir(root().join("docs")).expect("a folder");
    let names = folder
        .flatten()
        .map(|entry| format!("docs/{}", entry.file_name().display()));
    pages.extend(names.filter(|name| name.ends_with(".md")));
    pages
}

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the repository")
}

/// Types a page; `tools` are commands that work where its tools are.
fn check(name: &str, tools: &[&str]) {
    assert!(
        TYPED.contains(&name),
        "{name} is not in the list of typed pages"
    );
    let root = root();
    let page = Page::read(&root, name);
    if let Some(lacking) = session::lacks(tools) {
        let required = std::env::var_os("TABELLA_REQUIRE_DOCUMENTS").is_some();
        assert!(
            !required,
            "{name} cannot be typed here for want of {lacking}"
        );
        println!("skipped: {name} is not typed for want of {lacking}");
        return;
    }
    for (line, why) in &page.skipped {
        println!("{name}:{line}: not typed: {why}");
    }
    let faults = Session::new(&root).follow(&page);
    assert!(
        faults.is_empty(),
        "{} faults\n\n{}",
        faults.len(),
        faults.join("\n\n")
    );
}
