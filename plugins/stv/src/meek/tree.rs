//! The ballots as a tree: what a vote is worth to an option depends only on the elected options
//! ranked above it, so that ballots with the same ones are shared out together.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroU64;

use crate::election::Status;
use crate::papers::{Cursor, Papers};

/// Under which node, and for which option.
type Key = (u32, u16);

/// The parent of nodes for first preferences.
const ROOT: u32 = u32::MAX;

/// The ballots that reach an option through the same elected options.
struct Node {
    parent: u32,
    option: u16,
    /// How many.
    count: u64,
    /// Which of them end here for the tree: all where the option continues. Those of an elected
    /// option are read on preference by preference instead of having nodes of their own below.
    papers: Vec<u32>,
    below: Below,
    /// What is left of each vote after the option took its share, in units of the last place.
    passed: u64,
}

/// Whether ballots go on from an elected option's node to nodes below.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    Nodes,
    Nothing,
}

/// So few ballots share too little to have nodes of their own.
const UNSHARED_MAX: usize = 8;

pub(super) struct Tree<'a> {
    papers: &'a Papers,
    cursor: Cursor<'a>,
    /// A parent stands before its children.
    nodes: Vec<Node>,
    by_key: BTreeMap<Key, u32>,
    /// By option, its nodes; empty once it is excluded.
    by_option: Vec<Vec<u32>>,
}

impl<'a> Tree<'a> {
    /// All options continue.
    pub(super) fn new(papers: &'a Papers, options: usize) -> Self {
        let mut tree = Self {
            papers,
            cursor: papers.cursor(),
            nodes: Vec::new(),
            by_key: BTreeMap::new(),
            by_option: vec![Vec::new(); options],
        };
        let status = vec![Status::Continuing; options];
        for paper in 0..papers.len() as u32 {
            tree.place(paper, ROOT, &status);
        }
        tree
    }

    /// Moves a ballot down from a node, through elected options, to the next continuing one. A
    /// ballot that ranks no more stays counted in the nodes above.
    fn place(&mut self, paper: u32, mut parent: u32, status: &[Status]) {
        let count = self.papers.count(paper);
        let takes_part = |option: usize| status[option] != Status::Excluded;
        while let Some(option) = self.cursor.advance(paper, takes_part) {
            let node = self.child(parent, option);
            let fields = &mut self.nodes[node as usize];
            fields.count += count;
            if fields.below == Below::Nothing {
                fields.papers.push(paper);
                return;
            }
            parent = node;
        }
    }

    fn child(&mut self, parent: u32, option: usize) -> u32 {
        let Self {
            nodes,
            by_key,
            by_option,
            ..
        } = self;
        // There are at most 4,096 options, and fewer nodes than preferences.
        *by_key.entry((parent, option as u16)).or_insert_with(|| {
            let node = nodes.len() as u32;
            nodes.push(Node {
                parent,
                option: option as u16,
                count: 0,
                papers: Vec::new(),
                below: Below::Nothing,
                passed: 0,
            });
            by_option[option].push(node);
            node
        })
    }

    /// Ballots of options that have become elected reach the next ones as well.
    pub(super) fn elect(&mut self, options: &[usize], status: &[Status]) {
        for option in options {
            for node in self.by_option[*option].clone() {
                let fields = &mut self.nodes[node as usize];
                if fields.papers.len() <= UNSHARED_MAX {
                    continue;
                }
                fields.below = Below::Nodes;
                for paper in core::mem::take(&mut self.nodes[node as usize].papers) {
                    self.place(paper, node, status);
                }
            }
        }
    }

    /// Ballots of options that have been excluded go to the next ones instead.
    pub(super) fn exclude(&mut self, options: &[usize], status: &[Status]) {
        for option in options {
            for node in core::mem::take(&mut self.by_option[*option]) {
                let Node {
                    parent,
                    count,
                    papers,
                    ..
                } = &mut self.nodes[node as usize];
                let parent = *parent;
                *count = 0;
                for paper in core::mem::take(papers) {
                    self.place(paper, parent, status);
                }
            }
        }
    }

    /// Shares out every vote: an option takes `keep` of what reaches it, both its part and the part
    /// that passes on cut to the last place. `scale` units are a whole vote.
    pub(super) fn distribute(&mut self, votes: &mut [u128], keep: &[u64], scale: NonZeroU64) {
        // No option has more than all votes cast.
        if self.papers.total().checked_mul(scale.get()).is_some() {
            self.distribute_in::<u64>(votes, keep, scale);
        } else {
            self.distribute_in::<u128>(votes, keep, scale);
        }
    }

    fn distribute_in<V: Votes>(&mut self, votes: &mut [u128], keep: &[u64], scale: NonZeroU64) {
        let taker = |keep: &u64| Taker {
            keep: *keep,
            pass: scale.get() - keep,
            votes: V::default(),
        };
        let mut takers: Vec<Taker<V>> = keep.iter().map(taker).collect();
        for position in 0..self.nodes.len() {
            let node = &self.nodes[position];
            let value = match node.parent {
                ROOT => scale.get(),
                parent => self.nodes[parent as usize].passed,
            };
            let mut passed = 0;
            if node.count > 0 && value > 0 {
                passed = takers[usize::from(node.option)].take(value, node.count, scale);
            }
            if passed > 0 {
                for paper in &node.papers {
                    let count = self.papers.count(*paper);
                    let mut value = passed;
                    for option in self.cursor.rest(*paper) {
                        let taker = &mut takers[usize::from(*option)];
                        // Excluded options keep nothing, and the others something.
                        if taker.keep > 0 {
                            value = taker.take(value, count, scale);
                            if value == 0 {
                                break;
                            }
                        }
                    }
                }
            }
            self.nodes[position].passed = passed;
        }
        for (votes, taker) in votes.iter_mut().zip(takers) {
            *votes = taker.votes.into();
        }
    }
}

/// An option while votes are shared out.
struct Taker<V> {
    /// Of a whole vote, what it keeps and what it passes on.
    keep: u64,
    pass: u64,
    votes: V,
}

impl<V: Votes> Taker<V> {
    /// Takes the option's part of so many votes of this value, and answers what is left of each.
    ///
    /// This is most of the work of a count, and its fuel: products of two numbers up to the scale,
    /// 10^9 at most, are not checked again.
    #[inline]
    fn take(&mut self, value: u64, count: u64, scale: NonZeroU64) -> u64 {
        if self.pass == 0 {
            self.votes.add(value, count);
            return 0;
        }
        self.votes.add(value.wrapping_mul(self.keep) / scale, count);
        value.wrapping_mul(self.pass) / scale
    }
}

/// A sum of votes.
trait Votes: Copy + Default + Into<u128> {
    /// Adds a value so many times.
    fn add(&mut self, value: u64, count: u64);
}

/// For sums that are known to fit.
impl Votes for u64 {
    #[inline]
    fn add(&mut self, value: u64, count: u64) {
        *self = self.wrapping_add(value.wrapping_mul(count));
    }
}

impl Votes for u128 {
    fn add(&mut self, value: u64, count: u64) {
        *self += u128::from(value) * u128::from(count);
    }
}
