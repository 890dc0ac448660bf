//! What every page has, in every language.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use tabella_web::{Asset, Encoding, Language, policy, site};

use crate::markup::{Tag, tags};

fn pages() -> Vec<(&'static Asset, Vec<Tag>)> {
    let pages = site().files().filter(|asset| asset.is_page());
    let pages: Vec<_> = pages
        .map(|asset| {
            let text = std::str::from_utf8(&asset.bytes).expect("UTF-8");
            (asset, tags(text))
        })
        .collect();
    assert_eq!(pages.len(), 11 * Language::ALL.len());
    pages
}

fn begun<'a>(tags: &'a [Tag], name: &str) -> Vec<&'a Tag> {
    let named = tags.iter().filter(|tag| tag.name == name && !tag.is_end);
    named.collect()
}

#[test]
fn every_page_says_its_language_and_has_one_heading_of_the_first_level() {
    for (page, tags) in pages() {
        let html = begun(&tags, "html")[0];
        let language = Language::ALL
            .iter()
            .find(|language| page.path.starts_with(&format!("/{}/", language.code)));
        let language = language.expect("a page has a language");
        assert_eq!(html.get("lang"), Some(language.code), "{}", page.path);
        assert_eq!(html.get("dir"), Some(language.direction), "{}", page.path);
        let headings = begun(&tags, "h1");
        assert_eq!(headings.len(), 1, "{}", page.path);
        assert!(!headings[0].text.trim().is_empty(), "{}", page.path);
        assert_eq!(begun(&tags, "main").len(), 1, "{}", page.path);
        let title = begun(&tags, "title")[0];
        assert!(title.text.ends_with(" · Tabella"), "{}", page.path);
        let status = tags.iter().filter(|tag| tag.get("role") == Some("status"));
        assert_eq!(status.count(), 1, "{}", page.path);
    }
}

#[test]
fn headings_skip_no_level() {
    for (page, tags) in pages() {
        let mut before = 0;
        for tag in tags.iter().filter(|tag| !tag.is_end) {
            let level = tag.name.strip_prefix('h').and_then(|n| n.parse().ok());
            if let Some(level) = level {
                assert!(level <= before + 1, "{}: {}", page.path, tag.text);
                before = level;
            }
        }
    }
}

#[test]
fn ids_are_unique_and_what_is_referred_to_is_there() {
    for (page, tags) in pages() {
        let mut ids = BTreeSet::new();
        for id in tags.iter().filter_map(|tag| tag.get("id")) {
            assert!(ids.insert(id), "{}: {id} twice", page.path);
        }
        for tag in &tags {
            let named = ["aria-labelledby", "aria-describedby", "for"];
            let named = named.iter().filter_map(|name| tag.get(name));
            let anchors = tag.get("href").and_then(|href| href.strip_prefix('#'));
            for id in named.flat_map(str::split_whitespace).chain(anchors) {
                assert!(ids.contains(id), "{}: no {id}", page.path);
            }
        }
    }
}

#[test]
fn every_control_has_a_label() {
    for (page, tags) in pages() {
        let labels: BTreeSet<_> = tags.iter().filter_map(|tag| tag.get("for")).collect();
        let mut seen = 0;
        for tag in tags.iter().filter(|tag| !tag.is_end) {
            match tag.name.as_str() {
                "input" | "select" | "textarea" => {
                    let id = tag.get("id").unwrap_or_default();
                    assert!(labels.contains(id), "{}: {id}", page.path);
                }
                "button" => {
                    assert!(!tag.text.trim().is_empty(), "{}: a button", page.path);
                    assert!(tag.get("type").is_some(), "{}: a button's type", page.path);
                }
                "section" => assert!(tag.get("aria-labelledby").is_some(), "{}", page.path),
                "nav" => assert!(tag.get("aria-label").is_some(), "{}", page.path),
                _ => continue,
            }
            seen += 1;
        }
        assert!(seen >= 2, "{}: {seen}", page.path);
    }
}

#[test]
fn nothing_in_a_page_runs_or_is_loaded_from_elsewhere() {
    for (page, tags) in pages() {
        for tag in &tags {
            for name in tag.names() {
                let is_inline = name.starts_with("on") || ["style", "srcdoc"].contains(&name);
                assert!(!is_inline, "{}: {name}", page.path);
            }
            for name in ["href", "src", "action"] {
                let address = tag.get(name).unwrap_or("/");
                let is_own = address.starts_with('#')
                    || address.starts_with('/') && !address.starts_with("//");
                assert!(is_own, "{}: {address}", page.path);
            }
            assert_ne!(tag.name, "style", "{}", page.path);
            assert_ne!(tag.name, "iframe", "{}", page.path);
        }
        for script in begun(&tags, "script") {
            assert_eq!(script.text, "", "{}: an inline script", page.path);
            assert_eq!(script.get("type"), Some("module"), "{}", page.path);
            assert!(script.get("integrity").is_some(), "{}", page.path);
        }
        for link in begun(&tags, "link") {
            let is_loaded = link.get("rel") != Some("icon");
            assert_eq!(link.get("integrity").is_some(), is_loaded, "{}", page.path);
        }
    }
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    let other = ["/api/genesis", "/docs"];
    for (page, tags) in pages() {
        for address in tags.iter().filter_map(|tag| tag.get("href")) {
            let is_known = address.starts_with('#')
                || other.contains(&address)
                || site().find(address).is_some();
            assert!(is_known, "{}: {address}", page.path);
        }
    }
}

#[test]
fn the_policy_has_no_exception() {
    for (policy, types) in [
        (policy::PAGE, "trusted-types 'none'"),
        (policy::CHECKING_PAGE, "trusted-types worker"),
    ] {
        for word in ["unsafe", "data:", "blob:", "http", "*", "nonce"] {
            assert!(!policy.contains(word), "{word}");
        }
        for directive in [
            "default-src 'none'",
            "script-src 'self'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            types,
        ] {
            let mut own = policy.split(';').map(str::trim);
            assert!(own.any(|one| one == directive), "{directive}");
        }
    }
}

/// What checks receipts can send nothing anywhere, and is named by no page that does not need it.
#[test]
fn the_verifier_is_small_imports_nothing_and_is_of_two_pages() {
    let file = |end: &str| {
        let mut files = site().files();
        files.find(|asset| asset.path.ends_with(end)).expect(end)
    };
    let (module, worker) = (file("/verifier.wasm"), file("/worker/verify.js"));
    assert_eq!(module.content_type, "application/wasm");
    // Sections of a module come in the order of their numbers: after types (1), imports would be 2.
    let sections: Vec<u8> = sections(&module.bytes).collect();
    assert!(!sections.contains(&2), "{sections:?}");
    assert!(sections.contains(&10), "{sections:?}");
    assert_eq!(worker.kind.policy(), policy::WORKER);
    assert!(policy::WORKER.contains("connect-src 'none'"));
    let (encoding, bytes) = module.encoded("gzip");
    assert_eq!(encoding, Encoding::Gzip);
    println!(
        "verifier: {} bytes, {} in gzip",
        module.bytes.len(),
        bytes.len()
    );
    assert!(bytes.len() <= 200 << 10, "{} bytes in gzip", bytes.len());
    for (page, _) in pages() {
        let text = String::from_utf8_lossy(&page.bytes);
        let is_checking = ["/check", "/ballot"]
            .iter()
            .any(|end| page.path.ends_with(end));
        let expected = if is_checking {
            policy::CHECKING_PAGE
        } else {
            policy::PAGE
        };
        assert_eq!(page.kind.policy(), expected, "{}", page.path);
        assert_eq!(text.contains(&module.path), is_checking, "{}", page.path);
        assert_eq!(text.contains(&worker.path), is_checking, "{}", page.path);
    }
}

/// The numbers of a Wasm module's sections.
fn sections(module: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = module.strip_prefix(b"\0asm\x01\0\0\0").expect("a module");
    std::iter::from_fn(move || {
        let (number, mut after) = rest.split_first()?;
        let (mut length, mut shift) = (0, 0);
        loop {
            let (byte, more) = after.split_first().expect("a length");
            length |= usize::from(byte & 127) << shift;
            shift += 7;
            after = more;
            if byte & 128 == 0 {
                break;
            }
        }
        rest = &after[length..];
        Some(*number)
    })
}

/// The file to keep holds all that it needs, runs nothing but what its policy names by hash, and reaches nothing.
#[test]
fn the_file_to_keep_needs_nothing_but_itself() {
    for language in Language::ALL {
        let path = format!("/{}/tabella-check.html", language.code);
        let file = site().find(&path).expect("the file to keep");
        assert!(!file.is_page());
        let text = std::str::from_utf8(&file.bytes).expect("UTF-8");
        assert!(text.contains("content=\"default-src 'none'; "), "{path}");
        let module = site().files().find(|a| a.path.ends_with("/verifier.wasm"));
        let module = module.expect("the verifier");
        assert!(text.contains(&STANDARD.encode(&module.bytes)), "{path}");
        let markup = text.split("<script id=").next().expect("markup");
        for tag in tags(markup) {
            for name in ["src", "action", "href"] {
                let address = tag.get(name).unwrap_or("#");
                assert!(address.starts_with('#'), "{path}: {address}");
            }
        }
        let script = text.split("<script type=\"module\">").nth(1);
        let script = script.and_then(|rest| rest.split("</script>").next());
        let script = script.expect("a script");
        let hash = STANDARD.encode(Sha256::digest(script));
        assert!(
            text.contains(&format!("script-src 'sha256-{hash}' ")),
            "{path}"
        );
        assert!(!script.contains("\nimport ") && !script.contains("\nexport "));
    }
}

/// Over the wire, with all that it loads, in gzip.
#[test]
fn pages_stay_within_their_budget() {
    const BYTES_MAX: usize = 45 << 10;
    for (page, tags) in pages() {
        let links = begun(&tags, "link");
        let loaded = links.iter().filter(|link| link.get("rel") != Some("icon"));
        let loaded: BTreeSet<_> = loaded.filter_map(|link| link.get("href")).collect();
        let bytes = |asset: &Asset| {
            let (encoding, bytes) = asset.encoded("gzip");
            assert!(encoding == Encoding::Gzip || asset.bytes.len() < 512);
            bytes.len()
        };
        let loaded = loaded.iter().map(|path| site().find(path).expect("a file"));
        let sum: usize = bytes(page) + loaded.map(bytes).sum::<usize>();
        assert!(sum <= BYTES_MAX, "{}: {sum} bytes", page.path);
        assert!(sum > 8 << 10, "{}: {sum} bytes are not all", page.path);
    }
}
