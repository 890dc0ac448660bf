//! The ids by which voters are known outside the chain: one form for each, whatever form it came in.
//!
//! Rolls, submissions, tokens, accounts and histories all read ids through [`VoterName::parse`], so that
//! two forms of one id are one voter. The rule, which `docs/rest-api.md` states for frontends:
//!
//! - Unicode normalisation form C: a letter with an accent is one, however it was typed;
//! - white space at both ends is no part of it, and inside it only the plain space (U+0020) may stand;
//! - characters that are not seen are refused: control and format characters, the byte order mark, fillers
//!   and selectors, private and unassigned code points;
//! - the case of letters counts: `ada` and `Ada` are two voters. Registrars' ids are often codes in which
//!   it matters, and folding it would give voters of earlier elections other pseudonyms.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Longest id, in bytes of its one form.
pub(crate) const NAME_BYTES_MAX: usize = 256;
/// Longest text that is looked at: another form of an id may be longer than its one form.
const GIVEN_BYTES_MAX: usize = 4 * NAME_BYTES_MAX;

/// Code points of other categories than format that are drawn as nothing (Unicode's
/// `Default_Ignorable_Code_Point`).
const UNSEEN: [(char, char); 8] = [
    ('\u{34f}', '\u{34f}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// An id in its one form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VoterName(String);

/// Why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VoterNameError {
    /// It is empty, or too long.
    #[error("expected a voter id of 1 to {NAME_BYTES_MAX} bytes, got one of {0}")]
    Length(usize),
    /// It holds a character that is not seen.
    #[error(
        "expected a voter id of characters that can be seen and plain spaces, got U+{:04X}; leave it out",
        u32::from(*.0)
    )]
    Character(char),
}

impl VoterName {
    /// The one form of the id that `given` is a form of.
    pub fn parse(given: &str) -> Result<Self, VoterNameError> {
        let given = given.trim();
        if given.len() > GIVEN_BYTES_MAX {
            return Err(VoterNameError::Length(given.len()));
        }
        let name: String = given.nfc().collect();
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(VoterNameError::Length(name.len()));
        }
        match name.chars().find(|character| !is_seen(*character)) {
            Some(character) => Err(VoterNameError::Character(character)),
            None => Ok(Self(name)),
        }
    }

    /// The text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same id with letters and accents apart (normalisation form D).
    pub(crate) fn decomposed(&self) -> String {
        self.0.nfd().collect()
    }
}

fn is_seen(character: char) -> bool {
    if UNSEEN
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&character))
    {
        return false;
    }
    !matches!(
        character.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::Surrogate
            | GeneralCategory::Unassigned
    ) && (character == ' ' || character.general_category() != GeneralCategory::SpaceSeparator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(given: &str) -> Result<String, VoterNameError> {
        VoterName::parse(given).map(|name| name.0)
    }

    #[test]
    fn forms_of_one_id_are_one() {
        for form in [
            "José",
            "Jose\u{301}",
            " José\t",
            "\u{a0}Jose\u{301}\u{2028}",
        ] {
            assert_eq!(parse(form).unwrap(), "José", "{form:?}");
        }
        // The ring of Ångström as a sign of its own.
        assert_eq!(parse("\u{212b}ngstrom"), parse("\u{c5}ngstrom"));
        assert_eq!(parse("Doe, Jane").unwrap(), "Doe, Jane");
        assert_ne!(parse("ada"), parse("Ada"), "case counts");
        let name = VoterName::parse("José").unwrap();
        assert_eq!(name.decomposed(), "Jose\u{301}");
    }

    #[test]
    fn what_is_not_seen_is_refused() {
        for unseen in [
            '\0',
            '\t',
            '\n',
            '\u{7f}',
            '\u{85}',
            '\u{a0}',
            '\u{ad}',
            '\u{200b}',
            '\u{200d}',
            '\u{202e}',
            '\u{2028}',
            '\u{2066}',
            '\u{3000}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{e000}',
            '\u{e0041}',
            '\u{10ffff}',
            '\u{378}',
        ] {
            let given = format!("ad{unseen}a");
            assert_eq!(parse(&given), Err(VoterNameError::Character(unseen)));
        }
        let mark = parse("\u{feff}ada");
        assert_eq!(mark, Err(VoterNameError::Character('\u{feff}')));
    }

    #[test]
    fn ids_have_a_length() {
        assert_eq!(parse(" \u{3000} "), Err(VoterNameError::Length(0)));
        assert_eq!(parse(&"é".repeat(128)).unwrap().len(), 256);
        assert_eq!(parse(&"é".repeat(129)), Err(VoterNameError::Length(258)));
        // One form may be longer than the other.
        assert_eq!(parse(&"e\u{301}".repeat(128)).unwrap().len(), 256);
        let long = "x".repeat(1 << 20);
        assert_eq!(parse(&long), Err(VoterNameError::Length(1 << 20)));
    }
}
