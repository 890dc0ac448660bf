//! How a ballot stands, and its receipt.

use maud::{Markup, html};

use crate::parts::{Words, waiting};

pub(super) fn main(words: &Words<'_>) -> Markup {
    html! {
        h1 id="title" tabindex="-1" { (words.own("heading")) }
        form id="ask" class="form" novalidate hidden {
            div class="field" {
                label for="number" { (words.own("number")) }
                p id="number-hint" class="hint" { (words.own("number-hint")) }
                p id="number-error" class="error" hidden {}
                input id="number" type="text" class="mono" autocomplete="off" autocapitalize="none"
                    spellcheck="false" aria-describedby="number-hint number-error";
            }
            p class="actions" { button type="submit" class="primary" { (words.own("look")) } }
        }
        (waiting(words))
        div id="found" hidden {
            p id="state" class="state" {}
            p id="paper-state" class="state" hidden {}
            p id="warning" class="box warning" hidden {}
            dl id="facts" class="facts" {}
            section id="receipt" aria-labelledby="receipt-heading" hidden {
                h2 id="receipt-heading" { (words.own("receipt")) }
                p { (words.own("receipt-lead")) }
                p class="actions" {
                    button id="save" type="button" class="primary" { (words.own("save")) }
                    button id="print" type="button" { (words.own("print")) }
                }
                p id="receipt-acks" class="hint" hidden {}
                div id="receipt-problem" {}
                p class="box warning" { (words.own("receipt-warning")) }
                p { a href=(words.link("check")) { (words.own("check-link")) } }
                p class="hint" { (words.own("check-hint")) }
                pre class="command" tabindex="0" { code id="command" dir="ltr" { "tabella verify receipt receipt.json --genesis genesis.json" } }
                p { a href="/api/genesis" download="genesis.json" { (words.own("genesis")) } }
            }
            section id="paper" class="paper" aria-labelledby="paper-heading" hidden {
                h2 id="paper-heading" { (words.own("paper")) }
                p { (words.own("paper-lead")) }
                div id="paper-code" {}
                dl id="paper-facts" class="facts" {}
                p id="paper-address" class="mono" dir="ltr" {}
                p class="hint" { (words.own("receipt-warning")) }
            }
            section id="finish-section" aria-labelledby="finish-heading" {
                h2 id="finish-heading" { (words.own("finish-heading")) }
                p { (words.own("finish-lead")) }
                p class="actions" { button id="finish" type="button" { (words.own("finish")) } }
            }
        }
    }
}
