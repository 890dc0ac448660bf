//! The genesis document: everything that pins a network before its first block.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{Block, Hash, PluginLimits, PublicKey, Transaction, codec};

/// How many validators must agree.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Quorum {
    /// More than half. Survives crashed validators; catches a lying one, but does not mask it.
    Majority,
    /// More than two thirds. Survives (n - 1) / 3 arbitrary (Byzantine) validators.
    Bft,
}

impl Quorum {
    /// The smallest number of validators, of `n`, that is a quorum.
    pub fn threshold(self, n: usize) -> usize {
        match self {
            Self::Majority => n / 2 + 1,
            Self::Bft => 2 * n / 3 + 1,
        }
    }

    /// How many of `n` validators may crash without stopping the network.
    pub fn tolerates_crashed(self, n: usize) -> usize {
        n.saturating_sub(self.threshold(n))
    }

    /// How many of `n` validators may lie without two results ever being certified.
    pub fn tolerates_byzantine(self, n: usize) -> usize {
        match self {
            Self::Majority => 0,
            Self::Bft => n.saturating_sub(1) / 3,
        }
    }

    /// The name used in genesis, configuration and the health answer.
    pub fn name(self) -> &'static str {
        match self {
            Self::Majority => "majority",
            Self::Bft => "bft",
        }
    }
}

/// One validator: its name for people, its key for the protocol.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorInfo {
    /// A short name, such as `validator-1`; unique in the network.
    pub node_id: String,
    /// The key that signs consensus votes, acks and attestations.
    pub public_key: PublicKey,
}

/// The document that pins a network. Its [`hash`](Genesis::hash) stands in every header, consensus
/// vote and receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// Version of this document: 1.
    pub version: u32,
    /// What Ethereum clients know the chain by; transactions carry it.
    pub chain_id: u64,
    /// A name for people.
    pub network: String,
    /// Unix time in milliseconds; the first block is later.
    pub timestamp_ms: u64,
    /// How many validators must agree.
    pub quorum: Quorum,
    /// The first validator set, in proposer order.
    pub validators: Vec<ValidatorInfo>,
    /// Keys that may administer: publish plugins, create, open and close elections.
    pub authorities: Vec<PublicKey>,
    /// Limits for rule plugins.
    pub plugin_limits: PluginLimits,
    /// Largest encoded block, in bytes.
    pub block_bytes_max: u32,
    /// How far ahead of the chain a transaction's expiry height may lie.
    pub expiry_heights_max: u64,
}

/// Why a genesis document cannot start a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// Not JSON of the right shape.
    #[error("genesis is not readable: {0}; expected the JSON document that `tabella init` writes")]
    Unreadable(String),
    /// Well-formed, but no network can run on it.
    #[error("genesis cannot start a network: {0}")]
    Unusable(String),
}

impl Genesis {
    /// The version this code reads and writes.
    pub const VERSION: u32 = 1;
    /// Most validators a network may have: each holds a connection to every other.
    pub const VALIDATORS_MAX: usize = 64;
    /// JSON numbers are exact up to here, so that every client reads the chain id as it is.
    pub const CHAIN_ID_MAX: u64 = (1 << 53) - 1;
    /// As `expiry_heights_max`: transactions of this chain expire by the heights of another one,
    /// so that their expiry is not judged here. A backend's local ledger holds such transactions.
    pub const EXPIRES_ELSEWHERE: u64 = u64::MAX;

    /// Most bytes of a transaction that a block of this network can hold.
    pub fn transaction_bytes_max(&self) -> usize {
        let block = usize::try_from(self.block_bytes_max).unwrap_or(usize::MAX);
        // Each transaction's bytes carry a four-byte length.
        let room = block.saturating_sub(Block::ENVELOPE_BYTES + 4);
        room.min(Transaction::BYTES_MAX)
    }

    /// Reads and checks a genesis document.
    pub fn from_json(text: &str) -> Result<Self, GenesisError> {
        let genesis: Self = serde_json::from_str(text)
            .map_err(|error| GenesisError::Unreadable(error.to_string()))?;
        genesis.check()?;
        Ok(genesis)
    }

    /// The document as the file that people copy between machines.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain data serialises");
        text.push('\n');
        text
    }

    /// Whether a network can run on this document.
    pub fn check(&self) -> Result<(), GenesisError> {
        let unusable = |reason: String| Err(GenesisError::Unusable(reason));
        if self.version != Self::VERSION {
            return unusable(format!(
                "expected version {}, got {}",
                Self::VERSION,
                self.version
            ));
        }
        if self.chain_id == 0 || self.chain_id > Self::CHAIN_ID_MAX {
            return unusable(format!(
                "expected a chain id from 1 to {}, got {}",
                Self::CHAIN_ID_MAX,
                self.chain_id
            ));
        }
        let n = self.validators.len();
        if n == 0 || n > Self::VALIDATORS_MAX {
            return unusable(format!(
                "expected 1 to {} validators, got {n}",
                Self::VALIDATORS_MAX
            ));
        }
        let keys: BTreeSet<_> = self.validators.iter().map(|v| v.public_key).collect();
        let names: BTreeSet<_> = self.validators.iter().map(|v| &v.node_id).collect();
        if keys.len() != n || names.len() != n {
            return unusable("two validators share a key or a node id".into());
        }
        if let Some(bad) = self.validators.iter().find(|v| !v.public_key.is_valid()) {
            return unusable(format!(
                "the key of {} is not an ed25519 public key",
                bad.node_id
            ));
        }
        if self.authorities.is_empty() || self.authorities.iter().any(|key| !key.is_valid()) {
            return unusable("expected at least one authority, each an ed25519 public key".into());
        }
        if let Err(reason) = self.plugin_limits.check() {
            return unusable(reason);
        }
        if !(64 << 10..=64 << 20).contains(&self.block_bytes_max) {
            return unusable(format!(
                "expected block_bytes_max from 64 KiB to 64 MiB, got {}",
                self.block_bytes_max
            ));
        }
        Ok(())
    }

    /// SHA-256 of the canonical bytes: the name of this network.
    pub fn hash(&self) -> Hash {
        Hash::of_parts([b"tabella/genesis/v1".as_slice(), &codec::encode(self)])
    }

    /// The name of the validator that holds `key`, if one of the first set does.
    pub fn node_id(&self, key: &PublicKey) -> Option<&str> {
        self.validators
            .iter()
            .find(|v| v.public_key == *key)
            .map(|v| v.node_id.as_str())
    }
}
