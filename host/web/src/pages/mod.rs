//! The markup of each page.

mod about;
mod account;
mod ballot;
mod chain;
pub(crate) mod check;
mod election;
mod home;
mod not_found;
mod results;
mod sign_in;
mod vote;

use maud::{DOCTYPE, Markup, html};

use crate::{language::Language, parts::Words, text::Text};

/// One page: where it is, which module brings it to life, and what it shows.
pub(crate) struct Page {
    /// Its path after the language; `{id}` stands for what it is about.
    pub(crate) path: &'static str,
    /// The section of the catalogue that holds its words, `title` among them.
    section: &'static str,
    /// Its entry of the menu, where it has one.
    menu: Option<Menu>,
    pub(crate) script: &'static str,
    main: fn(&Words<'_>) -> Markup,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Menu {
    Elections,
    Chain,
    Account,
    About,
}

/// The path of the page that is shown where there is none.
pub(crate) const NOT_FOUND: &str = "not-found";

pub(crate) const PAGES: &[Page] = &[
    Page {
        path: "",
        section: "home",
        menu: Some(Menu::Elections),
        script: "page-home.js",
        main: home::main,
    },
    Page {
        path: "elections/{id}",
        section: "election",
        menu: None,
        script: "page-election.js",
        main: election::main,
    },
    Page {
        path: "elections/{id}/vote",
        section: "vote",
        menu: None,
        script: "page-vote.js",
        main: vote::main,
    },
    Page {
        path: "elections/{id}/results",
        section: "results",
        menu: None,
        script: "page-results.js",
        main: results::main,
    },
    Page {
        path: "ballot",
        section: "ballot",
        menu: None,
        script: "page-ballot.js",
        main: ballot::main,
    },
    Page {
        path: CHECK,
        section: "check",
        menu: None,
        script: "page-check.js",
        main: check::main,
    },
    Page {
        path: "account",
        section: "account",
        menu: Some(Menu::Account),
        script: "page-account.js",
        main: account::main,
    },
    Page {
        path: "chain",
        section: "chain",
        menu: Some(Menu::Chain),
        script: "page-chain.js",
        main: chain::main,
    },
    Page {
        path: "chain/blocks/{id}",
        section: "block",
        menu: None,
        script: "page-block.js",
        main: chain::block,
    },
    Page {
        path: "about",
        section: "about",
        menu: Some(Menu::About),
        script: "page-about.js",
        main: about::main,
    },
    Page {
        path: NOT_FOUND,
        section: "not-found",
        menu: None,
        script: "page-not-found.js",
        main: not_found::main,
    },
];

/// What stands around every page.
pub(crate) struct Shell<'a> {
    pub(crate) text: &'a Text,
    pub(crate) page: &'a Page,
    /// Addresses with what they hold.
    pub(crate) style: (String, String),
    pub(crate) icon: String,
    pub(crate) words: (String, String),
    pub(crate) script: (String, String),
    /// Every module that is loaded.
    pub(crate) needed: Vec<(String, String)>,
    /// What checks for the page, where it does.
    pub(crate) verifier: Option<Verifier>,
}

/// A worker, and the Wasm that a page hands to it.
pub(crate) struct Verifier {
    pub(crate) worker: String,
    /// With what it holds.
    pub(crate) module: (String, String),
}

/// The page that checks receipts.
const CHECK: &str = "check";

impl Page {
    /// Whether it has a verifier: to check a receipt, or to print one.
    pub(crate) fn has_verifier(&self) -> bool {
        [CHECK, "ballot"].contains(&self.path)
    }
}

impl Shell<'_> {
    pub(crate) fn render(&self) -> Markup {
        let language = self.text.language;
        let words = Words::new(self.text, self.page.section);
        html! {
            (DOCTYPE)
            html lang=(language.code) dir=(language.direction) {
                (self.head(&words))
                body {
                    a class="skip" href="#main" { (words.of("shell.skip")) }
                    (self.header(&words))
                    main id="main" tabindex="-1" {
                        noscript { p class="box warning" { (words.of("shell.no-script")) } }
                        ((self.page.main)(&words))
                        p id="say" class="say" role="status" {}
                    }
                    (footer(&words))
                }
            }
        }
    }

    fn head(&self, words: &Words<'_>) -> Markup {
        html! {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (words.own("title")) " · Tabella" }
                link rel="icon" type="image/svg+xml" href=(self.icon);
                link rel="stylesheet" href=(self.style.0) integrity=(self.style.1);
                // A module that was loaded ahead under its hash is the one that imports get.
                @for (address, integrity) in &self.needed {
                    link rel="modulepreload" href=(address) integrity=(integrity);
                }
                @if let Some(verifier) = &self.verifier {
                    meta name="verifier-worker" content=(verifier.worker);
                    meta name="verifier-module" content=(verifier.module.0) data-integrity=(verifier.module.1);
                }
                script type="module" src=(self.words.0) integrity=(self.words.1) {}
                script type="module" src=(self.script.0) integrity=(self.script.1) {}
            }
        }
    }

    fn header(&self, words: &Words<'_>) -> Markup {
        let entries = [
            (Menu::Elections, "", "shell.elections"),
            (Menu::Chain, "chain", "shell.chain"),
            (Menu::Account, "account", "shell.account"),
            (Menu::About, "about", "shell.about"),
        ];
        html! {
            header class="top" {
                div class="bar" {
                    a class="brand" href=(words.link("")) {
                        span class="brand-mark" aria-hidden="true" {}
                        "Tabella"
                    }
                    nav aria-label=(words.of("shell.menu")) {
                        ul {
                            @for (entry, path, name) in entries {
                                li {
                                    a href=(words.link(path)) aria-current=[(self.page.menu == Some(entry)).then_some("page")] {
                                        (words.of(name))
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn footer(words: &Words<'_>) -> Markup {
    let own = words.language();
    html! {
        footer class="bottom" {
            div class="bar" {
                p {
                    (words.of("shell.footer")) " "
                    a href=(words.link(CHECK)) { (words.of("shell.check")) }
                }
                nav aria-label=(words.of("shell.languages")) {
                    ul {
                        @for language in Language::ALL {
                            li {
                                // Its module makes it the same page in that language.
                                a href={ "/" (language.code) "/" } lang=(language.code) dir=(language.direction)
                                    hreflang=(language.code) data-language=(language.code)
                                    aria-current=[(language == own).then_some("true")] {
                                    (language.name)
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
