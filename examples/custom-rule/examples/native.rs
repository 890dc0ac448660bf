//! The rule compiled for this machine, for `tabella plugin test` to compare with its module:
//! requests in, answers out, a line each.

use std::io::{BufRead, Write};

use custom_rule::MyRule;
use tabella_sdk::Guest;

fn main() -> std::io::Result<()> {
    let mut guest = Guest::<MyRule>::new();
    let mut answers = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (call, input) = line.split_once(' ').unwrap_or((&line, ""));
        let input = bytes(input);
        match call {
            "configure" => writeln!(answers, "{}", guest.configure(&input))?,
            "validate" => writeln!(answers, "{}", guest.validate(&input))?,
            "fold" => writeln!(answers, "{}", guest.fold(&input))?,
            "finish" => writeln!(answers, "{}", hex(&guest.finish(&input)))?,
            other => panic!("expected configure, validate, fold or finish, found {other:?}"),
        }
    }
    Ok(())
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).expect("a hexadecimal digit") as u8;
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
