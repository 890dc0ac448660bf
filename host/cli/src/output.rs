//! What commands print, and nothing else in this crate prints: text for people, JSON for programs.
//!
//! Titles, explanations, names, refusals and paths are foreign: whoever wrote them may have meant to
//! write a line of this program's own, or to command the terminal. So foreign text is put into a line
//! through [`plain`] or [`plain_json`], which show what is no letter as an escape; and whatever still gets
//! to a terminal by another way can break a line there, and nothing else.
//!
//! A tool whose reader goes away has done enough and ends, as programs do that `head` reads from. A server
//! goes on: see [`outlive_readers`].

use std::{
    fmt::{self, Display, Write as _},
    io::{self, Write},
    process,
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::Value;

/// The exit code of a program that a closed pipe ended: 128 and the number of SIGPIPE.
pub(crate) const READER_GONE: u8 = 141;

/// Whether this process goes on when nobody reads its output.
static IS_SERVER: AtomicBool = AtomicBool::new(false);

/// Makes this process go on when its output cannot be written: servers have more to do than to tell.
pub(crate) fn outlive_readers() {
    IS_SERVER.store(true, Ordering::Relaxed);
}

/// Prints a line for people: what `format!` makes of the arguments.
macro_rules! say {
    ($($text:tt)*) => { $crate::output::line(::core::format_args!($($text)*)) };
}

/// Prints a line for people on the error output.
macro_rules! tell {
    ($($text:tt)*) => { $crate::output::error_line(::core::format_args!($($text)*)) };
}

/// Prints a line for people; `say!` is its short form.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    self::text(&format!("{text}\n"));
}

/// Prints lines for people as they stand, each with its end.
pub(crate) fn text(text: &str) {
    give(visible(text, LINES).as_bytes());
}

/// Prints a value for programs, on a line: nothing in it is changed.
pub(crate) fn json(value: &impl Display) {
    give(format!("{value}\n").as_bytes());
}

/// Prints a line for people on the error output; `tell!` is its short form.
pub(crate) fn error_line(line: fmt::Arguments<'_>) {
    let line = format!("{line}\n");
    // Who cannot be told what went wrong cannot be told that either.
    let _ = io::stderr()
        .lock()
        .write_all(visible(&line, LINES).as_bytes());
}

/// A message of several lines, of which all but the first are set in, so that no line of a message looks
/// like one of this program's own.
pub(crate) fn set_in(message: &str) -> String {
    message.replace('\n', "\n    ")
}

/// Foreign text on a line of this program's own: what would break the line, command the terminal or turn
/// the direction of what follows is shown as an escape. Width and alignment are those of a text.
pub(crate) fn plain(text: &str) -> Plain<'_> {
    Plain(text)
}

/// See [`plain`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain<'a>(&'a str);

impl Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&visible(self.0, NOTHING))
    }
}

/// Foreign JSON, each text and each name of a member in it made [`plain`].
pub(crate) fn plain_json(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(plain(text).to_string()),
        Value::Array(items) => items.iter().map(plain_json).collect(),
        Value::Object(members) => {
            let plain_member =
                |(name, value): (&String, &Value)| (plain(name).to_string(), plain_json(value));
            Value::Object(members.iter().map(plain_member).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Characters that are no letters and stay as they are: the ends of lines, or none.
const LINES: &[char] = &['\n'];
const NOTHING: &[char] = &[];

/// The text with escapes for what does not show itself.
fn visible(text: &str, kept: &[char]) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if kept.contains(&c) || !is_hidden(c) {
            shown.push(c);
        } else {
            // Writing into a string cannot fail.
            let _ = write!(shown, "{}", c.escape_debug());
        }
    }
    shown
}

/// Whether a character commands instead of showing itself: controls, ends of lines and paragraphs, and
/// signs that turn the direction of writing (Unicode's Bidi_Control).
fn is_hidden(c: char) -> bool {
    let turns = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}')
}

/// The reader of the output went away.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output any more")]
pub(crate) struct ReaderGone;

/// Writes to the output, or ends the process where that is no server and nobody reads.
fn give(bytes: &[u8]) {
    let mut output = io::stdout().lock();
    let given = output.write_all(bytes).and_then(|()| output.flush());
    drop(output);
    let Err(error) = given else {
        return;
    };
    if IS_SERVER.load(Ordering::Relaxed) {
        return;
    }
    if error.kind() == io::ErrorKind::BrokenPipe {
        process::exit(READER_GONE.into());
    }
    error_line(format_args!(
        "tabella: cannot write the output: {error}; what was asked for may be done"
    ));
    process::exit(1);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_show_itself_is_escaped() {
        for (text, shown) in [
            ("Ann Lee", "Ann Lee"),
            ("a\nb\r\tc\0", r"a\nb\r\tc\0"),
            ("\u{1b}[31m\u{7f}\u{9b}2J", r"\u{1b}[31m\u{7f}\u{9b}2J"),
            ("a\u{202e}b\u{2066}c\u{61c}", r"a\u{202e}b\u{2066}c\u{61c}"),
            ("a\u{2028}b\u{2029}", r"a\u{2028}b\u{2029}"),
            // Letters of every script stay, with what joins them.
            (
                "عربي Ελλ 中文 é e\u{301} \u{200d}👩\u{200d}🔬",
                "عربي Ελλ 中文 é e\u{301} \u{200d}👩\u{200d}🔬",
            ),
        ] {
            assert_eq!(plain(text).to_string(), shown);
            assert_eq!(visible(text, LINES).contains('\n'), text.contains('\n'));
        }
        assert_eq!(
            format!("{:>5}|{:<3}|", plain("ab"), plain("c")),
            "   ab|c  |"
        );
        let json = json!({"a\nb": ["c\nd", 1, null, {"e": "\u{1b}"}]});
        assert_eq!(
            plain_json(&json),
            json!({"a\\nb": ["c\\nd", 1, null, {"e": "\\u{1b}"}]})
        );
    }
}
