//! The ballots as a tree: what a vote is worth to an option depends only on the elected options
//! ranked above it, so that ballots with the same ones are shared out together.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

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
    /// Nodes that ballots reach, in the order of `nodes`.
    live: Vec<u32>,
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
            live: Vec::new(),
        };
        let status = vec![Status::Continuing; options];
        for paper in 0..papers.len() as u32 {
            tree.place(paper, ROOT, &status);
        }
        tree.list_live();
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
        self.list_live();
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
        self.list_live();
    }

    fn list_live(&mut self) {
        let reached = |node: &u32| self.nodes[*node as usize].count > 0;
        self.live = (0..self.nodes.len() as u32).filter(reached).collect();
    }

    /// Shares out every vote: an option takes `keep` of what reaches it, both its part and the part
    /// that passes on cut to the last place. `scale` units are a whole vote.
    pub(super) fn distribute(
        &mut self,
        votes: &mut [u128],
        status: &[Status],
        keep: &[u64],
        scale: u64,
    ) {
        votes.fill(0);
        let Self {
            papers,
            cursor,
            nodes,
            live,
            ..
        } = self;
        for node in live {
            let node = *node as usize;
            let value = match nodes[node].parent {
                ROOT => scale,
                parent => nodes[parent as usize].passed,
            };
            let fields = &mut nodes[node];
            fields.passed = 0;
            if value == 0 {
                continue;
            }
            let option = usize::from(fields.option);
            if status[option] == Status::Continuing {
                votes[option] += u128::from(value) * u128::from(fields.count);
                continue;
            }
            let (kept, passed) = split(value, keep[option], scale);
            votes[option] += u128::from(kept) * u128::from(fields.count);
            fields.passed = passed;
            if passed == 0 {
                continue;
            }
            for paper in &fields.papers {
                let count = papers.count(*paper);
                let mut value = passed;
                for option in cursor.rest(*paper) {
                    let option = usize::from(*option);
                    // Excluded options keep nothing, and the others something.
                    if keep[option] == 0 {
                        continue;
                    }
                    let (kept, passed) = split(value, keep[option], scale);
                    votes[option] += match count {
                        1 => u128::from(kept),
                        _ => u128::from(kept) * u128::from(count),
                    };
                    value = passed;
                    if value == 0 {
                        break;
                    }
                }
            }
        }
    }
}

/// What an option keeps of a vote's value, and what passes on.
#[inline]
fn split(value: u64, keep: u64, scale: u64) -> (u64, u64) {
    if keep == scale {
        return (value, 0);
    }
    // All factors are at most the scale, 10^9.
    (value * keep / scale, value * (scale - keep) / scale)
}
