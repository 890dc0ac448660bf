//! The parameters, and the laws that set them together.

use tabella_sdk::prelude::*;
use tabella_sdk::{MarkRules, Repeated, Several};

use crate::Rules;
use crate::quota::QuotaKind;

/// What an election's parameters come to.
#[derive(Clone, Copy)]
pub(crate) struct Law {
    pub(crate) rules: Rules,
    places: Option<i64>,
    quota: Option<QuotaKind>,
    pub(crate) marks: MarkRules,
}

/// The Scottish rules; an unclear rank ends a ballot.
const NONE: Law = Law {
    rules: Rules::Scottish,
    places: None,
    quota: None,
    marks: MarkRules {
        skipped_max: None,
        repeated: Repeated::Skip,
        several: Several::Exhaust,
        ranks_max: None,
    },
};

/// The named laws. The list of the manifest's parameter `law` has the same names in this order.
const LAWS: [(&str, Law); 5] = [
    // Scottish Local Government Elections Order 2007, schedule 1, rules 45 to 52.
    ("scotland", NONE),
    // Electoral Law Act (Northern Ireland) 1962, schedule 5, rules 48 to 52: two places.
    (
        "northern-ireland",
        Law {
            rules: Rules::FractionalGregory,
            places: Some(2),
            ..NONE
        },
    ),
    // Minneapolis Code of Ordinances sections 167.20 and 167.70: a whole threshold, surplus fractions of four
    // places, three rankings; overvoted and skipped rankings are passed over.
    (
        "minneapolis",
        Law {
            rules: Rules::Wigm,
            places: Some(4),
            quota: Some(QuotaKind::Droop),
            marks: MarkRules {
                several: Several::Skip,
                ranks_max: Some(3),
                ..NONE.marks
            },
        },
    ),
    // Portland City Code 2.08.010(G) and (H): an overvote is no ranking, and a ballot goes on below it; six
    // rankings. Places as in Minneapolis.
    (
        "portland-oregon",
        Law {
            rules: Rules::Wigm,
            places: Some(4),
            quota: Some(QuotaKind::Droop),
            marks: MarkRules {
                several: Several::Skip,
                ranks_max: Some(6),
                ..NONE.marks
            },
        },
    ),
    // Commonwealth Electoral Act 1918, sections 268A and 273: a repeated or skipped number ends a paper.
    (
        "australian-senate",
        Law {
            rules: Rules::Senate,
            marks: MarkRules {
                skipped_max: Some(0),
                ..NONE.marks
            },
            ..NONE
        },
    ),
];

/// Skipped ranks in a row, and ranks that are read, at most: no ballot has as many.
const RANKS_MAX: i64 = 16_384;

pub(crate) const PARAMS: &[Param] = &[
    Param::integer("seats", 1, 4_096).about("How many options are elected."),
    Param::choice(
        "rules",
        &[
            "scottish",
            "wigm",
            "meek",
            "fractional-gregory",
            "australian-senate",
        ],
    )
    .optional()
    .about(
        "How votes pass on, and in which arithmetic; left out: as `law` says, else scottish.",
    ),
    Param::integer("places", 0, 9).optional().about(
        "Decimal places; left out: as `law` says, else 5 in scottish and fractional-gregory, 9 in wigm \
         and meek. australian-senate has none.",
    ),
    Param::choice("quota", &["droop", "droop-fractional", "hare"])
        .optional()
        .about(
            "Left out: as `law` says, else whole droop in scottish, fractional-gregory and \
             australian-senate, and droop-fractional in wigm and meek.",
        ),
    Param::integer("skipped_ranks", 0, RANKS_MAX).optional().about(
        "Skipped ranks in a row that are passed over; one more ends the ballot. Left out: as `law` says, \
         else any number.",
    ),
    Param::choice("repeated", &["skip", "exhaust"]).optional().about(
        "What becomes of a ballot at an option that stood at a better rank; left out: skip.",
    ),
    Param::choice("overvote", &["exhaust", "skip"]).optional().about(
        "What becomes of a ballot at a rank with several marks; left out: as `law` says, else exhaust.",
    ),
    Param::integer("ranks_max", 1, RANKS_MAX)
        .optional()
        .about("How many ranks are read, the best first; left out: as `law` says, else all."),
    Param::choice(
        "law",
        &[
            "scotland",
            "northern-ireland",
            "minneapolis",
            "portland-oregon",
            "australian-senate",
        ],
    )
    .optional()
    .about(
        "Whose law sets the other parameters, where they are left out: Scottish Local Government \
         Elections Order 2007; Electoral Law Act (NI) 1962; Minneapolis Code 167.70; Portland City Code \
         2.08; Commonwealth Electoral Act 1918.",
    ),
];

impl Law {
    pub(crate) fn of(params: &Params) -> Self {
        let named = params.optional_choice("law");
        let law = LAWS.iter().find(|(name, _)| Some(*name) == named);
        let law = law.map_or(NONE, |(_, law)| *law);
        let rules = match params.optional_choice("rules") {
            Some("wigm") => Rules::Wigm,
            Some("meek") => Rules::Meek,
            Some("fractional-gregory") => Rules::FractionalGregory,
            Some("australian-senate") => Rules::Senate,
            Some(_) => Rules::Scottish,
            None => law.rules,
        };
        // Another count than the law's has its own arithmetic.
        let (places, quota) = match rules == law.rules {
            true => (law.places, law.quota),
            false => (None, None),
        };
        // The manifest bounds the integers from below by 0.
        let count = |name| params.optional_integer(name).map(i64::unsigned_abs);
        Self {
            rules,
            places: params.optional_integer("places").or(places),
            quota: match params.optional_choice("quota") {
                Some("droop") => Some(QuotaKind::Droop),
                Some("droop-fractional") => Some(QuotaKind::DroopFractional),
                Some(_) => Some(QuotaKind::Hare),
                None => quota,
            },
            marks: MarkRules {
                skipped_max: count("skipped_ranks").or(law.marks.skipped_max),
                repeated: match params.optional_choice("repeated") {
                    Some("exhaust") => Repeated::Exhaust,
                    Some(_) => Repeated::Skip,
                    None => law.marks.repeated,
                },
                several: match params.optional_choice("overvote") {
                    Some("skip") => Several::Skip,
                    Some(_) => Several::Exhaust,
                    None => law.marks.several,
                },
                ranks_max: count("ranks_max").or(law.marks.ranks_max),
            },
        }
    }

    /// Decimal places; the manifest bounds them from 0 to 9.
    pub(crate) fn places(&self) -> u8 {
        let own = match self.rules {
            Rules::Scottish | Rules::FractionalGregory => 5,
            Rules::Wigm | Rules::Meek => 9,
            Rules::Senate => 0,
        };
        self.places.unwrap_or(own) as u8
    }

    pub(crate) fn quota(&self) -> QuotaKind {
        let own = match self.rules {
            Rules::Scottish | Rules::FractionalGregory | Rules::Senate => QuotaKind::Droop,
            Rules::Wigm | Rules::Meek => QuotaKind::DroopFractional,
        };
        self.quota.unwrap_or(own)
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
