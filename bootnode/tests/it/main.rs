//! The bootnode over real HTTP.

mod adversary;

use expect_test::{Expect, expect};
use tabella_bootnode::Bounds;
use tabella_protocol::{
    Genesis, Hash, PeerRecord, PluginLimits, Quorum, Signature, SigningKey, ValidatorInfo,
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed([n; 32])
}

fn genesis() -> Genesis {
    Genesis {
        version: Genesis::VERSION,
        chain_id: 77,
        network: "test".into(),
        timestamp_ms: 0,
        quorum: Quorum::Majority,
        validators: (1..=3)
            .map(|n| ValidatorInfo {
                node_id: format!("validator-{n}"),
                public_key: key(n).public(),
            })
            .collect(),
        authorities: vec![key(9).public()],
        plugin_limits: PluginLimits::default(),
        block_bytes_max: 1 << 20,
        expiry_heights_max: 1_000,
    }
}

fn record(n: u8, sequence: u64) -> PeerRecord {
    PeerRecord {
        genesis: genesis().hash(),
        node_id: format!("validator-{n}"),
        public_key: key(n).public(),
        p2p_address: format!("127.0.0.1:{}", 30302 + u16::from(n)),
        rpc_url: format!("http://127.0.0.1:{}", 8000 + u16::from(n)),
        sequence,
        expires_at_ms: tabella_clock::now_ms() + 60_000,
        signature: Signature([0; 64]),
    }
    .sign(&key(n))
}

struct Server {
    url: String,
    http: reqwest::Client,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), tabella_bootnode::BootnodeError>>,
}

impl Server {
    async fn start() -> Self {
        Self::within(Bounds::default()).await
    }

    async fn within(bounds: Bounds) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        let serving = tabella_bootnode::serve(genesis(), listener, bounds, stopped);
        let task = tokio::spawn(serving);
        let http = reqwest::Client::new();
        Self {
            url,
            http,
            stop,
            task,
        }
    }

    async fn post(&self, body: impl Into<reqwest::Body>) -> (u16, String) {
        let request = self.http.post(format!("{}/peers", self.url)).body(body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn post_record(&self, record: &PeerRecord) -> u16 {
        self.post(serde_json::to_string(record).unwrap()).await.0
    }

    async fn get(&self, path: &str) -> String {
        let request = self.http.get(format!("{}{path}", self.url));
        request.send().await.unwrap().text().await.unwrap()
    }

    async fn peers(&self) -> Vec<PeerRecord> {
        serde_json::from_str(&self.get("/peers").await).unwrap()
    }
}

/// Posts `body` and compares status, code and detail with `expected`; nothing may be stored.
async fn check_refused(body: impl Into<reqwest::Body>, expected: Expect) {
    let server = Server::start().await;
    let (status, text) = server.post(body).await;
    let problem: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(problem["status"], status);
    let got = format!(
        "{status} {}: {}",
        problem["code"].as_str().unwrap(),
        problem["detail"].as_str().unwrap()
    );
    expected.assert_eq(&got);
    assert_eq!(server.peers().await, []);
}

fn json(record: &PeerRecord) -> String {
    serde_json::to_string(record).unwrap()
}

#[tokio::test]
async fn records_are_listed_and_replaced_by_newer_ones() {
    let server = Server::start().await;
    let (first, second, newer) = (record(2, 5), record(1, 7), record(2, 6));
    assert_eq!(server.post_record(&first).await, 201);
    assert_eq!(server.post_record(&second).await, 201);
    assert_eq!(server.peers().await, [second.clone(), first.clone()]);
    assert_eq!(server.post_record(&first).await, 200, "the same again");
    assert_eq!(server.post_record(&newer).await, 200);
    assert_eq!(server.peers().await, [second.clone(), newer.clone()]);
    assert_eq!(server.post_record(&first).await, 409);
    assert_eq!(server.peers().await, [second, newer]);
}

#[tokio::test]
async fn the_same_sequence_with_other_content_is_stale() {
    let server = Server::start().await;
    server.post_record(&record(1, 5)).await;
    let mut other = record(1, 5);
    other.rpc_url = "http://127.0.0.1:9".into();
    let (status, text) = server.post(json(&other.sign(&key(1)))).await;
    assert_eq!(status, 409);
    expect![[
        r#"{"title":"Conflict","status":409,"code":"stale","detail":"expected a sequence above 5, got 5"}"#
    ]]
    .assert_eq(&text);
}

#[tokio::test]
async fn a_forged_record_is_refused() {
    let mut forged = record(1, 1);
    forged.rpc_url = "http://127.0.0.1:6666".into();
    check_refused(
        json(&forged),
        expect![["403 bad-signature: the record of validator-1 is not signed by its key"]],
    )
    .await;
}

#[tokio::test]
async fn a_stranger_is_refused() {
    let mut stranger = record(1, 1);
    stranger.public_key = key(8).public();
    check_refused(
        json(&stranger.sign(&key(8))),
        expect![["403 unknown-validator: 0x1398f62c6d1a457c51ba6a4b5f3dbd2f69fca93216218dc8997e416bd17d93ca is not a validator of this network"]],
    )
    .await;
}

#[tokio::test]
async fn a_record_for_another_network_is_refused() {
    let mut other = record(1, 1);
    other.genesis = Hash::ZERO;
    let server = Server::start().await;
    let (status, text) = server.post(json(&other.sign(&key(1)))).await;
    assert_eq!(status, 400);
    assert!(text.contains(r#""code":"other-network""#), "{text}");
}

#[tokio::test]
async fn an_expired_record_is_refused() {
    let mut expired = record(1, 1);
    expired.expires_at_ms = 1;
    let server = Server::start().await;
    let (status, text) = server.post(json(&expired.sign(&key(1)))).await;
    assert_eq!(status, 400);
    assert!(text.contains(r#""code":"expired""#), "{text}");
}

#[tokio::test]
async fn an_address_that_is_none_is_refused() {
    let mut bad = record(1, 1);
    bad.p2p_address = "nowhere".into();
    check_refused(
        json(&bad.sign(&key(1))),
        expect![[r#"400 bad-address: expected a p2p address host:port, got "nowhere""#]],
    )
    .await;
}

#[tokio::test]
async fn bytes_that_are_no_record_are_refused() {
    check_refused(
        vec![0xff, 0x00],
        expect![["400 malformed-record: expected a peer record as JSON: expected value at line 1 column 1"]],
    )
    .await;
    check_refused(
        json(&record(1, 1)).replace(r#""sequence""#, r#""extra":1,"sequence""#),
        expect![["400 malformed-record: expected a peer record as JSON: unknown field `extra`, expected one of `genesis`, `node_id`, `public_key`, `p2p_address`, `rpc_url`, `sequence`, `expires_at_ms`, `signature` at line 1 column 259"]],
    )
    .await;
    check_refused(
        vec![b' '; tabella_bootnode::RECORD_BYTES_MAX + 1],
        expect![["413 body-too-large: expected a peer record of at most 4096 bytes"]],
    )
    .await;
}

#[tokio::test]
async fn health_metrics_and_unknown_paths_answer() {
    let server = Server::start().await;
    server.post_record(&record(1, 1)).await;
    server.post("{}").await;
    expect![[r#"{"status":"live"}"#]].assert_eq(&server.get("/health/live").await);
    let metrics = server.get("/metrics").await;
    assert!(metrics.contains("tabella_bootnode_peers 1\n"), "{metrics}");
    assert!(metrics.contains("{outcome=\"refused\"} 1\n"), "{metrics}");
    expect![[
        r#"{"title":"Not Found","status":404,"code":"not-found","detail":"expected /peers, /health/live or /metrics"}"#
    ]]
    .assert_eq(&server.get("/elsewhere").await);
    let put = server.http.put(format!("{}/peers", server.url));
    assert_eq!(put.send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn it_stops_when_asked_to() {
    let server = Server::start().await;
    server.get("/health/live").await;
    server.stop.send(()).unwrap();
    server.task.await.unwrap().unwrap();
}
