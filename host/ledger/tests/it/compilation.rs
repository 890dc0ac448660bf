//! A host that cannot compile a plugin: it refuses nothing in others' name, and stops.

use std::time::Duration;

use tabella_ledger::{Ledger, LedgerError, VetError};
use tabella_protocol::{Payload, rpc::RefusalCode};
use tabella_runtime::{Compiler, CompilerProcess};
use tempfile::TempDir;

use crate::support::{Chain, LIMITS, authority, genesis, plurality};

fn hanging() -> Compiler {
    Compiler::Child(CompilerProcess {
        program: "sleep".into(),
        arguments: vec!["1000".into()],
        time_max: Duration::from_millis(100),
    })
}

#[test]
fn an_accepted_plugin_that_is_not_compiled_stops_the_node() {
    let directory = TempDir::new().unwrap();
    let slow = Ledger::open_with(directory.path(), genesis(), hanging()).unwrap();
    let mut chain = Chain::new();
    let wasm = plurality().to_vec();
    let bytes = chain.sign(&authority(), Payload::PublishPlugin { wasm });
    let vetted = chain.judge(&bytes).unwrap();

    // By itself: another validator may take it.
    let Err(VetError::Refused(refusal)) = slow.vet(&bytes) else {
        panic!("vetted without a compiler")
    };
    assert_eq!(refusal.code, RefusalCode::Unavailable);
    assert!(
        refusal.message.contains("was stopped"),
        "{}",
        refusal.message
    );

    // In a block: the others have accepted it, so this is no longer a question.
    let proposer = chain.builder.proposers()[0];
    let built = chain
        .builder
        .build(proposer, 2_000, &[vetted], LIMITS)
        .unwrap();
    let checked = slow.check(built.block.bytes(), |_| None);
    let Err(error @ LedgerError::NotCompiled(_)) = checked.map(|_| ()) else {
        panic!("checked without a compiler")
    };
    assert!(error.to_string().contains("so this one stops"), "{error}");

    // What the structure of a module forbids is refused without compiling anything.
    let wasm = b"hello".to_vec();
    let bytes = chain.sign(&authority(), Payload::PublishPlugin { wasm });
    let Err(VetError::Refused(refusal)) = slow.vet(&bytes) else {
        panic!("no module, and vetted")
    };
    assert_eq!(refusal.code, RefusalCode::PluginRefused);
}
