//! All files of the pages, and which address means which.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    asset::{Asset, Keep, Kind},
    files::{FILES, VERIFIER, WORKER},
    kept,
    language::Language,
    pages::{NOT_FOUND, PAGES, Page, Shell, Verifier},
    text::Text,
};

/// Where the list of all files is.
pub(crate) const LIST: &str = "/assets.json";

/// What stands in an address for what a page is about.
const ID: &str = "{id}";

const HTML: &str = "text/html; charset=utf-8";

/// Longest id in an address.
const ID_BYTES_MAX: usize = 66;

/// All files of the pages.
pub struct Site {
    files: BTreeMap<String, Asset>,
}

/// The pages of this version.
pub fn site() -> &'static Site {
    static SITE: LazyLock<Site> = LazyLock::new(Site::make);
    &SITE
}

impl Site {
    fn make() -> Self {
        let texts: Vec<Text> = Language::ALL.map(Text::of).into();
        let modules: Vec<(String, Vec<u8>)> = texts
            .iter()
            .map(|text| {
                let path = format!("text/{}.js", text.language.code);
                (path, text.module().into_bytes())
            })
            .collect();
        let own = FILES
            .iter()
            .chain([&VERIFIER])
            .map(|file| (file.path.to_owned(), file.content_type, file.bytes.to_vec()));
        let script = "text/javascript; charset=utf-8";
        let made = modules
            .into_iter()
            .map(|(path, bytes)| (path, script, bytes));
        let parts: Vec<_> = own.chain(made).collect();
        // Their common address names the content of all, so that modules of two versions never meet.
        let mut set = Sha256::new();
        for (path, _, bytes) in &parts {
            set.update(path.as_bytes());
            set.update([0]);
            set.update(Sha256::digest(bytes));
        }
        let set = hex::encode(&set.finalize()[..8]);
        let base = format!("/assets/{set}");
        let mut files = BTreeMap::new();
        for (path, content_type, bytes) in parts {
            let kind = match path.as_str() {
                WORKER => Kind::Worker,
                _ => Kind::Part,
            };
            let path = format!("{base}/{path}");
            let asset = Asset::new(path.clone(), kind, content_type, bytes, Keep::Forever);
            files.insert(path, asset);
        }
        let mut pages = Vec::new();
        for text in &texts {
            for page in PAGES {
                pages.push(make_page(page, text, &base, &files));
            }
            pages.push(make_kept(text, &base, &files));
        }
        files.extend(pages.into_iter().map(|page| (page.path.clone(), page)));
        let list = list(&files);
        let json = "application/json";
        let asset = Asset::new(LIST.into(), Kind::Part, json, list, Keep::UntilAsked);
        files.insert(LIST.into(), asset);
        Self { files }
    }

    /// The file at an address.
    pub fn find(&self, path: &str) -> Option<&Asset> {
        if let Some(asset) = self.files.get(path) {
            return (!path.contains(ID) && !path.ends_with(NOT_FOUND)).then_some(asset);
        }
        let general: Vec<&str> = path
            .split('/')
            .map(|part| if is_id(part) { ID } else { part })
            .collect();
        self.files.get(&general.join("/"))
    }

    /// What is shown where there is no page.
    pub fn not_found(&self, language: Language) -> &Asset {
        &self.files[&format!("/{}/{NOT_FOUND}", language.code)]
    }

    /// Every file, in the order of its path.
    pub fn files(&self) -> impl Iterator<Item = &Asset> {
        self.files.values()
    }
}

/// A number, or a hash: what pages are about.
fn is_id(part: &str) -> bool {
    let digits = part.strip_prefix("0x").unwrap_or(part);
    let is_hash = digits.len() < part.len();
    let fits = !digits.is_empty() && part.len() <= ID_BYTES_MAX;
    fits && digits.bytes().all(|byte| match is_hash {
        true => byte.is_ascii_hexdigit(),
        false => byte.is_ascii_digit(),
    })
}

fn make_page(page: &Page, text: &Text, base: &str, files: &BTreeMap<String, Asset>) -> Asset {
    let words = format!("text/{}.js", text.language.code);
    let entry = format!("script/{}", page.script);
    let mut needed = BTreeSet::new();
    reach(&words, base, files, &mut needed);
    reach(&entry, base, files, &mut needed);
    let found = |path: &str| {
        let address = format!("{base}/{path}");
        let asset = files.get(&address);
        let asset = asset.unwrap_or_else(|| panic!("no file {path}, which {} needs", page.script));
        (address.clone(), asset.integrity())
    };
    let shell = Shell {
        text,
        page,
        style: found("style/tabella.css"),
        icon: found("style/mark.svg").0,
        words: found(&words),
        script: found(&entry),
        needed: needed.iter().map(|path| found(path)).collect(),
        verifier: page.has_verifier().then(|| Verifier {
            worker: found(WORKER).0,
            module: found(VERIFIER.path),
        }),
    };
    let markup = shell.render().into_string();
    let path = match page.path {
        "" => format!("/{}/", text.language.code),
        path => format!("/{}/{path}", text.language.code),
    };
    let kind = match page.has_verifier() {
        true => Kind::CheckingPage,
        false => Kind::Page,
    };
    Asset::new(path, kind, HTML, markup.into_bytes(), Keep::UntilAsked)
}

/// The page that checks receipts, as one file to keep.
fn make_kept(text: &Text, base: &str, files: &BTreeMap<String, Asset>) -> Asset {
    let source = |path: &str| {
        let asset = files.get(&format!("{base}/{path}"));
        let asset = asset.unwrap_or_else(|| panic!("no file {path}, which the file to keep needs"));
        asset.bytes.as_slice()
    };
    let page = kept::render(text, &source).into_string();
    let path = format!("/{}/{}", text.language.code, kept::PATH);
    let kind = Kind::Download(kept::PATH);
    Asset::new(path, kind, HTML, page.into_bytes(), Keep::UntilAsked)
}

/// Adds a module and all that it imports.
fn reach(path: &str, base: &str, files: &BTreeMap<String, Asset>, needed: &mut BTreeSet<String>) {
    if !needed.insert(path.to_owned()) {
        return;
    }
    let asset = files.get(&format!("{base}/{path}"));
    let asset = asset.unwrap_or_else(|| panic!("no module {path}"));
    let source = String::from_utf8_lossy(&asset.bytes);
    for import in imports(&source) {
        reach(&resolve(path, import), base, files, needed);
    }
}

/// The modules that a module imports, as it names them.
pub(crate) fn imports(source: &str) -> impl Iterator<Item = &str> {
    let lines = source.lines();
    lines.filter_map(|line| {
        let (_, after) = line.split_once("from \"")?;
        let (name, rest) = after.split_once('"')?;
        (name.starts_with('.') && rest == ";").then_some(name)
    })
}

/// The path that a relative name means in a module.
pub(crate) fn resolve(from: &str, name: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in name.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Every file with its SHA-256, for whoever compares what a server sends.
fn list(files: &BTreeMap<String, Asset>) -> Vec<u8> {
    let files: Vec<_> = files
        .values()
        .map(|asset| {
            json!({
                "path": asset.path,
                "sha256": asset.sha256(),
                "bytes": asset.bytes.len(),
                "policy": asset.kind.name(),
            })
        })
        .collect();
    let kinds = [Kind::Page, Kind::CheckingPage, Kind::Worker, Kind::Part];
    let policies: BTreeMap<_, _> = kinds.map(|kind| (kind.name(), kind.policy())).into();
    let list = json!({ "policies": policies, "files": files });
    let mut text = serde_json::to_string_pretty(&list).expect("plain data serialises");
    text.push('\n');
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_means_one_page() {
        let check = |path: &str, expected: Option<&str>| {
            let found = site().find(path).map(|asset| asset.path.as_str());
            assert_eq!(found, expected, "{path}");
        };
        check("/en/", Some("/en/"));
        check("/ar/elections/12", Some("/ar/elections/{id}"));
        check(
            "/en/elections/12/results",
            Some("/en/elections/{id}/results"),
        );
        let hash = format!("/en/chain/blocks/0x{}", "ab".repeat(32));
        check(&hash, Some("/en/chain/blocks/{id}"));
        for nowhere in [
            "/en",
            "/en/elections/",
            "/en/elections/x",
            "/en/elections/0x",
            "/en/elections/{id}",
            "/en/elections/1/",
            "/en/not-found",
            "/xx/",
            "//en/",
            "/en/elections/1/../2",
            "/assets/0000000000000000/script/dom.js",
        ] {
            check(nowhere, None);
        }
        check(&format!("{hash}00"), None);
    }

    #[test]
    fn relative_names_are_resolved() {
        assert_eq!(resolve("script/a/b.js", "../c.js"), "script/c.js");
        assert_eq!(resolve("script/a/b.js", "./c.js"), "script/a/c.js");
    }
}
