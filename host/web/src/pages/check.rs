//! Checks a receipt on the reader's own device: as a page of a site, and as a file to keep.

use maud::{Markup, html};

use crate::parts::{Words, waiting};

/// Where the page is, which decides what it can fetch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a site, whose network is the one meant where nothing else is given.
    Site,
    /// In a file on the reader's device.
    Kept,
}

pub(super) fn main(words: &Words<'_>) -> Markup {
    content(words, Place::Site)
}

/// What the page shows.
pub(crate) fn content(words: &Words<'_>, place: Place) -> Markup {
    html! {
        h1 id="title" tabindex="-1" { (words.own("title")) }
        p class="lead" { (words.own("lead")) }
        @if place == Place::Kept { p class="box" { (words.own("kept-note")) } }
        (waiting(words))
        div id="found" hidden {
            (form(words, place))
            section id="verdict" aria-labelledby="verdict-heading" hidden {
                h2 id="verdict-heading" tabindex="-1" { (words.own("found")) }
                p id="verdict-state" class="state" {}
                p id="verdict-rests" class="box" hidden {}
                p id="verdict-detail" class="hint" hidden {}
                dl id="verdict-facts" class="facts" hidden {}
            }
            (own_ballot(words, place))
            @if place == Place::Site { (keep(words)) }
        }
    }
}

fn form(words: &Words<'_>, place: Place) -> Markup {
    let (genesis_file, trust) = match place {
        Place::Site => ("genesis-file", "trust"),
        Place::Kept => ("kept-genesis-file", "kept-trust"),
    };
    html! {
        form id="check-form" class="form" novalidate autocomplete="off" {
            h2 { (words.own("receipt")) }
            div class="field" {
                label for="receipt-file" { (words.own("file")) }
                p id="receipt-file-hint" class="hint" { (words.own("file-hint")) }
                p id="receipt-file-error" class="error" hidden {}
                input id="receipt-file" type="file" accept=".json,application/json"
                    aria-describedby="receipt-file-hint receipt-file-error";
            }
            div class="field" {
                label for="receipt-text" { (words.own("text")) }
                p id="receipt-text-hint" class="hint" { (words.own("text-hint")) }
                textarea id="receipt-text" class="mono" dir="ltr" rows="3" spellcheck="false"
                    autocapitalize="none" aria-describedby="receipt-text-hint" {}
            }
            h2 { (words.own("network")) }
            p class="hint" { (words.own("network-lead")) }
            p id="network" {}
            p id="network-hash" {}
            p { (words.own(trust)) }
            div class="field" {
                label for="known-hash" { (words.own("known")) }
                p id="known-hash-hint" class="hint" { (words.own("known-hint")) }
                input id="known-hash" type="text" class="mono" dir="ltr" autocapitalize="none"
                    spellcheck="false" aria-describedby="known-hash-hint";
            }
            div class="field" {
                label for="genesis-file" { (words.own(genesis_file)) }
                p id="genesis-file-error" class="error" hidden {}
                input id="genesis-file" type="file" accept=".json,application/json"
                    aria-describedby="genesis-file-error";
            }
            p class="actions" {
                button id="check-now" type="submit" class="primary" { (words.own("check-now")) }
            }
        }
    }
}

fn own_ballot(words: &Words<'_>, place: Place) -> Markup {
    html! {
        section id="own" aria-labelledby="own-heading" hidden {
            h2 id="own-heading" { (words.own("own")) }
            p { (words.own("own-lead")) }
            div id="own-start" {
                @if place == Place::Kept {
                    (field("election-file", words, &html! {
                        input id="election-file" type="file" accept=".json,application/json"
                            aria-describedby="election-file-hint";
                    }))
                    (field("rule-files", words, &html! {
                        input id="rule-files" type="file" accept=".wasm,application/wasm" multiple
                            aria-describedby="rule-files-hint";
                    }))
                }
                p class="actions" { button id="own-begin" type="button" { (words.own("own-begin")) } }
            }
            form id="own-form" class="form" novalidate autocomplete="off" hidden {
                h3 id="own-form-heading" tabindex="-1" { (words.own("own-form")) }
                p { (words.own("own-election")) " " span id="own-election" {} }
                div id="contests" {}
                p class="actions" {
                    button id="compare" type="submit" class="primary" { (words.own("compare")) }
                }
            }
            div id="own-verdict-box" hidden {
                h3 id="own-verdict-heading" tabindex="-1" { (words.own("found")) }
                p id="own-verdict" class="state" {}
                p id="own-detail" class="hint" hidden {}
            }
        }
    }
}

fn field(id: &str, words: &Words<'_>, input: &Markup) -> Markup {
    let hint = format!("{id}-hint");
    html! {
        div class="field" {
            label for=(id) { (words.own(id)) }
            p id=(hint) class="hint" { (words.own(&hint)) }
            (input)
        }
    }
}

fn keep(words: &Words<'_>) -> Markup {
    html! {
        section id="keep" aria-labelledby="keep-heading" {
            h2 id="keep-heading" { (words.own("keep")) }
            p { (words.own("keep-lead")) }
            p { a href=(words.link(crate::kept::PATH)) download=(crate::kept::PATH) { (words.own("keep-link")) } }
            p { a href="/api/genesis" download="genesis.json" { (words.of("ballot.genesis")) } }
        }
    }
}
