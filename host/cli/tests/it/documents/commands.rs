//! The commands that documents name within a sentence: each exists, and takes the options named.

use std::{collections::BTreeMap, process::Command};

use super::{pages, root};

/// What says that a sentence names a command.
const PROGRAM: &str = "tabella ";
/// What begins like a command and is a text that a rule hashes.
const TEXT: &str = "tabella tie-break 1";

#[test]
fn every_command_that_a_document_names_exists() {
    let mut helps = BTreeMap::new();
    let mut faults = Vec::new();
    let mut named = 0;
    for page in pages() {
        let text = std::fs::read_to_string(root().join(&page)).expect("a page");
        for (line, command) in named_in(&text) {
            named += 1;
            if let Some(fault) = fault(&command, &mut helps) {
                faults.push(format!("{page}:{line}: `{command}`: {fault}"));
            }
        }
    }
    assert!(named > 60, "only {named} commands were found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_command_that_does_not_exist_is_found() {
    let text = "See `tabella election\ncreate FILE --open`.\n\n```sh\ntabella fenced\n```\nand\n`tabella vanish --x`, `tabella dev --port`";
    let found = named_in(text);
    let expected = [
        (1, "tabella election create FILE --open"),
        (8, "tabella vanish --x"),
        (8, "tabella dev --port"),
    ];
    assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())));
    let mut helps = BTreeMap::new();
    let faults: Vec<_> = found
        .iter()
        .map(|(_, command)| fault(command, &mut helps))
        .collect();
    assert_eq!(
        faults,
        [
            None,
            Some("no such command".to_owned()),
            Some("it has no --port".to_owned())
        ]
    );
}

/// The commands in the text's code spans, each with its line; not those in fences.
fn named_in(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_fence = false;
    let mut span: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
            continue;
        }
        // A span ends with its paragraph at the latest.
        if in_fence || line.trim().is_empty() {
            span = None;
            continue;
        }
        for (index, part) in line.split('`').enumerate() {
            if index > 0 {
                span = match span.take() {
                    None => Some((number, String::new())),
                    Some(ended) => {
                        found.push(ended);
                        None
                    }
                };
            }
            if let Some((_, text)) = &mut span {
                *text += part;
            }
        }
        if let Some((_, text)) = &mut span {
            text.push(' ');
        }
    }
    found.retain(|(_, text)| text.starts_with(PROGRAM) && text != TEXT);
    let plain = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    found
        .into_iter()
        .map(|(line, text)| (line, plain(text)))
        .collect()
}

/// What is wrong with a command, as far as its help says; `helps` is what was asked before.
fn fault(command: &str, helps: &mut BTreeMap<String, Option<String>>) -> Option<String> {
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let is_name = |word: &&&str| {
        word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-')
    };
    let path: Vec<&str> = words.iter().take_while(is_name).copied().collect();
    let help = helps.entry(path.join(" ")).or_insert_with(|| {
        let mut tabella = Command::new(env!("CARGO_BIN_EXE_tabella"));
        let answer = tabella
            .args(&path)
            .arg("--help")
            .output()
            .expect("the binary starts");
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        answer.status.success().then_some(text)
    });
    let Some(help) = help else {
        return Some("no such command".to_owned());
    };
    let options = words
        .iter()
        .filter_map(|word| word.trim_start_matches('[').strip_prefix("--"));
    let names = options.map(|option| option.split(['=', ']', ',']).next().unwrap_or(option));
    let mut missing = names.filter(|name| {
        !help.contains(&format!("--{name} ")) && !help.contains(&format!("--{name}\n"))
    });
    missing.next().map(|name| format!("it has no --{name}"))
}
