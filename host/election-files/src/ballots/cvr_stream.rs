//! Cast Vote Records of a file that is too large to be held as a whole: read record by record, as often as
//! somebody asks for all of them.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::content::Stored;
use super::cvr_selections::ElectionPart;
use super::cvr_status::know_version;
use super::json::at;
use super::line_ends;
use super::problem::At;

/// What such files have near their start; a file of another kind is read as a whole.
const MARKS: [&str; 2] = ["CVR.CastVoteRecordReport", "\"CVR\""];

/// Read at once, in bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// Whether the start of a file says that it holds Cast Vote Records.
pub(super) fn looks_like(start: &str) -> bool {
    start.trim_start().starts_with('{') && MARKS.iter().any(|mark| start.contains(mark))
}

/// Gives every record to `each`, with the line on which it starts. Returns the elections that the file
/// describes.
pub(super) fn each(
    file: &Stored,
    each: &mut dyn FnMut(u64, &str),
) -> Result<Vec<ElectionPart>, At> {
    file.read(|reader| {
        let lines = Rc::new(Cell::new(0));
        let reader = Counted {
            inner: BufReader::with_capacity(CHUNK_BYTES, reader),
            lines: Rc::clone(&lines),
        };
        let mut json = serde_json::Deserializer::from_reader(reader);
        let report = json.deserialize_map(Report { each, lines });
        let elections = report.map_err(|error| at(&error))?;
        json.end().map_err(|error| at(&error))?;
        Ok(elections)
    })
}

/// Counts the lines that were read.
struct Counted<R> {
    inner: R,
    lines: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.lines
            .set(self.lines.get() + line_ends(&buffer[..read]));
        Ok(read)
    }
}

struct Report<'a> {
    each: &'a mut dyn FnMut(u64, &str),
    lines: Rc<Cell<u64>>,
}

impl<'de> Visitor<'de> for Report<'_> {
    type Value = Vec<ElectionPart>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CastVoteRecordReport")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { each, lines } = self;
        let mut elections = None;
        let mut has_records = false;
        while let Some(key) = map.next_key::<String>()? {
            match &*key {
                "Election" if elections.is_some() => {
                    return Err(A::Error::duplicate_field("Election"));
                }
                "Election" => elections = Some(map.next_value()?),
                "CVR" if has_records => return Err(A::Error::duplicate_field("CVR")),
                "CVR" => {
                    has_records = true;
                    let lines = Rc::clone(&lines);
                    map.next_value_seed(Records { each, lines })?;
                }
                "Version" => {
                    let version = map.next_value::<String>()?;
                    know_version(&version).map_err(A::Error::custom)?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match has_records {
            true => Ok(elections.unwrap_or_default()),
            false => Err(A::Error::missing_field("CVR")),
        }
    }
}

struct Records<'a> {
    each: &'a mut dyn FnMut(u64, &str),
    lines: Rc<Cell<u64>>,
}

impl<'de> DeserializeSeed<'de> for Records<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Records<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<(), A::Error> {
        while let Some(record) = records.next_element::<Box<RawValue>>()? {
            let text = record.get();
            let within = line_ends(text.as_bytes());
            (self.each)(1 + self.lines.get().saturating_sub(within), text);
        }
        Ok(())
    }
}
