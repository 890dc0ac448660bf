//! What the markup of several pages is made of.

use maud::{Markup, html};

use crate::{language::Language, text::Text};

/// The words of one page.
pub(crate) struct Words<'a> {
    text: &'a Text,
    section: &'static str,
}

impl<'a> Words<'a> {
    pub(crate) fn new(text: &'a Text, section: &'static str) -> Self {
        Self { text, section }
    }

    /// The language that they are in.
    pub(crate) fn language(&self) -> Language {
        self.text.language
    }

    /// The page's own words under a name.
    pub(crate) fn own(&self, name: &str) -> &str {
        self.text.get(&format!("{}.{name}", self.section))
    }

    /// The words under a section and a name.
    pub(crate) fn of(&self, name: &str) -> &str {
        self.text.get(name)
    }

    /// The address of another page in the same language.
    pub(crate) fn link(&self, path: &str) -> String {
        format!("/{}/{path}", self.text.language.code)
    }
}

/// What stands where something is still fetched, and what says that it could not be.
pub(crate) fn waiting(words: &Words<'_>) -> Markup {
    html! {
        p id="wait" class="wait" { (words.of("shell.wait")) }
        div id="problem" {}
    }
}

/// The way back to a page above.
pub(crate) fn back(id: Option<&str>, path: &str, words: &str) -> Markup {
    html! {
        p class="back" { a id=[id] href=(path) { (words) } }
    }
}
