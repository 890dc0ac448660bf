//! A backend before one validator with a large chain.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use serde_json::{Value, json};
use tabella_cli::{
    http::Client,
    load::{LoadPlan, Submission, Voter, cast_all},
};
use tabella_protocol::ExportLine;

use super::{
    bound,
    honest::{Honest, Kind, ask},
};
use crate::{
    hostile_client::{self, call, raise_file_limit},
    network::{PATIENCE, eventually, ok},
    processes::{Bare, first_start},
};

/// The address of the honest client, as the proxy names it;
pub(super) const OWNER: &str = "198.51.100.9";
/// and where it comes from when it asks the validator, beside strangers from elsewhere.
const OWNER_HERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
/// Voters on a roll that makes the chain large: its export has twice as many bytes as their entries.
const ROLL: usize = 120_000;
/// A block of a roll has more bytes than this, and is exported in several parts.
const LARGE_BLOCK_BYTES: usize = 128 << 10;
/// Ballots on a board.
const BALLOTS: usize = 600;

/// A head that the proxy sent on for `address`.
pub(super) fn head(method: &str, path: &str, address: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-forwarded-for: {address}\r\n"
    )
}

pub(super) fn get(path: &str, address: &str) -> String {
    head("GET", path, address) + "\r\n"
}

pub(super) fn post(path: &str, address: &str, body: &Value) -> String {
    let body = body.to_string();
    let head = head("POST", path, address);
    let length = body.len();
    format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// A backend before one validator with a large chain: election 1 is open, and 2 is closed after all
/// that makes the chain large.
pub(super) struct Scene {
    network: Bare,
    /// The backend's.
    pub(super) port: u16,
    /// The validator's JSON-RPC.
    pub(super) rpc_port: u16,
    token: String,
}

impl Scene {
    pub(super) async fn start() -> Self {
        raise_file_limit();
        let mut network = Bare::new(1, "majority");
        first_start(&network.path("validator-1.toml"));
        bound(&network, "backend", |config| {
            let proxies = toml::Value::Array(vec!["127.0.0.1/32".into()]);
            config.insert("trusted_proxies".into(), proxies);
        });
        bound(&network, "validator-1", |_| {});
        network.start("validator", "validator-1");
        network.start("backend", "backend");
        let token = std::fs::read_to_string(network.path("keys/admin-token")).expect("a token");
        let scene = Self {
            port: network.listen_port("backend"),
            rpc_port: network.listen_port("validator-1"),
            token: token.trim().to_owned(),
            network,
        };
        eventually("the backend is ready", async || {
            let ready = get("/health/ready", OWNER);
            let answer = ask(Ipv4Addr::LOCALHOST, scene.port, &ready).await?;
            answer.contains("\"level\":1").then_some(())
        })
        .await;
        scene.fill().await;
        scene
    }

    async fn fill(&self) {
        let url = format!("http://127.0.0.1:{}", self.port);
        let mut admin = Client::new(&url).expect("a URL").with_token(&self.token);
        let rule = tabella_plugins::get("plurality").expect("a built-in rule");
        let path = "/api/admin/plugins";
        let published = admin.post_bytes(path, "application/wasm", rule.wasm).await;
        ok(published.expect("an answer"));
        let contest = json!({
            "id": "c", "rule": "plurality", "options": [{"id": "a"}, {"id": "b"}],
        });
        for eligibility in ["registrar", "registrar_roll"] {
            let election = json!({
                "title": "A test", "contests": [contest], "eligibility": eligibility,
            });
            let path = "/api/admin/elections";
            ok(admin.post(path, &election).await.expect("an answer"));
        }
        let roll: String = (0..ROLL).map(|n| format!("voter-{n}\n")).collect();
        let path = "/api/admin/elections/2/roll";
        ok(admin
            .post_bytes(path, "text/csv", roll)
            .await
            .expect("an answer"));
        for step in ["1/open", "2/open", "2/close"] {
            let path = format!("/api/admin/elections/{step}");
            ok(admin.post(&path, &json!({})).await.expect("an answer"));
        }
        let submissions = (0..BALLOTS).map(|n| Submission {
            voter: Voter::CastFor {
                voter_id: format!("early-{n}"),
                token: self.token.clone(),
            },
            transaction_id: format!("early-{n}"),
            ballot: json!({"choice": "b"}),
        });
        let plan = LoadPlan {
            backend: url,
            election_id: 1,
            concurrency: 32,
            patience: PATIENCE,
            per_second: None,
        };
        let cast = cast_all(&plan, submissions, |_| {}).await;
        let report = cast.expect("the load runs");
        report.require_all_acknowledged(BALLOTS).expect("all are");
        eventually("election 2 is final", async || {
            let answer = admin.get("/api/elections/2").await.ok()?;
            (answer.json()["status"] == "final").then_some(())
        })
        .await;
    }

    /// An honest client that casts ballots and reads.
    pub(super) async fn honest_voter(&self) -> Honest {
        let token = self.token.clone();
        let next = AtomicUsize::new(0);
        let ballot = move || {
            let voter = next.fetch_add(1, Relaxed);
            let body = json!({
                "election_id": 1, "ballot": {"choice": "a"}, "voter_id": format!("voter-{voter}"),
            });
            let post = post("/api/votes/submit", OWNER, &body);
            post.replacen("\r\n", &format!("\r\nauthorization: Bearer {token}\r\n"), 1)
        };
        let board = || get("/api/elections/1/board", OWNER);
        let kinds = vec![
            Kind {
                name: "a ballot",
                request: Box::new(ballot),
            },
            Kind {
                name: "a board",
                request: Box::new(board),
            },
        ];
        let pid = self.network.processes.id("backend");
        Honest::of(pid, Ipv4Addr::LOCALHOST, self.port, kinds).await
    }

    /// The export of an election is whole, large blocks of it too.
    pub(super) async fn exports_all_of(&self, election: u64) {
        let url = format!("http://127.0.0.1:{}", self.port);
        let mut client = Client::new(&url).expect("a URL");
        let path = format!("/api/elections/{election}/export");
        let answer = client.get(&path).await.expect("an export");
        let text = String::from_utf8_lossy(&answer.body);
        let lines: Vec<ExportLine> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line of an export"))
            .collect();
        let blocks = lines.iter().filter_map(|line| match line {
            ExportLine::Block { block, .. } => Some(block.0.len()),
            _ => None,
        });
        let sizes: Vec<_> = blocks.collect();
        assert!(
            sizes.iter().any(|size| *size > LARGE_BLOCK_BYTES),
            "{sizes:?}"
        );
        let count = sizes.len() as u64;
        assert!(
            matches!(lines.last(), Some(ExportLine::End { blocks }) if *blocks == count),
            "it breaks off after {count} blocks"
        );
    }

    /// An honest client of the validator that reads, and asks how high the chain is.
    pub(super) async fn honest_reader(&self) -> Honest {
        let number = || hostile_client::post(&call("eth_blockNumber", &json!([])));
        let election = || hostile_client::post(&call("tabella_getElection", &json!([1])));
        let kinds = vec![
            Kind {
                name: "the height",
                request: Box::new(number),
            },
            Kind {
                name: "an election",
                request: Box::new(election),
            },
        ];
        let pid = self.network.processes.id("validator-1");
        Honest::of(pid, OWNER_HERE, self.rpc_port, kinds).await
    }

    /// The height of the chain.
    pub(super) async fn height(&self) -> u64 {
        let rpc = self.network.rpc(1);
        self.network
            .until("it answers", &rpc, |_| true)
            .await
            .height
    }
}
