//! Those who make others wait, or wait themselves and hold much meanwhile.

use std::{net::IpAddr, sync::atomic::AtomicBool, sync::atomic::Ordering::Relaxed};

use super::*;
use crate::rpc::{
    cost::{REQUEST_DEPTH_MAX, check_values},
    readers::Asker,
};

/// Requests that wait for a block with all the values that a request may have.
const WAITING: usize = 64;
/// Bytes by which this process may grow meanwhile: all texts, and the values of those that are being read.
/// As values, what waits would take 550 MB.
const GROWTH_MAX: u64 = 128 << 20;
/// Who floods, and who does not. Addresses of this machine would not be bounded.
const FLOODER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const HONEST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
/// Turns of an honest reader in a row.
const HONEST_READS: usize = 10;

/// Objects within objects, as deep as a request may have them and as many as fit.
fn as_many_values_as_fit() -> String {
    let nested = REQUEST_DEPTH_MAX - 3;
    let object = format!("{}0{}", r#"{"":"#.repeat(nested), "}".repeat(nested));
    let waits = one(1, "tabella_getBlockSummaries", json!([1_000, 1, 20_000]));
    let body = |count: usize| {
        let objects = vec![object.as_str(); count].join(",");
        let holds =
            format!(r#"{{"jsonrpc":"2.0","id":2,"method":"eth_getLogs","params":[{objects}]}}"#);
        format!("[{waits},{holds}]")
    };
    let fitting = (0..=REQUEST_VALUES_MAX / (nested + 1)).rev().map(body);
    let mut fitting = fitting.filter(|body| check_values(body.as_bytes()).is_ok());
    fitting.next().expect("an empty list fits")
}

/// Resident bytes of this process: now, or the most so far.
fn resident(which: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(which))
        .unwrap();
    let kib = line
        .trim_start_matches(':')
        .trim()
        .split(' ')
        .next()
        .unwrap();
    kib.parse::<u64>().unwrap() * 1_024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_wait_hold_no_values() {
    let node = Node::start(Bounds::default()).await;
    node.serves_honest().await;
    let body = as_many_values_as_fit();
    let before = resident("VmRSS");
    let url = format!("http://{}/", node.address);
    let waiting: Vec<_> = (0..WAITING)
        .map(|_| tokio::spawn(node.http.post(&url).body(body.clone()).send()))
        .collect();
    let deadline = Instant::now() + PATIENCE;
    while node.context.bounded.long_polls.taken() < WAITING {
        assert!(Instant::now() < deadline, "they wait");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let grown = resident("VmHWM").saturating_sub(before);
    assert!(grown < GROWTH_MAX, "grew by {grown} bytes");
    node.serves_honest().await;
    waiting.iter().for_each(JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_very_deep_values_is_refused_before_it_is_read() {
    let node = Node::start(Bounds::default()).await;
    let deep = format!(
        "{}{}",
        "[".repeat(REQUEST_DEPTH_MAX),
        "]".repeat(REQUEST_DEPTH_MAX)
    );
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"eth_getLogs","params":{deep}}}"#);
    let (_, answer) = node.post(body).await;
    assert_eq!(code(&answer), (-32005, "limit-exceeded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_reader_is_answered_while_another_address_floods_costly_reads() {
    let node = Node::start_with(Bounds::default(), Bounded::new(&Trusted::default())).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let costly: Vec<Value> = (0..100)
        .map(|id| one(id, "tabella_getBoard", json!([1])))
        .collect();
    // As many as may run and wait, and each comes again at once.
    let flood: Vec<_> = (0..READS.running_max + READS.waiting_per_address_max)
        .map(|_| {
            let (context, is_over, costly) =
                (node.context.clone(), is_over.clone(), costly.clone());
            tokio::spawn(async move {
                while !is_over.load(Relaxed) {
                    let calls = methods::read_calls(costly.clone());
                    methods::call_all(&context, FLOODER, Asker::default(), calls)
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    let reads = &node.context.bounded.reads;
    let deadline = Instant::now() + PATIENCE;
    while reads.waiting() < READS.waiting_per_address_max / 2 {
        assert!(Instant::now() < deadline, "the flood fills the queue");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for n in 0..HONEST_READS {
        let call = one(n, "tabella_getBlockSummaries", json!([1, 10, 0]));
        let calls = methods::read_calls(vec![call]);
        let answers = methods::call_all(&node.context, HONEST, Asker::default(), calls)
            .await
            .unwrap();
        let answer: Value = serde_json::from_slice(&answers[0]).unwrap();
        let blocks = answer["result"].as_array().expect("it is answered");
        assert!(!blocks.is_empty());
    }
    assert!(reads.waiting() > 0, "the flood goes on");
    is_over.store(true, Relaxed);
    for task in flood {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_ends_in_the_middle_of_a_batch_and_all_else_of_it_is_answered() {
    let mut bounded = Bounded::new(&Trusted::default());
    bounded.turn_max = Duration::ZERO;
    let node = Node::start_with(Bounds::default(), bounded).await;
    let transaction = format!("0x{}", hex::encode(node.fixture.ballot(9, BALLOTS + 1)));
    let calls = [
        one(0, "tabella_getBlockSummaries", json!([1, 256])),
        one(1, "tabella_getBlock", json!([1])),
        one(2, "eth_blockNumber", json!([])),
        one(3, "eth_sendRawTransaction", json!([transaction])),
    ];
    let (_, answers) = node.post(Value::from_iter(calls).to_string()).await;
    let blocks = answers[0]["result"].as_array().unwrap();
    assert_eq!(blocks.len(), 1, "a page ends where the turn does");
    assert_eq!(code(&answers[1]), (-32005, "busy"));
    assert_eq!(answers[2]["result"], "0x4");
    assert_eq!(
        code(&answers[3]),
        (-32003, "unavailable"),
        "it has its own answer"
    );
}
