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
    /// Which; empty once the option is elected, for then they went on to the nodes below.
    papers: Vec<u32>,
    /// What is left of each vote after the option took its share, in units of the last place.
    passed: u64,
}

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
            if status[option] == Status::Continuing {
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
        for node in &self.live {
            let node = *node as usize;
            let Node {
                parent,
                option,
                count,
                ..
            } = self.nodes[node];
            let value = match parent {
                ROOT => scale,
                parent => self.nodes[parent as usize].passed,
            };
            let option = usize::from(option);
            let mut kept = value;
            let mut passed = 0;
            if status[option] == Status::Elected && keep[option] < scale {
                // Both factors are at most the scale, 10^9.
                kept = value * keep[option] / scale;
                passed = value * (scale - keep[option]) / scale;
            }
            votes[option] += u128::from(kept) * u128::from(count);
            self.nodes[node].passed = passed;
        }
    }
}
