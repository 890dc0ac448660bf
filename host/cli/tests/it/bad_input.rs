//! What must be refused, at every port: each with a clear error and a stable code, nothing recorded,
//! nothing down.

use nix::sys::signal::Signal;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tabella_cli::{
    chain,
    http::{Answer, Client},
};
use tabella_protocol::{
    Hash, Payload, SigningKey, Transaction, TransactionBody, VoterId,
    rpc::{BoardPage, REQUEST_BYTES_MAX},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::network::{Network, PATIENCE, eventually, is_alive, ok, ranked_election};

/// An election that is open, one that is closed, and one ballot on the first.
struct Scene {
    network: Network,
    open: u64,
    closed: u64,
}

impl Scene {
    async fn set() -> Self {
        let network = Network::start(&["--validators", "3"]).await;
        let mut statement = ranked_election();
        statement["disclosure"] = json!("live");
        let open = network.open_election(&statement);
        let closed = network.open_election(&statement);
        network.election(&["close", &closed.to_string()]);
        let scene = Self {
            network,
            open,
            closed,
        };
        let first = scene.submission("first", json!({"ranking": ["a"]}));
        assert_eq!(ok(scene.submit(&first).await)["status"], "confirmed");
        scene
    }

    fn submission(&self, name: &str, ballot: Value) -> Value {
        json!({
            "election_id": self.open,
            "voter_id": format!("voter-{name}"),
            "transaction_id": name,
            "ballot": ballot,
        })
    }

    async fn submit(&self, body: &Value) -> Answer {
        let mut client = self.network.admin();
        client.post("/api/votes/submit", body).await.unwrap()
    }

    /// How many ballots the open election's board holds, on every validator alike.
    async fn board_size(&self) -> usize {
        let mut height = 0;
        for url in self.network.rpc_urls() {
            height = height.max(chain::node_status(&url).await.unwrap().height);
        }
        let mut sizes = Vec::new();
        for url in self.network.rpc_urls() {
            chain::wait_for_height(&url, height, PATIENCE)
                .await
                .unwrap();
            sizes.push(chain::board(&url, self.open).await.unwrap().len());
        }
        assert!(sizes.iter().all(|size| *size == sizes[0]), "{sizes:?}");
        sizes[0]
    }

    /// Everything is up, agrees, and takes ballots.
    async fn check_healthy(&self, name: &str, ballots: usize) {
        for pid in self.network.pids() {
            assert!(is_alive(pid), "process {pid} is down");
        }
        assert_eq!(self.board_size().await, ballots, "ballots recorded");
        let body = self.submission(name, json!({"ranking": ["b"]}));
        assert_eq!(ok(self.submit(&body).await)["status"], "confirmed");
        chain::compare(&self.network.rpc_urls(), 1).await.unwrap();
    }
}

fn with(mut body: Value, member: &str, value: Value) -> Value {
    body[member] = value;
    body
}

fn without(mut body: Value, member: &str) -> Value {
    body.as_object_mut().unwrap().remove(member);
    body
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one line for each bad input")]
async fn rest_refuses_bad_submissions_with_stable_codes() {
    let scene = Scene::set().await;
    let good = scene.submission("table", json!({"ranking": ["a", "b"]}));
    let ballot = |ballot: Value| with(good.clone(), "ballot", ballot);
    let cases = [
        (
            "unknown field",
            with(good.clone(), "colour", json!(1)),
            400,
            "invalid-request",
        ),
        (
            "election as text",
            with(good.clone(), "election_id", json!("1")),
            400,
            "invalid-request",
        ),
        (
            "negative election",
            with(good.clone(), "election_id", json!(-1)),
            400,
            "invalid-request",
        ),
        (
            "no election",
            without(good.clone(), "election_id"),
            400,
            "invalid-request",
        ),
        (
            "no ballot",
            without(good.clone(), "ballot"),
            400,
            "invalid-request",
        ),
        (
            "no voter",
            without(good.clone(), "voter_id"),
            400,
            "invalid-request",
        ),
        (
            "empty voter",
            with(good.clone(), "voter_id", json!("")),
            400,
            "invalid-request",
        ),
        (
            "long voter",
            with(good.clone(), "voter_id", json!("v".repeat(300))),
            400,
            "invalid-request",
        ),
        (
            "bad base64",
            with(
                without(good.clone(), "ballot"),
                "encrypted_vote",
                json!("!"),
            ),
            400,
            "invalid-request",
        ),
        (
            "both ballots",
            with(good.clone(), "encrypted_vote", json!("AA==")),
            400,
            "invalid-request",
        ),
        (
            "spaces in the id",
            with(good.clone(), "transaction_id", json!("a b")),
            400,
            "invalid-request",
        ),
        ("an array", json!([good.clone()]), 400, "invalid-request"),
        (
            "unknown election",
            with(good.clone(), "election_id", json!(999)),
            404,
            "unknown-election",
        ),
        (
            "closed election",
            with(good.clone(), "election_id", json!(scene.closed)),
            409,
            "election-closed",
        ),
        (
            "ballot of another kind",
            ballot(json!({"choice": "a"})),
            422,
            "ballot-malformed",
        ),
        (
            "ballot that is no object",
            ballot(json!("a")),
            422,
            "ballot-malformed",
        ),
        (
            "unknown option",
            ballot(json!({"ranking": ["z"]})),
            422,
            "ballot-malformed",
        ),
        (
            "option twice at a rank",
            ballot(json!({"ranking": [["a", "a"]]})),
            422,
            "ballot-malformed",
        ),
        (
            "the same voter again",
            with(good.clone(), "voter_id", json!("voter-first")),
            409,
            "already-voted",
        ),
        (
            "a used id for another ballot",
            with(
                with(good.clone(), "voter_id", json!("voter-first")),
                "transaction_id",
                json!("first"),
            ),
            409,
            "transaction-id-reused",
        ),
    ];
    let mut wrong = Vec::new();
    for (name, body, status, code) in cases {
        let answer = scene.submit(&body).await;
        let problem = answer.json();
        let sentence = problem["detail"].as_str().unwrap_or_default();
        if answer.status != status || problem["code"] != code || sentence.is_empty() {
            wrong.push(format!("{name}: status {} {problem}", answer.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // The same id and ballot again: the same answer, recorded once.
    let first = scene.submission("first", json!({"ranking": ["a"]}));
    let again = scene.submit(&first).await;
    assert_eq!(again.status, 200, "{}", again.excerpt());
    assert_eq!(again.json()["status"], "confirmed");

    let mut client = scene.network.anonymous();
    let answer = client.post("/api/votes/submit", &good).await.unwrap();
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (401, &json!("token-missing"))
    );
    client.set_token("eyJhbGciOiJub25lIn0.e30.");
    let answer = client.post("/api/votes/submit", &good).await.unwrap();
    assert_eq!(answer.status, 401, "{}", answer.excerpt());
    client.set_token(&scene.network.voter_token("somebody").await);
    let answer = client.post("/api/votes/submit", &good).await.unwrap();
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (403, &json!("cast-for-required"))
    );

    let mut client = scene.network.admin();
    let mut raw = async |body: Vec<u8>| {
        let answer = client
            .post_bytes("/api/votes/submit", "application/json", body)
            .await;
        let answer = answer.unwrap();
        (
            answer.status,
            answer.json()["code"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    };
    let whole = good.to_string().into_bytes();
    let malformed = (400, "malformed-json".to_owned());
    assert_eq!(raw(whole[..whole.len() / 2].to_vec()).await, malformed);
    assert_eq!(raw(vec![0xff; 100]).await, malformed);
    let nested = [&b"{\"ballot\": "[..], &b"[".repeat(50_000)].concat();
    assert_eq!(raw(nested).await, malformed);
    let good = good.to_string();
    for (once, twice) in [
        (r#"{"ranking":"#, r#"{"ranking":["b"],"ranking":"#),
        (r#""election_id":"#, r#""election_id":1,"election_id":"#),
    ] {
        let repeated = good.replacen(once, twice, 1);
        assert_ne!(repeated, good);
        let refused = (400, "invalid-request".to_owned());
        assert_eq!(raw(repeated.into_bytes()).await, refused, "{twice}");
    }
    let oversized = vec![b' '; tabella_backend::BODY_BYTES_MAX + 1];
    assert_eq!(raw(oversized).await, (413, "body-too-large".to_owned()));

    scene.check_healthy("after-rest", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one line for each bad transaction")]
async fn json_rpc_refuses_bad_transactions_with_stable_codes() {
    let scene = Scene::set().await;
    let url = scene.network.rpc_urls()[0].clone();
    let mut client = Client::new(&url).unwrap();
    // The vote is confirmed; this validator may be one block behind.
    let page = eventually("the vote is on the board", async || {
        let params = json!([scene.open, 0, 1]);
        let page: BoardPage = tabella_cli::json_rpc::call(&mut client, "tabella_getBoard", params)
            .await
            .ok()?;
        (!page.items.is_empty()).then_some(page)
    })
    .await;
    let voted = page.items[0].entry.voter;
    let ballots: Vec<Vec<u8>> = page.items[0]
        .ballots
        .iter()
        .map(|ballot| ballot.0.clone())
        .collect();
    let genesis = scene.network.genesis();
    let registrar = key(&scene.network, "registrar.key");
    let height = chain::node_status(&url).await.unwrap().height;

    let fresh = VoterId([9; 32]);
    let cast = |election_id, voter| Payload::CastBallot {
        election_id,
        voter,
        ballots: ballots.clone(),
    };
    let signed = |chain_id: u64, expiry: u64, payload: Payload, key: &SigningKey| {
        Transaction::sign(TransactionBody::new(chain_id, expiry, payload), key)
    };
    let (chain_id, expiry) = (genesis.chain_id, height + 10_000);
    let mut bad_signature = signed(chain_id, expiry, cast(scene.open, fresh), &registrar);
    bad_signature.signature.0[5] ^= 1;
    let too_far = height + genesis.expiry_heights_max + 1_000;
    let refused_ballot = Payload::CastBallot {
        election_id: scene.open,
        voter: fresh,
        ballots: vec![vec![0xff; 40]],
    };
    let stranger = SigningKey::generate();
    let close = Payload::CloseElection {
        election_id: scene.open,
    };
    let cases = [
        (
            "another chain",
            signed(chain_id + 1, expiry, cast(scene.open, fresh), &registrar),
            "other-chain",
        ),
        ("bad signature", bad_signature, "bad-signature"),
        (
            "expired",
            signed(chain_id, 1, cast(scene.open, fresh), &registrar),
            "expired",
        ),
        (
            "expires too late",
            signed(chain_id, too_far, cast(scene.open, fresh), &registrar),
            "expiry-too-far",
        ),
        (
            "unknown election",
            signed(chain_id, expiry, cast(999, fresh), &registrar),
            "unknown-election",
        ),
        (
            "closed election",
            signed(chain_id, expiry, cast(scene.closed, fresh), &registrar),
            "election-closed",
        ),
        (
            "the same voter",
            signed(chain_id, expiry, cast(scene.open, voted), &registrar),
            "already-voted",
        ),
        (
            "refused ballot",
            signed(chain_id, expiry, refused_ballot, &registrar),
            "ballot-refused",
        ),
        (
            "not the registrar",
            signed(chain_id, expiry, cast(scene.open, fresh), &stranger),
            "not-authorised",
        ),
        (
            "not an authority",
            signed(chain_id, expiry, close, &registrar),
            "not-authorised",
        ),
    ];
    let mut wrong = Vec::new();
    for (name, transaction, code) in cases {
        let answer = send(&mut client, &hex(&transaction.to_bytes())).await;
        let error = &answer["error"];
        if error["code"] != -32003 || error["data"]["code"] != code {
            wrong.push(format!("{name}: {answer}"));
        }
    }
    let good = signed(chain_id, expiry, cast(scene.open, fresh), &registrar);
    let bytes = good.to_bytes();
    for (name, data) in [
        ("truncated", hex(&bytes[..bytes.len() - 1])),
        ("a byte more", hex(&[&bytes[..], &[0]].concat())),
        ("another version", hex(&[&[9], &bytes[1..]].concat())),
        ("not hex", "0xzz".to_owned()),
        ("odd hex", "0x123".to_owned()),
        ("empty", "0x".to_owned()),
    ] {
        let answer = send(&mut client, &data).await;
        let code = answer["error"]["code"].as_i64();
        if !matches!(code, Some(-32003 | -32602 | -32004)) {
            wrong.push(format!("{name}: {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let calls = [
        (
            json!({"jsonrpc": "2.0", "id": 1, "method": "no_such"}),
            -32601,
        ),
        (
            json!({"jsonrpc": "1.0", "id": 1, "method": "eth_chainId"}),
            -32600,
        ),
        (
            json!({"jsonrpc": "2.0", "id": {}, "method": "eth_chainId"}),
            -32600,
        ),
        (json!({"jsonrpc": "2.0", "id": 1, "method": 5}), -32600),
        (
            json!({"jsonrpc": "2.0", "id": 1, "method": "tabella_getElection", "params": ["x"]}),
            -32602,
        ),
        (
            json!({"jsonrpc": "2.0", "id": 1, "method": "tabella_getBoard", "params": {}}),
            -32602,
        ),
        (json!([]), -32600),
        (json!("text"), -32600),
    ];
    for (call, code) in calls {
        let answer = client.post("/", &call).await.unwrap().json();
        let error = answer.get("error").or(answer.pointer("/0/error"));
        assert_eq!(
            error.map(|e| &e["code"]),
            Some(&json!(code)),
            "{call}: {answer}"
        );
    }
    let mut raw = async |body: Vec<u8>| {
        let answer = client
            .post_bytes("/", "application/json", body)
            .await
            .unwrap();
        (answer.status, answer.json()["error"]["code"].as_i64())
    };
    assert_eq!(
        raw(b"{\"jsonrpc\": \"2.0\", ".to_vec()).await,
        (200, Some(-32700))
    );
    assert_eq!(raw(vec![0xfe; 64]).await, (200, Some(-32700)));
    assert_eq!(raw(vec![b' '; REQUEST_BYTES_MAX + 1]).await.0, 413);

    // The good one, twice and at another validator: one id, one ballot.
    let mut other = Client::new(&scene.network.rpc_urls()[2]).unwrap();
    let id = json!(Hash::of(&bytes));
    assert_eq!(send(&mut client, &hex(&bytes)).await["result"], id);
    assert_eq!(send(&mut client, &hex(&bytes)).await["result"], id);
    assert_eq!(send(&mut other, &hex(&bytes)).await["result"], id);
    crate::network::eventually("the ballot is confirmed", async || {
        let receipt = call(&mut client, "eth_getTransactionReceipt", json!([id])).await;
        (receipt["result"]["status"] == "0x1").then_some(())
    })
    .await;
    scene.check_healthy("after-rpc", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_at_every_port_takes_nothing_down() {
    let scene = Scene::set().await;
    let ready = &scene.network.ready;
    let mut addresses = vec![ready.backend.clone(), ready.bootnode.url.clone()];
    for validator in &ready.validators {
        addresses.extend([validator.rpc_url.clone(), validator.p2p_url.clone()]);
    }
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for url in &addresses {
        let address = url.trim_start_matches("http://");
        for _ in 0..25 {
            let mut noise = vec![0; random.random_range(1..20_000)];
            random.fill_bytes(&mut noise);
            if random.random_bool(0.5) {
                let start = b"POST / HTTP/1.1\r\ncontent-length: 9999\r\n\r\n";
                noise.splice(..0, start.iter().copied());
            }
            throw(address, &noise).await;
        }
    }
    let mut bootnode = Client::new(&ready.bootnode.url).unwrap();
    let records = bootnode.get("/peers").await.unwrap().json();
    let forged = match records.as_array().and_then(|records| records.first()) {
        Some(record) => with(record.clone(), "rpc_url", json!("http://evil.example:1")),
        None => panic!("no validator is listed: {records}"),
    };
    for body in [forged, json!({}), json!([1]), json!({"node_id": 5})] {
        let answer = bootnode.post("/peers", &body).await.unwrap();
        assert!((400..500).contains(&answer.status), "{}", answer.excerpt());
    }
    assert_eq!(
        bootnode
            .get("/peers")
            .await
            .unwrap()
            .json()
            .as_array()
            .map(Vec::len),
        Some(3)
    );
    scene.check_healthy("after-noise", 1).await;

    // A frozen process is no different from a slow one once it goes on.
    let frozen = ready.validators[2].pid;
    crate::network::signal(frozen, Signal::SIGSTOP);
    let body = scene.submission("while-frozen", json!({"ranking": ["c"]}));
    let answer = scene.submit(&body).await;
    crate::network::signal(frozen, Signal::SIGCONT);
    assert!(answer.is_success(), "{}", answer.excerpt());
    scene.check_healthy("after-freeze", 3).await;
}

/// Sends bytes and hangs up, whatever the other side does with them.
async fn throw(address: &str, noise: &[u8]) {
    let Ok(mut stream) = TcpStream::connect(address).await else {
        panic!("{address} no longer accepts connections");
    };
    let _ = stream.write_all(noise).await;
    let mut answer = [0; 64];
    let reading = stream.read(&mut answer);
    let _ = tokio::time::timeout(std::time::Duration::from_millis(5), reading).await;
}

async fn send(client: &mut Client, data: &str) -> Value {
    call(client, "eth_sendTransaction", json!([{"data": data}])).await
}

async fn call(client: &mut Client, method: &str, params: Value) -> Value {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    client.post("/", &request).await.unwrap().json()
}

fn key(network: &Network, name: &str) -> SigningKey {
    let line = std::fs::read_to_string(network.data().join("keys").join(name)).unwrap();
    SigningKey::from_seed(line.trim().parse::<Hash>().unwrap().0)
}

fn hex(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}
