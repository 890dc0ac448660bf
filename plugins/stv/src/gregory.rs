//! The counts that pass papers on stage by stage: Scottish, weighted inclusive and last-parcel
//! Gregory.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::{Chosen, Lots};

use crate::election::{Count, Election, Status};
use crate::papers::{Cursor, Papers};
use crate::{Rules, Stv};

/// Papers that came to an option at one stage with one value.
struct Parcel {
    /// In units of the last place.
    value: u64,
    stage: usize,
    papers: Vec<u32>,
}

/// The papers of every option.
struct Piles<'a> {
    papers: &'a Papers,
    cursor: Cursor<'a>,
    by_option: Vec<Vec<Parcel>>,
    stage: usize,
}

/// What a parcel's move changed, in units of the last place.
struct Moved {
    to: Vec<u128>,
    exhausted: u128,
}

impl Piles<'_> {
    /// Moves papers to their next continuing preference at a new value.
    fn pass_on(&mut self, moved: &mut Moved, papers: Vec<u32>, value: u64, election: &Election) {
        for paper in papers {
            let votes = u128::from(self.papers.count(paper)) * u128::from(value);
            let continuing = |option: usize| election.status[option] == Status::Continuing;
            match self.cursor.advance(paper, continuing) {
                Some(option) => {
                    moved.to[option] += votes;
                    self.give(option, paper, value);
                }
                None => moved.exhausted += votes,
            }
        }
    }

    fn give(&mut self, option: usize, paper: u32, value: u64) {
        let stage = self.stage;
        let pile = &mut self.by_option[option];
        // This stage's parcels are the last ones.
        let mut of_stage = (pile.iter_mut().rev()).take_while(|parcel| parcel.stage == stage);
        match of_stage.find(|parcel| parcel.value == value) {
            Some(parcel) => parcel.papers.push(paper),
            None => pile.push(Parcel {
                value,
                stage,
                papers: vec![paper],
            }),
        }
    }

    fn count_of(&self, papers: &[u32]) -> u64 {
        papers.iter().map(|paper| self.papers.count(*paper)).sum()
    }
}

/// Counts the election.
pub(crate) fn count(rule: &Stv, papers: &Papers, lots: &mut Lots<'_>) -> Count {
    let options = rule.contest.len();
    let scale = 10u64.pow(rule.places.into());
    let cast = u128::from(papers.total()) * u128::from(scale);
    let quota = rule.quota.of(cast, rule.seats, scale);
    let mut election = Election::new(options, rule.seats, rule.places, cast);
    let mut piles = Piles {
        papers,
        cursor: papers.cursor(),
        by_option: (0..options).map(|_| Vec::new()).collect(),
        stage: 0,
    };
    let mut moved = Moved {
        to: vec![0; options],
        exhausted: 0,
    };
    if cast == 0 {
        election.open_round();
        return election.finish(quota);
    }
    let every_paper = (0..papers.len() as u32).collect();
    piles.pass_on(&mut moved, every_paper, scale, &election);
    election.votes = moved.to;
    Stages {
        rule,
        scale,
        quota,
        election,
        piles,
        surpluses: Vec::new(),
        leaving: None,
    }
    .run(lots)
}

/// The count after the first preferences.
struct Stages<'a> {
    rule: &'a Stv,
    scale: u64,
    quota: u128,
    election: Election,
    piles: Piles<'a>,
    /// Elected options whose surplus has not passed on.
    surpluses: Vec<usize>,
    /// An excluded option with parcels left, the next one last.
    leaving: Option<(usize, Vec<Parcel>)>,
}

impl Stages<'_> {
    fn run(mut self, lots: &mut Lots<'_>) -> Count {
        loop {
            self.election.open_round();
            self.election.history.push(self.election.votes.clone());
            self.elect();
            if self.election.is_over() {
                let rest = self.election.elect_rest();
                self.election.round().elected.extend(rest);
                return self.election.finish(self.quota);
            }
            self.piles.stage += 1;
            if let Some((option, parcels)) = self.leaving.take() {
                self.pass_on_excluded(option, parcels);
            } else if let Some(option) = self.next_surplus(lots) {
                self.pass_on_surplus(option);
            } else {
                let option = self.last(lots);
                self.election.status[option] = Status::Excluded;
                self.election.round().eliminated.push(option);
                let mut parcels = core::mem::take(&mut self.piles.by_option[option]);
                parcels.sort_by_key(|parcel| parcel.value);
                self.pass_on_excluded(option, parcels);
            }
        }
    }

    fn elect(&mut self) {
        let mut reached = self.election.of(Status::Continuing);
        reached.retain(|option| self.election.votes[*option] >= self.quota);
        let elected = self.election.elect(reached);
        let above = |option: &&usize| self.election.votes[**option] > self.quota;
        self.surpluses.extend(elected.iter().filter(above));
        self.election.round().elected.extend(elected);
    }

    /// Whose surplus passes on next: the largest.
    fn next_surplus(&mut self, lots: &mut Lots<'_>) -> Option<usize> {
        let votes = |option: &usize| self.election.votes[*option];
        let most = self.surpluses.iter().map(votes).max()?;
        let mut tied = self.surpluses.clone();
        tied.retain(|option| votes(option) == most);
        tied.sort_unstable();
        let question = format!("the next surplus in round {}", self.election.rounds.len());
        let option = self.decide(tied, Chosen::Wins, &question, lots);
        self.surpluses.retain(|other| *other != option);
        Some(option)
    }

    /// Who is excluded: the fewest votes.
    fn last(&mut self, lots: &mut Lots<'_>) -> usize {
        let mut tied = self.election.of(Status::Continuing);
        let votes = |option: &usize| self.election.votes[*option];
        let fewest = tied.iter().map(votes).min().unwrap_or(0);
        tied.retain(|option| votes(option) == fewest);
        let question = format!("elimination in round {}", self.election.rounds.len());
        self.decide(tied, Chosen::Loses, &question, lots)
    }

    /// By an earlier stage where the rules look there, else by lot.
    fn decide(
        &self,
        mut tied: Vec<usize>,
        chosen: Chosen,
        question: &str,
        lots: &mut Lots<'_>,
    ) -> usize {
        let before = tied.clone();
        // The last entry of the history is the tie itself.
        let history = &self.election.history[..self.election.history.len() - 1];
        match self.rule.rules {
            Rules::Scottish => narrow(&mut tied, chosen, history.iter().rev()),
            Rules::FractionalGregory => narrow(&mut tied, chosen, history.iter()),
            Rules::Wigm | Rules::Meek | Rules::Senate => {}
        }
        if before.len() > 1 && tied.len() == 1 {
            lots.decided_by(&before, question, "an earlier stage");
        }
        lots.choose_at(self.state_work(), || self.state(), &tied, chosen, question)
    }

    /// About how much work it is to tell the state; in contests of many options, more than it saves.
    fn state_work(&self) -> usize {
        const OPTIONS_MAX: usize = 64;
        let options = self.election.status.len();
        let stages = match self.rule.rules {
            Rules::Wigm => 0,
            _ => self.election.history.len(),
        };
        match options {
            0..=OPTIONS_MAX => 10 * self.piles.papers.len() + 16 * stages * options,
            _ => usize::MAX,
        }
    }

    /// All that the rest of the count depends on while no excluded option has parcels left.
    fn state(&self) -> Vec<u8> {
        let mut state: Vec<u8> = self.election.status.iter().map(|s| *s as u8).collect();
        let mut surpluses = self.surpluses.clone();
        surpluses.sort_unstable();
        // Options are at most 256, and not all of them have a surplus.
        state.push(surpluses.len() as u8);
        state.extend(surpluses.iter().map(|option| *option as u8));
        // Who holds each paper, at which value, and whether it came last where that matters; zeros where
        // nobody does.
        let mut papers = vec![[0; 10]; self.piles.papers.len()];
        let last_matters = self.rule.rules == Rules::FractionalGregory;
        for (option, parcels) in self.piles.by_option.iter().enumerate() {
            let last_stage = parcels.last().map(|parcel| parcel.stage);
            for parcel in parcels {
                let came_last = last_matters && Some(parcel.stage) == last_stage;
                let mut held = [
                    option as u8,
                    1 + u8::from(came_last),
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                ];
                held[2..].copy_from_slice(&parcel.value.to_le_bytes());
                for paper in &parcel.papers {
                    papers[*paper as usize] = held;
                }
            }
        }
        state.extend(papers.as_flattened());
        if self.rule.rules != Rules::Wigm {
            self.put_order_at_earlier_stages(&mut state);
        }
        state
    }

    /// By stage, how many of those in play had fewer votes than each of them, which is all that a tie
    /// is decided by; stages in a row that tell the same count as one.
    fn put_order_at_earlier_stages(&self, state: &mut Vec<u8>) {
        let mut in_play = self.election.of(Status::Continuing);
        in_play.extend(&self.surpluses);
        in_play.sort_unstable();
        let mut before = Vec::new();
        for votes in &self.election.history {
            let mut ascending: Vec<u128> = in_play.iter().map(|option| votes[*option]).collect();
            ascending.sort_unstable();
            let fewer = |option: &usize| {
                let votes = votes[*option];
                ascending.partition_point(|other| *other < votes) as u8
            };
            let order: Vec<u8> = in_play.iter().map(fewer).collect();
            if order != before {
                state.extend(&order);
                before = order;
            }
        }
    }

    fn pass_on_surplus(&mut self, option: usize) {
        let total = self.election.votes[option];
        let surplus = total - self.quota;
        let scale = u128::from(self.scale);
        let mut moved = self.nothing_moved();
        let mut parcels = core::mem::take(&mut self.piles.by_option[option]);
        if self.rule.rules == Rules::FractionalGregory {
            let stage = parcels.last().map(|parcel| parcel.stage);
            parcels.retain(|parcel| Some(parcel.stage) == stage);
        }
        for parcel in parcels {
            let received = u128::from(parcel.value);
            // Every product fits: values are at most the scale, 10^9, and votes 64 bits times it.
            let value = match self.rule.rules {
                Rules::FractionalGregory => {
                    let transferable = self.transferable(&parcel.papers);
                    (surplus / u128::from(transferable.max(1))).min(received)
                }
                Rules::Scottish => received * surplus / total,
                Rules::Wigm | Rules::Meek | Rules::Senate => {
                    received * surplus / scale * scale / total
                }
            };
            // At most the value received.
            let value = value as u64;
            self.piles
                .pass_on(&mut moved, parcel.papers, value, &self.election);
        }
        self.election.votes[option] = self.quota;
        self.credit(option, moved);
    }

    /// How many of these papers name another continuing option.
    fn transferable(&mut self, papers: &[u32]) -> u64 {
        let status = &self.election.status;
        let continuing = |option: usize| status[option] == Status::Continuing;
        let named = papers
            .iter()
            .copied()
            .filter(|paper| self.piles.cursor.peek(*paper, continuing))
            .collect::<Vec<u32>>();
        self.piles.count_of(&named)
    }

    /// Passes on the next parcels of an excluded option: all of them at once, except where each
    /// value is a stage of its own.
    fn pass_on_excluded(&mut self, option: usize, mut parcels: Vec<Parcel>) {
        let mut moved = self.nothing_moved();
        let mut left = self.election.votes[option];
        let by_value = self.rule.rules == Rules::FractionalGregory;
        let value = parcels.last().map(|parcel| parcel.value);
        while let Some(parcel) = parcels.pop() {
            if by_value && Some(parcel.value) != value {
                parcels.push(parcel);
                break;
            }
            let papers = u128::from(self.piles.count_of(&parcel.papers));
            left -= papers * u128::from(parcel.value);
            self.piles
                .pass_on(&mut moved, parcel.papers, parcel.value, &self.election);
        }
        self.election.votes[option] = left;
        self.credit(option, moved);
        if !parcels.is_empty() {
            self.leaving = Some((option, parcels));
        }
    }

    fn nothing_moved(&self) -> Moved {
        Moved {
            to: vec![0; self.election.votes.len()],
            exhausted: 0,
        }
    }

    fn credit(&mut self, from: usize, moved: Moved) {
        for (votes, more) in self.election.votes.iter_mut().zip(&moved.to) {
            *votes += more;
        }
        self.election
            .note_transfers(from, &moved.to, moved.exhausted);
    }
}

/// Keeps those of the tied options whom the first of these stages that tells them apart favours,
/// and so on with those left.
fn narrow<'a>(tied: &mut Vec<usize>, chosen: Chosen, stages: impl Iterator<Item = &'a Vec<u128>>) {
    for votes in stages {
        if tied.len() == 1 {
            return;
        }
        let had = tied.iter().map(|option| votes[*option]);
        let best = match chosen {
            Chosen::Wins => had.max(),
            Chosen::Loses => had.min(),
        };
        tied.retain(|option| Some(votes[*option]) == best);
    }
}
