//! What a spreadsheet says of its cells that the library does not tell. It computes with the places that the
//! file gives, unchecked; so references beyond a sheet's bounds are refused before it sees them. And it shows
//! nothing where a formula has no stored result and where cells are merged, and rows that are hidden like any
//! others: what a person would see there is not known.

use std::io::{BufReader, Cursor, Read};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Rows of a sheet, at most (ECMA-376 as Excel has it).
const ROWS_MAX: u32 = 1_048_576;
/// Columns of a sheet, at most: `XFD`.
const COLUMNS_MAX: u32 = 16_384;

/// Checks every reference in an archive's XML, and that its files have no more than `bytes_max`
/// bytes unpacked.
pub(super) fn check(bytes: &[u8], bytes_max: u64) -> Result<(), String> {
    let archive = zip::ZipArchive::new(Cursor::new(bytes));
    let mut archive = archive.map_err(|error| error.to_string())?;
    let mut left = bytes_max;
    for number in 0..archive.len() {
        let file = archive.by_index(number);
        let mut file = file.map_err(|error| error.to_string())?;
        let name = file.name().map_err(|error| error.to_string())?.into_owned();
        let mut part = (&mut file).take(left);
        check_part(&mut part).map_err(|error| format!("{name}: {error}"))?;
        // The rest of a part that is not XML.
        std::io::copy(&mut part, &mut std::io::sink()).map_err(|error| error.to_string())?;
        left = part.limit();
        if left == 0 {
            return Err(format!(
                "its parts have {bytes_max} bytes or more unpacked; split it"
            ));
        }
    }
    Ok(())
}

/// Checks one part as far as it is XML: the library reads no further, either.
fn check_part(part: &mut impl Read) -> Result<(), String> {
    let mut reader = Reader::from_reader(BufReader::new(part));
    let config = reader.config_mut();
    config.check_end_names = false;
    config.check_comments = false;
    let mut buffer = Vec::new();
    let mut cell = Cell::default();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(element)) => {
                check_element(&element)?;
                cell.start(&element)?;
            }
            Ok(Event::Empty(element)) => {
                check_element(&element)?;
                cell.start(&element)?;
                cell.end(element.local_name().as_ref())?;
            }
            Ok(Event::Text(text)) => cell.has_result |= cell.is_in_value && !text.is_empty(),
            Ok(Event::GeneralRef(_) | Event::CData(_)) => cell.has_result |= cell.is_in_value,
            Ok(Event::End(element)) => cell.end(element.local_name().as_ref())?,
            Ok(Event::Eof) | Err(_) => return Ok(()),
            Ok(_) => {}
        }
    }
}

/// The cell that is read now.
#[derive(Default)]
struct Cell {
    place: String,
    /// Whether its result is a text, which may be empty.
    is_text: bool,
    has_formula: bool,
    is_in_value: bool,
    has_result: bool,
}

impl Cell {
    fn start(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        match element.local_name().as_ref() {
            "c" => {
                *self = Self {
                    place: attribute(element, "r")?.unwrap_or_default(),
                    is_text: attribute(element, "t")?.as_deref() == Some("str"),
                    ..Self::default()
                };
            }
            "f" => self.has_formula = true,
            "v" => {
                self.is_in_value = true;
                // Text that is there and empty is a result; a number is not.
                self.has_result |= self.is_text;
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), String> {
        match name {
            "v" => self.is_in_value = false,
            "c" if self.has_formula && !self.has_result => {
                return Err(format!(
                    "the cell {} has a formula and no stored result: open the file in a spreadsheet program and \
                     save it",
                    self.place
                ));
            }
            "c" => *self = Self::default(),
            _ => {}
        }
        Ok(())
    }
}

/// The value of an element's attribute, where it has one.
fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, String> {
    for found in element.attributes().with_checks(false) {
        let found = found.map_err(|error| error.to_string())?;
        if found.key.local_name().as_ref() == name {
            let value: &str = found.value.as_ref();
            return Ok(Some(value.to_owned()));
        }
    }
    Ok(None)
}

fn check_element(element: &BytesStart<'_>) -> Result<(), String> {
    let name = element.local_name();
    let (attribute, is_sound): (_, fn(&str) -> bool) = match name.as_ref() {
        "c" => ("r", |text| position(text).is_some()),
        "row" => {
            if attribute(element, "hidden")?.is_some_and(|hidden| hidden == "1" || hidden == "true")
            {
                let number = attribute(element, "r")?.unwrap_or_default();
                return Err(format!(
                    "the row {number} is hidden: show it, or take it out, for it may be a ballot that was filtered \
                     out"
                ));
            }
            ("r", |text| row(text).is_some())
        }
        "mergeCell" => {
            let range = attribute(element, "ref")?.unwrap_or_default();
            return Err(format!(
                "the cells {range} are merged, and only the first of them has what they show: split them, and fill \
                 each"
            ));
        }
        "dimension" => ("ref", is_range),
        _ => return Ok(()),
    };
    for found in element.attributes().with_checks(false) {
        let found = found.map_err(|error| error.to_string())?;
        let value: &str = found.value.as_ref();
        if found.key.local_name().as_ref() == attribute && !is_sound(value) {
            return Err(format!(
                "{attribute}={value:?} of a {} is no place in a sheet (A1 to XFD{ROWS_MAX})",
                name.as_ref()
            ));
        }
    }
    Ok(())
}

/// `B2:D9`, the first corner before the last one, or one cell.
fn is_range(text: &str) -> bool {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    match (position(first), position(last)) {
        (Some(first), Some(last)) => first.0 <= last.0 && first.1 <= last.1,
        _ => false,
    }
}

/// Row and column of `B2`, from 1.
fn position(text: &str) -> Option<(u32, u32)> {
    let digits = text.find(|character: char| !character.is_ascii_alphabetic())?;
    let (letters, digits) = text.split_at(digits);
    let column = letters.bytes().try_fold(0_u32, |column, letter| {
        let letter = u32::from(letter.to_ascii_uppercase() - b'A') + 1;
        column.checked_mul(26)?.checked_add(letter)
    })?;
    let is_column = (1..=COLUMNS_MAX).contains(&column);
    is_column.then_some((row(digits)?, column))
}

fn row(digits: &str) -> Option<u32> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let row = digits.parse().ok().filter(|_| is_number)?;
    (1..=ROWS_MAX).contains(&row).then_some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_within_a_sheet_are_sound() {
        assert_eq!(position("A1"), Some((1, 1)));
        assert_eq!(position("xfd1048576"), Some((1_048_576, 16_384)));
        assert!(is_range("A1") && is_range("B2:D9"));
    }

    #[test]
    fn places_outside_of_a_sheet_are_none() {
        for text in [
            "",
            "A",
            "1",
            "A0",
            "XFE1",
            "A1048577",
            "AballotsnlineStr",
            "A99999999999",
            "A+1",
            "É1",
        ] {
            assert_eq!(position(text), None, "{text:?}");
        }
        for text in ["", "+5", "0", "A1"] {
            assert_eq!(row(text), None, "{text:?}");
        }
        assert!(!is_range("D9:B2") && !is_range("A1:B2:C3") && !is_range(""));
    }
}
