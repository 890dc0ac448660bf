//! What is shown where there is no page.

use maud::{Markup, html};

use crate::parts::Words;

pub(super) fn main(words: &Words<'_>) -> Markup {
    html! {
        h1 { (words.own("title")) }
        p class="lead" { (words.own("lead")) }
        p { a href=(words.link("")) { (words.of("shell.all-elections")) } }
    }
}
