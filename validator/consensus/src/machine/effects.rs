//! What the machine does for the engine's state, effect by effect.

use std::{collections::VecDeque, io};

use arc_malachitebft_codec::Codec;
use arc_malachitebft_core_consensus::{
    ConsensusMsg, Effect, Input, LivenessMsg, ProposedValue, Resumable, Resume, VoteExtensionError,
};
use arc_malachitebft_core_types::{Round, Validity, ValueOrigin};
use arc_malachitebft_engine::{
    util::streaming::StreamMessage,
    wal::{decode_entry, encode_entry},
};
use arc_malachitebft_signing::{Signer, Verifier, VerifierExt};
use futures::FutureExt;
use tabella_protocol::PublicKey;

use super::{
    Act, Channel, Core, LogFile, Outside, Received, Stopped, Timer, Wire,
    outside::{Source, failed},
};
use crate::{
    bodies::Body,
    codec::{WireCodec, certificate_to_protocol},
    context::{Address, BlockId, Height, ProposalPart, Tabella},
    evidence::collected,
    peers,
};

impl<F: LogFile> Core<F> {
    pub(super) fn act(&self, outside: &mut dyn Outside, act: Act) -> Result<(), Stopped> {
        if !outside.is_alive() {
            return Err(Stopped::Died);
        }
        outside.act(act);
        Ok(())
    }

    /// The entries to replay for a height, as the engine's log thread finds them.
    pub(super) fn log_entries(
        &mut self,
        height: u64,
    ) -> Result<Vec<io::Result<Input<Tabella>>>, Stopped> {
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

    pub(super) fn part(
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

    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each effect of the engine"
    )]
    pub(super) fn effect(
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
                r.resume_with(Err(VoteExtensionError::InvalidVoteExtension))
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
pub(super) fn now<T>(future: impl Future<Output = T>) -> Result<T, Stopped> {
    future
        .now_or_never()
        .ok_or_else(|| failed("a signature had to be waited for"))
}
