//! The consensus algorithm without the engine's actors: no thread, network, disk or clock of its own.
//!
//! A simulation drives it, one event at a time, and does what it asks through [`Outside`]; so every
//! vote, certificate, signature, log entry and byte on the wire is the one that a [`Node`](crate::Node)
//! makes, and time, loss and death are the simulation's. It follows the engine's consensus actor step
//! by step, above all in when the write-ahead log is synced.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, Read, Seek, Write},
    path::Path,
    time::Duration,
};

use arc_malachitebft_codec::Codec;
use arc_malachitebft_config::ConsensusConfig;
use arc_malachitebft_core_consensus::{
    ConsensusMsg, Effect, Input, LivenessMsg, LocallyProposedValue, Params, ProposedValue,
    Resumable, Resume, SignedConsensusMsg, State, process,
};
use arc_malachitebft_core_types::{
    LinearTimeouts, NilOrVal, Round, Timeout, Validity, ValueOrigin, ValuePayload, ValueResponse,
    VoteExtensionPolicy, VoteType,
};
use arc_malachitebft_engine::{
    util::streaming::StreamMessage,
    wal::{decode_entry, encode_entry},
};
use arc_malachitebft_metrics::Metrics;
use arc_malachitebft_signing::{Signer, Verifier, VerifierExt};
use arc_malachitebft_wal::{Storage, log::Log};
use bytes::Bytes;
use futures::FutureExt;
use tabella_protocol::{
    CommitCertificate, ConsensusVoteKind, Evidence, Hash, PublicKey, SigningKey,
};

use crate::{
    BuiltBlock, Checked, Fatal, HeightStart, Timeouts, UndecidedBlock, WalError, WalPolicy,
    bodies::{Bodies, Body},
    codec::{WireCodec, certificate_from_protocol, certificate_to_protocol},
    context::{
        Address, Announcement, BlockId, Height, Proposal, ProposalPart, Tabella, ValidatorSet, Vote,
    },
    evidence::collected,
    node::thresholds,
    parts, peers,
    signing::{MessageSigner, MessageVerifier},
    wal,
};

/// The file that holds the write-ahead log.
pub trait LogFile: Read + Write + Seek {
    /// Its length in bytes.
    fn size_bytes(&self) -> io::Result<u64>;
    /// Makes it this long.
    fn truncate_to(&mut self, size_bytes: u64) -> io::Result<()>;
    /// Returns when everything written is durable.
    fn sync_all(&mut self) -> io::Result<()>;
}

/// What the machine asks of the world.
pub trait Outside {
    /// Asked before every effect. With `false` the process dies here: the effect does not happen and
    /// the machine is of no use any more.
    fn is_alive(&mut self) -> bool;

    /// The valid blocks stored for a round, as
    /// [`Application::undecided`](crate::Application::undecided) answers.
    fn undecided(&mut self, height: u64, round: u32) -> Result<Vec<UndecidedBlock>, Fatal>;

    /// Something to do; what it answers comes back as a later call to the machine.
    fn act(&mut self, act: Act);
}

/// Something that the machine asks to be done.
#[derive(Debug, Clone)]
pub enum Act {
    /// Send this to every other validator.
    Send(Wire),
    /// Call [`Machine::elapsed`] after this long.
    StartTimer(Timer, Duration),
    /// Build the block of this round, for [`Machine::built`].
    Build {
        /// The height.
        height: u64,
        /// The round.
        round: u32,
    },
    /// Check a body, for [`Machine::checked`].
    Check(Received),
    /// Find the body of a stored block, for [`Machine::publish`].
    FindBody {
        /// The height.
        height: u64,
        /// The round in which to send it.
        round: u32,
        /// The block.
        block_hash: Hash,
    },
    /// Commit a decided block.
    Commit(CommitCertificate),
    /// The height is over: once its block is committed, the next may [start](Machine::start).
    Finalized {
        /// The height.
        height: u64,
        /// Who contradicted itself meanwhile.
        evidence: Vec<Evidence>,
    },
}

/// A block body that the application must check.
#[derive(Debug, Clone)]
pub struct Received {
    /// The height.
    pub height: u64,
    /// The round in which it came.
    pub round: u32,
    /// Who proposed it in that round.
    pub proposer: PublicKey,
    /// The body.
    pub body: Bytes,
    source: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// In parts, announced as this block.
    Parts(Hash),
    /// From a peer that is ahead, with a certificate of this block.
    Sync(Hash),
}

impl Received {
    /// Whether it came with a commit certificate.
    pub fn is_synced(&self) -> bool {
        matches!(self.source, Source::Sync(_))
    }
}

/// A message between validators, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// The channel on which it travels.
    pub channel: Channel,
    /// Its bytes.
    pub bytes: Bytes,
}

/// A channel of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Proposals and votes.
    Consensus,
    /// What is said again so that the others can go on.
    Liveness,
    /// Block bodies.
    Parts,
}

/// A timer that was started.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Timer {
    timeout: Timeout,
    number: u64,
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {}", self.timeout.kind, self.timeout.round)
    }
}

/// Why a machine is of no use any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// [`Outside::is_alive`] said so.
    #[error("the process died")]
    Died,
    /// A node would stop with this error.
    #[error("{0}")]
    Failed(String),
}

fn failed(error: impl fmt::Display) -> Stopped {
    Stopped::Failed(error.to_string())
}

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
        let sequence = wal::sequence(&mut file).map_err(io)?;
        wal::judge(path, policy, sequence, height)?;
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

impl<F: LogFile> Core<F> {
    fn act(&self, outside: &mut dyn Outside, act: Act) -> Result<(), Stopped> {
        if !outside.is_alive() {
            return Err(Stopped::Died);
        }
        outside.act(act);
        Ok(())
    }

    /// The entries to replay for a height, as the engine's log thread finds them.
    fn log_entries(&mut self, height: u64) -> Result<Vec<io::Result<Input<Tabella>>>, Stopped> {
        if self.log.sequence() != height {
            self.log.reset(height).map_err(failed)?;
            return Ok(Vec::new());
        }
        let mut entries = Vec::new();
        let mut corrupted = None;
        for (index, entry) in self.log.iter().map_err(failed)?.enumerate() {
            match entry {
                Ok(bytes) => entries.push(decode_entry(&WireCodec, io::Cursor::new(bytes))),
                Err(error) => {
                    entries.push(Err(error));
                    corrupted = Some(index);
                    break;
                }
            }
        }
        if let Some(index) = corrupted {
            self.log.truncate(index as u64).map_err(failed)?;
        }
        Ok(entries)
    }

    fn sync_log(&mut self) -> Result<(), Stopped> {
        match self.recovering {
            true => Ok(()),
            false => self.log.flush().map_err(failed),
        }
    }

    fn part(
        &mut self,
        from: &PublicKey,
        message: StreamMessage<ProposalPart>,
        outside: &mut dyn Outside,
    ) {
        let Some(part) = message.content.into_data() else {
            return;
        };
        let peer = peers::peer_id(from);
        let received = self
            .bodies
            .part(peer, message.stream_id, message.sequence, part);
        if let Ok(Some(body)) = received {
            self.body(body, outside);
        }
    }

    fn body(&mut self, body: Body, outside: &mut dyn Outside) {
        let start = self.start.as_ref();
        let admitted = self.bodies.admit(body, |key| {
            start.is_some_and(|start| start.validators.contains(key))
        });
        if let Ok(Some(Body {
            announcement,
            bytes,
            ..
        })) = admitted
        {
            outside.act(Act::Check(Received {
                height: announcement.height,
                round: announcement.round,
                proposer: announcement.proposer,
                body: bytes,
                source: Source::Parts(announcement.block_hash),
            }));
        }
    }

    fn effect(
        &mut self,
        effect: Effect<Tabella>,
        queue: &mut VecDeque<Input<Tabella>>,
        outside: &mut dyn Outside,
    ) -> Result<Resume<Tabella>, Stopped> {
        Ok(match effect {
            Effect::CancelAllTimeouts(r) => {
                self.timers.clear();
                r.resume_with(())
            }
            Effect::CancelTimeout(timeout, r) => {
                self.timers.retain(|active| active.timeout != timeout);
                r.resume_with(())
            }
            Effect::ScheduleTimeout(timeout, r) => {
                self.timers.retain(|active| active.timeout != timeout);
                self.timers_started += 1;
                let number = self.timers_started;
                let timer = Timer { timeout, number };
                self.timers.push(timer);
                let duration = self.timeouts.duration_for(timeout);
                outside.act(Act::StartTimer(timer, duration));
                r.resume_with(())
            }
            Effect::StartRound(height, round, _, _, r) => {
                self.sync_log()?;
                let (height, round) = (height.0, round.as_u32().unwrap_or(0));
                let early = match &self.start {
                    Some(start) => {
                        let (quorum, validators) = (start.quorum, &start.validators);
                        self.bodies.started_round(height, round, quorum, validators)
                    }
                    None => Vec::new(),
                };
                for body in early {
                    self.body(body, outside);
                }
                for block in outside.undecided(height, round).map_err(failed)? {
                    let value = ProposedValue {
                        height: Height(height),
                        round: Round::new(block.round),
                        valid_round: Round::Nil,
                        proposer: Address(block.proposer),
                        value: BlockId(block.block_hash),
                        validity: Validity::Valid,
                    };
                    queue.push_back(Input::ProposedValue(value, ValueOrigin::Consensus));
                }
                r.resume_with(())
            }
            Effect::PublishConsensusMsg(message, r) => {
                self.sync_log()?;
                let bytes = WireCodec.encode(&message).map_err(failed)?;
                let channel = Channel::Consensus;
                outside.act(Act::Send(Wire { channel, bytes }));
                r.resume_with(())
            }
            Effect::PublishLivenessMsg(message, r) => {
                self.say_again(&message, outside)?;
                r.resume_with(())
            }
            Effect::RepublishVote(vote, r) => {
                self.say_again(&LivenessMsg::Vote(vote), outside)?;
                r.resume_with(())
            }
            Effect::RepublishRoundCertificate(certificate, r) => {
                self.say_again(&LivenessMsg::SkipRoundCertificate(certificate), outside)?;
                r.resume_with(())
            }
            Effect::GetValue(height, round, _, r) => {
                let (height, round) = (height.0, round.as_u32().unwrap_or(0));
                outside.act(Act::Build { height, round });
                r.resume_with(())
            }
            Effect::RestreamProposal(height, round, _, _, value, r) => {
                let (height, round) = (height.0, round.as_u32().unwrap_or(0));
                let block_hash = value.0;
                outside.act(Act::FindBody {
                    height,
                    round,
                    block_hash,
                });
                r.resume_with(())
            }
            Effect::CertVerifiedSyncValue(value, proposer, r) => {
                let certificate = &value.certificate;
                outside.act(Act::Check(Received {
                    height: certificate.height.0,
                    round: certificate.round.as_u32().unwrap_or(0),
                    proposer: proposer.0,
                    body: value.value_bytes,
                    source: Source::Sync(certificate.value_id.0),
                }));
                r.resume_with(())
            }
            // The network's memory of bad peers is not simulated.
            Effect::CertRejectedSyncValue(_, _, _, r) => r.resume_with(()),
            Effect::Decide(certificate, _, r) => {
                self.sync_log()?;
                let certificate = certificate_to_protocol(&certificate).map_err(failed)?;
                outside.act(Act::Commit(certificate));
                r.resume_with(())
            }
            Effect::Finalize(certificate, _, evidence, r) => {
                outside.act(Act::Finalized {
                    height: certificate.height.0,
                    evidence: collected(&evidence),
                });
                r.resume_with(())
            }
            Effect::WalAppend(_, entry, r) => {
                if !self.recovering {
                    let mut bytes = Vec::new();
                    encode_entry(entry, &WireCodec, &mut bytes).map_err(failed)?;
                    self.log.append(&bytes).map_err(failed)?;
                }
                r.resume_with(())
            }
            Effect::SignVote(vote, r) => {
                r.resume_with(now(self.signer.sign_vote(vote))?.map_err(failed)?)
            }
            Effect::SignProposal(proposal, r) => {
                r.resume_with(now(self.signer.sign_proposal(proposal))?.map_err(failed)?)
            }
            Effect::VerifySignature(message, key, r) => {
                let signature = &message.signature;
                let verified = match &message.message {
                    ConsensusMsg::Vote(vote) => {
                        now(self.verifier.verify_signed_vote(vote, signature, &key))?
                    }
                    ConsensusMsg::Proposal(proposal) => {
                        let verifier = &self.verifier;
                        now(verifier.verify_signed_proposal(proposal, signature, &key))?
                    }
                };
                r.resume_with(verified.is_ok_and(|result| result.is_valid()))
            }
            Effect::VerifyCommitCertificate(certificate, set, thresholds, r) => {
                let verifier = &self.verifier;
                let (ctx, by) = (&Tabella, &set);
                let verify = verifier.verify_commit_certificate(ctx, &certificate, by, thresholds);
                r.resume_with(now(verify)?)
            }
            Effect::VerifyExtendedCommitCertificate(certificate, set, thresholds, policy, r) => {
                let verifier = &self.verifier;
                let verify = verifier.verify_extended_commit_certificate(
                    &Tabella,
                    &certificate,
                    &set,
                    thresholds,
                    policy,
                );
                r.resume_with(now(verify)?)
            }
            Effect::VerifyPolkaCertificate(certificate, set, thresholds, r) => {
                let verifier = &self.verifier;
                let (ctx, by) = (&Tabella, &set);
                let verify = verifier.verify_polka_certificate(ctx, &certificate, by, thresholds);
                r.resume_with(now(verify)?)
            }
            Effect::VerifyRoundCertificate(certificate, set, thresholds, r) => {
                let verifier = &self.verifier;
                let (ctx, by) = (&Tabella, &set);
                let verify = verifier.verify_round_certificate(ctx, &certificate, by, thresholds);
                r.resume_with(now(verify)?)
            }
            Effect::ExtendVote(.., r) => r.resume_with(None),
            Effect::VerifyVoteExtension(.., r) => {
                let refused =
                    arc_malachitebft_core_consensus::VoteExtensionError::InvalidVoteExtension;
                r.resume_with(Err(refused))
            }
        })
    }

    fn say_again(
        &self,
        message: &LivenessMsg<Tabella>,
        outside: &mut dyn Outside,
    ) -> Result<(), Stopped> {
        let bytes = WireCodec.encode(message).map_err(failed)?;
        let channel = Channel::Liveness;
        outside.act(Act::Send(Wire { channel, bytes }));
        Ok(())
    }
}

/// Signing and verifying never wait; the engine only allows them to.
fn now<T>(future: impl Future<Output = T>) -> Result<T, Stopped> {
    future
        .now_or_never()
        .ok_or_else(|| failed("a signature had to be waited for"))
}

fn sign_body(
    genesis: &Hash,
    key: &SigningKey,
    height: u64,
    round: u32,
    block_hash: Hash,
    body: &Bytes,
    counter: u32,
) -> Result<Vec<Wire>, Stopped> {
    let announcement = Announcement::sign(genesis, key, height, round, block_hash, body)
        .ok_or_else(|| failed("a body is longer than an announcement can say"))?;
    let channel = Channel::Parts;
    let parts = parts::split(announcement, body, counter).map(|message| {
        let bytes = WireCodec.encode(&message).map_err(failed)?;
        Ok(Wire { channel, bytes })
    });
    parts.collect()
}

/// Signs what an honest validator would not, for simulated attacks.
pub struct Forger {
    genesis_hash: Hash,
    signing_key: SigningKey,
    streams_sent: u32,
}

impl Forger {
    /// A forger with a validator's key.
    pub fn new(genesis_hash: Hash, signing_key: SigningKey) -> Self {
        Self {
            genesis_hash,
            signing_key,
            // Apart from the streams of the validator itself.
            streams_sent: 1 << 31,
        }
    }

    /// A proposal of a block and the block's body.
    pub fn proposal(&mut self, height: u64, round: u32, block: &BuiltBlock) -> Vec<Wire> {
        let proposal = Proposal {
            height: Height(height),
            round: Round::new(round),
            value: BlockId(block.block_hash),
            valid_round: Round::Nil,
            proposer: Address(self.signing_key.public()),
        };
        let signed = now(self.signer().sign_proposal(proposal)).map(|signed| signed.ok());
        let mut wires = Vec::new();
        if let Ok(Some(signed)) = signed {
            wires.extend(consensus_wire(&SignedConsensusMsg::Proposal(signed)));
        }
        self.streams_sent += 1;
        let body = sign_body(
            &self.genesis_hash,
            &self.signing_key,
            height,
            round,
            block.block_hash,
            &block.body,
            self.streams_sent,
        );
        wires.extend(body.unwrap_or_default());
        wires
    }

    /// A vote.
    pub fn vote(
        &self,
        kind: ConsensusVoteKind,
        height: u64,
        round: u32,
        value: Option<Hash>,
    ) -> Option<Wire> {
        let vote = Vote {
            kind: match kind {
                ConsensusVoteKind::Prevote => VoteType::Prevote,
                ConsensusVoteKind::Precommit => VoteType::Precommit,
            },
            height: Height(height),
            round: Round::new(round),
            value: value.map_or(NilOrVal::Nil, |hash| NilOrVal::Val(BlockId(hash))),
            validator: Address(self.signing_key.public()),
        };
        let signed = now(self.signer().sign_vote(vote)).ok()?.ok()?;
        consensus_wire(&SignedConsensusMsg::Vote(signed))
    }

    fn signer(&self) -> MessageSigner {
        MessageSigner {
            genesis_hash: self.genesis_hash,
            signing_key: self.signing_key.clone(),
        }
    }
}

fn consensus_wire(message: &SignedConsensusMsg<Tabella>) -> Option<Wire> {
    let bytes = WireCodec.encode(message).ok()?;
    let channel = Channel::Consensus;
    Some(Wire { channel, bytes })
}

/// A step of consensus at which a validator says one thing only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    /// A proposal of this height and round.
    Proposal(u64, u32),
    /// A prevote of this height and round.
    Prevote(u64, u32),
    /// A precommit of this height and round.
    Precommit(u64, u32),
}

impl Said {
    /// The height and round.
    pub fn place(&self) -> (u64, u32) {
        let (Self::Proposal(height, round)
        | Self::Prevote(height, round)
        | Self::Precommit(height, round)) = *self;
        (height, round)
    }
}

impl Wire {
    /// What a proposal or vote says, and of which block; `None` for anything else.
    pub fn said(&self) -> Option<(Said, Option<Hash>)> {
        let bytes = self.bytes.clone();
        let vote = match self.channel {
            Channel::Consensus => match WireCodec.decode(bytes).ok()? {
                SignedConsensusMsg::Vote(vote) => vote.message,
                SignedConsensusMsg::Proposal(proposal) => {
                    let round = proposal.round.as_u32()?;
                    let said = Said::Proposal(proposal.height.0, round);
                    return Some((said, Some(proposal.value.0)));
                }
            },
            Channel::Liveness => match WireCodec.decode(bytes).ok()? {
                LivenessMsg::Vote(vote) => vote.message,
                LivenessMsg::PolkaCertificate(_) | LivenessMsg::SkipRoundCertificate(_) => {
                    return None;
                }
            },
            Channel::Parts => return None,
        };
        let vote = vote.to_protocol()?;
        let said = match vote.kind {
            ConsensusVoteKind::Prevote => Said::Prevote(vote.height, vote.round),
            ConsensusVoteKind::Precommit => Said::Precommit(vote.height, vote.round),
        };
        Some((said, vote.value))
    }
}

/// Gives a [`LogFile`] to the engine's log.
struct LogStorage<F>(F);

impl<F: Read> Read for LogStorage<F> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out)
    }
}

impl<F: Write> Write for LogStorage<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<F: Seek> Seek for LogStorage<F> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl<F: LogFile> Storage for LogStorage<F> {
    type OpenOptions = F;

    fn open_with(_: impl AsRef<Path>, file: F) -> io::Result<Self> {
        Ok(Self(file))
    }

    fn size_bytes(&self) -> io::Result<u64> {
        self.0.size_bytes()
    }

    fn truncate_to(&mut self, size_bytes: u64) -> io::Result<()> {
        self.0.truncate_to(size_bytes)
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}
