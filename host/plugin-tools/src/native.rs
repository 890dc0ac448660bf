//! A rule compiled for this machine, driven through the same bytes as its module.
//!
//! The crate's example `native` reads requests from its standard input, a line each, and answers a
//! line each: `configure HEX` and `fold HEX` answer a code, `validate HEX` a code, `finish HEX` the
//! outcome in hexadecimal. `tabella plugin new` writes that example.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

use thiserror::Error;

use crate::build::cargo;

/// Why there are no answers.
#[derive(Debug, Error)]
pub enum NativeError {
    /// It does not start.
    #[error("cannot run the crate's example `native`: {0}")]
    Run(#[from] std::io::Error),
    /// It ended before it answered everything.
    #[error(
        "the crate's example `native` answered {answered} of {asked} requests and ended with {status}; \
         its messages are above, and examples/native.rs has to name the rule's type"
    )]
    Ended {
        /// Answers that came.
        answered: usize,
        /// Requests sent.
        asked: usize,
        /// How it ended.
        status: String,
    },
}

/// Whether the crate has a native driver.
pub fn exists(folder: &Path) -> bool {
    folder.join("examples/native.rs").is_file()
}

/// Sends the requests; returns what came back.
pub fn ask(folder: &Path, requests: &[String]) -> Result<Vec<String>, NativeError> {
    let mut child = cargo(folder)
        .args(["run", "--quiet", "--release", "--example", "native"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().expect("it was asked for");
    let output = child.stdout.take().expect("it was asked for");
    let text = requests.join("\n") + "\n";
    // Both pipes are bounded, so one side must not wait for the other.
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let answers = BufReader::new(output)
        .lines()
        .collect::<Result<Vec<_>, _>>()?;
    let status = child.wait()?;
    // A driver that ended early has broken the pipe; the status says so better.
    let _ = writer.join();
    if answers.len() != requests.len() || !status.success() {
        return Err(NativeError::Ended {
            answered: answers.len(),
            asked: requests.len(),
            status: status.to_string(),
        });
    }
    Ok(answers)
}
