//! The chain's elections, from the backend's own proven copy, with their rules ready to run.
//!
//! Nothing here is a validator's word: options, rules, status and boards come from blocks whose
//! certificates were checked and that were executed here. Where the copy lacks an election that the
//! local ledger took over before, that one stands in.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tabella_client::Client;
use tabella_contest::{ChoiceError, encode_choice};
use tabella_follower::Follower;
use tabella_protocol::{
    BoardHead, ContestSpec, Hash, merkle,
    rpc::{ElectionStatus, ElectionView},
};
use tabella_runtime::{Contest, Verdict};

use crate::local_ledger::LocalLedger;

/// How long a request may wait until the block that it depends on is executed here.
const EXECUTION_WAIT: Duration = Duration::from_secs(2);
/// How long an administrator's request may.
const ADMIN_EXECUTION_WAIT: Duration = Duration::from_secs(8);
/// Blocks behind from which on the backend says that it is catching up.
const FAR_BEHIND: u64 = 64;

/// A rule's name for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What its manifest calls it.
    pub name: String,
    /// The version of it.
    pub version: String,
    /// Of its Wasm bytes.
    pub sha256: Hash,
}

/// The parts of an election that never change, ready to use.
pub struct Rules {
    /// Each contest with its rule, in the order of the election.
    pub contests: Vec<Contest>,
    /// The rules' names, in the same order.
    pub rules: Vec<Rule>,
}

/// An election.
#[derive(Clone)]
pub struct Election {
    /// The election as the ledger has it.
    pub proven: Arc<tabella_ledger::Election>,
    /// As it is served.
    pub view: Arc<ElectionView>,
    /// What never changes of it.
    pub rules: Arc<Rules>,
}

/// Why an election is not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// It may be in a block that is not here, and no validator is there to tell.
    #[error("no validator can be reached now; try again later")]
    NoValidator,
    /// There is no such election.
    #[error("there is no election {0}")]
    Unknown(u64),
    /// The copy of the chain is not so far yet.
    #[error(
        "this backend has checked the chain up to block {height}, and validators say they are at {claimed}; \
         ask again when it has caught up"
    )]
    CatchingUp {
        /// The newest block that was executed here.
        height: u64,
        /// The newest that validators speak of.
        claimed: u64,
    },
}

/// All elections.
pub struct Elections {
    client: Client,
    follower: Follower,
    local: LocalLedger,
    /// As last read, with their rules.
    ready: Mutex<HashMap<u64, Election>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Elections {
    pub(crate) fn new(client: Client, follower: Follower, local: LocalLedger) -> Self {
        Self {
            client,
            follower,
            local,
            ready: Mutex::default(),
        }
    }

    /// Returns the election for a ballot: where it is not open in the blocks executed here, those
    /// that are certified already are waited for before a voter is turned away.
    pub(crate) async fn for_ballot(&self, election_id: u64) -> Result<Election, FindError> {
        match self.find(election_id) {
            Some(election) if election.view.status == ElectionStatus::Open => Ok(election),
            _ => self.get(election_id).await,
        }
    }

    /// Returns the election as of the newest block whose certificate was checked, so that a caller
    /// sees what a confirmation before has changed.
    pub async fn get(&self, election_id: u64) -> Result<Election, FindError> {
        self.catch_up().await;
        self.find(election_id)
            .ok_or_else(|| self.not_found(election_id))
    }

    /// Returns every election as of the newest block executed here, by id.
    pub fn all(&self) -> Vec<Election> {
        let proven = self.follower.ledger().elections();
        let proven: Vec<_> = proven.into_iter().map(|e| self.ready(e)).collect();
        if proven.is_empty() {
            let local = self.local.elections().into_iter();
            return local.map(|e| self.stand_in(e)).collect();
        }
        proven
    }

    /// Waits, not for long, until every block whose certificate was checked is executed; where the
    /// copy is far behind or cannot go on, not at all.
    pub async fn catch_up(&self) {
        let progress = self.follower.progress();
        let certified = self.client.tip().borrow().map_or(0, |tip| tip.height);
        let behind = certified.saturating_sub(progress.height);
        if progress.problem.is_none() && behind < FAR_BEHIND {
            self.executed(certified).await;
        }
    }

    /// Waits for at most [`EXECUTION_WAIT`] until the block at a height is executed here.
    pub(crate) async fn executed(&self, height: u64) {
        self.executed_within(height, EXECUTION_WAIT).await;
    }

    /// As [`executed`](Self::executed), for who can wait longer: a rule may have to be compiled first.
    pub(crate) async fn executed_for_administrator(&self, height: u64) {
        self.executed_within(height, ADMIN_EXECUTION_WAIT).await;
    }

    async fn executed_within(&self, height: u64, wait: Duration) {
        let reached = self.follower.reached(height);
        if tokio::time::timeout(wait, reached).await.is_err() {
            // `/health/ready` says how far the copy is; whoever asks does not fill the log.
            tracing::debug!(height, "a certified block is not executed here yet");
        }
    }

    fn find(&self, election_id: u64) -> Option<Election> {
        match self.follower.ledger().election(election_id) {
            Some(proven) => Some(self.ready(proven)),
            None => {
                let local = self.local.election(election_id)?;
                Some(self.stand_in(local))
            }
        }
    }

    /// Returns why there is no such election here: perhaps the copy of the chain is not so far yet.
    pub fn not_found(&self, election_id: u64) -> FindError {
        let height = self.follower.tip().height;
        let claimed = self.client.blockchain_state().claimed_height.unwrap_or(0);
        // With no validator there it may be in a block that is not here.
        if !self.client.is_connected() {
            return FindError::NoValidator;
        }
        if claimed.saturating_sub(height) < FAR_BEHIND {
            return FindError::Unknown(election_id);
        }
        FindError::CatchingUp { height, claimed }
    }

    /// The election with its view and rules; both are kept until a block changes it.
    fn ready(&self, proven: Arc<tabella_ledger::Election>) -> Election {
        let mut ready = lock(&self.ready);
        let kept = ready.get(&proven.id());
        if let Some(kept) = kept
            && Arc::ptr_eq(&kept.proven, &proven)
        {
            return kept.clone();
        }
        let rules = match kept {
            Some(kept) if kept.proven.transaction_id() == proven.transaction_id() => {
                Arc::clone(&kept.rules)
            }
            _ => Arc::new(self.rules(&proven)),
        };
        let election = Election {
            view: Arc::new(proven.view()),
            rules,
            proven,
        };
        ready.insert(election.view.election_id, election.clone());
        election
    }

    /// An election that only the local ledger knows: its board and turnout are another chain's.
    fn stand_in(&self, local: Arc<tabella_ledger::Election>) -> Election {
        let mut view = local.view();
        view.turnout = 0;
        view.board = BoardHead {
            election_id: local.id(),
            size: 0,
            root: merkle::root(&[]),
        };
        Election {
            view: Arc::new(view),
            rules: Arc::new(self.rules(&local)),
            proven: local,
        }
    }

    fn rules(&self, election: &tabella_ledger::Election) -> Rules {
        let contests = election.contests().to_vec();
        let specs = election.spec().contests.iter();
        let rules = specs.zip(&contests).map(|(spec, contest)| Rule {
            name: contest.manifest().name.clone(),
            version: contest.manifest().version.clone(),
            sha256: spec.plugin,
        });
        Rules {
            rules: rules.collect(),
            contests,
        }
    }
}

/// Why a ballot cannot be cast.
#[derive(Debug)]
pub(crate) enum BallotProblem {
    /// Not shaped as its contests' schemas say.
    Choice(ChoiceError),
    /// The rule refuses it, or does not finish on it.
    Rule { contest: usize, verdict: Verdict },
    /// The sandbox failed.
    Host(String),
}

impl Rules {
    /// Returns the canonical bytes of a plain ballot, one byte string for each contest, that the
    /// rules accept.
    pub(crate) fn encode(
        &self,
        contests: &[ContestSpec],
        ballot: &serde_json::Value,
    ) -> Result<Vec<Vec<u8>>, BallotProblem> {
        let ids = contests.iter().map(|contest| contest.id.as_str());
        let papers = self.contests.iter().map(Contest::paper);
        let encoded = encode_choice(ids.zip(papers), ballot).map_err(BallotProblem::Choice)?;
        self.validate(&encoded)?;
        Ok(encoded)
    }

    /// Asks each contest's rule whether it accepts its ballot.
    pub(crate) fn validate(&self, ballots: &[Vec<u8>]) -> Result<(), BallotProblem> {
        if ballots.len() != self.contests.len() {
            return Err(BallotProblem::Choice(ChoiceError::Contests(format!(
                "expected {} ballots, one for each contest, got {}",
                self.contests.len(),
                ballots.len()
            ))));
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
