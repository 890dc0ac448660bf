//! What a file is that somebody takes for a receipt.

use serde_json::{Map, Value};
use tabella_protocol::{Receipt, ReceiptError};

/// What a file that is no receipt seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Nothing at all.
    Empty,
    /// Bytes that are no text, such as a picture.
    NotText,
    /// A rule's program.
    Rule,
    /// Text, but not JSON.
    Text,
    /// The document that pins a network.
    Genesis,
    /// The proof of what an election asks.
    ElectionProof,
    /// A proof that validators lied.
    Evidence,
    /// How a ballot stands, or what a server answered to it.
    Standing,
    /// What a server answers where it cannot do what it was asked.
    Problem,
    /// JSON of another kind.
    OtherJson,
}

/// Members that each kind has and no other, all of them.
const MEMBERS: [(FileKind, &[&str]); 5] = [
    (
        FileKind::Genesis,
        &["chain_id", "validators", "authorities"],
    ),
    (FileKind::ElectionProof, &["record", "logs", "header"]),
    (FileKind::Evidence, &["evidence"]),
    (FileKind::Standing, &["chain_transaction_id"]),
    (FileKind::Problem, &["code", "detail"]),
];

/// Members that a damaged receipt still has, some of them.
const RECEIPT: [&str; 4] = ["board_path", "boards_path", "entry", "acks"];

impl FileKind {
    /// Its name, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotText => "not-text",
            Self::Rule => "rule",
            Self::Text => "text",
            Self::Genesis => "genesis",
            Self::ElectionProof => "election-proof",
            Self::Evidence => "evidence",
            Self::Standing => "standing",
            Self::Problem => "problem",
            Self::OtherJson => "other-json",
        }
    }

    /// What it is, as a sentence goes on after "this is".
    pub fn words(self) -> &'static str {
        match self {
            Self::Empty => "an empty file",
            Self::NotText => "not UTF-8",
            Self::Rule => "a counting rule's program",
            Self::Text => "text, but not JSON",
            Self::Genesis => "a genesis document",
            Self::ElectionProof => "the proof of what an election asks",
            Self::Evidence => "evidence against validators",
            Self::Standing => "a server's answer about how a ballot stands",
            Self::Problem => "a server's word of why it has no receipt",
            Self::OtherJson => "JSON of another kind",
        }
    }

    /// What these bytes seem to be; nothing where that is a receipt, perhaps a damaged one.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\0asm") {
            return Some(Self::Rule);
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Some(Self::NotText);
        };
        if text.trim().is_empty() {
            return Some(Self::Empty);
        }
        let Ok(value) = serde_json::from_str::<Value>(text) else {
            // Cut off or scribbled in, it is still recognised by what nothing else holds.
            return (!text.contains("\"board_path\"")).then_some(Self::Text);
        };
        let Value::Object(members) = value else {
            return Some(Self::OtherJson);
        };
        Self::of_members(&members)
    }

    fn of_members(members: &Map<String, Value>) -> Option<Self> {
        let has = |name: &&str| members.contains_key(*name);
        if RECEIPT.iter().filter(|name| has(name)).count() > 1 {
            return None;
        }
        let known = MEMBERS.iter();
        let mut known = known.filter(|(_, names)| names.iter().all(&has));
        Some(known.next().map_or(Self::OtherJson, |(kind, _)| *kind))
    }
}

/// Why bytes are not read as a receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAReceipt {
    /// They are something else.
    #[error("not a receipt: {}", .0.words())]
    Other(FileKind),
    /// They look like a receipt that was damaged or changed.
    #[error(transparent)]
    Damaged(ReceiptError),
}

/// Reads the canonical file form of a receipt.
pub fn read(bytes: &[u8]) -> Result<Receipt, NotAReceipt> {
    if let Some(kind) = FileKind::of(bytes) {
        return Err(NotAReceipt::Other(kind));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| NotAReceipt::Other(FileKind::NotText))?;
    Receipt::from_json(text).map_err(NotAReceipt::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_what_it_holds() {
        let check = |bytes: &[u8], expected: Option<FileKind>| {
            assert_eq!(FileKind::of(bytes), expected, "{}", bytes.escape_ascii());
        };
        check(b"", Some(FileKind::Empty));
        check(b" \n", Some(FileKind::Empty));
        check(b"\0asm\x01\0\0\0", Some(FileKind::Rule));
        check(b"\x89PNG", Some(FileKind::NotText));
        check(b"0x12ab", Some(FileKind::Text));
        check(b"[1]", Some(FileKind::OtherJson));
        check(br#"{"choice": "a"}"#, Some(FileKind::OtherJson));
        check(
            br#"{"chain_id": 1, "validators": [], "authorities": []}"#,
            Some(FileKind::Genesis),
        );
        check(
            br#"{"record": "", "logs": "", "header": {}, "certificate": {}}"#,
            Some(FileKind::ElectionProof),
        );
        check(
            br#"{"code": "not-confirmed", "detail": "", "status": 404}"#,
            Some(FileKind::Problem),
        );
        check(br#"{"entry": {}, "board_path": []}"#, None);
        check(br#"{"entry": {}, "board_path": ["#, None);
    }
}
