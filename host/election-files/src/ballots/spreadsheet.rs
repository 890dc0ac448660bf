//! Spreadsheets (`.xlsx`) as the text of a table: a sheet's row is the line of its number.

use std::fmt;
use std::io::{self, Cursor, Read};

use calamine::{DataRef, Reader, Xlsx, XlsxCellReader, open_workbook_from_rs};

use super::cell_references;
use super::problem::At;

/// Cells between the first one and the last, at most: a single one far away must not fill the memory.
const CELLS_MAX: u64 = 200_000_000;

type Book<'a> = Xlsx<Cursor<&'a [u8]>>;

/// Whether an archive with these files is a spreadsheet.
pub(super) fn is_one(names: &[String]) -> bool {
    names.iter().any(|name| name == "xl/workbook.xml")
}

/// The sheet of a spreadsheet with cells in it, as the text of a table: cells between commas. Only the
/// spreadsheet's own bytes are held; cells are unpacked while they are read.
#[derive(Clone)]
pub(crate) struct Sheet {
    bytes: Vec<u8>,
    name: String,
    columns: u64,
}

impl fmt::Debug for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sheet")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The only sheet with anything in it; none where no cell has anything. Refuses a file of more than
/// `bytes_max` bytes unpacked.
pub(super) fn sheet(bytes: Vec<u8>, bytes_max: u64) -> Result<Option<Sheet>, String> {
    cell_references::check(&bytes, bytes_max)
        .map_err(|error| format!("cannot read the spreadsheet: {error}"))?;
    let mut book = open(&bytes)?;
    let mut filled = Vec::new();
    for name in book.sheet_names() {
        let mut size = (0, 0);
        let (mut last, mut is_ordered) = (None, true);
        each(&mut book, &name, &mut |row, column, _| {
            is_ordered &= last.is_none_or(|last| (row, column) > last);
            last = Some((row, column));
            size = (size.0.max(row + 1), size.1.max(column + 1));
        })?;
        if size.0 > 0 {
            filled.push((name, size, is_ordered));
        }
    }
    drop(book);
    let names: Vec<&str> = filled.iter().map(|(name, ..)| name.as_str()).collect();
    match &filled[..] {
        [] => Ok(None),
        [(_, (rows, columns), _)] if rows.saturating_mul(*columns) > CELLS_MAX => Err(format!(
            "the sheet spans more than {CELLS_MAX} cells; split it"
        )),
        [(name, _, false)] => Err(format!(
            "the cells of the sheet {name:?} are not in their order, or one stands twice"
        )),
        [(name, (_, columns), true)] => Ok(Some(Sheet {
            name: name.clone(),
            columns: *columns,
            bytes,
        })),
        _ => Err(format!(
            "several sheets have cells: {}; save the one with the ballots as a file of its own",
            names.join(", ")
        )),
    }
}

fn open(bytes: &[u8]) -> Result<Book<'_>, String> {
    let book = open_workbook_from_rs(Cursor::new(bytes));
    book.map_err(|error| format!("cannot read the spreadsheet: {error}"))
}

impl Sheet {
    /// Gives the sheet's text to somebody who reads it.
    pub(super) fn read<T>(
        &self,
        take: impl FnOnce(&mut dyn Read) -> Result<T, At>,
    ) -> Result<T, At> {
        let failed = |error: String| At::new(1, error);
        let mut book = open(&self.bytes).map_err(failed)?;
        let cells = book
            .worksheet_cells_reader(&self.name)
            .map_err(|error| failed(format!("cannot read the sheet {:?}: {error}", self.name)))?;
        take(&mut Text {
            cells,
            columns: self.columns,
            row: 0,
            column: 0,
            has_cells: false,
            ready: Vec::new(),
            given: 0,
            is_done: false,
        })
    }
}

/// The text of a sheet as it is asked for.
struct Text<'a, R: io::Read + io::Seek> {
    cells: XlsxCellReader<'a, R>,
    columns: u64,
    row: u64,
    column: u64,
    /// Whether the row has something in it so far.
    has_cells: bool,
    /// Text, of which so many bytes were given.
    ready: Vec<u8>,
    given: usize,
    is_done: bool,
}

impl<R: io::Read + io::Seek> Text<'_, R> {
    /// Separators and ends of rows up to that place.
    fn pass(&mut self, row: u64, column: u64) {
        while self.row < row {
            // A row with nothing in it is an empty line: a spacer, or a blank ballot.
            if self.has_cells {
                let left = self.columns.saturating_sub(self.column + 1);
                self.ready.extend((0..left).map(|_| b','));
            }
            self.ready.push(b'\n');
            (self.row, self.column, self.has_cells) = (self.row + 1, 0, false);
        }
        self.ready.extend((self.column..column).map(|_| b','));
        self.column = self.column.max(column);
    }

    /// The next cell with something in it; the end of the last row where there is none.
    fn next(&mut self) -> io::Result<()> {
        match self.cells.next_cell().map_err(io::Error::other)? {
            Some(cell) => {
                let (row, column) = cell.get_position();
                let shown = shown(cell.get_value());
                if !shown.trim().is_empty() {
                    let quoted = quoted(&shown);
                    self.pass(row.into(), column.into());
                    self.has_cells = true;
                    self.ready.extend_from_slice(quoted.as_bytes());
                }
            }
            None => {
                self.pass(self.row + 1, 0);
                self.is_done = true;
            }
        }
        Ok(())
    }
}

impl<R: io::Read + io::Seek> Read for Text<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.ready.len() {
            if self.is_done {
                return Ok(0);
            }
            self.ready.clear();
            self.given = 0;
            self.next()?;
        }
        let left = &self.ready[self.given..];
        let given = left.len().min(buffer.len());
        buffer[..given].copy_from_slice(&left[..given]);
        self.given += given;
        Ok(given)
    }
}

/// Gives the cells with something in them to `sink`, row by row.
fn each(
    book: &mut Book<'_>,
    sheet: &str,
    sink: &mut dyn FnMut(u64, u64, String),
) -> Result<(), String> {
    let error = |error| format!("cannot read the sheet {sheet:?}: {error}");
    let mut cells = book.worksheet_cells_reader(sheet).map_err(error)?;
    while let Some(cell) = cells.next_cell().map_err(error)? {
        let (row, column) = cell.get_position();
        let shown = shown(cell.get_value());
        if !shown.trim().is_empty() {
            sink(row.into(), column.into(), shown);
        }
    }
    Ok(())
}

fn shown(data: &DataRef<'_>) -> String {
    match data {
        DataRef::Empty => String::new(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            text.clone()
        }
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Bool(truth) => truth.to_string(),
        // Whole numbers are floats in spreadsheets, and are shown without a point.
        DataRef::Float(number) => number.to_string(),
        DataRef::DateTime(time) => time.as_f64().to_string(),
        DataRef::Error(error) => error.to_string(),
    }
}

/// A cell of a table's text, on one line. What would start a remark is quoted.
fn quoted(text: &str) -> String {
    let text = text.replace(['\r', '\n'], " ");
    match text.contains([',', '"', ';', '\t', '#']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}
