//! What the verifier says of the receipts that Tabella publishes for everybody who writes a verifier (`docs/vectors`): of
//! those that hold, and of those that were changed or made by others.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tabella_web_verifier::answer;

fn documents() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/vectors/documents.json");
    let text = fs::read_to_string(path).expect("the vectors");
    serde_json::from_str(&text).expect("JSON")
}

/// The genesis that a vector is checked against, as a file.
fn genesis(documents: &Value, vector: &Value) -> Vec<u8> {
    let name = vector["genesis"].as_str().expect("a name");
    documents["genesis"][name].to_string().into_bytes()
}

fn texts<'v>(documents: &'v Value, kind: &str) -> impl Iterator<Item = (&'v Value, &'v str)> {
    let vectors = documents[kind].as_array().expect("vectors");
    vectors.iter().map(|vector| {
        let text = vector["text"].as_str().expect("a text");
        (vector, text)
    })
}

#[test]
fn receipts_hold_that_should_and_others_say_why_not() {
    let documents = documents();
    let mut said = Vec::new();
    for (vector, text) in texts(&documents, "receipts") {
        let genesis = genesis(&documents, vector);
        let answer = answer(&[b"receipt", &genesis, text.as_bytes()]);
        let about = vector["about"].as_str().expect("words");
        if vector["summary"].is_null() {
            assert_eq!(answer["verdict"], "not-valid", "{about}");
            said.push(format!("{about}: {}", answer["why"].as_str().expect("why")));
        } else {
            assert_eq!(answer["verdict"], "valid", "{about}: {answer}");
            assert_eq!(answer["receipt"], vector["summary"], "{about}");
            said.push(format!(
                "{about}: holds against {}",
                answer["holds_against"].as_str().expect("whom")
            ));
        }
    }
    expect_test::expect![[r#"
        acknowledged by all: holds against one
        acknowledged by two: holds against crashes
        the only ballot, acknowledged by nobody: holds against crashes
        after a change of the validators: holds against a-third
        of four that tolerate a liar: holds against a-third
        another weight: inconsistent
        another position: inconsistent
        another election: inconsistent
        another place of the board: inconsistent
        another header: inconsistent
        a signature too few: signatures
        acks in another order: inconsistent
        an ack of another block: inconsistent
        another version: inconsistent
        without the change: validators
        of another network: other-network
        with a blank more: changed
        without its line feed: changed"#]]
    .assert_eq(&said.join("\n"));
}

#[test]
fn no_character_of_a_receipt_can_be_changed() {
    let documents = documents();
    let (vector, text) = texts(&documents, "receipts").next().expect("one");
    let genesis = genesis(&documents, vector);
    for place in (0..text.len()).step_by(7) {
        let mut changed = text.as_bytes().to_vec();
        changed[place] ^= 1;
        let answer = answer(&[b"receipt", &genesis, &changed]);
        assert_eq!(answer["verdict"], "not-valid", "byte {place}: {answer}");
    }
}

/// A site whose validators are its own writes the name of the real network into what they signed.
#[test]
fn what_others_signed_does_not_hold_on_the_network_that_a_voter_knows() {
    let documents = documents();
    let hash = |name: &str| {
        let text = documents["genesis"][name].to_string();
        let answer = answer(&[b"genesis", text.as_bytes()]);
        answer["hash"].as_str().expect("a hash").to_owned()
    };
    let (bft, majority) = (hash("bft"), hash("majority"));
    let real = documents["genesis"]["majority"].to_string();
    let about = "of four that tolerate a liar";
    let (_, theirs) = texts(&documents, "receipts")
        .find(|(vector, _)| vector["about"] == about)
        .expect("a receipt of another network");
    let check = |text: &str| answer(&[b"receipt", real.as_bytes(), text.as_bytes()])["why"].clone();
    assert_eq!(check(theirs), json!("other-network"));
    let claimed = theirs.replace(&bft, &majority);
    assert_ne!(claimed, theirs);
    // Whose signatures count follows from genesis alone, and the header that they signed names others.
    assert_eq!(check(&claimed), json!("inconsistent"));
}

#[test]
fn what_is_asked_with_the_wrong_files_is_refused_and_nothing_panics() {
    let documents = documents();
    let (vector, text) = texts(&documents, "receipts").next().expect("one");
    let genesis = genesis(&documents, vector);
    let files: [&[u8]; 5] = [b"", b"\xff", b"{}", &genesis, text.as_bytes()];
    for name in [
        &b"genesis"[..],
        b"receipt",
        b"election",
        b"contests",
        b"choice",
        b"nothing",
    ] {
        for count in 0..6 {
            for first in 0..files.len() {
                let rest = (0..count).map(|place| files[(first + place) % files.len()]);
                let request: Vec<&[u8]> = std::iter::once(name).chain(rest).collect();
                let verdict = answer(&request)["verdict"].clone();
                let is_right = (name == b"genesis" && count == 1 && first == 3)
                    || (name == b"receipt" && count == 2 && first == 3);
                let good = [json!("valid"), json!("genesis")];
                assert_eq!(good.contains(&verdict), is_right, "{verdict}");
                assert!(verdict.is_string());
            }
        }
    }
}
