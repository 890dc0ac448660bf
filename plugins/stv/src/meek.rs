//! Meek's count: every elected option keeps a share of each vote that reaches it, just large enough
//! for the quota, and the rest passes on along the ballot.
//!
//! The names in the comments are those of Hill, Wichmann and Woodall's algorithm 123.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroU64;

use tabella_sdk::{Chosen, Lots};

use crate::Stv;
use crate::election::{Count, Election, Status};
use crate::papers::Papers;

mod chains;
mod tree;

use tree::Tree;

/// Steps of papers along their chains in one count, about: what the fuel of a call allows. Only
/// elections of tens of thousands of different rankings for many seats come near.
const WORK_MAX: u64 = 38_000_000;

const TEN: NonZeroU64 = NonZeroU64::new(10).unwrap();

/// Why an iteration ended.
enum Iteration {
    Elected,
    /// The surplus is within omega, or does not shrink any more.
    Converged,
    /// The surplus still shrinks, but to follow it would be too much work; by option, the votes
    /// that it tends to.
    CutShort(Vec<i128>),
    /// These cannot overtake anybody any more.
    SureLosers(Vec<usize>),
}

struct Meek<'a> {
    rule: &'a Stv,
    tree: Tree,
    election: Election,
    /// By option, the share it keeps, in units of the last place.
    keep: Vec<u64>,
    scale: NonZeroU64,
    omega: i128,
    quota: u128,
    /// Of all elected options together; below 0 where rounding took votes away.
    surplus: i128,
    cast: u128,
    /// Steps so far, and of sharing out every ballot last.
    work: u64,
    work_of_all: u64,
}

/// Counts the election.
pub(crate) fn count(rule: &Stv, papers: &Papers, lots: &mut Lots<'_>) -> Count {
    let options = rule.contest.len();
    let scale = TEN.saturating_pow(rule.places.into());
    let cast = u128::from(papers.total()) * u128::from(scale.get());
    let omega_places = u32::from(rule.places) * 2 / 3;
    let mut meek = Meek {
        rule,
        tree: Tree::new(papers, options, scale),
        election: Election::new(options, rule.seats, rule.places, cast),
        keep: vec![scale.get(); options],
        scale,
        omega: i128::from(scale.get() / 10u64.pow(omega_places)),
        quota: rule.quota.of(cast, rule.seats, scale.get()),
        surplus: 0,
        cast,
        work: 0,
        work_of_all: 0,
    };
    meek.distribute();
    if cast == 0 {
        meek.election.open_round();
        return meek.election.finish(meek.quota);
    }
    meek.run(lots)
}

impl Meek<'_> {
    fn run(mut self, lots: &mut Lots<'_>) -> Count {
        while !self.election.is_over() {
            let before = self.election.elected.len();
            let iteration = self.iterate();
            self.election.open_round();
            let elected = self.election.elected[before..].to_vec();
            self.election.round().elected.extend(elected);
            match iteration {
                Iteration::Elected => {}
                Iteration::SureLosers(options) => self.exclude(&options),
                Iteration::Converged => {
                    // Votes are at most 64 bits times ten to the ninth.
                    let votes: Vec<_> = self.election.votes.iter().map(|v| *v as i128).collect();
                    let option = self.last(&votes, self.surplus, lots);
                    self.exclude(&[option]);
                }
                Iteration::CutShort(votes) => {
                    self.election.note_cut_short();
                    let option = self.last(&votes, 0, lots);
                    self.exclude(&[option]);
                }
            }
        }
        let rest = self.election.elect_rest();
        if !rest.is_empty() {
            self.election.open_round();
            self.election.round().elected.extend(rest);
        }
        self.election.finish(self.quota)
    }

    /// Shares out every ballot by the present keep values.
    fn distribute(&mut self) {
        self.work_of_all = (self.tree).distribute(&mut self.election.votes, &self.keep);
        self.work += self.work_of_all;
    }

    fn iterate(&mut self) -> Iteration {
        let mut last_surplus = self.cast as i128;
        // Before votes were shared out last in this iteration.
        let mut before: Option<Vec<u128>> = None;
        loop {
            let held = self.election.votes.iter().sum();
            self.quota = (self.rule.quota).of(held, self.rule.seats, self.scale.get());
            let mut reached = self.election.of(Status::Continuing);
            reached.retain(|option| self.election.votes[*option] >= self.quota);
            let elected = self.election.elect(reached);
            let surplus_of = |option: &usize| {
                // Votes are at most 64 bits times ten to the ninth.
                self.election.votes[*option] as i128 - self.quota as i128
            };
            self.surplus = self.election.elected.iter().map(surplus_of).sum();
            if !elected.is_empty() {
                self.tree.elect(&elected, &self.election.status);
                return Iteration::Elected;
            }
            if self.surplus <= self.omega || self.surplus >= last_surplus {
                return Iteration::Converged;
            }
            if let Some(options) = self.sure_losers() {
                return Iteration::SureLosers(options);
            }
            if let Some(before) = &before
                && self.is_too_much_work()
            {
                return Iteration::CutShort(self.tendency(before, last_surplus));
            }
            last_surplus = self.surplus;
            before = Some(self.election.votes.clone());
            self.update_keep();
            self.distribute();
        }
    }

    /// Whether sharing out the votes once more could leave too little for the rounds to come, each
    /// of which shares them out once at least.
    fn is_too_much_work(&self) -> bool {
        let rounds_max = self.election.of(Status::Continuing).len() as u64;
        self.work + self.work_of_all * rounds_max > WORK_MAX
    }

    /// By option, the votes where they tend to: as the surplus shrinks by the same share each time,
    /// so do the changes of votes.
    fn tendency(&self, before: &[u128], last_surplus: i128) -> Vec<i128> {
        // Above 0, for the surplus has shrunk.
        let shrunk = last_surplus - self.surplus;
        let tends_to = |(votes, before): (&u128, &u128)| {
            let (votes, before) = (*votes as i128, *before as i128);
            // A product that does not fit is that of votes far beyond any real election.
            let more = (votes - before).checked_mul(self.surplus);
            votes + more.unwrap_or(0) / shrunk
        };
        self.election
            .votes
            .iter()
            .zip(before)
            .map(tends_to)
            .collect()
    }

    /// keep x quota / votes, rounded up twice.
    fn update_keep(&mut self) {
        let scale = u128::from(self.scale.get());
        for option in &self.election.elected {
            let votes = self.election.votes[*option];
            if votes > 0 {
                let kept = (u128::from(self.keep[*option]) * self.quota).div_ceil(scale);
                let keep = (kept * scale).div_ceil(votes);
                // Rounding may leave an elected option a little below the quota, but it cannot
                // keep more than a whole vote.
                self.keep[*option] = keep.min(scale) as u64;
            }
        }
    }

    /// The most options with the fewest votes, whole groups of equals, whom even all the surplus
    /// could not lift to the next one; enough must stay to fill the seats.
    fn sure_losers(&self) -> Option<Vec<usize>> {
        let surplus = self.surplus;
        let votes = |option: usize| self.election.votes[option] as i128;
        let mut options = self.election.of(Status::Continuing);
        options.sort_by_key(|option| votes(*option));
        let leave_max = options.len() - (self.election.seats - self.election.elected.len());
        let mut sure = 0;
        let mut together = 0;
        let mut group_votes = options.first().map_or(0, |option| votes(*option));
        for (position, option) in options.iter().enumerate() {
            let here = votes(*option);
            let starts_group = position > 0 && group_votes + surplus < here;
            if starts_group {
                group_votes = here;
                if position > leave_max {
                    break;
                }
                if together + surplus < here {
                    sure = position;
                }
            }
            together += here;
        }
        options.truncate(sure);
        (sure > 0).then_some(options)
    }

    /// Who is excluded: the fewest votes, or within `surplus` of them.
    fn last(&mut self, votes: &[i128], surplus: i128, lots: &mut Lots<'_>) -> usize {
        let mut tied = self.election.of(Status::Continuing);
        let fewest = tied.iter().map(|option| votes[*option]).min().unwrap_or(0);
        // A surplus below 0 leaves nobody within it but the last.
        tied.retain(|option| fewest + surplus.max(0) >= votes[*option]);
        let question = format!("elimination in round {}", self.election.rounds.len());
        // Votes follow from these. The work so far is left out: it only matters near its bound.
        let state = || {
            let keeps = self.election.status.iter().zip(&self.keep);
            let bytes = keeps
                .flat_map(|(status, keep)| keep.to_le_bytes().into_iter().chain([*status as u8]));
            bytes.collect()
        };
        lots.choose_at(9 * self.keep.len(), state, &tied, Chosen::Loses, &question)
    }

    fn exclude(&mut self, options: &[usize]) {
        for option in options {
            self.election.status[*option] = Status::Excluded;
            self.keep[*option] = 0;
        }
        self.election.round().eliminated.extend(options);
        let election = &mut self.election;
        self.work += (self.tree).exclude(options, &election.status, &mut election.votes);
    }
}
