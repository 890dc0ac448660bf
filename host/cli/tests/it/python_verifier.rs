//! `examples/verifier-python`, a second implementation of what checks receipts and elections, and this one: they
//! say the same of what a network hands out, of the test vectors, and of files in which single bytes were changed.

use std::{
    io::{BufRead, Cursor},
    path::{Path, PathBuf},
    process::Command,
};

use futures::future::join_all;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tabella_audit::{election_export, receipt};
use tabella_protocol::{
    ExportLine, Genesis, HexBytes, Payload, SigningKey, Transaction, TransactionBody, VoterId,
};

use crate::{
    network::{Network, eventually, ok, tabella},
    python,
};

/// Changed bytes of a file that both implementations read. A thousand of each, and more, were tried by hand.
const CHANGES: usize = 100;
/// What they are drawn from; another seed draws others.
const SEED: u64 = 20_261_130;

/// The second implementation.
struct Verifier {
    python: PathBuf,
    directory: PathBuf,
}

impl Verifier {
    fn new() -> Option<Self> {
        let directory =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/verifier-python");
        let packages = std::fs::read_to_string(directory.join("requirements.txt"));
        let programs = python::programs("verifier-python", &packages.expect("a file"))?;
        let python = programs.join("python");
        Some(Self { python, directory })
    }

    /// Runs one of its programs, which answers JSON; the exit code, and the answer.
    fn run(&self, program: &str, arguments: &[&str]) -> (Option<i32>, Value) {
        let output = Command::new(&self.python)
            .arg(self.directory.join(program))
            .args(arguments)
            .arg("--json")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .expect("Python starts");
        let said = String::from_utf8_lossy(&output.stderr);
        let answer = serde_json::from_slice(&output.stdout);
        (output.status.code(), answer.expect(&said))
    }
}

#[test]
fn the_second_implementation_agrees_with_every_vector() {
    let Some(verifier) = Verifier::new() else {
        return;
    };
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/vectors");
    let (code, answer) = verifier.run("verify.py", &["vectors", vectors.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(0), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_implementation_says_the_same_of_an_election() {
    let Some(verifier) = Verifier::new() else {
        return;
    };
    let network = Network::start(&["--validators", "3"]).await;
    let files = Files::collect(&network).await;
    files.agree_on_what_was_handed_out(&verifier);
    files.agree_on_changes(&verifier, "receipt", &files.receipt);
    files.agree_on_changes(&verifier, "election", &files.export);
}

/// What the network handed out.
struct Files {
    genesis: String,
    document: Genesis,
    export: PathBuf,
    receipt: PathBuf,
    result: PathBuf,
    refusal: PathBuf,
}

impl Files {
    /// Two elections: one with weights, second ballots and ballots that were signed together, and one whose
    /// voters sign.
    async fn collect(network: &Network) -> Self {
        let weighted = network.open_election(&json!({
            "title": "Weighted", "eligibility": "registrar_roll", "roll": "grows", "revote": "last",
            "contests": [
                {"id": "mayor", "rule": "instant-runoff", "options": [{"id": "a"}, {"id": "b"}, {"id": "c"}]},
                {"id": "law", "rule": "referendum", "params": {"majority": "2/3"},
                 "options": [{"id": "yes"}, {"id": "no"}]},
            ],
        }));
        let voters = (0..30).map(|voter| format!("voter-{voter},{}\n", 1 + voter % 3));
        let roll: String = voters.collect();
        let path = format!("/api/admin/elections/{weighted}/roll");
        let mut admin = network.admin();
        let answer = admin.post_bytes(&path, "text/csv", roll.into_bytes()).await;
        ok(answer.expect("an answer"));
        // At once, so that some are signed together; every third votes again.
        join_all((0..30).map(|voter| vote(network, weighted, voter, 0))).await;
        join_all(
            (0..30)
                .step_by(3)
                .map(|voter| vote(network, weighted, voter, 1)),
        )
        .await;
        cast_signed_ballots(network).await;

        let path = "/api/votes/receipt?transaction_id=3-1";
        let receipt = eventually("a receipt with the acks of all validators", async || {
            let answer = admin.get(path).await.expect("an answer");
            let acks = answer
                .is_success()
                .then(|| answer.json()["acks"].as_array().map(Vec::len));
            (acks == Some(Some(3))).then(|| answer.body.to_vec())
        })
        .await;
        let refusal = admin.get("/api/votes/receipt?transaction_id=nobody").await;
        let id = weighted.to_string();
        network.election(&["close", &id]);
        eventually("the result is certified", async || {
            (network.election(&["results", &id])["status"] == "final").then_some(())
        })
        .await;
        let export = admin.get(&format!("/api/elections/{id}/export")).await;
        let path = format!("/api/votes/results?election_id={id}");
        let result = admin.get(&path).await.expect("an answer");
        let write = |name: &str, bytes: &[u8]| {
            std::fs::write(network.path(name), bytes).expect("writable");
            network.path(name)
        };
        Self {
            genesis: network.ready.genesis.clone(),
            document: network.genesis(),
            export: write("election.jsonl", &export.expect("an answer").body),
            receipt: write("receipt.json", &receipt),
            result: write("result.json", &result.body),
            refusal: write("refusal.json", &refusal.expect("an answer").body),
        }
    }

    fn agree_on_what_was_handed_out(&self, verifier: &Verifier) {
        let second = |command: &str, file: &Path| {
            let file = file.to_str().expect("UTF-8");
            verifier.run("verify.py", &[command, file, "--genesis", &self.genesis])
        };
        let (code, answer) = second("receipt", &self.receipt);
        assert_eq!(code, Some(0), "{answer}");
        assert_eq!(answer, self.tabella("receipt", &self.receipt));
        let (code, answer) = second("receipt", &self.refusal);
        assert_eq!(code, Some(2), "{answer}");
        assert!(
            answer["reason"]
                .as_str()
                .expect("a reason")
                .contains("backend that refused")
        );

        let (code, answer) = second("result", &self.result);
        assert_eq!(code, Some(0), "{answer}");
        assert_eq!(answer["result"]["board_size"], 40, "{answer}");

        let (code, answer) = second("election", &self.export);
        assert_eq!(code, Some(0), "{answer}");
        let own = self.tabella("election", &self.export);
        let (second, own) = (&answer["election"], &own["election"]);
        for member in [
            "status",
            "blocks",
            "signatures",
            "ballots",
            "turnout",
            "board_root",
            "certified",
        ] {
            assert_eq!(second[member], own[member], "{member}");
        }
        assert_eq!((&own["ballots"], &own["turnout"]), (&json!(40), &json!(30)));
        for contest in 0..2 {
            let (second, own) = (&second["contests"][contest], &own["contests"][contest]);
            assert_eq!(second["outcome_sha256"], own["outcome_sha256"]);
            assert_eq!(second["winners"], own["outcome"]["winners"]);
        }
        let versions = versions(&self.export);
        assert_eq!(versions, [1, 2, 3, 4], "ballots of every version");
    }

    fn tabella(&self, command: &str, file: &Path) -> Value {
        let output = tabella()
            .args(["verify", command, "--json", "--genesis", &self.genesis])
            .arg(file)
            .output()
            .expect("the binary starts");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Both find every alteration, and take every change after which the file says the same.
    fn agree_on_changes(&self, verifier: &Verifier, command: &str, file: &Path) {
        let original = std::fs::read(file).expect("a file");
        let changes = draw(&original);
        let (list, altered) = (
            file.with_extension("changes"),
            file.with_extension("altered"),
        );
        std::fs::write(&list, json!(changes).to_string()).expect("writable");
        let arguments = [
            command,
            file.to_str().expect("UTF-8"),
            "--genesis",
            &self.genesis,
            "--changes",
            list.to_str().expect("UTF-8"),
        ];
        let (code, second) = verifier.run("alterations.py", &arguments);
        assert_eq!(code, Some(0), "seed {SEED}: {second}");
        let second = second.as_array().expect("a list");
        assert_eq!(second.len(), CHANGES);
        for ((position, byte), second) in changes.into_iter().zip(second) {
            let mut bytes = original.clone();
            bytes[position] = byte;
            let holds = match command {
                "receipt" => {
                    receipt::check(&bytes, &self.document, &receipt::Expected::default()).is_ok()
                }
                _ => {
                    std::fs::write(&altered, &bytes).expect("writable");
                    election_export::check(&altered, &self.document, |_| {}).is_ok()
                }
            };
            let says_the_same = command == "election" && lines(&bytes) == lines(&original);
            assert_eq!(
                (holds, second["holds"].as_bool()),
                (says_the_same, Some(says_the_same)),
                "seed {SEED}, byte {position} changed to {byte:#04x}: {second}"
            );
        }
    }
}

/// A ballot of one voter of the registrar; `which` of its ballots.
async fn vote(network: &Network, election_id: u64, voter: usize, which: usize) {
    let body = json!({
        "election_id": election_id, "voter_id": format!("voter-{voter}"), "transaction_id": format!("{voter}-{which}"),
        "ballot": {
            "mayor": {"ranking": if (voter + which).is_multiple_of(2) { json!(["a", "c"]) } else { json!(["b", ["c", "a"]]) }},
            "law": {"choice": if voter.is_multiple_of(4) { "no" } else { "yes" }},
        },
    });
    let answer = network.admin().post("/api/votes/submit", &body).await;
    ok(answer.expect("an answer"));
}

/// An election in which voters sign, one ballot with an order and one without, and an election in which each
/// votes once, so that nothing orders the ballots that its registrar signs together.
async fn cast_signed_ballots(network: &Network) {
    let options = json!([{"id": "a"}, {"id": "b"}]);
    let contests = json!([{"id": "x", "rule": "plurality", "options": options}]);
    let signed = network.open_election(&json!({
        "title": "Signed", "eligibility": "credentials", "roll": "grows", "contests": contests,
    }));
    let mut admin = network.admin();
    let keys = [
        SigningKey::from_seed([1; 32]),
        SigningKey::from_seed([2; 32]),
    ];
    let roll: String = keys
        .iter()
        .map(|key| format!("{},1\n", key.public()))
        .collect();
    let path = format!("/api/admin/elections/{signed}/roll");
    let answer = admin.post_bytes(&path, "text/csv", roll.into_bytes()).await;
    ok(answer.expect("an answer"));
    let genesis = network.genesis();
    for (key, sequence) in keys.iter().zip([None, Some(5)]) {
        let payload = Payload::CastBallot {
            election_id: signed,
            voter: VoterId::from(key.public()),
            ballots: vec![vec![1]],
        };
        let mut body = TransactionBody::new(genesis.chain_id, 500, payload);
        body.sequence = sequence;
        let bytes = HexBytes(Transaction::sign(body, key).to_bytes());
        let call = json!({
            "jsonrpc": "2.0", "id": 1, "method": "eth_sendTransaction", "params": [{"data": bytes.to_string()}],
        });
        let mut validator = tabella_cli::http::Client::new(&network.rpc_urls()[0]).expect("a URL");
        let answer = ok(validator.post("/", &call).await.expect("an answer"));
        assert!(answer["result"].is_string(), "{answer}");
    }
    let once = network.open_election(&json!({"title": "Once", "contests": contests}));
    let ballots = (0..20).map(|voter| {
        let body = json!({"election_id": once, "voter_id": format!("once-{voter}"), "ballot": {"choice": "a"}});
        async move {
            let answer = network.admin().post("/api/votes/submit", &body).await;
            ok(answer.expect("an answer"));
        }
    });
    join_all(ballots).await;
}

/// Positions with another byte for each: any byte, or one that the file has, so that more than its syntax is at
/// fault; anywhere, or in any line, because a rule's bytes are most of an export.
fn draw(original: &[u8]) -> Vec<(usize, u8)> {
    let mut random = StdRng::seed_from_u64(SEED);
    let ends = original
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n');
    let starts: Vec<usize> = std::iter::once(0)
        .chain(ends.map(|(end, _)| end + 1))
        .collect();
    let mut changes = Vec::new();
    while changes.len() < CHANGES {
        let line = random.random_range(0..starts.len() - 1);
        let place = match random.random() {
            true => starts[line]..starts[line + 1],
            false => 0..original.len(),
        };
        let position = random.random_range(place);
        let byte = match random.random() {
            true => random.random(),
            false => original[random.random_range(0..original.len())],
        };
        if original[position] != byte {
            changes.push((position, byte));
        }
    }
    changes
}

/// What an export says, whatever its spelling; nothing where it cannot be read.
fn lines(export: &[u8]) -> Option<Vec<ExportLine>> {
    let lines = Cursor::new(export).lines();
    lines
        .map(|line| serde_json::from_str(&line.ok()?).ok())
        .collect()
}

/// The versions of the transactions in an export.
fn versions(export: &Path) -> Vec<u8> {
    let bytes = std::fs::read(export).expect("a file");
    let mut versions = Vec::new();
    for line in lines(&bytes).expect("an export") {
        if let ExportLine::Block { block, .. } = line {
            let (block, _) =
                tabella_protocol::Block::decode(&block.0, block.0.len()).expect("a block");
            versions.extend(block.transactions.iter().map(|bytes| bytes[0]));
        }
    }
    versions.sort_unstable();
    versions.dedup();
    versions
}
