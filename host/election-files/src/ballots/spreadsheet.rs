//! Spreadsheets (`.xlsx`) as the text of a table: a sheet's row is the line of its number.

use std::io::Cursor;

use calamine::{DataRef, Reader, Xlsx, open_workbook_from_rs};

use super::cell_references;

/// Cells between the first one and the last, at most: a single one far away must not fill the memory.
const CELLS_MAX: u64 = 200_000_000;

type Book<'a> = Xlsx<Cursor<&'a [u8]>>;

/// Whether an archive with these files is a spreadsheet.
pub(super) fn is_one(names: &[String]) -> bool {
    names.iter().any(|name| name == "xl/workbook.xml")
}

/// The only sheet with anything in it, cells between commas. Refuses a file of more than `bytes_max`
/// bytes unpacked.
pub(super) fn to_csv(bytes: &[u8], bytes_max: u64) -> Result<String, String> {
    cell_references::check(bytes, bytes_max)
        .map_err(|error| format!("cannot read the spreadsheet: {error}"))?;
    let book = open_workbook_from_rs(Cursor::new(bytes));
    let mut book: Book<'_> =
        book.map_err(|error| format!("cannot read the spreadsheet: {error}"))?;
    let mut filled = Vec::new();
    for name in book.sheet_names() {
        let mut size = (0, 0);
        each(&mut book, &name, &mut |row, column, _| {
            size = (size.0.max(row + 1), size.1.max(column + 1));
        })?;
        if size.0 > 0 {
            filled.push((name, size));
        }
    }
    let names: Vec<&str> = filled.iter().map(|(name, _)| name.as_str()).collect();
    match &filled[..] {
        [] => Ok(String::new()),
        [(name, (rows, columns))] if rows.saturating_mul(*columns) <= CELLS_MAX => {
            text(&mut book, name, *columns)
        }
        [_] => Err(format!(
            "the sheet spans more than {CELLS_MAX} cells; split it"
        )),
        _ => Err(format!(
            "several sheets have cells: {}; save the one with the ballots as a file of its own",
            names.join(", ")
        )),
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

fn text(book: &mut Book<'_>, sheet: &str, columns: u64) -> Result<String, String> {
    let mut text = String::new();
    let (mut row, mut column) = (0, 0);
    let mut is_ordered = true;
    let pass = |text: &mut String, row: &mut u64, column: &mut u64, to: (u64, u64)| {
        while *row < to.0 {
            text.extend((*column + 1..columns).map(|_| ','));
            text.push('\n');
            (*row, *column) = (*row + 1, 0);
        }
        text.extend((*column..to.1).map(|_| ','));
        *column = to.1;
    };
    each(book, sheet, &mut |at_row, at_column, shown| {
        is_ordered &= (at_row, at_column) >= (row, column);
        if is_ordered {
            pass(&mut text, &mut row, &mut column, (at_row, at_column));
            text.push_str(&quoted(&shown));
        }
    })?;
    if !is_ordered {
        return Err(format!(
            "the cells of the sheet {sheet:?} are not in their order"
        ));
    }
    let end = row + 1;
    pass(&mut text, &mut row, &mut column, (end, 0));
    Ok(text)
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
