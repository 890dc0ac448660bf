//! What the pages `/check` and `/ballot` believe: receipts are checked by the lines that `tabella verify receipt` runs, as Wasm in a
//! worker that reaches no network.
//!
//! The module imports nothing. A request is a list of byte strings, the first of which names what is asked; the answer
//! is JSON, in which refusals have a code for the page's words and an English sentence of their own. Nothing is kept
//! between two requests.
//!
//! ```
//! let answer = tabella_web_verifier::answer(&[b"receipt", b"{}", b"{}"]);
//! assert_eq!(answer["verdict"], "no-genesis");
//! ```

mod exports;
mod qr;
mod request;
mod verdict;

use serde_json::{Value, json};

pub use request::{encode, fields};

/// Answers a request.
pub fn answer(fields: &[&[u8]]) -> Value {
    match fields {
        [b"genesis", genesis] => verdict::genesis(genesis),
        [b"receipt", genesis, receipt] => verdict::receipt(genesis, receipt),
        [b"sha256", bytes] => json!({ "sha256": tabella_protocol::Hash::of(bytes) }),
        [b"qr", text] => qr::draw(text),
        [b"election", genesis, receipt, proof] => verdict::election(genesis, receipt, proof),
        [b"contests", genesis, proof, rules] => verdict::contests(genesis, proof, rules),
        [b"choice", genesis, receipt, proof, rules, choice] => {
            verdict::choice(genesis, receipt, proof, rules, choice)
        }
        _ => json!({ "verdict": "unknown-request" }),
    }
}
