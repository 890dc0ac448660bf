//! Tideman's ranked pairs.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Reverse;

use tabella_sdk::prelude::*;

use crate::{Duels, Judgement, Method, STRENGTH, name};

/// Majorities are locked in from the strongest down, but for those that would close a circle with
/// stronger ones; the option that none is locked in against wins. `votes` are the comparisons that
/// an option wins.
///
/// Majorities of equal strength can be taken in any order. All orders that differ in their effect
/// are followed, as far as that takes no more than a fixed amount of work. Past it the equal
/// majorities are taken by the tie-break's order of their winners, then of their losers from the
/// last (T. M. Zavist and T. N. Tideman, Social Choice and Welfare 6, 1989).
pub struct RankedPairsMethod;

impl Method for RankedPairsMethod {
    const MANIFEST: Manifest = Manifest::new(
        "ranked-pairs",
        env!("CARGO_PKG_VERSION"),
        "Majorities are locked in from the strongest down unless they contradict stronger ones.",
    )
    .licence("Apache-2.0")
    .definition("T. N. Tideman, Social Choice and Welfare 4, 1987, pp. 185-206")
    .params(&[STRENGTH]);

    fn judge(contest: &Contest, duels: &Duels, ties: &TieBreak) -> Judgement {
        let groups = groups(duels, ties);
        let options = duels.len();
        let mut search = Search {
            groups: &groups,
            seen: BTreeSet::new(),
            winners: BTreeSet::new(),
            work_left: WORK_MAX,
        };
        let is_complete = search.run(options).is_some();
        let one_order = in_one_order(&groups, options);
        let winners: Vec<usize> = if is_complete {
            search.winners.into_iter().collect()
        } else if ties.only_reports() {
            search.winners.extend(one_order.locked.undefeated());
            search.winners.into_iter().collect()
        } else {
            one_order.locked.undefeated()
        };
        let won = |option: usize| {
            (0..options)
                .filter(|other| duels.beats(option, *other))
                .count()
        };
        Judgement {
            reason: explain(contest, &one_order, winners.len(), is_complete),
            winners,
            votes: (0..options)
                .map(|option| (won(option) as u64).into())
                .collect(),
        }
    }
}

/// A majority for the first option against the second.
type Majority = (usize, usize);

/// Majorities of equal strength together, the strongest first.
fn groups(duels: &Duels, ties: &TieBreak) -> Vec<Vec<Majority>> {
    let options = duels.len();
    let mut majorities: Vec<(Reverse<u64>, usize, Reverse<usize>, Majority)> = Vec::new();
    for winner in 0..options {
        for loser in (0..options).filter(|loser| duels.beats(winner, *loser)) {
            let strength = Reverse(duels.strength(winner, loser));
            let places = (ties.place(winner), Reverse(ties.place(loser)));
            majorities.push((strength, places.0, places.1, (winner, loser)));
        }
    }
    majorities.sort_unstable();
    majorities
        .chunk_by(|one, next| one.0 == next.0)
        .map(|group| group.iter().map(|majority| majority.3).collect())
        .collect()
}

/// By option, the options that it is locked in over, directly or by others: a bit each.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Locked(Vec<u64>);

impl Locked {
    fn nothing(options: usize) -> Self {
        Self(vec![0; options])
    }

    fn holds(&self, (over, under): Majority) -> bool {
        self.0[over] >> under & 1 == 1
    }

    fn lock(&mut self, majority: Majority) {
        if self.holds(majority) {
            return;
        }
        let (over, under) = majority;
        let gained = self.0[under] | 1 << under;
        for option in 0..self.0.len() {
            if option == over || self.0[option] >> over & 1 == 1 {
                self.0[option] |= gained;
            }
        }
    }

    fn undefeated(&self) -> Vec<usize> {
        let defeated = self.0.iter().fold(0, |all, under| all | under);
        (0..self.0.len())
            .filter(|option| defeated >> option & 1 == 0)
            .collect()
    }
}

/// Rows of [`Locked`] to touch in all orders together, at most.
const WORK_MAX: u64 = 8_000_000;

/// States to look at, at most.
const STATES_MAX: usize = 8_192;

/// Follows every order of equal majorities.
struct Search<'a> {
    groups: &'a [Vec<Majority>],
    /// States that were reached before, by group.
    seen: BTreeSet<(usize, Locked)>,
    winners: BTreeSet<usize>,
    work_left: u64,
}

impl Search<'_> {
    /// `None` where that takes more than [`WORK_MAX`].
    fn run(&mut self, options: usize) -> Option<()> {
        let mut open = vec![(0, Locked::nothing(options))];
        while let Some((group, mut locked)) = open.pop() {
            let Some(majorities) = self.groups.get(group) else {
                self.winners.extend(locked.undefeated());
                continue;
            };
            if !self.seen.insert((group, locked.clone())) {
                continue;
            }
            if self.seen.len() > STATES_MAX {
                return None;
            }
            let disputed = self.lock_undisputed(majorities, &mut locked)?;
            if disputed.is_empty() {
                open.push((group + 1, locked));
                continue;
            }
            for majority in disputed {
                let mut next = locked.clone();
                next.lock(majority);
                self.spend(options)?;
                open.push((group, next));
            }
        }
        Some(())
    }

    /// Locks those of equal majorities that close no circle with any others; returns those that do
    /// and can still be locked.
    fn lock_undisputed(
        &mut self,
        majorities: &[Majority],
        locked: &mut Locked,
    ) -> Option<Vec<Majority>> {
        let is_open = |locked: &Locked, (over, under): Majority| {
            !locked.holds((over, under)) && !locked.holds((under, over))
        };
        let open = majorities.iter().copied();
        let mut open: Vec<_> = open.filter(|majority| is_open(locked, *majority)).collect();
        let mut all = locked.clone();
        for majority in &open {
            all.lock(*majority);
        }
        for (over, under) in &open {
            if !all.holds((*under, *over)) {
                locked.lock((*over, *under));
            }
        }
        self.spend(locked.0.len() * (2 * open.len() + 1))?;
        open.retain(|majority| is_open(locked, *majority));
        Some(open)
    }

    fn spend(&mut self, work: usize) -> Option<()> {
        self.work_left = self.work_left.checked_sub(work as u64)?;
        Some(())
    }
}

/// One order of all majorities, followed to its end.
struct OneOrder {
    locked: Locked,
    left_out: Vec<Majority>,
}

fn in_one_order(groups: &[Vec<Majority>], options: usize) -> OneOrder {
    let mut locked = Locked::nothing(options);
    let mut left_out = Vec::new();
    for (over, under) in groups.iter().flatten() {
        if locked.holds((*under, *over)) {
            left_out.push((*over, *under));
        } else {
            locked.lock((*over, *under));
        }
    }
    OneOrder { locked, left_out }
}

fn explain(contest: &Contest, order: &OneOrder, winners: usize, is_complete: bool) -> String {
    if winners > 1 {
        return String::from(match is_complete {
            true => "Each of them wins for some order of equal majorities.",
            false => {
                "There are too many orders of equal majorities to follow; each of them wins for \
                 one that was followed."
            }
        });
    }
    const SHOWN_MAX: usize = 12;
    let mut text = String::from("Majorities left out because they contradict stronger ones: ");
    for (position, (over, under)) in order.left_out.iter().enumerate() {
        if position == SHOWN_MAX {
            text.push_str(", and so on");
            break;
        }
        let separator = if position > 0 { ", " } else { "" };
        let (over, under) = (name(contest, *over), name(contest, *under));
        text.push_str(&format!("{separator}{over} over {under}"));
    }
    if order.left_out.is_empty() {
        text.push_str("none");
    }
    text.push_str(". None that is locked in is against the winner.");
    text
}
