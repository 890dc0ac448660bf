//! Single transferable vote: seats go to options that reach a quota; what they have beyond it, and
//! the votes of options that are excluded, pass on by the voters' rankings.
//!
//! Five counts (`rules`), all in fixed decimal arithmetic that cuts off what does not fit `places`:
//!
//! - `scottish`: the Scottish Local Government Elections Order 2007, schedule 1, rules 45 to 52.
//!   Whole Droop quota; largest surplus first; every paper of the candidate passes on at
//!   (surplus x value when received) / votes, cut to five places. Ties: the most recent stage at
//!   which the tied differed, then lot.
//! - `wigm`: the weighted inclusive Gregory method as in Jonathan Lundell's reference
//!   implementation `droop`, rule `wigm` in fixed arithmetic: quota votes / (seats + 1) plus one
//!   unit of the last place, elected at or above it; the new value is value x surplus, cut, then
//!   divided by the votes, cut. Nine places. Ties: lot.
//! - `meek`: B. L. Meek's method after Hill, Wichmann and Woodall, "Algorithm 123: Single
//!   Transferable Vote by Meek's method" (The Computer Journal 30, 1987), as in OpenSTV and in the
//!   rule `meek` of `droop` in fixed arithmetic: nine places, omega 10^-6 (two thirds of the
//!   places), sure losers excluded together, the quota follows the votes that still count. Options
//!   within the remaining surplus of the fewest votes tie for exclusion. Ties: lot. Tens of thousands
//!   of different rankings for many seats can be more work than one count may be: then rounds end
//!   before their surplus has passed on to within omega, who is excluded is the one whose votes tend
//!   to the fewest, and the explanation says in which rounds.
//! - `fractional-gregory`: J. B. Gregory's method, as in Northern Ireland (Electoral Law Act (NI)
//!   1962, schedule 5, rules 48 to 52) and Seanad elections: whole Droop quota; only the parcel
//!   received last, by which the quota was reached, passes a surplus on, its transferable papers at
//!   surplus / papers, at most at the value received. Excluded candidates' papers pass on by value,
//!   the highest first, each value a stage of its own. Five places; the statute has two
//!   (`places: 2`). Ties: the earliest stage at which the tied differed, then lot.
//!
//! - `australian-senate`: the inclusive Gregory method of the Commonwealth Electoral Act 1918, section 273:
//!   whole votes, whole Droop quota; a surplus passes on over all papers of the elected, each at
//!   surplus / papers, an exact fraction, and each candidate gets whole votes; surpluses in the order of
//!   election; an excluded candidate's papers by transfer value, the highest first, each a count of its own;
//!   of two who are left for the last place, the one with more votes is elected. Ties: the last count at
//!   which all of the tied differed, then lot, for the Electoral Officer's decision; lot at once for the last
//!   place. Candidates never leave together, as the Act allows and a computer has no need to.
//!
//! `law` sets all parameters as one law does; a parameter that is given replaces the law's. Ireland, Malta and
//! Cambridge, Massachusetts, are not among them: they draw the papers of a surplus from a pile in the order in
//! which it lies, or every so manyth, so that no count of the ballots alone comes out as theirs.
//!
//! `quota` replaces a count's own quota: `droop` is votes / (seats + 1), cut to a whole number, plus
//! one; `droop-fractional` is cut to the last place, plus one unit of it; `hare` is votes / seats,
//! rounded up to the last place.
//!
//! A rank with several marks ends a ballot when it is reached, as an unclear preference does in the
//! statutes, unless `overvote` says `skip`. `skipped_ranks`, `repeated` and `ranks_max` say what
//! becomes of skipped ranks, repeated options and ranks beyond a number. A ballot without a clear first preference is not counted to the quota. Votes that
//! count for nobody (`exhausted`) include what the arithmetic cut off. Lots are the contest's
//! tie-break. Where ties are only to be reported, every way to decide them is followed, those that
//! meet only once (up to a bound, and the explanation says when it was reached), and every option that
//! wins in one of them is a winner.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod election;
mod explain;
mod gregory;
mod law;
mod meek;
mod papers;
mod quota;
mod senate;

use tabella_sdk::prelude::*;
use tabella_sdk::{Followed, Lots, MarkRules};

use law::Law;
use papers::Papers;
use quota::QuotaKind;

/// Counts to make of one election where ties are only reported, at most.
const COUNTS_MAX: usize = 2_048;

/// Work of all those counts together, at most. For larger elections only the first count is made.
const WORK_MAX: usize = 1_000_000;

/// How often Meek's count reads a preference, about; the others read each at most once.
const MEEK_READINGS: usize = 20;

/// Options of a contest, at most: every round lists totals and may have a tie, and with more of them
/// an outcome could exceed the host's limit.
const OPTIONS_MAX: usize = 256;

/// The rule; see the crate's documentation.
pub struct Stv {
    contest: Contest,
    seats: usize,
    rules: Rules,
    places: u8,
    quota: QuotaKind,
    marks: MarkRules,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rules {
    Scottish,
    Wigm,
    Meek,
    FractionalGregory,
    Senate,
}

impl Rule for Stv {
    type Ballot = MarkedRanking;
    type Tally = Profile<Ranking>;

    const MANIFEST: Manifest = Manifest::new(
        "stv",
        env!("CARGO_PKG_VERSION"),
        "Options that reach a quota are elected; their surplus and the votes of the last pass on.",
    )
    .licence("Apache-2.0")
    .definition(
        "Scottish Local Government Elections Order 2007, schedule 1, rules 45 to 52; \
         Hill, Wichmann, Woodall, The Computer Journal 30 (1987)",
    )
    .params(law::PARAMS);

    fn configure(params: &Params, contest: &Contest) -> Result<Self, ConfigError> {
        if contest.len() > OPTIONS_MAX {
            return Err(ConfigError::new(alloc::format!(
                "stv counts at most {OPTIONS_MAX} options, found {}",
                contest.len()
            )));
        }
        let law = Law::of(params);
        let places = law.places();
        if law.rules == Rules::Senate && places > 0 {
            return Err(ConfigError::new(
                "the Senate's votes are whole: leave places out, or give 0",
            ));
        }
        Ok(Self {
            contest: contest.clone(),
            // The manifest bounds it, so it fits.
            seats: params.integer("seats") as usize,
            places,
            quota: law.quota(),
            rules: law.rules,
            marks: law.marks,
        })
    }

    fn validate(&self, _ballot: &MarkedRanking) -> Verdict {
        Verdict::Accept
    }

    fn start(&self) -> Profile<Ranking> {
        Profile::new()
    }

    fn fold(&self, profile: &mut Profile<Ranking>, ballot: &MarkedRanking, weight: u64) {
        match self.marks.as_plain(ballot) {
            Some(plain) => profile.add(plain, weight),
            None => {
                let plain = self.marks.plain_bytes(ballot, self.contest.len());
                profile.add(Ranking::view_again(&plain), weight);
            }
        }
    }

    fn merge(&self, profile: &mut Profile<Ranking>, other: Profile<Ranking>) {
        profile.merge(&other);
    }

    fn finish(&self, profile: Profile<Ranking>, ties: &mut TieBreak) -> Outcome {
        let papers = Papers::new(&profile);
        drop(profile);
        let readings = match self.rules {
            Rules::Meek => MEEK_READINGS,
            Rules::Scottish | Rules::Wigm | Rules::FractionalGregory | Rules::Senate => 1,
        };
        // There are about as many rounds as options, and each lists them.
        let work = papers.preferences().len() * readings + self.contest.len().pow(2);
        let counts_max = COUNTS_MAX.min(WORK_MAX / work);
        let count = |lots: &mut Lots<'_>| match self.rules {
            Rules::Meek => meek::count(self, &papers, lots),
            Rules::Senate => senate::count(self, &papers, lots),
            _ => gregory::count(self, &papers, lots),
        };
        let followed = Lots::follow(ties, counts_max, count, |count| &count.elected);
        let explanation = explain::paragraph(self, &followed, ties.ties());
        let Followed { count, winners, .. } = followed;
        let mut outcome = self.contest.outcome(&count.votes, winners);
        outcome.explanation = explanation;
        outcome.quota = Some(count.quota);
        outcome.rounds = count.rounds;
        outcome
    }
}
