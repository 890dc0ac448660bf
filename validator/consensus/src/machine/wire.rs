//! Messages between validators, as bytes.

use arc_malachitebft_codec::Codec;
use arc_malachitebft_core_consensus::{LivenessMsg, SignedConsensusMsg};
use bytes::Bytes;
use tabella_protocol::{Hash, SigningKey, Statement};

use super::outside::{Stopped, failed};
use crate::{
    codec::WireCodec,
    context::{Announcement, Tabella},
    evidence, parts,
};

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

impl Wire {
    /// The proposal or vote that it is, if it is one.
    pub fn statement(&self) -> Option<Statement> {
        let bytes = self.bytes.clone();
        match self.channel {
            Channel::Consensus => match WireCodec.decode(bytes).ok()? {
                SignedConsensusMsg::Vote(vote) => evidence::vote(&vote),
                SignedConsensusMsg::Proposal(proposal) => evidence::proposal(&proposal),
            },
            Channel::Liveness => match WireCodec.decode(bytes).ok()? {
                LivenessMsg::Vote(vote) => evidence::vote(&vote),
                LivenessMsg::PolkaCertificate(_) | LivenessMsg::SkipRoundCertificate(_) => None,
            },
            Channel::Parts => None,
        }
    }
}

/// A proposal or vote, to be sent.
pub(super) fn consensus_wire(message: &SignedConsensusMsg<Tabella>) -> Option<Wire> {
    let bytes = WireCodec.encode(message).ok()?;
    let channel = Channel::Consensus;
    Some(Wire { channel, bytes })
}

/// A body in parts, announced by its proposer.
pub(super) fn sign_body(
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
