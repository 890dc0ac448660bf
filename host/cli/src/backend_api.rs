//! The backend's REST API as the commands use it, with the bodies of `tabella_api`.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use tabella_api::{
    AccountAnswer, AdminAnswer, BlocksAnswer, ClosingAnswer, ContestRequest, CreateAccountRequest,
    CreateRequest, ElectionSummary, MintAnswer, MintRequest, OptionRequest, PluginAnswer,
    ProblemDocument, ResultsAnswer, Role, SignedAnswer, SignedRequest, StatusAnswer,
    SubmissionStatus,
};
use tabella_protocol::{Disclosure, Hash, HexBytes, Revote, rpc::ElectionStatus};

use crate::{
    election_file::{ContestFile, ElectionFile},
    http::{Answer, Client},
};

/// Voters whose tokens are asked for in one request.
const VOTER_TOKENS_MAX: usize = 1_000;
/// How long a validator may lag behind the others before its word counts.
const LAG_MAX: Duration = Duration::from_secs(3);
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// The status of a request that is taken, and not done yet.
const ACCEPTED: u16 = 202;

/// A backend, called with an administrator's token.
#[derive(Debug)]
pub struct BackendApi {
    client: Client,
}

/// How far the close of an election is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Close {
    /// It is on the chain.
    Done(AdminAnswer),
    /// No more ballots are taken, and those acknowledged are not all settled.
    Waits(ClosingAnswer),
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
    pub async fn create_election(&mut self, election: &ElectionFile) -> Result<AdminAnswer> {
        let mut contests = Vec::with_capacity(election.contests.len());
        for contest in &election.contests {
            let rule = self.published(&contest.rule).await?;
            contests.push(contest_request(contest, rule));
        }
        let request = CreateRequest {
            title: election.title.clone(),
            contests,
            eligibility: election.eligibility.map(Into::into),
            open_to: election.open_to,
            roll: election.roll,
            revote: election.revote.unwrap_or(Revote::Refuse),
            counts_shown: election.counts_shown.unwrap_or(Disclosure::AtClose),
        };
        let path = "/api/admin/elections";
        read(path, &self.administer(path, &request).await?)
    }

    /// The hash of a rule on the chain: a hash as it is, a built-in's name after publishing it.
    async fn published(&mut self, rule: &str) -> Result<Hash> {
        let Some(builtin) = builtin(rule)? else {
            return Ok(Hash::parse_lenient(rule)?);
        };
        let hash = Hash::of(builtin.wasm);
        if !self.knows_plugin(&hash).await? {
            self.publish(builtin.wasm.to_vec()).await?;
        }
        Ok(hash)
    }

    /// Publishes a plugin. The same bytes again change nothing.
    pub async fn publish(&mut self, wasm: Vec<u8>) -> Result<PluginAnswer> {
        let path = "/api/admin/plugins";
        let sent = self.client.post_bytes(path, "application/wasm", wasm);
        read(path, &sent.await?)
    }

    /// Whether a plugin is on the chain.
    pub async fn knows_plugin(&mut self, hash: &Hash) -> Result<bool> {
        let known = self.client.get(&format!("/api/plugins/{hash}")).await?;
        Ok(known.is_success())
    }

    /// The newest height that the backend has proven.
    pub async fn height(&mut self) -> Result<u64> {
        let answer: BlocksAnswer = self.get("/api/blocks?count=1").await?;
        Ok(answer.height)
    }

    /// Puts a transaction on the chain that an authority signed.
    pub async fn put_signed(&mut self, transaction: Vec<u8>) -> Result<SignedAnswer> {
        let request = SignedRequest {
            transaction: HexBytes(transaction).to_string(),
        };
        let path = "/api/admin/transactions";
        read(path, &self.administer(path, &request).await?)
    }

    /// Creates an account with a role.
    pub async fn create_account(
        &mut self,
        username: &str,
        password: &str,
        role: Role,
    ) -> Result<AccountAnswer> {
        let request = CreateAccountRequest {
            username: username.to_owned(),
            password: password.to_owned(),
            role,
        };
        self.post("/api/admin/accounts", &request).await
    }

    /// Opens an election.
    pub async fn open(&mut self, election_id: u64) -> Result<AdminAnswer> {
        let path = format!("/api/admin/elections/{election_id}/open");
        self.post(&path, &json!({})).await
    }

    /// Closes an election.
    pub async fn close(&mut self, election_id: u64) -> Result<Close> {
        let path = format!("/api/admin/elections/{election_id}/close");
        let answer = self.administer(&path, &json!({})).await?;
        Ok(match answer.status {
            ACCEPTED => Close::Waits(read(&path, &answer)?),
            _ => Close::Done(read(&path, &answer)?),
        })
    }

    /// The elections.
    pub async fn elections(&mut self) -> Result<Vec<ElectionSummary>> {
        self.get("/api/elections").await
    }

    /// The results of an election.
    pub async fn results(&mut self, election_id: u64) -> Result<ResultsAnswer> {
        self.get(&format!("/api/votes/results?election_id={election_id}"))
            .await
    }

    /// Waits until the result of a closed election is certified.
    pub async fn final_results(
        &mut self,
        election_id: u64,
        patience: Duration,
    ) -> Result<ResultsAnswer> {
        let deadline = Instant::now() + patience;
        loop {
            let results = self.results(election_id).await?;
            if results.status == ElectionStatus::Final {
                return Ok(results);
            }
            if Instant::now() > deadline {
                bail!(
                    "the result is not certified after {patience:?}; the election's status is {}",
                    json!(results.status)
                );
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// A token for each voter, in the order given.
    pub async fn voter_tokens(&mut self, voter_ids: &[String]) -> Result<Vec<String>> {
        let mut tokens = Vec::with_capacity(voter_ids.len());
        for part in voter_ids.chunks(VOTER_TOKENS_MAX) {
            let request = MintRequest {
                voter_ids: part.to_vec(),
                expires_in_s: None,
            };
            let minted: MintAnswer = self.post("/api/admin/voter-tokens", &request).await?;
            tokens.extend(minted.tokens.into_iter().map(|minted| minted.token));
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
    ) -> Result<StatusAnswer> {
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
    ) -> Result<StatusAnswer> {
        let deadline = Instant::now() + patience;
        loop {
            let answer = self.transaction_status(transaction_id, election_id).await?;
            if answer.status == SubmissionStatus::Confirmed {
                return Ok(answer);
            }
            if answer.status == SubmissionStatus::Rejected || Instant::now() > deadline {
                bail!(
                    "{transaction_id} was acknowledged, but is not confirmed: {}",
                    json!(answer)
                );
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

    async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T> {
        read(path, &self.client.get(path).await?)
    }

    /// Posts one of several steps that build on each other. The validator that is asked may be a
    /// block behind the one that confirmed the step before, and not know of it yet.
    async fn administer(&mut self, path: &str, body: &impl Serialize) -> Result<Answer> {
        let deadline = Instant::now() + LAG_MAX;
        loop {
            let answer = self.client.post(path, body).await?;
            let problem = answer.read::<ProblemDocument>();
            let lags = !answer.is_success()
                && problem.is_ok_and(|problem| {
                    matches!(&*problem.code, "unknown-plugin" | "unknown-election")
                });
            if !lags || Instant::now() > deadline {
                return Ok(answer);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    async fn post<T: DeserializeOwned>(&mut self, path: &str, body: &impl Serialize) -> Result<T> {
        read(path, &self.client.post(path, body).await?)
    }
}

fn contest_request(contest: &ContestFile, rule: Hash) -> ContestRequest {
    let options = contest.options.iter().map(|option| OptionRequest {
        id: option.id.clone(),
        title: Some(option.title.clone()),
    });
    ContestRequest {
        id: contest.id.clone(),
        title: Some(contest.title.clone()),
        rule: rule.to_string(),
        options: options.collect(),
        params: contest.params.clone(),
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

/// What a successful answer says.
fn read<T: DeserializeOwned>(what: &str, answer: &Answer) -> Result<T> {
    accept(what, answer)?;
    answer.read().map_err(|error| {
        let got = answer.excerpt();
        anyhow!("{what}: expected the answer of a backend of this version ({error}), got {got}")
    })
}

/// Turns a refusal into an error with the backend's own sentence.
fn accept(what: &str, answer: &Answer) -> Result<()> {
    if answer.is_success() {
        return Ok(());
    }
    let status = answer.status;
    // What stands between may answer, too.
    let Ok(problem) = answer.read::<ProblemDocument>() else {
        bail!("{what}: {} (status {status})", answer.excerpt());
    };
    let detail = match &problem.pointer {
        Some(pointer) => format!("{}: {}", pointer.trim_start_matches('/'), problem.detail),
        None => problem.detail,
    };
    bail!("{what}: {detail} (status {status}, {})", problem.code)
}
