//! Outcomes as text.

use tabella_sdk::Outcome;

/// An outcome in lines, options by these ids.
pub fn show(outcome: &Outcome, ids: &[String]) -> String {
    let list = |options: &[usize]| {
        let names: Vec<_> = options.iter().map(|option| ids[*option].as_str()).collect();
        names.join(", ")
    };
    let mut text = match outcome.winners[..] {
        [] => String::from("winners: none\n"),
        ref winners => format!("winners: {}\n", list(winners)),
    };
    for tie in &outcome.ties {
        let (options, question, decider) = (list(&tie.options), &tie.question, &tie.decided_by);
        text += &format!("tie: {options}: {question} (by {decider})\n");
    }
    let votes = outcome.options.iter().zip(ids);
    let votes: Vec<_> = votes
        .map(|(result, id)| match result.seats {
            0 | 1 => format!("{id} {}", result.votes),
            seats => format!("{id} {} ({seats} seats)", result.votes),
        })
        .collect();
    text += &format!("votes: {}\n", votes.join(", "));
    if let Some(quota) = outcome.quota {
        text += &format!("quota: {quota}\n");
    }
    for (number, round) in outcome.rounds.iter().enumerate() {
        let totals = round.totals.iter();
        let totals: Vec<_> = totals
            .map(|(option, votes)| format!("{} {votes}", ids[*option]))
            .collect();
        text += &format!("round {}: {}", number + 1, totals.join(", "));
        for (what, options) in [("elected", &round.elected), ("out", &round.eliminated)] {
            if !options.is_empty() {
                text += &format!("; {what} {}", list(options));
            }
        }
        text += &format!("; exhausted {}\n", round.exhausted);
    }
    for row in 0..ids.len() * usize::from(!outcome.pairwise.is_empty()) {
        let counts = &outcome.pairwise[row * ids.len()..][..ids.len()];
        let counts: Vec<_> = counts.iter().map(|count| count.to_string()).collect();
        text += &format!("{} over: {}\n", ids[row], counts.join(" "));
    }
    text + &outcome.explanation + "\n"
}
