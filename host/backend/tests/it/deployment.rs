//! A backend in this process, over real HTTP, before fake validators with the real rules.

use std::{os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tabella_backend::{Backend, BackendError, Bounds, Config, RateLimits, Registration};
use tabella_protocol::{
    ContestSpec, Disclosure, ElectionSpec, Eligibility, Genesis, Hash, OpenBallots, OpenTo,
    OptionSpec, Payload, Quorum, Revote, RollChanges, RollEntry, Transaction, TransactionBody,
    VoterId,
};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::fake::{AUTHORITY, Mood, Network, Node, REGISTRAR, genesis, key};

pub(crate) const ADMIN_TOKEN: &str = "the administrator's token, for tests";

pub(crate) struct Deployment {
    pub(crate) network: Arc<Network>,
    pub(crate) nodes: Vec<Node>,
    directory: TempDir,
    pub(crate) config: Config,
}

fn secret(path: &Path, line: &str) {
    std::fs::write(path, line).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn plurality() -> &'static [u8] {
    tabella_plugins::get("plurality").unwrap().wasm
}

pub(crate) fn spec(revote: Revote, eligibility: Eligibility) -> ElectionSpec {
    let options = ["a", "b"].map(|id| OptionSpec {
        id: id.into(),
        title: id.to_uppercase(),
    });
    ElectionSpec {
        title: "Mayor".into(),
        contests: vec![ContestSpec {
            id: "mayor".into(),
            title: "Mayor".into(),
            plugin: Hash::of(plurality()),
            options: options.into(),
            params: "{}".into(),
        }],
        eligibility,
        revote,
        disclosure: Disclosure::AtClose,
    }
}

pub(crate) fn registrar() -> Eligibility {
    Eligibility::Registrar {
        registrar: key(REGISTRAR).public(),
        open_to: OpenTo::Named,
    }
}

pub(crate) fn registrar_roll() -> Eligibility {
    Eligibility::RegistrarRoll {
        registrar: key(REGISTRAR).public(),
        roll: RollChanges::Fixed,
    }
}

pub(crate) fn open_to_accounts() -> Eligibility {
    Eligibility::Registrar {
        registrar: key(REGISTRAR).public(),
        open_to: OpenTo::Accounts,
    }
}

pub(crate) fn credentials() -> Eligibility {
    Eligibility::Credentials {
        roll: RollChanges::Grows,
    }
}

/// Blocks that a network has before anybody votes.
pub(crate) const FIRST_BLOCKS: u64 = 4;

pub(crate) fn by_authority(payload: Payload) -> Transaction {
    Transaction::sign(TransactionBody::new(77, 1_000, payload), &key(AUTHORITY))
}

impl Deployment {
    /// Three validators with an open election 1, which refuses a second ballot, and a closed 2.
    pub(crate) async fn new() -> Self {
        Self::with(3).await
    }

    /// As [`new`](Self::new), with another number of validators: from four on, a quorum is more than
    /// two thirds.
    pub(crate) async fn with(validators: u8) -> Self {
        let mut genesis = genesis(validators);
        if validators > 3 {
            genesis.quorum = Quorum::Bft;
        }
        Self::of(genesis).await
    }

    /// As [`new`](Self::new), with ballots that expire after so many heights: at least 500.
    pub(crate) async fn with_expiry(heights: u64) -> Self {
        let expiry_heights_max = heights * 2;
        Self::of(Genesis {
            expiry_heights_max,
            ..genesis(3)
        })
        .await
    }

    /// As [`new`](Self::new), with blocks of at most so many bytes.
    pub(crate) async fn with_blocks(block_bytes_max: u32) -> Self {
        Self::of(Genesis {
            block_bytes_max,
            ..genesis(3)
        })
        .await
    }

    async fn of(genesis: Genesis) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let network = Network::real(genesis, cache.path());
        network.commit(vec![by_authority(Payload::PublishPlugin {
            wasm: plurality().to_vec(),
        })]);
        let specs = [
            spec(Revote::Refuse, registrar()),
            spec(Revote::Refuse, registrar()),
            spec(Revote::Last, registrar()),
            spec(Revote::Refuse, credentials()),
        ];
        network.commit(
            specs
                .map(|spec| by_authority(Payload::CreateElection(spec)))
                .into(),
        );
        let opened = [1, 2, 4].map(|id| by_authority(Payload::OpenElection { election_id: id }));
        network.commit(opened.into());
        network.commit(vec![by_authority(Payload::CloseElection {
            election_id: 2,
        })]);
        Self::before(network).await
    }

    /// Another backend, with the same keys and secrets but another database, that reaches the same
    /// network by its own ways.
    pub(crate) async fn another(&self) -> Self {
        Self::before(self.network.clone()).await
    }

    async fn before(network: Arc<Network>) -> Self {
        let mut nodes = Vec::new();
        for index in 0..network.keys.len() {
            nodes.push(Node::start(&network, index, Mood::Honest).await);
        }
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        std::fs::write(file("genesis.json"), network.genesis.to_json()).unwrap();
        let seed = |n: u8| Hash(key(n).to_seed()).to_string();
        secret(&file("registrar.key"), &seed(REGISTRAR));
        secret(&file("authority.key"), &seed(AUTHORITY));
        secret(&file("admin-token"), ADMIN_TOKEN);
        secret(&file("master-secret"), &"m".repeat(64));
        let config = Config {
            genesis: file("genesis.json"),
            registrar_key: file("registrar.key"),
            authority_key: Some(file("authority.key")),
            admin_token_file: file("admin-token"),
            master_secret_file: file("master-secret"),
            data: file("data"),
            database: None,
            listen: "127.0.0.1:0".parse().unwrap(),
            validators: nodes.iter().map(Node::endpoint).collect(),
            bootnodes: vec![],
            confirmation_wait_ms: 2_000,
            health_period_ms: 50,
            registration: Registration::Open,
            open_ballots: OpenBallots::Anyone,
            access_token_s: 3_600,
            refresh_token_s: 86_400,
            cors_origins: vec![],
            trusted_proxies: vec![],
            rate_limits: RateLimits::default(),
            http: Bounds::default(),
            streams_max: Config::STREAMS_MAX,
            streams_per_address_max: Config::STREAMS_PER_ADDRESS_MAX,
            event_subscribers_max: Config::EVENT_SUBSCRIBERS_MAX,
            event_subscribers_per_address_max: Config::EVENT_SUBSCRIBERS_PER_ADDRESS_MAX,
            event_session_s: Config::EVENT_SESSION_S,
        };
        Self {
            network,
            nodes,
            directory,
            config,
        }
    }

    /// Creates election 5, which is not open.
    pub(crate) async fn create_election(&self, eligibility: Eligibility) {
        let spec = spec(Revote::Refuse, eligibility);
        self.network
            .commit(vec![by_authority(Payload::CreateElection(spec))]);
    }

    /// Puts voters on the roll of an election as they are.
    pub(crate) fn extend_roll(&self, election_id: u64, entries: Vec<RollEntry>) {
        let payload = Payload::ExtendRoll {
            election_id,
            entries,
        };
        self.network.commit(vec![by_authority(payload)]);
    }

    /// Opens an election; election 3 lets voters vote again.
    pub(crate) fn open_election(&self, election_id: u64) {
        let open = Payload::OpenElection { election_id };
        self.network.commit(vec![by_authority(open)]);
    }

    /// Closes an election.
    pub(crate) fn close(&self, election_id: u64) {
        let close = Payload::CloseElection { election_id };
        self.network.commit(vec![by_authority(close)]);
    }

    /// Commits a block of about so many bytes: a part of the roll of an election of its own.
    pub(crate) fn commit_filling(&self, n: u64, bytes: usize) {
        let created = by_authority(Payload::CreateElection(spec(
            Revote::Refuse,
            registrar_roll(),
        )));
        self.network.commit(vec![created]);
        let election_id = self.network.elections.lock().unwrap().len() as u64;
        let entries = (0..bytes as u64 / 36).map(|place| {
            let mut voter = [0; 32];
            voter[..8].copy_from_slice(&n.to_be_bytes());
            voter[8..16].copy_from_slice(&place.to_be_bytes());
            let (voter, weight) = (VoterId(voter), 1);
            RollEntry { voter, weight }
        });
        self.extend_roll(election_id, entries.collect());
    }

    /// The rule of every election.
    pub(crate) fn plugin(&self) -> Hash {
        Hash::of(plurality())
    }

    /// The ballots on the chain, in order.
    pub(crate) fn ballots(&self) -> Vec<Vec<Vec<u8>>> {
        let chain = self.network.chain();
        let transactions = chain.blocks.iter().flat_map(|block| &block.transactions);
        let ballots = transactions.filter_map(|bytes| {
            match Transaction::from_bytes(bytes).unwrap().body.payload {
                Payload::CastBallot { ballots, .. } => Some(ballots),
                _ => None,
            }
        });
        ballots.collect()
    }

    pub(crate) async fn kill_validators(&self) {
        for node in &self.nodes {
            node.kill().await;
        }
    }

    pub(crate) async fn restart_validators(&self) {
        for node in &self.nodes {
            node.restart().await;
        }
    }

    /// Restarts all but the one with this number, from 0.
    pub(crate) async fn restart_validators_but(&self, running: usize) {
        for (number, node) in self.nodes.iter().enumerate() {
            if number != running {
                node.restart().await;
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Why a backend does not start.
    pub(crate) async fn refused(&self) -> String {
        let refused = Backend::bind(self.config.clone()).await.err();
        refused.expect("a refusal").to_string()
    }

    pub(crate) async fn start(&self) -> Running {
        let backend = Backend::bind(self.config.clone()).await.unwrap();
        let url = format!("http://{}", backend.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(backend.serve(async {
            let _ = stopped.await;
        }));
        Running {
            url,
            http: reqwest::Client::new(),
            stop,
            task,
        }
    }
}

pub(crate) struct Running {
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), BackendError>>,
}

/// A status and a JSON body.
pub(crate) type Answer = (u16, Value);

async fn read(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let id = response.headers().get("x-request-id");
    assert!(id.is_some_and(|id| !id.is_empty()));
    if status >= 400 {
        let content_type = response.headers().get("content-type").unwrap();
        assert_eq!(content_type, "application/problem+json");
    }
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap())
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        let mut request = self.http.get(format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        read(request).await
    }

    pub(crate) async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Answer {
        self.post_text(path, token, body.to_string()).await
    }

    pub(crate) async fn post_text(&self, path: &str, token: Option<&str>, body: String) -> Answer {
        let request = self.http.post(format!("{}{path}", self.url));
        let mut request = request
            .header("content-type", "application/json")
            .body(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        read(request).await
    }

    pub(crate) async fn voter_token(&self, voter_id: &str) -> String {
        let path = "/api/admin/voter-tokens";
        let body = json!({"voter_ids": [voter_id]});
        let (status, answer) = self.post(path, Some(ADMIN_TOKEN), body).await;
        assert_eq!(status, 201);
        answer["tokens"][0]["token"].as_str().unwrap().to_owned()
    }

    /// Casts a ballot for a voter with the registrar's scope.
    pub(crate) async fn cast(&self, voter_id: &str, transaction_id: &str, choice: &str) -> Answer {
        let body = json!({
            "election_id": 1,
            "ballot": {"choice": choice},
            "voter_id": voter_id,
            "transaction_id": transaction_id,
        });
        self.post("/api/votes/submit", Some(ADMIN_TOKEN), body)
            .await
    }

    pub(crate) async fn status(&self, transaction_id: &str) -> Value {
        let path =
            format!("/api/votes/transaction-status?transaction_id={transaction_id}&election_id=1");
        let (status, answer) = self.get(&path, Some(ADMIN_TOKEN)).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub(crate) async fn reconciliation(&self) -> Value {
        let path = "/api/admin/reconciliation";
        let (status, answer) = self.get(path, Some(ADMIN_TOKEN)).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Polls the reconciliation until `holds`.
    pub(crate) async fn until_reconciliation(&self, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            let answer = self.reconciliation().await;
            if holds(&answer) {
                return answer;
            }
            assert!(tokio::time::Instant::now() < deadline, "still {answer}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the local ledger knows the elections of a new deployment.
    pub(crate) async fn mirrored(&self) {
        self.until_reconciliation(|answer| {
            answer["local_ledger"]["mirrored_height"].as_u64() >= Some(FIRST_BLOCKS)
        })
        .await;
    }

    /// Polls an election's results until the backend has counted it; returns them.
    pub(crate) async fn counted(&self, election_id: u64) -> Value {
        self.until_results(election_id, |results| {
            results["contests"][0]["explanation"].is_string()
        })
        .await
    }

    /// Polls an election's results until a quorum's attestations of them are verified.
    pub(crate) async fn certified(&self, election_id: u64) -> Value {
        self.until_results(election_id, |results| results["verified"] == true)
            .await
    }

    async fn until_results(&self, election_id: u64, holds: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/api/votes/results?election_id={election_id}");
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            let (status, results) = self.get(&path, None).await;
            assert_eq!(status, 200, "{results}");
            if holds(&results) {
                return results;
            }
            assert!(tokio::time::Instant::now() < deadline, "still {results}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Polls a submission's status until it is `wanted`.
    pub(crate) async fn until(&self, transaction_id: &str, wanted: &str) -> Value {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            let status = self.status(transaction_id).await;
            if status["status"] == wanted {
                return status;
            }
            assert!(tokio::time::Instant::now() < deadline, "still {status}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
