//! The bytes of the engine's messages between validators and in the write-ahead log: borsh of the
//! shapes below. Whatever a peer sends either decodes to a value that the engine can handle or is
//! refused here; frame sizes are bounded by the network.

use std::borrow::Cow;

use arc_malachitebft_codec::{Codec, HasEncodedLen};
use arc_malachitebft_core_consensus::{LivenessMsg, ProposedValue, SignedConsensusMsg};
use arc_malachitebft_core_types::{
    CommitCertificate, ExtendedCommitCertificate, ExtendedCommitSignature, NilOrVal,
    PolkaCertificate, PolkaSignature, Round, RoundCertificate, RoundCertificateType,
    RoundSignature, SignedMessage, ValidatorProof, Validity, VoteType,
};
use arc_malachitebft_engine::util::streaming::{StreamContent, StreamId, StreamMessage};
use arc_malachitebft_sync::{self as sync, PeerId};
use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use tabella_protocol::{
    self as protocol, CommitSignature, ConsensusProposal, ConsensusVote, ConsensusVoteKind, Hash,
    PublicKey, Signature,
    codec::{self as canonical, DecodeError},
};

use crate::context::{
    Address, Announcement, BlockId, Height, Proposal, ProposalPart, ROUND_MAX, Tabella, Vote,
};

/// Encodes and decodes every message of the engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WireCodec;

/// Length of a stream's name: height, round and the streaming node's counter.
pub(crate) const STREAM_ID_BYTES: usize = 16;

/// Why a message was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodecError {
    #[error("message is {0}")]
    Decode(#[from] DecodeError),
    #[error("expected a round up to {ROUND_MAX}, got {0}")]
    Round(i64),
    #[error("expected a libp2p peer id: {0}")]
    PeerId(String),
    #[error("expected a stream id of {STREAM_ID_BYTES} bytes, got {0}")]
    StreamId(usize),
    #[error("expected a range of heights, got {0} to {1}")]
    Range(u64, u64),
}

fn decode<T: BorshDeserialize>(bytes: &[u8]) -> Result<T, CodecError> {
    Ok(canonical::decode(bytes, usize::MAX)?)
}

fn encode(value: &impl BorshSerialize) -> Result<Bytes, CodecError> {
    Ok(canonical::encode(value).into())
}

fn round(round: u32) -> Result<Round, CodecError> {
    if round > ROUND_MAX {
        return Err(CodecError::Round(round.into()));
    }
    Ok(Round::new(round))
}

fn defined(round: Round) -> Result<u32, CodecError> {
    round.as_u32().ok_or(CodecError::Round(round.as_i64()))
}

#[derive(BorshSerialize, BorshDeserialize)]
enum WireConsensus {
    Vote(ConsensusVote, Signature),
    Proposal(ConsensusProposal, Signature),
}

fn vote_to_wire(
    vote: &SignedMessage<Tabella, Vote>,
) -> Result<(ConsensusVote, Signature), CodecError> {
    let message = vote.message.to_protocol();
    Ok((
        message.ok_or(CodecError::Round(vote.message.round.as_i64()))?,
        vote.signature,
    ))
}

fn vote_from_wire(
    vote: ConsensusVote,
    signature: Signature,
) -> Result<SignedMessage<Tabella, Vote>, CodecError> {
    round(vote.round)?;
    Ok(SignedMessage::new(Vote::from_protocol(vote), signature))
}

impl Codec<SignedConsensusMsg<Tabella>> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<SignedConsensusMsg<Tabella>, CodecError> {
        Ok(match decode(&bytes)? {
            WireConsensus::Vote(vote, signature) => {
                SignedConsensusMsg::Vote(vote_from_wire(vote, signature)?)
            }
            WireConsensus::Proposal(proposal, signature) => {
                round(proposal.round)?;
                round(proposal.valid_round.unwrap_or(0))?;
                let proposal = Proposal::from_protocol(proposal);
                SignedConsensusMsg::Proposal(SignedMessage::new(proposal, signature))
            }
        })
    }

    fn encode(&self, message: &SignedConsensusMsg<Tabella>) -> Result<Bytes, CodecError> {
        encode(&match message {
            SignedConsensusMsg::Vote(vote) => {
                let (vote, signature) = vote_to_wire(vote)?;
                WireConsensus::Vote(vote, signature)
            }
            SignedConsensusMsg::Proposal(proposal) => WireConsensus::Proposal(
                proposal
                    .message
                    .to_protocol()
                    .ok_or(CodecError::Round(proposal.message.round.as_i64()))?,
                proposal.signature,
            ),
        })
    }
}

#[derive(BorshSerialize, BorshDeserialize)]
struct WirePolka {
    height: u64,
    round: u32,
    value: Hash,
    signatures: Vec<(PublicKey, Signature)>,
}

impl WirePolka {
    fn new(certificate: &PolkaCertificate<Tabella>) -> Result<Self, CodecError> {
        let signatures = &certificate.polka_signatures;
        Ok(Self {
            height: certificate.height.0,
            round: defined(certificate.round)?,
            value: certificate.value_id.0,
            signatures: signatures
                .iter()
                .map(|s| (s.address.0, s.signature))
                .collect(),
        })
    }

    fn into_engine(self) -> Result<PolkaCertificate<Tabella>, CodecError> {
        let signatures = self.signatures.into_iter();
        Ok(PolkaCertificate {
            height: Height(self.height),
            round: round(self.round)?,
            value_id: BlockId(self.value),
            polka_signatures: signatures
                .map(|(key, signature)| PolkaSignature::new(Address(key), signature))
                .collect(),
        })
    }
}

impl Codec<PolkaCertificate<Tabella>> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<PolkaCertificate<Tabella>, CodecError> {
        decode::<WirePolka>(&bytes)?.into_engine()
    }

    fn encode(&self, certificate: &PolkaCertificate<Tabella>) -> Result<Bytes, CodecError> {
        encode(&WirePolka::new(certificate)?)
    }
}

#[derive(BorshSerialize, BorshDeserialize)]
enum WireRoundKind {
    Precommit,
    Skip,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct WireRoundSignature {
    kind: ConsensusVoteKind,
    value: Option<Hash>,
    validator: PublicKey,
    signature: Signature,
}

#[derive(BorshSerialize, BorshDeserialize)]
enum WireLiveness {
    Vote(ConsensusVote, Signature),
    Polka(WirePolka),
    Round {
        height: u64,
        round: u32,
        kind: WireRoundKind,
        signatures: Vec<WireRoundSignature>,
    },
}

impl Codec<LivenessMsg<Tabella>> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<LivenessMsg<Tabella>, CodecError> {
        Ok(match decode(&bytes)? {
            WireLiveness::Vote(vote, signature) => {
                LivenessMsg::Vote(vote_from_wire(vote, signature)?)
            }
            WireLiveness::Polka(polka) => LivenessMsg::PolkaCertificate(polka.into_engine()?),
            WireLiveness::Round {
                height,
                round: number,
                kind,
                signatures,
            } => {
                let signatures = signatures.into_iter().map(|s| RoundSignature {
                    vote_type: match s.kind {
                        ConsensusVoteKind::Prevote => VoteType::Prevote,
                        ConsensusVoteKind::Precommit => VoteType::Precommit,
                    },
                    value_id: s
                        .value
                        .map_or(NilOrVal::Nil, |hash| NilOrVal::Val(BlockId(hash))),
                    address: Address(s.validator),
                    signature: s.signature,
                });
                LivenessMsg::SkipRoundCertificate(RoundCertificate {
                    height: Height(height),
                    round: round(number)?,
                    cert_type: match kind {
                        WireRoundKind::Precommit => RoundCertificateType::Precommit,
                        WireRoundKind::Skip => RoundCertificateType::Skip,
                    },
                    round_signatures: signatures.collect(),
                })
            }
        })
    }

    fn encode(&self, message: &LivenessMsg<Tabella>) -> Result<Bytes, CodecError> {
        encode(&match message {
            LivenessMsg::Vote(vote) => {
                let (vote, signature) = vote_to_wire(vote)?;
                WireLiveness::Vote(vote, signature)
            }
            LivenessMsg::PolkaCertificate(polka) => WireLiveness::Polka(WirePolka::new(polka)?),
            LivenessMsg::SkipRoundCertificate(certificate) => {
                let signatures = certificate
                    .round_signatures
                    .iter()
                    .map(|s| WireRoundSignature {
                        kind: match s.vote_type {
                            VoteType::Prevote => ConsensusVoteKind::Prevote,
                            VoteType::Precommit => ConsensusVoteKind::Precommit,
                        },
                        value: match s.value_id {
                            NilOrVal::Nil => None,
                            NilOrVal::Val(BlockId(hash)) => Some(hash),
                        },
                        validator: s.address.0,
                        signature: s.signature,
                    });
                WireLiveness::Round {
                    height: certificate.height.0,
                    round: defined(certificate.round)?,
                    kind: match certificate.cert_type {
                        RoundCertificateType::Precommit => WireRoundKind::Precommit,
                        RoundCertificateType::Skip => WireRoundKind::Skip,
                    },
                    signatures: signatures.collect(),
                }
            }
        })
    }
}

#[derive(BorshSerialize, BorshDeserialize)]
struct WireProposedValue {
    height: u64,
    round: u32,
    valid_round: Option<u32>,
    proposer: PublicKey,
    value: Hash,
    valid: bool,
}

impl Codec<ProposedValue<Tabella>> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<ProposedValue<Tabella>, CodecError> {
        let value: WireProposedValue = decode(&bytes)?;
        Ok(ProposedValue {
            height: Height(value.height),
            round: round(value.round)?,
            valid_round: Round::from(value.valid_round),
            proposer: Address(value.proposer),
            value: BlockId(value.value),
            validity: Validity::from_bool(value.valid),
        })
    }

    fn encode(&self, value: &ProposedValue<Tabella>) -> Result<Bytes, CodecError> {
        encode(&WireProposedValue {
            height: value.height.0,
            round: defined(value.round)?,
            valid_round: value.valid_round.as_u32(),
            proposer: value.proposer.0,
            value: value.value.0,
            valid: value.validity.is_valid(),
        })
    }
}

#[derive(BorshSerialize, BorshDeserialize)]
enum WirePart<'a> {
    Init(Announcement, Cow<'a, [u8]>),
    Data(Cow<'a, [u8]>),
    Message(Cow<'a, [u8]>),
}

impl<'a> WirePart<'a> {
    fn new(part: &'a ProposalPart) -> Self {
        match part {
            ProposalPart::Init(announcement, bytes) => {
                Self::Init(*announcement, Cow::Borrowed(bytes))
            }
            ProposalPart::Data(bytes) => Self::Data(Cow::Borrowed(bytes)),
            ProposalPart::Message(bytes) => Self::Message(Cow::Borrowed(bytes)),
        }
    }

    fn into_engine(self) -> Result<ProposalPart, CodecError> {
        Ok(match self {
            Self::Init(announcement, bytes) => {
                round(announcement.round)?;
                ProposalPart::Init(announcement, bytes.into_owned().into())
            }
            Self::Data(bytes) => ProposalPart::Data(bytes.into_owned().into()),
            Self::Message(bytes) => ProposalPart::Message(bytes.into_owned().into()),
        })
    }
}

impl Codec<ProposalPart> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<ProposalPart, CodecError> {
        decode::<WirePart<'_>>(&bytes)?.into_engine()
    }

    fn encode(&self, part: &ProposalPart) -> Result<Bytes, CodecError> {
        encode(&WirePart::new(part))
    }
}

#[derive(BorshSerialize, BorshDeserialize)]
struct WireStreamMessage<'a> {
    stream_id: [u8; STREAM_ID_BYTES],
    sequence: u64,
    part: Option<WirePart<'a>>,
}

impl Codec<StreamMessage<ProposalPart>> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<StreamMessage<ProposalPart>, CodecError> {
        let message: WireStreamMessage<'_> = decode(&bytes)?;
        Ok(StreamMessage {
            stream_id: StreamId::new(Bytes::copy_from_slice(&message.stream_id)),
            sequence: message.sequence,
            content: match message.part {
                Some(part) => StreamContent::Data(part.into_engine()?),
                None => StreamContent::Fin,
            },
        })
    }

    fn encode(&self, message: &StreamMessage<ProposalPart>) -> Result<Bytes, CodecError> {
        let stream_id = message.stream_id.to_bytes();
        encode(&WireStreamMessage {
            stream_id: stream_id
                .as_ref()
                .try_into()
                .map_err(|_| CodecError::StreamId(stream_id.len()))?,
            sequence: message.sequence,
            part: message.content.as_data().map(WirePart::new),
        })
    }
}

impl Codec<ValidatorProof<Tabella>> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<ValidatorProof<Tabella>, CodecError> {
        let (public_key, peer_id, signature): (Vec<u8>, Vec<u8>, Signature) = decode(&bytes)?;
        Ok(ValidatorProof::new(public_key, peer_id, signature))
    }

    fn encode(&self, proof: &ValidatorProof<Tabella>) -> Result<Bytes, CodecError> {
        encode(&(&proof.public_key, &proof.peer_id, &proof.signature))
    }
}

impl Codec<sync::Status<Tabella>> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<sync::Status<Tabella>, CodecError> {
        let (peer_id, tip, min): (Vec<u8>, u64, u64) = decode(&bytes)?;
        Ok(sync::Status {
            peer_id: PeerId::from_bytes(&peer_id)
                .map_err(|error| CodecError::PeerId(error.to_string()))?,
            tip_height: Height(tip),
            history_min_height: Height(min),
        })
    }

    fn encode(&self, status: &sync::Status<Tabella>) -> Result<Bytes, CodecError> {
        encode(&(
            status.peer_id.to_bytes(),
            status.tip_height.0,
            status.history_min_height.0,
        ))
    }
}

impl Codec<sync::Request<Tabella>> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<sync::Request<Tabella>, CodecError> {
        let (start, end): (u64, u64) = decode(&bytes)?;
        if start > end {
            return Err(CodecError::Range(start, end));
        }
        let range = Height(start)..=Height(end);
        Ok(sync::Request::ValueRequest(sync::ValueRequest::new(range)))
    }

    fn encode(&self, request: &sync::Request<Tabella>) -> Result<Bytes, CodecError> {
        let sync::Request::ValueRequest(request) = request;
        encode(&(request.range.start().0, request.range.end().0))
    }
}

#[derive(BorshSerialize, BorshDeserialize)]
struct WireResponse<'a> {
    start: u64,
    blocks: Vec<(protocol::CommitCertificate, Cow<'a, [u8]>)>,
}

impl<'a> WireResponse<'a> {
    fn new(response: &'a sync::Response<Tabella>) -> Result<Self, CodecError> {
        let sync::Response::ValueResponse(response) = response;
        let blocks = response.values.iter().map(|value| {
            let certificate = certificate_to_protocol(&value.certificate.trim_vote_extensions())?;
            Ok((certificate, Cow::Borrowed(value.value_bytes.as_ref())))
        });
        Ok(Self {
            start: response.start_height.0,
            blocks: blocks.collect::<Result<_, CodecError>>()?,
        })
    }
}

impl Codec<sync::Response<Tabella>> for WireCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<sync::Response<Tabella>, CodecError> {
        let response: WireResponse<'_> = decode(&bytes)?;
        let values = response.blocks.into_iter().map(|(certificate, body)| {
            round(certificate.round)?;
            let body = body.into_owned().into();
            Ok(sync::RawDecidedValue::new(
                body,
                certificate_from_protocol(certificate),
            ))
        });
        let values = values.collect::<Result<_, CodecError>>()?;
        let response = sync::ValueResponse::new(Height(response.start), values);
        Ok(sync::Response::ValueResponse(response))
    }

    fn encode(&self, response: &sync::Response<Tabella>) -> Result<Bytes, CodecError> {
        encode(&WireResponse::new(response)?)
    }
}

impl HasEncodedLen<sync::Response<Tabella>> for WireCodec {
    fn encoded_len(&self, response: &sync::Response<Tabella>) -> Result<usize, CodecError> {
        let response = WireResponse::new(response)?;
        borsh::object_length(&response)
            .map_err(|error| DecodeError::Malformed(error.to_string()).into())
    }
}

/// The engine's certificate as the protocol keeps it: signatures in canonical order.
pub(crate) fn certificate_to_protocol(
    certificate: &CommitCertificate<Tabella>,
) -> Result<protocol::CommitCertificate, CodecError> {
    let signatures = certificate.commit_signatures.iter();
    let mut certificate = protocol::CommitCertificate {
        height: certificate.height.0,
        round: defined(certificate.round)?,
        block_hash: certificate.value_id.0,
        signatures: signatures
            .map(|s| CommitSignature {
                validator: s.address.0,
                signature: s.signature,
            })
            .collect(),
    };
    certificate.sort();
    Ok(certificate)
}

/// A stored certificate as the engine sends it to peers.
pub(crate) fn certificate_from_protocol(
    certificate: protocol::CommitCertificate,
) -> ExtendedCommitCertificate<Tabella> {
    let signatures = certificate.signatures.into_iter();
    ExtendedCommitCertificate {
        height: Height(certificate.height),
        round: Round::new(certificate.round),
        value_id: BlockId(certificate.block_hash),
        commit_signatures: signatures
            .map(|s| ExtendedCommitSignature::new(Address(s.validator), s.signature, None))
            .collect(),
    }
}

#[cfg(test)]
mod tests;
