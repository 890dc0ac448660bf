//! The chain's elections as this backend sees them, with their rules ready to run.
//!
//! Views are read from validators and kept for a second; contests, which never change, are built
//! once. What was seen last is in the database, so that ballots can be taken while no validator
//! answers.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tabella_client::{Client, QueryError};
use tabella_protocol::{
    BoardHead, ContestSpec, Genesis, Hash, merkle,
    rpc::{ElectionStatus, ElectionView},
};
use tabella_runtime::{
    BallotError, Contest, ContestConfig, ContestOption, Plugin, Runtime, RuntimeConfig,
    StrictObject, Verdict,
};

use crate::{local_ledger::LocalLedger, problem::Problem, store::Store};

/// How long a view is good for where the newest is wanted.
const FRESH: Duration = Duration::from_secs(1);
/// How long an id that is not on the chain is not asked for again.
const UNKNOWN: Duration = Duration::from_millis(500);
/// Such ids remembered.
const UNKNOWN_MAX: usize = 1_024;
/// Elections whose rules are kept ready.
const READY_MAX: usize = 4_096;

/// A rule's name for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) sha256: Hash,
}

/// The parts of an election that never change, ready to use.
pub(crate) struct Rules {
    pub(crate) contests: Vec<Contest>,
    pub(crate) rules: Vec<Rule>,
}

/// An election.
#[derive(Clone)]
pub(crate) struct Election {
    pub(crate) view: Arc<ElectionView>,
    pub(crate) rules: Arc<Rules>,
    seen: Instant,
}

/// Why an election's rules are not at hand.
#[derive(Debug, thiserror::Error)]
enum RulesError {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("plugin {0} is not known to any validator")]
    UnknownPlugin(Hash),
    #[error("the rule of contest {contest:?} cannot be run: {reason}")]
    Rule { contest: String, reason: String },
}

/// All elections.
pub(crate) struct Elections {
    client: Client,
    store: Store,
    local: LocalLedger,
    runtime: Runtime,
    plugins_directory: PathBuf,
    ready: Mutex<HashMap<u64, Election>>,
    unknown: Mutex<HashMap<u64, Instant>>,
    /// What elections came to through this backend, proven by their blocks.
    reached: Mutex<HashMap<u64, ElectionStatus>>,
    plugins: Mutex<HashMap<Hash, Plugin>>,
    /// Held while rules are built, so that a crowd builds them once.
    building: tokio::sync::Mutex<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The order of an election's life, which never goes back.
pub(crate) fn rank(status: ElectionStatus) -> u8 {
    match status {
        ElectionStatus::Upcoming => 0,
        ElectionStatus::Open => 1,
        ElectionStatus::Closed => 2,
        ElectionStatus::Final => 3,
    }
}

/// Sets up the sandbox for the network's rules.
pub(crate) fn runtime(
    genesis: &Genesis,
    cache_directory: PathBuf,
) -> Result<Runtime, tabella_runtime::HostFault> {
    Runtime::new(RuntimeConfig {
        cache_dir: Some(cache_directory),
        limits: tabella_ledger::runtime_limits(&genesis.plugin_limits),
        ..RuntimeConfig::default()
    })
}

impl Elections {
    pub(crate) fn new(
        client: Client,
        store: Store,
        runtime: Runtime,
        local: LocalLedger,
        plugins_directory: PathBuf,
    ) -> Self {
        Self {
            client,
            store,
            local,
            runtime,
            plugins_directory,
            ready: Mutex::default(),
            unknown: Mutex::default(),
            reached: Mutex::default(),
            plugins: Mutex::default(),
            building: tokio::sync::Mutex::new(()),
        }
    }

    /// The election as it was last seen, for a ballot: when it is not open there, it is looked at
    /// again before a voter is turned away.
    pub(crate) async fn for_ballot(&self, election_id: u64) -> Result<Election, Problem> {
        let known = lock(&self.ready).get(&election_id).cloned();
        match known {
            Some(election) if election.view.status == ElectionStatus::Open => Ok(election),
            _ => self.current(election_id, Duration::ZERO).await,
        }
    }

    /// The election, at most a second old where a validator answers.
    pub(crate) async fn get(&self, election_id: u64) -> Result<Election, Problem> {
        self.current(election_id, FRESH).await
    }

    async fn current(&self, election_id: u64, age_max: Duration) -> Result<Election, Problem> {
        let known = lock(&self.ready).get(&election_id).cloned();
        if let Some(election) = &known
            && election.seen.elapsed() < age_max
        {
            return Ok(election.clone());
        }
        let asked = lock(&self.unknown).get(&election_id).copied();
        if known.is_none() && asked.is_some_and(|asked| asked.elapsed() < UNKNOWN) {
            return Err(Problem::unknown_election(election_id));
        }
        match (self.client.election(election_id).await, known) {
            (Ok(Some(view)), _) if view.election_id == election_id => self.admit(view).await,
            // While no validator answers, or only one that lags behind, what was seen last must do.
            (_, Some(election)) => Ok(election),
            (Ok(_), None) => {
                self.remember_unknown(election_id);
                Err(Problem::unknown_election(election_id))
            }
            (Err(error), None) => match self.stored(election_id).await? {
                Some(election) => Ok(election),
                None => Err(error.into()),
            },
        }
    }

    /// The chain has confirmed this status: no validator that lags behind takes it back.
    pub(crate) async fn changed(&self, election_id: u64, status: ElectionStatus) {
        lock(&self.reached).insert(election_id, status);
        let changed = {
            let mut ready = lock(&self.ready);
            match ready.get_mut(&election_id) {
                Some(election) if rank(election.view.status) < rank(status) => {
                    let mut view = (*election.view).clone();
                    view.status = status;
                    election.view = Arc::new(view);
                    Some(election.view.clone())
                }
                _ => None,
            }
        };
        if let Some(view) = changed {
            self.keep(&view).await;
        }
    }

    /// Keeps a view for the time when no validator answers.
    async fn keep(&self, view: &ElectionView) {
        if let Err(error) = self.store.keep_election(view).await {
            // Only a restart with no validator there needs it.
            let election_id = view.election_id;
            tracing::warn!(%error, election_id, "the election could not be kept");
        }
    }

    fn remember_unknown(&self, election_id: u64) {
        let mut unknown = lock(&self.unknown);
        if unknown.len() >= UNKNOWN_MAX {
            unknown.retain(|_, asked| asked.elapsed() < UNKNOWN);
        }
        if unknown.len() < UNKNOWN_MAX {
            unknown.insert(election_id, Instant::now());
        }
    }

    async fn stored(&self, election_id: u64) -> Result<Option<Election>, Problem> {
        let views = self.store.elections().await?;
        let kept = views.into_iter().find(|v| v.election_id == election_id);
        let mirrored = self.local.election(election_id).map(|e| view_of(&e));
        let view = match (kept, mirrored) {
            (Some(kept), Some(mirrored)) if rank(kept.status) >= rank(mirrored.status) => kept,
            (kept, mirrored) => match mirrored.or(kept) {
                Some(view) => view,
                None => return Ok(None),
            },
        };
        self.admit(view).await.map(Some)
    }

    /// Takes over a view, with the rules that belong to it.
    async fn admit(&self, mut view: ElectionView) -> Result<Election, Problem> {
        let election_id = view.election_id;
        let known = lock(&self.ready).get(&election_id).cloned();
        let reached = lock(&self.reached).get(&election_id).copied();
        let seen = known.as_ref().map(|known| known.view.status);
        for earlier in [reached, seen].into_iter().flatten() {
            if rank(view.status) < rank(earlier) {
                view.status = earlier;
            }
        }
        let (rules, changed) = match known {
            Some(known) if known.view.spec == view.spec => {
                (known.rules.clone(), known.view.status != view.status)
            }
            _ => {
                let _building = self.building.lock().await;
                let known = lock(&self.ready).get(&election_id).cloned();
                match known {
                    Some(known) if known.view.spec == view.spec => (known.rules, true),
                    _ => {
                        let rules = self.build(&view).await.map_err(|error| match error {
                            RulesError::Query(error) => error.into(),
                            error => Problem::internal(&error),
                        })?;
                        (Arc::new(rules), true)
                    }
                }
            }
        };
        if changed {
            self.keep(&view).await;
        }
        let election = Election {
            view: Arc::new(view),
            rules,
            seen: Instant::now(),
        };
        let mut ready = lock(&self.ready);
        if ready.len() >= READY_MAX && !ready.contains_key(&election_id) {
            let oldest = ready.iter().min_by_key(|(_, e)| e.seen).map(|(id, _)| *id);
            oldest.map(|id| ready.remove(&id));
        }
        ready.insert(election_id, election.clone());
        Ok(election)
    }

    async fn build(&self, view: &ElectionView) -> Result<Rules, RulesError> {
        let mut contests = Vec::with_capacity(view.spec.contests.len());
        let mut rules = Vec::with_capacity(view.spec.contests.len());
        for spec in &view.spec.contests {
            let plugin = self.plugin(spec).await?;
            let manifest = plugin.manifest();
            rules.push(Rule {
                name: manifest.name.clone(),
                version: manifest.version.clone(),
                sha256: spec.plugin,
            });
            contests.push(configure(spec, &plugin)?);
        }
        Ok(Rules { contests, rules })
    }

    async fn plugin(&self, contest: &ContestSpec) -> Result<Plugin, RulesError> {
        let sha256 = contest.plugin;
        if let Some(plugin) = lock(&self.plugins).get(&sha256).cloned() {
            return Ok(plugin);
        }
        let path = self
            .plugins_directory
            .join(format!("{}.wasm", hex::encode(sha256.0)));
        let kept = std::fs::read(&path)
            .ok()
            .filter(|wasm| Hash::of(wasm) == sha256)
            .or_else(|| self.local.plugin(&sha256));
        let wasm = match kept {
            Some(wasm) => wasm,
            None => {
                let wasm = self
                    .client
                    .plugin_wasm(sha256)
                    .await?
                    .ok_or(RulesError::UnknownPlugin(sha256))?;
                if let Err(error) = std::fs::write(&path, &wasm) {
                    tracing::warn!(%error, %sha256, "the plugin could not be kept");
                }
                wasm
            }
        };
        let runtime = self.runtime.clone();
        let failed = |reason: String| RulesError::Rule {
            contest: contest.id.clone(),
            reason,
        };
        let loaded = tokio::task::spawn_blocking(move || runtime.load(&wasm)).await;
        let plugin = loaded
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))?;
        lock(&self.plugins).insert(sha256, plugin.clone());
        Ok(plugin)
    }
}

/// An election of the local ledger, as a validator would tell it; its board is another.
fn view_of(election: &tabella_ledger::Election) -> ElectionView {
    let contests = election.contests().iter();
    ElectionView {
        election_id: election.id(),
        spec: election.spec().clone(),
        status: election.status(),
        roll_size: election.roll_size(),
        turnout: 0,
        board: BoardHead {
            election_id: election.id(),
            size: 0,
            root: merkle::root(&[]),
        },
        transaction_id: election.transaction_id(),
        ballot_schemas: contests.map(Contest::ballot_schema).collect(),
    }
}

fn configure(spec: &ContestSpec, plugin: &Plugin) -> Result<Contest, RulesError> {
    let failed = |reason: String| RulesError::Rule {
        contest: spec.id.clone(),
        reason,
    };
    let params = serde_json::from_str::<StrictObject>(&spec.params);
    let StrictObject(params) = params.map_err(|error| failed(error.to_string()))?;
    let options = spec.options.iter().map(|option| ContestOption {
        id: option.id.clone(),
        title: option.title.clone(),
    });
    let config = ContestConfig {
        options: options.collect(),
        params: params.into(),
    };
    plugin
        .contest(&config)
        .map_err(|error| failed(error.to_string()))
}

/// Why a ballot cannot be cast.
#[derive(Debug)]
pub(crate) enum BallotProblem {
    /// Not shaped as the contest's schema says.
    Shape { contest: usize, error: BallotError },
    /// The rule refuses it, or does not finish on it.
    Rule { contest: usize, verdict: Verdict },
    /// The number or names of contests do not match.
    Contests(String),
    /// The sandbox failed.
    Host(String),
}

impl Rules {
    /// Canonical bytes of a plain ballot, one byte string per contest, that the rules accept.
    ///
    /// In an election of one contest the ballot is that contest's own; otherwise an object with one
    /// member for each contest id.
    pub(crate) fn encode(
        &self,
        contests: &[ContestSpec],
        ballot: &serde_json::Value,
    ) -> Result<Vec<Vec<u8>>, BallotProblem> {
        let parts: Vec<&serde_json::Value> = match contests {
            [_] => vec![ballot],
            _ => by_contest(contests, ballot)?,
        };
        let mut encoded = Vec::with_capacity(parts.len());
        for (contest, (rule, part)) in self.contests.iter().zip(parts).enumerate() {
            let bytes = rule
                .encode_ballot(part)
                .map_err(|error| BallotProblem::Shape { contest, error })?;
            encoded.push(bytes);
        }
        self.validate(&encoded)?;
        Ok(encoded)
    }

    /// Asks each contest's rule whether it accepts its ballot.
    pub(crate) fn validate(&self, ballots: &[Vec<u8>]) -> Result<(), BallotProblem> {
        if ballots.len() != self.contests.len() {
            return Err(BallotProblem::Contests(format!(
                "expected {} ballots, one for each contest, got {}",
                self.contests.len(),
                ballots.len()
            )));
        }
        for (contest, (rule, ballot)) in self.contests.iter().zip(ballots).enumerate() {
            match rule.validate(ballot) {
                Ok(Verdict::Accept) => {}
                Ok(verdict) => return Err(BallotProblem::Rule { contest, verdict }),
                Err(fault) => return Err(BallotProblem::Host(fault.to_string())),
            }
        }
        Ok(())
    }
}

fn by_contest<'b>(
    contests: &[ContestSpec],
    ballot: &'b serde_json::Value,
) -> Result<Vec<&'b serde_json::Value>, BallotProblem> {
    let expected = || {
        let ids: Vec<_> = contests.iter().map(|contest| contest.id.as_str()).collect();
        BallotProblem::Contests(format!(
            "expected an object with one ballot for each contest: {}",
            ids.join(", ")
        ))
    };
    let members = ballot.as_object().ok_or_else(expected)?;
    if members.len() != contests.len() {
        return Err(expected());
    }
    contests
        .iter()
        .map(|contest| members.get(&contest.id).ok_or_else(expected))
        .collect()
}
