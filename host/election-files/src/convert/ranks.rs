//! What the ballots of a conversion say, for those who write them.

use serde_json::Value;
use tabella_contest::BallotKind;

use super::Job;

/// What stands at one rank.
pub(super) enum Rank {
    Skipped,
    /// Marks of which nobody recorded whom they are for, by the word for it.
    Unknown(String),
    /// Positions of options.
    Options(Vec<usize>),
}

impl Job<'_> {
    /// The position of an option.
    pub(super) fn position(&self, id: &Value) -> usize {
        let options = &self.election.options;
        let found = options
            .iter()
            .position(|option| Some(&*option.id) == id.as_str());
        // The ballot was encoded, so that its ids are those of options.
        found.unwrap_or(options.len())
    }

    /// The ranks of a ballot; sets of options share the first.
    pub(super) fn ranks(&self, ballot: &Value) -> Vec<Rank> {
        let set = |ids: &[Value]| match ids {
            [] => Vec::new(),
            _ => vec![Rank::Options(
                ids.iter().map(|id| self.position(id)).collect(),
            )],
        };
        let list = |member: &str| ballot[member].as_array().map_or(&[][..], Vec::as_slice);
        if self.paper.kind != BallotKind::Ranking {
            return match &ballot["choice"] {
                Value::Null => set(&[list("choices"), list("approve")].concat()),
                choice => set(std::slice::from_ref(choice)),
            };
        }
        let rank = |rank: &Value| match rank {
            Value::Array(ids) if ids.is_empty() => Rank::Skipped,
            Value::Array(ids) => Rank::Options(ids.iter().map(|id| self.position(id)).collect()),
            Value::Object(mark) => {
                let word = mark.get("mark").and_then(Value::as_str).unwrap_or_default();
                Rank::Unknown(word.to_owned())
            }
            id => Rank::Options(vec![self.position(id)]),
        };
        list("ranking").iter().map(rank).collect()
    }

    /// Whether ballots give values to options.
    pub(super) fn values_member(&self) -> Option<&'static str> {
        match self.paper.kind {
            BallotKind::Scores => Some("scores"),
            BallotKind::Votes => Some("votes"),
            BallotKind::Grades => Some("grades"),
            _ => None,
        }
    }
}
