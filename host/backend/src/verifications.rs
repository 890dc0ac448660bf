//! Re-checks of the chain that anybody may ask for: one at a time, each shared by who asks meanwhile.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::http::StatusCode;
use tabella_client::{Client, Integrity, IntegrityError};
use tabella_http_server::{Freshness, RunFailed, SharedRun};
use tokio::sync::Semaphore;

use crate::problem::Problem;

/// Pause between the starts of two re-checks for one election; whoever asks meanwhile is answered with
/// the last one.
const PAUSE: Duration = Duration::from_secs(10);
/// Elections whose re-check may wait for that of another.
const WAITING_MAX: usize = 8;
/// Elections whose last re-check is kept.
const KEPT_MAX: usize = 64;

type Found = Result<Integrity, IntegrityError>;

/// The re-checks of every election.
pub(crate) struct Verifications {
    of_election: Mutex<HashMap<u64, Arc<SharedRun<Found>>>>,
    running: Arc<Semaphore>,
}

impl Verifications {
    pub(crate) fn new() -> Self {
        Self {
            of_election: Mutex::default(),
            running: Arc::new(Semaphore::new(1)),
        }
    }

    /// What a re-check of the chain and of this election's board finds.
    pub(crate) async fn of(&self, client: &Client, election_id: u64) -> Result<Integrity, Problem> {
        let shared = self.shared(election_id)?;
        let (client, running) = (client.clone(), Arc::clone(&self.running));
        let run = async move {
            // Nobody closes it.
            let _turn = running.acquire_owned().await;
            client.verify_integrity(election_id).await
        };
        let found = shared.get(run).await;
        let found = found.map_err(|RunFailed(reason)| Problem::internal(&reason))?;
        found.map_err(|error| match error {
            IntegrityError::UnknownElection(id) => Problem::unknown_election(id),
            IntegrityError::Query(error) => error.into(),
            IntegrityError::Task(error) => Problem::internal(&error),
        })
    }

    fn shared(&self, election_id: u64) -> Result<Arc<SharedRun<Found>>, Problem> {
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
            return Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "verification-running",
                "other verifications are running; try again when they are done",
            ));
        }
        let shared = Arc::new(SharedRun::new(PAUSE, Freshness::Recent));
        known.insert(election_id, Arc::clone(&shared));
        Ok(shared)
    }
}
