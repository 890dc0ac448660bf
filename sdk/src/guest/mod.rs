//! Between a rule and the exports of the ABI.
//!
//! [`Guest`] is what a plugin instance does, in safe Rust, so that the same code also runs
//! natively. On Wasm, `exports` gives it memory addresses and `panic` and `allocator` stand in for
//! the standard library.

#[cfg(all(target_arch = "wasm32", not(feature = "std")))]
mod allocator;
mod export_macro;
#[cfg(target_arch = "wasm32")]
pub(crate) mod exports;
#[cfg(target_arch = "wasm32")]
mod panic;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use tabella_abi::contest::{Configuration, TieOrder};

use crate::ballot::{Ballot, Malformed};
use crate::codec::{Reader, Wire};
use crate::{Contest, Params, Rule, TieBreak, Verdict};

/// Of a message about a ballot, in bytes.
const VERDICT_BYTES_MAX: usize = 256;

/// Of any other message, in bytes.
const REFUSAL_BYTES_MAX: usize = 1 << 10;

/// One instance of a plugin: takes and gives the bytes of the ABI.
///
/// Its methods panic where a host breaks the ABI's order of calls.
pub struct Guest<R: Rule> {
    rule: Option<R>,
    options: usize,
    tally: Option<R::Tally>,
    message: String,
}

impl<R: Rule> Default for Guest<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Rule> Guest<R> {
    /// An instance that is not configured yet.
    pub const fn new() -> Self {
        Self {
            rule: None,
            options: 0,
            tally: None,
            message: String::new(),
        }
    }

    /// The manifest's JSON.
    pub fn describe() -> String {
        R::MANIFEST.to_json(R::Ballot::KIND)
    }

    /// Sets the rule up. 0: done; 1: refused, [`Guest::message`] says why.
    pub fn configure(&mut self, input: &[u8]) -> u32 {
        let params = Configuration::from_wire(input).and_then(|configuration| {
            self.options = configuration.options.len();
            let contest = Contest::new(configuration.options);
            Some((
                Params::new(R::MANIFEST.param_list(), configuration.params, self.options)?,
                contest,
            ))
        });
        let Some((params, contest)) = params else {
            return self.refuse("the configuration's bytes do not fit the manifest");
        };
        match R::configure(&params, &contest) {
            Ok(rule) => {
                self.rule = Some(rule);
                0
            }
            Err(error) => self.refuse(error.message()),
        }
    }

    /// Judges a ballot: 0 to accept, else the code of refusal.
    pub fn validate(&mut self, ballot: &[u8]) -> u32 {
        match R::Ballot::view(ballot, self.options) {
            Ok(ballot) => match self.rule().validate(ballot) {
                Verdict::Accept => 0,
                Verdict::Reject { code, message } => {
                    assert!(code != 0, "code 0 means that a ballot is accepted");
                    self.say(&message, VERDICT_BYTES_MAX);
                    code
                }
            },
            Err(malformed) => {
                self.say(&malformed.to_string(), VERDICT_BYTES_MAX);
                Verdict::MALFORMED
            }
        }
    }

    /// Adds a batch: for each ballot its weight, its length and its bytes. 0: done; 1: the batch
    /// is malformed.
    pub fn fold(&mut self, batch: &[u8]) -> u32 {
        let mut tally = self.take_tally();
        let folded = self.fold_into(&mut tally, batch);
        self.tally = Some(tally);
        match folded {
            Some(Ok(())) => 0,
            Some(Err(malformed)) => self.refuse(&malformed.to_string()),
            None => self.refuse("the batch is cut off"),
        }
    }

    fn fold_into(&self, tally: &mut R::Tally, batch: &[u8]) -> Option<Result<(), Malformed>> {
        let rule = self.rule();
        let mut reader = Reader::new(batch);
        while !reader.is_empty() {
            let weight = reader.varint()?;
            let len = reader.size()?;
            match R::Ballot::view(reader.bytes(len)?, self.options) {
                Ok(ballot) => rule.fold(tally, ballot, weight),
                Err(malformed) => return Some(Err(malformed)),
            }
        }
        Some(Ok(()))
    }

    /// Adds what another instance saved. 0: done; 1: the bytes are not a saved tally.
    pub fn merge(&mut self, saved: &[u8]) -> u32 {
        let Some(other) = R::Tally::from_wire(saved) else {
            return self.refuse("the bytes are not a saved tally");
        };
        let mut tally = self.take_tally();
        self.rule().merge(&mut tally, other);
        self.tally = Some(tally);
        0
    }

    /// The tally's bytes, for another instance to merge.
    pub fn save(&mut self) -> Vec<u8> {
        let tally = self.take_tally();
        let bytes = tally.to_wire();
        self.tally = Some(tally);
        bytes
    }

    /// The outcome's bytes; an empty answer means that the input is not an order of the options.
    pub fn finish(&mut self, input: &[u8]) -> Vec<u8> {
        let order = TieOrder::from_wire(input);
        let Some(mut ties) = order.and_then(|order| TieBreak::new(order, self.options)) else {
            return Vec::new();
        };
        let tally = self.take_tally();
        let mut outcome = self.rule().finish(tally, &mut ties);
        outcome.ties = ties.into_ties();
        outcome.to_wire()
    }

    /// The reason of the last refusal.
    pub fn message(&self) -> &str {
        &self.message
    }

    fn rule(&self) -> &R {
        self.rule
            .as_ref()
            .expect("configure comes before every other call")
    }

    fn take_tally(&mut self) -> R::Tally {
        self.tally.take().unwrap_or_else(|| self.rule().start())
    }

    fn refuse(&mut self, message: &str) -> u32 {
        self.say(message, REFUSAL_BYTES_MAX);
        1
    }

    /// The host takes a longer message for a failure of the plugin.
    fn say(&mut self, message: &str, bytes_max: usize) {
        let end = message.floor_char_boundary(bytes_max);
        self.message = message[..end].to_string();
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::ballot::Choices;
    use crate::{ConfigError, Manifest, Outcome};

    /// Refuses every ballot at length.
    struct Talker;

    impl Rule for Talker {
        type Ballot = Choices;
        type Tally = u64;
        const MANIFEST: Manifest = Manifest::new("talker", "1.0.0", "Refuses everything.");

        fn configure(_: &Params, _: &Contest) -> Result<Self, ConfigError> {
            Ok(Self)
        }

        fn validate(&self, _: &Choices) -> Verdict {
            Verdict::reject(7, String::from("!") + &"é".repeat(200))
        }

        fn start(&self) -> u64 {
            0
        }

        fn fold(&self, _: &mut u64, _: &Choices, _: u64) {}

        fn merge(&self, _: &mut u64, _: u64) {}

        fn finish(&self, _: u64, _: &mut TieBreak) -> Outcome {
            Outcome::default()
        }
    }

    #[test]
    fn a_message_is_cut_off_between_characters() {
        let mut guest = Guest::<Talker>::new();
        let configuration = Configuration {
            options: vec![],
            params: vec![],
        };
        assert_eq!(guest.configure(&configuration.to_wire()), 0);
        assert_eq!(guest.validate(&[]), 7);
        let whole = String::from("!") + &"é".repeat(127);
        assert_eq!(
            (guest.message(), whole.len()),
            (&*whole, VERDICT_BYTES_MAX - 1)
        );
    }
}
