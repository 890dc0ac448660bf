//! The follower's own count of closed elections.
//!
//! What validators attested is on the chain; what they attested it of is the board, which the
//! follower holds. It counts each closed election once, keeps the outcome, and says loudly where the
//! certified result is another.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tabella_ledger::{Election, ElectionTally, ElectionTallyError, LedgerError};
use tabella_protocol::rpc::ElectionStatus;

use crate::Follower;

/// Pause before a count that the host failed on is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// The follower's own count of a closed election.
#[derive(Debug, Clone)]
pub struct Counted {
    /// The outcomes, and what this follower would attest.
    pub tally: ElectionTally,
    /// Whether a quorum of validators attested this very count.
    pub certified: bool,
}

impl Follower {
    /// Returns the count of a closed election, once it is made.
    pub fn counted(&self, election: &Election) -> Result<Option<Counted>, LedgerError> {
        let tally = self.ledger.stored_tally(election.id())?;
        Ok(tally.map(|tally| Counted {
            certified: election.result() == Some(&tally.attestation),
            tally,
        }))
    }

    /// Waits until a closed election is counted here, or cannot be.
    pub async fn wait_for_count(&self, election_id: u64, deadline: Duration) {
        let mut changes = self.changes();
        let counted = async {
            while let Ok(None) = self.ledger.stored_tally(election_id) {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        // Late: the caller continues with what there is.
        let _ = tokio::time::timeout(deadline, counted).await;
    }

    /// Counts every election once it is closed, one at a time. Never returns.
    pub async fn count_closed(self) {
        let mut changes = self.changes();
        // Those that need no second look: counted and certified, or not countable.
        let mut done = BTreeSet::new();
        loop {
            for election in self.ledger.elections() {
                if done.contains(&election.id()) {
                    continue;
                }
                if self.count(&election).await {
                    done.insert(election.id());
                }
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Counts one election where it is closed and not counted; returns whether nothing more can
    /// come of it.
    async fn count(&self, election: &Arc<Election>) -> bool {
        let election_id = election.id();
        if !matches!(
            election.status(),
            ElectionStatus::Closed | ElectionStatus::Final
        ) {
            return false;
        }
        let tally = match self.ledger.stored_tally(election_id) {
            Ok(Some(tally)) => tally,
            // A damaged count is made again; the ledger said so.
            Ok(None) | Err(LedgerError::Damaged(_)) => match self.tally(election).await {
                Ok(tally) => tally,
                Err(ElectionTallyError::Rule { contest, error }) => {
                    tracing::warn!(election_id, contest, %error, "the rule cannot count this board");
                    return true;
                }
                // The ledger said what; it does not get better by trying.
                Err(ElectionTallyError::Ledger(LedgerError::Damaged(_))) => return true,
                Err(ElectionTallyError::Ledger(error)) => {
                    tracing::error!(election_id, %error, "the election cannot be counted here");
                    tokio::time::sleep(RETRY).await;
                    return false;
                }
            },
            Err(error) => {
                tracing::error!(election_id, %error, "the stored count cannot be read");
                return false;
            }
        };
        let Some(certified) = election.result() else {
            return false;
        };
        if *certified != tally.attestation {
            tracing::error!(
                election_id,
                "the certified result is not what the board and the rules give here; verify the \
                 election with `tabella verify election`"
            );
            self.progress
                .send_modify(|progress| progress.dissents.push(election_id));
        }
        true
    }

    async fn tally(&self, election: &Arc<Election>) -> Result<ElectionTally, ElectionTallyError> {
        let (ledger, election) = (Arc::clone(&self.ledger), Arc::clone(election));
        let counting = tokio::task::spawn_blocking(move || {
            let tally = ledger.tally(&election)?;
            ledger.store_tally(&tally)?;
            Ok(tally)
        });
        let counted = counting.await.unwrap_or_else(|error| {
            Err(LedgerError::Storage(format!("the counting task failed: {error}")).into())
        });
        // Whoever waits for the count looks again.
        self.progress.send_modify(|_| {});
        counted
    }
}
