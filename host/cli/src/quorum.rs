//! The quorum rule on the command line, and what it survives, in words.

use clap::ValueEnum;
use tabella_protocol::Quorum;

/// `--quorum`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QuorumArgument {
    /// More than half of the validators: three survive one crash
    Majority,
    /// More than two thirds: from four validators on, survives lying ones too
    Bft,
}

impl From<QuorumArgument> for Quorum {
    fn from(argument: QuorumArgument) -> Self {
        match argument {
            QuorumArgument::Majority => Self::Majority,
            QuorumArgument::Bft => Self::Bft,
        }
    }
}

/// Which faults a network of `n` validators survives under `quorum`.
pub fn survives(quorum: Quorum, n: usize) -> String {
    let threshold = quorum.threshold(n);
    let crashed = quorum.tolerates_crashed(n);
    let byzantine = quorum.tolerates_byzantine(n);
    let rule = match quorum {
        Quorum::Majority => "more than half",
        Quorum::Bft => "more than two thirds",
    };
    let mut text = format!(
        "quorum {}: {threshold} of {n} validators must agree ({rule}).\n",
        quorum.name()
    );
    match crashed {
        0 => text.push_str("It survives no crashed validator: while one is down, no ballot is confirmed.\n"),
        _ => text.push_str(&format!("It survives {crashed} crashed validator{}; with fewer than {threshold} up, ballots are accepted and wait as pending.\n", plural(crashed))),
    }
    match (quorum, byzantine) {
        (Quorum::Bft, 1..) => text.push_str(&format!(
            "It survives {byzantine} lying (Byzantine) validator{}.\n",
            plural(byzantine)
        )),
        (Quorum::Bft, _) => text.push_str(
            "It survives no lying (Byzantine) validator: that takes four validators or more.\n",
        ),
        (Quorum::Majority, _) if n >= 3 => text.push_str(
            "It does not mask a lying (Byzantine) validator; it catches it: validators acknowledge what they\n\
             committed, a contradiction is evidence, and the contradicted ones stop signing.\n\
             A receipt with the acks of all validators holds against one lying validator, one with fewer\n\
             against crashes only. To survive a lying validator, use four or more with --quorum bft.\n",
        ),
        (Quorum::Majority, _) => text.push_str(
            "It neither masks nor catches a lying (Byzantine) validator: that takes three validators or more.\n",
        ),
    }
    text
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(quorum: Quorum, n: usize, expected: Expect) {
        expected.assert_eq(&survives(quorum, n));
    }

    #[test]
    fn three_by_majority_survive_one_crash_and_catch_a_liar() {
        check(
            Quorum::Majority,
            3,
            expect![[r#"
            quorum majority: 2 of 3 validators must agree (more than half).
            It survives 1 crashed validator; with fewer than 2 up, ballots are accepted and wait as pending.
            It does not mask a lying (Byzantine) validator; it catches it: validators acknowledge what they
            committed, a contradiction is evidence, and the contradicted ones stop signing.
            A receipt with the acks of all validators holds against one lying validator, one with fewer
            against crashes only. To survive a lying validator, use four or more with --quorum bft.
        "#]],
        );
    }

    #[test]
    fn four_by_two_thirds_survive_one_liar() {
        check(
            Quorum::Bft,
            4,
            expect![[r#"
            quorum bft: 3 of 4 validators must agree (more than two thirds).
            It survives 1 crashed validator; with fewer than 3 up, ballots are accepted and wait as pending.
            It survives 1 lying (Byzantine) validator.
        "#]],
        );
    }

    #[test]
    fn one_validator_survives_nothing() {
        check(
            Quorum::Majority,
            1,
            expect![[r#"
            quorum majority: 1 of 1 validators must agree (more than half).
            It survives no crashed validator: while one is down, no ballot is confirmed.
            It neither masks nor catches a lying (Byzantine) validator: that takes three validators or more.
        "#]],
        );
    }
}
