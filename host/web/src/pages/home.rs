//! All elections, and how the network is.

use maud::{Markup, html};

use crate::parts::{Words, waiting};

pub(super) fn main(words: &Words<'_>) -> Markup {
    html! {
        h1 { (words.own("heading")) }
        p class="lead" { (words.own("lead")) }
        p id="network" class="network" hidden {}
        (waiting(words))
        div id="found" hidden {
            div id="filter" class="field" hidden {
                label for="search" { (words.own("search")) }
                input id="search" type="search" autocomplete="off";
            }
            @for status in ["open", "upcoming", "closed"] {
                section id={ "section-" (status) } aria-labelledby={ "heading-" (status) } hidden {
                    h2 id={ "heading-" (status) } { (words.own(status)) }
                    ul id={ "list-" (status) } class="cards" {}
                }
            }
            p id="none" class="box" hidden { (words.own("none")) }
            p id="no-match" class="box" hidden { (words.own("no-match")) }
        }
    }
}
