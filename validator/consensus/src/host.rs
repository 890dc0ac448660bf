//! Answers the engine's questions by asking the application.
//!
//! The actor itself never waits for the application: every question becomes a task of its own, so
//! that executing or committing a block holds up neither the parts of the next one nor peers that
//! catch up.

use std::{
    ops::RangeInclusive,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{self, AtomicU32},
    },
};

use arc_malachitebft_core_consensus::{
    LocallyProposedValue, MisbehaviorEvidence, ProposedValue, VoteExtensionError,
};
use arc_malachitebft_core_types::{
    CommitCertificate, HeightParams, LinearTimeouts, Round, Validity, ValueOrigin,
};
use arc_malachitebft_engine::{
    consensus::{ConsensusMsg, ConsensusRef},
    host::{HostMsg, HostRef, Next, SyncedValueOutcome},
    network::{NetworkMsg, NetworkRef},
    util::streaming::StreamMessage,
};
use arc_malachitebft_network::PeerId;
use arc_malachitebft_sync::RawDecidedValue;
use async_trait::async_trait;
use bytes::Bytes;
use ractor::{Actor, ActorProcessingErr, RpcReplyPort, SpawnErr};
use tabella_protocol::{Hash, PublicKey, SigningKey};
use tokio::sync::oneshot;
use tracing::{debug, error};

use crate::{
    Application, Checked, Fatal, HeightStart,
    bodies::{Bodies, Body},
    codec::{certificate_from_protocol, certificate_to_protocol},
    context::{Address, Announcement, BlockId, Height, ProposalPart, Tabella, ValidatorSet},
    evidence::collected,
    mail::Mail,
    parts,
    peers::AddressBook,
    shared::Shared,
};

/// Everything the host's tasks need.
pub(crate) struct Host {
    pub(crate) shared: Arc<Shared>,
    pub(crate) application: Arc<dyn Application>,
    pub(crate) network: NetworkRef<Tabella>,
    /// Set once the consensus actor, which needs the host first, has started.
    pub(crate) consensus: OnceLock<ConsensusRef<Tabella>>,
    pub(crate) address_book: Arc<tokio::sync::Mutex<AddressBook>>,
    pub(crate) genesis_hash: Hash,
    pub(crate) signing_key: SigningKey,
    pub(crate) timeouts: LinearTimeouts,
    pub(crate) block_bytes_max: usize,
    /// Blocks in one answer to a peer that catches up.
    pub(crate) sync_batch: usize,
    /// Bytes in one such answer.
    pub(crate) sync_response_bytes_max: usize,
    /// What the engine was last told to start.
    pub(crate) height_start: Mutex<HeightStart>,
    /// Tells this node's streams apart.
    pub(crate) stream_counter: AtomicU32,
    /// To the application.
    pub(crate) mail: Mail,
}

/// What changes with the engine's messages.
pub(crate) struct State {
    bodies: Bodies,
    /// Returns the height after the one being committed.
    committed: Option<(u64, oneshot::Receiver<HeightStart>)>,
    /// The last height whose block came from a peer that was ahead.
    synced: u64,
}

/// The host actor: a shell around [`Host`], which its tasks share.
struct HostActor(Arc<Host>);

impl Host {
    pub(crate) async fn spawn(self: &Arc<Self>) -> Result<HostRef<Tabella>, SpawnErr> {
        Ok(Actor::spawn(None, HostActor(self.clone()), ()).await?.0)
    }

    fn height_start(&self) -> HeightStart {
        self.height_start
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn params(&self, start: &HeightStart) -> HeightParams<Tabella> {
        // No target time: a decided height ends at once, and the application paces the next.
        let validators = ValidatorSet::new(start.quorum, &start.validators);
        HeightParams::new(validators, self.timeouts, None)
    }

    /// Hands a block to consensus outside of an answer.
    fn propose_received(&self, value: ProposedValue<Tabella>) {
        let message = ConsensusMsg::ReceivedProposedValue(value, ValueOrigin::Consensus);
        if let Some(consensus) = self.consensus.get() {
            // It fails only when the node stops.
            let _ = consensus.cast(message);
        }
    }

    /// Signs and publishes a body in parts.
    fn publish(
        &self,
        height: u64,
        round: u32,
        block_hash: Hash,
        body: &Bytes,
    ) -> Result<(), Fatal> {
        let key = &self.signing_key;
        let announcement =
            Announcement::sign(&self.genesis_hash, key, height, round, block_hash, body)
                .filter(|announcement| announcement.body_bytes as usize <= self.block_bytes_max)
                .ok_or_else(|| {
                    Fatal::new(format_args!(
                        "the application built a block of {} bytes at height {height}; expected at \
                         most {}",
                        body.len(),
                        self.block_bytes_max
                    ))
                })?;
        let counter = self.stream_counter.fetch_add(1, atomic::Ordering::Relaxed);
        for message in parts::split(announcement, body, counter) {
            let _ = self.network.cast(NetworkMsg::PublishProposalPart(message));
        }
        Ok(())
    }

    /// Lets the first height start.
    async fn ready(
        &self,
        reply: RpcReplyPort<(Height, HeightParams<Tabella>)>,
    ) -> Result<(), Fatal> {
        // Consensus is ready as soon as the network listens. Were it to start before the sync actor
        // hears it, that actor would never learn the height, and a node that is behind would never
        // ask for blocks.
        let mut wired = self.shared.wired.subscribe();
        tokio::select! {
            _ = wired.wait_for(|wired| *wired) => {}
            () = self.shared.stop.cancelled() => return Ok(()),
        }
        let start = self.height_start();
        let _ = reply.send((Height(start.height), self.params(&start)));
        Ok(())
    }

    async fn build(
        &self,
        height: u64,
        round: u32,
        reply: RpcReplyPort<LocallyProposedValue<Tabella>>,
    ) -> Result<(), Fatal> {
        let block = self.application.build(height, round).await?;
        let value = BlockId(block.block_hash);
        let value = LocallyProposedValue::new(Height(height), Round::new(round), value);
        // The vote first: it is small, and every node waits for it.
        let _ = reply.send(value);
        self.publish(height, round, block.block_hash, &block.body)
    }

    async fn publish_again(&self, height: u64, round: u32, block_hash: Hash) -> Result<(), Fatal> {
        match self.application.undecided_body(height, block_hash).await? {
            Some(body) => self.publish(height, round, block_hash, &body),
            None => {
                error!(height, %block_hash, "the body of a block to propose again is not stored");
                Ok(())
            }
        }
    }

    /// Lets the application check a body that came in parts.
    async fn check_received(&self, body: Body) -> Result<(), Fatal> {
        let Announcement {
            height,
            round,
            block_hash,
            proposer,
            ..
        } = body.announcement;
        let checked = self
            .application
            .check_proposed(height, round, proposer, body.bytes)
            .await?;
        let validity = match checked {
            Checked::Valid(hash) if hash == block_hash => Validity::Valid,
            Checked::Invalid(hash) if hash == block_hash => Validity::Invalid,
            Checked::Valid(_) | Checked::Invalid(_) | Checked::Undecodable => {
                self.shared
                    .refuse(&body.peer, &"a block that is not the announced one");
                return Ok(());
            }
        };
        debug!(height, round, %block_hash, ?validity, "checked a proposed block");
        self.propose_received(proposed_value(
            height, round, proposer, block_hash, validity,
        ));
        Ok(())
    }

    async fn undecided(
        &self,
        height: u64,
        round: u32,
        reply: RpcReplyPort<Vec<ProposedValue<Tabella>>>,
    ) -> Result<(), Fatal> {
        let blocks = self.application.undecided(height, round).await?;
        let values = blocks.iter().map(|block| {
            let valid = Validity::Valid;
            proposed_value(height, block.round, block.proposer, block.block_hash, valid)
        });
        let _ = reply.send(values.collect());
        Ok(())
    }

    async fn commit(
        &self,
        certificate: CommitCertificate<Tabella>,
        reply: RpcReplyPort<()>,
        committed: oneshot::Sender<HeightStart>,
    ) -> Result<(), Fatal> {
        let certificate = certificate_to_protocol(&certificate).map_err(Fatal::new)?;
        let height = certificate.height;
        let next = self.application.commit(certificate).await?;
        check_height_start(&next)?;
        if height.checked_add(1) != Some(next.height) {
            return Err(Fatal::new(format_args!(
                "the application continues with height {} after committing {height}",
                next.height
            )));
        }
        let _ = reply.send(());
        let _ = committed.send(next);
        Ok(())
    }

    async fn finalize(
        &self,
        pacing: Pacing,
        committed: oneshot::Receiver<HeightStart>,
        evidence: MisbehaviorEvidence<Tabella>,
        reply: RpcReplyPort<Next<Tabella>>,
    ) -> Result<(), Fatal> {
        // Without an answer the commit has failed, which ends the node.
        let Ok(next) = committed.await else {
            return Ok(());
        };
        if !evidence.is_empty() {
            self.application.evidence(collected(&evidence)).await?;
        }
        self.follow_validators(&next).await;
        if pacing == Pacing::Paced {
            tokio::select! {
                () = self.application.next_height() => {}
                () = self.shared.peers_reach(next.height) => {}
                () = self.shared.stop.cancelled() => return Ok(()),
            }
        }
        *self
            .height_start
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = next.clone();
        let _ = reply.send(Next::Start(Height(next.height), self.params(&next)));
        Ok(())
    }

    /// Lets exactly the validators of the next height and its followers connect, beside configured
    /// peers.
    async fn follow_validators(&self, next: &HeightStart) {
        let mut address_book = self.address_book.lock().await;
        if let Err(error) = address_book
            .set_validators(&self.network, &who_may_connect(next))
            .await
        {
            // The engine is going down, which its supervisor reports.
            debug!(%error, "could not change the peers");
        }
        self.shared.set_allowed(address_book.allowed());
        self.shared.set_validators(next.quorum, &next.validators);
    }

    async fn decided(
        &self,
        range: RangeInclusive<Height>,
        reply: RpcReplyPort<Vec<RawDecidedValue<Tabella>>>,
    ) -> Result<(), Fatal> {
        let mut values = Vec::new();
        let mut bytes = 0;
        for height in (range.start().0..=range.end().0).take(self.sync_batch) {
            let Some((certificate, body)) = self.application.decided(height).await? else {
                break;
            };
            bytes += body.len();
            if !values.is_empty() && bytes > self.sync_response_bytes_max {
                break;
            }
            values.push(RawDecidedValue::new(
                body,
                certificate_from_protocol(certificate),
            ));
        }
        let _ = reply.send(values);
        Ok(())
    }

    /// Lets the application check a block whose certificate the engine has verified.
    async fn check_synced(
        &self,
        height: u64,
        round: u32,
        proposer: PublicKey,
        body: Bytes,
        reply: RpcReplyPort<SyncedValueOutcome<Tabella>>,
    ) -> Result<(), Fatal> {
        let checked = self
            .application
            .check(height, round, proposer, body)
            .await?;
        let (hash, validity) = match checked {
            Checked::Valid(hash) => (hash, Validity::Valid),
            Checked::Invalid(hash) => {
                // The engine blames the peer if this is not the certified block. If it is, this node
                // cannot follow its network and ends, unless it committed the block meanwhile.
                error!(height, block_hash = %hash, "a synced block breaks a rule");
                (hash, Validity::Invalid)
            }
            Checked::Undecodable => {
                let _ = reply.send(SyncedValueOutcome::PeerFault);
                return Ok(());
            }
        };
        let value = proposed_value(height, round, proposer, hash, validity);
        let _ = reply.send(SyncedValueOutcome::Verdict(value));
        Ok(())
    }
}

/// Whether the next height waits for the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pacing {
    Paced,
    /// The network is ahead.
    CatchingUp,
}

/// Validators and followers of a height.
pub(crate) fn who_may_connect(start: &HeightStart) -> Vec<PublicKey> {
    [start.validators.as_slice(), &start.followers].concat()
}

/// Refuses a height that consensus could not run.
pub(crate) fn check_height_start(start: &HeightStart) -> Result<(), Fatal> {
    let mut keys = start.validators.clone();
    keys.sort_unstable();
    keys.dedup();
    if start.height == 0 || keys.is_empty() || keys.len() != start.validators.len() {
        return Err(Fatal::new(format_args!(
            "expected a height from 1 and at least one validator, none twice, got height {} and {} \
             validators",
            start.height,
            start.validators.len()
        )));
    }
    Ok(())
}

fn proposed_value(
    height: u64,
    round: u32,
    proposer: PublicKey,
    block_hash: Hash,
    validity: Validity,
) -> ProposedValue<Tabella> {
    ProposedValue {
        height: Height(height),
        round: Round::new(round),
        valid_round: Round::Nil,
        proposer: Address(proposer),
        value: BlockId(block_hash),
        validity,
    }
}

impl HostActor {
    fn started_round(&self, state: &mut State, height: u64, round: u32) {
        let host = &self.0;
        host.shared.started_round(height, round);
        let start = host.height_start();
        let early = state
            .bodies
            .started_round(height, round, start.quorum, &start.validators);
        for body in early {
            self.body(state, body);
        }
    }

    fn part(&self, state: &mut State, from: PeerId, message: StreamMessage<ProposalPart>) {
        let host = &self.0;
        match message.content.into_data() {
            None => {}
            Some(ProposalPart::Message(message)) => {
                // The gate passes only peers with the key of a validator or configured peer.
                let is_kept = host.mail.put(&host.shared, from, message);
                if !is_kept {
                    host.shared
                        .drop_message(&from, &"more messages than the application takes");
                }
            }
            Some(part) => {
                let (id, sequence) = (message.stream_id, message.sequence);
                match state.bodies.part(from, id, sequence, part) {
                    Ok(Some(body)) => self.body(state, body),
                    Ok(None) => {}
                    Err(error) => host.shared.refuse(&from, &error),
                }
            }
        }
    }

    /// Hands a complete body to the application, now or when its height comes.
    fn body(&self, state: &mut State, body: Body) {
        let (host, peer) = (self.0.clone(), body.peer);
        match state.bodies.admit(body, |key| host.shared.allows(key)) {
            Ok(Some(body)) => {
                let task = host.clone();
                host.shared
                    .spawn(async move { task.check_received(body).await });
            }
            Ok(None) => {}
            Err(refused) => host.shared.refuse(&peer, &refused),
        }
    }

    fn finalized(
        &self,
        state: &mut State,
        height: u64,
        evidence: MisbehaviorEvidence<Tabella>,
        reply: RpcReplyPort<Next<Tabella>>,
    ) {
        let host = self.0.clone();
        let committed = state
            .committed
            .take()
            .filter(|(committed, _)| *committed == height);
        let pacing = if state.synced == height {
            Pacing::CatchingUp
        } else {
            Pacing::Paced
        };
        self.0.shared.spawn(async move {
            let (_, committed) = committed.ok_or_else(|| {
                Fatal::new(format_args!("height {height} ended without a decision"))
            })?;
            host.finalize(pacing, committed, evidence, reply).await
        });
    }
}

#[async_trait]
#[expect(
    clippy::too_many_lines,
    reason = "one arm for each message of the engine"
)]
impl Actor for HostActor {
    type Msg = HostMsg<Tabella>;
    type State = State;
    type Arguments = ();

    async fn pre_start(&self, _: HostRef<Tabella>, (): ()) -> Result<State, ActorProcessingErr> {
        Ok(State {
            bodies: Bodies::new(self.0.genesis_hash, self.0.block_bytes_max),
            committed: None,
            synced: 0,
        })
    }

    async fn handle(
        &self,
        _: HostRef<Tabella>,
        message: HostMsg<Tabella>,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let host = self.0.clone();
        let shared = &self.0.shared;
        match message {
            HostMsg::ConsensusReady { reply_to } => {
                shared.spawn(async move { host.ready(reply_to).await });
            }
            HostMsg::StartedRound {
                height,
                round,
                reply_to,
                ..
            } => {
                let (height, round) = (height.0, round.as_u32().unwrap_or(0));
                self.started_round(state, height, round);
                shared.spawn(async move { host.undecided(height, round, reply_to).await });
            }
            HostMsg::GetValue {
                height,
                round,
                reply_to,
                ..
            } => {
                let (height, round) = (height.0, round.as_u32().unwrap_or(0));
                shared.spawn(async move { host.build(height, round, reply_to).await });
            }
            HostMsg::RestreamValue {
                height,
                round,
                value_id,
                ..
            } => {
                let (height, round) = (height.0, round.as_u32().unwrap_or(0));
                shared.spawn(async move { host.publish_again(height, round, value_id.0).await });
            }
            // The answer would name a complete block; it goes to consensus once it is checked.
            HostMsg::ReceivedProposalPart { from, part, .. } => self.part(state, from, part),
            HostMsg::Decided {
                certificate,
                reply_to,
                ..
            } => {
                let (committed, receiver) = oneshot::channel();
                state.committed = Some((certificate.height.0, receiver));
                shared.spawn(async move { host.commit(certificate, reply_to, committed).await });
            }
            HostMsg::Finalized {
                certificate,
                evidence,
                reply_to,
                ..
            } => {
                self.finalized(state, certificate.height.0, evidence, reply_to);
            }
            HostMsg::GetDecidedValues { range, reply_to } => {
                shared.spawn(async move { host.decided(range, reply_to).await });
            }
            HostMsg::GetHistoryMinHeight { reply_to } => {
                shared.spawn(async move {
                    let _ = reply_to.send(Height(host.application.history_min_height().await?));
                    Ok(())
                });
            }
            HostMsg::ProcessSyncedValue {
                height,
                round,
                proposer,
                value_bytes,
                reply_to,
            } => {
                if height.0 != state.bodies.height() {
                    let _ = reply_to.send(SyncedValueOutcome::LocalTransientError);
                } else if value_bytes.len() > host.block_bytes_max {
                    let _ = reply_to.send(SyncedValueOutcome::PeerFault);
                } else {
                    state.synced = height.0;
                    let (height, round) = (height.0, round.as_u32().unwrap_or(0));
                    shared.spawn(async move {
                        host.check_synced(height, round, proposer.0, value_bytes, reply_to)
                            .await
                    });
                }
            }
            // Vote extensions are not used.
            HostMsg::ExtendVote { reply_to, .. } => {
                let _ = reply_to.send(None);
            }
            HostMsg::VerifyVoteExtensions {
                extensions,
                reply_to,
                ..
            } => {
                let refused = Err(VoteExtensionError::InvalidVoteExtension);
                let extensions = extensions.into_iter();
                let _ = reply_to.send(extensions.map(|(by, ())| (by, refused.clone())).collect());
            }
        }
        Ok(())
    }
}
