//! axe-core, a checker of pages against WCAG 2.2, in the pages of a real browser.
//!
//! It comes in a wheel of PyPI, pinned by its hash, and is installed into the target directory: no copy of it (MPL-2.0)
//! is in the repository. Without Python the tests say that it was skipped, unless `TABELLA_REQUIRE_PYTHON` is set.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
    sync::LazyLock,
};

use serde_json::json;
use tabella_test_browser::Browser;

/// Pinned, so that a new release finds its new complaints on a day of our choosing.
const WHEEL: &str = "axe-playwright-python==0.1.8 \
    --hash=sha256:fdd263c998388f1a8e67cad02677e612d946248bd44d163be5e8650ea31f95f8\n";
/// Where the checker is in the wheel.
const MEMBER: &str = "axe_playwright_python/axe.min.js";

/// What it finds in the page: each rule that is broken, with the elements that break it.
const RUN: &str = "
    return axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
        resultTypes: ['violations'],
    }).then((found) => {
        if (found.passes.length < 10) throw new Error('axe looked at nothing');
        return found.violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((n) => n.html.slice(0, 160)).join(' | ')}`);
    });";

/// The checker's source; nothing, said once, where there is no Python to install it.
static SOURCE: LazyLock<Option<String>> = LazyLock::new(|| {
    let source = install();
    if source.is_none() {
        let said = "axe: python3 with pip is missing (Debian: python3-pip)";
        assert!(
            std::env::var_os("TABELLA_REQUIRE_PYTHON").is_none(),
            "{said}"
        );
        eprintln!("skipped: {said}");
    }
    source
});

/// Fails where axe finds something in the page as it stands.
pub(super) async fn assert_accessible(browser: &Browser, place: &str) {
    let Some(source) = &*SOURCE else {
        return;
    };
    let is_there = browser.script("return Boolean(window.axe)", &[]).await;
    if is_there == json!(false) {
        browser.script(source, &[]).await;
    }
    let found = browser.script(RUN, &[]).await;
    assert_eq!(found, json!([]), "axe finds in {place}");
}

fn install() -> Option<String> {
    let directory = Path::new(env!("CARGO_BIN_EXE_tabella")).with_file_name("axe");
    fs::create_dir_all(&directory).expect("the target directory is writable");
    // Tests of other processes may be about to install it too.
    let lock = File::create(directory.join("lock")).expect("the target directory is writable");
    lock.lock().expect("a lock");
    let source = directory.join(MEMBER);
    let installed = directory.join("installed");
    if !fs::read_to_string(&installed).is_ok_and(|wheel| wheel == WHEEL) {
        let wanted = directory.join("requirements.txt");
        fs::write(&wanted, WHEEL).expect("writable");
        let python = |arguments: &[&str]| {
            let mut command = Command::new("python3");
            command.current_dir(&directory).arg("-m").args(arguments);
            command.output().is_ok_and(|output| output.status.success())
        };
        let has_pip = python(&["pip", "--version"]);
        if !has_pip {
            return None;
        }
        let fetched = python(&[
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--require-hashes",
            "--requirement",
            "requirements.txt",
            "--dest",
            ".",
        ]);
        assert!(fetched, "pip cannot fetch {WHEEL}");
        let wheel = "axe_playwright_python-0.1.8-py3-none-any.whl";
        assert!(python(&["zipfile", "--extract", wheel, "."]), "{wheel}");
        fs::write(&installed, WHEEL).expect("writable");
    }
    Some(fs::read_to_string(source).expect("the wheel holds the checker"))
}
