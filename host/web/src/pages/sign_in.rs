//! The form by which an account signs in or is made.

use maud::{Markup, html};

use crate::parts::Words;

pub(super) fn form(words: &Words<'_>) -> Markup {
    html! {
        form id="sign-in" class="form" novalidate {
            div id="sign-in-errors" class="errors" role="group" aria-labelledby="sign-in-errors-heading" tabindex="-1" hidden {
                p id="sign-in-errors-heading" class="errors-heading" { (words.of("sign-in.errors")) }
                ul id="sign-in-errors-list" {}
            }
            div class="field" {
                label for="username" { (words.of("sign-in.username")) }
                p id="username-hint" class="hint" { (words.of("sign-in.username-hint")) }
                p id="username-error" class="error" hidden {}
                input id="username" name="username" type="text" autocomplete="username" autocapitalize="none"
                    spellcheck="false" required aria-describedby="username-hint username-error";
            }
            div class="field" {
                label for="password" { (words.of("sign-in.password")) }
                p id="password-error" class="error" hidden {}
                input id="password" name="password" type="password" autocomplete="current-password" required
                    aria-describedby="password-error";
                label class="tick" for="show-password" {
                    input id="show-password" type="checkbox" autocomplete="off";
                    span { (words.of("sign-in.show")) }
                }
            }
            p class="actions" {
                button id="sign-in-button" type="submit" class="primary" { (words.of("sign-in.sign-in")) }
                button id="register-button" type="button" { (words.of("sign-in.register")) }
            }
        }
    }
}
