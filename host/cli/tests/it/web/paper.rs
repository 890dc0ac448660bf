//! A receipt on paper: what another program reads from its code leads to the ballot, and says which one it is of.

use serde_json::json;
use tabella_test_browser::Browser;

use super::{axe::assert_accessible, check::Files, keyboard::press, until_heading, until_shown};
use crate::network::Network;

/// Pixels that each module of a code is drawn with.
const SCALE: usize = 4;

/// The text of the code that the page shows, read from its picture.
async fn scanned(browser: &Browser) -> String {
    let picture = "
        const code = document.querySelector('#paper-code svg');
        return [code.getAttribute('viewBox'), code.querySelector('path').getAttribute('d')];";
    let picture = browser.script(picture, &[]).await;
    let view = picture[0].as_str().expect("a view");
    let view: Vec<i32> = view
        .split(' ')
        .map(|n| n.parse().expect("a number"))
        .collect();
    let [left, top, width, height] = view[..] else {
        panic!("{view:?}");
    };
    let mut dark = Vec::new();
    for run in picture[1].as_str().expect("a path").split('M').skip(1) {
        let (place, rest) = run.split_once('h').expect("a length");
        let (x, y) = place.split_once(' ').expect("a place");
        let (length, _) = rest.split_once('v').expect("a height");
        let number = |text: &str| text.parse::<i32>().expect("a number");
        let (x, y, length) = (number(x), number(y), number(length));
        dark.extend((x..x + length).map(|x| (x - left, y - top)));
    }
    let pixels = |modules: i32| usize::try_from(modules).expect("a size") * SCALE;
    let is_dark = |x: usize, y: usize| {
        let module = |pixel: usize| i32::try_from(pixel / SCALE).expect("small");
        dark.contains(&(module(x), module(y)))
    };
    let mut image =
        rqrr::PreparedImage::prepare_from_greyscale(pixels(width), pixels(height), |x, y| {
            if is_dark(x, y) { 0 } else { 255 }
        });
    let codes = image.detect_grids();
    assert_eq!(codes.len(), 1);
    let (_, text) = codes[0].decode().expect("a code");
    text
}

pub(super) async fn a_printed_receipt_leads_to_its_ballot(
    browser: &Browser,
    network: &Network,
    files: &Files,
) {
    let page = format!("{}/en/ballot#t={}", network.ready.backend, files.number);
    browser.go(&page).await;
    until_heading(browser, "Confirmed").await;
    let printing = "window.print = () => { window.isPrinted = true; }";
    browser.script(printing, &[]).await;
    press(browser, "print").await;
    let printed = "return window.isPrinted === true";
    browser.eventually("the receipt is printed", printed).await;
    until_shown(browser, "paper").await;
    assert_accessible(browser, "a receipt on paper").await;

    let address = scanned(browser).await;
    let ballot = &files.ballot_hash["0x".len()..][..32];
    let expected = format!("{page}&b={ballot}&r=");
    assert!(address.starts_with(&expected), "{address}");
    let shown = "return document.getElementById('paper-address').textContent";
    assert_eq!(browser.script(shown, &[]).await, json!(address));

    for (address, expected) in [
        (
            address.clone(),
            "Your paper was printed from this very receipt.",
        ),
        (
            format!("{page}&b={ballot}&r={}", "0".repeat(32)),
            "Your paper and the receipt here are of the same ballot.",
        ),
        (
            format!("{page}&b={}&r=", "0".repeat(32)),
            "Your paper is of another ballot",
        ),
    ] {
        browser.go("about:blank").await;
        browser.go(&address).await;
        let said = format!(
            "const e = document.getElementById('paper-state'); return e?.checkVisibility() && e.textContent.startsWith({})",
            json!(expected)
        );
        browser.eventually(expected, &said).await;
    }
    another_voters_receipt_is_taken_for_nobodys(browser, &page, &address, files).await;
}

/// A site that lies hands out the receipt of somebody who marked the same.
async fn another_voters_receipt_is_taken_for_nobodys(
    browser: &Browser,
    page: &str,
    address: &str,
    files: &Files,
) {
    let refused = "The receipt that this site sends now does not hold, or is of another ballot.";
    let said = format!(
        "const e = document.getElementById('paper-state'); return e?.checkVisibility() && e.textContent.startsWith({})",
        json!(refused)
    );
    let other = std::fs::read_to_string(&files.other).expect("a receipt");
    assert!(other.contains(&files.ballot_hash), "their marks are equal");
    let lie = "
        const [receipt] = arguments;
        const own = window.fetch;
        window.fetch = (address, ...rest) =>
            String(address).includes('/api/votes/receipt')
                ? Promise.resolve(new Response(receipt, { headers: { 'content-type': 'application/json' } }))
                : own(address, ...rest);
        window.print = () => { window.isPrinted = true; };";
    browser.go("about:blank").await;
    browser.go(page).await;
    until_heading(browser, "Confirmed").await;
    browser.script(lie, &[json!(other)]).await;
    press(browser, "print").await;
    browser.eventually(refused, &said).await;
    let printed =
        "return window.isPrinted === true || document.getElementById('paper').checkVisibility()";
    assert_eq!(browser.script(printed, &[]).await, json!(false));

    let hash = address.split_once('#').expect("a place").1;
    let follow =
        "document.getElementById('paper-state').hidden = true; location.hash = arguments[0]";
    browser.script(follow, &[json!(hash)]).await;
    browser.eventually(refused, &said).await;
}
