//! The count: who continues, for whom each ballot counts, who leaves.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;

use crate::law::{Overvote, Until};
use crate::{InstantRunoff, Several, Ties};

/// Distinct ballots and how often each was cast.
pub(crate) type Ballots<'a> = Vec<(&'a Ranking, u64)>;

/// Votes while some options continue.
pub(crate) struct Standing {
    /// By option; 0 for those that do not continue.
    pub(crate) votes: Vec<u64>,
    pub(crate) exhausted: u64,
}

/// Where a count is: who continues, and whom each ballot counts for. A ballot is read on only when
/// that option has left.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) continuing: Vec<bool>,
    holders: Vec<Holder>,
    /// By ballot, the bytes before the rank at which it stands.
    starts: Vec<u16>,
    /// The votes of the first round, once they are counted.
    first_votes: Option<u64>,
    /// By round before this one, everybody's votes, where ties look at them.
    earlier: Vec<Vec<u64>>,
}

/// Whom a ballot counts for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    Unread,
    /// There are at most 256 options.
    Option(u8),
    /// No option is left.
    Nobody,
    /// Nobody any more: ended by a rank with several marks.
    Ended,
}

impl State {
    /// Nobody has left but those who were elected before.
    pub(crate) fn start(options: usize, ballots: &Ballots<'_>, elected: &[usize]) -> Self {
        let continuing = (0..options).map(|option| !elected.contains(&option));
        Self {
            continuing: continuing.collect(),
            holders: vec![Holder::Unread; ballots.len()],
            starts: vec![0; ballots.len()],
            first_votes: None,
            earlier: Vec::new(),
        }
    }

    /// Keeps those of the tied options who had the fewest votes in the round before, and so on back with
    /// those left.
    fn settle(&self, tied: Vec<usize>) -> Step {
        let mut left = tied.clone();
        for votes in self.earlier.iter().rev() {
            let fewest = left.iter().map(|option| votes[*option]).min();
            left.retain(|option| Some(votes[*option]) == fewest);
            if let [leaves] = left[..] {
                return Step::ByEarlierRounds { tied, leaves };
            }
        }
        Step::Tie(left)
    }

    pub(crate) fn eliminate(&mut self, leaving: &[usize]) {
        for option in leaving {
            self.continuing[*option] = false;
        }
    }

    /// What the rest of the count depends on: who continues, and which ballots, by position, a rank
    /// with several marks has ended.
    pub(crate) fn key(&self) -> (Vec<bool>, Vec<usize>, Vec<Vec<u64>>) {
        let ballots = self.holders.iter().enumerate();
        let ended = ballots.filter(|(_, holder)| **holder == Holder::Ended);
        (
            self.continuing.clone(),
            ended.map(|(position, _)| position).collect(),
            self.earlier.clone(),
        )
    }
}

/// Why options leave that are not the last.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// They stand for write-ins who did not declare.
    Undeclared,
    /// They have fewer first votes than the election asks for.
    FewFirstVotes,
}

/// What follows from a standing.
pub(crate) enum Step {
    /// The count is over. No option wins where no ballot counts.
    Over { winners: Vec<usize> },
    /// These leave together.
    Eliminate(Vec<usize>),
    /// These leave because they cannot win, whatever votes would pass to them.
    Exclude(Vec<usize>, Why),
    /// Of these, all with the fewest votes, this one had the fewest in an earlier round.
    ByEarlierRounds { tied: Vec<usize>, leaves: usize },
    /// One of these, all with the fewest votes, leaves; the votes cannot tell which.
    Tie(Vec<usize>),
}

impl InstantRunoff {
    pub(crate) fn standing(&self, ballots: &Ballots<'_>, state: &mut State) -> Standing {
        let State {
            continuing,
            holders,
            starts,
            ..
        } = state;
        let mut votes = vec![0u64; continuing.len()];
        let mut exhausted = 0u64;
        for (((ballot, weight), holder), start) in ballots.iter().zip(holders).zip(starts) {
            let is_settled = match *holder {
                Holder::Unread => false,
                Holder::Option(option) => continuing[usize::from(option)],
                Holder::Nobody | Holder::Ended => true,
            };
            if !is_settled {
                *holder = self.holder(ballot, continuing, start);
            }
            match *holder {
                Holder::Option(option) => votes[usize::from(option)] += weight,
                _ => exhausted += weight,
            }
        }
        Standing { votes, exhausted }
    }

    /// Reads a ballot from a rank to the first that counts, and moves the start there.
    fn holder(&self, ballot: &Ranking, continuing: &[bool], start: &mut u16) -> Holder {
        let bytes = ballot.as_bytes();
        let mut ranks = Ranking::view_again(&bytes[usize::from(*start)..]).ranks();
        loop {
            // The host allows ballots of 16 KiB.
            *start = (bytes.len() - ranks.rest().as_bytes().len()) as u16;
            let Some(rank) = ranks.next() else {
                return Holder::Nobody;
            };
            let mut marked = 0;
            let mut continuing_here = 0;
            let mut last = None;
            for option in rank.options() {
                marked += 1;
                if continuing[option] {
                    continuing_here += 1;
                    last = Some(option);
                }
            }
            match (self.law.overvote, marked, continuing_here, last) {
                (Overvote::Exhaust, 2.., _, _) => return Holder::Ended,
                (Overvote::Skip, 2.., _, _) | (_, _, 0, _) => {}
                // The contest has at most 256 options.
                (_, _, 1, Some(option)) => return Holder::Option(option as u8),
                _ => return Holder::Ended,
            }
        }
    }

    pub(crate) fn step(&self, standing: &Standing, state: &mut State) -> Step {
        let step = self.step_by_votes(standing, state);
        let step = match step {
            Step::Tie(tied) if self.ties == Ties::EarlierRounds => state.settle(tied),
            step => step,
        };
        if self.ties == Ties::EarlierRounds {
            state.earlier.push(standing.votes.clone());
        }
        step
    }

    fn step_by_votes(&self, standing: &Standing, state: &mut State) -> Step {
        let votes = &standing.votes;
        let continuing = &state.continuing;
        let left = (0..votes.len()).filter(|option| continuing[*option]);
        let left = self.contest.ascending(left, votes);
        let all: u64 = votes.iter().sum();
        if all == 0 {
            let winners = Vec::new();
            return Step::Over { winners };
        }
        let is_first = state.first_votes.is_none();
        let first_votes = *state.first_votes.get_or_insert(all);
        let most = left[left.len() - 1];
        let threshold = match self.law.until {
            Until::FixedMajorityOrTwo => first_votes / 2,
            _ => all / 2,
        };
        let has_majority = votes[most] > threshold;
        let stops_here = match self.law.until {
            Until::Majority | Until::FixedMajorityOrTwo => has_majority,
            Until::Two => has_majority && left.len() <= 2,
            Until::FirstMajorityOrTwo => has_majority && (is_first || left.len() <= 2),
        };
        if self.several == Several::BottomsUp && self.seats > 1 {
            return self.step_of_bottoms_up(left, standing, is_first);
        }
        let leads_two = left.len() == 2 && votes[left[0]] < votes[most];
        if !self.undeclared[most] && (left.len() == 1 || stops_here || leads_two) {
            let winners = vec![most];
            return Step::Over { winners };
        }
        self.who_leaves(left, votes, is_first)
    }

    /// Who leaves of those that are left, the last first.
    fn who_leaves(&self, mut left: Vec<usize>, votes: &[u64], is_first: bool) -> Step {
        let undeclared: Vec<usize> = (left.iter().copied())
            .filter(|option| self.undeclared[*option])
            .collect();
        if !undeclared.is_empty() {
            return match undeclared.len() == left.len() {
                true => Step::Over {
                    winners: Vec::new(),
                },
                false => Step::Exclude(undeclared, Why::Undeclared),
            };
        }
        if is_first {
            let too_few = |option: &usize| votes[*option] < self.minimum_votes;
            let few: Vec<usize> = left.iter().copied().filter(too_few).collect();
            if !few.is_empty() && few.len() < left.len() {
                return Step::Exclude(few, Why::FewFirstVotes);
            }
        }
        if let Some(batch) = self.batch(&left, votes) {
            return Step::Eliminate(batch);
        }
        let fewest = votes[left[0]];
        left.retain(|option| votes[*option] == fewest);
        if left.len() == 1 {
            Step::Eliminate(left)
        } else {
            Step::Tie(left)
        }
    }

    /// The last leave until as many are left as there are seats; the most votes come first.
    fn step_of_bottoms_up(&self, left: Vec<usize>, standing: &Standing, is_first: bool) -> Step {
        let is_undeclared = left.iter().any(|option| self.undeclared[*option]);
        if left.len() <= self.seats && !is_undeclared {
            let winners = left.into_iter().rev().collect();
            return Step::Over { winners };
        }
        self.who_leaves(left, &standing.votes, is_first)
    }

    /// The most options, from the last up, whose votes together are fewer than the next one's.
    fn batch(&self, ascending: &[usize], votes: &[u64]) -> Option<Vec<usize>> {
        if !self.law.batch_elimination {
            return None;
        }
        let keep = match self.law.until {
            _ if self.several == Several::BottomsUp && self.seats > 1 => self.seats,
            Until::Majority => 1,
            Until::Two | Until::FirstMajorityOrTwo | Until::FixedMajorityOrTwo => 2,
        };
        let mut together = 0;
        let mut size = 0;
        for position in 0..ascending.len().saturating_sub(keep) {
            together += votes[ascending[position]];
            if together < votes[ascending[position + 1]] {
                size = position + 1;
            }
        }
        (size > 0).then(|| ascending[..size].to_vec())
    }
}

/// Why a count, or one of several, is over.
pub(crate) struct End {
    /// The position of its last round.
    pub(crate) round: usize,
    pub(crate) winners: Vec<usize>,
    pub(crate) standing: Standing,
}

/// A finished count.
pub(crate) struct Count {
    /// One, or for several seats filled one after another one for each.
    pub(crate) ends: Vec<End>,
    pub(crate) rounds: Vec<Round>,
    /// By option, the votes it had when it last took part.
    pub(crate) last_totals: Vec<u64>,
    /// Positions of the rounds after which those left who cannot win, and why.
    pub(crate) excluded: Vec<(usize, Why)>,
}

/// What decides a tie that earlier rounds tell apart.
const EARLIER_ROUNDS: &str = "an earlier round";

/// What a tie for elimination decides.
pub(crate) fn elimination(round: usize) -> String {
    format!("elimination in round {round}")
}

impl Count {
    pub(crate) fn run(rule: &InstantRunoff, ballots: &Ballots<'_>, ties: &mut TieBreak) -> Self {
        let mut count = Self {
            ends: Vec::new(),
            rounds: Vec::new(),
            last_totals: vec![0; rule.contest.len()],
            excluded: Vec::new(),
        };
        loop {
            let elected = count.winners();
            if !rule.has_more_seats(&elected) && !count.ends.is_empty() {
                return count;
            }
            let end = count.one(rule, ballots, ties, &elected);
            let is_last = end.winners.is_empty();
            count.ends.push(end);
            if is_last {
                return count;
            }
        }
    }

    /// All winners, in the order of election.
    pub(crate) fn winners(&self) -> Vec<usize> {
        let winners = self.ends.iter().flat_map(|end| &end.winners);
        winners.copied().collect()
    }

    /// One count, without those who were elected before.
    fn one(
        &mut self,
        rule: &InstantRunoff,
        ballots: &Ballots<'_>,
        ties: &mut TieBreak,
        elected: &[usize],
    ) -> End {
        let options = rule.contest.len();
        let mut state = State::start(options, ballots, elected);
        loop {
            let standing = rule.standing(ballots, &mut state);
            let continuing = &state.continuing;
            let totals = (0..options)
                .filter(|option| continuing[*option])
                .map(|option| (option, Number::from(standing.votes[option])));
            let mut round = Round {
                totals: totals.collect(),
                exhausted: standing.exhausted.into(),
                ..Round::default()
            };
            for option in (0..options).filter(|option| continuing[*option]) {
                self.last_totals[option] = standing.votes[option];
            }
            let leaving = match rule.step(&standing, &mut state) {
                Step::Over { winners } => {
                    round.elected = winners.clone();
                    self.rounds.push(round);
                    return End {
                        round: self.rounds.len() - 1,
                        winners,
                        standing,
                    };
                }
                Step::Eliminate(leaving) => leaving,
                Step::Exclude(leaving, why) => {
                    self.excluded.push((self.rounds.len(), why));
                    leaving
                }
                Step::ByEarlierRounds { tied, leaves } => {
                    let question = elimination(self.rounds.len() + 1);
                    ties.record_decided(&tied, &question, EARLIER_ROUNDS);
                    vec![leaves]
                }
                Step::Tie(tied) => {
                    let question = elimination(self.rounds.len() + 1);
                    vec![ties.loser(&tied, &question)]
                }
            };
            state.eliminate(&leaving);
            round.eliminated = leaving;
            self.rounds.push(round);
        }
    }
}
