//! A validator that lies.

use arc_malachitebft_core_consensus::SignedConsensusMsg;
use arc_malachitebft_core_types::{NilOrVal, Round, VoteType};
use arc_malachitebft_signing::Signer;
use tabella_protocol::{ConsensusVoteKind, Hash, SigningKey};
use tokio_util::sync::CancellationToken;

use super::{
    effects::now,
    wire::{Wire, consensus_wire, sign_body},
};
use crate::{
    BuiltBlock,
    context::{Address, BlockId, Height, Proposal, Vote},
    signing::MessageSigner,
};

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
            halt: CancellationToken::new(),
        }
    }
}
