//! What each column of a table is: said by the user, or by the head of the table.

use std::fmt;

use super::paper::RANKS_MAX;
use crate::options::fold;

/// What the columns of a file without a clear head are, as `--columns` says it.
///
/// Words by place, separated by commas: `count` (how many ballots a line stands for), `id` (the
/// ballot's own id), `ignore` (or `-`), `ballot` (a whole ballot such as `a > b`), `rank1`, `rank2` and
/// so on. `...` at the end: every further column is the next rank. `head,` in front: the first line is
/// a head and is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    pub(crate) has_head: bool,
    pub(crate) roles: Vec<Role>,
    pub(crate) goes_on: bool,
}

/// What one column is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Count,
    Id,
    Ignore,
    Ballot,
    /// From 1.
    Rank(u64),
}

/// A text that does not say what columns are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnsError(String);

impl fmt::Display for ColumnsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected words such as count,rank1,rank2 or count,... (count, id, ignore, ballot, rankN, \
             and ... for further ranks at the end), found {:?}",
            self.0
        )
    }
}

impl std::error::Error for ColumnsError {}

impl std::str::FromStr for Columns {
    type Err = ColumnsError;

    fn from_str(text: &str) -> Result<Self, ColumnsError> {
        let refuse = |word: &str| ColumnsError(word.to_owned());
        let mut columns = Self {
            has_head: false,
            roles: Vec::new(),
            goes_on: false,
        };
        for (position, word) in text.split(',').map(str::trim).enumerate() {
            if columns.goes_on {
                return Err(refuse(word));
            }
            let role = match &*word.to_lowercase() {
                "head" if position == 0 => {
                    columns.has_head = true;
                    continue;
                }
                "..." | "…" => {
                    columns.goes_on = true;
                    continue;
                }
                "count" | "weight" => Role::Count,
                "id" => Role::Id,
                "ignore" | "-" => Role::Ignore,
                "ballot" | "ranking" | "choice" => Role::Ballot,
                other => match rank_number(other) {
                    Some(number) if (1..=RANKS_MAX).contains(&number) => Role::Rank(number),
                    _ => return Err(refuse(word)),
                },
            };
            if role != Role::Ignore && columns.roles.contains(&role) {
                return Err(refuse(word));
            }
            columns.roles.push(role);
        }
        let is_ballot = |role: &&Role| **role == Role::Ballot;
        let rank_of = |role: &Role| match role {
            Role::Rank(number) => Some(*number),
            _ => None,
        };
        let ballots = columns.roles.iter().filter(is_ballot).count();
        let has_ranks = columns.goes_on || columns.roles.iter().any(|role| rank_of(role).is_some());
        let mut numbers: Vec<u64> = columns.roles.iter().filter_map(rank_of).collect();
        numbers.sort_unstable();
        // A rank that no column holds was not on the paper, so that no voter skipped it.
        let has_gap = (1..)
            .zip(&numbers)
            .any(|(expected, number)| *number != expected);
        match (ballots, has_ranks) {
            (1, false) | (0, true) if !has_gap => Ok(columns),
            _ => Err(refuse(text)),
        }
    }
}

/// A head's cell that says which rank its column holds, and for which contest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RankHead {
    pub(crate) number: u64,
    /// What the cell says besides; empty where it says nothing.
    pub(crate) contest: String,
}

/// Reads `rank1`, `1st choice`, `Mayor [First choice]`, `DEM Mayor Choice 1 of 5 (024307)`.
pub(crate) fn rank_head(cell: &str) -> Option<RankHead> {
    if let Some(number) = rank_number(&fold(cell)) {
        return Some(RankHead {
            number,
            contest: String::new(),
        });
    }
    let folded = fold(cell);
    let words: Vec<&str> = folded
        .split(|c: char| !(c.is_alphanumeric() || c == '\''))
        .filter(|word| !word.is_empty())
        .collect();
    let noun = |word: &str| {
        ["rank", "choice", "preference", "pref", "ranking"].contains(&word.trim_end_matches('s'))
    };
    for position in 0..words.len().saturating_sub(1) {
        let (first, second) = (words[position], words[position + 1]);
        let (number, mut end) = match (noun(first), noun(second)) {
            (false, true) => (ordinal(first), position + 2),
            (true, false) => (
                second.parse().ok().or_else(|| ordinal(second)),
                position + 2,
            ),
            _ => (None, 0),
        };
        let Some(number) = number else { continue };
        let of = words.get(end) == Some(&"of");
        if of
            && words
                .get(end + 1)
                .is_some_and(|most| most.parse::<u64>().is_ok())
        {
            end += 2;
        }
        let rest: Vec<&str> = words[..position]
            .iter()
            .chain(&words[end..])
            .copied()
            .collect();
        return Some(RankHead {
            number,
            contest: rest.join(" "),
        });
    }
    None
}

fn ordinal(word: &str) -> Option<u64> {
    const WORDS: [&str; 10] = [
        "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
        "tenth",
    ];
    if let Some(position) = WORDS.iter().position(|known| *known == word) {
        return Some(position as u64 + 1);
    }
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &word[digits.len()..];
    let fits = ["st", "nd", "rd", "th"].contains(&suffix);
    digits.parse().ok().filter(|_| fits)
}

/// The number in `rank1`, `2nd`, `3rd choice`, `preference_4`.
fn rank_number(cell: &str) -> Option<u64> {
    let words = ["rank", "choice", "preference", "pref"];
    let blank = |c: char| c == ' ' || c == '_' || c == '-';
    let named = words.iter().find_map(|word| {
        let rest = cell.strip_prefix(*word);
        rest.or_else(|| cell.strip_suffix(*word))
    });
    match named {
        Some(rest) => {
            let rest = rest.trim_matches(blank);
            ordinal(rest).or_else(|| rest.parse().ok())
        }
        // A number alone says nothing, and one behind a sign is none.
        None => ordinal(cell),
    }
}

/// Heads of columns that hold how many ballots a line stands for.
pub(crate) fn is_count(cell: &str) -> bool {
    [
        "count",
        "weight",
        "ballots",
        "number of ballots",
        "multiplicity",
    ]
    .contains(&&*fold(cell))
}

/// Heads of columns that hold a whole ballot.
pub(crate) fn is_ballot(cell: &str) -> bool {
    ["ranking", "choice", "choices", "approve", "ballot", "vote"].contains(&&*fold(cell))
}

/// Heads of columns that hold the ballot's own id.
pub(crate) fn is_id(cell: &str) -> bool {
    const IDS: [&str; 18] = [
        "id",
        "ballotid",
        "castvoterecord",
        "cvrid",
        "cvrnumber",
        "recordid",
        "recordnumber",
        "uniqueid",
        "imprintedid",
        "serialnumber",
        "ballotnumber",
        "voteid",
        "responseid",
        "submissionid",
        "respondentid",
        "rownumber",
        "ballotno",
        "row",
    ];
    IDS.contains(&&*bare(cell)) || fold(cell) == "ballot #"
}

/// Heads of columns that hold an id which no two ballots have.
pub(crate) fn is_unique_id(cell: &str) -> bool {
    const UNIQUE: [&str; 13] = [
        "id",
        "ballotid",
        "ballotnumber",
        "ballotno",
        "castvoterecord",
        "cvrid",
        "cvrnumber",
        "uniqueid",
        "imprintedid",
        "voteid",
        "responseid",
        "respondentid",
        "submissionid",
    ];
    UNIQUE.contains(&&*bare(cell)) || fold(cell) == "ballot #"
}

/// Heads of columns that have nothing to do with the marks.
pub(crate) fn is_beside(cell: &str) -> bool {
    const BESIDE: [&str; 46] = [
        "",
        "precinct",
        "precinctid",
        "precinctname",
        "precinctportion",
        "precinctportionid",
        "ward",
        "wardname",
        "district",
        "county",
        "countyname",
        "municipality",
        "town",
        "city",
        "jurisdiction",
        "state",
        "pollingplace",
        "pollingplaceid",
        "votecenter",
        "location",
        "timestamp",
        "date",
        "time",
        "datetime",
        "email",
        "emailaddress",
        "username",
        "ballotstyle",
        "ballotstyleid",
        "ballottype",
        "ballottypeid",
        "style",
        "batch",
        "batchid",
        "boxid",
        "tabulator",
        "tabulatorid",
        "tabulatornum",
        "countinggroup",
        "remadeballot",
        "startdate",
        "enddate",
        "recordeddate",
        "submittedat",
        "ipaddress",
        "party",
    ];
    is_id(cell) || BESIDE.contains(&&*bare(cell))
}

/// Heads of columns that say who voted.
pub(crate) fn is_voter(cell: &str) -> bool {
    ["email", "emailaddress", "username"].contains(&&*bare(cell))
}

/// A head without spaces and signs.
fn bare(cell: &str) -> String {
    fold(cell).chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(cell: &str) -> Option<(u64, String)> {
        rank_head(cell).map(|rank| (rank.number, rank.contest))
    }

    #[test]
    fn heads_of_ranks() {
        for (cell, number, contest) in [
            ("rank1", 1, ""),
            ("Rank 2", 2, ""),
            ("1st choice", 1, ""),
            ("3rd", 3, ""),
            ("preference_4", 4, ""),
            ("First Choice", 1, ""),
            ("rank0", 0, ""),
            ("1ST CHOICE MAYOR MINNEAPOLIS", 1, "mayor minneapolis"),
            (
                "DEM Mayor Choice 1 of 5 Citywide (026916)",
                1,
                "dem mayor citywide 026916",
            ),
            (
                "Rep. to Congress 2nd Choice District 2",
                2,
                "rep to congress district 2",
            ),
            ("Mayor [Second choice]", 2, "mayor"),
        ] {
            assert_eq!(rank(cell), Some((number, contest.to_owned())), "{cell}");
        }
        for cell in [
            "Ann",
            "count",
            "choice",
            "7",
            "-1",
            "_1",
            "- 2",
            "Precinct 3",
            "Choice",
        ] {
            assert_eq!(rank(cell), None, "{cell}");
        }
    }

    #[test]
    fn columns_as_the_user_says_them() {
        let columns: Columns = "count,...".parse().unwrap();
        assert_eq!((columns.roles, columns.goes_on), (vec![Role::Count], true));
        let columns: Columns = "head,id,-,rank2,rank1".parse().unwrap();
        assert!(columns.has_head);
        assert_eq!(
            columns.roles,
            [Role::Id, Role::Ignore, Role::Rank(2), Role::Rank(1)]
        );
        for text in [
            "",
            "count",
            "rank0,rank1",
            "rank1,rank1",
            "rank1,rank3",
            "ballot,rank1",
            "...,count",
            "x",
        ] {
            assert!(text.parse::<Columns>().is_err(), "{text}");
        }
    }
}
