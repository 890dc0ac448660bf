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
        for node in self.honest() {
            let Some(live) = &self.nodes[node].live else {
                continue;
            };
            if self.forks.is_empty() && !live.replica.evidence.is_signing() && !self.may_fork() {
                problems.push(format!("validator {node} stopped signing without a fork"));
            }
            if self.plan.attack.is_none() && !live.replica.evidence.found().is_empty() {
                problems.push(format!(
                    "validator {node} found evidence against an honest one"
                ));
            }
            if self.forks.is_empty() && live.replica.evidence.is_signing() {
                let found = self.check_ledger(&live.ledger);
                problems.extend(found.into_iter().map(|p| format!("validator {node}: {p}")));
            }
        }
        problems
    }

    fn check_ledger(&self, ledger: &Ledger) -> Vec<String> {
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
        let mut included = BTreeSet::new();
        for client in &self.clients {
            let id = Hash::of(&client.transaction);
            let of_voter = voters.entry(client.voter).or_default();
            if count.contains_key(&id) {
                of_voter.insert(id);
                included.insert(id);
            } else if client.answered == Some(true) && self.plan.revote == Revote::Last {
                problems.push(format!("acknowledged transaction {id} is lost"));
            }
        }
        for (voter, ballots) in &voters {
            match (ballots.len(), self.plan.revote) {
                (0, _) => problems.push(format!("every ballot of voter {voter} is lost")),
                (2.., Revote::Refuse) => problems.push(format!("voter {voter} voted twice")),
                _ => {}
            }
        }
        let Some(election) = ledger.election(1) else {
            problems.push("the election is gone".into());
            return problems;
        };
        let (board, turnout) = (election.board().size, election.turnout());
        if (board, turnout) != (included.len() as u64, voters.len() as u64) {
            problems.push(format!(
                "{board} ballots of {turnout} voters are counted, expected {} of {}",
                included.len(),
                voters.len()
            ));
        }
        problems
    }
}
