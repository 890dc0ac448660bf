//! Several backends over one PostgreSQL, all of them real processes.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde_json::{Value, json};
use tabella_api::Source;
use tabella_cli::{
    http::Client,
    load::{LoadPlan, LoadReport, Submission, cast_all},
};
use tabella_test_postgres::Postgres;

use crate::{
    crash::check_exactly_once,
    network::{Network, PATIENCE, Role, eventually, kill_and_wait, ok, ranked_election},
};

/// Real validators, and backends `one` and `two` before them instead of the network's own.
struct Sharing {
    network: Network,
    urls: [String; 2],
    backends: [Option<Role>; 2],
    election_id: u64,
}

const NAMES: [&str; 2] = ["one", "two"];

impl Sharing {
    async fn start(url: &str) -> Self {
        let mut network = Network::start(&["--validators", "3"]).await;
        kill_and_wait(network.ready.backend_pid);
        let urls = [(0, 0), (1, 149)]
            .map(|(n, port)| network.configure_sharing_backend(NAMES[n], port, url));
        network.ready.backend = urls[0].clone();
        let mut sharing = Self {
            network,
            urls,
            backends: [None, None],
            election_id: 0,
        };
        sharing.start_backend(0);
        sharing.start_backend(1);
        sharing.until_ready(0).await;
        sharing.until_ready(1).await;
        sharing.election_id = sharing.network.open_election(&ranked_election());
        sharing.until_mirrored().await;
        sharing
    }

    fn start_backend(&mut self, n: usize) {
        self.backends[n] = Some(self.network.start_role("backend", NAMES[n], None));
    }

    fn kill(&mut self, n: usize) {
        self.backends[n] = None;
    }

    fn client(&self, n: usize) -> Client {
        let client = Client::new(&self.urls[n]).unwrap();
        client.with_token(&self.network.ready.admin_token)
    }

    /// The answer to a GET, with its status.
    async fn get(&self, n: usize, path: &str) -> Option<(u16, Value)> {
        let answer = self.client(n).get(path).await.ok()?;
        Some((answer.status, answer.json()))
    }

    async fn until_status(&self, n: usize, path: &str, wanted: u16) -> Value {
        eventually(&format!("{path} of {} is {wanted}", NAMES[n]), async || {
            let (status, answer) = self.get(n, path).await?;
            (status == wanted).then_some(answer)
        })
        .await
    }

    async fn until_ready(&self, n: usize) {
        self.until_status(n, "/health/ready", 200).await;
    }

    /// Waits until both take ballots of the election without a validator.
    async fn until_mirrored(&self) {
        for n in 0..2 {
            eventually("the local ledger knows the election", async || {
                let (_, answer) = self.get(n, "/api/admin/reconciliation").await?;
                (answer["local_ledger"]["mirrored_height"].as_u64() >= Some(4)
                    && answer["local_ledger"]["elections"] == 1)
                    .then_some(())
            })
            .await;
        }
    }

    fn plan(&self, n: usize, patience: Duration) -> LoadPlan {
        LoadPlan {
            backend: self.urls[n].clone(),
            election_id: self.election_id,
            concurrency: 16,
            patience,
            per_second: None,
        }
    }

    async fn cast(&self, n: usize, submissions: Vec<Submission>) -> LoadReport {
        let count = submissions.len();
        let plan = self.plan(n, PATIENCE);
        let report = cast_all(&plan, submissions.into_iter(), |_| {}).await;
        let report = report.unwrap();
        report.require_all_acknowledged(count).unwrap();
        report
    }

    /// Waits until backend `n` says that what was acknowledged is on the chain.
    async fn until_confirmed(&self, n: usize, ids: &[String]) {
        for id in ids {
            let path = format!("/api/votes/transaction-status?transaction_id={id}");
            eventually("an acknowledged ballot is confirmed", async || {
                let (_, status) = self.get(n, &path).await?;
                assert_ne!(status["status"], "rejected", "{status}");
                (status["status"] == "confirmed").then_some(())
            })
            .await;
        }
    }

    async fn check_exactly_once(&mut self, n: usize, ids: &[String]) {
        self.network.ready.backend = self.urls[n].clone();
        let urls = self.network.rpc_urls();
        check_exactly_once(&self.network, &urls, self.election_id, ids).await;
    }
}

fn ids(submissions: &[Submission]) -> Vec<String> {
    submissions
        .iter()
        .map(|s| s.transaction_id.clone())
        .collect()
}

fn acknowledged(report: &LoadReport) -> Vec<String> {
    let acknowledged = report.acknowledged.iter();
    acknowledged.map(|a| a.transaction_id.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_backends_is_killed_and_every_ballot_is_on_the_chain_once() {
    const BALLOTS: usize = 300;
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let mut sharing = Sharing::start(&postgres.url()).await;

    // The same submission at both at the same instant has one answer.
    let twice = sharing.network.submissions("twice", 10);
    for submission in &twice {
        let only = vec![submission.clone()];
        let (a, b) = tokio::join!(sharing.cast(0, only.clone()), sharing.cast(1, only.clone()));
        let [a, b] = [a, b].map(|report| report.acknowledged[0].answer.clone());
        assert_eq!(
            a.chain_transaction_id, b.chain_transaction_id,
            "{a:?} {b:?}"
        );
    }
    let mut all = ids(&twice);

    // Load on both; one is killed midway.
    let [first, second] =
        ["first", "second"].map(|name| sharing.network.submissions(name, BALLOTS));
    all.extend(ids(&first));
    all.extend(ids(&second));
    let answered = AtomicU64::new(0);
    let impatient = sharing.plan(0, Duration::from_secs(1));
    let mut backend = sharing.backends[0].take();
    let casting = cast_all(&impatient, first.clone().into_iter(), |count| {
        answered.fetch_max(count, Ordering::Relaxed);
    });
    let striking = async {
        eventually("enough answers to strike", async || {
            (answered.load(Ordering::Relaxed) >= 100).then_some(())
        })
        .await;
        drop(backend.take());
    };
    let (cut_short, (), _) = tokio::join!(casting, striking, sharing.cast(1, second));
    let cut_short = cut_short.unwrap();
    assert!(cut_short.refused.is_empty(), "{:?}", cut_short.refused);
    assert!(!cut_short.unanswered.is_empty(), "the load outran the kill");
    // The other one takes over what was acknowledged, though nobody asks it again.
    sharing.until_confirmed(1, &acknowledged(&cut_short)).await;
    // Who got no answer asks the other one, under the same id.
    sharing.cast(1, first).await;
    sharing.check_exactly_once(1, &all).await;

    // With no validator there each keeps ballots in a ledger of its own; one never comes back.
    sharing.start_backend(0);
    sharing.until_ready(0).await;
    sharing.until_mirrored().await;
    for validator in &sharing.network.ready.validators {
        kill_and_wait(validator.pid);
    }
    let [third, fourth] = ["third", "fourth"].map(|name| sharing.network.submissions(name, 60));
    let (third_report, _) = tokio::join!(
        sharing.cast(0, third.clone()),
        sharing.cast(1, fourth.clone())
    );
    let is_local = |a: &&tabella_cli::load::Acknowledgement| a.answer.source == Source::Local;
    assert!(third_report.acknowledged.iter().filter(is_local).count() > 30);
    sharing.kill(0);
    let validators = sharing.network.ready.validators.iter();
    let _validators: Vec<Role> = validators
        .map(|v| sharing.network.start_role("validator", &v.node_id, None))
        .collect();
    all.extend(ids(&third));
    all.extend(ids(&fourth));
    sharing.check_exactly_once(1, &all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_stops_and_starts_during_load_and_no_acknowledged_ballot_is_lost() {
    const BALLOTS: usize = 300;
    let Some(mut postgres) = Postgres::start() else {
        return;
    };
    let mut sharing = Sharing::start(&postgres.url()).await;
    let [first, second] =
        ["first", "second"].map(|name| sharing.network.submissions(name, BALLOTS));
    let all = [ids(&first), ids(&second)].concat();
    let answered = AtomicU64::new(0);
    let patient = sharing.plan(0, PATIENCE);
    let casting = cast_all(&patient, first.into_iter(), |count| {
        answered.fetch_max(count, Ordering::Relaxed);
    });
    let striking = async {
        for at in [60, 150] {
            eventually("enough answers to strike", async || {
                (answered.load(Ordering::Relaxed) >= at).then_some(())
            })
            .await;
            tokio::task::block_in_place(|| postgres.stop());
            for n in 0..2 {
                let ready = sharing.until_status(n, "/health/ready", 503).await;
                assert_eq!(ready["database"], "failed");
                let body = json!({"election_id": sharing.election_id, "voter_id": "late",
                    "transaction_id": "late", "ballot": {"ranking": ["a"]}});
                let refused = sharing.client(n).post("/api/votes/submit", &body).await;
                let refused = refused.unwrap();
                assert_eq!(refused.status, 503, "{}", refused.excerpt());
                assert_eq!(refused.json()["code"], "database-unavailable");
            }
            sharing.until_status(0, "/health/live", 200).await;
            tokio::task::block_in_place(|| postgres.start_again());
            sharing.until_ready(0).await;
            sharing.until_ready(1).await;
        }
    };
    let (report, (), _) = tokio::join!(casting, striking, sharing.cast(1, second));
    let report = report.unwrap();
    report.require_all_acknowledged(BALLOTS).unwrap();
    assert!(report.repetitions > 0);
    sharing.check_exactly_once(1, &all).await;
    // What was refused with 503 was not recorded.
    let path = "/api/votes/transaction-status?transaction_id=late";
    assert_eq!(sharing.get(0, path).await.unwrap().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_waits_for_a_database_that_is_away_at_its_start() {
    let Some(mut postgres) = Postgres::start() else {
        return;
    };
    let network = Network::start(&["--validators", "3"]).await;
    let election_id = network.open_election(&ranked_election());
    let url = format!("{}&password=sesame", postgres.url());
    let backend = network.configure_sharing_backend("one", 149, &url);
    postgres.stop();
    let running = network.start_role("backend", "one", None);
    let mut client = Client::new(&backend)
        .unwrap()
        .with_token(&network.ready.admin_token);
    let ready = eventually("it says that it is not ready", async || {
        let answer = client.get("/health/ready").await.ok()?;
        (answer.status == 503).then(|| answer.json())
    })
    .await;
    assert_eq!(ready["database"], "failed");
    assert!(ok(client.get("/health/live").await.unwrap())["status"] == "live");
    let body = json!({"election_id": election_id, "voter_id": "alice", "transaction_id": "t1",
        "ballot": {"ranking": ["a"]}});
    let refused = client.post("/api/votes/submit", &body).await.unwrap();
    assert_eq!(refused.status, 503);
    assert_eq!(refused.json()["code"], "database-unavailable");
    tokio::task::block_in_place(|| postgres.start_again());
    let answer = eventually("it takes ballots", async || {
        let answer = client.post("/api/votes/submit", &body).await.ok()?;
        answer.is_success().then(|| answer.json())
    })
    .await;
    assert_eq!(answer["transaction_id"], "t1");
    drop(running);
    let log = std::fs::read_to_string(network.data().join("logs/one.log")).unwrap();
    assert!(!log.contains("sesame"), "{log}");

    // Another master secret, and it says what to do and ends.
    let secret = network.data().join("keys/other-secret");
    let other = format!("{}\n", "0123456789abcdef".repeat(4));
    std::fs::write(&secret, other).unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let path = network.data().join("one.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("master-secret", "other-secret")).unwrap();
    let path = path.to_str().unwrap();
    let output = crate::network::run(&["backend", "--config", path]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("`master_secret_file`"),
        "{said}"
    );
    // What is wrong with a configuration is said without what it holds.
    let text = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, text.replace("database =", "databse =")).unwrap();
    let output = crate::network::run(&["backend", "--config", path]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("unknown field `databse`"), "{said}");
    assert!(!said.contains("sesame"), "{said}");
}
