//! What is checked and what is not, how the pages are for everybody, and the hashes of all files.

use maud::{Markup, html};

use crate::parts::{Words, waiting};

pub(super) fn main(words: &Words<'_>) -> Markup {
    html! {
        h1 { (words.own("title")) }
        p class="lead" { (words.own("lead")) }
        h2 { (words.own("checked")) }
        ul {
            @for name in ["checked-1", "checked-2", "checked-3"] { li { (words.own(name)) } }
        }
        h2 { (words.own("unchecked")) }
        ul {
            @for name in ["unchecked-1", "unchecked-2", "unchecked-3"] { li { (words.own(name)) } }
        }
        p { a href="/api/genesis" download="genesis.json" { (words.own("genesis")) } }
        h2 { (words.own("device")) }
        p { (words.own("device-text")) }
        h2 { (words.own("access")) }
        p { (words.own("access-text")) }
        h2 { (words.own("programs")) }
        p { (words.own("programs-text")) " " a href="/docs" lang="en" { "REST API" } }
        h2 { (words.own("files")) }
        p { (words.own("files-text")) " " a href="/assets.json" { code { "/assets.json" } } }
        (waiting(words))
        div id="found" hidden {
            div class="scroll" role="region" aria-label=(words.own("files")) tabindex="0" {
                table {
                    caption { (words.own("files-caption")) }
                    thead {
                        tr {
                            th scope="col" { (words.own("path")) }
                            th scope="col" class="number" { (words.own("bytes")) }
                            th scope="col" { "SHA-256" }
                        }
                    }
                    tbody id="files" {}
                }
            }
        }
    }
}
