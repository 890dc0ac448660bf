//! A plugin configured for one contest: validates and tallies its ballots.

use std::sync::Arc;

use serde_json::Value;
use tabella_abi::ballot::BallotKind;
use tabella_abi::outcome::Outcome;
use thiserror::Error;

use crate::ballot::{BallotError, Paper};
use crate::config;
use crate::configured::Configured;
use crate::contest_config::{ConfigError, ContestConfig, ContestOption};
use crate::instance::{CallError, Instance, Template};
use crate::manifest::{Manifest, Param, ParamKind};
use crate::outcome;
use crate::shared::Shared;
use crate::tally::{self, Tally, TallyError, TieBreak};
use crate::verdict::{HostFault, Verdict};

/// Bytes that are not an outcome of this contest.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct OutcomeError(String);

/// A plugin configured for one contest. A clone shares everything with its original.
#[derive(Clone)]
pub struct Contest {
    configured: Arc<Configured>,
}

impl Contest {
    pub(crate) fn configure(
        shared: &Arc<Shared>,
        template: &Arc<Template>,
        manifest: &Arc<Manifest>,
        config: &ContestConfig,
    ) -> Result<Self, ConfigError> {
        let limits = &shared.limits;
        let configuration = config::encode(manifest, config, limits)?;
        let mut instance = Instance::new(template, limits.validate_memory_bytes)?;
        instance
            .configure(&configuration, limits)?
            .map_err(ConfigError::Refused)?;
        let mut fresh = Instance::new(template, limits.validate_memory_bytes)?;
        let snapshot = instance.snapshot(&mut fresh)?;
        let grades = grades(manifest, config);
        Ok(Self {
            configured: Arc::new(Configured {
                shared: Arc::clone(shared),
                manifest: Arc::clone(manifest),
                options: config.options.clone(),
                configuration,
                template: Arc::clone(template),
                snapshot,
                paper: Paper::new(manifest, config.options.clone(), grades),
            }),
        })
    }

    /// The rule's manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.configured.manifest
    }

    /// The contest's options.
    pub fn options(&self) -> &[ContestOption] {
        &self.configured.options
    }

    /// The canonical bytes with which the plugin was configured.
    pub fn configuration(&self) -> &[u8] {
        &self.configured.configuration
    }

    /// Judges one ballot in a fresh instance.
    pub fn validate(&self, ballot: &[u8]) -> Result<Verdict, HostFault> {
        self.validate_metered(ballot).map(|(verdict, _)| verdict)
    }

    /// Judges one ballot; returns the fuel that took besides.
    pub fn validate_metered(&self, ballot: &[u8]) -> Result<(Verdict, u64), HostFault> {
        let limits = &self.configured.shared.limits;
        let (len, most) = (ballot.len() as u64, limits.ballot_bytes);
        if len > most {
            // The code of ballots that are not well-formed, as from a rule.
            let message = format!("the ballot has {len} bytes, at most {most} allowed");
            return Ok((Verdict::Reject { code: 1, message }, 0));
        }
        let mut instance = self.configured.instance(limits.validate_memory_bytes)?;
        let verdict = match instance.validate(ballot, limits) {
            Ok(Ok(())) => Verdict::Accept,
            Ok(Err((code, message))) => Verdict::Reject { code, message },
            Err(CallError::Plugin(fault)) => Verdict::Fault(fault),
            Err(CallError::Host(fault)) => return Err(fault),
        };
        Ok((verdict, instance.fuel_used()))
    }

    /// Counts weighted ballots in the order given; the same bytes and the same fuel on any number
    /// of threads.
    ///
    /// The seed decides ties by lot; take it from the closed board's root, which nobody could
    /// choose. Ballots must have been validated: one that was not is the plugin's to misjudge.
    pub fn tally<B: AsRef<[u8]>>(
        &self,
        ballots: impl Iterator<Item = (u64, B)>,
        tie_break_seed: [u8; 32],
    ) -> Result<Tally, TallyError> {
        self.tally_with(ballots, &TieBreak::Seed(tie_break_seed))
    }

    /// As [`Contest::tally`], with any way to break ties.
    pub fn tally_with<B: AsRef<[u8]>>(
        &self,
        ballots: impl Iterator<Item = (u64, B)>,
        tie_break: &TieBreak,
    ) -> Result<Tally, TallyError> {
        tally::run(&self.configured, ballots, tie_break)
    }

    /// Canonical bytes of a ballot given as JSON. Whether the rule accepts it is another question.
    pub fn encode_ballot(&self, json: &Value) -> Result<Vec<u8>, BallotError> {
        self.configured
            .paper
            .encode(json, &self.configured.shared.limits)
    }

    /// JSON of a ballot given as canonical bytes.
    pub fn decode_ballot(&self, ballot: &[u8]) -> Result<Value, BallotError> {
        self.configured.paper.decode(ballot)
    }

    /// JSON Schema of this contest's ballots, from which a frontend draws them.
    pub fn ballot_schema(&self) -> Value {
        self.configured.paper.schema()
    }

    /// An outcome's canonical bytes as values.
    pub fn outcome(&self, outcome: &[u8]) -> Result<Outcome, OutcomeError> {
        outcome::read(outcome, self.options().len()).map_err(OutcomeError)
    }

    /// An outcome's canonical bytes as the JSON shown to people.
    pub fn outcome_json(&self, outcome: &[u8]) -> Result<Value, OutcomeError> {
        Ok(outcome::to_json(&self.outcome(outcome)?, self.options()))
    }
}

/// The words of graded ballots are the rule's parameter `grades`.
fn grades(manifest: &Manifest, config: &ContestConfig) -> Vec<String> {
    if manifest.ballot != BallotKind::Grades {
        return Vec::new();
    }
    let is_grades = |param: &&Param| param.name == "grades" && param.kind == ParamKind::Texts;
    let default = manifest
        .params
        .iter()
        .find(is_grades)
        .and_then(|param| param.default.as_ref());
    let words = config
        .params
        .get("grades")
        .or(default)
        .and_then(Value::as_array);
    let words = words.into_iter().flatten().filter_map(Value::as_str);
    words.map(str::to_owned).collect()
}
