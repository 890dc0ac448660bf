//! Counts while an election is still open, where its disclosure is `live`: the proven board so far,
//! through the election's own rules. Nobody certifies them; the next ballot may change them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;
use tabella_follower::Follower;
use tabella_ledger::ElectionTallyError;
use tabella_outbox::{ReadError, elections::Election};

/// Larger boards are counted at close only, in ballots.
const BALLOTS_MAX: u64 = 100_000;
/// How long a count is shown before the board is looked at again.
const FRESH: Duration = Duration::from_secs(2);
/// Elections whose counts are kept.
const COUNTS_MAX: usize = 256;

/// A count that is shown.
#[derive(Debug, PartialEq)]
pub(crate) struct Shown {
    /// Each contest's outcome.
    pub(crate) outcomes: Vec<Value>,
    /// What the ballots that count weigh together.
    pub(crate) weight: u64,
}

/// Nothing where it cannot be counted.
type Outcomes = Option<Arc<Shown>>;

struct Count {
    counted: Instant,
    outcomes: Result<Outcomes, ReadError>,
}

/// The latest counts of open elections.
#[derive(Default)]
pub(crate) struct LiveCounts {
    counts: Mutex<HashMap<u64, Count>>,
    /// Held while counting, so that a crowd counts once.
    counting: tokio::sync::Mutex<()>,
}

impl LiveCounts {
    /// Each contest's outcome if the election closed now; nothing where the board is too large or
    /// a rule cannot count what is there so far.
    pub(crate) async fn outcomes(
        &self,
        follower: &Follower,
        election: &Election,
    ) -> Result<Outcomes, ReadError> {
        let election_id = election.view.election_id;
        if let Some(outcomes) = self.fresh(election_id) {
            return outcomes;
        }
        let _counting = self.counting.lock().await;
        if let Some(outcomes) = self.fresh(election_id) {
            return outcomes;
        }
        let outcomes = counted(follower, election).await;
        self.keep(election_id, outcomes.clone());
        outcomes
    }

    /// Keeps a count, or that it failed: trying again costs as much.
    fn keep(&self, election_id: u64, outcomes: Result<Outcomes, ReadError>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= COUNTS_MAX {
            counts.retain(|_, count| count.counted.elapsed() < FRESH);
        }
        if counts.len() < COUNTS_MAX {
            let count = Count {
                counted: Instant::now(),
                outcomes,
            };
            counts.insert(election_id, count);
        }
    }

    fn fresh(&self, election_id: u64) -> Option<Result<Outcomes, ReadError>> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.get(&election_id)?;
        (count.counted.elapsed() < FRESH).then(|| count.outcomes.clone())
    }
}

async fn counted(follower: &Follower, election: &Election) -> Result<Outcomes, ReadError> {
    let board = Arc::clone(&election.proven);
    if board.board().size > BALLOTS_MAX {
        return Ok(None);
    }
    let contests = election.rules.clone();
    let counted = tabella_outbox::read(follower, move |ledger| {
        let tally = match ledger.tally(&board) {
            Ok(tally) => tally,
            Err(ElectionTallyError::Rule { .. }) => return Ok(None),
            Err(ElectionTallyError::Ledger(error)) => return Err(error),
        };
        let shown = contests.contests.iter().zip(&tally.outcomes);
        let outcomes = shown.map(|(contest, outcome)| contest.outcome_json(outcome).ok());
        Ok(outcomes.collect::<Option<Vec<_>>>().map(|outcomes| Shown {
            outcomes,
            weight: tally.weight,
        }))
    });
    Ok(counted.await?.map(Arc::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_failed_is_remembered_too() {
        let counts = LiveCounts::default();
        assert_eq!(counts.fresh(1), None);
        let failed = ReadError::of("the disk is gone");
        for count in [Ok(None), Err(failed)] {
            counts.keep(1, count.clone());
            assert_eq!(counts.fresh(1), Some(count));
        }
    }
}
