//! What must hold at the end of a run, beside what is checked at every step.

use std::collections::{BTreeMap, BTreeSet};

use tabella_ledger::Ledger;
use tabella_protocol::{Hash, Revote, VoterId};

use super::world::World;

impl World {
    /// Every violation of the run.
    pub(super) fn judge(&mut self) -> Vec<String> {
        let mut problems = std::mem::take(&mut self.violations);
        if !problems.is_empty() {
            return problems;
        }
        let live = |node: usize| self.nodes[node].live.as_ref();
        let honest: Vec<_> = self.honest().filter_map(live).collect();
        let is_one_network =
            self.forks.is_empty() && honest.iter().all(|live| live.replica.evidence.is_signing());
        for (node, live) in self.honest().filter_map(|node| Some((node, live(node)?))) {
            if self.forks.is_empty() && !live.replica.evidence.is_signing() && !self.may_fork() {
                problems.push(format!("validator {node} stopped signing without a fork"));
            }
            if self.plan.attack.is_none() && !live.replica.evidence.found().is_empty() {
                problems.push(format!(
                    "validator {node} found evidence against an honest one"
                ));
            }
            let (included, mut found) = self.check_ledger(&live.ledger);
            if is_one_network {
                found.extend(self.check_kept(|id| included.contains(id)));
            }
            problems.extend(found.into_iter().map(|p| format!("validator {node}: {p}")));
        }
        // Where a liar has brought the network to a stop, ballots wait.
        if !is_one_network && honest.len() == self.honest().count() {
            let is_kept = |id: &Hash| {
                honest.iter().any(|live| {
                    let place = live.ledger.place_of(id);
                    place.is_ok_and(|place| place.is_some()) || live.pool.get(id).is_some()
                })
            };
            problems.extend(self.check_kept(is_kept));
        }
        problems
    }

    /// Honest validators without evidence that names the liar.
    pub(super) fn ignorant(&self) -> Vec<usize> {
        let attacker = self
            .plan
            .attack
            .map(|attack| self.nodes[attack.attacker].key.public());
        let names_it = |node: &usize| {
            let live = self.nodes[*node].live.as_ref();
            live.is_some_and(|live| {
                let history = live.ledger.validators();
                let found = live.replica.evidence.found().into_iter();
                let mut summaries = found.filter_map(|found| found.verify(&history).ok());
                summaries.any(|summary| {
                    let mut liars = summary.liars.iter();
                    liars.any(|liar| Some(liar.public_key) == attacker)
                })
            })
        };
        self.honest().filter(|node| !names_it(node)).collect()
    }

    /// Checks one chain by itself. Returns which ballots are on it, and what is wrong.
    fn check_ledger(&self, ledger: &Ledger) -> (BTreeSet<Hash>, Vec<String>) {
        let mut problems = Vec::new();
        match ledger.verify() {
            Ok(view) => problems.extend(view.problems),
            Err(error) => problems.push(error.to_string()),
        }
        let mut count: BTreeMap<Hash, u32> = BTreeMap::new();
        for height in 1..=ledger.tip().height {
            let stored = ledger.block(height).ok().flatten();
            let Some(stored) = stored else {
                problems.push(format!("no block at height {height}"));
                continue;
            };
            for transaction in &stored.block.transactions {
                *count.entry(Hash::of(transaction)).or_default() += 1;
            }
        }
        if let Some((id, times)) = count.iter().find(|(_, times)| **times > 1) {
            problems.push(format!("transaction {id} is on the chain {times} times"));
        }
        let mut voters: BTreeMap<VoterId, BTreeSet<Hash>> = BTreeMap::new();
        for client in &self.clients {
            let id = Hash::of(&client.transaction);
            if count.contains_key(&id) {
                voters.entry(client.voter).or_default().insert(id);
            }
        }
        for (voter, ballots) in &voters {
            if ballots.len() > 1 && self.plan.revote == Revote::Refuse {
                problems.push(format!("voter {voter} voted twice"));
            }
        }
        let turnout = voters.len() as u64;
        let included: BTreeSet<Hash> = voters.into_values().flatten().collect();
        let Some(election) = ledger.election(1) else {
            problems.push("the election is gone".into());
            return (included, problems);
        };
        let counted = (election.board().size, election.turnout());
        if counted != (included.len() as u64, turnout) {
            let (board, of) = counted;
            problems.push(format!(
                "{board} ballots of {of} voters are counted, expected {} of {turnout}",
                included.len(),
            ));
        }
        (included, problems)
    }

    /// That of every acknowledged ballot something is kept: itself, or, where a voter has one vote and
    /// cast two, one of them.
    fn check_kept(&self, is_kept: impl Fn(&Hash) -> bool) -> Vec<String> {
        let mut problems = Vec::new();
        let mut voters: BTreeMap<VoterId, bool> = BTreeMap::new();
        for client in &self.clients {
            let id = Hash::of(&client.transaction);
            let kept = is_kept(&id);
            let acknowledged = client.answered == Some(true);
            if acknowledged && !kept && self.plan.revote == Revote::Last {
                problems.push(format!("acknowledged transaction {id} is lost"));
            }
            if kept || client.answered.is_some() {
                *voters.entry(client.voter).or_default() |= kept;
            }
        }
        let lost = voters.into_iter().filter(|(_, kept)| !kept);
        problems.extend(lost.map(|(voter, _)| format!("every ballot of voter {voter} is lost")));
        problems
    }
}
