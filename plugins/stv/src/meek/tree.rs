//! The ballots as a tree: what a vote is worth to an option depends only on the elected options
//! ranked above it, so that ballots with the same ones are shared out together.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroU64;

use super::chains::Chains;
use crate::election::Status;
use crate::papers::{Papers, Preference};

/// The node that all ballots start from; it is no option's.
const ROOT: u32 = 0;

/// Where there is no node.
const NONE: u32 = u32::MAX;

/// So few ballots share too little to have nodes of their own.
const UNSHARED_MAX: usize = 12;

/// The ballots that reach an option through the same elected options.
struct Node {
    parent: u32,
    first_child: u32,
    next_sibling: u32,
    option: Preference,
    below: Below,
    /// How many.
    count: u64,
    /// Which of them end here for the tree: all where the option continues. Those of an elected
    /// option pass on by chains of their own instead of nodes below.
    papers: Vec<u32>,
    /// What is left of each vote after the option took its share, in units of the last place.
    passed: u64,
}

/// Whether ballots go on from a node to nodes below.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    Nodes,
    Nothing,
}

pub(super) struct Tree {
    chains: Chains,
    /// The root first; a parent stands before its children.
    nodes: Vec<Node>,
    /// By option, its nodes; empty once it is excluded.
    by_option: Vec<Vec<u32>>,
    /// Nodes whose papers have to go on to nodes below.
    crowded: Vec<u32>,
    /// By paper, the node that it is at.
    node_of: Vec<u32>,
    /// By option, its shares as votes were last shared out.
    shares: Vec<Share>,
    scale: NonZeroU64,
    /// By option, the child of the node whose papers go on.
    children: Vec<u32>,
    /// The weight of all papers.
    total: u64,
}

impl Tree {
    /// All options continue.
    pub(super) fn new(papers: &Papers, options: usize, scale: NonZeroU64) -> Self {
        let mut root = Node::new(NONE, 0);
        root.papers = (0..papers.len() as u32).collect();
        let mut tree = Self {
            chains: Chains::new(papers, options),
            nodes: vec![root],
            by_option: vec![Vec::new(); options],
            crowded: vec![ROOT],
            node_of: vec![ROOT; papers.len()],
            shares: vec![Share::default(); options],
            scale,
            children: vec![NONE; options],
            total: papers.total(),
        };
        tree.spread(&vec![Status::Continuing; options]);
        tree
    }

    /// Ballots of options that have become elected reach the next ones as well.
    pub(super) fn elect(&mut self, options: &[usize], status: &[Status]) {
        for option in options {
            self.chains.pass(*option, status);
            for node in &self.by_option[*option] {
                let papers = &self.nodes[*node as usize].papers;
                if papers.len() > UNSHARED_MAX {
                    self.crowded.push(*node);
                    continue;
                }
                for paper in papers {
                    self.chains.make(*paper, status);
                }
            }
        }
        self.spread(status);
    }

    /// Ballots of options that have been excluded go to the next ones instead. As nobody's share
    /// changes, only their votes have to be passed on. Returns how much work that was, in steps of
    /// a paper along its chain.
    pub(super) fn exclude(
        &mut self,
        options: &[usize],
        status: &[Status],
        votes: &mut [u128],
    ) -> u64 {
        let mut work = 0;
        for option in options {
            votes[*option] = 0;
        }
        for option in options {
            work += self.pass_votes_of(*option, status, votes);
        }
        for option in options {
            self.chains.pass(*option, status);
            for node in core::mem::take(&mut self.by_option[*option]) {
                let fields = &mut self.nodes[node as usize];
                fields.count = 0;
                let mut papers = core::mem::take(&mut fields.papers);
                let parent = fields.parent;
                let waiting = &mut self.nodes[parent as usize].papers;
                if waiting.is_empty() {
                    self.crowded.push(parent);
                }
                waiting.append(&mut papers);
            }
        }
        self.spread(status);
        work
    }

    /// Gives the votes of an option that has been excluded to those who come next on each paper.
    fn pass_votes_of(&self, option: usize, status: &[Status], votes: &mut [u128]) -> u64 {
        let mut work = 0;
        for node in &self.by_option[option] {
            let node = &self.nodes[*node as usize];
            let value = self.nodes[node.parent as usize].passed;
            for paper in &node.papers {
                work += self.pass_on_unread(*paper, value, status, votes);
            }
        }
        for paper in self.chains.ending_at(option) {
            let node = self.node_of[paper as usize];
            let mut value = self.nodes[node as usize].passed;
            if let Some((_, before)) = self.chains.of(paper).split_last() {
                for option in before {
                    value = self.shares[usize::from(*option)].left_of(value, self.scale);
                }
                work += before.len() as u64;
            }
            work += self.pass_on_unread(paper, value, status, votes);
        }
        work
    }

    /// Passes a paper's votes of this value on to what comes after its chain.
    fn pass_on_unread(
        &self,
        paper: u32,
        mut value: u64,
        status: &[Status],
        votes: &mut [u128],
    ) -> u64 {
        let count = self.chains.count(paper);
        let mut work = PAPER_WORK;
        for option in self.chains.unread(paper) {
            work += 1;
            let option = usize::from(*option);
            if status[option] == Status::Excluded {
                continue;
            }
            let share = self.shares[option];
            votes[option].add(share.of(value, self.scale), count);
            value = share.left_of(value, self.scale);
            if value == 0 {
                break;
            }
        }
        work
    }

    /// Moves the papers of crowded nodes to nodes below. A paper that ranks no more stays counted
    /// in the nodes above.
    fn spread(&mut self, status: &[Status]) {
        while let Some(parent) = self.crowded.pop() {
            self.children.fill(NONE);
            let fields = &mut self.nodes[parent as usize];
            fields.below = Below::Nodes;
            let papers = core::mem::take(&mut fields.papers);
            let mut child = fields.first_child;
            while child != NONE {
                let fields = &self.nodes[child as usize];
                self.children[usize::from(fields.option)] = child;
                child = fields.next_sibling;
            }
            for paper in papers {
                let Some(option) = self.chains.first(paper, status) else {
                    continue;
                };
                let child = match self.children[option] {
                    NONE => self.add_child(parent, option),
                    child => child,
                };
                let fields = &mut self.nodes[child as usize];
                fields.count += self.chains.count(paper);
                fields.papers.push(paper);
                self.node_of[paper as usize] = child;
                let room = match (fields.below, status[option]) {
                    (Below::Nodes, _) => 0,
                    (Below::Nothing, Status::Elected) => {
                        self.chains.make(paper, status);
                        UNSHARED_MAX
                    }
                    (Below::Nothing, _) => usize::MAX,
                };
                if fields.papers.len() == room.saturating_add(1) {
                    self.crowded.push(child);
                }
            }
        }
    }

    fn add_child(&mut self, parent: u32, option: usize) -> u32 {
        // There are fewer nodes than preferences.
        let child = self.nodes.len() as u32;
        // Options are numbered from 0 to 255.
        let mut node = Node::new(parent, option as Preference);
        let above = &mut self.nodes[parent as usize];
        node.passed = self.shares[option].left_of(above.passed, self.scale);
        node.next_sibling = core::mem::replace(&mut above.first_child, child);
        self.nodes.push(node);
        self.by_option[option].push(child);
        self.children[option] = child;
        child
    }

    /// Shares out every vote: an option takes `keep` of what reaches it, both its part and the part
    /// that passes on cut to the last place. Returns how much work that was, in the same steps.
    pub(super) fn distribute(&mut self, votes: &mut [u128], keep: &[u64]) -> u64 {
        for (share, keep) in self.shares.iter_mut().zip(keep) {
            share.keep = *keep;
            share.pass = self.scale.get() - keep;
        }
        // No option has more than all votes cast.
        if self.total.checked_mul(self.scale.get()).is_some() {
            self.distribute_in::<u64>(votes)
        } else {
            self.distribute_in::<u128>(votes)
        }
    }

    fn distribute_in<V: Votes>(&mut self, votes: &mut [u128]) -> u64 {
        let scale = self.scale;
        let mut takers = Box::new([Taker::<V>::default(); TAKERS]);
        let takers = &mut *takers;
        for (taker, share) in takers.iter_mut().zip(&self.shares) {
            taker.share = *share;
        }
        self.nodes[ROOT as usize].passed = scale.get();
        let mut work = 0u64;
        for position in 1..self.nodes.len() {
            let node = &self.nodes[position];
            if node.count == 0 {
                continue;
            }
            let value = self.nodes[node.parent as usize].passed;
            let passed = takers[usize::from(node.option)].take(value, node.count, scale);
            if passed > 0 {
                for paper in &node.papers {
                    let (count, chain) = (self.chains.count(*paper), self.chains.of(*paper));
                    // In all far below 2^64, as is the fuel for it.
                    work = work.wrapping_add(PAPER_WORK.wrapping_add(chain.len() as u64));
                    pass_on(takers, chain, passed, count, scale);
                }
            }
            self.nodes[position].passed = passed;
        }
        for (votes, taker) in votes.iter_mut().zip(takers.iter()) {
            *votes = taker.votes.into();
        }
        work + self.nodes.len() as u64
    }
}

impl Node {
    fn new(parent: u32, option: Preference) -> Self {
        Self {
            parent,
            first_child: NONE,
            next_sibling: NONE,
            option,
            below: Below::Nothing,
            count: 0,
            papers: Vec::new(),
            passed: 0,
        }
    }
}

/// To turn to a paper is as much work as so many steps along its chain.
const PAPER_WORK: u64 = 2;

/// As many as there are numbers of options, so that none has to be checked.
const TAKERS: usize = Preference::MAX as usize + 1;

/// Of a whole vote, what an option keeps and what it passes on.
#[derive(Clone, Copy, Default)]
struct Share {
    keep: u64,
    pass: u64,
}

/// An option while votes are shared out.
#[derive(Clone, Copy, Default)]
struct Taker<V> {
    share: Share,
    votes: V,
}

/// Passes so many votes of this value on along a chain.
///
/// This is most of the work of a count, and its fuel. Options are taken by fours, so that less of
/// it goes into counting them; a vote of which nothing is left gives nothing.
#[inline]
fn pass_on<V: Votes>(
    takers: &mut [Taker<V>; TAKERS],
    chain: &[Preference],
    mut value: u64,
    count: u64,
    scale: NonZeroU64,
) {
    let Some((last, before)) = chain.split_last() else {
        return;
    };
    let (fours, rest) = before.as_chunks::<4>();
    for four in fours {
        for option in four {
            value = takers[usize::from(*option)].take(value, count, scale);
        }
        if value == 0 {
            return;
        }
    }
    for option in rest {
        value = takers[usize::from(*option)].take(value, count, scale);
    }
    let last = &mut takers[usize::from(*last)];
    // Nearly all chains end at an option that continues, which keeps everything.
    if last.share.pass == 0 {
        last.votes.add(value, count);
    } else {
        last.take(value, count, scale);
    }
}

/// Products of two numbers up to the scale, 10^9 at most, are not checked again.
impl Share {
    /// The part of a vote of this value that the option keeps.
    #[inline(always)]
    fn of(self, value: u64, scale: NonZeroU64) -> u64 {
        value.wrapping_mul(self.keep) / scale
    }

    /// The part that it passes on.
    #[inline(always)]
    fn left_of(self, value: u64, scale: NonZeroU64) -> u64 {
        value.wrapping_mul(self.pass) / scale
    }
}

impl<V: Votes> Taker<V> {
    /// Takes the option's part of so many votes of this value, and answers what is left of each.
    #[inline(always)]
    fn take(&mut self, value: u64, count: u64, scale: NonZeroU64) -> u64 {
        self.votes.add(self.share.of(value, scale), count);
        self.share.left_of(value, scale)
    }
}

/// A sum of votes.
trait Votes: Copy + Default + Into<u128> {
    /// Adds a value so many times.
    fn add(&mut self, value: u64, count: u64);
}

/// For sums that are known to fit.
impl Votes for u64 {
    #[inline(always)]
    fn add(&mut self, value: u64, count: u64) {
        *self = self.wrapping_add(value.wrapping_mul(count));
    }
}

impl Votes for u128 {
    #[inline(always)]
    fn add(&mut self, value: u64, count: u64) {
        *self += u128::from(value) * u128::from(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tabella_sdk::prelude::*;

    const OPTIONS: usize = 9;
    const SCALE: NonZeroU64 = NonZeroU64::new(1_000).unwrap();

    fn rankings() -> impl Strategy<Value = Vec<(Vec<usize>, u64)>> {
        let order = Just((0..OPTIONS).collect::<Vec<_>>()).prop_shuffle();
        let ranking = (order, 1..=OPTIONS, 1u64..9);
        let ranking = ranking.prop_map(|(order, ranked, count)| (order[..ranked].to_vec(), count));
        // So many that some share nodes and some do not.
        proptest::collection::vec(ranking, 1..400)
    }

    /// Some options, excluded or elected where they continue, or the share of those elected.
    fn step() -> impl Strategy<Value = (Vec<usize>, Option<Status>, u64)> {
        let options = proptest::sample::subsequence((0..OPTIONS).collect::<Vec<_>>(), 1..4);
        let becomes = prop_oneof![
            Just(Some(Status::Excluded)),
            Just(Some(Status::Elected)),
            Just(None)
        ];
        (options, becomes, 0u64..=1_000)
    }

    proptest! {
        #[test]
        fn to_pass_on_the_excluded_is_to_share_out_all(
            rankings in rankings(),
            steps in proptest::collection::vec(step(), 1..16),
        ) {
            let mut profile = Profile::new();
            for (ranking, count) in rankings {
                let ranks: Vec<[usize; 1]> = ranking.into_iter().map(|option| [option]).collect();
                let bytes = Ranking::encode(&ranks);
                profile.add(Ranking::view(&bytes, OPTIONS).unwrap(), count);
            }
            let papers = Papers::new(&profile);
            let mut tree = Tree::new(&papers, OPTIONS, SCALE);
            let mut other = Tree::new(&papers, OPTIONS, SCALE);
            let mut status = vec![Status::Continuing; OPTIONS];
            let mut keep = vec![SCALE.get(); OPTIONS];
            let mut votes = vec![0; OPTIONS];
            tree.distribute(&mut votes, &keep);
            for (mut options, becomes, share) in steps {
                let wanted = match becomes {
                    Some(_) => Status::Continuing,
                    None => Status::Elected,
                };
                options.retain(|option| status[*option] == wanted);
                for option in &options {
                    status[*option] = becomes.unwrap_or(wanted);
                }
                match becomes {
                    Some(Status::Excluded) => {
                        for option in &options {
                            keep[*option] = 0;
                        }
                        tree.exclude(&options, &status, &mut votes);
                        other.exclude(&options, &status, &mut [0; OPTIONS]);
                    }
                    Some(_) => {
                        tree.elect(&options, &status);
                        other.elect(&options, &status);
                    }
                    None => {
                        for option in &options {
                            keep[*option] = share;
                        }
                        tree.distribute(&mut votes, &keep);
                    }
                }
                let mut all = vec![0; OPTIONS];
                other.distribute(&mut all, &keep);
                prop_assert_eq!(&votes, &all);
            }
        }
    }
}
