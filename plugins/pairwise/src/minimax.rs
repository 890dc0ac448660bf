//! Minimax, the Simpson-Kramer rule.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;

use crate::{Duels, Judgement, Method, STRENGTH};

/// The option whose worst defeat is the weakest wins. `votes` are the strength of an option's worst
/// defeat, 0 where it has none: the fewest win.
pub struct MinimaxMethod;

impl Method for MinimaxMethod {
    const MANIFEST: Manifest = Manifest::new(
        "minimax",
        env!("CARGO_PKG_VERSION"),
        "The option whose worst defeat is the weakest wins.",
    )
    .licence("Apache-2.0")
    .definition("Simpson, Quarterly Journal of Economics 83, 1969; Kramer, 1977")
    .params(&[STRENGTH]);

    fn judge(contest: &Contest, duels: &Duels, _ties: &TieBreak) -> Judgement {
        let options = duels.len();
        let worst = |option: usize| {
            let defeats = (0..options).map(|other| duels.strength(other, option));
            defeats.max().unwrap_or(0)
        };
        let worst: Vec<u64> = (0..options).map(worst).collect();
        let least = worst.iter().copied().min().unwrap_or(0);
        let winners: Vec<usize> = (0..options)
            .filter(|option| worst[*option] == least)
            .collect();
        let reason = match least {
            0 => String::from("Options that no majority is against win."),
            _ => format!(
                "The weakest worst defeat has strength {least}: that of {}.",
                contest.list(&winners)
            ),
        };
        Judgement {
            votes: worst.into_iter().map(Number::from).collect(),
            winners,
            reason,
        }
    }
}
