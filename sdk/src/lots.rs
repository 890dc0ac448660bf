//! Counts with many steps, in each of which a tie may have to be decided; and, where ties are only
//! to be reported, every way to decide them.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::TieBreak;

/// Decides ties one after another during one count.
///
/// ```
/// # use tabella_sdk::{Chosen, Lots, TieBreak};
/// fn count(lots: &mut Lots<'_>) -> Vec<usize> {
///     vec![lots.choose(&[1, 2], Chosen::Wins, "the only seat")]
/// }
/// fn finish(ties: &mut TieBreak) -> Vec<usize> {
///     let followed = Lots::follow(ties, 100, count, |elected| elected);
///     followed.winners
/// }
/// ```
pub struct Lots<'a> {
    ties: &'a mut TieBreak,
    script: Script,
    /// How many options each tie had.
    sizes: Vec<usize>,
    /// All options of these ties.
    tied: BTreeSet<usize>,
    /// Where counts stood when a tie came up of which every way was or will be followed.
    seen: BTreeSet<Vec<u8>>,
    /// The work of telling where counts stood, so far.
    seen_work: usize,
    /// How many ties came before this count stood where another one had.
    ties_before: Option<usize>,
    /// Whether more than one count is made.
    follows: bool,
    record: Record,
}

/// Work of telling where counts stand, at most; ways that meet after that are followed one by one.
const SEEN_WORK_MAX: usize = 4_000_000;

/// How to decide ties that are only reported.
enum Script {
    /// By tie, the position of the option to choose; 0 afterwards.
    Positions(Vec<usize>),
    /// In favour of this option wherever it is tied.
    Favour(usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Record {
    Yes,
    /// The tie stands in the result already, or is one of another way to count.
    No,
}

/// What is decided about the chosen option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// It is elected, or comes first.
    Wins,
    /// It is eliminated.
    Loses,
}

/// A count, and who wins in it or in any way to decide its ties.
#[derive(Debug)]
pub struct Followed<C> {
    /// The count; where ties are only reported, with each of them decided in the paper's order.
    pub count: C,
    /// Its elected options; where ties are only reported, followed by those elected when ties are
    /// decided otherwise.
    pub winners: Vec<usize>,
    /// Whether there were more ways to decide ties than were followed.
    pub cut_short: bool,
}

impl<'a> Lots<'a> {
    /// Counts. Where ties are only to be reported, counts again for every other way to decide them,
    /// `counts_max` times at most in all.
    pub fn follow<C>(
        ties: &'a mut TieBreak,
        counts_max: usize,
        mut count: impl FnMut(&mut Lots<'_>) -> C,
        elected: impl Fn(&C) -> &[usize],
    ) -> Followed<C> {
        let mut lots = Lots {
            follows: counts_max > 1 && ties.only_reports(),
            ties,
            script: Script::Positions(Vec::new()),
            sizes: Vec::new(),
            tied: BTreeSet::new(),
            seen: BTreeSet::new(),
            seen_work: 0,
            ties_before: None,
            record: Record::Yes,
        };
        let first = count(&mut lots);
        let mut winners = elected(&first).to_vec();
        let mut open = if lots.ties.only_reports() {
            lots.branches()
        } else {
            Vec::new()
        };
        let mut also = BTreeSet::new();
        let mut counts = 1;
        lots.record = Record::No;
        // There may be too many ways to follow them all: each tied option's best chance first.
        let favoured = match open[..] {
            [] => BTreeSet::new(),
            _ => core::mem::take(&mut lots.tied),
        };
        for option in favoured {
            if counts < counts_max && !winners.contains(&option) && !also.contains(&option) {
                lots.script = Script::Favour(option);
                also.extend(elected(&count(&mut lots)));
                counts += 1;
            }
        }
        while counts < counts_max
            && let Some(script) = open.pop()
        {
            lots.script = Script::Positions(script);
            lots.sizes.clear();
            lots.ties_before = None;
            also.extend(elected(&count(&mut lots)));
            open.append(&mut lots.branches());
            counts += 1;
        }
        also.retain(|option| !winners.contains(option));
        winners.extend(also);
        Followed {
            count: first,
            winners,
            cut_short: !open.is_empty(),
        }
    }

    /// As [`Lots::choose`], for a count that can tell where it stands: from the same `state` it must
    /// go on alike, but for the order in which options were elected. Ways to decide ties that come to
    /// the same state are then followed once, which makes many ways few. `work` is about how many
    /// bytes are handled to tell the state.
    ///
    /// # Panics
    /// When there are no options to choose from.
    pub fn choose_at(
        &mut self,
        work: usize,
        state: impl FnOnce() -> Vec<u8>,
        tied: &[usize],
        chosen: Chosen,
        question: &str,
    ) -> usize {
        // A tie that the script mentions was seen by the count that the script branches from.
        let is_new = match &self.script {
            Script::Positions(followed) => followed.len() <= self.sizes.len(),
            Script::Favour(_) => false,
        };
        let remembers = self.follows && self.seen_work.saturating_add(work) <= SEEN_WORK_MAX;
        if tied.len() > 1 && is_new && remembers && self.ties_before.is_none() {
            self.seen_work += work;
            if !self.seen.insert(state()) {
                self.ties_before = Some(self.sizes.len());
            }
        }
        self.choose(tied, chosen, question)
    }

    /// Chooses one of the tied options, given in the paper's order, and records the tie.
    ///
    /// # Panics
    /// When there are no options to choose from.
    pub fn choose(&mut self, tied: &[usize], chosen: Chosen, question: &str) -> usize {
        if let [only] = tied {
            return *only;
        }
        let position = match &self.script {
            Script::Positions(positions) => positions.get(self.sizes.len()).copied().unwrap_or(0),
            Script::Favour(option) => {
                let position = tied.iter().position(|other| other == option);
                match (position, chosen) {
                    (Some(position), Chosen::Wins) => position,
                    // The last leaves, or the one before it.
                    (Some(position), Chosen::Loses) => usize::from(position == tied.len() - 1),
                    (None, _) => 0,
                }
            }
        };
        self.sizes.push(tied.len());
        self.tied.extend(tied);
        let mut decided = None;
        if self.record == Record::Yes {
            decided = match chosen {
                Chosen::Wins => self.ties.choose(tied, 1, question).first().copied(),
                Chosen::Loses => Some(self.ties.loser(tied, question)),
            };
        }
        match decided {
            Some(option) if !self.ties.only_reports() => option,
            _ => {
                let position = position.min(tied.len() - 1);
                match chosen {
                    Chosen::Wins => tied[position],
                    Chosen::Loses => tied[tied.len() - 1 - position],
                }
            }
        }
    }

    /// Records a tie that the rule's own method decided.
    pub fn decided_by(&mut self, tied: &[usize], question: &str, method: &str) {
        if self.record == Record::Yes {
            self.ties.record_decided(tied, question, method);
        }
    }

    /// The scripts that differ from the one followed first at a tie that it does not mention and that
    /// no other count had.
    fn branches(&self) -> Vec<Vec<usize>> {
        let Script::Positions(followed) = &self.script else {
            return Vec::new();
        };
        let mut branches = Vec::new();
        let new_ties = &self.sizes[..self.ties_before.unwrap_or(self.sizes.len())];
        for (tie, size) in new_ties.iter().enumerate().skip(followed.len()) {
            for choice in 1..*size {
                let mut branch = followed.clone();
                branch.resize(tie, 0);
                branch.push(choice);
                branches.push(branch);
            }
        }
        branches
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use tabella_abi::contest::{Decider, TieOrder};

    fn ties(decider: Decider, order: &[usize]) -> TieBreak {
        let tie_order = TieOrder {
            decider,
            order: order.to_vec(),
        };
        TieBreak::new(tie_order, order.len()).unwrap()
    }

    /// Two of three win; who loses first never wins.
    fn count(lots: &mut Lots<'_>) -> Vec<usize> {
        let loser = lots.choose(&[0, 1, 2], Chosen::Loses, "who leaves");
        let left: Vec<_> = (0..3).filter(|option| *option != loser).collect();
        vec![lots.choose(&left, Chosen::Wins, "who wins")]
    }

    #[test]
    fn lots_decide_once() {
        let mut ties = ties(Decider::Order, &[2, 0, 1]);
        let followed = Lots::follow(&mut ties, 100, count, |elected| elected);
        assert_eq!(followed.winners, [2]);
        assert_eq!(ties.ties().len(), 2);
    }

    #[test]
    fn every_way_is_followed_where_ties_are_reported() {
        let mut open = ties(Decider::Report, &[0, 1, 2]);
        let followed = Lots::follow(&mut open, 100, count, |elected| elected);
        assert_eq!(followed.winners, [0, 1, 2]);
        assert!(!followed.cut_short);
        assert_eq!(open.ties().len(), 2, "the first way's ties alone");
        let mut open = ties(Decider::Report, &[0, 1, 2]);
        let followed = Lots::follow(&mut open, 2, count, |elected| elected);
        assert!(followed.cut_short);
    }

    /// Ten leave one by one; who is left is the same whatever the order of those before.
    #[test]
    fn ways_that_meet_are_followed_once() {
        let mut counts = 0;
        let mut count = |lots: &mut Lots<'_>| {
            counts += 1;
            let mut left: Vec<u8> = (0..10).collect();
            while left.len() > 1 {
                let tied: Vec<_> = left.iter().map(|option| usize::from(*option)).collect();
                let loser = lots.choose_at(
                    left.len(),
                    || left.clone(),
                    &tied,
                    Chosen::Loses,
                    "who leaves",
                );
                left.retain(|option| usize::from(*option) != loser);
            }
            vec![usize::from(left[0])]
        };
        let order: Vec<_> = (0..10).collect();
        let mut open = ties(Decider::Report, &order);
        let mut followed = Lots::follow(&mut open, 100_000, &mut count, |elected| elected);
        followed.winners.sort_unstable();
        assert_eq!(followed.winners, order);
        assert!(!followed.cut_short);
        // A count for each option that can leave each set of two and more, and the first; 10 ways to
        // favour somebody. There are 3,628,800 orders.
        assert!(counts <= 10 * 512 + 11, "{counts}");
    }

    /// One of ten is left after nine leave.
    #[test]
    fn every_tied_option_gets_its_best_chance() {
        let count = |lots: &mut Lots<'_>| {
            let mut left: Vec<_> = (0..10).collect();
            while left.len() > 1 {
                let loser = lots.choose(&left, Chosen::Loses, "who leaves");
                left.retain(|option| *option != loser);
            }
            left
        };
        let order: Vec<_> = (0..10).collect();
        let mut open = ties(Decider::Report, &order);
        let mut followed = Lots::follow(&mut open, 20, count, |elected| elected);
        followed.winners.sort_unstable();
        assert_eq!(followed.winners, order);
        assert!(followed.cut_short);
    }
}
