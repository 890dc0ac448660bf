//! The consensus algorithm without the engine's actors: no thread, network, disk or clock of its own.
//!
//! A simulation drives it, one event at a time, and does what it asks through [`Outside`]; so every
//! vote, certificate, signature, log entry and byte on the wire is the one that a [`Node`](crate::Node)
//! makes, and time, loss and death are the simulation's. It follows the engine's consensus actor step
//! by step, above all in when the write-ahead log is synced.

mod effects;
mod forger;
mod log;
mod outside;
mod wire;

use std::{collections::VecDeque, io, path::Path};

use arc_malachitebft_codec::Codec;
use arc_malachitebft_config::ConsensusConfig;
use arc_malachitebft_core_consensus::{
    Input, LivenessMsg, LocallyProposedValue, Params, ProposedValue, SignedConsensusMsg, State,
    process,
};
use arc_malachitebft_core_types::{
    LinearTimeouts, Round, Validity, ValueOrigin, ValuePayload, ValueResponse, VoteExtensionPolicy,
};
use arc_malachitebft_metrics::Metrics;
use arc_malachitebft_wal::log::Log;
use bytes::Bytes;
use tabella_protocol::{CommitCertificate, Hash, PublicKey, SigningKey};
use tokio_util::sync::CancellationToken;

pub use self::{
    forger::Forger,
    outside::{Act, Outside, Received, Stopped, Timer},
    wire::{Channel, Wire},
};
use self::{
    log::LogStorage,
    outside::{Source, failed},
    wire::sign_body,
};
pub use crate::wal::LogFile;
use crate::{
    BuiltBlock, Checked, HeightStart, Timeouts, WalError, WalPolicy,
    bodies::Bodies,
    codec::{WireCodec, certificate_from_protocol},
    context::{Address, BlockId, Height, Tabella, ValidatorSet, thresholds},
    peers,
    signing::{MessageSigner, MessageVerifier},
    wal,
};

/// What a machine needs to know.
#[derive(Debug, Clone)]
pub struct MachineConfig {
    /// The network.
    pub genesis_hash: Hash,
    /// This validator's key.
    pub signing_key: SigningKey,
    /// The timeouts.
    pub timeouts: Timeouts,
    /// Longest body.
    pub block_bytes_max: usize,
}

/// One validator's consensus.
pub struct Machine<F: LogFile> {
    state: Option<State<Tabella>>,
    core: Core<F>,
    /// Values that the engine would have sent to itself.
    queue: VecDeque<Input<Tabella>>,
}

/// Everything but the engine's own state.
struct Core<F: LogFile> {
    config: MachineConfig,
    timeouts: LinearTimeouts,
    verifier: MessageVerifier,
    signer: MessageSigner,
    metrics: Metrics,
    log: Log<LogStorage<F>>,
    recovering: bool,
    /// The height that was started last.
    start: Option<HeightStart>,
    bodies: Bodies,
    timers: Vec<Timer>,
    timers_started: u64,
    streams_sent: u32,
}

impl<F: LogFile> Machine<F> {
    /// Opens the log of a node that is about to start `height`, as a node does.
    pub fn open(
        config: MachineConfig,
        mut file: F,
        policy: WalPolicy,
        height: u64,
    ) -> Result<Self, WalError> {
        let path = Path::new("consensus.wal");
        let io = |error| WalError::Io {
            path: path.to_owned(),
            error,
        };
        wal::prepare(path, &mut file, policy, height)?;
        file.rewind().map_err(io)?;
        let log = Log::open_with(path, file).map_err(io)?;
        let genesis_hash = config.genesis_hash;
        Ok(Self {
            state: None,
            queue: VecDeque::new(),
            core: Core {
                timeouts: config.timeouts.linear(),
                verifier: MessageVerifier { genesis_hash },
                signer: MessageSigner {
                    genesis_hash,
                    signing_key: config.signing_key.clone(),
                    // Whoever drives a machine that must not sign stops driving it.
                    halt: CancellationToken::new(),
                },
                metrics: Metrics::new(),
                log,
                recovering: false,
                start: None,
                bodies: Bodies::new(genesis_hash, config.block_bytes_max),
                timers: Vec::new(),
                timers_started: 0,
                streams_sent: 0,
                config,
            },
        })
    }

    /// The height being decided; 0 before the first starts.
    pub fn height(&self) -> u64 {
        self.state.as_ref().map_or(0, |state| state.height().0)
    }

    /// The round of that height.
    pub fn round(&self) -> u32 {
        let round = self.state.as_ref().map(State::round);
        round.and_then(|round| round.as_u32()).unwrap_or(0)
    }

    /// Starts a height: the first, or the one after a committed one.
    pub fn start(&mut self, start: &HeightStart, outside: &mut dyn Outside) -> Result<(), Stopped> {
        let height = Height(start.height);
        let validators = ValidatorSet::new(start.quorum, &start.validators);
        self.core.start = Some(start.clone());
        if self.state.is_none() {
            let config = ConsensusConfig::default();
            self.state = Some(State::new(
                Tabella,
                height,
                validators.clone(),
                Params {
                    address: Address(self.core.config.signing_key.public()),
                    threshold_params: thresholds(),
                    value_payload: ValuePayload::ProposalAndParts,
                    enabled: true,
                },
                config.queue_capacity,
                config.queue_per_height_capacity,
            ));
        }
        if !outside.is_alive() {
            return Err(Stopped::Died);
        }
        let entries = self.core.log_entries(start.height)?;
        let policy = VoteExtensionPolicy::Disabled;
        let input = Input::StartHeight(height, validators, false, None, policy);
        self.process(input, outside)?;
        if !entries.is_empty() {
            self.replay(entries, outside)?;
        }
        self.settle(outside)
    }

    /// Takes a message of another validator; what cannot be used is dropped.
    pub fn receive(
        &mut self,
        from: &PublicKey,
        wire: &Wire,
        outside: &mut dyn Outside,
    ) -> Result<(), Stopped> {
        let bytes = wire.bytes.clone();
        let input = match wire.channel {
            Channel::Consensus => match WireCodec.decode(bytes) {
                Ok(SignedConsensusMsg::Vote(vote)) => Input::Vote(vote),
                Ok(SignedConsensusMsg::Proposal(proposal)) => Input::Proposal(proposal),
                Err(_) => return Ok(()),
            },
            Channel::Liveness => match WireCodec.decode(bytes) {
                Ok(LivenessMsg::Vote(vote)) => Input::Vote(vote),
                Ok(LivenessMsg::PolkaCertificate(certificate)) => {
                    Input::PolkaCertificate(certificate)
                }
                Ok(LivenessMsg::SkipRoundCertificate(certificate)) => {
                    Input::RoundCertificate(certificate)
                }
                Err(_) => return Ok(()),
            },
            Channel::Parts => {
                if let Ok(message) = WireCodec.decode(bytes) {
                    self.core.part(from, message, outside);
                }
                return Ok(());
            }
        };
        self.run(input, outside)
    }

    /// A timer ran out; one that was cancelled meanwhile is ignored.
    pub fn elapsed(&mut self, timer: Timer, outside: &mut dyn Outside) -> Result<(), Stopped> {
        let before = self.core.timers.len();
        self.core.timers.retain(|active| *active != timer);
        if self.core.timers.len() == before {
            return Ok(());
        }
        self.run(Input::TimeoutElapsed(timer.timeout), outside)
    }

    /// Proposes the block that was built for a round.
    pub fn built(
        &mut self,
        height: u64,
        round: u32,
        block: &BuiltBlock,
        outside: &mut dyn Outside,
    ) -> Result<(), Stopped> {
        let value = BlockId(block.block_hash);
        let value = LocallyProposedValue::new(Height(height), Round::new(round), value);
        self.run(Input::Propose(value), outside)?;
        self.publish(height, round, block.block_hash, &block.body, outside)
    }

    /// Sends a body to the others.
    pub fn publish(
        &mut self,
        height: u64,
        round: u32,
        block_hash: Hash,
        body: &Bytes,
        outside: &mut dyn Outside,
    ) -> Result<(), Stopped> {
        self.core.streams_sent += 1;
        let counter = self.core.streams_sent;
        let key = &self.core.config.signing_key;
        let genesis = &self.core.config.genesis_hash;
        for wire in sign_body(genesis, key, height, round, block_hash, body, counter)? {
            self.core.act(outside, Act::Send(wire))?;
        }
        Ok(())
    }

    /// What the application found a body to be.
    pub fn checked(
        &mut self,
        received: &Received,
        checked: Checked,
        outside: &mut dyn Outside,
    ) -> Result<(), Stopped> {
        let (Source::Parts(expected) | Source::Sync(expected)) = received.source;
        let validity = match checked {
            Checked::Valid(hash) if hash == expected => Validity::Valid,
            Checked::Invalid(hash) if hash == expected => Validity::Invalid,
            // Whoever sent it made it up.
            Checked::Valid(_) | Checked::Invalid(_) | Checked::Undecodable => return Ok(()),
        };
        let value = ProposedValue {
            height: Height(received.height),
            round: Round::new(received.round),
            valid_round: Round::Nil,
            proposer: Address(received.proposer),
            value: BlockId(expected),
            validity,
        };
        let origin = match received.source {
            Source::Parts(_) => ValueOrigin::Consensus,
            Source::Sync(_) => ValueOrigin::Sync,
        };
        self.run(Input::ProposedValue(value, origin), outside)
    }

    /// A peer that is ahead sent a committed block and its certificate.
    pub fn synced(
        &mut self,
        from: &PublicKey,
        certificate: CommitCertificate,
        body: Bytes,
        outside: &mut dyn Outside,
    ) -> Result<(), Stopped> {
        let certificate = certificate_from_protocol(certificate);
        let response = ValueResponse::new(peers::peer_id(from), body, certificate);
        self.run(Input::SyncValueResponse(response), outside)
    }

    fn run(&mut self, input: Input<Tabella>, outside: &mut dyn Outside) -> Result<(), Stopped> {
        self.process(input, outside)?;
        self.settle(outside)
    }

    /// Processes what the engine sent to itself.
    fn settle(&mut self, outside: &mut dyn Outside) -> Result<(), Stopped> {
        while let Some(input) = self.queue.pop_front() {
            self.process(input, outside)?;
        }
        Ok(())
    }

    fn replay(
        &mut self,
        entries: Vec<io::Result<Input<Tabella>>>,
        outside: &mut dyn Outside,
    ) -> Result<(), Stopped> {
        if let Some(state) = &mut self.state {
            let sound = || entries.iter().flatten();
            state.record_recovered_own_precommit_extensions(sound());
            state.index_wal_entries(sound());
        }
        self.core.recovering = true;
        for entry in entries {
            let entry = entry.map_err(|error| failed(format_args!("corrupted log: {error}")))?;
            self.process(entry, outside)?;
        }
        self.core.recovering = false;
        if let Some(state) = &mut self.state {
            state.reset_entries_index();
        }
        Ok(())
    }

    fn process(&mut self, input: Input<Tabella>, outside: &mut dyn Outside) -> Result<(), Stopped> {
        let Self { state, core, queue } = self;
        // Before the first height the engine buffers; here that much is lost on the way.
        let Some(state) = state else {
            return Ok(());
        };
        let metrics = core.metrics.clone();
        let mut stopped = None;
        let result: Result<(), arc_malachitebft_core_consensus::Error<Tabella>> = process!(
            input: input,
            state: state,
            metrics: &metrics,
            with: effect => {
                let handled = match &stopped {
                    Some(_) => Err(Stopped::Died),
                    None if outside.is_alive() => core.effect(effect, queue, outside),
                    None => Err(Stopped::Died),
                };
                if let Err(reason) = &handled {
                    stopped.get_or_insert(reason.clone());
                }
                handled
            }
        );
        match stopped {
            Some(reason) => Err(reason),
            None => result.map_err(failed),
        }
    }
}
