//! The count in one paragraph.

use alloc::format;
use alloc::string::String;

use tabella_sdk::prelude::*;

use crate::count::{Count, Why, elimination};

pub(crate) fn paragraph(
    contest: &Contest,
    count: &Count,
    winners: &[usize],
    ties: &[Tie],
) -> String {
    let Some(winner) = count.winner else {
        return String::from("No ballot counts for any option, so nobody wins.");
    };
    let mut text = String::new();
    for (position, round) in count.rounds.iter().enumerate() {
        if round.eliminated.is_empty() {
            continue;
        }
        let (number, names) = (position + 1, contest.list(&round.eliminated));
        let question = elimination(number);
        let why = count.excluded.iter().find(|(at, _)| *at == position);
        let tie = ties.iter().find(|tie| tie.question == question);
        match (tie, why) {
            (Some(tie), _) => {
                let tied = contest.list(&tie.options);
                let how = tie.how();
                text.push_str(&format!(
                    "After round {number} {tied} tied for the fewest votes; {names} left, {how}. "
                ));
            }
            (None, Some((_, Why::Undeclared))) => text.push_str(&format!(
                "After round {number} {names} left, for write-ins who did not declare cannot win. "
            )),
            (None, Some((_, Why::FewFirstVotes))) => text.push_str(&format!(
                "After round {number} {names} left, with fewer first votes than asked for. "
            )),
            (None, None) => text.push_str(&format!(
                "After round {number} {names} had the fewest votes and left. "
            )),
        }
    }
    if winners != [winner] {
        let names = contest.list(winners);
        text.push_str(&format!(
            "Ties were left undecided; depending on them {names} can win. \
             The rounds show one way to decide them."
        ));
        return text;
    }
    let all: u64 = count.last.votes.iter().sum();
    text.push_str(&format!(
        "In round {} {} has {} of the {all} votes that still count, and wins; {} are exhausted.",
        count.rounds.len(),
        contest.title(winner),
        count.last.votes[winner],
        count.last.exhausted,
    ));
    text
}
