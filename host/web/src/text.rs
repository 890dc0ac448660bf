//! The words of one language.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::Value;

use crate::language::Language;

/// The words of one language: those of pages, and those that modules use.
pub(crate) struct Text {
    pub(crate) language: Language,
    page: BTreeMap<String, String>,
    /// Texts, and tables of a text for each plural category (Unicode CLDR).
    script: BTreeMap<String, Value>,
}

impl Text {
    pub(crate) fn of(language: Language) -> Self {
        let catalogue: toml::Table = language
            .catalogue
            .parse()
            .expect("a catalogue is TOML, which a test reads");
        let mut text = Self {
            language,
            page: BTreeMap::new(),
            script: BTreeMap::new(),
        };
        for (section, entries) in &catalogue {
            let Some(entries) = entries.as_table() else {
                panic!("expected only sections in the catalogue, got {section}");
            };
            for (name, entry) in entries {
                text.insert(section, name, entry);
            }
        }
        text
    }

    fn insert(&mut self, section: &str, name: &str, entry: &toml::Value) {
        match (section.strip_prefix("script-"), entry) {
            (Some(section), entry) => {
                let entry = serde_json::to_value(entry).expect("TOML is JSON as well");
                self.script.insert(format!("{section}.{name}"), entry);
            }
            (None, toml::Value::String(words)) => {
                self.page.insert(format!("{section}.{name}"), words.clone());
            }
            (None, other) => panic!("expected a text for {section}.{name}, got {other}"),
        }
    }

    /// The words that a page has under a name.
    pub(crate) fn get(&self, name: &str) -> &str {
        let words = self.page.get(name);
        words.unwrap_or_else(|| panic!("no words for {name} in {}", self.language.code))
    }

    /// The module that hands its words to the other modules.
    pub(crate) fn module(&self) -> String {
        let mut module =
            String::from("import { install } from \"../script/text.js\";\n\ninstall({\n");
        for (name, entry) in &self.script {
            writeln!(module, "  {}: {entry},", Value::from(name.as_str()))
                .expect("a text takes what is written");
        }
        module.push_str("});\n");
        module
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const CATEGORIES: [&str; 6] = ["zero", "one", "two", "few", "many", "other"];

    /// The places of a text, such as `{name}`.
    fn places(text: &str) -> BTreeSet<String> {
        let parts = text.split('{').skip(1);
        let names = parts.filter_map(|part| part.split_once('}'));
        names.map(|(name, _)| name.to_owned()).collect()
    }

    fn all_places(entry: &Value) -> BTreeSet<String> {
        match entry {
            Value::String(text) => places(text),
            Value::Object(forms) => forms.values().flat_map(all_places).collect(),
            other => panic!("expected a text or plural forms, got {other}"),
        }
    }

    #[test]
    fn every_language_has_the_same_words_with_the_same_places() {
        let english = Text::of(Language::ALL[0]);
        for language in Language::ALL {
            let text = Text::of(language);
            let names = |text: &Text| -> BTreeSet<String> {
                text.page
                    .keys()
                    .chain(text.script.keys())
                    .cloned()
                    .collect()
            };
            assert_eq!(names(&text), names(&english), "{}", language.code);
            for (name, words) in &text.page {
                assert!(!words.trim().is_empty(), "{}: {name}", language.code);
                assert_eq!(places(words), places(&english.page[name]), "{name}");
            }
            for (name, entry) in &text.script {
                let other = &english.script[name];
                assert_eq!(entry.is_object(), other.is_object(), "{name}");
                assert_eq!(all_places(entry), all_places(other), "{name}");
            }
        }
    }

    /// The categories that each language has for whole numbers.
    #[test]
    fn plurals_have_every_category_of_their_language() {
        for language in Language::ALL {
            let expected: BTreeSet<&str> = match language.code {
                "ar" => CATEGORIES.into(),
                _ => ["one", "other"].into(),
            };
            for (name, entry) in Text::of(language).script {
                let Value::Object(forms) = entry else {
                    continue;
                };
                let forms: BTreeSet<&str> = forms.keys().map(String::as_str).collect();
                assert_eq!(forms, expected, "{}: {name}", language.code);
            }
        }
    }

    /// Direction is the browser's: marks for it in words would be taken along when words are copied.
    #[test]
    fn no_words_hold_invisible_marks() {
        for language in Language::ALL {
            let hidden = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
            let found = language.catalogue.find(hidden);
            assert_eq!(found, None, "{}", language.code);
        }
    }
}
