//! One page: its fences, and what each asks of a reader.
//!
//! The first word of a fence's info string is its language, for whoever highlights it; what follows is for
//! this test, and no reader of the rendered page sees it:
//!
//! | Fence | What becomes of it |
//! | --- | --- |
//! | `sh` | typed, and every command in it must exit with 0 |
//! | `sh exits=1` | its last command must exit with 1 |
//! | `sh answers=409` | an HTTP answer of 400 and more is a fault; this one is meant |
//! | `sh stays`, `sh stays="TEXT"` | each line runs in a terminal of its own until the end; the next step waits for the text |
//! | `sh stops="TEXT"` | typed once the process that stays, and whose command has the text, has ended |
//! | `sh not typed: WHY` | not typed, because it needs what a test does not have |
//! | `console` | each line after `$ ` is typed; what stands below it is its output |
//! | `text`, `json` | what the typed fence before it prints |
//! | `text shown: WHY` | not compared |
//! | any, `save=FILE`, `save-first=FILE` | saved as a file, at its place or before the first command |
//!
//! A fence within an HTML comment counts like any other: what a page takes for granted is typed there.
//! `<!-- after PAGE#SECTION -->` types another page's section first.

use std::path::Path;

/// What one page asks of a reader, in order.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) steps: Vec<Step>,
    /// Fences that are not typed, each with its line and the reason.
    pub(super) skipped: Vec<(usize, String)>,
}

/// One thing to do.
#[derive(Debug)]
pub(super) struct Step {
    /// The page that asks for it, from the repository's root.
    pub(super) page: String,
    /// The line of the page at which `text` begins.
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) act: Act,
    pub(super) promise: Option<Promise>,
    section: String,
}

/// What to do with a step's text.
#[derive(Debug)]
pub(super) enum Act {
    Type {
        /// What the last command exits with.
        exits: u8,
        /// The status of an HTTP answer that is meant to be an error.
        answers: Option<u16>,
        /// Of which process that stays, by a part of its command, the end comes first.
        stops: Option<String>,
    },
    /// Run each line in a terminal of its own, and go on once each has printed this text.
    Stay {
        ready: String,
    },
    Save {
        file: String,
    },
}

/// What a step must print.
#[derive(Debug)]
pub(super) struct Promise {
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Json,
}

/// A fence as it stands in the page.
struct Fence {
    line: usize,
    language: String,
    options: String,
    body: String,
}

impl Page {
    /// Reads a page of the repository, which must be one that this module understands.
    pub(super) fn read(root: &Path, name: &str) -> Self {
        let text = std::fs::read_to_string(root.join(name));
        let text = text.unwrap_or_else(|error| panic!("{name}: {error}"));
        Self::parse(name, &text, &|name| Self::read(root, name))
    }

    /// Reads `text`; other pages, whose sections it is typed after, come from `other`.
    pub(super) fn parse(name: &str, text: &str, other: &dyn Fn(&str) -> Self) -> Self {
        let mut page = Self::default();
        let mut first = Vec::new();
        let mut section = String::new();
        // The number of the step whose output the next fence may be.
        let mut answered = None;
        let mut lines = (1..).zip(text.lines());
        while let Some((number, line)) = lines.next() {
            if let Some(title) = line.strip_prefix('#') {
                section = slug(title);
            }
            if let Some(after) = line.strip_prefix("<!-- after ") {
                let after = after.trim_end_matches("-->").trim();
                let (from, wanted) = after.split_once('#').expect("a section, PAGE#SECTION");
                let mut before = other(from).steps;
                before.retain(|step| step.section == wanted);
                assert!(
                    !before.is_empty(),
                    "{name}:{number}: no commands in {after}"
                );
                page.steps.append(&mut before);
            }
            let Some(fence) = Fence::open(number, line, &mut lines) else {
                continue;
            };
            let whole = |fence: Fence, act| Step {
                page: name.to_owned(),
                line: fence.line + 1,
                text: fence.body,
                act,
                promise: None,
                section: section.clone(),
            };
            let place = format!("{name}:{number}");
            if let Some(why) = fence.skipped() {
                assert!(why.len() > 5, "{place}: say why");
                page.skipped.push((number, why));
                answered = None;
            } else if let Some(file) = fence.option(&place, "save-first") {
                first.push(whole(fence, Act::Save { file }));
            } else if let Some(file) = fence.option(&place, "save") {
                page.steps.push(whole(fence, Act::Save { file }));
                answered = None;
            } else if let Some(form) = Form::of(&fence.language) {
                if let Some(step) = answered.take() {
                    let step: &mut Step = &mut page.steps[step];
                    step.promise = Some(Promise {
                        line: fence.line + 1,
                        text: fence.body,
                        form,
                    });
                }
            } else if fence.language == "console" {
                let section = section.clone();
                page.steps.extend(fence.console(name, &section));
                answered = None;
            } else if ["sh", "bash"].contains(&fence.language.as_str()) {
                let act = fence.act(&place);
                page.steps.push(whole(fence, act));
                answered = Some(page.steps.len() - 1);
            } else {
                assert!(
                    !fence.language.is_empty(),
                    "{place}: a fence without a language: `sh` is typed, `text` is not"
                );
                answered = None;
            }
        }
        page.steps.splice(0..0, first);
        page
    }
}

impl Fence {
    fn open<'a>(
        line: usize,
        opening: &str,
        lines: &mut impl Iterator<Item = (usize, &'a str)>,
    ) -> Option<Self> {
        let info = opening.trim_start().strip_prefix("```")?;
        let indentation = opening.len() - opening.trim_start().len();
        let (language, options) = info.split_once(' ').unwrap_or((info, ""));
        let mut body = String::new();
        for (_, line) in lines {
            if line.trim() == "```" {
                break;
            }
            body += line.get(indentation..).unwrap_or("");
            body.push('\n');
        }
        Some(Self {
            line,
            language: language.to_owned(),
            options: options.trim().to_owned(),
            body,
        })
    }

    fn skipped(&self) -> Option<String> {
        let why = self.options.strip_prefix("not typed: ");
        why.or(self.options.strip_prefix("shown: "))
            .map(str::to_owned)
    }

    /// The value of an option, and an empty one where it has none.
    fn option(&self, place: &str, wanted: &str) -> Option<String> {
        const KNOWN: [&str; 6] = ["exits", "answers", "stays", "stops", "save", "save-first"];
        let mut found = None;
        let mut rest = self.options.as_str();
        while !rest.is_empty() {
            let end = rest.find(['=', ' ']).unwrap_or(rest.len());
            let (key, after) = rest.split_at(end);
            assert!(
                KNOWN.contains(&key),
                "{place}: no option {key:?}; there are {KNOWN:?}"
            );
            let (value, after) = match after.strip_prefix('=') {
                None => ("", after),
                Some(quoted) if quoted.starts_with('"') => quoted[1..]
                    .split_once('"')
                    .unwrap_or_else(|| panic!("{place}: a quotation mark is missing")),
                Some(plain) => plain.split_at(plain.find(' ').unwrap_or(plain.len())),
            };
            if key == wanted {
                found = Some(value.to_owned());
            }
            rest = after.trim_start();
        }
        found
    }

    fn act(&self, place: &str) -> Act {
        if let Some(ready) = self.option(place, "stays") {
            return Act::Stay { ready };
        }
        let number = |option| self.option(place, option).map(|text| text.parse::<u16>());
        Act::Type {
            exits: number("exits").map_or(0, |number| number.expect("a number") as u8),
            answers: number("answers").map(|number| number.expect("a number")),
            stops: self.option(place, "stops"),
        }
    }

    /// The steps of a fence that shows a terminal.
    fn console(self, page: &str, section: &str) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for (line, text) in (self.line + 1..).zip(self.body.lines()) {
            if let Some(command) = text.strip_prefix("$ ") {
                steps.push(Step {
                    page: page.to_owned(),
                    line,
                    text: format!("{command}\n"),
                    act: self.act(&format!("{page}:{line}")),
                    promise: None,
                    section: section.to_owned(),
                });
                continue;
            }
            let step = steps.last_mut();
            let step = step.unwrap_or_else(|| panic!("{page}:{line}: no command before it"));
            let promise = step.promise.get_or_insert(Promise {
                line,
                text: String::new(),
                form: Form::Text,
            });
            promise.text += text;
            promise.text.push('\n');
        }
        steps
    }
}

impl Form {
    fn of(language: &str) -> Option<Self> {
        match language {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// A heading's name in links, as GitHub makes it.
pub(super) fn slug(title: &str) -> String {
    let title = title.trim_start_matches('#').trim().to_lowercase();
    title
        .chars()
        .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}
