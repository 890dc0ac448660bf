//! The Australian Senate's count: Commonwealth Electoral Act 1918, section 273(8) to (31).
//!
//! Votes are whole. A surplus passes on over all papers of the elected at surplus / papers, an exact
//! fraction: each candidate gets its papers times that, without the rest. Surpluses pass on in the order of
//! election, the larger first where several were elected at one count. The excluded candidate's papers pass
//! on by transfer value, the highest first, each a count of its own; who reaches the quota in between is
//! elected and gets no more of them. Of two who are left for the last place the one with more votes is
//! elected. Equal votes: the last count at which all of the tied differed, then lot, which stands for the
//! Electoral Officer's decision. Several candidates are never excluded together.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

use tabella_sdk::{Chosen, Lots};

use crate::Stv;
use crate::election::{Count, Election, Status};
use crate::papers::{Cursor, Papers};

/// A transfer value: so many votes for so many papers.
#[derive(Clone, Copy)]
struct Value {
    votes: u64,
    papers: u64,
}

impl Value {
    const WHOLE: Self = Self {
        votes: 1,
        papers: 1,
    };

    /// The votes of so many papers, without the rest. There are fewer than 2^64 of both.
    fn of(self, papers: u64) -> u128 {
        u128::from(papers) * u128::from(self.votes) / u128::from(self.papers)
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        let product = |votes: u64, papers: u64| u128::from(votes) * u128::from(papers);
        product(self.votes, other.papers).cmp(&product(other.votes, self.papers))
    }
}

/// An option's papers, by the value at which they came.
type Pile = BTreeMap<Value, Vec<u32>>;

struct Counts<'a> {
    papers: &'a Papers,
    cursor: Cursor<'a>,
    piles: Vec<Pile>,
    quota: u128,
    election: Election,
    /// Elected options whose surplus has not passed on, in the order of election.
    surpluses: VecDeque<usize>,
    /// An excluded option with papers left.
    leaving: Option<(usize, Pile)>,
}

/// Counts the election.
pub(crate) fn count(rule: &Stv, papers: &Papers, lots: &mut Lots<'_>) -> Count {
    let options = rule.contest.len();
    let cast = u128::from(papers.total());
    let quota = rule.quota.of(cast, rule.seats, 1);
    let mut counts = Counts {
        papers,
        cursor: papers.cursor(),
        piles: vec![Pile::new(); options],
        quota,
        election: Election::new(options, rule.seats, 0, cast),
        surpluses: VecDeque::new(),
        leaving: None,
    };
    if cast == 0 {
        counts.election.open_round();
        return counts.election.finish(quota);
    }
    let every_paper: Vec<u32> = (0..papers.len() as u32).collect();
    let first = counts.transfer(every_paper, Value::WHOLE);
    counts.election.votes = first.to;
    counts.run(lots)
}

/// What came to each option.
struct Transferred {
    to: Vec<u128>,
}

impl Counts<'_> {
    fn run(mut self, lots: &mut Lots<'_>) -> Count {
        loop {
            self.election.open_round();
            self.election.history.push(self.election.votes.clone());
            self.elect(lots);
            if self.election.is_over() {
                let rest = self.election.elect_rest();
                self.election.round().elected.extend(rest);
                return self.election.finish(self.quota);
            }
            if let Some((option, pile)) = self.leaving.take() {
                self.pass_on_excluded(option, pile);
            } else if let Some(option) = self.surpluses.pop_front() {
                self.pass_on_surplus(option);
            } else if let Some(winner) = self.last_place(lots) {
                let elected = self.election.elect(vec![winner]);
                self.election.round().elected.extend(elected);
                return self.election.finish(self.quota);
            } else {
                let continuing = self.election.of(Status::Continuing);
                let option = self.extreme(continuing, Chosen::Loses, "elimination", lots);
                self.election.status[option] = Status::Excluded;
                self.election.round().eliminated.push(option);
                let pile = core::mem::take(&mut self.piles[option]);
                self.pass_on_excluded(option, pile);
            }
        }
    }

    /// Those who reached the quota become elected, in the order of their votes.
    fn elect(&mut self, lots: &mut Lots<'_>) {
        let mut reached = self.election.of(Status::Continuing);
        reached.retain(|option| self.election.votes[*option] >= self.quota);
        while !reached.is_empty() {
            if reached
                .iter()
                .all(|option| self.election.votes[*option] == self.quota)
            {
                // Nothing passes on from them, so that nobody has to say who was first.
                let elected = self.election.elect(reached);
                self.election.round().elected.extend(elected);
                return;
            }
            let next = self.extreme(reached.clone(), Chosen::Wins, "the order of election", lots);
            reached.retain(|option| *option != next);
            let elected = self.election.elect(vec![next]);
            self.election.round().elected.extend(elected);
            if self.election.votes[next] > self.quota {
                self.surpluses.push_back(next);
            }
        }
    }

    /// Of two who are left for the last place, the one with more votes.
    fn last_place(&mut self, lots: &mut Lots<'_>) -> Option<usize> {
        let continuing = self.election.of(Status::Continuing);
        let is_last = self.election.elected.len() + 1 == self.election.seats;
        if !is_last || continuing.len() != 2 {
            return None;
        }
        let votes = |position: usize| self.election.votes[continuing[position]];
        match votes(0).cmp(&votes(1)) {
            Ordering::Greater => Some(continuing[0]),
            Ordering::Less => Some(continuing[1]),
            // Here the Act asks the Electoral Officer at once.
            Ordering::Equal => Some(lots.choose(&continuing, Chosen::Wins, "the last place")),
        }
    }

    /// The option with the most or the fewest votes.
    fn extreme(
        &self,
        mut among: Vec<usize>,
        chosen: Chosen,
        question: &str,
        lots: &mut Lots<'_>,
    ) -> usize {
        let best = |of: &Vec<usize>, votes: &[u128]| {
            let had = of.iter().map(|option| votes[*option]);
            match chosen {
                Chosen::Wins => had.max(),
                Chosen::Loses => had.min(),
            }
        };
        let most = best(&among, &self.election.votes);
        among.retain(|option| Some(self.election.votes[*option]) == most);
        let question = format!("{question} in round {}", self.election.rounds.len());
        // The last entry of the history is the tie itself.
        let earlier = &self.election.history[..self.election.history.len() - 1];
        let all_differ = |votes: &&Vec<u128>| {
            let mut had: Vec<u128> = among.iter().map(|option| votes[*option]).collect();
            had.sort_unstable();
            had.windows(2).all(|pair| pair[0] != pair[1])
        };
        if among.len() > 1
            && let Some(votes) = earlier.iter().rev().find(all_differ)
        {
            lots.decided_by(&among, &question, "an earlier stage");
            let most = best(&among, votes);
            among.retain(|option| Some(votes[*option]) == most);
        }
        lots.choose(&among, chosen, &question)
    }

    fn pass_on_surplus(&mut self, option: usize) {
        let surplus = self.election.votes[option] - self.quota;
        let pile = core::mem::take(&mut self.piles[option]);
        let papers: Vec<u32> = pile.into_values().flatten().collect();
        let value = Value {
            // Votes are at most as many as the papers, which are fewer than 2^64.
            votes: surplus as u64,
            papers: self.count_of(&papers).max(1),
        };
        self.election.votes[option] = self.quota;
        let moved = self.transfer(papers, value);
        self.credit(option, surplus, moved);
    }

    /// Passes on the papers of the highest value that an excluded option has left.
    fn pass_on_excluded(&mut self, option: usize, mut pile: Pile) {
        let left = self.election.votes[option];
        let Some((value, papers)) = pile.pop_last() else {
            // Only what the arithmetic cut off was left.
            self.election.votes[option] = 0;
            return;
        };
        // With the last of them go the votes that were cut off.
        let going = match pile.is_empty() {
            true => left,
            false => value.of(self.count_of(&papers)).min(left),
        };
        self.election.votes[option] = left - going;
        let moved = self.transfer(papers, value);
        self.credit(option, going, moved);
        if !pile.is_empty() {
            self.leaving = Some((option, pile));
        }
    }

    fn count_of(&self, papers: &[u32]) -> u64 {
        papers.iter().map(|paper| self.papers.count(*paper)).sum()
    }

    /// Moves papers to their next continuing preference, and tells the whole votes of each.
    fn transfer(&mut self, papers: Vec<u32>, value: Value) -> Transferred {
        let options = self.piles.len();
        let mut came: Vec<Vec<u32>> = vec![Vec::new(); options];
        for paper in papers {
            let status = &self.election.status;
            let continuing = |option: usize| status[option] == Status::Continuing;
            if let Some(option) = self.cursor.advance(paper, continuing) {
                came[option].push(paper);
            }
        }
        let mut to = vec![0; options];
        for (option, papers) in came.into_iter().enumerate() {
            if papers.is_empty() {
                continue;
            }
            to[option] = value.of(self.count_of(&papers));
            self.piles[option].entry(value).or_default().extend(papers);
        }
        Transferred { to }
    }

    fn credit(&mut self, from: usize, going: u128, moved: Transferred) {
        let came: u128 = moved.to.iter().sum();
        for (votes, more) in self.election.votes.iter_mut().zip(&moved.to) {
            *votes += more;
        }
        let lost = going.saturating_sub(came);
        self.election.note_transfers(from, &moved.to, lost);
    }
}
