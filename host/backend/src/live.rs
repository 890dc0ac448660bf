//! Counts while an election is still open, where its disclosure is `live`: the board so far, through
//! the election's own rules. Nobody certifies them; the next ballot may change them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;
use tabella_client::Client;
use tabella_protocol::{BoardEntry, rpc::BoardItem};

use crate::{
    elections::{Election, Rules},
    problem::Problem,
};

/// Larger boards are counted at close only, in ballots.
const BALLOTS_MAX: u64 = 100_000;
/// Ballots fetched at once.
const PAGE: u64 = 1_000;
/// How long a count is shown before the board is looked at again.
const FRESH: Duration = Duration::from_secs(2);
/// Elections whose counts are kept.
const COUNTS_MAX: usize = 256;

/// Each contest's outcome; nothing where it cannot be counted.
type Outcomes = Option<Arc<Vec<Value>>>;

struct Count {
    counted: Instant,
    outcomes: Result<Outcomes, Problem>,
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
        client: &Client,
        election: &Election,
    ) -> Result<Outcomes, Problem> {
        let election_id = election.view.election_id;
        if let Some(outcomes) = self.fresh(election_id) {
            return outcomes;
        }
        let _counting = self.counting.lock().await;
        if let Some(outcomes) = self.fresh(election_id) {
            return outcomes;
        }
        let outcomes = counted(client, election).await;
        self.keep(election_id, outcomes.clone());
        outcomes
    }

    /// Keeps a count, or that it failed: trying again costs as much.
    fn keep(&self, election_id: u64, outcomes: Result<Outcomes, Problem>) {
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

    fn fresh(&self, election_id: u64) -> Option<Result<Outcomes, Problem>> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.get(&election_id)?;
        (count.counted.elapsed() < FRESH).then(|| count.outcomes.clone())
    }
}

async fn counted(client: &Client, election: &Election) -> Result<Outcomes, Problem> {
    let Some((items, root)) = board(client, election.view.election_id).await? else {
        return Ok(None);
    };
    let rules = election.rules.clone();
    let counted = tokio::task::spawn_blocking(move || count(&rules, &items, root))
        .await
        .map_err(|error| Problem::internal(&error))?;
    Ok(counted.map(Arc::new))
}

/// The whole board and its root, if it is not too large.
async fn board(
    client: &Client,
    election_id: u64,
) -> Result<Option<(Vec<BoardItem>, [u8; 32])>, Problem> {
    let mut items: Vec<BoardItem> = Vec::new();
    loop {
        let page = client.board(election_id, items.len() as u64, PAGE).await?;
        let head = page.board;
        if head.size > BALLOTS_MAX {
            return Ok(None);
        }
        let ended = page.items.is_empty();
        items.extend(page.items);
        if ended || items.len() as u64 >= head.size {
            return Ok(Some((items, head.root.0)));
        }
    }
}

fn count(rules: &Rules, items: &[BoardItem], root: [u8; 32]) -> Option<Vec<Value>> {
    let standing = standing(items)?;
    let contests = rules.contests.iter().enumerate();
    contests
        .map(|(place, contest)| {
            let ballots = standing.iter().map(|(weight, ballots)| {
                (*weight, ballots.get(place).cloned().unwrap_or_default())
            });
            let tally = contest.tally(ballots, root).ok()?;
            contest.outcome_json(&tally.outcome).ok()
        })
        .collect()
}

/// Each voter's last ballot, in the board's order, with its weight; nothing if the ballots are not
/// the ones that the entries stand for.
fn standing(items: &[BoardItem]) -> Option<Vec<(u64, Vec<Vec<u8>>)>> {
    let mut seen = BTreeSet::new();
    let mut standing = Vec::new();
    for item in items.iter().rev() {
        if !seen.insert(item.entry.voter) {
            continue;
        }
        let ballots = item.ballots.iter();
        let ballots: Vec<Vec<u8>> = ballots
            .map(|text| hex::decode(text.trim_start_matches("0x")))
            .collect::<Result<_, _>>()
            .ok()?;
        if BoardEntry::ballot_hash(&ballots) != item.entry.ballot_hash {
            return None;
        }
        standing.push((u64::from(item.entry.weight), ballots));
    }
    standing.reverse();
    Some(standing)
}

#[cfg(test)]
mod tests {
    use tabella_protocol::{Hash, VoterId};

    use super::*;

    fn item(position: u64, voter: u8, ballot: u8) -> BoardItem {
        let ballots = vec![vec![ballot]];
        BoardItem {
            entry: BoardEntry {
                election_id: 1,
                position,
                transaction_id: Hash::ZERO,
                voter: VoterId([voter; 32]),
                weight: u32::from(voter),
                ballot_hash: BoardEntry::ballot_hash(&ballots),
            },
            height: 1,
            ballots: vec![format!("0x{ballot:02x}")],
            plain: vec![],
        }
    }

    #[test]
    fn a_count_that_failed_is_remembered_too() {
        let counts = LiveCounts::default();
        assert_eq!(counts.fresh(1), None);
        for failed in [Ok(None), Err(Problem::no_validator())] {
            counts.keep(1, failed.clone());
            assert_eq!(counts.fresh(1), Some(failed));
        }
    }

    #[test]
    fn a_voters_last_ballot_stands() {
        let board = [item(0, 1, 10), item(1, 2, 20), item(2, 1, 11)];
        let expected = vec![(2, vec![vec![20]]), (1, vec![vec![11]])];
        assert_eq!(standing(&board), Some(expected));
    }

    #[test]
    fn ballots_that_are_not_the_entries_count_for_nothing() {
        let mut board = [item(0, 1, 10)];
        board[0].ballots = vec!["0x0b".into()];
        assert_eq!(standing(&board), None);
        board[0].ballots.clear();
        assert_eq!(standing(&board), None);
    }
}
