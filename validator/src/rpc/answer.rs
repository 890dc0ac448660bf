//! Results as JSON text, written within a bound: nothing larger than may be sent is ever made.

use std::{io, time::Instant};

use serde::Serialize;
use serde_json::Value;
use tabella_ledger::LedgerError;

use super::error::RpcError;

/// A call's result as JSON.
pub(crate) type Json = Vec<u8>;

/// How much of an answer may still be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) bytes: usize,
    /// When what goes on until it is full has to end.
    pub(crate) until: Option<Instant>,
}

impl Room {
    pub(crate) fn of(bytes: usize) -> Self {
        Self { bytes, until: None }
    }

    /// Whether a result of many parts ends with those that it has.
    pub(crate) fn is_over(self) -> bool {
        self.until.is_some_and(|until| until < Instant::now())
    }

    /// `shape` as JSON, if there is room for it.
    pub(crate) fn write<T: Serialize + ?Sized>(self, shape: &T) -> Result<Json, RpcError> {
        let mut text = Bounded {
            text: Vec::new(),
            bytes_max: self.bytes,
        };
        match serde_json::to_writer(&mut text, shape) {
            Ok(()) => Ok(text.text),
            Err(error) if error.is_io() => Err(RpcError::answer_too_large(self.bytes)),
            Err(error) => Err(LedgerError::Corrupt(format!("answer: {error}")).into()),
        }
    }
}

struct Bounded {
    text: Vec<u8>,
    bytes_max: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > self.bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The answer to the call with this id. A result may be large: it is moved, and no copy of it made.
pub(crate) fn respond(id: &Value, result: Result<Json, RpcError>) -> Json {
    match result {
        Ok(mut text) => {
            let head = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":");
            text.reserve_exact(head.len() + 1);
            text.splice(..0, head.into_bytes());
            text.push(b'}');
            text
        }
        Err(error) => error.respond(id.clone()).to_string().into_bytes(),
    }
}

/// The pieces of the answer to a batch.
pub(crate) fn array(answers: Vec<Json>) -> Vec<Json> {
    let mut pieces = Vec::with_capacity(2 * answers.len() + 1);
    for answer in answers {
        pieces.push(match pieces.is_empty() {
            true => b"[".to_vec(),
            false => b",".to_vec(),
        });
        pieces.push(answer);
    }
    pieces.push(b"]".to_vec());
    pieces
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_fits_or_is_refused() {
        let shape = json!({"list": [1, 2, 3]});
        let exact = Room::of(16).write(&shape).unwrap();
        assert_eq!(exact, br#"{"list":[1,2,3]}"#);
        assert!(Room::of(15).write(&shape).is_err());
    }

    #[test]
    fn answers_are_json() {
        let one = respond(&json!("a\"b"), Ok(b"null".to_vec()));
        let other = respond(&json!(2), Err(RpcError::busy()));
        let batch: Value = serde_json::from_slice(&array(vec![one, other]).concat()).unwrap();
        assert_eq!(batch[0]["id"], "a\"b");
        assert_eq!(batch[1]["error"]["code"], -32005);
    }
}
