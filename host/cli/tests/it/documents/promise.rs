//! What a page says that a command prints, compared with what it printed.
//!
//! `...` stands for what varies, as it does for any reader: within a line for any text, alone on a line
//! for any lines; in JSON for any value, for further members of an object, and for further elements of a
//! list.

use serde_json::Value;

use super::page::{Form, Promise};

const ANY: &str = "...";

impl Promise {
    /// Says what differs, if anything does.
    pub(super) fn broken_by(&self, printed: &str) -> Option<String> {
        let kept = match self.form {
            Form::Text => {
                let promised: Vec<&str> = self.text.lines().map(str::trim_end).collect();
                let printed: Vec<&str> = printed.trim_end().lines().map(str::trim_end).collect();
                lines_match(&promised, &printed)
            }
            Form::Json => {
                let promised = serde_json::from_str(&quote_any(&self.text));
                let promised: Value = match promised {
                    Ok(promised) => promised,
                    Err(error) => return Some(format!("the page's JSON: {error}\n{}", self.text)),
                };
                last_json(printed).is_some_and(|printed| value_matches(&promised, &printed))
            }
        };
        let promised = &self.text;
        (!kept).then(|| format!("the page promises\n{promised}--- but what came is\n{printed}"))
    }
}

fn lines_match(promised: &[&str], printed: &[&str]) -> bool {
    match promised.split_first() {
        None => printed.is_empty(),
        Some((&ANY, rest)) => (0..=printed.len()).any(|skip| lines_match(rest, &printed[skip..])),
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(first, after)| text_matches(line, first) && lines_match(rest, after)),
    }
}

fn text_matches(promised: &str, printed: &str) -> bool {
    let Some((before, after)) = promised.split_once(ANY) else {
        return promised == printed;
    };
    let Some(mut rest) = printed.strip_prefix(before) else {
        return false;
    };
    loop {
        if text_matches(after, rest) {
            return true;
        }
        let mut characters = rest.chars();
        if characters.next().is_none() {
            return false;
        }
        rest = characters.as_str();
    }
}

/// The JSON value with which `printed` ends: the last one after the first line at which only JSON follows.
fn last_json(printed: &str) -> Option<Value> {
    let starts = printed.match_indices('\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(starts).find_map(|start| {
        let values = serde_json::Deserializer::from_str(&printed[start..]).into_iter();
        let values: Result<Vec<Value>, _> = values.collect();
        values.ok()?.pop()
    })
}

/// Makes JSON of what a page shows: `...` outside of texts becomes a text, or a member.
fn quote_any(shown: &str) -> String {
    let mut json = String::new();
    let mut open = Vec::new();
    let mut in_text = false;
    let mut before = ' ';
    let mut rest = shown.chars();
    while let Some(c) = rest.next() {
        if !in_text && rest.as_str().starts_with("..") && c == '.' {
            rest.nth(1);
            let member = open.last() == Some(&'{') && before != ':';
            json += if member {
                r#""...": "...""#
            } else {
                r#""...""#
            };
            continue;
        }
        json.push(c);
        match c {
            '\\' if in_text => json.extend(rest.next()),
            '"' => in_text = !in_text,
            '{' | '[' if !in_text => open.push(c),
            '}' | ']' if !in_text => drop(open.pop()),
            _ => {}
        }
        if !c.is_whitespace() {
            before = c;
        }
    }
    json
}

fn value_matches(promised: &Value, printed: &Value) -> bool {
    match (promised, printed) {
        (Value::String(promised), _) if promised == ANY => true,
        (Value::String(promised), Value::String(printed)) => text_matches(promised, printed),
        (Value::Object(promised), Value::Object(printed)) => {
            let more = promised.contains_key(ANY);
            let named = promised.iter().filter(|(key, _)| *key != ANY);
            let kept = named.clone().all(|(key, value)| {
                let found = printed.get(key);
                found.is_some_and(|found| value_matches(value, found))
            });
            kept && (more || named.count() == printed.len())
        }
        (Value::Array(promised), Value::Array(printed)) => {
            let more = promised.last().is_some_and(|last| last == ANY);
            let named = &promised[..promised.len() - usize::from(more)];
            let enough = named.len() == printed.len() || (more && named.len() < printed.len());
            let mut pairs = named.iter().zip(printed);
            enough && pairs.all(|(promised, printed)| value_matches(promised, printed))
        }
        _ => promised == printed,
    }
}
