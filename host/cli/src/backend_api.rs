//! The backend's REST API as the commands use it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tabella_protocol::Hash;

use crate::{
    election_file::ElectionFile,
    http::{Answer, Client},
};

/// Voters whose tokens are asked for in one request.
const VOTER_TOKENS_MAX: usize = 1_000;
/// How long a validator may lag behind the others before its word counts.
const LAG_MAX: Duration = Duration::from_secs(3);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// A backend, called with an administrator's token.
#[derive(Debug)]
pub struct BackendApi {
    client: Client,
}

impl BackendApi {
    /// The backend at `url`.
    pub fn new(url: &str, token: Option<&str>) -> Result<Self> {
        let client = Client::new(url)?.with_timeout(Duration::from_secs(60));
        let client = match token {
            Some(token) => client.with_token(token),
            None => client,
        };
        Ok(Self { client })
    }

    /// Creates an election after publishing the built-in rules that it names and the chain lacks.
    /// Returns what the backend says of the new election.
    pub async fn create_election(&mut self, election: &ElectionFile) -> Result<Value> {
        let mut statement = serde_json::to_value(election).context("plain data serialises")?;
        for (contest, slot) in election
            .contests
            .iter()
            .zip(statement["contests"].as_array_mut().into_iter().flatten())
        {
            slot["rule"] = json!(self.published(&contest.rule).await?);
        }
        self.administer("/api/admin/elections", &statement).await
    }

    /// The hash of a rule on the chain: a hash as it is, a built-in's name after publishing it.
    async fn published(&mut self, rule: &str) -> Result<Hash> {
        let Some(builtin) = builtin(rule)? else {
            return Ok(Hash::parse_lenient(rule)?);
        };
        let hash = Hash::of(builtin.wasm);
        if !self.knows_plugin(&hash).await? {
            let published = self
                .client
                .post_bytes("/api/admin/plugins", "application/wasm", builtin.wasm)
                .await?;
            accept("POST /api/admin/plugins", &published)?;
        }
        Ok(hash)
    }

    /// Publishes a plugin; returns its hash and manifest. The same bytes again change nothing.
    pub async fn publish(&mut self, wasm: Vec<u8>) -> Result<Value> {
        let path = "/api/admin/plugins";
        let answer = self
            .client
            .post_bytes(path, "application/wasm", wasm)
            .await?;
        accept(path, &answer)?;
        Ok(answer.json())
    }

    /// Whether a plugin is on the chain.
    pub async fn knows_plugin(&mut self, hash: &Hash) -> Result<bool> {
        let known = self.client.get(&format!("/api/plugins/{hash}")).await?;
        Ok(known.is_success())
    }

    /// The newest height that the backend has proven.
    pub async fn height(&mut self) -> Result<u64> {
        let answer = self.get("/api/blocks?count=1").await?;
        answer["height"]
            .as_u64()
            .with_context(|| format!("expected a height, got {answer}"))
    }

    /// Puts a transaction on the chain that an authority signed.
    pub async fn put_signed(&mut self, transaction: &[u8]) -> Result<Value> {
        let body = json!({"transaction": format!("0x{}", hex::encode(transaction))});
        self.administer("/api/admin/transactions", &body).await
    }

    /// Creates an account with a role.
    pub async fn create_account(
        &mut self,
        username: &str,
        password: &str,
        role: &str,
    ) -> Result<Value> {
        let body = json!({"username": username, "password": password, "role": role});
        self.post("/api/admin/accounts", &body).await
    }

    /// Opens an election.
    pub async fn open(&mut self, election_id: u64) -> Result<Value> {
        self.post(
            &format!("/api/admin/elections/{election_id}/open"),
            &json!({}),
        )
        .await
    }

    /// Closes an election.
    pub async fn close(&mut self, election_id: u64) -> Result<Value> {
        let path = format!("/api/admin/elections/{election_id}/close");
        self.administer(&path, &json!({})).await
    }

    /// The elections.
    pub async fn elections(&mut self) -> Result<Value> {
        self.get("/api/elections").await
    }

    /// The results of an election.
    pub async fn results(&mut self, election_id: u64) -> Result<Value> {
        self.get(&format!("/api/votes/results?election_id={election_id}"))
            .await
    }

    /// Waits until the result of a closed election is certified.
    pub async fn final_results(&mut self, election_id: u64, patience: Duration) -> Result<Value> {
        let deadline = Instant::now() + patience;
        loop {
            let results = self.results(election_id).await?;
            if results["status"] == "final" {
                return Ok(results);
            }
            if Instant::now() > deadline {
                bail!(
                    "the result is not certified after {patience:?}; the election's status is {}",
                    results["status"]
                );
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// A token for each voter, in the order given.
    pub async fn voter_tokens(&mut self, voter_ids: &[String]) -> Result<Vec<String>> {
        let mut tokens = Vec::with_capacity(voter_ids.len());
        for part in voter_ids.chunks(VOTER_TOKENS_MAX) {
            let answer = self
                .post("/api/admin/voter-tokens", &json!({"voter_ids": part}))
                .await?;
            let minted = answer["tokens"].as_array().into_iter().flatten();
            tokens.extend(minted.filter_map(|minted| minted["token"].as_str().map(str::to_owned)));
        }
        ensure!(
            tokens.len() == voter_ids.len(),
            "expected {} voter tokens, got {}",
            voter_ids.len(),
            tokens.len()
        );
        Ok(tokens)
    }

    /// Where a submission stands.
    pub async fn transaction_status(
        &mut self,
        transaction_id: &str,
        election_id: u64,
    ) -> Result<Value> {
        self.get(&format!(
            "/api/votes/transaction-status?transaction_id={transaction_id}&election_id={election_id}"
        ))
        .await
    }

    /// Waits until a submission stands in a block.
    pub async fn wait_confirmed(
        &mut self,
        transaction_id: &str,
        election_id: u64,
        patience: Duration,
    ) -> Result<Value> {
        let deadline = Instant::now() + patience;
        loop {
            let status = self.transaction_status(transaction_id, election_id).await?;
            if status["status"] == "confirmed" {
                return Ok(status);
            }
            if status["status"] == "rejected" || Instant::now() > deadline {
                bail!("{transaction_id} was acknowledged, but is not confirmed: {status}");
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// The bytes of an election's proof.
    pub async fn election_proof(&mut self, election_id: u64) -> Result<Vec<u8>> {
        let path = format!("/api/elections/{election_id}/proof");
        let answer = self.client.get(&path).await?;
        accept(&path, &answer)?;
        Ok(answer.body.to_vec())
    }

    /// The bytes of a ballot's receipt, as they are to be kept.
    pub async fn receipt(&mut self, transaction_id: &str) -> Result<Vec<u8>> {
        let path = format!("/api/votes/receipt?transaction_id={transaction_id}");
        let answer = self.client.get(&path).await?;
        accept(&path, &answer)?;
        Ok(answer.body.to_vec())
    }

    async fn get(&mut self, path: &str) -> Result<Value> {
        let answer = self.client.get(path).await?;
        accept(path, &answer)?;
        Ok(answer.json())
    }

    /// Posts one of several steps that build on each other. The validator that is asked may be a
    /// block behind the one that confirmed the step before, and not know of it yet.
    async fn administer(&mut self, path: &str, body: &Value) -> Result<Value> {
        let deadline = Instant::now() + LAG_MAX;
        loop {
            let answer = self.client.post(path, body).await?;
            let code = answer.json()["code"].as_str().map(str::to_owned);
            let lags = matches!(code.as_deref(), Some("unknown-plugin" | "unknown-election"));
            if !lags || Instant::now() > deadline {
                accept(path, &answer)?;
                return Ok(answer.json());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    async fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        let answer = self.client.post(path, body).await?;
        accept(path, &answer)?;
        Ok(answer.json())
    }
}

/// The built-in rule of that name; nothing for a hash.
pub fn builtin(rule: &str) -> Result<Option<&'static tabella_plugins::Builtin>> {
    if Hash::parse_lenient(rule).is_ok() {
        return Ok(None);
    }
    let found = tabella_plugins::get(rule).with_context(|| {
        let names: Vec<&str> = tabella_plugins::all().iter().map(|b| b.name).collect();
        format!(
            "no rule is named {rule:?}; expected the SHA-256 of a published plugin or one of {}",
            names.join(", ")
        )
    });
    found.map(Some)
}

/// Turns a refusal into an error with the backend's own sentence.
fn accept(what: &str, answer: &Answer) -> Result<()> {
    if answer.is_success() {
        return Ok(());
    }
    let problem = answer.json();
    let sentence = ["detail", "title"]
        .iter()
        .find_map(|member| problem[*member].as_str())
        .map_or_else(|| answer.excerpt(), str::to_owned);
    let sentence = match problem["pointer"].as_str() {
        Some(pointer) => format!("{}: {sentence}", pointer.trim_start_matches('/')),
        None => sentence,
    };
    match problem["code"].as_str() {
        Some(code) => bail!("{what}: {sentence} (status {}, {code})", answer.status),
        None => bail!("{what}: {sentence} (status {})", answer.status),
    }
}

/// The id in what the backend answered to a creation.
pub fn id_of(created: &Value) -> Result<u64> {
    created["election_id"]
        .as_u64()
        .with_context(|| format!("expected an election_id, got {created}"))
}
