//! The parameters, and the statutes that set them together.

use tabella_sdk::prelude::*;
use tabella_sdk::{MarkRules, Repeated, Several};

/// What becomes of a ballot at a rank with several marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overvote {
    ExhaustIfMultipleContinuing,
    Exhaust,
    Skip,
}

/// When the count is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// At a majority of the votes that still count.
    Majority,
    /// When two are left.
    Two,
    /// At a majority in the first round, else when two are left.
    FirstMajorityOrTwo,
    /// At a majority of the votes of the first round, else when two are left.
    FixedMajorityOrTwo,
}

/// What an election's parameters come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Law {
    pub(crate) overvote: Overvote,
    skipped_ranks: Option<u64>,
    repeated: Repeated,
    ranks_max: Option<u64>,
    pub(crate) until: Until,
    pub(crate) batch_elimination: bool,
}

/// As in Burlington's charter, with skipped ranks and repetitions as most statutes have them.
const NONE: Law = Law {
    overvote: Overvote::ExhaustIfMultipleContinuing,
    skipped_ranks: Some(1),
    repeated: Repeated::Skip,
    ranks_max: None,
    until: Until::Majority,
    batch_elimination: false,
};

/// The named laws. The list of the manifest's parameter `law` has the same names in this order.
const LAWS: [(&str, Law); 5] = [
    // 21-A M.R.S. section 723-A(1)(D): no continuing candidate, an overvote at the highest continuing
    // ranking, or two or more skipped rankings in a row before it exhaust a ballot. 29-250 C.M.R. chapter
    // 535, section 4(2)(A): rounds only where nobody has more than half of the first choices; then until
    // two are left. Batches may leave together; they need not.
    (
        "maine",
        Law {
            overvote: Overvote::Exhaust,
            until: Until::FirstMajorityOrTwo,
            ..NONE
        },
    ),
    // Alaska Statutes 15.15.350(d) and (e): more than half of the active ballots in the first round
    // elect, else rounds go on until two are left; (g): which ballots are inactive.
    (
        "alaska",
        Law {
            overvote: Overvote::Exhaust,
            until: Until::FirstMajorityOrTwo,
            ..NONE
        },
    ),
    // New York City Charter section 1057-g: (a) a ballot is exhausted where all that it ranks are
    // eliminated, or where it assigns an equal rank to two or more and all above that are; no skipped
    // rank exhausts it; (d)(1) five ranks; (e) a majority in the first round, else until two are left,
    // and those who cannot win leave together.
    (
        "new-york-city",
        Law {
            overvote: Overvote::Exhaust,
            skipped_ranks: None,
            ranks_max: Some(5),
            until: Until::FirstMajorityOrTwo,
            batch_elimination: true,
            ..NONE
        },
    ),
    // Minneapolis Code of Ordinances sections 167.20 and 167.60: three rankings; overvoted, skipped
    // and duplicate rankings are passed over; the threshold is of the first round.
    (
        "minneapolis",
        Law {
            overvote: Overvote::Skip,
            skipped_ranks: None,
            ranks_max: Some(3),
            until: Until::FixedMajorityOrTwo,
            batch_elimination: true,
            ..NONE
        },
    ),
    // San Francisco Charter section 13.102(a): an equal rank exhausts a ballot when it is reached, a
    // skipped one passes to the next choice; (c) to (e): until a majority of the continuing ballots; those
    // who together have fewer votes than the next leave together.
    (
        "san-francisco",
        Law {
            overvote: Overvote::Exhaust,
            skipped_ranks: None,
            until: Until::Majority,
            batch_elimination: true,
            ..NONE
        },
    ),
];

/// Skipped ranks in a row, and ranks that are read, at most: no ballot has as many.
const RANKS_MAX: i64 = 16_384;

pub(crate) const PARAMS: &[Param] = &[
    Param::choice(
        "overvote",
        &["exhaust-if-multiple-continuing", "exhaust", "skip"],
    )
    .optional()
    .about(
        "What becomes of a ballot at a rank with several marks; left out: as `law` says, else \
         exhaust-if-multiple-continuing.",
    ),
    Param::flag("batch_elimination").optional().about(
        "Eliminate at once all last options that cannot overtake the next even together; left out: \
         as `law` says, else false.",
    ),
    Param::choice(
        "until",
        &[
            "majority",
            "two",
            "first-majority-or-two",
            "fixed-majority-or-two",
        ],
    )
    .optional()
    .about(
        "Stop at a majority of the votes that still count; when two options are left; at a majority \
         in round 1, else at two; at a majority of the votes of round 1, else at two. Left out: as \
         `law` says, else majority.",
    ),
    Param::choice(
        "law",
        &[
            "maine",
            "alaska",
            "new-york-city",
            "minneapolis",
            "san-francisco",
        ],
    )
    .optional()
    .about(
        "Whose statute sets the other parameters, where they are left out: 21-A M.R.S. 723-A; \
         Alaska Statutes 15.15.350; New York City Charter 1057-g; Minneapolis Code 167.60; San \
         Francisco Charter 13.102.",
    ),
    Param::integer("skipped_ranks", 0, RANKS_MAX).optional().about(
        "Skipped ranks in a row that are passed over; one more ends the ballot. Left out: as `law` \
         says, else 1.",
    ),
    Param::choice("repeated", &["skip", "exhaust"]).optional().about(
        "What becomes of a ballot at an option that stood at a better rank; left out: skip.",
    ),
    Param::integer("ranks_max", 1, RANKS_MAX).optional().about(
        "How many ranks are read, the best first; left out: as `law` says, else all.",
    ),
    Param::texts("undeclared").optional().about(
        "Ids of options that stand for write-ins who did not declare: they leave first and cannot \
         win.",
    ),
    Param::integer("minimum_votes", 0, i64::MAX).default_integer(0).about(
        "Options with fewer votes in round 1 leave after it, unless all have fewer.",
    ),
    Param::integer("seats", 1, 256).default_integer(1).about("How many options are elected."),
    Param::choice("several_seats", &["block", "bottoms-up"]).default_text("block").about(
        "How several seats are filled: one after another, each by a count without those who are \
         elected; or by one count, until as many are left.",
    ),
    Param::choice("ties", &["tie-break", "earlier-rounds"]).default_text("tie-break").about(
        "Who leaves of those with equally few votes: as the tie-break says at once, or who had fewer in \
         the rounds before, the last one first.",
    ),
];

impl Law {
    pub(crate) fn of(params: &Params) -> Self {
        let named = params.optional_choice("law");
        let law = LAWS.iter().find(|(name, _)| Some(*name) == named);
        let law = law.map_or(NONE, |(_, law)| *law);
        // The manifest bounds the integers from below by 0.
        let count = |name| params.optional_integer(name).map(i64::unsigned_abs);
        Self {
            overvote: match params.optional_choice("overvote") {
                Some("exhaust") => Overvote::Exhaust,
                Some("skip") => Overvote::Skip,
                Some(_) => Overvote::ExhaustIfMultipleContinuing,
                None => law.overvote,
            },
            skipped_ranks: count("skipped_ranks").or(law.skipped_ranks),
            repeated: match params.optional_choice("repeated") {
                Some("exhaust") => Repeated::Exhaust,
                Some(_) => Repeated::Skip,
                None => law.repeated,
            },
            ranks_max: count("ranks_max").or(law.ranks_max),
            until: match params.optional_choice("until") {
                Some("two") => Until::Two,
                Some("first-majority-or-two") => Until::FirstMajorityOrTwo,
                Some("fixed-majority-or-two") => Until::FixedMajorityOrTwo,
                Some(_) => Until::Majority,
                None => law.until,
            },
            batch_elimination: params
                .optional_flag("batch_elimination")
                .unwrap_or(law.batch_elimination),
        }
    }

    /// How marks are read before anybody is eliminated.
    pub(crate) fn marks(&self) -> MarkRules {
        MarkRules {
            skipped_max: self.skipped_ranks,
            repeated: self.repeated,
            several: match self.overvote {
                Overvote::ExhaustIfMultipleContinuing => Several::Share,
                Overvote::Exhaust => Several::Exhaust,
                Overvote::Skip => Several::Skip,
            },
            ranks_max: self.ranks_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_lists_every_law() {
        let param = PARAMS.iter().find(|param| param.name() == "law").unwrap();
        assert!(param.words().iter().eq(LAWS.iter().map(|(name, _)| name)));
    }
}
