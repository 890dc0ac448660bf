//! Re-checks of the chain that anybody may ask for: one at a time, each shared by who asks meanwhile.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus_client::metrics::counter::Counter;
use tabella_client::{Agreement, Client};
use tabella_follower::{Follower, Recheck, RecheckError};
use tabella_http_server::{Freshness, RunFailed, SharedRun};
use tabella_ledger::LedgerError;
use tokio::sync::Semaphore;

/// Pause between the starts of two re-checks for one election; whoever asks meanwhile is answered with
/// the last one.
const PAUSE: Duration = Duration::from_secs(10);
/// Elections whose re-check may wait for that of another.
const WAITING_MAX: usize = 8;
/// Elections whose last re-check is kept.
const KEPT_MAX: usize = 64;

/// What a re-check finds: of the backend's own copy of the chain, and which validators hold it.
#[derive(Clone)]
pub(crate) struct Verification {
    pub(crate) recheck: Recheck,
    pub(crate) agreement: Agreement,
}

/// Why nothing was re-checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VerificationError {
    /// The proven chain has no such election.
    #[error("there is no election {0}")]
    UnknownElection(u64),
    /// As many wait as may.
    #[error("other verifications are running; try again when they are done")]
    OthersRun,
    /// The copy cannot be read.
    #[error("{0}")]
    Failed(String),
}

type Found = Result<Verification, Arc<RecheckError>>;

/// The re-checks of every election.
pub(crate) struct Verifications {
    of_election: Mutex<HashMap<u64, Arc<SharedRun<Found>>>>,
    running: Arc<Semaphore>,
    begun: Counter,
}

impl Verifications {
    /// None yet; `begun` counts them.
    pub(crate) fn new(begun: Counter) -> Self {
        Self {
            of_election: Mutex::default(),
            running: Arc::new(Semaphore::new(1)),
            begun,
        }
    }

    /// What a re-check of the chain and of this election's board finds.
    pub(crate) async fn of(
        &self,
        client: &Client,
        follower: &Follower,
        election_id: u64,
    ) -> Result<Verification, VerificationError> {
        let shared = self.shared(election_id)?;
        let (client, follower) = (client.clone(), follower.clone());
        let (running, begun) = (Arc::clone(&self.running), self.begun.clone());
        let run = async move {
            // Nobody closes it.
            let _turn = running.acquire_owned().await;
            begun.inc();
            let tip = follower.tip();
            let checking = tokio::task::spawn_blocking(move || follower.recheck(election_id));
            let agreement = client.agreement(tip.height, tip.block_hash).await;
            let checked = checking.await;
            let recheck = checked.unwrap_or_else(|error| {
                Err(LedgerError::Storage(format!("the checking task failed: {error}")).into())
            })?;
            Ok(Verification { recheck, agreement })
        };
        let found = shared.get(run).await;
        let found = found.map_err(|RunFailed(reason)| VerificationError::Failed(reason))?;
        found.map_err(|error| match &*error {
            RecheckError::UnknownElection(id) => VerificationError::UnknownElection(*id),
            RecheckError::Ledger(error) => VerificationError::Failed(error.to_string()),
        })
    }

    fn shared(&self, election_id: u64) -> Result<Arc<SharedRun<Found>>, VerificationError> {
        let mut known = self
            .of_election
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = known.get(&election_id) {
            return Ok(Arc::clone(shared));
        }
        if known.len() >= KEPT_MAX {
            // Those that nobody waits for.
            known.retain(|_, shared| Arc::strong_count(shared) > 1);
        }
        let waiting = known
            .values()
            .filter(|shared| Arc::strong_count(shared) > 1);
        if waiting.count() > WAITING_MAX {
            return Err(VerificationError::OthersRun);
        }
        let shared = Arc::new(SharedRun::new(PAUSE, Freshness::Recent));
        known.insert(election_id, Arc::clone(&shared));
        Ok(shared)
    }
}
