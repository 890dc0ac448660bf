//! Changes inputs, from a seed.

use tabella_plugin_tools::sample::Numbers;

/// Longer inputs find nothing that shorter ones do not.
const INPUT_BYTES_MAX: usize = 64 << 10;

/// Changes to one input, at most.
const CHANGES_MAX: usize = 8;

/// Bytes that formats treat specially.
const SPECIAL: [&[u8]; 24] = [
    b"\0",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xff\xff\xff\xff\x0f",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\n",
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"-1",
    b"0",
    b"18446744073709551616",
    b"1e999",
    b"null",
    b"=",
    b"/",
    b"\xc3\x28",
];

/// An input made of `input`, with parts of `other`.
pub(crate) fn change(input: &[u8], other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut made = input.to_vec();
    for _ in 0..=numbers.below(CHANGES_MAX) {
        change_once(&mut made, other, numbers);
    }
    made.truncate(INPUT_BYTES_MAX);
    made
}

fn change_once(made: &mut Vec<u8>, other: &[u8], numbers: &mut Numbers) {
    let at = numbers.below(made.len() + 1);
    let len = numbers
        .below(made.len() - at + 1)
        .min(1 << numbers.below(10));
    match numbers.below(8) {
        0 if at < made.len() => made[at] ^= 1 << numbers.below(8),
        1 if at < made.len() => made[at] = numbers.below(256) as u8,
        2 if at < made.len() => made[at] = made[at].wrapping_add(1),
        3 => drop(made.drain(at..at + len)),
        4 => {
            let part = made[at..at + len].to_vec();
            let to = numbers.below(made.len() + 1);
            made.splice(to..to, part);
        }
        5 => {
            let special = SPECIAL[numbers.below(SPECIAL.len())];
            made.splice(at..at, special.iter().copied());
        }
        6 => {
            let special = SPECIAL[numbers.below(SPECIAL.len())];
            let end = (at + special.len()).min(made.len());
            made.splice(at..end, special.iter().copied());
        }
        _ => {
            let from = numbers.below(other.len() + 1);
            let part = numbers.below(other.len() - from + 1).min(64);
            made.splice(at..at + len, other[from..from + part].iter().copied());
        }
    }
}
