//! Administering with an authority's key that is kept away from backends: what is signed is made here,
//! from the author's file, and a backend only carries it to the chain.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};
use tabella_api::SignedAnswer;
use tabella_files::{read_genesis, read_key};
use tabella_protocol::{
    ContestSpec, Disclosure, ElectionProof, ElectionSpec, Genesis, Hash, OptionSpec, Payload,
    ProvenElection, PublicKey, Revote, SigningKey, StatedEligibility, StatedEligibilityError,
    Transaction, TransactionBody,
};

use crate::{
    backend_api::{BackendApi, Close, builtin},
    election_file::ElectionFile,
};

/// How many blocks what is signed here stays good for: long enough to be carried, too short to be kept.
const EXPIRY_HEIGHTS: u64 = 200;
/// How long acknowledged ballots may take to end before somebody has to look.
const DRAIN_PATIENCE: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The holder of an authority's key.
pub(crate) struct Authority {
    key: SigningKey,
    genesis: Genesis,
}

impl Authority {
    /// Reads the key and the network that it administers.
    pub(crate) fn read(key: &Path, genesis: &Path) -> Result<Self> {
        let (key, genesis) = (read_key(key)?, read_genesis(genesis)?);
        let public = key.public();
        ensure!(
            genesis.authorities.contains(&public),
            "{public} is no authority of this network; its genesis document names {}",
            join(&genesis.authorities)
        );
        Ok(Self { key, genesis })
    }

    /// Publishes a rule; the same bytes again change nothing.
    pub(crate) async fn publish(&self, api: &mut BackendApi, wasm: Vec<u8>) -> Result<Value> {
        let hash = Hash::of(&wasm);
        if !api.knows_plugin(&hash).await? {
            let height = api.height().await?;
            self.put(api, Payload::PublishPlugin { wasm }, height)
                .await?;
        }
        Ok(json!({"sha256": hash}))
    }

    /// Creates an election after publishing the built-in rules that it names and the chain lacks.
    /// `registrar` signs its ballots, where voters do not themselves. That the chain holds this very
    /// election under the id answered is checked by a proof. Returns that id, and what the backend says.
    pub(crate) async fn create(
        &self,
        api: &mut BackendApi,
        file: &ElectionFile,
        registrar: Option<PublicKey>,
    ) -> Result<(u64, SignedAnswer)> {
        let spec = spec(file, registrar)?;
        spec.check()?;
        for contest in &file.contests {
            if let Some(rule) = builtin(&contest.rule)? {
                self.publish(api, rule.wasm.to_vec()).await?;
            }
        }
        let payload = Payload::CreateElection(spec.clone());
        // Whenever a creation comes, it does no harm.
        let height = api.height().await?;
        let (transaction_id, created) = self.put(api, payload, height).await?;
        let id = created.election_id.context("the election is on the chain, and the backend has not executed its block yet; list the elections")?;
        let proven = self.proven(api, id).await?;
        ensure!(
            proven.spec == spec && proven.transaction_id == transaction_id,
            "the backend says that this election has the id {id}, which is another one on the chain"
        );
        Ok((id, created))
    }

    /// Opens an election.
    pub(crate) async fn open(
        &self,
        api: &mut BackendApi,
        election_id: u64,
    ) -> Result<SignedAnswer> {
        let height = self.proven(api, election_id).await?.height;
        let payload = Payload::OpenElection { election_id };
        Ok(self.put(api, payload, height).await?.1)
    }

    /// Closes an election once every ballot that the backend acknowledged has ended. Returns what the backend says:
    /// it may have closed the election itself.
    pub(crate) async fn close(&self, api: &mut BackendApi, election_id: u64) -> Result<Value> {
        let deadline = Instant::now() + DRAIN_PATIENCE;
        loop {
            let left = match api.close(election_id).await? {
                Close::Done(answer) => return Ok(json!(answer)),
                Close::Waits(answer) => answer.unsettled,
            };
            match left {
                0 => break,
                _ if Instant::now() < deadline => tokio::time::sleep(POLL_INTERVAL).await,
                left => bail!(
                    "no more ballots are taken, and {left} of those acknowledged are neither confirmed nor refused after {DRAIN_PATIENCE:?}; run this again later"
                ),
            }
        }
        let height = self.proven(api, election_id).await?.height;
        let payload = Payload::CloseElection { election_id };
        Ok(json!(self.put(api, payload, height).await?.1))
    }

    /// What the chain says of an election, as of a block that a quorum signed. A backend can show an old
    /// one; what is signed by its height expires the earlier.
    async fn proven(&self, api: &mut BackendApi, election_id: u64) -> Result<ProvenElection> {
        let proof: ElectionProof = serde_json::from_slice(&api.election_proof(election_id).await?)
            .context("expected the proof of an election")?;
        let proven = proof.verify(&self.genesis)?;
        ensure!(
            proven.election_id == election_id,
            "expected a proof of election {election_id}, got one of {}",
            proven.election_id
        );
        Ok(proven)
    }

    /// Signs what is to be on the chain soon after `height`. Returns its id, and what the backend says.
    async fn put(
        &self,
        api: &mut BackendApi,
        payload: Payload,
        height: u64,
    ) -> Result<(Hash, SignedAnswer)> {
        let expiry = EXPIRY_HEIGHTS
            .min(self.genesis.expiry_heights_max / 2)
            .max(1);
        let body = TransactionBody::new(
            self.genesis.chain_id,
            height.saturating_add(expiry),
            payload,
        );
        let transaction = Transaction::sign(body, &self.key);
        let answer = api.put_signed(transaction.to_bytes()).await?;
        Ok((transaction.id(), answer))
    }
}

fn join(keys: &[PublicKey]) -> String {
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    keys.join(", ")
}

/// What the chain is told of an election.
fn spec(file: &ElectionFile, registrar: Option<PublicKey>) -> Result<ElectionSpec> {
    let voters = StatedEligibility {
        kind: file.eligibility,
        open_to: file.open_to,
        roll: file.roll,
    };
    let eligibility = voters
        .eligibility(registrar)
        .map_err(|error| match error {
            StatedEligibilityError::NoRegistrar => anyhow!(
                "expected --registrar with the public key that signs this election's ballots: `tabella keys show` prints that of a backend's registrar_key"
            ),
            error => error.into(),
        })?;
    let mut contests = Vec::with_capacity(file.contests.len());
    for contest in &file.contests {
        let plugin = match builtin(&contest.rule)? {
            Some(rule) => Hash::of(rule.wasm),
            None => Hash::parse_lenient(&contest.rule)?,
        };
        let options = contest.options.iter().map(|option| OptionSpec {
            id: option.id.clone(),
            title: option.title.clone(),
        });
        contests.push(ContestSpec {
            id: contest.id.clone(),
            title: contest.title.clone(),
            plugin,
            options: options.collect(),
            params: Value::Object(contest.params.0.clone()).to_string(),
        });
    }
    Ok(ElectionSpec {
        title: file.title.clone(),
        contests,
        eligibility,
        revote: file.revote.unwrap_or(Revote::Refuse),
        disclosure: file.counts_shown.unwrap_or(Disclosure::AtClose),
    })
}
