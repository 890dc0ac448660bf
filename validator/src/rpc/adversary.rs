//! Clients that mean harm, over real HTTP. Each is held to a named bound, and an honest client is
//! answered meanwhile.

mod by_index;
mod off_threads;
mod waiting;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures::future::join_all;
use serde_json::json;
use tabella_http_server::{Bounds, Counts, listen};
use tabella_ledger::BuildLimits;
use tabella_protocol::{CommitCertificate, Payload, Revote, VoterId};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

use super::{
    cost::{BATCH_BYTES_MAX, READS, REQUEST_VALUES_MAX, VERIFY_PAUSE},
    *,
};
use crate::{
    discovery::Advertised,
    testing::{Fixture, key, validator},
};

/// Ballots on the board of election 1.
const BALLOTS: u64 = 1_000;
const PATIENCE: Duration = Duration::from_secs(20);

/// A validator's JSON-RPC over a small chain, without consensus.
struct Node {
    address: SocketAddr,
    http: reqwest::Client,
    context: Context,
    fixture: Fixture,
    serving: JoinHandle<()>,
}

fn fill_board(fixture: &Fixture) {
    let election = fixture.ledger.election(1).unwrap();
    let ballot = election.contests()[0].encode_ballot(&json!({ "choice": "a" }));
    let ballot = ballot.unwrap();
    let vetted: Vec<_> = (0..BALLOTS)
        .map(|voter| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&voter.to_be_bytes());
            let payload = Payload::CastBallot {
                election_id: 1,
                voter: VoterId(id),
                ballots: vec![ballot.clone()],
            };
            fixture.vet(&fixture.sign(voter, payload))
        })
        .collect();
    let limits = BuildLimits {
        bytes_max: 4 << 20,
        transactions_max: 2_000,
    };
    let built = fixture
        .ledger
        .build(key(1).public(), 0, vetted.iter(), limits)
        .unwrap();
    assert!(built.refused.is_empty());
    let certificate = CommitCertificate {
        height: built.block.header().height,
        round: 0,
        block_hash: built.block.hash(),
        signatures: Vec::new(),
    };
    fixture.ledger.commit(built.block, &certificate).unwrap();
    assert_eq!(fixture.ledger.election(1).unwrap().board().size, BALLOTS);
}

impl Node {
    /// One whose turns do not end: what is bounded beside must not depend on how fast a machine is.
    async fn start(bounds: Bounds) -> Self {
        let bounded = Bounded {
            turn_max: PATIENCE,
            ..Bounded::new(&Trusted::default())
        };
        Self::start_with(bounds, bounded).await
    }

    async fn start_with(bounds: Bounds, bounded: Bounded) -> Self {
        let fixture = Fixture::new(Revote::Refuse);
        fill_board(&fixture);
        let stop = Stop::default();
        let validator = validator(&fixture, &stop).await;
        let advertised = Advertised {
            node_id: "v".into(),
            p2p_address: "127.0.0.1:1".into(),
            rpc_url: "http://127.0.0.1:1".into(),
        };
        let file = fixture.directory.path().join("peers.json");
        let ledger = Arc::clone(&fixture.ledger);
        let discovery = Discovery::new(ledger, key(1), advertised, Vec::new(), file).unwrap();
        let context = Context {
            tip: validator.tip.subscribe(),
            validator,
            discovery: Arc::new(discovery),
            node_id: "v".into(),
            stop: stop.clone(),
            server: Server::new(bounds),
            bounded: Arc::new(bounded),
            readers: Arc::default(),
        };
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        Self {
            address: listener.local_addr().unwrap(),
            http: reqwest::Client::new(),
            serving: tokio::spawn(serve(listener, context.clone(), stop)),
            context,
            fixture,
        }
    }

    /// The length of the answer, and the answer.
    async fn post(&self, body: String) -> (usize, Value) {
        let request = self.http.post(format!("http://{}/", self.address));
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let text = answer.bytes().await.unwrap();
        (text.len(), serde_json::from_slice(&text).unwrap())
    }

    async fn call(&self, method: &str, params: Value) -> Value {
        self.post(one(0, method, params).to_string()).await.1
    }

    /// An honest client, on a connection of its own, is answered at once.
    async fn serves_honest(&self) {
        let honest = reqwest::Client::new().post(format!("http://{}/", self.address));
        let asked = honest.body(one(7, "eth_blockNumber", json!([])).to_string());
        let answer = tokio::time::timeout(PATIENCE, asked.send()).await;
        let answer: Value = answer.unwrap().unwrap().json().await.unwrap();
        assert_eq!(answer["result"], "0x4");
    }

    async fn until(&self, holds: impl Fn(&Counts) -> bool) -> Counts {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let counts = self.context.server.counts();
            if holds(&counts) {
                return counts;
            }
            assert!(Instant::now() < deadline, "still {counts:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn one(id: usize, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

fn batch(count: usize, method: &str, params: &Value) -> String {
    let calls = (0..count).map(|id| one(id, method, params.clone()));
    Value::from_iter(calls).to_string()
}

fn code(answer: &Value) -> (i64, &str) {
    let error = &answer["error"];
    let data = error["data"]["code"].as_str().unwrap_or_default();
    (error["code"].as_i64().unwrap_or_default(), data)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_history_of_very_many_percentiles_is_refused() {
    let node = Node::start(Bounds::default()).await;
    let percentiles: Vec<f64> = (0..10_000).map(|n| f64::from(n) / 100.0).collect();
    let params = json!(["0x400", "latest", percentiles]);
    let answer = node.call("eth_feeHistory", params).await;
    assert_eq!(code(&answer), (-32602, "invalid-params"));
    let most: Vec<u32> = (1..=100).collect();
    let answer = node
        .call("eth_feeHistory", json!(["0xffffffff", "latest", most]))
        .await;
    assert_eq!(answer["result"]["reward"].as_array().unwrap().len(), 5);
    node.serves_honest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_boards_is_bounded_by_weight_and_by_bytes() {
    let node = Node::start(Bounds::default()).await;
    let (length, answer) = node.post(batch(200, "tabella_getBoard", &json!([1]))).await;
    assert_eq!(code(&answer), (-32005, "limit-exceeded"));
    assert!(length < 1_000);
    let (length, answers) = node.post(batch(100, "tabella_getBoard", &json!([1]))).await;
    // The errors of those left out come on top.
    assert!(length < BATCH_BYTES_MAX + (64 << 10), "{length} bytes");
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 100, "each call has its answer");
    let items = answers[0]["result"]["items"].as_array().unwrap();
    assert_eq!(items.len() as u64, BALLOTS);
    assert_eq!(code(&answers[99]), (-32005, "answer-too-large"));
    node.serves_honest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_more_is_read_for_a_full_answer_and_submissions_are_answered_still() {
    let node = Node::start(Bounds::default()).await;
    let transaction = node.fixture.ballot(9, BALLOTS + 1);
    let mut calls: Vec<Value> = (0..90)
        .map(|id| one(id, "tabella_getBoard", json!([1])))
        .collect();
    calls.push(one(90, "eth_blockNumber", json!([])));
    let transaction = format!("0x{}", hex::encode(&transaction));
    calls.push(one(91, "eth_sendRawTransaction", json!([transaction])));
    let (_, answers) = node.post(Value::from(calls).to_string()).await;
    let full = (0..90)
        .find(|n| answers[n].get("error").is_some())
        .expect("they do not all fit");
    assert!(full > 0);
    for n in full..=90 {
        assert_eq!(code(&answers[n]), (-32005, "answer-too-large"), "call {n}");
    }
    // This node takes part in no consensus, and says so: the submission has its own answer.
    assert_eq!(code(&answers[91]), (-32003, "unavailable"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_board_of_an_open_election_shows_no_ballot_before_its_close() {
    let node = Node::start(Bounds::default()).await;
    let first = async || {
        let page = node.call("tabella_getBoard", json!([1, 0, 1])).await;
        let item = &page["result"]["items"][0];
        let length = |name: &str| item[name].as_array().unwrap().len();
        (length("ballots"), length("plain"))
    };
    assert_eq!(first().await, (0, 0));
    let close = Payload::CloseElection { election_id: 1 };
    node.fixture.commit(close);
    assert_eq!(first().await, (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_very_many_values_is_refused_before_it_is_read() {
    let node = Node::start(Bounds::default()).await;
    let values = r#"{"a":0},"#.repeat(REQUEST_VALUES_MAX);
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"eth_getLogs","params":[{values}0]}}"#);
    let (_, answer) = node.post(body).await;
    assert_eq!(code(&answer), (-32005, "limit-exceeded"));
    node.serves_honest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_waits_for_blocks_waits_once() {
    let node = Node::start(Bounds::default()).await;
    let started = Instant::now();
    let waiting = batch(20, "tabella_getBlockSummaries", &json!([1_000, 1, 500]));
    let (_, answers) = node.post(waiting).await;
    assert_eq!(answers.as_array().unwrap().len(), 20);
    let waited = started.elapsed();
    assert!(
        waited < Duration::from_secs(5),
        "{waited:?} instead of 10 s"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_costly_reads_is_queued_and_refused_and_cheap_calls_are_answered() {
    const FLOOD: usize = 600;
    let node = Node::start(Bounds::default()).await;
    let reads = &node.context.bounded.reads;
    let mut turns = Vec::new();
    for _ in 0..READS.running_max {
        turns.push(reads.turn(node.address.ip()).await.unwrap());
    }
    let body = batch(20, "tabella_getBoard", &json!([1]));
    let flood = join_all((0..FLOOD).map(|_| node.post(body.clone())));
    let honest = async {
        let deadline = Instant::now() + PATIENCE;
        while reads.refused() < (FLOOD - READS.waiting_max) as u64 {
            assert!(Instant::now() < deadline, "nothing is queued without end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Every turn is taken and the queue is full, and cheap calls have a way of their own.
        for _ in 0..50 {
            node.serves_honest().await;
        }
        // So have those that read little.
        let election = node.call("tabella_getElection", json!([1])).await;
        assert_eq!(election["result"]["election_id"], 1, "{election}");
        turns.clear();
    };
    let (answers, ()) = tokio::join!(flood, honest);
    let busy = answers
        .iter()
        .filter(|(_, answers)| code(&answers[0]) == (-32005, "busy"));
    let busy = busy.count();
    assert_eq!(busy as u64, reads.refused());
    let served = answers
        .iter()
        .filter(|(_, answers)| answers[0]["result"].is_object());
    assert_eq!(served.count(), FLOOD - busy, "all others are served");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_is_verified_once_for_all_who_ask_at_the_same_time() {
    let node = Node::start(Bounds::default()).await;
    let asked = Instant::now();
    let answers = join_all((0..100).map(|_| node.call("tabella_verify", json!([])))).await;
    for answer in &answers {
        assert_eq!(answer["result"], answers[0]["result"]);
    }
    assert_eq!(answers[0]["result"]["blocks"], 4);
    node.call("tabella_verify", json!([])).await;
    // One, and another for each pause that a very slow machine takes.
    let pauses = asked.elapsed().as_secs() / VERIFY_PAUSE.as_secs();
    let runs = node.context.validator.metrics.verifications.get();
    assert!((1..=1 + pauses).contains(&runs), "{runs} runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_slow_heads_and_slow_bodies_do_not_shut_the_port() {
    let bounds = Bounds {
        connections_max: 64,
        head_timeout_ms: 500,
        body_timeout_ms: 500,
        ..Bounds::default()
    };
    let node = Node::start(bounds).await;
    let mut held = Vec::new();
    for n in 0..300 {
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        let sent: &[u8] = match n % 3 {
            0 => b"",
            1 => b"POST / HTTP/1.1\r\nho",
            _ => b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000\r\n\r\n[",
        };
        // It may be cut off already.
        let _ = stream.write_all(sent).await;
        held.push(stream);
    }
    // Whoever only stalls is cut off in time, whatever comes.
    let counts = node
        .until(|counts| counts.evicted + counts.slow_head > 0)
        .await;
    assert!(counts.connections_most <= 64, "{counts:?}");
    let deadline = Instant::now() + PATIENCE;
    let mut served = 0;
    while served < 20 {
        let honest = reqwest::Client::new().post(format!("http://{}/", node.address));
        let honest = honest.body(one(7, "eth_blockNumber", json!([])).to_string());
        served += usize::from(
            honest
                .send()
                .await
                .is_ok_and(|answer| answer.status() == 200),
        );
        assert!(Instant::now() < deadline, "served {served}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_reads_are_given_up() {
    const BOUND: u64 = 64 << 20;
    let bounds = Bounds {
        write_timeout_ms: 2_000,
        answer_bytes_in_all_max: BOUND,
        ..Bounds::default()
    };
    let node = Node::start(bounds).await;
    let body = batch(50, "tabella_getBoard", &json!([1]));
    let request = format!(
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut unread = Vec::new();
    for _ in 0..24 {
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        unread.push(stream);
    }
    let counts = node
        .until(|counts| counts.unread + counts.over_bytes == 24)
        .await;
    assert_eq!(counts.answer_bytes, 0);
    node.serves_honest().await;
    let mut end = Vec::new();
    // What stands in the socket's buffer comes, and then the end.
    let _ = tokio::time::timeout(PATIENCE, unread[0].read_to_end(&mut end))
        .await
        .unwrap();
}
