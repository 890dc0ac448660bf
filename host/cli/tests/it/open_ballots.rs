//! With open ballots kept to readers, nothing that strangers can ask for tells how an election stands
//! before its close; readers see everything, and after the close everybody does.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tabella_cli::{
    http::Client,
    json_rpc::{self, RpcError},
};
use tabella_protocol::{BoardEntry, Hash, Payload, Transaction, rpc::NodeStatus};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::network::{Network, eventually, ok, tabella};

const VOTERS: usize = 5;

/// Texts of which each tells of one ballot: who finds one in what anyone may read can tell a choice, or
/// compute it from the roots in the headers of blocks.
type Tells = BTreeSet<String>;

/// What tells of the ballots in `transactions`.
fn tells(transactions: &[Transaction]) -> Tells {
    let mut tells = Tells::new();
    for transaction in transactions {
        let Payload::CastBallot { ballots, .. } = &transaction.body.payload else {
            continue;
        };
        let texts = [
            hex::encode(transaction.to_bytes()),
            hex::encode(transaction.id().0),
            hex::encode(transaction.signature.0),
            hex::encode(BoardEntry::ballot_hash(ballots).0),
        ];
        tells.extend(texts);
        // As Ethereum's shape has it: halves without leading zeros.
        for half in transaction.signature.0.chunks(32) {
            tells.insert(hex::encode(half).trim_start_matches('0').to_owned());
        }
    }
    tells
}

/// Those that stand in a text.
fn found<'a>(tells: &'a Tells, text: &str) -> Vec<&'a String> {
    tells.iter().filter(|told| text.contains(*told)).collect()
}

/// What a network tells who asks for everything, with these tokens or none.
struct Crawl<'a> {
    network: &'a Network,
    rpc_key: Option<&'static str>,
    rest_token: Option<String>,
}

impl Crawl<'_> {
    fn client(url: &str, token: Option<&String>) -> Client {
        let client = Client::new(url).expect("a URL");
        match token {
            Some(token) => client.with_token(token),
            None => client,
        }
    }

    /// Each answer under the name of what was asked.
    async fn answers(&self, election_id: u64, ids: &[Hash]) -> Vec<(String, String)> {
        let mut answers = Vec::new();
        for (number, url) in self.network.rpc_urls().iter().enumerate() {
            let token = self
                .rpc_key
                .map(|key| reader_token(self.network, key, &format!("validator-{}", number + 1)));
            self.ask_validator(url, token.as_ref(), election_id, ids, &mut answers)
                .await;
        }
        self.ask_backend(election_id, &mut answers).await;
        answers
    }

    async fn ask_validator(
        &self,
        url: &str,
        token: Option<&String>,
        election_id: u64,
        ids: &[Hash],
        answers: &mut Vec<(String, String)>,
    ) {
        let mut client = Self::client(url, token);
        let status: NodeStatus = json_rpc::call(&mut client, "tabella_nodeStatus", json!([]))
            .await
            .expect("a status");
        let mut calls = vec![
            ("tabella_getElections", json!([])),
            ("tabella_getElection", json!([election_id])),
            ("tabella_getBoard", json!([election_id])),
            ("tabella_getResults", json!([election_id])),
            (
                "tabella_getBoardConsistencyProof",
                json!([election_id, 1, VOTERS]),
            ),
            ("tabella_getEvidence", json!([])),
            ("tabella_getPeers", json!([])),
            ("tabella_getValidators", json!([])),
            ("tabella_getValidatorSets", json!([])),
            ("tabella_getPlugins", json!([])),
            ("tabella_verify", json!([])),
            ("eth_getBlockByNumber", json!(["latest", true])),
            ("eth_feeHistory", json!(["0x10", "latest", []])),
            ("eth_getLogs", json!([{}])),
        ];
        for height in 1..=status.height {
            let quantity = format!("{height:#x}");
            calls.extend([
                ("tabella_getBlock", json!([height])),
                ("tabella_getBlockSummaries", json!([height, 1, 0])),
                ("tabella_getElectionChanges", json!([height])),
                ("tabella_getCertificate", json!([height])),
                ("eth_getBlockByNumber", json!([quantity, true])),
                ("eth_getBlockByNumber", json!([quantity, false])),
                ("eth_getBlockTransactionCountByNumber", json!([quantity])),
                ("eth_getBlockReceipts", json!([quantity])),
                (
                    "eth_getTransactionByBlockNumberAndIndex",
                    json!([quantity, "0x0"]),
                ),
            ]);
        }
        calls.push(("tabella_getBlockSummaries", json!([1, 256, 0])));
        // Who knows an id learns where it stands, and may have its receipt, but not its ballot.
        calls.extend(
            ids.iter()
                .map(|id| ("eth_getTransactionByHash", json!([id]))),
        );
        for (method, params) in calls {
            let name = format!("{method} {params}");
            let answer: Result<Value, RpcError> = json_rpc::call(&mut client, method, params).await;
            let text = match answer {
                Ok(answer) => answer.to_string(),
                Err(RpcError::Refused { data, .. }) if data["code"] == "withheld" => String::new(),
                Err(error) => panic!("{name}: {error}"),
            };
            answers.push((name, text));
        }
        for path in ["/metrics", "/health/ready"] {
            let answer = client.get(path).await.expect("an answer");
            answers.push((path.to_owned(), text(&answer.body)));
        }
    }

    /// Every path of the backend that is read, with every number that may stand in it.
    async fn ask_backend(&self, election_id: u64, answers: &mut Vec<(String, String)>) {
        let mut client = Self::client(&self.network.ready.backend, self.rest_token.as_ref());
        let document = ok(client.get("/api/openapi.json").await.expect("an answer"));
        let blocks = ok(client.get("/api/blocks").await.expect("an answer"));
        let height = blocks["height"].as_u64().expect("a height");
        let paths = document["paths"].as_object().expect("paths");
        for (path, methods) in paths {
            // Events do not end, and are followed apart.
            if methods.get("get").is_none() || path == "/api/events" {
                continue;
            }
            let numbers = match path.starts_with("/api/blocks/") {
                true => 1..=height,
                false => election_id..=election_id,
            };
            for number in numbers {
                let path = path.replace("{id}", &number.to_string());
                let asked = match path.ends_with("results") {
                    true => format!("{path}?election_id={number}"),
                    false => path,
                };
                let answer = client.get(&asked).await.expect("an answer");
                answers.push((asked, text(&answer.body)));
            }
        }
    }

    /// Which of `tells` are told, each with the first answer that tells it; an answer that names an id
    /// because it was asked for tells nothing.
    async fn told(&self, tells: &Tells, election_id: u64, ids: &[Hash]) -> Vec<String> {
        let answers = self.answers(election_id, ids).await;
        assert!(answers.len() > 100, "a crawl asks for much");
        let told = answers.iter().flat_map(|(name, text)| {
            let found = found(tells, text).into_iter();
            found.map(move |told| format!("{name} tells {told}"))
        });
        told.collect()
    }
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

/// Follows the events of the backend until dropped; what has come so far.
async fn follow(backend: &str) -> TcpStream {
    let authority = backend.strip_prefix("http://").expect("a URL");
    let mut stream = TcpStream::connect(authority).await.expect("a listener");
    let request = format!("GET /api/events HTTP/1.1\r\nhost: {authority}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("written");
    stream
}

fn statement() -> Value {
    json!({
        "title": "A secret for a while",
        "contests": [{
            "id": "contest",
            "rule": "plurality",
            "options": [{"id": "a"}, {"id": "b"}],
        }],
    })
}

const AUTHORITY: &str = "keys/authority.key";

fn reader_token(network: &Network, key: &str, validator: &str) -> String {
    let output = tabella()
        .args(["keys", "reader-token"])
        .arg(network.data().join(key))
        .arg("--genesis")
        .arg(&network.ready.genesis)
        .args(["--for", validator])
        .output()
        .expect("the binary starts");
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout).trim().to_owned()
}

/// All transactions of a validator's chain, for who may read them.
async fn transactions(url: &str, token: Option<&String>) -> Result<Vec<Transaction>, RpcError> {
    let mut client = Crawl::client(url, token);
    let status: NodeStatus = json_rpc::call(&mut client, "tabella_nodeStatus", json!([])).await?;
    let mut transactions = Vec::new();
    for height in 1..=status.height {
        let params = json!([format!("{height:#x}"), true]);
        let block: Value = json_rpc::call(&mut client, "eth_getBlockByNumber", params).await?;
        for transaction in block["transactions"].as_array().expect("a list") {
            let input = transaction["input"].as_str().expect("hex");
            let bytes = hex::decode(&input[2..]).expect("hex");
            transactions.push(Transaction::from_bytes(&bytes).expect("a transaction"));
        }
    }
    Ok(transactions)
}

fn ballots(transactions: Vec<Transaction>) -> Vec<Transaction> {
    let is_ballot = |t: &Transaction| matches!(t.body.payload, Payload::CastBallot { .. });
    transactions.into_iter().filter(is_ballot).collect()
}

async fn cast(network: &Network, election_id: u64, voter: &str, choice: &str) {
    let body = json!({
        "election_id": election_id,
        "voter_id": voter,
        "ballot": {"choice": choice},
    });
    let mut client = network.admin();
    let answer = client.post("/api/votes/submit", &body).await;
    let answer = ok(answer.expect("an answer"));
    eventually("the ballot is confirmed", async || {
        let id = answer["transaction_id"].as_str().expect("an id");
        let path = format!("/api/votes/transaction-status?transaction_id={id}&voter_id={voter}");
        let status = client.get(&path).await.ok()?.json();
        (status["status"] == "confirmed").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::too_many_lines,
    reason = "one scene, told from beginning to end"
)]
async fn nothing_that_strangers_ask_for_tells_how_an_open_election_stands() {
    let network = Network::start(&["--open-ballots", "readers"]).await;
    let election_id = network.open_election(&statement());
    let mut events = follow(&network.ready.backend).await;
    for voter in 0..VOTERS {
        let choice = if voter < 3 { "a" } else { "b" };
        cast(&network, election_id, &format!("voter-{voter}"), choice).await;
    }

    let url = network.rpc_urls()[0].clone();
    let token = reader_token(&network, AUTHORITY, "validator-1");
    let all = transactions(&url, Some(&token)).await;
    let cast_ballots = ballots(all.expect("an authority reads all"));
    assert_eq!(cast_ballots.len(), VOTERS);
    let ids: Vec<Hash> = cast_ballots.iter().map(Transaction::id).collect();
    let tells = tells(&cast_ballots);

    let stranger = Crawl {
        network: &network,
        rpc_key: None,
        rest_token: None,
    };
    let told = stranger.told(&tells, election_id, &ids).await;
    assert!(told.is_empty(), "{told:#?}");

    let mut told_by_events = vec![0; 1 << 20];
    let length = events.read(&mut told_by_events).await.expect("events");
    let told_by_events = text(&told_by_events[..length]);
    assert!(
        told_by_events.contains("event: confirmations"),
        "{told_by_events}"
    );
    assert!(
        found(&tells, &told_by_events).is_empty(),
        "{told_by_events}"
    );
    for entry in std::fs::read_dir(network.data().join("logs")).expect("logs") {
        let path = entry.expect("an entry").path();
        let log = std::fs::read_to_string(&path).expect("a log");
        assert!(found(&tells, &log).is_empty(), "{}", path.display());
    }

    // The same questions of a reader: they would have found everything.
    let reader = Crawl {
        network: &network,
        rpc_key: Some(AUTHORITY),
        rest_token: Some(network.ready.admin_token.clone()),
    };
    let told = reader.told(&tells, election_id, &ids).await;
    for text in &tells {
        assert!(told.iter().any(|told| told.ends_with(text)), "{text}");
    }
    for surface in [
        "tabella_getBlock ",
        "tabella_getBlockSummaries",
        "tabella_getBoard ",
        "eth_getBlockByNumber",
        "eth_getTransactionByHash",
        "/api/blocks/",
        "/board",
    ] {
        assert!(
            told.iter().any(|told| told.contains(surface)),
            "{surface}: {told:#?}"
        );
    }

    // Neither a key that nobody named nor a token of no network admits anybody; both say why.
    let output = tabella()
        .args(["keys", "generate", "--out"])
        .arg(network.data().join("keys/stranger.key"))
        .output()
        .expect("the binary starts");
    assert!(output.status.success(), "{output:?}");
    let unnamed = reader_token(&network, "keys/stranger.key", "validator-1");
    let elsewhere = reader_token(&network, AUTHORITY, "validator-2");
    for (token, reason) in [
        (unnamed, "is no authority, validator, registrar"),
        ("00".to_owned(), "it is no reader's token"),
        (elsewhere, "it is for validator \"validator-2\""),
    ] {
        let mut client = Crawl::client(&url, Some(&token));
        let board: Result<Value, RpcError> =
            json_rpc::call(&mut client, "tabella_getBoard", json!([election_id])).await;
        let refused = board.expect_err("not for strangers").to_string();
        assert!(refused.contains(reason), "{refused}");
    }

    // After the close everybody may count.
    network.election(&["close", &election_id.to_string()]);
    eventually("the result is certified", async || {
        let results = network.election(&["results", &election_id.to_string()]);
        (results["status"] == "final").then_some(())
    })
    .await;
    let shown = transactions(&url, None).await.expect("for anyone");
    assert_eq!(ballots(shown), cast_ballots);
    let mut client = network.anonymous();
    for path in ["export", "board"] {
        let path = format!("/api/elections/{election_id}/{path}");
        let answer = client.get(&path).await.expect("an answer");
        assert!(answer.is_success(), "{path}: {}", answer.excerpt());
    }
}
