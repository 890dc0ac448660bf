//! Words that an English reader stumbles over, and what to write instead. STYLE.md has the reasons.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::shell::{answer, workspace_root};

/// A phrase and what to write instead.
type Phrase = (&'static str, &'static str);

/// What no document says.
const IN_DOCUMENTS: &[Phrase] = &[
    ("as ever", "as before"),
    ("bytes that are no", "bytes that are not"),
    ("for ever", "forever, or indefinitely"),
    ("go on", "continue"),
    ("goes on", "continues"),
    ("is no part", "is not part"),
    ("is no secrecy", "name what it is"),
    ("is none of these", "is not one of these"),
    ("knows not", "does not know"),
    ("mend", "repair, correct or fix"),
    ("mended", "repaired, corrected or fixed"),
    ("mends", "repairs, corrects or fixes"),
    ("of theirs", "name the owner"),
    ("signs not", "does not sign"),
    ("that is none", "that is not valid, or say what is missing"),
    ("told", "name who says it, or what is known"),
    ("votes not", "does not vote"),
    ("went on", "continued"),
];

/// What no comment and no message says either.
const IN_SOURCES: &[Phrase] = &[
    ("nobody the wiser", "unnoticed"),
    ("signs not", "does not sign"),
    ("votes not", "does not vote"),
];

/// How no doc comment begins: it says what an item returns, not that it answers.
const DOC_VERBS: &[Phrase] = &[("Answers what", "Returns what")];

/// Records keep their text, and this file names what it forbids.
const EXEMPT: [&str; 3] = ["CHANGELOG.md", "docs/decisions/", "xtask/src/words.rs"];

/// Fails where a document, a comment or a message uses a forbidden phrase.
pub(crate) fn are_plain() -> Result<()> {
    let list = answer(
        Command::new("git")
            .arg("ls-files")
            .current_dir(workspace_root()),
    );
    let files = list.context("cannot list the repository's files")?;
    let (mut seen, mut found) = (0, Vec::new());
    for name in files.lines() {
        if EXEMPT.iter().any(|exempt| name.starts_with(exempt)) {
            continue;
        }
        let path = workspace_root().join(name);
        if let Some(kind) = Kind::of(&path)
            && path.is_file()
        {
            seen += 1;
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
            for (line, phrase, instead) in kind.offences(&text) {
                found.push(format!("{name}:{line}: not \"{phrase}\": {instead}"));
            }
        }
    }
    if seen == 0 {
        bail!("expected documents and sources in the repository, got none");
    }
    if !found.is_empty() {
        bail!("write it in other words\n{}", found.join("\n"));
    }
    Ok(())
}

/// What a file is.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Document,
    Source,
}

impl Kind {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "md" => Some(Self::Document),
            "rs" => Some(Self::Source),
            _ => None,
        }
    }

    /// The line of each forbidden phrase, the phrase, and what to write instead.
    fn offences(self, text: &str) -> Vec<(usize, &'static str, &'static str)> {
        let words = words(text);
        let lists: &[(&[Phrase], Case)] = match self {
            Self::Document => &[(IN_DOCUMENTS, Case::Any)],
            Self::Source => &[(IN_SOURCES, Case::Any), (DOC_VERBS, Case::AsWritten)],
        };
        let mut offences = Vec::new();
        for (list, case) in lists {
            for (phrase, instead) in *list {
                let phrase_words: Vec<&str> = phrase.split(' ').collect();
                for window in words.windows(phrase_words.len()) {
                    if case.matches(window, &phrase_words) {
                        offences.push((window[0].line, *phrase, *instead));
                    }
                }
            }
        }
        offences.sort_unstable();
        offences
    }
}

#[derive(Debug, Clone, Copy)]
enum Case {
    Any,
    AsWritten,
}

impl Case {
    /// Whether these words are the phrase, in one sentence.
    fn matches(self, window: &[Word<'_>], phrase: &[&str]) -> bool {
        let mut but_the_last = window.iter().rev().skip(1);
        !but_the_last.any(|word| word.ends_here)
            && window
                .iter()
                .zip(phrase)
                .all(|(word, expected)| match self {
                    Self::Any => word.bare.eq_ignore_ascii_case(expected),
                    Self::AsWritten => word.bare == *expected,
                })
    }
}

/// A word of a text.
#[derive(Debug)]
struct Word<'a> {
    /// Without the punctuation around it.
    bare: &'a str,
    line: usize,
    /// Whether punctuation follows, so that the phrase does not go past it.
    ends_here: bool,
}

/// The words of a text, without the marks that begin comments, quotations and lists.
fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for word in line.split_whitespace() {
            if matches!(word, "//" | "///" | "//!" | "#" | ">" | "-") {
                continue;
            }
            let bare = word.trim_matches(|letter: char| !letter.is_alphanumeric());
            words.push(Word {
                bare,
                line: number + 1,
                ends_here: !word.ends_with(bare) || bare.is_empty(),
            });
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: Kind, text: &str) -> Vec<(usize, &'static str)> {
        let offences = kind.offences(text);
        offences
            .into_iter()
            .map(|(line, phrase, _)| (line, phrase))
            .collect()
    }

    #[test]
    fn no_document_comment_or_message_stumbles() {
        are_plain().unwrap();
    }

    #[test]
    fn a_phrase_is_found_across_lines_and_in_any_case() {
        assert_eq!(
            found(Kind::Document, "It waits for\n> ever. Told so, as\never."),
            [(1, "for ever"), (2, "as ever"), (2, "told")]
        );
        let source = "/// It waits.\n/// Answers what\n/// it holds.\nbail!(\"it votes not\")";
        assert_eq!(
            found(Kind::Source, source),
            [(2, "Answers what"), (4, "votes not")]
        );
    }

    #[test]
    fn a_phrase_does_not_reach_past_a_sentence_or_into_a_word() {
        for text in [
            "It is. None came.",
            "for everybody",
            "is nonesuch",
            "retold",
        ] {
            assert_eq!(found(Kind::Document, text), [], "{text}");
        }
        assert_eq!(found(Kind::Source, "what it answers what"), []);
    }
}
