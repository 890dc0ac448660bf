//! Which parties share the seats: thresholds by kind of list, their base, and who is exempt.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use tabella_sdk::prelude::*;

use crate::Marks;

/// Places of thresholds.
const THRESHOLD_PLACES: u8 = 4;

/// A hundred per cent, in units of a threshold.
const WHOLE: u128 = 100 * 10u128.pow(THRESHOLD_PLACES as u32);

/// Direct seats of a party, at most.
const DIRECT_MAX: u64 = 100_000;

/// Of what a threshold is a share.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Base {
    /// The votes for all parties.
    Parties,
    /// All ballots, the blank ones too.
    Ballots,
}

/// What lets a party take part.
pub(crate) struct Admission {
    /// By party, in units of a ten-thousandth of a per cent.
    thresholds: Vec<u128>,
    base: Base,
    /// By party, the seats that it won in districts.
    pub(crate) direct: Vec<u64>,
    /// Direct seats from which on no threshold holds; 0: none exempt.
    waiver: u64,
}

pub(crate) const PARAMS: &[Param] = &[
    Param::integer("seats", 1, 100_000).about("How many seats are shared."),
    Param::choice("method", &["dhondt", "sainte-lague", "hare", "droop"])
        .default_text("dhondt")
        .about("Highest averages (dhondt, sainte-lague), or quotas and largest remainders."),
    Param::decimal("threshold_percent", THRESHOLD_PLACES)
        .default_text("0")
        .about("Parties with a smaller share of the votes get no seats."),
    Param::texts("party_thresholds").optional().about(
        "Parties with a threshold of their own, such as coalitions, as `ID PERCENT`: \"ps-spolu 7\".",
    ),
    Param::choice("threshold_base", &["parties", "ballots"])
        .default_text("parties")
        .about("Of what thresholds are a share: the votes for parties, or all ballots, blank ones too."),
    Param::texts("direct_seats").optional().about(
        "Seats that parties won in districts, as `ID SEATS`: they are part of their share, and stay \
         with them where they are more.",
    ),
    Param::integer("direct_waiver", 0, DIRECT_MAX as i64)
        .default_integer(1)
        .about("From how many direct seats on no threshold holds for a party; 0: it always holds."),
];

impl Admission {
    pub(crate) fn of(params: &Params, contest: &Contest) -> Result<Self, ConfigError> {
        let general = params.decimal("threshold_percent");
        if general as u128 > WHOLE {
            return Err(ConfigError::new(
                "threshold_percent is more than 100; give a share of the votes in per cent",
            ));
        }
        let mut admission = Self {
            // The manifest bounds it from below by 0.
            thresholds: vec![general as u128; contest.len()],
            base: match params.choice("threshold_base") {
                "ballots" => Base::Ballots,
                _ => Base::Parties,
            },
            direct: vec![0; contest.len()],
            waiver: params.integer("direct_waiver") as u64,
        };
        let mut named = vec![false; contest.len()];
        for text in params.texts("party_thresholds") {
            let (party, percent) = of_party("party_thresholds", text, contest, &mut named)?;
            admission.thresholds[party] = units(percent).ok_or_else(|| {
                ConfigError::new(format!(
                    "party_thresholds: expected a share from 0 to 100 with at most {THRESHOLD_PLACES} \
                     decimals, found {percent:?}"
                ))
            })?;
        }
        let mut named = vec![false; contest.len()];
        for text in params.texts("direct_seats") {
            let (party, seats) = of_party("direct_seats", text, contest, &mut named)?;
            let seats = seats.parse().ok().filter(|seats| *seats <= DIRECT_MAX);
            admission.direct[party] = seats.ok_or_else(|| {
                ConfigError::new(format!(
                    "direct_seats: expected a number of seats up to {DIRECT_MAX}, found {text:?}"
                ))
            })?;
        }
        Ok(admission)
    }

    /// Whether a threshold keeps any party out.
    pub(crate) fn has_threshold(&self) -> bool {
        self.thresholds.iter().any(|threshold| *threshold > 0)
    }

    fn is_exempt(&self, party: usize) -> bool {
        self.waiver > 0 && self.direct[party] >= self.waiver
    }

    /// The parties that share the seats.
    pub(crate) fn admitted(&self, marks: &Marks) -> Vec<usize> {
        let for_parties: u128 = marks.votes.iter().map(|votes| u128::from(*votes)).sum();
        let all = match self.base {
            Base::Parties => for_parties,
            Base::Ballots => for_parties + u128::from(marks.blank),
        };
        let takes_part = |party: &usize| {
            let votes = u128::from(marks.votes[*party]);
            votes > 0 && (votes * WHOLE >= self.thresholds[*party] * all || self.is_exempt(*party))
        };
        (0..marks.votes.len()).filter(takes_part).collect()
    }
}

/// The party and the number of `ID NUMBER`. A party is named once.
fn of_party<'a>(
    param: &str,
    text: &'a str,
    contest: &Contest,
    named: &mut [bool],
) -> Result<(usize, &'a str), ConfigError> {
    let refuse = |what: &str| ConfigError::new(format!("{param}: expected {what}, found {text:?}"));
    let Some((id, number)) = text.trim().rsplit_once(' ') else {
        return Err(refuse("a party's id, a space and a number"));
    };
    let id = id.trim_end();
    let found = (0..contest.len()).find(|option| contest.id(*option) == id);
    let party = found.ok_or_else(|| refuse("the id of an option in front"))?;
    match core::mem::replace(&mut named[party], true) {
        true => Err(refuse("each party once")),
        false => Ok((party, number)),
    }
}

/// A share in per cent, in units of a ten-thousandth of a per cent.
fn units(percent: &str) -> Option<u128> {
    let (whole, decimals) = percent.split_once('.').unwrap_or((percent, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let places = usize::from(THRESHOLD_PLACES);
    if whole.is_empty()
        || whole.len() > 3
        || decimals.len() > places
        || !digits(whole)
        || !digits(decimals)
    {
        return None;
    }
    let missing = (places - decimals.len()) as u32;
    let whole: u128 = whole.parse().ok()?;
    let decimals: u128 = match decimals {
        "" => 0,
        text => text.parse().ok()?,
    };
    let units = whole * 10u128.pow(places as u32) + decimals * 10u128.pow(missing);
    (units <= WHOLE).then_some(units)
}
