//! The count in one paragraph.

use alloc::format;
use alloc::string::String;

use tabella_sdk::prelude::*;

use crate::count::{Count, End, Why, elimination};

pub(crate) fn paragraph(
    contest: &Contest,
    count: &Count,
    winners: &[usize],
    ties: &[Tie],
) -> String {
    let elected = count.winners();
    if elected.is_empty() {
        return String::from("No ballot counts for any option, so nobody wins.");
    }
    let is_decided = winners == elected;
    let mut text = String::new();
    for (position, round) in count.rounds.iter().enumerate() {
        if round.eliminated.is_empty() {
            let end = count.ends.iter().find(|end| end.round == position);
            if let Some(end) = end.filter(|_| is_decided) {
                text.push_str(&won(contest, end));
            }
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
    if !is_decided {
        let names = contest.list(winners);
        text.push_str(&format!(
            "Ties were left undecided; depending on them {names} can win. \
             The rounds show one way to decide them."
        ));
    }
    String::from(text.trim_end())
}

/// Who wins at the end of a count, in a sentence.
fn won(contest: &Contest, end: &End) -> String {
    let round = end.round + 1;
    let End {
        winners, standing, ..
    } = end;
    let all: u64 = standing.votes.iter().sum();
    let exhausted = standing.exhausted;
    match winners[..] {
        [] => format!("In round {round} no ballot counts for any option that is left. "),
        [winner] => format!(
            "In round {round} {} has {} of the {all} votes that still count, and wins; {exhausted} are \
             exhausted. ",
            contest.title(winner),
            standing.votes[winner],
        ),
        _ => format!(
            "In round {round} {} are left, with {all} votes that still count, and win; {exhausted} are \
             exhausted. ",
            contest.list(winners)
        ),
    }
}
