//! The newest blocks, and one block.

use maud::{Markup, html};

use crate::parts::{Words, back, waiting};

pub(super) fn main(words: &Words<'_>) -> Markup {
    html! {
        h1 { (words.own("title")) }
        p class="lead" { (words.own("lead")) }
        p id="network" class="network" hidden {}
        (waiting(words))
        div id="found" hidden {
            p class="actions" {
                button id="pause" type="button" aria-pressed="false" { (words.own("pause")) }
            }
            div class="scroll" role="region" aria-label=(words.own("blocks")) tabindex="0" {
                table {
                    caption { (words.own("blocks")) }
                    thead {
                        tr {
                            th scope="col" class="number" { (words.own("number")) }
                            th scope="col" { (words.own("time")) }
                            th scope="col" class="number" { (words.own("transactions")) }
                            th scope="col" { (words.own("signed")) }
                            th scope="col" { (words.own("proposer")) }
                        }
                    }
                    tbody id="blocks" {}
                }
            }
            p class="actions" { button id="older" type="button" { (words.own("older")) } }
        }
    }
}

pub(super) fn block(words: &Words<'_>) -> Markup {
    html! {
        (back(None, &words.link("chain"), words.own("to-chain")))
        h1 id="title" { (words.own("title")) }
        (waiting(words))
        div id="found" hidden {
            p id="state" class="state" {}
            dl id="facts" class="facts" {}
            p id="around" class="actions" {}
            section aria-labelledby="transactions-heading" {
                h2 id="transactions-heading" { (words.own("transactions")) }
                p id="withheld" class="box" hidden { (words.own("withheld")) }
                p id="none" class="box" hidden { (words.own("none")) }
                ol id="transactions" class="hashes" {}
            }
        }
    }
}
