//! What a file holds: its text in memory, or where to read it again, piece by piece.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::line_ends;
use super::problem::At;
use super::spreadsheet::Sheet;

/// The text of a file.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Text(String),
    /// A file that is too large to be held as a whole.
    Stored(Stored),
    /// The only sheet of a spreadsheet, as the text of a table.
    Sheet(Sheet),
}

/// A file on the disk, as it was when it was looked at first: every reading has to find the same.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) path: PathBuf,
    bytes: u64,
    changed: Option<SystemTime>,
}

/// What a visitor of rows or lines says: whether it wants more.
pub(crate) type Visit<T> = Result<ControlFlow<(), T>, At>;

/// More, please.
pub(crate) const GO_ON: Visit<()> = Ok(ControlFlow::Continue(()));

/// A mark of the order of bytes, in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

impl Stored {
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let about = std::fs::metadata(path)?;
        Ok(Self {
            path: path.to_owned(),
            bytes: about.len(),
            changed: about.modified().ok(),
        })
    }

    /// Gives the file's bytes, without a mark of their order, to somebody who reads them.
    pub(crate) fn read<T>(
        &self,
        take: impl FnOnce(&mut dyn Read) -> Result<T, At>,
    ) -> Result<T, At> {
        let failed = |error: io::Error| At::new(1, format!("the file cannot be read: {error}"));
        let file = File::open(&self.path).map_err(failed)?;
        let mut start = Vec::new();
        let mut file = BufReader::with_capacity(PIECE_BYTES, file);
        (&mut file)
            .take(MARK.len() as u64)
            .read_to_end(&mut start)
            .map_err(failed)?;
        if start == MARK {
            start.clear();
        }
        let taken = take(&mut Cursor::new(start).chain(&mut file))?;
        let now = Self::new(&self.path).map_err(failed)?;
        match now.bytes == self.bytes && now.changed == self.changed {
            true => Ok(taken),
            false => Err(At::new(
                1,
                "the file changed while it was read; start again when nobody writes it",
            )),
        }
    }
}

impl Content {
    /// The text, where it is in memory; nothing of a file that is not.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    fn read<T>(&self, take: impl FnOnce(&mut dyn Read) -> Result<T, At>) -> Result<T, At> {
        match self {
            Self::Text(text) => take(&mut text.as_bytes()),
            Self::Stored(stored) => stored.read(take),
            Self::Sheet(sheet) => sheet.read(take),
        }
    }

    /// Visits the text in pieces. Of each the visitor says how many bytes it took: what is left comes again,
    /// with more behind it. At the end of the text the last argument is true.
    pub(crate) fn each_piece(
        &self,
        visit: &mut dyn FnMut(&str, bool) -> Visit<usize>,
    ) -> Result<(), At> {
        self.read(|reader| pieces(reader, visit))
    }

    /// Visits every line, with its number from 1 and without what ends it.
    pub(crate) fn each_line(
        &self,
        visit: &mut dyn FnMut(u64, &str) -> Visit<()>,
    ) -> Result<(), At> {
        let mut number = 0;
        self.each_piece(&mut |piece, is_end| {
            let mut taken = 0;
            while let Some(line) = piece[taken..].split_inclusive('\n').next() {
                let ended = line.strip_suffix('\n');
                if ended.is_none() && !is_end {
                    break;
                }
                let text = ended.map_or(line, |text| text.strip_suffix('\r').unwrap_or(text));
                number += 1;
                if visit(number, text)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                taken += line.len();
            }
            Ok(ControlFlow::Continue(taken))
        })
    }

    /// Whether another holds the same bytes, so that its ballots would count twice; not so where one of
    /// them cannot be read.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        if let (Self::Text(text), Self::Text(other)) = (self, other) {
            return text == other;
        }
        if let (Self::Stored(one), Self::Stored(other)) = (self, other)
            && one.bytes.abs_diff(other.bytes) > MARK.len() as u64
        {
            return false;
        }
        let same = self.read(|one| other.read(|other| Ok(hold_the_same(one, other))));
        matches!(same, Ok(Ok(true)))
    }
}

/// Read at once, in bytes. In tests of this crate's own every row goes over the border of pieces.
const PIECE_BYTES: usize = if cfg!(test) { 7 } else { 256 << 10 };

/// A row or a line of more bytes is refused: a quotation mark is open, or it is no text.
pub(crate) const ROW_BYTES_MAX: usize = 16 << 20;

fn pieces(
    reader: &mut dyn Read,
    visit: &mut dyn FnMut(&str, bool) -> Visit<usize>,
) -> Result<(), At> {
    let mut buffer = Vec::new();
    let mut line = 1;
    let mut wanted = PIECE_BYTES;
    loop {
        let failed = |error: io::Error| At::new(line, format!("the file cannot be read: {error}"));
        let mut piece = (&mut *reader).take(wanted as u64);
        let is_end = piece.read_to_end(&mut buffer).map_err(failed)? < wanted;
        let text = match std::str::from_utf8(&buffer) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() && !is_end => {
                // A character that goes on in the next piece.
                std::str::from_utf8(&buffer[..error.valid_up_to()]).unwrap_or_default()
            }
            Err(error) => {
                let line = line + line_ends(&buffer[..error.valid_up_to()]);
                return Err(At::new(line, super::NO_UTF8));
            }
        };
        let ControlFlow::Continue(taken) = visit(text, is_end)? else {
            return Ok(());
        };
        if is_end {
            return Ok(());
        }
        line += line_ends(&buffer[..taken]);
        buffer.drain(..taken);
        if taken == 0 && buffer.len() >= ROW_BYTES_MAX {
            let message = format!(
                "a row has more than {} MiB: is a quotation mark never closed?",
                ROW_BYTES_MAX >> 20
            );
            return Err(At::new(line, message));
        }
        // A long row is not parsed again for each piece.
        let room = ROW_BYTES_MAX.saturating_sub(buffer.len());
        wanted = buffer.len().min(room).max(PIECE_BYTES);
    }
}

fn hold_the_same(one: &mut dyn Read, other: &mut dyn Read) -> io::Result<bool> {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    loop {
        left.clear();
        right.clear();
        (&mut *one)
            .take(PIECE_BYTES as u64)
            .read_to_end(&mut left)?;
        (&mut *other)
            .take(PIECE_BYTES as u64)
            .read_to_end(&mut right)?;
        if left != right {
            return Ok(false);
        }
        if left.is_empty() {
            return Ok(true);
        }
    }
}
