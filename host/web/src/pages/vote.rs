//! The booth: mark, then review and cast.

use maud::{Markup, html};

use super::sign_in;
use crate::parts::{Words, back, waiting};

pub(super) fn main(words: &Words<'_>) -> Markup {
    html! {
        (back(Some("to-election"), &words.link(""), words.own("to-election")))
        h1 id="title" tabindex="-1" { (words.own("title")) }
        (waiting(words))
        p id="who" class="hint" hidden {}
        div id="notice" {}
        section id="voter" aria-labelledby="voter-heading" hidden {
            h2 id="voter-heading" tabindex="-1" { (words.own("who")) }
            p id="voter-lead" {}
            div id="voter-form" hidden { (sign_in::form(words)) }
        }
        section id="mark" aria-labelledby="mark-heading" hidden {
            h2 id="mark-heading" class="step" tabindex="-1" { (words.own("step-mark")) }
            p class="hint" { (words.own("mark-hint")) }
            div id="mark-errors" class="errors" role="group" aria-labelledby="mark-errors-heading" tabindex="-1" hidden {
                p id="mark-errors-heading" class="errors-heading" { (words.own("errors")) }
                ul id="mark-errors-list" {}
            }
            form id="mark-form" class="form" novalidate autocomplete="off" {
                div id="contests" {}
                p class="actions sticky-end" {
                    button id="to-review" type="submit" class="primary" { (words.own("review")) }
                }
            }
        }
        section id="review" aria-labelledby="review-heading" hidden {
            h2 id="review-heading" class="step" tabindex="-1" { (words.own("step-review")) }
            p class="hint" { (words.own("review-hint")) }
            div id="review-contests" {}
            div id="cast-problem" {}
            p class="actions" {
                button id="cast" type="button" class="primary" { (words.own("cast")) }
                button id="to-mark" type="button" { (words.own("change")) }
            }
            p class="hint" { (words.own("cast-hint")) }
        }
    }
}
