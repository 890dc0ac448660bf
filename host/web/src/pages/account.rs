//! Signing in, and the ballots of who has.

use maud::{Markup, html};

use super::sign_in;
use crate::parts::Words;

pub(super) fn main(words: &Words<'_>) -> Markup {
    html! {
        h1 id="title" tabindex="-1" { (words.own("title")) }
        section id="stranger" aria-labelledby="stranger-heading" hidden {
            h2 id="stranger-heading" { (words.own("sign-in")) }
            p { (words.own("lead")) }
            (sign_in::form(words))
        }
        section id="known" aria-labelledby="known-heading" hidden {
            h2 id="known-heading" { (words.own("known")) }
            dl id="facts" class="facts" {}
            p class="actions" { button id="sign-out" type="button" { (words.own("sign-out")) } }
        }
        section id="votes" aria-labelledby="votes-heading" hidden {
            h2 id="votes-heading" { (words.own("votes")) }
            ul id="votes-list" class="cards" {}
            p id="votes-none" class="box" hidden { (words.own("votes-none")) }
        }
        div id="problem" {}
    }
}
