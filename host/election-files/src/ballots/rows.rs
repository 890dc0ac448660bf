//! Rows of cells from text, as RFC 4180 has them: cells between separators, perhaps in quotation
//! marks, a quotation mark within doubled. Empty lines are rows too; `#` starts a line of comment.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::content::{Content, ROW_BYTES_MAX, Visit};
use super::problem::At;

/// One row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row<'a> {
    /// The line on which it starts, from 1.
    pub(crate) line: u64,
    /// Without the spaces around them. One empty cell where the line is empty.
    pub(crate) cells: Vec<Cow<'a, str>>,
}

impl Row<'_> {
    /// The same, independent of the text that it was read from.
    pub(crate) fn into_owned(self) -> Row<'static> {
        let cells = self.cells.into_iter();
        Row {
            line: self.line,
            cells: cells.map(|cell| Cow::Owned(cell.into_owned())).collect(),
        }
    }

    /// Whether its line has nothing in it, not even a separator.
    pub(crate) fn is_empty_line(&self) -> bool {
        matches!(&self.cells[..], [cell] if cell.is_empty())
    }

    /// Whether no cell has anything in it.
    pub(crate) fn is_blank(&self) -> bool {
        self.cells.iter().all(|cell| cell.is_empty())
    }
}

/// Reads a text row by row.
#[derive(Clone, Debug)]
pub(crate) struct Rows<'a> {
    rest: &'a str,
    line: u64,
    delimiter: char,
    /// Whether lines that start with `#` are none.
    has_remarks: bool,
    /// The lines of comment that were passed over before the last row.
    remarks: Vec<(u64, &'a str)>,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let start = Start::of(text);
        Self::resume(&text[start.bytes..], start)
    }

    /// Cells between these, whatever the first line has, and no remarks.
    pub(crate) fn separated(text: &'a str, delimiter: char) -> Self {
        Self::resume(text, Start::said(delimiter))
    }

    /// Rows of a text that starts on that line of a file.
    fn resume(text: &'a str, start: Start) -> Self {
        Self {
            rest: text,
            line: start.line,
            delimiter: start.delimiter,
            has_remarks: start.has_remarks,
            remarks: Vec::new(),
        }
    }

    /// The next row; `None` at the end of the text.
    pub(crate) fn next(&mut self) -> Result<Option<Row<'a>>, At> {
        self.remarks.clear();
        while self.has_remarks && self.rest.starts_with('#') {
            let end = self.rest.find('\n').unwrap_or(self.rest.len());
            self.remarks.push((self.line, &self.rest[..end]));
            self.end_line();
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let line = self.line;
        let mut cells = Vec::new();
        loop {
            let (cell, is_last) = self.cell()?;
            cells.push(cell);
            if is_last {
                return Ok(Some(Row { line, cells }));
            }
        }
    }

    /// The lines of comment right before the last row, or before the end.
    pub(crate) fn remarks(&self) -> &[(u64, &'a str)] {
        &self.remarks
    }

    /// The cells of a line as if it were no comment.
    pub(crate) fn cells_of(&self, line: &'a str) -> Option<Vec<Cow<'a, str>>> {
        let mut rows = Self::separated(line, self.delimiter);
        let mut cells = Vec::new();
        loop {
            let (cell, is_last) = rows.cell().ok()?;
            cells.push(cell);
            if is_last {
                return Some(cells);
            }
        }
    }

    /// The line on which that starts which is not read yet.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// What is not read yet.
    pub(crate) fn rest(&self) -> &'a str {
        self.rest
    }

    fn end_line(&mut self) {
        self.rest = match self.rest.find('\n') {
            Some(end) => &self.rest[end + 1..],
            None => "",
        };
        self.line += 1;
    }

    /// A cell, and whether the row ends behind it.
    fn cell(&mut self) -> Result<(Cow<'a, str>, bool), At> {
        let blank = |c: char| c != '\n' && c != self.delimiter && c.is_whitespace();
        let start = self.rest.trim_start_matches(blank);
        if let Some(quoted) = start.strip_prefix('"') {
            return self.quoted(quoted);
        }
        let end = self.rest.find([self.delimiter, '\n']);
        let end = end.unwrap_or(self.rest.len());
        let cell = Cow::Borrowed(self.rest[..end].trim());
        Ok((cell, self.pass(end)))
    }

    /// Passes over a cell's text and what ends it; whether the row ends there.
    fn pass(&mut self, end: usize) -> bool {
        let rest = &self.rest[end..];
        if let Some(rest) = rest.strip_prefix(self.delimiter) {
            self.rest = rest;
            return false;
        }
        self.end_line();
        true
    }

    fn quoted(&mut self, quoted: &'a str) -> Result<(Cow<'a, str>, bool), At> {
        let opened = self.line;
        let mut text = String::new();
        let mut rest = quoted;
        loop {
            let Some(end) = rest.find('"') else {
                let message = "a quotation mark is opened here and never closed";
                return Err(At::new(opened, message));
            };
            let part = &rest[..end];
            self.line += part.matches('\n').count() as u64;
            text.push_str(part);
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(after) => {
                    text.push('"');
                    rest = after;
                }
                None => break,
            }
        }
        let end = rest.find([self.delimiter, '\n']);
        let end = end.unwrap_or(rest.len());
        if !rest[..end].trim().is_empty() {
            let message = "expected a separator after a closing quotation mark, found other text";
            return Err(At::new(self.line, message));
        }
        self.rest = rest;
        Ok((Cow::Owned(text.trim().to_owned()), self.pass(end)))
    }
}

/// What the start of a table says of its rows.
#[derive(Clone, Copy, Debug)]
struct Start {
    delimiter: char,
    /// Bytes and lines in front of the first row.
    bytes: usize,
    line: u64,
    has_remarks: bool,
}

impl Start {
    /// Of a format that has these separators and no remarks.
    fn said(delimiter: char) -> Self {
        Self {
            delimiter,
            bytes: 0,
            line: 1,
            has_remarks: false,
        }
    }

    fn of(text: &str) -> Self {
        // Spreadsheets' first line `sep=;` says what separates cells.
        let said = text.split_inclusive('\n').next().and_then(|line| {
            let mut said = line
                .trim_end_matches(['\n', '\r'])
                .strip_prefix("sep=")?
                .chars();
            let delimiter = said
                .next()
                .filter(|sign| [',', ';', '\t', '|'].contains(sign))?;
            said.next().is_none().then_some((delimiter, line.len()))
        });
        let (delimiter, bytes, line) = match said {
            Some((delimiter, bytes)) => (delimiter, bytes, 2),
            None => (delimiter(text), 0, 1),
        };
        Self {
            delimiter,
            bytes,
            line,
            has_remarks: true,
        }
    }
}

/// Lines that can say what separates cells.
fn telling_line(text: &str) -> Option<&str> {
    let mut lines = text.lines();
    lines.find(|line| !line.trim().is_empty() && !line.starts_with('#'))
}

/// The first of the usual separators that the first line has.
fn delimiter(text: &str) -> char {
    let first = telling_line(text).unwrap_or_default();
    let found = [',', '\t', ';'].into_iter();
    let found = found
        .into_iter()
        .find(|usual| outside_quotes(first, *usual));
    found.unwrap_or(',')
}

/// A table, whose rows are visited as often as somebody asks for them, and of which no more than a piece is held.
pub(crate) struct Table<'a> {
    content: &'a Content,
    start: Start,
}

impl<'a> Table<'a> {
    pub(crate) fn new(content: &'a Content) -> Result<Self, At> {
        let mut start = Start::of("");
        content.each_piece(&mut |piece, is_end| {
            let whole_lines = match is_end {
                true => piece,
                false => &piece[..piece.rfind('\n').map_or(0, |end| end + 1)],
            };
            if is_end || telling_line(whole_lines).is_some() {
                start = Start::of(whole_lines);
                return Ok(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(0))
        })?;
        Ok(Self { content, start })
    }

    /// Cells between these, whatever the first line has, and no remarks.
    pub(crate) fn separated(content: &'a Content, delimiter: char) -> Self {
        let start = Start::said(delimiter);
        Self { content, start }
    }

    /// Visits the rows that start on that line or below it; at the end, once, none. The visitor may ask the
    /// reader for the remarks above the row.
    pub(crate) fn each(
        &self,
        from: u64,
        visit: &mut dyn FnMut(&Rows<'_>, Option<Row<'_>>) -> Visit<()>,
    ) -> Result<(), At> {
        let (mut passed, mut line) = (self.start.bytes, self.start.line);
        self.content.each_piece(&mut |piece, is_end| {
            let mut rows = Rows::resume(&piece[passed..], Start { line, ..self.start });
            loop {
                let (left, at) = (rows.rest.len(), rows.line);
                let next = rows.next();
                // What reaches the end of a piece may go on in the next one, unless that is too long: then
                // the quotation mark is told that made it so.
                let is_too_long = left == piece.len() && left >= ROW_BYTES_MAX;
                let is_open = !is_end && (next.is_err() || rows.rest.is_empty());
                if is_open && !(is_too_long && next.is_err()) {
                    (passed, line) = (0, at);
                    return Ok(ControlFlow::Continue(piece.len() - left));
                }
                let row = next?;
                let is_last = row.is_none();
                if row.as_ref().is_some_and(|row| row.line < from) {
                    continue;
                }
                if visit(&rows, row)?.is_break() || is_last {
                    return Ok(ControlFlow::Break(()));
                }
            }
        })
    }
}

fn outside_quotes(line: &str, wanted: char) -> bool {
    let mut quoted = false;
    line.chars().any(|character| {
        quoted ^= character == '"';
        !quoted && character == wanted
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn shown(rows: &mut Rows<'_>) -> String {
        let mut shown = String::new();
        loop {
            match rows.next() {
                Ok(Some(row)) => shown += &format!("{} {:?}\n", row.line, row.cells),
                Ok(None) => return shown,
                Err(at) => return shown + &format!("{} {}\n", at.line, at.message),
            }
        }
    }

    /// The same from pieces of a few bytes, with the remarks above each row.
    fn shown_in_pieces(text: &str, from: u64) -> (String, Vec<(u64, String)>) {
        let (mut shown, mut remarks) = (String::new(), Vec::new());
        let content = Content::Text(text.to_owned());
        let table = Table::new(&content).ok().unwrap();
        let read = table.each(from, &mut |rows, row| {
            let above = rows.remarks().iter();
            remarks.extend(above.map(|(line, text)| (*line, (*text).to_owned())));
            if let Some(row) = row {
                shown += &format!("{} {:?}\n", row.line, row.cells);
            }
            Ok(ControlFlow::Continue(()))
        });
        if let Err(at) = read {
            shown += &format!("{} {}\n", at.line, at.message);
        }
        (shown, remarks)
    }

    fn check(text: &str, expected: Expect) {
        let found = shown(&mut Rows::new(text));
        expected.assert_eq(&found);
        assert_eq!(shown_in_pieces(text, 0).0, found);
        // Each sign stands once at each place of a piece.
        for line in 1..16 {
            let text = format!("{}\n{text}", ",".repeat(line));
            let found = shown(&mut Rows::new(&text));
            assert_eq!(shown_in_pieces(&text, 0).0, found, "{text}");
            let below = found.split_once('\n').map_or("", |(_, below)| below);
            assert_eq!(shown_in_pieces(&text, 2).0, below, "{text}");
        }
    }

    #[test]
    fn remarks_between_pieces() {
        let text = "# one\na,b\n# two, which is long\n# three\nü,é\n# four";
        let (rows, remarks) = shown_in_pieces(text, 0);
        assert_eq!(rows, "2 [\"a\", \"b\"]\n5 [\"ü\", \"é\"]\n");
        let lines: Vec<u64> = remarks.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 3, 4, 6]);
        assert_eq!(remarks[3].1, "# four");
    }

    #[test]
    fn rows_of_every_kind() {
        check(
            "a, b ,\"c, \"\"d\"\"\"\r\n\n# a remark\n\"two\nlines\",x\n,\n",
            expect![[r#"
                1 ["a", "b", "c, \"d\""]
                2 [""]
                4 ["two\nlines", "x"]
                6 ["", ""]
            "#]],
        );
        check(
            "a;b\n\"x;y\";z",
            expect![[r#"
            1 ["a", "b"]
            2 ["x;y", "z"]
        "#]],
        );
        check(
            "\"a, b\"\tc\n",
            expect![[r#"
            1 ["a, b", "c"]
        "#]],
        );
    }

    #[test]
    fn quotation_marks_that_do_not_fit() {
        check(
            "a\n\"b\nc\n",
            expect![[r#"
            1 ["a"]
            2 a quotation mark is opened here and never closed
        "#]],
        );
        check(
            "\"a\"b,c\n",
            expect![[r#"
            1 expected a separator after a closing quotation mark, found other text
        "#]],
        );
    }
}
