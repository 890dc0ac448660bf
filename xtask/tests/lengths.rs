//! Files of more than 500 lines, and why each is not two.

use std::{
    fs,
    path::{Path, PathBuf},
};

const LINES_MAX: usize = 500;
/// Files that are longer, and why.
const REASONS: [(&str, &str); 15] = [
    (
        "host/cli/tests/it/bad_input.rs",
        "what is refused, listed by port",
    ),
    (
        "host/client/src/queries.rs",
        "a method for each call that is read from validators, a few lines each",
    ),
    (
        "host/ledger/src/read.rs",
        "a method for each thing that is read from the database, over the same tables",
    ),
    (
        "host/ledger/tests/it/damage.rs",
        "one table of the database after the other, each with the same steps",
    ),
    (
        "host/outbox/src/store/postgres/tests.rs",
        "what backends over one database owe each other, each on the same server",
    ),
    (
        "host/outbox/src/store/tests.rs",
        "each promise of the file's store, over one way of opening it",
    ),
    (
        "host/runtime/src/inspect.rs",
        "everything that a module may not hold, with its bound and its message",
    ),
    (
        "host/runtime/src/instance.rs",
        "all traffic with a module's memory, so that one review sees each read and write",
    ),
    (
        "host/runtime/tests/it/hostile.rs",
        "a module of Wasm as text for each attack",
    ),
    (
        "validator/consensus/src/codec.rs",
        "a shape for each message of the engine, with both conversions beside it",
    ),
    (
        "validator/consensus/src/context.rs",
        "a type for each name that the engine's traits ask for, a few lines each",
    ),
    (
        "validator/consensus/src/host.rs",
        "an arm for each question of the engine, in the order in which it asks",
    ),
    (
        "validator/consensus/src/node.rs",
        "each actor of the engine is started with those that it talks to, and ended",
    ),
    (
        "validator/src/replica.rs",
        "the steps of a block's life, and below them a test of each",
    ),
    (
        "validator/src/simulation/happen.rs",
        "an arm for each event, beside the others of the same actor",
    ),
];

#[test]
fn a_long_file_has_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let root = root.expect("the workspace");
    let folders = [
        "sdk",
        "plugins",
        "host",
        "validator",
        "bootnode",
        "xtask",
        "examples",
    ];
    let mut found = Vec::new();
    for folder in folders {
        look(&root.join(folder), &mut found);
    }
    assert!(
        found
            .iter()
            .any(|file| file.ends_with("xtask/tests/lengths.rs")),
        "{found:?}"
    );
    let mut faults = Vec::new();
    for file in found {
        let text = fs::read_to_string(&file).expect("a file");
        let lines = text.lines().count();
        let name = file.strip_prefix(root).expect("below it");
        let is_listed = REASONS.iter().any(|(listed, _)| name == Path::new(listed));
        let name = name.display();
        match (lines > LINES_MAX, is_listed) {
            (true, false) => faults.push(format!(
                "{name} has {lines} lines: split it, or say why not"
            )),
            (false, true) => faults.push(format!(
                "{name} has {lines} lines and needs no reason any more"
            )),
            _ => {}
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn look(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if !path.ends_with("target") && !path.ends_with("node_modules") {
                look(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
