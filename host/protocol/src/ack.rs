//! Post-commit acknowledgements: each validator's signed word on what it committed.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{Hash, PublicKey, Signature, SigningKey, consensus_vote::signing_bytes};

/// A validator's signed statement that it committed a block, made after the block is durable.
///
/// Two acks of one validator for one height that differ prove that it lied.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Ack {
    /// The committed height.
    pub height: u64,
    /// The committed block.
    pub block_hash: Hash,
    /// The state after it.
    pub state_root: Hash,
    /// Who committed it.
    pub validator: PublicKey,
    /// Signature over the above, bound to the network.
    pub signature: Signature,
}

impl Ack {
    /// Signs an ack.
    pub fn sign(
        genesis: &Hash,
        height: u64,
        block_hash: Hash,
        state_root: Hash,
        key: &SigningKey,
    ) -> Self {
        let validator = key.public();
        let signature = key.sign(&message(genesis, height, &block_hash, &state_root));
        Self {
            height,
            block_hash,
            state_root,
            validator,
            signature,
        }
    }

    /// Whether the signature holds on the network of `genesis`.
    pub fn verify(&self, genesis: &Hash) -> bool {
        let message = message(genesis, self.height, &self.block_hash, &self.state_root);
        self.validator.verify(&message, &self.signature)
    }

    /// Whether the two acks, both verified, prove that one validator committed two histories.
    pub fn contradicts(&self, other: &Self) -> bool {
        self.validator == other.validator && self.disagrees(other)
    }

    /// Whether the two acks are of different histories.
    pub fn disagrees(&self, other: &Self) -> bool {
        self.height == other.height
            && (self.block_hash, self.state_root) != (other.block_hash, other.state_root)
    }
}

fn message(genesis: &Hash, height: u64, block_hash: &Hash, state_root: &Hash) -> Vec<u8> {
    signing_bytes(
        b"tabella/ack/v1",
        genesis,
        &(height, block_hash, state_root),
    )
}
