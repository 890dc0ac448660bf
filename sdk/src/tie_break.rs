//! Breaking ties, so that every host breaks them alike and the outcome says where it happened.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use tabella_abi::contest::{Decider, TieOrder};

use crate::{Contest, Tie};

/// Decides between options that the votes cannot tell apart.
///
/// There is one order of all options for the whole count: drawn by lot from the closed board's
/// root, which nobody could choose, or declared beforehand. The earlier option wins a tie. Where
/// ties are only to be reported, nobody decides.
#[derive(Clone, Debug)]
pub struct TieBreak {
    decider: Decider,
    order: Vec<usize>,
    /// By option, its place in the order.
    place: Vec<usize>,
    ties: Vec<Tie>,
}

impl TieBreak {
    /// `None` where the order is not one of exactly these options.
    pub(crate) fn new(tie_order: TieOrder, options: usize) -> Option<Self> {
        let TieOrder { decider, order } = tie_order;
        let mut place = vec![usize::MAX; options];
        for (position, option) in order.iter().enumerate() {
            let slot = place.get_mut(*option)?;
            if *slot != usize::MAX {
                return None;
            }
            *slot = position;
        }
        (order.len() == options).then_some(Self {
            decider,
            order,
            place,
            ties: Vec::new(),
        })
    }

    /// Whether ties are reported instead of decided.
    pub fn only_reports(&self) -> bool {
        self.decider == Decider::Report
    }

    /// All options, the one that wins ties first.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The place of an option in that order: the lower wins.
    pub fn place(&self, option: usize) -> usize {
        self.place[option]
    }

    /// Chooses `seats` of the tied options, in their order, and records the tie under the question
    /// it answers. With [`TieBreak::only_reports`] all tied options come back. No more tied options
    /// than seats is no tie.
    pub fn choose(&mut self, tied: &[usize], seats: usize, question: &str) -> Vec<usize> {
        if tied.len() <= seats {
            return tied.to_vec();
        }
        self.record(tied, question);
        if self.only_reports() {
            return tied.to_vec();
        }
        let is_tied = |option: &&usize| tied.contains(option);
        self.order
            .iter()
            .filter(is_tied)
            .take(seats)
            .copied()
            .collect()
    }

    /// Chooses the one of the tied options that loses, and records the tie. Where ties are only to
    /// be reported this is the last in the paper's order: the caller must not let it matter.
    ///
    /// # Panics
    /// When there are no options to choose from.
    pub fn loser(&mut self, tied: &[usize], question: &str) -> usize {
        if tied.len() > 1 {
            self.record(tied, question);
        }
        let last = tied
            .iter()
            .copied()
            .max_by_key(|option| self.place[*option]);
        last.expect("a tie is between options")
    }

    /// Records a tie that was decided by the rule's own method, such as an earlier round.
    pub fn record_decided(&mut self, tied: &[usize], question: &str, decided_by: &str) {
        self.ties.push(Tie {
            options: tied.to_vec(),
            question: question.to_string(),
            decided_by: String::from(decided_by),
        });
    }

    fn record(&mut self, tied: &[usize], question: &str) {
        self.record_decided(tied, question, self.decider.name());
    }

    /// How the last tie was decided, as a sentence goes on; empty where there was none.
    pub fn how(&self) -> String {
        self.ties.last().map(Tie::how).unwrap_or_default()
    }

    /// A sentence for each tie that was decided, with a space before it: the first dozen.
    pub fn told(&self, contest: &Contest) -> String {
        const TOLD_MAX: usize = 12;
        let decided = self.ties.iter().filter(|tie| tie.decided_by != "report");
        let mut text = String::new();
        for tie in decided.take(TOLD_MAX) {
            text.push(' ');
            text.push_str(&contest.told(tie));
        }
        text
    }

    /// The ties so far.
    pub fn ties(&self) -> &[Tie] {
        &self.ties
    }

    pub(crate) fn into_ties(self) -> Vec<Tie> {
        self.ties
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ties(decider: Decider, order: &[usize]) -> TieBreak {
        TieBreak::new(
            TieOrder {
                decider,
                order: order.to_vec(),
            },
            order.len(),
        )
        .unwrap()
    }

    #[test]
    fn the_earlier_in_the_order_wins() {
        let mut ties = ties(Decider::Order, &[2, 0, 3, 1]);
        assert_eq!(ties.choose(&[0, 1, 3], 2, "seats"), [0, 3]);
        assert_eq!(ties.loser(&[0, 2], "elimination"), 0);
        assert_eq!(ties.choose(&[1], 1, "no tie"), [1]);
        assert_eq!(ties.ties().len(), 2);
        assert_eq!(ties.ties()[0].decided_by, "order");
    }

    #[test]
    fn reporting_keeps_them_all() {
        let mut ties = ties(Decider::Report, &[0, 1, 2]);
        assert_eq!(ties.choose(&[0, 2], 1, "the most votes"), [0, 2]);
        assert_eq!(ties.ties()[0].decided_by, "report");
    }

    #[test]
    fn an_order_names_every_option_once() {
        for order in [vec![0, 0], vec![0], vec![0, 2], vec![0, 1, 1]] {
            let tie_order = TieOrder {
                decider: Decider::Seed,
                order,
            };
            assert!(TieBreak::new(tie_order, 2).is_none());
        }
    }
}
