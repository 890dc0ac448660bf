//! The browser in which the tests of the pages vote.

use crate::{packages, shell::step};

/// The program that drives it.
const DRIVER: &str = "chromedriver";
const HINT: &str = "install the packages chromium and chromium-driver to run them";

/// Installs the browser where that is allowed, and otherwise says that its tests are skipped.
pub(crate) fn ensure_installed() {
    if packages::has_program(DRIVER) {
        return;
    }
    step("installing Chromium, in which the tests of the pages vote");
    // It brings the browser that it drives.
    if let Err(error) = packages::install("chromium-driver") {
        return println!("skipped, with the tests that need it: {error:#}; {HINT}");
    }
    match packages::has_program(DRIVER) {
        true => println!("installed"),
        false => println!("failed: the tests that need it are skipped; {HINT}"),
    }
}
