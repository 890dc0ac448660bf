//! The columns of a roll: named by its first line, where that is a head, else by their order.

use serde::{Deserialize, Serialize};

use tabella_outbox::subject::Realm;

/// What a line of a roll says.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollLine {
    pub(crate) voter_id: String,
    #[serde(default = "one")]
    pub(crate) weight: u32,
    #[serde(default = "registrar")]
    pub(crate) realm: Realm,
}

fn one() -> u32 {
    1
}

fn registrar() -> Realm {
    Realm::Registrar
}

/// What a head was taken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct RollHead {
    /// The heads of the columns that are read: the voter's id, and where there are any, weight and realm.
    read: Vec<String>,
    /// The heads of the columns that are not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passed_over: Vec<String>,
}

/// The columns of a roll.
#[derive(Debug)]
pub(crate) struct Table {
    separator: u8,
    voter: usize,
    weight: Option<usize>,
    realm: Option<usize>,
    /// The cells of every line; without a head some may be left out at the end.
    width: Option<usize>,
    /// What the head says; `None` where the first line names a voter.
    pub(crate) head: Option<RollHead>,
}

/// The separators that tables have.
const SEPARATORS: [char; 3] = [',', '\t', ';'];
/// The head of a column that can only hold ids of voters.
const VOTER: [&str; 2] = ["voterid", "voter"];
/// Heads of columns that hold ids of voters where no other column may.
const IDS: [&str; 14] = [
    "id",
    "member",
    "memberid",
    "membernumber",
    "memberno",
    "email",
    "emailaddress",
    "mail",
    "mailaddress",
    "user",
    "userid",
    "username",
    "externalid",
    "publickey",
];
const WEIGHTS: [&str; 4] = ["weight", "votes", "shares", "count"];
const REALMS: [&str; 1] = ["realm"];

impl Table {
    /// The columns that the first line of a roll tells of; `head` is whether it is one, where that was
    /// said. A head with several columns that may hold the ids is refused, and so is a lone word that may be
    /// a head or a voter.
    pub(crate) fn of(first: &str, head: Option<bool>) -> Result<Self, String> {
        let separator = separator(first);
        if head == Some(false) {
            return Ok(Self::by_place(separator));
        }
        let is_said = head == Some(true);
        let cells = match cells(first, separator) {
            Ok(cells) => cells,
            Err(reason) if is_said => return Err(reason),
            Err(_) => return Ok(Self::by_place(separator)),
        };
        // A head has no number; a voter's line may, and a realm that is called as a head might be.
        if !is_said && cells.iter().any(|cell| cell.trim().parse::<u64>().is_ok()) {
            return Ok(Self::by_place(separator));
        }
        let words: Vec<String> = cells.iter().map(|cell| bare(cell)).collect();
        let all = |known: &[&str]| -> Vec<usize> {
            let words = words.iter().enumerate();
            let found = words.filter(|(_, word)| known.contains(&word.as_str()));
            found.map(|(cell, _)| cell).collect()
        };
        let one = |known: &[&str]| match all(known)[..] {
            [] => Ok(None),
            [cell] => Ok(Some(cell)),
            ref several => {
                let shown: Vec<&str> = several.iter().map(|cell| cells[*cell].as_str()).collect();
                Err(format!(
                    "several columns of the head may be meant: {}; call the one with the voters' ids voter_id",
                    shown.join(", ")
                ))
            }
        };
        let lone = match words.iter().filter(|word| !word.is_empty()).count() {
            1 => words.iter().position(|word| !word.is_empty()),
            _ => None,
        };
        let voter = match (one(&VOTER)?, one(&IDS)?, lone) {
            (Some(voter), _, _) => voter,
            (None, Some(_), Some(lone)) if !is_said => {
                return Err(format!(
                    "{:?} may be the head of the voters' ids or the first voter; add head=true to the address if \
                     it is the head, or head=false if it is a voter",
                    cells[lone]
                ));
            }
            (None, Some(voter), _) => voter,
            (None, None, Some(lone)) if is_said => lone,
            (None, None, _) if is_said => {
                return Err(
                    "no column of the head is known to hold the voters' ids; call it voter_id"
                        .to_owned(),
                );
            }
            (None, None, _) => return Ok(Self::by_place(separator)),
        };
        let (weight, realm) = (one(&WEIGHTS)?, one(&REALMS)?);
        let is_read =
            |cell: &usize| *cell == voter || Some(*cell) == weight || Some(*cell) == realm;
        let read = [Some(voter), weight, realm].into_iter().flatten();
        let passed_over = (0..cells.len()).filter(|cell| !is_read(cell));
        let head = RollHead {
            read: read.map(|cell| cells[cell].clone()).collect(),
            passed_over: passed_over.map(|cell| cells[cell].clone()).collect(),
        };
        // Below a head in the usual order lines may leave out what they leave out without one.
        let places = [Some(voter), weight.or(Some(1)), realm.or(Some(2))];
        if head.passed_over.is_empty() && places == [Some(0), Some(1), Some(2)] {
            return Ok(Self {
                head: Some(head),
                ..Self::by_place(separator)
            });
        }
        Ok(Self {
            separator,
            voter,
            weight,
            realm,
            width: Some(cells.len()),
            head: Some(head),
        })
    }

    /// `voter_id[,weight[,realm]]`.
    fn by_place(separator: u8) -> Self {
        Self {
            separator,
            voter: 0,
            weight: Some(1),
            realm: Some(2),
            width: None,
            head: None,
        }
    }

    /// What a line says, with the quoting of RFC 4180.
    pub(crate) fn line(&self, text: &str) -> Result<RollLine, String> {
        let separator = char::from(self.separator);
        let expected = format!("expected voter_id[{separator}weight[{separator}realm]]");
        let cells = cells(text, self.separator)?;
        match self.width {
            Some(width) if cells.len() != width => {
                let found = cells.len();
                return Err(format!(
                    "expected {width} cells as in the head, got {found}"
                ));
            }
            None if cells.len() > 3 => return Err(format!("{expected}, got more fields")),
            _ => {}
        }
        let of = |cell: Option<usize>| cell.and_then(|cell| cells.get(cell)).map(String::as_str);
        let voter_id = of(Some(self.voter)).unwrap_or_default();
        let is_other = |c: &char| *c != ',' && *c != separator && SEPARATORS.contains(c);
        if !text.contains('"')
            && let Some(other) = voter_id.chars().find(is_other)
        {
            return Err(format!(
                "{expected}, got {other:?} in an id; the first line has no {other:?}, and within an id it \
                 needs quotation marks"
            ));
        }
        let weight = match of(self.weight) {
            Some(weight) => weight
                .parse()
                .map_err(|_| format!("expected a weight from 1 to {}, got {weight:?}", u32::MAX))?,
            None => one(),
        };
        let realm = match of(self.realm) {
            None | Some("registrar") => Realm::Registrar,
            Some("account") => Realm::Account,
            Some("credential") => Realm::Credential,
            Some(other) => {
                return Err(format!(
                    "expected the realm registrar, account or credential, got {other:?}"
                ));
            }
        };
        Ok(RollLine {
            voter_id: voter_id.to_owned(),
            weight,
            realm,
        })
    }
}

/// The first of the usual separators that a line has outside quotation marks.
fn separator(line: &str) -> u8 {
    let has = |wanted: &char| {
        let mut quoted = false;
        line.chars().any(|character| {
            quoted ^= character == '"';
            !quoted && character == *wanted
        })
    };
    // Each of them is one byte.
    SEPARATORS.into_iter().find(has).unwrap_or(',') as u8
}

fn cells(text: &str, separator: u8) -> Result<Vec<String>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    let read = reader.read_record(&mut record);
    match read.map_err(|error| error.to_string())? {
        true => Ok(record.iter().map(str::to_owned).collect()),
        false => Err("expected a voter, got an empty line".to_owned()),
    }
}

/// A head without case, spaces and signs.
fn bare(cell: &str) -> String {
    let seen = cell.chars().filter(|c| c.is_alphanumeric());
    seen.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// The lines of a roll, as they are read.
    fn check(text: &str, expected: Expect) {
        check_saying(None, text, expected);
    }

    /// As [`check`], where it is said whether the first line is a head.
    fn check_saying(head: Option<bool>, text: &str, expected: Expect) {
        let mut lines = text.lines();
        let first = lines.next().unwrap();
        let mut shown = String::new();
        match Table::of(first, head) {
            Err(reason) => shown += &format!("{reason}\n"),
            Ok(table) => {
                let rest = match &table.head {
                    Some(head) => {
                        shown += &format!("head {:?} {:?}\n", head.read, head.passed_over);
                        None
                    }
                    None => Some(first),
                };
                for line in rest.into_iter().chain(lines) {
                    shown += &match table.line(line) {
                        Ok(line) => {
                            format!("{:?} {} {:?}\n", line.voter_id, line.weight, line.realm)
                        }
                        Err(reason) => format!("{reason}\n"),
                    };
                }
            }
        }
        expected.assert_eq(&shown);
    }

    #[test]
    fn a_line_with_a_weight_is_no_head() {
        check(
            "user,1,credential\nkey",
            expect![[r#"
                "user" 1 Credential
                "key" 1 Registrar
            "#]],
        );
    }

    #[test]
    fn lines_by_place() {
        check(
            "alice\nalice, 3\n\"Doe, Jane\",2\nalice,many\nalice,1,2\nalice,1,account\nalice,1,account,2",
            expect![[r#"
                "alice" 1 Registrar
                "alice" 3 Registrar
                "Doe, Jane" 2 Registrar
                expected a weight from 1 to 4294967295, got "many"
                expected the realm registrar, account or credential, got "2"
                "alice" 1 Account
                expected voter_id[,weight[,realm]], got more fields
            "#]],
        );
        check(
            "ada;3\nbo;2;account",
            expect![[r#"
                "ada" 3 Registrar
                "bo" 2 Account
            "#]],
        );
        check(
            "ada\t3\nbo",
            expect![[r#"
                "ada" 3 Registrar
                "bo" 1 Registrar
            "#]],
        );
        check(
            "ada\nbo;3\n\"cy;3\"",
            expect![[r#"
                "ada" 1 Registrar
                expected voter_id[,weight[,realm]], got ';' in an id; the first line has no ';', and within an id it needs quotation marks
                "cy;3" 1 Registrar
            "#]],
        );
    }

    #[test]
    fn a_lone_word_that_may_be_a_head_or_a_voter_is_asked_about() {
        for (text, word) in [("user\nbo", "user"), ("Mail;\nbo;", "Mail"), ("id", "id")] {
            let reason = Table::of(text.lines().next().unwrap(), None).unwrap_err();
            assert_eq!(
                reason,
                format!(
                    "{word:?} may be the head of the voters' ids or the first voter; add head=true to the address if \
                     it is the head, or head=false if it is a voter"
                )
            );
        }
        check_saying(
            Some(true),
            "user\nbo",
            expect![[r#"
                head ["user"] []
                "bo" 1 Registrar
            "#]],
        );
        check_saying(
            Some(false),
            "user\nbo",
            expect![[r#"
                "user" 1 Registrar
                "bo" 1 Registrar
            "#]],
        );
        // Whatever it is called.
        check_saying(
            Some(true),
            "Mitglied\nbo",
            expect![[r#"
                head ["Mitglied"] []
                "bo" 1 Registrar
            "#]],
        );
        check_saying(
            Some(false),
            "voter_id;votes\nbo;2",
            expect![[r#"
                expected a weight from 1 to 4294967295, got "votes"
                "bo" 2 Registrar
            "#]],
        );
        check_saying(
            Some(true),
            "Mitglied;Stimmen\nbo;2",
            expect![[r#"
                no column of the head is known to hold the voters' ids; call it voter_id
            "#]],
        );
    }

    #[test]
    fn heads_as_people_write_them() {
        check(
            "Voter-ID\nada@example.org",
            expect![[r#"
                head ["Voter-ID"] []
                "ada@example.org" 1 Registrar
            "#]],
        );
        check(
            "email;votes\nada@example.org;2",
            expect![[r#"
                head ["email", "votes"] []
                "ada@example.org" 2 Registrar
            "#]],
        );
        check(
            "\"Voter ID\";Name;Weight\nada;Ada;3\nbo;Bo",
            expect![[r#"
                head ["Voter ID", "Weight"] ["Name"]
                "ada" 3 Registrar
                expected 3 cells as in the head, got 2
            "#]],
        );
        check(
            "realm\tvoter_id\temail\naccount\tada\tx",
            expect![[r#"
                head ["voter_id", "realm"] ["email"]
                "ada" 1 Account
            "#]],
        );
        check(
            "E-Mail,Member no.\na,1",
            expect![[r#"
                several columns of the head may be meant: E-Mail, Member no.; call the one with the voters' ids voter_id
            "#]],
        );
    }
}
