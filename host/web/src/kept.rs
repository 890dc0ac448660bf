//! The page that checks receipts as one file to keep: it opens from a disk, and its own policy lets it reach nothing.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::{
    files::{VERIFIER, WORKER},
    pages::check::{Place, content},
    parts::Words,
    site::resolve,
    text::Text,
};

/// Its address after the language, and its name on a disk.
pub(crate) const PATH: &str = "tabella-check.html";

/// The module that brings the page to life.
const ENTRY: &str = "script/page-check.js";

/// The file in one language; `source` returns what a file of the site holds.
pub(crate) fn render<'a>(text: &Text, source: &impl Fn(&str) -> &'a [u8]) -> Markup {
    let utf8 = |path: &str| std::str::from_utf8(source(path)).expect("sources are UTF-8");
    let mut bundle = Bundle::new(&utf8);
    bundle.add(&format!("text/{}.js", text.language.code));
    bundle.add(ENTRY);
    let (script, style) = (bundle.text, utf8("style/tabella.css"));
    for (part, end) in [
        (script.as_str(), "</script"),
        (style, "</style"),
        (utf8(WORKER), "</script"),
    ] {
        assert!(
            !part.contains(end),
            "{end} would end what stands in the file"
        );
    }
    let module = STANDARD.encode(source(VERIFIER.path));
    let words = Words::new(text, "check");
    html! {
        (DOCTYPE)
        html lang=(text.language.code) dir=(text.language.direction) {
            head {
                meta charset="utf-8";
                meta http-equiv="content-security-policy" content=(policy(&script, style));
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (words.own("title")) " · Tabella" }
                style { (PreEscaped(style)) }
            }
            body {
                main id="main" tabindex="-1" {
                    noscript { p class="box warning" { (words.of("shell.no-script")) } }
                    (content(&words, Place::Kept))
                    p id="say" class="say" role="status" {}
                }
                // Data, which nothing runs where it stands.
                script id="kept-module" type="application/wasm;base64" { (PreEscaped(module)) }
                script id="kept-worker" type="text/plain" { (PreEscaped(utf8(WORKER))) }
                script type="module" { (PreEscaped(script)) }
            }
        }
    }
}

/// What the file may do: run what stands in it, and reach nothing. Its worker has the same policy.
fn policy(script: &str, style: &str) -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; script-src 'sha256-{}' 'wasm-unsafe-eval'; style-src 'sha256-{}'; \
         worker-src blob:; base-uri 'none'; form-action 'none'; \
         require-trusted-types-for 'script'; trusted-types worker",
        hash(script),
        hash(style)
    )
}

/// Modules as one script, in which each is a function that returns what it exports.
struct Bundle<'s, 'a> {
    /// What a module holds, by its path.
    source: &'s dyn Fn(&str) -> &'a str,
    text: String,
    /// The name of each module that stands in the text.
    names: BTreeMap<String, String>,
}

impl<'s, 'a> Bundle<'s, 'a> {
    fn new(source: &'s dyn Fn(&str) -> &'a str) -> Self {
        Self {
            source,
            text: String::new(),
            names: BTreeMap::new(),
        }
    }

    /// Adds a module after all that it imports; its name.
    fn add(&mut self, path: &str) -> String {
        if let Some(name) = self.names.get(path) {
            assert!(!name.is_empty(), "{path} imports itself by others");
            return name.clone();
        }
        let name = format!("$module{}", self.names.len() + 1);
        self.names.insert(path.to_owned(), String::new());
        let (mut body, mut exports) = (String::new(), Vec::new());
        for line in (self.source)(path).lines() {
            let line = self.line(path, line, &mut exports);
            body.push_str(&line);
            body.push('\n');
        }
        self.names.insert(path.to_owned(), name.clone());
        let exports = exports.join(", ");
        self.text.push_str(&format!(
            "\n// {path}\nconst {name} = (() => {{\n{body}return {{ {exports} }};\n}})();\n"
        ));
        name
    }

    /// A line of a module as it stands in a function.
    fn line(&mut self, path: &str, line: &str, exports: &mut Vec<String>) -> String {
        if let Some(import) = line.strip_prefix("import ") {
            let parts = import
                .strip_suffix("\";")
                .and_then(|import| import.split_once(" from \""));
            let (names, from) = parts.unwrap_or_else(|| panic!("{path}: {line}"));
            let is_plain =
                names.starts_with('{') && names.ends_with('}') && !names.contains(" as ");
            assert!(is_plain, "{path}: {line}");
            let from = self.add(&resolve(path, from));
            return format!("const {names} = {from};");
        }
        let Some(exported) = line.strip_prefix("export ") else {
            return line.to_owned();
        };
        let declared = ["async function ", "function ", "class ", "const "];
        let mut declared = declared
            .iter()
            .filter_map(|kind| exported.strip_prefix(kind));
        let name = declared.next().unwrap_or_else(|| panic!("{path}: {line}"));
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        exports.push(name[..end.unwrap_or(name.len())].to_owned());
        exported.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_become_functions_in_the_order_of_their_imports() {
        let source = |path: &str| match path {
            "a.js" => "import { b } from \"./b.js\";\nb();",
            "b.js" => "export async function b() {\n}\nexport const c = 1;",
            other => panic!("no module {other}"),
        };
        let mut bundle = Bundle::new(&source);
        bundle.add("a.js");
        let expected = "\n// b.js\nconst $module2 = (() => {\nasync function b() {\n}\nconst c = 1;\n\
            return { b, c };\n})();\n\n// a.js\nconst $module1 = (() => {\nconst { b } = $module2;\nb();\n\
            return {  };\n})();\n";
        assert_eq!(bundle.text, expected);
    }
}
