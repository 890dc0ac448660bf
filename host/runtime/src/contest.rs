//! A plugin configured for one contest: validates and tallies its ballots.

use std::sync::Arc;

use serde_json::Value;
use tabella_contest::{
    BallotError, ContestConfig, ContestOption, InvalidConfig, Manifest, Outcome, OutcomeError,
    Paper, TieBreak, outcome_json, read_outcome,
};
use thiserror::Error;

use crate::configured::Configured;
use crate::instance::{CallError, Instance, Ruling, Template};
use crate::shared::Shared;
use crate::tally::{self, Tally, TallyError};
use crate::verdict::{Fault, HostFault, Verdict};

/// Why a plugin does not take a contest's configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A member has the wrong type, is unknown, or is out of range.
    #[error(transparent)]
    Invalid(#[from] InvalidConfig),
    /// The rule itself refuses.
    #[error("the rule refuses the configuration: {0}")]
    Refused(String),
    /// The plugin failed.
    #[error(transparent)]
    Fault(Fault),
    /// The host failed.
    #[error(transparent)]
    Host(#[from] HostFault),
}

impl From<CallError> for ConfigError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Plugin(fault) => Self::Fault(fault),
            CallError::Host(fault) => Self::Host(fault),
        }
    }
}

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
        let configuration = config.encode(manifest, limits)?;
        let mut instance = Instance::new(template, limits.validate_memory_bytes)?;
        if let Ruling::Refused(reason) = instance.configure(&configuration, limits)? {
            return Err(ConfigError::Refused(reason));
        }
        let mut fresh = Instance::new(template, limits.validate_memory_bytes)?;
        let snapshot = instance.snapshot(&mut fresh)?;
        Ok(Self {
            configured: Arc::new(Configured {
                shared: Arc::clone(shared),
                manifest: Arc::clone(manifest),
                configuration,
                template: Arc::clone(template),
                snapshot,
                paper: Paper::new(manifest, config, limits),
            }),
        })
    }

    /// The rule's manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.configured.manifest
    }

    /// The contest's options.
    pub fn options(&self) -> &[ContestOption] {
        self.configured.paper.options()
    }

    /// The contest's ballots between JSON and their canonical bytes.
    pub fn paper(&self) -> &Paper {
        &self.configured.paper
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
            Ok(Ruling::Accepted) => Verdict::Accept,
            Ok(Ruling::Refused((code, message))) => Verdict::Reject { code, message },
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
        self.configured.paper.encode(json)
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
        read_outcome(outcome, self.options().len())
    }

    /// An outcome's canonical bytes as the JSON shown to people.
    pub fn outcome_json(&self, outcome: &[u8]) -> Result<Value, OutcomeError> {
        outcome_json(outcome, self.options())
    }
}
