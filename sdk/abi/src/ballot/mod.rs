//! The kinds of ballot, each with one compact byte form that is read in place.
//!
//! Options are numbered from 0 in the order of the contest. A view is made by [`Ballot::view`],
//! which refuses every byte string that is not the one canonical form of a ballot of that kind.

mod marked;
mod options;
mod ranking;
mod values;

use core::fmt;

pub use marked::{MarkedOptions, MarkedRanking, MarkedRanks, Marks, RankMarks};
pub use options::{Approvals, Choices};
pub use ranking::{Entry, Rank, Ranking, Ranks};
pub use values::{Grades, Scores, Votes};

/// The shapes of ballots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BallotKind {
    /// `{"choice": "a"}` or `{"choices": ["a", "b"]}`: [`Choices`].
    Choice,
    /// `{"approve": ["a", "c"]}`: [`Approvals`].
    Approval,
    /// `{"ranking": ["a", ["b", "c"]]}`, best first: [`Ranking`], or [`MarkedRanking`] for rules that
    /// judge skipped ranks and repeated options themselves.
    Ranking,
    /// `{"scores": {"a": 5}}`, absent is 0: [`Scores`].
    Scores,
    /// `{"grades": {"a": "good"}}`: [`Grades`].
    Grades,
    /// `{"votes": {"a": 3}}`, absent is 0: [`Votes`].
    Votes,
    /// `{"raw": "base64"}`: [`Raw`].
    Raw,
}

impl BallotKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Choice,
        Self::Approval,
        Self::Ranking,
        Self::Scores,
        Self::Grades,
        Self::Votes,
        Self::Raw,
    ];

    /// Its name in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Choice => "choice",
            Self::Approval => "approval",
            Self::Ranking => "ranking",
            Self::Scores => "scores",
            Self::Grades => "grades",
            Self::Votes => "votes",
            Self::Raw => "raw",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A kind of ballot as a rule sees it: a view of its bytes.
pub trait Ballot {
    /// Which kind.
    const KIND: BallotKind;

    /// Reads a ballot in a contest of that many options.
    fn view(bytes: &[u8], options: usize) -> Result<&Self, Malformed>;

    /// A view of bytes that [`Ballot::view`] accepted before. On other bytes its methods give
    /// meaningless answers, but neither panic nor touch other memory.
    fn view_again(bytes: &[u8]) -> &Self;

    /// The canonical bytes.
    fn as_bytes(&self) -> &[u8];
}

/// Why bytes are not a ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// An integer is cut off or not in its shortest form.
    Integer,
    /// It names an option that the contest does not have.
    UnknownOption,
    /// It names an option twice, or options of one rank out of order.
    Order,
    /// It gives a value that is left out in the canonical form.
    Zero,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Integer => "the ballot's bytes are cut off or not canonical",
            Self::UnknownOption => "the ballot names an option that is not in the contest",
            Self::Order => "the ballot names an option twice or out of order",
            Self::Zero => "the ballot spells out a zero",
        })
    }
}

impl core::error::Error for Malformed {}

macro_rules! view {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(PartialEq, Eq, PartialOrd, Ord)]
        #[repr(transparent)]
        pub struct $name([u8]);

        impl $name {
            #[allow(unsafe_code)]
            fn cast(bytes: &[u8]) -> &Self {
                // SAFETY: the type is a transparent wrapper of `[u8]`, and no method relies on
                // what the bytes are for memory safety.
                unsafe { &*(core::ptr::from_ref(bytes) as *const Self) }
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), &self.0)
            }
        }
    };
}
use view;

view! {
    /// Bytes that only the rule understands, such as an encrypted ballot.
    Raw
}

impl Ballot for Raw {
    const KIND: BallotKind = BallotKind::Raw;

    fn view(bytes: &[u8], _options: usize) -> Result<&Self, Malformed> {
        Ok(Self::cast(bytes))
    }

    fn view_again(bytes: &[u8]) -> &Self {
        Self::cast(bytes)
    }

    fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
