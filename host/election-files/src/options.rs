//! Which option a file means by a name.

use std::collections::HashMap;

use serde_json::{Map, Value};
use tabella_contest::ContestOption;
use unicode_normalization::UnicodeNormalization;

/// Words that ballot papers and exports have for somebody who is not on the paper, folded.
const WRITE_IN: [&str; 11] = [
    "write-in",
    "write in",
    "writein",
    "write-ins",
    "write ins",
    "uwi",
    "undeclared write-in",
    "undeclared write-ins",
    "undeclaredwritein",
    "undeclared",
    "(undeclared)",
];

/// Finds options by id, else by id, title or alias as people write them: without regard to case,
/// spaces, accents' encoding and the shape of quotation marks.
pub(crate) struct OptionNames {
    ids: HashMap<String, usize>,
    /// By folded name, every option that is called so.
    folded: HashMap<String, Vec<usize>>,
    /// By option, what a message calls it.
    shown: Vec<String>,
    /// Options by a further name that the election gives them, as it is written.
    aliases: HashMap<String, usize>,
    write_in: Option<usize>,
}

/// What a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    Option(usize),
    /// Each of these options is called so.
    Several(Vec<usize>),
    Nothing,
}

impl OptionNames {
    /// `aliases` has a list of further names by option id.
    pub(crate) fn new(options: &[ContestOption], aliases: Option<&Map<String, Value>>) -> Self {
        let mut names = Self {
            ids: HashMap::new(),
            folded: HashMap::new(),
            shown: Vec::new(),
            aliases: HashMap::new(),
            write_in: None,
        };
        for (position, option) in options.iter().enumerate() {
            names.ids.insert(option.id.clone(), position);
            let further = aliases.and_then(|aliases| aliases.get(&option.id));
            let further = further.and_then(Value::as_array).into_iter().flatten();
            let further = further.filter_map(Value::as_str);
            let aliases = further
                .clone()
                .map(|alias| (alias.trim().to_owned(), position));
            names.aliases.extend(aliases);
            for name in [&*option.id, &*option.title].into_iter().chain(further) {
                let folded = fold(name);
                if folded.is_empty() {
                    continue;
                }
                if WRITE_IN.contains(&&*folded) {
                    names.write_in.get_or_insert(position);
                }
                let known = names.folded.entry(folded).or_default();
                if !known.contains(&position) {
                    known.push(position);
                }
            }
            let shown = match option.title.trim() {
                "" => &option.id,
                title => title,
            };
            names.shown.push(shown.to_owned());
        }
        names
    }

    /// The option with just this id.
    pub(crate) fn exact(&self, id: &str) -> Option<usize> {
        self.ids.get(id.trim()).copied()
    }

    /// The option that the election itself gives this further name.
    pub(crate) fn alias(&self, name: &str) -> Option<usize> {
        self.aliases.get(name.trim()).copied()
    }

    pub(crate) fn meaning(&self, name: &str) -> Meaning {
        if let Some(option) = self.ids.get(name.trim()) {
            return Meaning::Option(*option);
        }
        match self.folded.get(&fold(name)).map(Vec::as_slice) {
            None | Some([]) => Meaning::Nothing,
            Some([option]) => Meaning::Option(*option),
            Some(several) => Meaning::Several(several.to_vec()),
        }
    }

    /// The option, where the name means just one.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        match self.meaning(name) {
            Meaning::Option(option) => Some(option),
            _ => None,
        }
    }

    /// Whether at least one option is called so.
    pub(crate) fn is_name(&self, name: &str) -> bool {
        self.meaning(name) != Meaning::Nothing
    }

    /// Whether the text is a word for somebody who is not on the paper, and no option's name.
    pub(crate) fn is_write_in(&self, name: &str) -> bool {
        let folded = fold(name);
        let words = folded.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ' || c == '-');
        // `Write-in: Jane Doe`; who wrote in an option of the paper may have meant that one.
        let written = ["write-in", "write in", "writein"].iter();
        let written = written.filter_map(|word| folded.strip_prefix(word));
        let is_text = |rest: &str| {
            let is_sign = |c: char| !c.is_alphanumeric();
            rest.starts_with(is_sign) && !self.is_name(rest.trim_matches(is_sign))
        };
        let is_word = WRITE_IN.contains(&&*folded) || WRITE_IN.contains(&words);
        !self.is_name(name) && (is_word || written.into_iter().any(is_text))
    }

    /// The option that stands for those who are not on the paper.
    pub(crate) fn write_in(&self) -> Option<usize> {
        self.write_in
    }

    /// The title of an option, its id where it has none.
    pub(crate) fn shown(&self, option: usize) -> &str {
        &self.shown[option]
    }

    /// The option's name that is nearest to a text, if one is near.
    pub(crate) fn nearest(&self, name: &str) -> Option<&str> {
        let wanted = fold(name);
        let near = wanted.chars().count() / 3;
        let names = self.folded.iter();
        let distances =
            names.map(|(known, options)| (distance(&wanted, known, near), known, options));
        let nearest = distances
            .filter(|(distance, ..)| *distance > 0 && *distance <= near)
            .min_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        nearest.map(|(_, _, options)| self.shown(options[0]))
    }
}

/// A name as it is compared.
pub(crate) fn fold(name: &str) -> String {
    let straight = name.nfkc().map(|character| match character {
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{02bc}' | '`' | '\u{00b4}' => '\'',
        '\u{201c}' | '\u{201d}' | '\u{201e}' => '"',
        '\u{2010}'..='\u{2015}' => '-',
        other => other,
    });
    let text: String = straight.filter(|c| !is_invisible(*c)).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{00ad}' | '\u{2060}'
    )
}

/// How many characters have to be changed, added or left out; more than `most` where it is far.
fn distance(one: &str, other: &str, most: usize) -> usize {
    let other: Vec<char> = other.chars().collect();
    if one.chars().count().abs_diff(other.len()) > most {
        return most + 1;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (position, character) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = position + 1;
        for (column, wanted) in other.iter().enumerate() {
            let above = row[column + 1];
            let change = diagonal + usize::from(character != *wanted);
            row[column + 1] = change.min(above + 1).min(row[column] + 1);
            diagonal = above;
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(id: &str, title: &str) -> ContestOption {
        ContestOption {
            id: id.into(),
            title: title.into(),
        }
    }

    #[test]
    fn ids_come_before_titles() {
        let options = [option("a", "b"), option("b", "Beech"), option("B", "x")];
        let names = OptionNames::new(&options, None);
        assert_eq!(names.find("b"), Some(1), "an id wins over a title");
        assert_eq!(names.find("B"), Some(2));
        assert_eq!(names.find(" beech "), Some(1));
        assert_eq!(names.find("A"), Some(0));
        assert_eq!(names.find("X"), Some(2));
        assert_eq!(names.find("c"), None);
    }

    #[test]
    fn a_name_of_two_options_is_neither() {
        let names = OptionNames::new(&[option("x", "Ann"), option("y", "ANN")], None);
        for name in ["Ann", "ANN", "ann"] {
            assert_eq!(names.meaning(name), Meaning::Several(vec![0, 1]), "{name}");
        }
        assert_eq!(names.find("x"), Some(0));
    }

    #[test]
    fn names_as_people_write_them() {
        let options = [option("o", "Seán  O\u{2019}Brien "), option("p", "Zoë")];
        let names = OptionNames::new(&options, None);
        for name in [
            "sea\u{301}n o'brien",
            "Seán\u{a0}O'Brien",
            "  SEÁN O\u{2018}BRIEN",
        ] {
            assert_eq!(names.find(name), Some(0), "{name}");
        }
        assert_eq!(names.nearest("Sean O'Brian"), Some("Seán  O\u{2019}Brien"));
        assert_eq!(names.nearest("somebody else entirely"), None);
        let aliases = serde_json::json!({"p": ["Z. Smith"]});
        let names = OptionNames::new(&options, aliases.as_object());
        assert_eq!(names.find("z. smith"), Some(1));
    }

    #[test]
    fn words_for_somebody_else() {
        let names = OptionNames::new(&[option("a", ""), option("wi", "Write-in")], None);
        assert_eq!(names.write_in(), Some(1));
        assert!(names.is_write_in("UWI"));
        assert!(names.is_write_in("write-in-2"));
        assert!(!names.is_write_in("Write-In"), "an option is called so");
        assert!(!names.is_write_in("a"));
        assert!(names.is_write_in("Write-in: Jane Doe"));
        assert!(names.is_write_in("WRITE IN (Jane)"));
        assert!(!names.is_write_in("write-in: A"), "an option of the paper");
        assert!(!names.is_write_in("write-in (a)"), "an option of the paper");
        assert!(!names.is_write_in("writeinside"));
    }
}
