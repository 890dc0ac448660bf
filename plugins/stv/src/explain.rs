//! The count in one paragraph.

use alloc::format;
use alloc::string::String;

use tabella_sdk::{Followed, Tie};

use crate::election::Count;
use crate::{Rules, Stv};

/// Ties that the paragraph names; the outcome lists all of them.
const TIES_SHOWN_MAX: usize = 12;

pub(crate) fn paragraph(rule: &Stv, followed: &Followed<Count>, ties: &[Tie]) -> String {
    let Followed {
        count,
        winners,
        cut_short,
    } = followed;
    if count.elected.is_empty() {
        return String::from("No ballot counts for any option, so nobody wins.");
    }
    let contest = &rule.contest;
    let name = match rule.rules {
        Rules::Scottish => "the Scottish rules",
        Rules::Wigm => "the weighted inclusive Gregory method",
        Rules::Meek => "Meek's method",
        Rules::FractionalGregory => "Gregory's method",
        Rules::Senate => "the Australian Senate's rules",
    };
    let seats = match rule.seats {
        1 => String::from("1 seat"),
        seats => format!("{seats} seats"),
    };
    let places = match rule.places {
        0 => String::from("whole votes"),
        places => format!("{places} decimal places"),
    };
    let mut text = format!("{seats} by {name}, in {places}. ");
    let last = match rule.rules {
        Rules::Meek => "The last quota is",
        _ => "The quota is",
    };
    text.push_str(&format!("{last} {}. ", count.quota));
    for (position, round) in count.rounds.iter().enumerate() {
        let number = position + 1;
        if !round.elected.is_empty() {
            let names = contest.list(&round.elected);
            text.push_str(&format!("Round {number} elects {names}. "));
        }
        if !round.eliminated.is_empty() {
            let names = contest.list(&round.eliminated);
            text.push_str(&format!("Round {number} excludes {names}. "));
        }
    }
    if let [first, rest @ ..] = &count.cut_short[..] {
        text.push_str(&format!(
            "The ballots are so many and so different that round {}{} ended before surpluses had \
             passed on to the last place. ",
            first + 1,
            match rest.len() {
                0 => String::new(),
                others => format!(" and {others} later ones"),
            }
        ));
    }
    for tie in ties
        .iter()
        .filter(|tie| tie.decided_by != "report")
        .take(TIES_SHOWN_MAX)
    {
        text.push_str(&contest.told(tie));
        text.push(' ');
    }
    if *winners == count.elected {
        text.push_str(&format!("Elected: {}.", contest.list(winners)));
    } else {
        text.push_str(&format!(
            "Ties were left undecided; depending on them {} can be elected. The rounds show one \
             way to decide them.",
            contest.list(winners)
        ));
    }
    if *cut_short {
        text.push_str(" There are more ways to decide the ties than were followed.");
    }
    text
}
