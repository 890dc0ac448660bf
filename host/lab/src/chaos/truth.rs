//! What the backend may answer while somebody lies or floods: nothing but the truth.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tabella_protocol::{BoardEntry, Genesis, Hash, Receipt};

use super::pulse::Pulse;
use tabella_cli::{
    backend_api::BackendApi,
    chain, choice,
    dev::Ready,
    http::{Answer, Client},
};

/// Receipts looked at in each check.
const RECEIPTS: usize = 3;

/// What is known for certain of the election under load.
pub(super) struct Truth<'a> {
    backend: String,
    admin_token: String,
    validators: Vec<String>,
    genesis: &'a Genesis,
    election_id: u64,
    seed: u64,
    concurrency: u64,
    pulse: &'a Pulse,
    /// The hash of each choice's ballot, in the order of [`CHOICES`].
    ballot_hashes: Vec<Hash>,
}

/// The idempotency key of one submission.
pub(super) fn transaction_id(seed: u64, index: u64) -> String {
    format!("chaos-{seed}-{index}")
}

/// What is voted for.
pub(super) const CHOICES: [&str; 3] = ["a", "b", "c"];

/// How one validator is, as the backend says.
pub(super) struct Standing {
    pub(super) node_id: String,
    pub(super) is_degraded: bool,
    pub(super) problem: String,
    pub(super) latency_ms: Option<f64>,
}

/// What is chosen by one submission: its place in [`CHOICES`].
pub(super) fn choice_of(index: u64) -> usize {
    (index % CHOICES.len() as u64) as usize
}

impl<'a> Truth<'a> {
    /// Learns how the chain encodes each choice: by the proof of the election, not by the word of the
    /// backend.
    pub(super) async fn of(
        ready: &Ready,
        genesis: &'a Genesis,
        api: &mut BackendApi,
        (election_id, seed, concurrency): (u64, u64, usize),
        pulse: &'a Pulse,
    ) -> Result<Self> {
        let election = choice::proven(&api.election_proof(election_id).await?, genesis)?;
        let options = election.spec.contests.iter().flat_map(|c| &c.options);
        let options: Vec<&str> = options.map(|option| option.id.as_str()).collect();
        ensure!(options == CHOICES, "the chain has the options {options:?}");
        let ballots = CHOICES.map(|choice| json!({ "choice": choice }));
        let encoded = choice::encode(&election, &ballots, &[], genesis)?;
        Ok(Self {
            backend: ready.backend.clone(),
            admin_token: ready.admin_token.clone(),
            validators: ready.validators.iter().map(|v| v.rpc_url.clone()).collect(),
            genesis,
            election_id,
            seed,
            concurrency: concurrency as u64,
            pulse,
            ballot_hashes: encoded
                .iter()
                .map(|ballots| BoardEntry::ballot_hash(ballots))
                .collect(),
        })
    }

    /// The hash that the chain must hold of a ballot of this choice.
    pub(super) fn ballot_hash(&self, choice: &str) -> Option<Hash> {
        let place = CHOICES.iter().position(|known| *known == choice)?;
        self.ballot_hashes.get(place).copied()
    }

    /// How many ballots can have been cast by now, at most: those acknowledged, and one on each
    /// connection of the load.
    fn cast_max(&self) -> u64 {
        self.pulse.count() + self.concurrency
    }

    /// Compares what the backend answers with the truth; returns how many answers were compared.
    pub(super) async fn check(&self) -> Result<u64> {
        let mut client = Client::new(&self.backend)?.with_token(&self.admin_token);
        let id = self.election_id;
        let elections = get(&mut client, "/api/elections").await?;
        let listed = elections["elections"].as_array().or(elections.as_array());
        let listed = listed.and_then(|list| list.iter().find(|e| e["election_id"] == id));
        self.check_election(listed.with_context(|| format!("not listed in {elections}"))?)?;

        let election = get(&mut client, &format!("/api/elections/{id}")).await?;
        self.check_election(&election)?;
        let options = election["contests"][0]["options"].as_array();
        let options = options.into_iter().flatten().map(|option| &option["id"]);
        ensure!(options.eq(CHOICES.iter()), "other options: {election}");

        let results = get(&mut client, &format!("/api/votes/results?election_id={id}")).await?;
        self.check_results(&results)?;

        let blocks = get(&mut client, "/api/blocks").await?;
        self.check_height(&blocks).await?;
        let receipts = self.check_receipts(&mut client).await?;
        Ok(4 + receipts)
    }

    fn check_election(&self, election: &Value) -> Result<()> {
        ensure!(election["status"] == "open", "not open: {election}");
        let turnout = election["turnout"].as_u64();
        let cast = self.cast_max();
        ensure!(
            turnout.is_some_and(|turnout| turnout <= cast),
            "at most {cast} ballots were cast: {election}"
        );
        ensure!(election["roll_size"] == 0, "there is no roll: {election}");
        Ok(())
    }

    fn check_results(&self, results: &Value) -> Result<()> {
        let cast = self.cast_max();
        ensure!(
            results["status"] == "open"
                && results["total_votes"].as_u64().is_some_and(|n| n <= cast),
            "at most {cast} ballots were cast in an open election: {results}"
        );
        // Each in turn, so that none has more than its share.
        let share = cast.div_ceil(CHOICES.len() as u64);
        let options = results["contests"][0]["options"].as_array();
        for option in options.into_iter().flatten() {
            ensure!(
                option["votes"].as_u64().unwrap_or_default() <= share,
                "at most {share} chose each: {results}"
            );
        }
        Ok(())
    }

    /// The backend's newest block is one that a validator has when it is asked afterwards.
    async fn check_height(&self, blocks: &Value) -> Result<()> {
        let height = blocks["height"].as_u64();
        let height = height.with_context(|| format!("no height in {blocks}"))?;
        let mut highest = 0;
        for url in &self.validators {
            if let Ok(status) = chain::node_status(url).await {
                highest = highest.max(status.height);
            }
        }
        ensure!(
            height <= highest,
            "height {height}, but the chain is at {highest}"
        );
        Ok(())
    }

    /// Looks at receipts of ballots cast before; returns how many there were.
    async fn check_receipts(&self, client: &mut Client) -> Result<u64> {
        let mut checked = 0;
        let cast = self.pulse.count();
        for _ in 0..RECEIPTS.min(cast as usize) {
            let index = rand::random_range(0..cast);
            let id = transaction_id(self.seed, index);
            let choice = CHOICES[choice_of(index)];
            // It may not be confirmed yet.
            checked += u64::from(self.has_receipt(client, &id, choice).await?);
        }
        Ok(checked)
    }

    /// Looks at the receipts of these confirmed ballots, given by id and choice.
    pub(super) async fn require_receipts<'b>(
        &self,
        ballots: impl Iterator<Item = (&'b str, &'b str)>,
    ) -> Result<usize> {
        let mut client = Client::new(&self.backend)?.with_token(&self.admin_token);
        let mut checked = 0;
        for (id, choice) in ballots {
            let has_receipt = self.has_receipt(&mut client, id, choice).await?;
            ensure!(has_receipt, "{id} is confirmed and has no receipt");
            checked += 1;
        }
        Ok(checked)
    }

    /// Whether a ballot has a receipt; one that it has must hold offline and be of this choice.
    async fn has_receipt(&self, client: &mut Client, id: &str, choice: &str) -> Result<bool> {
        let path = format!("/api/votes/receipt?transaction_id={id}");
        let answer = client.get(&path).await?;
        if !answer.is_success() {
            return Ok(false);
        }
        let receipt = Receipt::from_json(std::str::from_utf8(&answer.body)?)?;
        receipt.verify(self.genesis).with_context(|| path.clone())?;
        ensure!(
            self.ballot_hash(choice) == Some(receipt.entry.ballot_hash),
            "{id} chose {choice}, its receipt is of another choice"
        );
        Ok(true)
    }

    /// Has the backend ask every validator for its status, and measure how long that takes.
    pub(super) async fn measure(&self) -> Result<()> {
        let mut client = Client::new(&self.backend)?.with_token(&self.admin_token);
        let path = "/api/admin/validators/refresh-status";
        let answer = client.post(path, &json!({})).await?;
        expect_one_of(&[200, 429, 503], path, &answer)
    }

    /// How the backend says that the validators are.
    pub(super) async fn standings(&self) -> Result<Vec<Standing>> {
        let mut client = Client::new(&self.backend)?.with_token(&self.admin_token);
        let health = get(&mut client, "/api/admin/validators/health").await?;
        let validators = health["validators"].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let standings = validators.map(|validator| Standing {
            node_id: text(&validator["node_id"]),
            is_degraded: validator["status"] == "degraded",
            problem: text(&validator["problem"]),
            latency_ms: validator["latency_ms"].as_f64(),
        });
        Ok(standings.collect())
    }
}

async fn get(client: &mut Client, path: &str) -> Result<Value> {
    let answer = client.get(path).await?;
    expect_one_of(&[200], path, &answer)?;
    Ok(answer.json())
}

fn expect_one_of(statuses: &[u16], path: &str, answer: &Answer) -> Result<()> {
    ensure!(
        statuses.contains(&answer.status),
        "{path}: status {}: {}",
        answer.status,
        answer.excerpt()
    );
    Ok(())
}
