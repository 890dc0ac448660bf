//! What came out.

use maud::{Markup, html};

use crate::parts::{Words, back, waiting};

pub(super) fn main(words: &Words<'_>) -> Markup {
    html! {
        (back(Some("to-election"), &words.link(""), words.own("to-election")))
        h1 id="title" { (words.own("title")) }
        (waiting(words))
        div id="found" hidden {
            p id="state" class="state" {}
            div id="contests" {}
            section aria-labelledby="proof-heading" {
                h2 id="proof-heading" { (words.own("proof")) }
                p { (words.own("proof-lead")) }
                dl id="facts" class="facts" {}
                ul id="downloads" {}
            }
        }
    }
}
