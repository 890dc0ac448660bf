//! A validator whose disk changed a byte, and one that attested another outcome: each says so and attests
//! nothing, it goes on taking part, and the others are as before.

use std::path::Path;

use redb::{Database, ReadableTable, TableDefinition};
use serde_json::{Value, json};
use tabella_cli::{chain, http::Client, json_rpc};
use tabella_protocol::{
    Attestation, Hash, Payload, PublicKey, SigningKey, Transaction, TransactionBody,
    rpc::{ElectionView, NodeStatus, ResultsView},
};

use crate::network::{Network, Role, eventually, kill_and_wait, ok, ranked_election};

const BALLOTS: u64 = 12;
const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");

/// No block without transactions is larger.
const EMPTY_BYTES: usize = 400;

/// The validator that is damaged, or lies.
const THIRD: usize = 2;

async fn call<T: serde::de::DeserializeOwned>(rpc: &str, method: &str, params: Value) -> Option<T> {
    let mut client = Client::new(rpc).ok()?;
    json_rpc::call(&mut client, method, params).await.ok()
}

/// Three validators with an election whose ballots stand on the chain of each.
async fn with_ballots() -> (Network, u64) {
    let network = Network::start(&["--validators", "3"]).await;
    let election_id = network.open_election(&ranked_election());
    cast(&network, election_id).await;
    (network, election_id)
}

async fn cast(network: &Network, election_id: u64) {
    let mut client = network.admin();
    for voter in 0..BALLOTS {
        let body = json!({
            "election_id": election_id,
            "voter_id": format!("voter-{voter}"),
            "ballot": {"ranking": if voter < 7 { ["b", "a"] } else { ["a", "b"] }},
        });
        ok(client.post("/api/votes/submit", &body).await.unwrap());
    }
    for rpc in network.rpc_urls() {
        eventually("the ballots are on its chain", async || {
            let params = json!([election_id]);
            let view: ElectionView = call(&rpc, "tabella_getElection", params).await?;
            (view.turnout == BALLOTS).then_some(())
        })
        .await;
    }
}

async fn status(rpc: &str, what: &str, wanted: impl Fn(&NodeStatus) -> bool) -> NodeStatus {
    eventually(what, async || {
        let status = chain::node_status(rpc).await.ok()?;
        wanted(&status).then_some(status)
    })
    .await
}

/// Closes an election, and waits until a quorum certified its result.
async fn close(network: &Network, election_id: u64) -> ResultsView {
    network.election(&["close", &election_id.to_string()]);
    let rpc = network.rpc_urls()[0].clone();
    eventually("the result is certified", async || {
        let params = json!([election_id]);
        let results: ResultsView = call(&rpc, "tabella_getResults", params).await?;
        results.certificate.is_some().then_some(results)
    })
    .await
}

async fn attested_by(network: &Network, election_id: u64) -> Vec<PublicKey> {
    let rpc = &network.rpc_urls()[0];
    let params = json!([election_id]);
    let results: ResultsView = call(rpc, "tabella_getResults", params).await.unwrap();
    results.attested_by
}

fn key(network: &Network, node_id: &str) -> SigningKey {
    let file = network.data().join(format!("keys/{node_id}.key"));
    let seed: Hash = std::fs::read_to_string(file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    SigningKey::from_seed(seed.0)
}

async fn get(url: &str, path: &str) -> String {
    let answer = Client::new(url).unwrap().get(path).await.unwrap();
    String::from_utf8(answer.body.to_vec()).unwrap()
}

/// What the backend's health page says of a validator, once it says `problem`.
async fn shown(network: &Network, node_id: &str, problem: &str) {
    let mut backend = network.admin();
    eventually(problem, async || {
        let health = backend
            .get("/api/admin/validators/health")
            .await
            .ok()?
            .json();
        let mut validators = health["validators"].as_array()?.iter();
        let validator = validators.find(|validator| validator["node_id"] == node_id)?;
        let said = validator["problem"].as_str()?;
        (validator["status"] == "degraded" && said.contains(problem)).then_some(())
    })
    .await;
}

/// Kills the third validator, and damages its chain: the block's height.
fn damage(network: &Network) -> u64 {
    let third = &network.ready.validators[THIRD];
    kill_and_wait(third.pid);
    damage_chain(&network.data().join("data").join(&third.node_id))
}

/// Changes the byte in the middle of the newest block that holds anything, in a validator's data directory: that
/// block's height.
pub(crate) fn damage_chain(data: &Path) -> u64 {
    let database = Database::open(data.join("chain.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let height = {
        let mut blocks = transaction.open_table(BLOCKS).unwrap();
        // The newest that holds anything holds a ballot.
        let filled = blocks.iter().unwrap().map(Result::unwrap);
        let newest = filled
            .rev()
            .find(|(_, bytes)| bytes.value().len() > EMPTY_BYTES);
        let (height, mut bytes) = {
            let (height, bytes) = newest.expect("a block of a ballot");
            (height.value(), bytes.value().to_vec())
        };
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        blocks.insert(height, bytes.as_slice()).unwrap();
        height
    };
    transaction.commit().unwrap();
    height
}

fn start_third(network: &Network) -> Role {
    let third = &network.ready.validators[THIRD];
    network.start_role("validator", &third.node_id, None)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_with_a_changed_ballot_attests_nothing_and_goes_on() {
    let (network, election_id) = with_ballots().await;
    let [first, _, third] = network.rpc_urls().try_into().unwrap();
    let height = damage(&network);
    let _third = start_third(&network);
    let found = status(&third, "it finds the damage", |s| !s.damage.is_empty()).await;
    assert!(
        found.damage[0].starts_with(&format!("blocks at height {height}: ")),
        "{found:?}"
    );
    shown(&network, "validator-3", "its stored data is damaged").await;

    let own = key(&network, "validator-3").public();
    let results = close(&network, election_id).await;
    assert_eq!(results.attested_by.len(), 2);
    let goes_on = |s: &NodeStatus| s.signing && s.height > found.height + 8;
    status(&third, "it takes part all the same", goes_on).await;
    assert!(!attested_by(&network, election_id).await.contains(&own));

    // What is damaged is not handed on, and everything else is.
    let mut client = Client::new(&third).unwrap();
    let mut asked = async |height| {
        let call = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tabella_getBlock", "params": [height],
        });
        client.post("/", &call).await.unwrap().json()
    };
    assert_eq!(asked(height).await["error"]["data"]["code"], "damaged");
    assert!(asked(height - 1).await["result"].is_object());

    let health: Value = serde_json::from_str(&get(&third, "/health/ready").await).unwrap();
    assert_eq!(health["attesting"], false, "{health}");
    assert_eq!(health["ready"], true, "{health}");
    let metrics = get(&third, "/metrics").await;
    assert!(
        metrics.contains("\ntabella_damaged_values 1\n"),
        "{metrics}"
    );
    assert!(metrics.contains("\ntabella_not_attesting 1\n"), "{metrics}");
    let log = std::fs::read_to_string(network.data().join("logs/validator-3.log")).unwrap();
    assert!(log.contains("disk or memory changed it"), "{log}");
    let honest = chain::node_status(&first).await.unwrap();
    assert_eq!((honest.damage.len(), honest.dissenters.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_attested_otherwise_is_named_and_attests_nothing_more() {
    let (network, election_id) = with_ballots().await;
    let [first, second, third] = network.rpc_urls().try_into().unwrap();
    kill_and_wait(network.ready.validators[THIRD].pid);
    let results = close(&network, election_id).await;
    let certified = results.certificate.unwrap().attestation;
    let own = key(&network, "validator-3");
    let otherwise = Attestation {
        outcomes: vec![Hash::of(b"another outcome")],
        ..certified
    };
    let chain_id = network.genesis().chain_id;
    let height = chain::node_status(&first).await.unwrap().height;
    let payload = Payload::AttestResult(otherwise);
    let lie = Transaction::sign(TransactionBody::new(chain_id, height + 100, payload), &own);
    let hex = format!("0x{}", hex::encode(lie.to_bytes()));
    let taken: Option<Value> = call(&first, "eth_sendRawTransaction", json!([hex])).await;
    assert!(taken.is_some());

    for rpc in [&first, &second] {
        let named = status(rpc, "it names the dissenter", |s| !s.dissenters.is_empty()).await;
        let dissenter = &named.dissenters[0];
        assert_eq!(
            (
                dissenter.election_id,
                dissenter.validator,
                dissenter.node_id.as_str()
            ),
            (election_id, own.public(), "validator-3")
        );
        assert_eq!((named.damage.len(), named.dissents.len()), (0, 0));
        let health: Value = serde_json::from_str(&get(rpc, "/health/ready").await).unwrap();
        assert_eq!(
            health["dissenters"][0]["node_id"], "validator-3",
            "{health}"
        );
        assert_eq!(health["attesting"], true, "{health}");
        eventually("the metrics count it", async || {
            let metrics = get(rpc, "/metrics").await;
            metrics.contains("\ntabella_dissenters 1\n").then_some(())
        })
        .await;
    }
    let log = std::fs::read_to_string(network.data().join("logs/validator-1.log")).unwrap();
    assert!(log.contains("attested another outcome"), "{log}");

    let _third = start_third(&network);
    let dissents = status(&third, "it knows that it dissents", |s| {
        !s.dissents.is_empty()
    })
    .await;
    assert_eq!(dissents.dissents, [election_id]);
    shown(&network, "validator-3", "attests no results").await;
    let later = network.open_election(&ranked_election());
    cast(&network, later).await;
    close(&network, later).await;
    let height = chain::node_status(&third).await.unwrap().height;
    status(&third, "it goes on", |s| s.signing && s.height > height + 8).await;
    assert!(!attested_by(&network, later).await.contains(&own.public()));
}
