//! The links from one document to another: each leads to a file and a heading that are there.

use std::path::Path;

use super::{page::slug, pages, root};

#[test]
fn every_link_leads_somewhere() {
    let root = root();
    let mut broken = Vec::new();
    let mut followed = 0;
    for page in pages() {
        let text = std::fs::read_to_string(root.join(&page)).expect("a page");
        for (line, link) in links(&text) {
            followed += 1;
            if !leads_somewhere(&root, &page, link) {
                broken.push(format!("{page}:{line}: {link}"));
            }
        }
    }
    assert!(followed > 100, "only {followed} links were found");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn a_broken_link_is_found() {
    let text = "[a](README.md), [b](https://example.org)\n```sh\n[c](no.md)\n```\n[d](#e)";
    assert_eq!(links(text), [(1, "README.md"), (5, "#e")]);
    let root = root();
    for (link, expected) in [
        ("operating.md#the-files", true),
        ("operating.md#no-such-heading", false),
        ("../README.md#quick-start", true),
        ("#rules-that-hold-everywhere", true),
        ("no-such-page.md", false),
    ] {
        assert_eq!(
            leads_somewhere(&root, "docs/rest-api.md", link),
            expected,
            "{link}"
        );
    }
}

/// The targets of links within the repository, each with its line; not those in fences.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    let mut in_fence = false;
    for (number, line) in (1..).zip(text.lines()) {
        in_fence ^= line.trim_start().starts_with("```");
        let targets = line
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        let inside = targets.filter(|target| !in_fence && !target.contains("://"));
        links.extend(inside.map(|target| (number, target)));
    }
    links
}

fn leads_somewhere(root: &Path, page: &str, link: &str) -> bool {
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let page = root.join(page);
    let target = match file {
        "" => page,
        file => page.with_file_name("").join(file),
    };
    if heading.is_empty() {
        return target.exists();
    }
    let text = std::fs::read_to_string(target).unwrap_or_default();
    text.lines()
        .any(|line| line.starts_with('#') && slug(line) == heading)
}
