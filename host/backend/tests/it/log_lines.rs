//! The lines by which operators follow a backend, each named here, and what stands in none.

use std::{
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde_json::{Value, json};

use crate::{
    deployment::{ADMIN_TOKEN, Deployment, FIRST_BLOCKS},
    fake::Mood,
};

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Lines;

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps what is logged from here on, as people run a backend: see `RUST_LOG` in docs/operating.md.
/// Only one test of a process captures; the lines of others do not disturb it.
pub(crate) fn capture() {
    let _ = tracing_subscriber::fmt()
        .with_env_filter("info")
        .with_ansi(false)
        .with_writer(|| Lines)
        .try_init();
}

fn said() -> String {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&lines).into_owned()
}

/// Polls until a line was said.
pub(crate) async fn says(line: &str) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !said().contains(line) {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{line:?} is not in\n{}",
            said()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_lines_that_operators_know_are_said() {
    capture();
    let deployment = Deployment::new().await;
    deployment.nodes[2].set_mood(Mood::Unavailable);
    let backend = deployment.start().await;
    says("PoA client initialised").await;
    says("validator-1 is healthy").await;
    says("validator-3 is unreachable: returned status 503").await;
    says("validator health check: 2/3 healthy").await;
    says("the local ledger is open").await;
    says("backend is listening").await;

    let token = backend.voter_token("a-very-secret-voter").await;
    let body = json!({"election_id": 1, "ballot": {"choice": "a"}});
    let (status, answer) = backend.post("/api/votes/submit", Some(&token), body).await;
    assert_eq!(status, 201, "{answer}");
    says("vote submitted to PoA voter=0x").await;
    let submitted = said();
    let line = submitted
        .lines()
        .find(|line| line.contains("vote submitted to PoA"));
    let line = line.unwrap();
    assert!(line.contains("election_id=1"), "{line}");
    let id = answer["transaction_id"].as_str().unwrap();
    assert!(
        line.contains(&format!("transaction_id={} ", &id[..10]))
            || line.ends_with(&format!("transaction_id={}", &id[..10])),
        "{line}"
    );
    let results = "/api/votes/results?election_id=1";
    let (status, answer) = backend.get(results, None).await;
    assert_eq!((status, &answer["source"]), (200, &json!("poa")));
    says("results retrieved from PoA").await;

    backend.mirrored().await;
    deployment.kill_validators().await;
    says("validator-1 is unreachable").await;
    says("validator health check: 0/3 healthy").await;
    assert_eq!(backend.cast("bob", "t2", "a").await.1["source"], "local");
    says("PoA submission failed, falling back to the local ledger").await;
    let (status, answer) = backend.get(results, None).await;
    assert_eq!((status, &answer["source"]), (200, &json!("local")));
    assert_eq!(answer["verified"], false);
    says("results cannot be retrieved from PoA, falling back to the backend's own proven chain")
        .await;

    // A backend whose ledger cannot be opened, and one that knows nothing.
    let broken = deployment.another().await;
    std::fs::create_dir_all(&broken.config.data).unwrap();
    std::fs::write(broken.config.data.join("local-ledger"), "").unwrap();
    let other = broken.start().await;
    says("the local ledger cannot be opened").await;
    assert_eq!(other.cast("carol", "t3", "a").await.0, 201);
    broken.kill_validators().await;
    says("PoA submission failed").await;
    assert_eq!(other.cast("dave", "t4", "a").await.1["source"], "database");
    says("the local ledger failed, falling back to the database").await;
    let knows_nothing = deployment.another().await;
    knows_nothing.kill_validators().await;
    knows_nothing.start().await;
    says("no validator answers and no election is known from before").await;

    let said = said();
    for secret in ["a-very-secret-voter", ADMIN_TOKEN, &token, "\"choice\""] {
        assert!(!said.contains(secret), "{secret:?} stands in the log");
    }
}

/// Damages the stored block at a height of a chain in this folder of a stopped backend.
fn damage(deployment: &Deployment, folder: &str, height: u64) {
    const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");
    let path = deployment.config.data.join(folder).join("chain.redb");
    let database = Database::open(path).unwrap();
    let write = database.begin_write().unwrap();
    {
        let mut blocks = write.open_table(BLOCKS).unwrap();
        let mut bytes = blocks.get(height).unwrap().unwrap().value().to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        blocks.insert(height, bytes.as_slice()).unwrap();
    }
    write.commit().unwrap();
}

fn newest_block(deployment: &Deployment, folder: &str) -> u64 {
    const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");
    let path = deployment.config.data.join(folder).join("chain.redb");
    let database = Database::open(path).unwrap();
    let read = database.begin_read().unwrap();
    let blocks = read.open_table(BLOCKS).unwrap();
    blocks.last().unwrap().unwrap().0.value()
}

/// An election is not closed while the local ledger may hold a ballot that nobody knows.
#[tokio::test]
async fn a_local_ledger_that_cannot_be_read_is_named_with_what_to_do() {
    capture();
    let deployment = Deployment::new().await;
    deployment.open_election(3);
    let backend = deployment.start().await;
    assert_eq!(backend.cast("first", "t0", "a").await.0, 201);
    let mirrored = |answer: &Value| answer["local_ledger"]["mirrored_height"].as_u64();
    let until = |answer: &Value| mirrored(answer) > Some(FIRST_BLOCKS);
    backend.until_reconciliation(until).await;
    deployment.kill_validators().await;
    assert_eq!(backend.cast("alice", "t1", "a").await.1["status"], "local");
    backend.stop().await;
    let height = newest_block(&deployment, "local-ledger");
    damage(&deployment, "local-ledger", height);
    deployment.restart_validators().await;
    let backend = deployment.start().await;
    let line = format!("block {height} of the local ledger cannot be read");
    says(&line).await;
    says("put a copy of the folder local-ledger back").await;
    backend.until("t1", "confirmed").await;
    let close = "/api/admin/elections/1/close";
    let (status, answer) = backend.post(close, Some(ADMIN_TOKEN), json!({})).await;
    assert_eq!((status, &answer["unsettled"]), (202, &json!(1)), "{answer}");
    assert_eq!(said().matches(&line).count(), 1, "once");
    // It has no ballot in that block.
    let close = "/api/admin/elections/3/close";
    let (status, answer) = backend.post(close, Some(ADMIN_TOKEN), json!({})).await;
    assert_eq!(
        (status, &answer["status"]),
        (200, &json!("closed")),
        "{answer}"
    );
    let (status, ready) = backend.get("/health/ready", None).await;
    assert_eq!((status, &ready["local_ledger"]), (200, &json!("damaged")));
    let path = "/api/admin/reconciliation";
    let (status, problem) = backend.get(path, Some(ADMIN_TOKEN)).await;
    assert_eq!((status, &problem["code"]), (500, &json!("internal")));
}

/// The database was restored, and validators refuse the ballot because the chain holds it: in a block that the copy
/// here has lost.
#[tokio::test]
async fn a_copy_of_the_chain_that_cannot_be_read_is_named() {
    capture();
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    assert_eq!(backend.cast("first", "t0", "a").await.0, 201);
    backend.stop().await;
    let database = deployment.config.data.join("backend.redb");
    let copy = deployment.path().join("copy.redb");
    std::fs::copy(&database, &copy).unwrap();
    let backend = deployment.start().await;
    assert_eq!(backend.cast("alice", "t1", "a").await.0, 201);
    backend.stop().await;
    std::fs::copy(&copy, &database).unwrap();
    let height = deployment.network.chain().summaries.len() as u64;
    deployment.network.commit(vec![]);
    damage(&deployment, "chain", height);

    let backend = deployment.start().await;
    let (status, answer) = backend.cast("alice", "t1", "a").await;
    assert_eq!(status, 202, "{answer}");
    says("what the chain holds of a vote cannot be told now").await;
}
