//! The acks that come after their blocks.

use std::time::Duration;

use tabella_client::Client;
use tabella_ledger::LedgerError;
use tabella_protocol::Ack;

use crate::Follower;

/// Pause between two looks.
const PERIOD: Duration = Duration::from_secs(1);
/// Heights whose acks are asked for at once.
const HEIGHTS_MAX: u64 = 64;
/// Heights below the newest that are worth asking for.
const WINDOW: u64 = 4 * HEIGHTS_MAX;
/// Rounds from one second look at what lacks acks to the next.
const AGAIN_ROUNDS: u32 = 10;

/// Asks for the acks of blocks that were executed a while ago: most come after the block.
pub(crate) struct Acks {
    follower: Follower,
    client: Client,
    looks: Looks,
    /// Counts the second looks: each asks the next validator.
    turn: usize,
}

/// Which heights are asked for: each once, and those that lack acks again and again for as long as they are
/// in the window. What one validator sends is its word: it may have left out any.
#[derive(Debug)]
struct Looks {
    /// The lowest height that was not asked for.
    first: u64,
    /// The lowest height that the second look under way has not reached.
    again: u64,
    /// Rounds since it began.
    rounds: u32,
}

impl Acks {
    pub(crate) fn new(follower: Follower, client: Client) -> Self {
        Self {
            looks: Looks::after(follower.tip().height),
            follower,
            client,
            turn: 0,
        }
    }

    /// Gathers them forever.
    pub(crate) async fn gather(mut self) {
        loop {
            tokio::time::sleep(PERIOD).await;
            if self.client.is_connected() {
                self.round().await;
            }
        }
    }

    async fn round(&mut self) {
        let tip = self.follower.tip().height;
        if let Some((from, count)) = self.looks.first(tip) {
            let acks = self.client.acks(from, count).await;
            self.looks.first += self.keep(acks.unwrap_or_default()).await;
        }
        let Some((from, to)) = self.looks.again(tip) else {
            return;
        };
        let follower = self.follower.clone();
        let looking = tokio::task::spawn_blocking(move || {
            first_lacking(from, to, |h| follower.lacks_acks(h))
        });
        match looking.await {
            Ok(Ok(Some(from))) => {
                self.looks.again = from;
                let count = (to - from).min(HEIGHTS_MAX);
                // Whoever was asked first may have left them out.
                self.turn = self.turn.wrapping_add(1);
                let acks = self.client.acks_of_next(self.turn, from, count).await;
                self.looks.again += self.keep(acks).await;
            }
            Ok(Ok(None)) => self.looks.again = to,
            Ok(Err(error)) => tracing::warn!(%error, "acks cannot be read"),
            Err(error) => tracing::warn!(%error, "acks cannot be read"),
        }
    }

    /// Keeps the acks that stand here; returns of how many heights there was an answer.
    async fn keep(&self, acks: Vec<Vec<Ack>>) -> u64 {
        let answered = acks.len() as u64;
        let follower = self.follower.clone();
        let keeping = tokio::task::spawn_blocking(move || {
            let mut is_new = false;
            for acks in &acks {
                is_new |= follower.take_acks(acks)?;
            }
            if is_new {
                follower.sync()?;
            }
            Ok::<_, LedgerError>(())
        });
        match keeping.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "acks cannot be kept"),
            Err(error) => tracing::warn!(%error, "acks cannot be kept"),
        }
        answered
    }
}

impl Looks {
    fn after(tip: u64) -> Self {
        Self {
            first: tip + 1,
            again: tip + 1,
            rounds: 0,
        }
    }

    /// The heights to ask for that were not asked for: where they begin, and how many they are.
    fn first(&mut self, tip: u64) -> Option<(u64, u64)> {
        // Of a long history that is caught up with, only the newest are worth a second look.
        self.first = self.first.max(tip.saturating_sub(WINDOW));
        (self.first < tip).then(|| (self.first, (tip - self.first).min(HEIGHTS_MAX)))
    }

    /// The heights to look at again: from the first to before the last. Counts a round.
    fn again(&mut self, tip: u64) -> Option<(u64, u64)> {
        self.rounds = self.rounds.saturating_add(1);
        if self.rounds >= AGAIN_ROUNDS {
            self.rounds = 0;
            self.again = 1;
        }
        self.again = self.again.max(tip.saturating_sub(WINDOW)).max(1);
        let end = self.first.min(tip);
        (self.again < end).then_some((self.again, end))
    }
}

/// The first of these heights that lacks acks.
fn first_lacking(
    from: u64,
    to: u64,
    lacks: impl Fn(u64) -> Result<bool, LedgerError>,
) -> Result<Option<u64>, LedgerError> {
    for height in from..to {
        if lacks(height)? {
            return Ok(Some(height));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Rounds with a chain that grows by a block in each; `answers` says whether the validator that is
    /// asked in a round sends acks, or leaves them out. Returns the heights that have them.
    fn rounds(looks: &mut Looks, mut tip: u64, answers: &[bool]) -> (u64, BTreeSet<u64>) {
        let mut complete = BTreeSet::new();
        for sends in answers {
            tip += 1;
            let mut ask = |from: u64, count: u64| {
                assert!(count <= HEIGHTS_MAX && from + count <= tip);
                if *sends {
                    complete.extend(from..from + count);
                }
                count
            };
            if let Some((from, count)) = looks.first(tip) {
                looks.first += ask(from, count);
            }
            if let Some((from, to)) = looks.again(tip) {
                let lacks = |height| Ok(!complete.contains(&height));
                let from = first_lacking(from, to, lacks).unwrap().unwrap_or(to);
                let count = (to - from).min(HEIGHTS_MAX);
                if *sends {
                    complete.extend(from..from + count);
                }
                looks.again = from + count;
            }
        }
        (tip, complete)
    }

    #[test]
    fn acks_that_one_validator_leaves_out_are_asked_for_again() {
        let mut looks = Looks::after(1_000);
        let answers = [[false; 100], [true; 100]].concat();
        let (tip, complete) = rounds(&mut looks, 1_000, &answers);
        let missing: Vec<_> = (1_000..tip).filter(|h| !complete.contains(h)).collect();
        assert_eq!(missing, [] as [u64; 0]);
    }

    #[test]
    fn what_has_no_acks_for_long_is_let_go_and_never_holds_up_what_is_new() {
        let mut looks = Looks::after(1_000);
        let (tip, _) = rounds(&mut looks, 1_000, &[false; 1_000]);
        assert_eq!(looks.first, tip);
        assert!(looks.again >= tip - WINDOW);
    }
}
