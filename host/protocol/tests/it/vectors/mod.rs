//! Test vectors: what other implementations read and compare with, `docs/vectors/*.json`.
//!
//! `UPDATE_EXPECT=1 cargo xtask test vectors` writes them again. Everything in them comes from fixed seeds.

mod documents;
mod keys;
mod merkle;
mod transactions;
mod values;

use expect_test::{ExpectFile, expect_file};
use serde_json::{Map, Value};

#[test]
fn the_committed_vectors_are_what_this_code_makes() {
    let files: [(ExpectFile, Value); 5] = [
        (
            expect_file!["../../../../../docs/vectors/keys.json"],
            keys::vectors(),
        ),
        (
            expect_file!["../../../../../docs/vectors/merkle.json"],
            merkle::vectors(),
        ),
        (
            expect_file!["../../../../../docs/vectors/values.json"],
            values::vectors(),
        ),
        (
            expect_file!["../../../../../docs/vectors/transactions.json"],
            transactions::vectors(),
        ),
        (
            expect_file!["../../../../../docs/vectors/documents.json"],
            documents::vectors(),
        ),
    ];
    for (file, vectors) in files {
        let mut text = serde_json::to_string_pretty(&sorted(vectors)).unwrap();
        text.push('\n');
        file.assert_eq(&text);
    }
}

/// Members in the order of their names, whatever this build's maps keep.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            let members = members
                .into_iter()
                .map(|(name, value)| (name, sorted(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// Bytes as they stand in the vectors.
fn hex(bytes: impl AsRef<[u8]>) -> String {
    tabella_protocol::HexBytes(bytes.as_ref().to_vec()).to_string()
}
