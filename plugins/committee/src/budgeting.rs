//! The rule `budgeting`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;
use tabella_sdk::{Chosen, Followed, Lots};

use crate::shares::{self, Bounds, Purses};
use crate::voters::Voters;

/// Counts to make of one election where ties are only reported, at most.
const COUNTS_MAX: usize = 256;

/// Pairs of ballot and approved project to look at in all those counts together, at most, if each
/// purchase looks at all of them.
const PAIRS_MAX: usize = 2_000_000;

/// Ballots to look at while shares are raised, at most.
const WORK_MAX: u64 = 20_000_000;

/// The rule `budgeting`; see the crate's documentation.
pub struct Budgeting {
    contest: Contest,
    budget: u64,
    costs: Vec<u64>,
    method: Method,
}

#[derive(Clone, Copy)]
enum Method {
    Greedy,
    EqualShares(Completion),
}

#[derive(Clone, Copy)]
enum Completion {
    None,
    Add1,
    Utilitarian,
}

/// Funded projects in order.
struct Count {
    funded: Vec<usize>,
    /// Whether shares could have been raised further than was tried.
    raised: Raised,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Raised {
    ToTheEnd,
    CutShort,
}

impl Rule for Budgeting {
    type Ballot = Approvals;
    type Tally = Profile<Approvals>;

    const MANIFEST: Manifest = Manifest::new(
        "budgeting",
        env!("CARGO_PKG_VERSION"),
        "A budget is spent on approved projects.",
    )
    .licence("Apache-2.0")
    .definition(
        "Peters, Pierczyński and Skowron, Proportional Participatory Budgeting with Additive \
         Utilities (2021)",
    )
    .params(&[
        Param::integer("budget", 0, i64::MAX).about("The money to spend."),
        Param::per_option("costs").about("What each project costs."),
        Param::choice("method", &["greedy", "equal-shares"])
            .default_text("greedy")
            .about("Most approvals first, or equal shares of the money for all voters."),
        Param::choice("completion", &["none", "add1", "utilitarian"])
            .default_text("none")
            .about("How equal-shares spends what voters cannot spend."),
    ]);

    fn configure(params: &Params, contest: &Contest) -> Result<Self, ConfigError> {
        let completion = match params.choice("completion") {
            "add1" => Completion::Add1,
            "utilitarian" => Completion::Utilitarian,
            _ => Completion::None,
        };
        Ok(Self {
            contest: contest.clone(),
            // The manifest bounds it, so it fits.
            budget: params.integer("budget") as u64,
            costs: params.per_option("costs").to_vec(),
            method: match params.choice("method") {
                "equal-shares" => Method::EqualShares(completion),
                _ => Method::Greedy,
            },
        })
    }

    fn validate(&self, _ballot: &Approvals) -> Verdict {
        Verdict::Accept
    }

    fn start(&self) -> Profile<Approvals> {
        Profile::new()
    }

    fn fold(&self, profile: &mut Profile<Approvals>, ballot: &Approvals, weight: u64) {
        profile.add(ballot, weight);
    }

    fn merge(&self, profile: &mut Profile<Approvals>, other: Profile<Approvals>) {
        profile.merge(&other);
    }

    fn finish(&self, profile: Profile<Approvals>, ties: &mut TieBreak) -> Outcome {
        let voters = Voters::new(&profile, self.contest.len());
        drop(profile);
        let raises = match self.method {
            Method::EqualShares(Completion::Add1) => 100,
            _ => 1,
        };
        let work = (voters.pairs().max(1))
            .saturating_mul(self.contest.len())
            .saturating_mul(raises);
        let followed = Lots::follow(
            ties,
            COUNTS_MAX.min(PAIRS_MAX / work),
            |lots| self.count(&voters, lots),
            |count| &count.funded,
        );
        let explanation = self.explain(&voters, &followed, ties);
        let mut outcome = self.contest.outcome(&voters.approvals, followed.winners);
        outcome.explanation = explanation;
        outcome
    }
}

impl Budgeting {
    fn count(&self, voters: &Voters, lots: &mut Lots<'_>) -> Count {
        let mut raised = Raised::ToTheEnd;
        let funded = match self.method {
            Method::Greedy => self.greedy(voters, Vec::new(), lots),
            Method::EqualShares(completion) => {
                let mut bounds = Bounds {
                    work: WORK_MAX,
                    spent_max: u128::from(self.budget),
                };
                let mut purses = Purses::equal(voters, self.budget, voters.total);
                let funded = shares::buy(voters, &self.costs, &mut purses, &mut bounds, lots);
                match completion {
                    Completion::None => funded,
                    Completion::Utilitarian => self.greedy(voters, funded, lots),
                    Completion::Add1 => self.add1(voters, funded, &mut raised, &mut bounds, lots),
                }
            }
        };
        Count { funded, raised }
    }

    fn cost(&self, projects: &[usize]) -> u128 {
        let costs = projects
            .iter()
            .map(|project| u128::from(self.costs[*project]));
        costs.sum()
    }

    /// Approved projects that the money left pays for.
    fn affordable(&self, voters: &Voters, funded: &[usize]) -> Vec<usize> {
        let left = u128::from(self.budget).saturating_sub(self.cost(funded));
        (0..self.contest.len())
            .filter(|project| {
                voters.approvals[*project] > 0
                    && !funded.contains(project)
                    && u128::from(self.costs[*project]) <= left
            })
            .collect()
    }

    fn greedy(&self, voters: &Voters, mut funded: Vec<usize>, lots: &mut Lots<'_>) -> Vec<usize> {
        loop {
            let mut tied = self.affordable(voters, &funded);
            let approvals = |project: &usize| voters.approvals[*project];
            let Some(most) = tied.iter().map(approvals).max() else {
                return funded;
            };
            tied.retain(|project| approvals(project) == most);
            // Where the money pays for all of them there is nothing to decide.
            let question = format!("purchase {}", funded.len() + 1);
            let left = u128::from(self.budget).saturating_sub(self.cost(&funded));
            if self.cost(&tied) <= left {
                funded.extend(tied);
            } else {
                funded.push(lots.choose(&tied, Chosen::Wins, &question));
            }
        }
    }

    /// Begins anew with larger shares as long as that stays within the budget.
    fn add1(
        &self,
        voters: &Voters,
        mut funded: Vec<usize>,
        raised: &mut Raised,
        bounds: &mut Bounds,
        lots: &mut Lots<'_>,
    ) -> Vec<usize> {
        let mut share = self.budget / voters.total.max(1);
        let mut left_before = WORK_MAX;
        while !self.affordable(voters, &funded).is_empty() {
            // Buying with larger shares takes about as much as it did with the last ones.
            let took = left_before - bounds.work;
            if bounds.work < took {
                *raised = Raised::CutShort;
                return funded;
            }
            left_before = bounds.work;
            share += 1;
            let mut purses = Purses::equal(voters, share, 1);
            let next = shares::buy(voters, &self.costs, &mut purses, bounds, lots);
            if self.cost(&next) > u128::from(self.budget) {
                return funded;
            }
            funded = next;
        }
        funded
    }

    fn explain(&self, voters: &Voters, followed: &Followed<Count>, ties: &TieBreak) -> String {
        let Count { funded, raised } = &followed.count;
        if funded.is_empty() {
            return String::from("No approved project can be paid for, so nothing is funded.");
        }
        let mut text = match self.method {
            Method::Greedy => String::from("By most approvals: "),
            Method::EqualShares(Completion::None) => String::from("By equal shares: "),
            Method::EqualShares(Completion::Add1) => {
                String::from("By equal shares, raised while the budget allows: ")
            }
            Method::EqualShares(Completion::Utilitarian) => {
                String::from("By equal shares, and the rest by most approvals: ")
            }
        };
        for (position, project) in funded.iter().enumerate() {
            if position > 0 {
                text.push_str(", ");
            }
            text.push_str(&format!(
                "{} ({} approvals, costs {})",
                self.contest.title(*project),
                voters.approvals[*project],
                self.costs[*project]
            ));
        }
        let (spent, budget) = (self.cost(funded), self.budget);
        text.push_str(&format!(". {spent} of {budget} are spent."));
        text.push_str(&ties.told(&self.contest));
        if followed.winners.len() > funded.len() {
            let also = self.contest.list(&followed.winners[funded.len()..]);
            text.push_str(&format!(
                " Ties were left undecided; depending on them {also} can be funded instead."
            ));
        }
        if *raised == Raised::CutShort {
            text.push_str(" Shares could have been raised further than was tried.");
        }
        if followed.cut_short {
            text.push_str(" There are more ways to decide the ties than were followed.");
        }
        text
    }
}
