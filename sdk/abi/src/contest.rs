//! What the host hands to `configure` (the contest and the rule's parameters) and to `finish` (how
//! to break ties).

use alloc::string::String;
use alloc::vec::Vec;

use crate::codec::{Reader, Wire};
use crate::wire;

/// One option on the ballot paper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContestOption {
    /// Its id in ballots and results.
    pub id: String,
    /// Its name for people.
    pub title: String,
}

wire!(ContestOption { id, title });

/// The input of `configure`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// The options, in the order in which ballots number them.
    pub options: Vec<ContestOption>,
    /// One value for each parameter of the manifest, in its order.
    pub params: Vec<ParamValue>,
}

wire!(Configuration { options, params });

/// The value of one parameter: a tag, then the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParamValue {
    /// 0: not given, and the manifest has no default.
    Absent,
    /// 1: an integer.
    Integer(i64),
    /// 2: the position of the chosen word in the manifest's list.
    Choice(usize),
    /// 3: yes or no.
    Flag(bool),
    /// 4: numerator and denominator, as written.
    Ratio(u64, u64),
    /// 5: a decimal times ten to the power of the manifest's places.
    Decimal(i64),
    /// 6: a text.
    Text(String),
    /// 7: a list of texts.
    Texts(Vec<String>),
    /// 8: an integer for each option, in the order of the contest.
    PerOption(Vec<u64>),
}

impl Wire for ParamValue {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Absent => out.push(0),
            Self::Integer(value) => {
                out.push(1);
                value.put(out);
            }
            Self::Choice(position) => {
                out.push(2);
                position.put(out);
            }
            Self::Flag(value) => {
                out.push(3);
                value.put(out);
            }
            Self::Ratio(numerator, denominator) => {
                out.push(4);
                numerator.put(out);
                denominator.put(out);
            }
            Self::Decimal(value) => {
                out.push(5);
                value.put(out);
            }
            Self::Text(text) => {
                out.push(6);
                text.put(out);
            }
            Self::Texts(texts) => {
                out.push(7);
                texts.put(out);
            }
            Self::PerOption(values) => {
                out.push(8);
                values.put(out);
            }
        }
    }

    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        Some(match reader.byte()? {
            0 => Self::Absent,
            1 => Self::Integer(Wire::take(reader)?),
            2 => Self::Choice(Wire::take(reader)?),
            3 => Self::Flag(Wire::take(reader)?),
            4 => Self::Ratio(Wire::take(reader)?, Wire::take(reader)?),
            5 => Self::Decimal(Wire::take(reader)?),
            6 => Self::Text(Wire::take(reader)?),
            7 => Self::Texts(Wire::take(reader)?),
            8 => Self::PerOption(Wire::take(reader)?),
            _ => return None,
        })
    }
}

/// Who decides ties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decider {
    /// 0: lots, drawn by the host from a seed that nobody could choose.
    Seed,
    /// 1: an order that was declared beforehand.
    Order,
    /// 2: nobody; every tied option is reported.
    Report,
}

impl Decider {
    /// Its name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Order => "order",
            Self::Report => "report",
        }
    }
}

impl Wire for Decider {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Seed => 0,
            Self::Order => 1,
            Self::Report => 2,
        });
    }

    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        match reader.byte()? {
            0 => Some(Self::Seed),
            1 => Some(Self::Order),
            2 => Some(Self::Report),
            _ => None,
        }
    }
}

/// The input of `finish`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TieOrder {
    /// Who decides.
    pub decider: Decider,
    /// Every option, the one that wins ties first. With [`Decider::Report`], the paper's order.
    pub order: Vec<usize>,
}

wire!(TieOrder { decider, order });
