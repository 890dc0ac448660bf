//! Rolls of voters as people keep them: one id a line, or a table with a column of ids and perhaps one of
//! weights.
//!
//! ```text
//! file = [head] { row }       the cells of a row between `,`, tab or `;`, as in tables of ballots
//! head = a cell that is voter_id, voter, id, member, email or the like, in any case, perhaps in quotes;
//!        perhaps one that is weight, count or votes
//! ```
//!
//! A table of several columns without such a head is refused: it is not said which column is the id.

use std::collections::HashMap;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

use crate::ballots::rows::{Row, Rows};
use crate::options::fold;

/// A voter of a roll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollVoter {
    /// The line of the file, from 1.
    pub line: u64,
    /// The id, as [`voter_id`] makes it.
    pub id: String,
    /// How many votes the voter has; 1 where the file has no column for it.
    pub weight: u64,
}

/// The voters of a file, in its order, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roll {
    /// The voters.
    pub voters: Vec<RollVoter>,
}

/// Why a file is no roll.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RollError {
    /// It is not UTF-8.
    #[error("line {line}: expected UTF-8, found other bytes; save the file as UTF-8 first")]
    Encoding {
        /// The line.
        line: u64,
    },
    /// It is not said which column holds the ids.
    #[error(
        "line {line}: expected one id a line, or a head with a column such as voter_id or email, found \
         {found:?}"
    )]
    Head {
        /// The line.
        line: u64,
        /// What stands there.
        found: String,
    },
    /// A row does not fit.
    #[error("line {line}: {message}")]
    Row {
        /// The line.
        line: u64,
        /// What was expected, what came.
        message: String,
    },
}

/// An id as it is compared, wherever it comes from: composed (NFKC), without spaces around it and
/// without marks that nobody sees. Case matters.
pub fn voter_id(text: &str) -> String {
    let is_seen = |c: &char| {
        !matches!(
            c,
            '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{00ad}'
        )
    };
    let text: String = text.nfkc().filter(is_seen).collect();
    text.trim().to_owned()
}

/// Which column holds what.
struct Columns {
    id: usize,
    weight: Option<usize>,
    width: usize,
}

impl Roll {
    /// Reads the bytes of a file.
    pub fn read(bytes: &[u8]) -> Result<Self, RollError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let good = &bytes[..error.valid_up_to()];
            let line = 1 + good.iter().filter(|byte| **byte == b'\n').count() as u64;
            RollError::Encoding { line }
        })?;
        let text = text.trim_start_matches('\u{feff}');
        let mut rows = Rows::new(text);
        let mut columns = None;
        let mut seen: HashMap<String, u64> = HashMap::new();
        let mut voters = Vec::new();
        while let Some(row) = rows.next().map_err(|at| RollError::Row {
            line: at.line,
            message: at.message,
        })? {
            if row.is_blank() {
                continue;
            }
            let columns = match &columns {
                Some(columns) => columns,
                None => {
                    let (found, is_head) = Columns::find(&row)?;
                    let found = columns.insert(found);
                    if is_head {
                        continue;
                    }
                    found
                }
            };
            let voter = columns.voter(&row)?;
            if let Some(line) = seen.insert(voter.id.clone(), voter.line) {
                let message = format!("the voter {:?} stands on line {line} before", voter.id);
                return Err(RollError::Row {
                    line: voter.line,
                    message,
                });
            }
            voters.push(voter);
        }
        Ok(Self { voters })
    }
}

impl Columns {
    /// The columns, and whether the row is a head.
    fn find(row: &Row<'_>) -> Result<(Self, bool), RollError> {
        const IDS: [&str; 14] = [
            "voterid",
            "voter",
            "id",
            "member",
            "memberid",
            "membernumber",
            "email",
            "emailaddress",
            "mail",
            "user",
            "userid",
            "username",
            "name",
            "externalid",
        ];
        const WEIGHTS: [&str; 4] = ["weight", "count", "votes", "shares"];
        let bare =
            |cell: &str| -> String { fold(cell).chars().filter(|c| c.is_alphanumeric()).collect() };
        let place = |words: &[&str]| {
            let mut cells = row.cells.iter();
            words
                .iter()
                .find_map(|word| cells.clone().position(|cell| bare(cell) == *word))
                .filter(|_| cells.next().is_some())
        };
        let width = row.cells.len();
        match (place(&IDS), width) {
            (Some(id), _) => {
                let weight = place(&WEIGHTS);
                Ok((Self { id, weight, width }, true))
            }
            (None, 1) => Ok((
                Self {
                    id: 0,
                    weight: None,
                    width,
                },
                false,
            )),
            (None, _) => Err(RollError::Head {
                line: row.line,
                found: row.cells.join(","),
            }),
        }
    }

    fn voter(&self, row: &Row<'_>) -> Result<RollVoter, RollError> {
        let refuse = |message: String| RollError::Row {
            line: row.line,
            message,
        };
        if row.cells.len() != self.width {
            let (expected, found) = (self.width, row.cells.len());
            return Err(refuse(format!("expected {expected} cells, found {found}")));
        }
        let id = voter_id(&row.cells[self.id]);
        if id.is_empty() || id.chars().any(char::is_control) {
            return Err(refuse(format!("expected the id of a voter, found {id:?}")));
        }
        let weight = match self.weight.map(|cell| &row.cells[cell]) {
            None => 1,
            Some(text) => text
                .parse()
                .ok()
                .filter(|weight| *weight > 0)
                .ok_or_else(|| {
                    refuse(format!(
                        "expected a whole number of votes from 1, found {text:?}"
                    ))
                })?,
        };
        Ok(RollVoter {
            line: row.line,
            id,
            weight,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(bytes: &[u8], expected: Expect) {
        let shown = match Roll::read(bytes) {
            Ok(roll) => {
                let voter = |voter: &RollVoter| format!("{:?} {}\n", voter.id, voter.weight);
                roll.voters.iter().map(voter).collect()
            }
            Err(error) => format!("{error}\n"),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn rolls_as_people_keep_them() {
        for text in [
            "ada\nbo\n",
            "\u{feff}voter_id\r\nada\r\n\r\nbo\r\n",
            "Email\n ada \nb\u{200b}o\n",
            "\"Voter ID\";Name\nada;Ada L.\nbo;Bo\n",
            "Name\tMember no\tID\nx\t1\tada\ny\t2\tbo\n",
            "votes,e-mail\n1,ada\n1,\"bo\"\n",
        ] {
            let found = Roll::read(text.as_bytes()).unwrap();
            let ids: Vec<_> = found.voters.iter().map(|voter| voter.id.as_str()).collect();
            assert_eq!(ids, ["ada", "bo"], "{text}");
        }
        check(
            b"id;weight\nada;3\n",
            expect![[r#"
            "ada" 3
        "#]],
        );
    }

    #[test]
    fn rolls_that_are_refused() {
        check(
            b"ada;3\nbo;1\n",
            expect![[r#"
            line 1: expected one id a line, or a head with a column such as voter_id or email, found "ada,3"
        "#]],
        );
        check(
            b"id\nad\xe9\n",
            expect![[r#"
            line 2: expected UTF-8, found other bytes; save the file as UTF-8 first
        "#]],
        );
        check(
            "ada\n\u{feff}ada \n".as_bytes(),
            expect![[r#"
            line 2: the voter "ada" stands on line 1 before
        "#]],
        );
        check(
            b"id,weight\nada,0\n",
            expect![[r#"
            line 2: expected a whole number of votes from 1, found "0"
        "#]],
        );
        check(
            b"id,weight\nada\n",
            expect![[r#"
            line 2: expected 2 cells, found 1
        "#]],
        );
    }
}
