//! Whether a plugin keeps the promises that a tally relies on.
//!
//! A tally is cut into parts, folded on any number of threads and merged; validators judge each
//! ballot apart. A plugin whose answer depends on any of that would split a network.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use tabella_contest::{ContestConfig, TieBreak};
use tabella_runtime::{
    ConfigError, Contest, HostFault, LoadError, PluginLimits, Runtime, RuntimeConfig, Tally,
    TallyError, Verdict,
};
use thiserror::Error;

use crate::native;
use crate::sample::{self, Numbers, put_varint};

/// Sampled ballots besides those given.
const BALLOTS: usize = 400;
/// Strings of bytes that are no ballots, mostly.
const MALFORMED: usize = 400;

/// Why a plugin cannot be examined.
#[derive(Debug, Error)]
pub enum ExamineError {
    /// It does not load.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It does not take the contest.
    #[error("the rule does not take the contest: {0}; give one with --election")]
    Config(#[from] ConfigError),
    /// The host failed.
    #[error(transparent)]
    Host(#[from] HostFault),
    /// A ballot that was given does not fit the contest.
    #[error("expected ballots of the rule's kind in --ballots or the crate's ballots.jsonl")]
    Ballot(#[from] sample::Unfit),
    /// No ballot is accepted, so that nothing could be learnt.
    #[error(
        "the rule accepts none of {ballots} ballots, the first: {first}; give some with --ballots"
    )]
    NoBallots {
        /// How many were tried.
        ballots: usize,
        /// What the rule says of the first.
        first: String,
    },
}

/// One promise, and whether it is kept.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// The promise.
    pub name: &'static str,
    /// `None` where it is kept, else how it is broken.
    pub broken: Option<String>,
}

/// Every promise that was examined.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The promises.
    pub checks: Vec<Check>,
    /// Valid ballots that they were examined with.
    pub ballots: usize,
    /// The seed of what was sampled.
    pub seed: u64,
}

impl Report {
    /// Whether every promise is kept.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.broken.is_none())
    }

    fn add(&mut self, name: &'static str, kept: Result<(), String>) {
        let broken = kept.err();
        self.checks.push(Check { name, broken });
    }
}

/// Examines a module in a contest, with these ballots and others from the seed.
pub fn examine(
    wasm: &[u8],
    config: &ContestConfig,
    ballots: &[Value],
    seed: u64,
) -> Result<Report, ExamineError> {
    let mut report = Report {
        checks: Vec::new(),
        ballots: 0,
        seed,
    };
    let exam = Exam::prepare(wasm, config, ballots, seed, &mut report)?;
    report.ballots = exam.board.len();
    report.add("a ballot is judged alike each time", exam.same_verdict());
    report.add(
        "any bytes as a ballot are accepted or refused",
        exam.malformed(seed),
    );
    report.add(
        "only ballots of the rule's kind are accepted",
        exam.only_ballots(seed),
    );
    report.add("a count repeats, bytes and fuel", exam.repeats());
    report.add(
        "any number of threads, the same bytes and fuel",
        exam.threads(),
    );
    if exam.contest.manifest().merges {
        report.add("the order of ballots does not matter", exam.order(seed));
        report.add("any split and merge gives the same outcome", exam.splits());
        report.add("a weight counts like so many ballots", exam.weights());
    }
    report.add("no ballots, and one ballot", exam.small_boards());
    report.add("ties by lot, by order and reported", exam.tie_breaks());
    Ok(report)
}

/// Compares a module with the same rule compiled for this machine; `None` where the crate has no
/// native driver.
pub fn compare_native(
    wasm: &[u8],
    folder: &Path,
    config: &ContestConfig,
    ballots: &[Value],
    seed: u64,
) -> Result<Option<Check>, ExamineError> {
    if !native::exists(folder) {
        return Ok(None);
    }
    let mut ignored = Report {
        checks: Vec::new(),
        ballots: 0,
        seed,
    };
    let exam = Exam::prepare(wasm, config, ballots, seed, &mut ignored)?;
    Ok(Some(Check {
        name: "natively compiled, the same answers",
        broken: exam.native(folder).err(),
    }))
}

struct Exam<'a> {
    wasm: &'a [u8],
    config: &'a ContestConfig,
    contest: Contest,
    /// Every sampled ballot.
    all: Vec<Vec<u8>>,
    /// The valid ones, with weights.
    board: Vec<(u64, Vec<u8>)>,
    whole: Tally,
}

fn contest(
    wasm: &[u8],
    config: &ContestConfig,
    limits: PluginLimits,
    tally_threads: usize,
) -> Result<Contest, ExamineError> {
    let runtime = Runtime::new(RuntimeConfig {
        limits,
        tally_threads,
        ..RuntimeConfig::default()
    })?;
    Ok(runtime.load(wasm)?.contest(config)?)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn tally(contest: &Contest, board: &[(u64, Vec<u8>)]) -> Result<Tally, TallyError> {
    contest.tally(
        board.iter().map(|(weight, ballot)| (*weight, ballot)),
        [7; 32],
    )
}

impl<'a> Exam<'a> {
    fn prepare(
        wasm: &'a [u8],
        config: &'a ContestConfig,
        given: &[Value],
        seed: u64,
        report: &mut Report,
    ) -> Result<Self, ExamineError> {
        let contest = contest(wasm, config, PluginLimits::default(), 2)?;
        let mut numbers = Numbers::new(seed);
        let sampled =
            (0..BALLOTS).map(|_| sample::ballot(contest.manifest(), config, &mut numbers));
        let mut all = sample::encode(&contest, given)?;
        all.extend(sampled.filter_map(|json| contest.encode_ballot(&json).ok()));
        let mut board = Vec::new();
        let mut judged = Ok(());
        let mut refused = None;
        for ballot in &all {
            let verdict = contest.validate(ballot)?;
            if verdict == Verdict::Accept {
                board.push((1 + numbers.below(3) as u64, ballot.clone()));
                continue;
            }
            if let Verdict::Fault(fault) = &verdict {
                judged = Err(format!("{fault} on {}", shown(&contest, ballot)));
            }
            refused.get_or_insert(verdict);
        }
        report.add("well-formed ballots are accepted or refused", judged);
        if board.is_empty() {
            let first = refused.map(|verdict| verdict.to_string());
            return Err(ExamineError::NoBallots {
                ballots: all.len(),
                first: first.unwrap_or_else(|| "none fits the contest".into()),
            });
        }
        let whole = match tally(&contest, &board) {
            Ok(whole) => {
                report.add("valid ballots can be counted", Ok(()));
                whole
            }
            Err(TallyError::Host(fault)) => return Err(fault.into()),
            Err(error) => {
                report.add("valid ballots can be counted", Err(error.to_string()));
                // What follows compares with this, and tells that nothing is equal to it.
                Tally {
                    outcome: Vec::new(),
                    fuel: 0,
                    ballots: 0,
                }
            }
        };
        Ok(Self {
            wasm,
            config,
            contest,
            all,
            board,
            whole,
        })
    }

    fn same_verdict(&self) -> Result<(), String> {
        for ballot in &self.all {
            let first = self.contest.validate_metered(ballot).map_err(text)?;
            let again = self.contest.validate_metered(ballot).map_err(text)?;
            if first != again {
                let ballot = shown(&self.contest, ballot);
                return Err(format!("{first:?}, then {again:?} on {ballot}"));
            }
        }
        Ok(())
    }

    fn malformed(&self, seed: u64) -> Result<(), String> {
        let mut numbers = Numbers::new(!seed);
        for round in 0..MALFORMED {
            let mut bytes = match round % 2 {
                0 => self.all[numbers.below(self.all.len())].clone(),
                _ => (0..numbers.below(64))
                    .map(|_| numbers.below(256) as u8)
                    .collect(),
            };
            if !bytes.is_empty() {
                let place = numbers.below(bytes.len());
                bytes[place] ^= 1 << numbers.below(8);
            }
            if round % 50 == 0 {
                // As long as a ballot may be.
                bytes.resize(16 << 10, bytes.first().copied().unwrap_or(0x80));
            }
            if let Verdict::Fault(fault) = self.contest.validate(&bytes).map_err(text)? {
                let start: Vec<u8> = bytes.iter().copied().take(32).collect();
                let (len, start) = (bytes.len(), hex::encode(start));
                return Err(format!("{fault} on {len} bytes that start with {start}"));
            }
        }
        Ok(())
    }

    /// A rule that takes bytes that are no ballot of its kind, or another form of one, would put on a board
    /// what nobody can read, and let one choice stand there under two hashes.
    fn only_ballots(&self, seed: u64) -> Result<(), String> {
        let mut numbers = Numbers::new(seed ^ 0xaaaa);
        for bytes in sample::mutants(&self.all, self.config.options.len(), &mut numbers) {
            let Err(why) = self.contest.decode_ballot(&bytes) else {
                continue;
            };
            if self.contest.validate(&bytes).map_err(text)? == Verdict::Accept {
                return Err(format!(
                    "it accepts the bytes {}: {why}",
                    hex::encode(bytes)
                ));
            }
        }
        Ok(())
    }

    fn repeats(&self) -> Result<(), String> {
        let again = tally(&self.contest, &self.board).map_err(text)?;
        self.same_outcome(&again, "the second time")?;
        match again.fuel == self.whole.fuel {
            true => Ok(()),
            false => Err(format!("fuel {}, then {}", self.whole.fuel, again.fuel)),
        }
    }

    fn threads(&self) -> Result<(), String> {
        let limits = PluginLimits {
            batch_ballots: 16,
            chunk_batches: 2,
            ..PluginLimits::default()
        };
        let one = contest(self.wasm, self.config, limits.clone(), 1).map_err(text)?;
        let three = contest(self.wasm, self.config, limits, 3).map_err(text)?;
        let one = tally(&one, &self.board).map_err(text)?;
        let three = tally(&three, &self.board).map_err(text)?;
        if one.fuel != three.fuel {
            let (one, three) = (one.fuel, three.fuel);
            return Err(format!("fuel {one} on one thread, {three} on three"));
        }
        self.alike(&one, &three, "on three threads")
    }

    fn order(&self, seed: u64) -> Result<(), String> {
        let mut board = self.board.clone();
        board.reverse();
        self.same_outcome(&tally(&self.contest, &board).map_err(text)?, "backwards")?;
        let mut numbers = Numbers::new(seed ^ 0x5555);
        for place in (1..board.len()).rev() {
            board.swap(place, numbers.below(place + 1));
        }
        self.same_outcome(&tally(&self.contest, &board).map_err(text)?, "shuffled")
    }

    fn splits(&self) -> Result<(), String> {
        for (batch_ballots, chunk_batches) in [(1, 1), (7, 1), (16, 3), (100, 2)] {
            let limits = PluginLimits {
                batch_ballots,
                chunk_batches,
                ..PluginLimits::default()
            };
            let contest = contest(self.wasm, self.config, limits, 2).map_err(text)?;
            let parts = tally(&contest, &self.board).map_err(text)?;
            let part = batch_ballots * chunk_batches;
            self.same_outcome(&parts, &format!("in parts of {part} ballots"))?;
        }
        Ok(())
    }

    fn weights(&self) -> Result<(), String> {
        let apart = self
            .board
            .iter()
            .flat_map(|(weight, ballot)| (0..*weight).map(move |_| (1, ballot.clone())));
        let apart = tally(&self.contest, &apart.collect::<Vec<_>>()).map_err(text)?;
        self.same_outcome(&apart, "with each ballot apart")
    }

    fn small_boards(&self) -> Result<(), String> {
        tally(&self.contest, &[]).map_err(|error| format!("no ballots: {error}"))?;
        for (_, ballot) in self.board.iter().take(50) {
            tally(&self.contest, &[(1, ballot.clone())])
                .map_err(|error| format!("only {}: {error}", shown(&self.contest, ballot)))?;
        }
        Ok(())
    }

    fn tie_breaks(&self) -> Result<(), String> {
        let backwards = self
            .config
            .options
            .iter()
            .rev()
            .map(|option| option.id.clone());
        let ways = [
            TieBreak::Report,
            TieBreak::Seed([1; 32]),
            TieBreak::Order(backwards.collect()),
        ];
        for way in ways {
            // No ballots and one of each kind make for more ties than many do.
            for count in [0, 1, 2, self.board.len()] {
                let board = self.board.iter().take(count).map(|(_, ballot)| (1, ballot));
                let counted = self.contest.tally_with(board, &way);
                counted.map_err(|error| format!("{way:?}, {count} ballots: {error}"))?;
            }
        }
        Ok(())
    }

    fn native(&self, folder: &Path) -> Result<(), String> {
        let order: Vec<String> = self.config.options.iter().map(|o| o.id.clone()).collect();
        let board = self.board.iter().map(|(weight, ballot)| (*weight, ballot));
        let wasm = self.contest.tally_with(board, &TieBreak::Order(order));
        let wasm = wasm.map_err(text)?;
        let mut requests = vec![format!(
            "configure {}",
            hex::encode(self.contest.configuration())
        )];
        let mut expected = vec!["0".to_owned()];
        for ballot in &self.all {
            requests.push(format!("validate {}", hex::encode(ballot)));
            expected.push(match self.contest.validate(ballot).map_err(text)? {
                Verdict::Accept => "0".to_owned(),
                Verdict::Reject { code, .. } => code.to_string(),
                Verdict::Fault(fault) => return Err(fault.to_string()),
            });
        }
        for (weight, ballot) in &self.board {
            let mut entry = Vec::new();
            put_varint(&mut entry, *weight);
            put_varint(&mut entry, ballot.len() as u64);
            entry.extend_from_slice(ballot);
            requests.push(format!("fold {}", hex::encode(entry)));
            expected.push("0".to_owned());
        }
        // The decider `order`, and every option in the order of the paper.
        let mut ties = vec![1];
        put_varint(&mut ties, self.config.options.len() as u64);
        for option in 0..self.config.options.len() {
            put_varint(&mut ties, option as u64);
        }
        requests.push(format!("finish {}", hex::encode(ties)));
        expected.push(hex::encode(&wasm.outcome));
        let answers = native::ask(folder, &requests).map_err(text)?;
        let differs = answers
            .iter()
            .zip(&expected)
            .position(|(native, wasm)| native != wasm);
        match differs {
            None => Ok(()),
            Some(place) => Err(format!(
                "to `{}` it answers {}, the module {}",
                requests[place], answers[place], expected[place]
            )),
        }
    }

    fn same_outcome(&self, other: &Tally, when: &str) -> Result<(), String> {
        self.alike(&self.whole, other, when)
    }

    fn alike(&self, one: &Tally, other: &Tally, when: &str) -> Result<(), String> {
        if one.outcome == other.outcome {
            return Ok(());
        }
        let shown = |tally: &Tally| match self.contest.outcome_json(&tally.outcome) {
            Ok(outcome) => outcome,
            Err(error) => Value::String(error.to_string()),
        };
        let (one, other) = (shown(one), shown(other));
        let (path, one, other) = first_difference(String::new(), &one, &other);
        Err(format!(
            "the outcome differs {when}: {path} is {one}, then {other}"
        ))
    }
}

/// Where two JSON values that differ differ first.
fn first_difference<'a>(
    path: String,
    one: &'a Value,
    other: &'a Value,
) -> (String, &'a Value, &'a Value) {
    static NOTHING: Value = Value::Null;
    match (one, other) {
        (Value::Object(ones), Value::Object(others)) => {
            let mut names = ones.keys().chain(others.keys());
            let differing = names.find(|name| ones.get(*name) != others.get(*name));
            if let Some(name) = differing {
                let (one, other) = (ones.get(name), others.get(name));
                let path = format!("{path}/{name}");
                return first_difference(path, one.unwrap_or(&NOTHING), other.unwrap_or(&NOTHING));
            }
        }
        (Value::Array(ones), Value::Array(others)) if ones.len() == others.len() => {
            let mut places = 0..ones.len();
            if let Some(place) = places.find(|place| ones[*place] != others[*place]) {
                let path = format!("{path}/{place}");
                return first_difference(path, &ones[place], &others[place]);
            }
        }
        _ => {}
    }
    (path, one, other)
}

fn shown(contest: &Contest, ballot: &[u8]) -> String {
    match contest.decode_ballot(ballot) {
        Ok(json) => json.to_string(),
        Err(_) => hex::encode(ballot),
    }
}
