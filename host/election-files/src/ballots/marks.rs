//! Marks of one ballot as machines record them, and the ballot that they make.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tabella_contest::BallotKind;

use super::cvr_selections::Target;
use super::paper::{Paper, RANKS_MAX, Rank};
use super::problem::{Cast, Unread};

/// The marks of one ballot that count.
#[derive(Default)]
pub(super) struct Marks {
    /// By rank; all at rank 1 where nothing is ranked.
    ranks: BTreeMap<u64, AtRank>,
    /// By option, its votes.
    votes: BTreeMap<usize, u64>,
    write_ins: u64,
    /// The most votes that one mark gives.
    votes_most: u64,
}

#[derive(Default)]
struct AtRank {
    options: Vec<usize>,
    others: u64,
}

impl Marks {
    /// Adds a mark; `selection` names it in messages.
    pub(super) fn add(
        &mut self,
        target: Target,
        rank: Option<u64>,
        votes: u64,
        selection: &str,
        paper: &Paper<'_>,
    ) -> Result<(), Unread> {
        let rank = match rank {
            Some(0) => {
                return Err(Unread::File(
                    "ranks start at 1, found 0; a selection without a rank is not marked".into(),
                ));
            }
            Some(rank) if rank > RANKS_MAX => {
                return Err(format!("expected a rank up to {RANKS_MAX}, found {rank}").into());
            }
            Some(rank) => rank,
            None if paper.kind == BallotKind::Ranking => {
                return Err(format!("the mark for {selection:?} has no Rank").into());
            }
            None => 1,
        };
        self.votes_most = self.votes_most.max(votes);
        let at_rank = self.ranks.entry(rank).or_default();
        match target {
            Target::Option(option) => {
                if paper.names.write_in() == Some(option) {
                    self.write_ins += 1;
                }
                if !at_rank.options.contains(&option) {
                    at_rank.options.push(option);
                }
                let all = self.votes.entry(option).or_default();
                *all = all.saturating_add(votes);
            }
            Target::Other => {
                at_rank.others += 1;
                self.write_ins += 1;
            }
        }
        Ok(())
    }

    /// The record with these marks.
    pub(super) fn cast(self, line: u64, paper: &Paper<'_>) -> Cast {
        if paper.kind == BallotKind::Votes {
            let votes = self.votes.iter();
            let votes =
                votes.map(|(option, votes)| (paper.id(*option).to_owned(), (*votes).into()));
            let votes: Map<String, Value> = votes.collect();
            let mut cast = Cast::new(line, 1, paper.ballot_of_values(votes));
            cast.write_ins = self.write_ins;
            return cast;
        }
        if self.votes_most > 1 {
            let found = self.votes_most;
            let reason = format!("expected marks of one vote each, found one of {found} votes");
            return Cast::new(line, 1, Err(reason.into()));
        }
        let is_ranked = self.ranks.keys().any(|rank| *rank > 1);
        let mut ranks: Vec<Rank> = Vec::new();
        for (number, AtRank { options, others }) in &self.ranks {
            while (ranks.len() as u64) + 1 < *number {
                ranks.push(Rank::Skipped);
            }
            ranks.push(match (options.len(), others) {
                (0, 1) => Rank::Other,
                (0, _) if paper.kind == BallotKind::Ranking => Rank::Overvote,
                (0, _) => Rank::Other,
                // Of a shared rank with somebody who is not on the paper it is not said which counts.
                (_, 1..) if paper.takes_marks => Rank::Overvote,
                (_, 1..) if paper.kind == BallotKind::Choice && is_ranked => Rank::Overvote,
                _ => Rank::Options(options.clone()),
            });
        }
        // Several write-ins of one ballot of choices are as many votes for those who are not on it.
        let for_write_in = (paper.names.write_in())
            .and_then(|option| self.votes.get(&option))
            .map_or(0, |_| self.write_ins);
        let mut cast = paper.cast(line, 1, Ok(ranks));
        cast.write_ins = self.write_ins;
        if paper.kind == BallotKind::Choice && !is_ranked {
            let others: u64 = self.ranks.values().map(|rank| rank.others).sum();
            let more = for_write_in.saturating_sub(1);
            let marked = self.votes.len() as u64 + more + others;
            if marked > paper.marks_max && (more > 0 || others > 0) {
                let most = paper.marks_max;
                let reason = format!("the voter marked {marked} options, at most {most} allowed");
                cast.ballot = Err(reason.into());
            } else {
                cast.write_ins_more = more;
            }
        }
        cast
    }
}
