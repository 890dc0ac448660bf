//! Hands on a keyboard, and no mouse.

use serde_json::json;
use tabella_test_browser::{Browser, Key};

/// Most presses of Tab from one control to the next that is wanted.
const TABS_MAX: usize = 400;

/// Presses Tab until the control with this id, or one of its group, has the focus.
pub(super) async fn tab_to(browser: &Browser, id: &str) {
    // A group of radio buttons is one stop: its marked button, or its first.
    let script = "
        const active = document.activeElement, wanted = document.getElementById(arguments[0]);
        return active === wanted
            || (active.type === 'radio' && wanted?.type === 'radio' && active.name === wanted.name);";
    for _ in 0..TABS_MAX {
        if browser.script(script, &[json!(id)]).await == json!(true) {
            return;
        }
        browser.press(&[Key::Tab]).await;
    }
    let active = "return document.activeElement.outerHTML.slice(0, 200)";
    let active = browser.script(active, &[]).await;
    panic!("Tab does not reach {id}; it is at {active}");
}

/// Ticks a box.
pub(super) async fn tick(browser: &Browser, id: &str) {
    tab_to(browser, id).await;
    browser.press(&[Key::Space]).await;
}

/// Marks the radio button at a place of its group, counted from 0.
pub(super) async fn pick(browser: &Browser, first: &str, place: usize) {
    tab_to(browser, first).await;
    browser.press(&[Key::Space]).await;
    browser.press(&vec![Key::Down; place]).await;
}

/// Chooses the entry at a place of a list, counted from 0.
pub(super) async fn choose(browser: &Browser, id: &str, place: usize) {
    tab_to(browser, id).await;
    browser.press(&vec![Key::Down; place]).await;
}

/// Fills a field.
pub(super) async fn fill(browser: &Browser, id: &str, text: &str) {
    tab_to(browser, id).await;
    browser.type_text(text).await;
}

/// Presses a button.
pub(super) async fn press(browser: &Browser, id: &str) {
    tab_to(browser, id).await;
    browser.press(&[Key::Enter]).await;
}
