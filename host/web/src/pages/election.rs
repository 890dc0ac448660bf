//! One election: what is asked, by which rule, and what can be done now.

use maud::{Markup, html};

use crate::parts::{Words, back, waiting};

pub(super) fn main(words: &Words<'_>) -> Markup {
    html! {
        (back(None, &words.link(""), words.of("shell.all-elections")))
        h1 id="title" { (words.own("title")) }
        (waiting(words))
        div id="found" hidden {
            p id="state" class="state" {}
            p id="actions" class="actions" {}
            section aria-labelledby="facts-heading" {
                h2 id="facts-heading" { (words.own("facts")) }
                dl id="facts" class="facts" {}
            }
            section aria-labelledby="contests-heading" {
                h2 id="contests-heading" { (words.own("contests")) }
                div id="contests" {}
            }
        }
    }
}
