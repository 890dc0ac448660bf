//! The same formats in Python, written from docs/sealed.md, agree with the crate byte by byte.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn has_python() -> bool {
    let found = Command::new("python3").arg("--version").output().is_ok();
    if !found {
        assert!(
            std::env::var_os("TABELLA_REQUIRE_PYTHON").is_none(),
            "python3 is missing; install it"
        );
        println!("skipped: python3 is not here");
    }
    found
}

fn check(vectors: &Path) -> Output {
    let mut python = Command::new("python3");
    // It leaves nothing in the repository.
    python
        .arg("-B")
        .arg(root().join("examples/sealed-python/check.py"))
        .arg(vectors);
    python.output().expect("python3 runs")
}

#[test]
fn python_computes_the_vectors_again() {
    if !has_python() {
        return;
    }
    let output = check(&root().join("docs/vectors/seal-v1.json"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        said,
        "all holds: 16 forms, 4 contests, 40 changed contests refused\n"
    );
}

#[test]
fn python_notices_vectors_that_are_not_right() {
    if !has_python() {
        return;
    }
    let text = fs::read_to_string(root().join("docs/vectors/seal-v1.json")).unwrap();
    let changes: [(&str, &str); 6] = [
        ("/points/multiples/3", "3 times the generator"),
        ("/forms/4/bytes", "form 4"),
        ("/ceremony/deals/1/shares/2", "deal of trustee 2"),
        ("/ceremony/dispute/proof", "dispute"),
        ("/ceremony/hash", "hash of the ceremony"),
        ("/ceremony/share_keys/0", "share key 1"),
    ];
    for (number, (pointer, expected)) in changes.into_iter().enumerate() {
        let mut vectors: Value = serde_json::from_str(&text).unwrap();
        let value = vectors.pointer_mut(pointer).unwrap();
        let hex = value.as_str().unwrap();
        let last = if hex.ends_with('0') { "1" } else { "0" };
        *value = format!("{}{last}", &hex[..hex.len() - 1]).into();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("seal-{number}.json"));
        fs::write(&path, vectors.to_string()).unwrap();
        let output = check(&path);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{pointer}");
        assert_eq!(
            errors,
            format!("{expected}: expected what docs/sealed.md says, got something else\n")
        );
    }
}
