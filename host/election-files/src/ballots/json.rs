//! JSON lines, and JSON arrays: `{"ranking": ["a", "b"], "weight": 3}`; the weight is 1 where left
//! out.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::error::Category;
use serde_json::value::RawValue;
use tabella_contest::StrictJson;

use super::content::{Content, GO_ON};
use super::problem::{At, Cast, Unread, brief};
use super::{Format, line_ends};

/// Which of the formats that are JSON a text has.
pub(super) fn guess(text: &str) -> Format {
    #[derive(Deserialize)]
    struct Top<'a> {
        #[serde(borrow, rename = "CVR")]
        records: Option<&'a RawValue>,
        #[serde(borrow, rename = "Sessions")]
        sessions: Option<&'a RawValue>,
        #[serde(borrow)]
        ballots: Option<&'a RawValue>,
    }
    if text.trim_start().starts_with('[') {
        return Format::Json;
    }
    match serde_json::from_str::<Top<'_>>(text) {
        Ok(Top {
            records: Some(_), ..
        }) => Format::Cvr,
        Ok(Top {
            sessions: Some(_), ..
        }) => Format::Dominion,
        Ok(Top {
            ballots: Some(_), ..
        }) => Format::Json,
        // A first line that is a whole value is one of many; of a broken file the place is told.
        _ => {
            match serde_json::from_str::<IgnoredAny>(text.trim_start().lines().next().unwrap_or(""))
            {
                Ok(IgnoredAny) => Format::JsonLines,
                Err(_) => Format::Json,
            }
        }
    }
}

/// One ballot a line; empty lines are passed over.
pub(super) fn lines(content: &Content, sink: &mut dyn FnMut(Cast)) -> Result<(), At> {
    content.each_line(&mut |number, line| {
        if !line.trim().is_empty() {
            sink(cast(line, number));
        }
        GO_ON
    })
}

/// An array of ballots, or an object with one.
pub(super) fn array(text: &str, sink: &mut dyn FnMut(Cast)) -> Result<(), At> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Held<'a> {
        #[serde(borrow)]
        ballots: Vec<&'a RawValue>,
    }
    let ballots = if text.trim_start().starts_with('[') {
        serde_json::from_str(text)
    } else {
        serde_json::from_str::<Held<'_>>(text).map(|held| held.ballots)
    };
    let ballots: Vec<&RawValue> = ballots.map_err(|error| at(&error))?;
    let mut lines = Lines::new(text);
    for ballot in ballots {
        sink(cast(ballot.get(), lines.of(ballot.get())));
    }
    Ok(())
}

fn cast(text: &str, line: u64) -> Cast {
    let mut weight = 1;
    let ballot = match serde_json::from_str(text) {
        Ok(StrictJson(Value::Object(mut ballot))) => match ballot.remove("weight") {
            None => Ok(Value::Object(ballot)),
            Some(given) => match given.as_u64() {
                Some(given) => {
                    weight = given;
                    Ok(Value::Object(ballot))
                }
                None => Err(format!(
                    "expected a whole number below 2^64 as weight, found {}",
                    brief(&given.to_string())
                )),
            },
        },
        Ok(_) => Err(format!("expected a JSON object, found {}", brief(text))),
        Err(error) => Err(match error.classify() {
            Category::Eof => format!("the JSON is cut off: {}", brief(text)),
            Category::Data => placed(&error),
            _ => format!("not JSON: {}", placed(&error)),
        }),
    };
    Cast::new(line, weight, ballot.map_err(Unread::Spoiled))
}

/// What is wrong with a ballot, placed by column: its line is told beside it.
fn placed(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    match text.strip_suffix(&format!(" at line 1 column {column}")) {
        Some(what) if line == 1 => format!("{what} at column {column}"),
        _ => text,
    }
}

pub(super) fn at(error: &serde_json::Error) -> At {
    At::new(error.line() as u64, error.to_string())
}

/// Line numbers of parts of a text, asked for in their order.
pub(super) struct Lines<'a> {
    text: &'a str,
    seen: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            seen: 0,
            line: 1,
        }
    }

    /// The line on which a part of the text starts.
    pub(super) fn of(&mut self, part: &'a str) -> u64 {
        let start = part.as_ptr() as usize;
        let start = start.saturating_sub(self.text.as_ptr() as usize);
        if let Some(between) = self.text.as_bytes().get(self.seen..start) {
            self.line += line_ends(between);
            self.seen = start;
        }
        self.line
    }
}
