//! Rules that mean harm, on a running network: refused when published or stopped when they run, each
//! with its reason, and the validators stay equal.

use serde_json::{Value, json};
use tabella_cli::{chain, http::Client};
use tabella_protocol::{Hash, Payload, SigningKey, Transaction, TransactionBody, VoterId};

use crate::network::{Network, PATIENCE, eventually, ranked_election};

const MANIFEST: &str =
    r#"{"abi":1,"name":"trial","version":"1","summary":"A trial.","licence":"MIT","ballot":"raw"}"#;

/// A rule that follows the ABI but for what it does with a ballot, and for what else it holds.
fn rule(validate: &str, more: &str) -> Vec<u8> {
    let manifest = MANIFEST.replace('"', "\\22");
    let describe = (1_024_u64 << 32) | MANIFEST.len() as u64;
    let text = format!(
        r#"(module
        (memory (export "memory") 2)
        (data (i32.const 1024) "{manifest}")
        (func (export "tabella_abi_v1"))
        (func (export "buffer") (param i32) (result i32) i32.const 65536)
        (func (export "describe") (result i64) i64.const {describe})
        (func (export "configure") (param i32) (result i32) i32.const 0)
        (func (export "validate") (param i32) (result i32) {validate})
        (func (export "fold") (param i32) (result i32) i32.const 0)
        (func (export "merge") (param i32) (result i32) i32.const 0)
        (func (export "save") (result i64) i64.const 0)
        (func (export "finish") (param i32) (result i64) i64.const 0)
        (func (export "message") (result i64) i64.const 0)
        {more})"#
    );
    wat::parse_str(text).expect("a module")
}

async fn publish(network: &Network, wasm: Vec<u8>) -> (u16, Value) {
    let mut admin = network.admin();
    let answer = admin
        .post_bytes("/api/admin/plugins", "application/wasm", wasm)
        .await;
    let answer = answer.expect("an answer");
    (answer.status, answer.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_could_diverge_is_refused_when_it_is_published() {
    let network = Network::start(&["--validators", "3"]).await;
    let float = r#"(func $mean (result f64) f64.const 1 f64.const 2 f64.add)"#;
    let cases = [
        ("floats", rule("i32.const 0", float), "f64"),
        (
            "a start function",
            rule("i32.const 0", "(func $go) (start $go)"),
            "start",
        ),
        ("no module", b"hello".to_vec(), "module"),
    ];
    for (name, wasm, reason) in cases {
        let (status, problem) = publish(&network, wasm).await;
        assert_eq!(
            (status, &problem["code"]),
            (422, &json!("plugin-refused")),
            "{name}: {problem}"
        );
        let detail = problem["detail"].as_str().expect("a reason");
        assert!(detail.contains(reason), "{name}: {detail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_misbehaves_on_a_ballot_is_stopped_and_validators_stay_equal() {
    let network = Network::start(&["--validators", "3"]).await;
    let genesis = network.genesis();
    let url = network.rpc_urls()[0].clone();
    let seed = std::fs::read_to_string(network.data().join("keys/registrar.key")).expect("a key");
    let registrar = SigningKey::from_seed(Hash::parse_lenient(seed.trim()).expect("hex").0);
    let grow = "(loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable";
    let cases = [
        ("an endless loop", "(loop br 0) i32.const 0", "fuel"),
        ("a trap", "unreachable", "unreachable"),
        ("growing memory", grow, "unreachable"),
        ("deep recursion", "(call $deep) i32.const 0", "stack"),
    ];
    for (name, validate, reason) in cases {
        let wasm = rule(validate, "(func $deep (call $deep))");
        let (status, answer) = publish(&network, wasm).await;
        assert!((200..300).contains(&status), "{name}: {answer}");
        let election_id = network.open_election(&json!({
            "title": name,
            "contests": [{
                "id": "contest",
                "rule": answer["sha256"],
                "options": [{"id": "a"}, {"id": "b"}],
            }],
        }));

        let ballot =
            json!({"election_id": election_id, "voter_id": "ada", "encrypted_vote": "AQI="});
        let answer = network
            .admin()
            .post("/api/votes/submit", &ballot)
            .await
            .expect("an answer");
        let problem = answer.json();
        assert_eq!(
            (answer.status, &problem["code"]),
            (422, &json!("rule-fault")),
            "{problem}"
        );
        let detail = problem["detail"].as_str().expect("a reason");
        assert!(detail.contains(reason), "{name}: {detail}");

        // Past the backend, straight to a validator.
        let height = chain::node_status(&url).await.expect("a status").height;
        let payload = Payload::CastBallot {
            election_id,
            voter: VoterId([1; 32]),
            ballots: vec![vec![1, 2]],
        };
        let body = TransactionBody::new(genesis.chain_id, height + 100, payload);
        let data = Transaction::sign(body, &registrar).to_bytes();
        let data = format!("0x{}", hex::encode(data));
        let mut validator = Client::new(&url).expect("a URL");
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [data]});
        let answer = validator.post("/", &call).await.expect("an answer").json();
        assert_eq!(
            answer["error"]["data"]["code"], "rule-fault",
            "{name}: {answer}"
        );
        let message = answer["error"]["message"].as_str().expect("a message");
        assert!(message.contains(reason), "{name}: {message}");
    }

    let election_id = network.open_election(&ranked_election());
    let ballot =
        json!({"election_id": election_id, "voter_id": "ada", "ballot": {"ranking": ["a"]}});
    eventually("an honest ballot is confirmed", async || {
        let answer = network
            .admin()
            .post("/api/votes/submit", &ballot)
            .await
            .ok()?;
        (answer.status == 201).then_some(())
    })
    .await;
    let height = chain::node_status(&url).await.expect("a status").height;
    for url in network.rpc_urls() {
        chain::wait_for_height(&url, height, PATIENCE)
            .await
            .expect("every validator goes on");
    }
    chain::compare(&network.rpc_urls(), height)
        .await
        .expect("equal blocks and states");
}
