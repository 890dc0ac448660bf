//! Who the validators are, from which height on, and how the set changes.

use std::collections::{BTreeMap, BTreeSet};

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{Genesis, PublicKey, Quorum, ValidatorInfo};

/// Heights between the block that decides a change and the first height that it governs, so that
/// every validator knows a set before it votes, and those who join can connect beforehand.
pub const VALIDATOR_CHANGE_DELAY: u64 = 5;

/// Most changes in one transaction: as many as there can be validators.
pub const VALIDATOR_CHANGES_MAX: usize = Genesis::VALIDATORS_MAX;

/// Longest node id, and longest address, in bytes.
pub const NODE_ID_BYTES_MAX: usize = 64;
const ADDRESS_BYTES_MAX: usize = 300;

/// Where a validator can be reached, as the chain says.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeAddress {
    /// Consensus address, `host:port`.
    pub p2p_address: String,
    /// JSON-RPC address, an `http://` URL.
    pub rpc_url: String,
}

impl NodeAddress {
    /// Whether both texts can be addresses; an error names the form that was expected.
    pub fn check(&self) -> Result<(), String> {
        let port = self
            .p2p_address
            .rsplit_once(':')
            .filter(|(host, _)| !host.is_empty())
            .and_then(|(_, port)| port.parse::<u16>().ok());
        if self.p2p_address.len() > ADDRESS_BYTES_MAX || port.is_none() {
            return Err(format!(
                "expected a p2p address host:port, got {:?}",
                clipped(&self.p2p_address)
            ));
        }
        let is_url = self.rpc_url.starts_with("http://") || self.rpc_url.starts_with("https://");
        if self.rpc_url.len() > ADDRESS_BYTES_MAX || !is_url {
            return Err(format!(
                "expected an rpc_url that starts with http:// or https://, got {:?}",
                clipped(&self.rpc_url)
            ));
        }
        Ok(())
    }
}

fn clipped(text: &str) -> String {
    text.chars().take(120).collect()
}

/// One change of the validator set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(tag = "change", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ValidatorChange {
    /// A new validator, last in proposer order.
    Add {
        /// Its name and key.
        validator: ValidatorInfo,
        /// Where the others find it.
        address: NodeAddress,
    },
    /// A validator leaves.
    Remove {
        /// Its key.
        public_key: PublicKey,
    },
    /// A validator moves to another address.
    Readdress {
        /// Its key.
        public_key: PublicKey,
        /// Where it is from now on.
        address: NodeAddress,
    },
    /// Another quorum rule.
    SetQuorum {
        /// The rule.
        quorum: Quorum,
    },
}

/// Why a change of the validator set is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorChangeError {
    /// No change, or too many.
    #[error("expected 1 to {VALIDATOR_CHANGES_MAX} changes, got {0}")]
    Count(usize),
    /// The name cannot be one.
    #[error("expected a node id of 1 to {NODE_ID_BYTES_MAX} visible ASCII characters, got {0:?}")]
    BadNodeId(String),
    /// The key is no key.
    #[error("the key of {0} is not an ed25519 public key")]
    BadKey(String),
    /// An address cannot be one.
    #[error("{0}")]
    BadAddress(String),
    /// The key or the name is in the set already.
    #[error("{0} is a validator already; each key and each node id may stand in the set once")]
    Duplicate(String),
    /// Not in the set.
    #[error("{0} is not a validator; `tabella validator status` lists those that are")]
    Unknown(PublicKey),
    /// Nothing would change.
    #[error("the validator set would stay as it is")]
    NoEffect,
    /// Too small a network.
    #[error("{0} validators would remain; fewer than three survive no crash")]
    TooFew(usize),
    /// Too large a network.
    #[error("expected at most {max} validators, got {0}", max = Genesis::VALIDATORS_MAX)]
    TooMany(usize),
    /// Too few for quorum `bft`.
    #[error("quorum bft needs at least four validators, there would be {0}; add validators first")]
    TooFewForBft(usize),
}

/// The validators and the quorum rule from one height on.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatorSet {
    /// The first height that it governs; 0 for the set of genesis.
    pub from_height: u64,
    /// How many must agree.
    pub quorum: Quorum,
    /// The validators, in proposer order.
    pub validators: Vec<ValidatorInfo>,
    /// Where validators are, as far as the chain was told.
    pub addresses: BTreeMap<PublicKey, NodeAddress>,
}

impl ValidatorSet {
    /// The set that a network starts with.
    pub fn of_genesis(genesis: &Genesis) -> Self {
        Self {
            from_height: 0,
            quorum: genesis.quorum,
            validators: genesis.validators.clone(),
            addresses: BTreeMap::new(),
        }
    }

    /// How many validators are a quorum.
    pub fn threshold(&self) -> usize {
        self.quorum.threshold(self.validators.len())
    }

    /// How many validators must say what nothing proves until at least one of them is taken to be honest:
    /// one more than may lie, and two where there are two.
    pub fn witnesses(&self) -> usize {
        let liars = self.quorum.tolerates_byzantine(self.validators.len());
        self.threshold().min(liars.max(1) + 1)
    }

    /// Whether `node_id` is a validator's name.
    pub fn names(&self, node_id: &str) -> bool {
        self.validators.iter().any(|v| v.node_id == node_id)
    }

    /// Whether `key` is a validator's.
    pub fn contains(&self, key: &PublicKey) -> bool {
        self.node_id(key).is_some()
    }

    /// The name of the validator that holds `key`.
    pub fn node_id(&self, key: &PublicKey) -> Option<&str> {
        let mut validators = self.validators.iter();
        validators
            .find(|v| v.public_key == *key)
            .map(|v| v.node_id.as_str())
    }

    /// The keys, in proposer order.
    pub fn keys(&self) -> Vec<PublicKey> {
        self.validators.iter().map(|v| v.public_key).collect()
    }

    /// The set that `changes` make of this one, from `from_height` on.
    pub fn changed(
        &self,
        changes: &[ValidatorChange],
        from_height: u64,
    ) -> Result<Self, ValidatorChangeError> {
        if changes.is_empty() || changes.len() > VALIDATOR_CHANGES_MAX {
            return Err(ValidatorChangeError::Count(changes.len()));
        }
        let mut next = self.clone();
        for change in changes {
            next.apply(change)?;
        }
        if (next.quorum, &next.validators, &next.addresses)
            == (self.quorum, &self.validators, &self.addresses)
        {
            return Err(ValidatorChangeError::NoEffect);
        }
        let (before, after) = (self.validators.len(), next.validators.len());
        let shrinks = after < before;
        if after > Genesis::VALIDATORS_MAX {
            return Err(ValidatorChangeError::TooMany(after));
        }
        if shrinks && after < 3 {
            return Err(ValidatorChangeError::TooFew(after));
        }
        // A network that began smaller may still grow.
        if next.quorum == Quorum::Bft && after < 4 && (shrinks || self.quorum != Quorum::Bft) {
            return Err(ValidatorChangeError::TooFewForBft(after));
        }
        next.from_height = from_height;
        Ok(next)
    }

    fn apply(&mut self, change: &ValidatorChange) -> Result<(), ValidatorChangeError> {
        match change {
            ValidatorChange::Add { validator, address } => {
                check_info(validator)?;
                address.check().map_err(ValidatorChangeError::BadAddress)?;
                let same = |v: &&ValidatorInfo| {
                    v.public_key == validator.public_key || v.node_id == validator.node_id
                };
                if let Some(known) = self.validators.iter().find(same) {
                    return Err(ValidatorChangeError::Duplicate(known.node_id.clone()));
                }
                self.addresses.insert(validator.public_key, address.clone());
                self.validators.push(validator.clone());
            }
            ValidatorChange::Remove { public_key } => {
                self.require(public_key)?;
                self.validators.retain(|v| v.public_key != *public_key);
                self.addresses.remove(public_key);
            }
            ValidatorChange::Readdress {
                public_key,
                address,
            } => {
                self.require(public_key)?;
                address.check().map_err(ValidatorChangeError::BadAddress)?;
                self.addresses.insert(*public_key, address.clone());
            }
            ValidatorChange::SetQuorum { quorum } => self.quorum = *quorum,
        }
        Ok(())
    }

    fn require(&self, key: &PublicKey) -> Result<(), ValidatorChangeError> {
        match self.contains(key) {
            true => Ok(()),
            false => Err(ValidatorChangeError::Unknown(*key)),
        }
    }

    /// Whether no key and no name stands twice, as in every set that genesis and changes make.
    pub(crate) fn is_sound(&self) -> bool {
        let keys: BTreeSet<_> = self.validators.iter().map(|v| v.public_key).collect();
        !keys.is_empty()
            && keys.len() == self.validators.len()
            && keys.len() <= Genesis::VALIDATORS_MAX
    }
}

fn check_info(validator: &ValidatorInfo) -> Result<(), ValidatorChangeError> {
    let node_id = &validator.node_id;
    if node_id.is_empty()
        || node_id.len() > NODE_ID_BYTES_MAX
        || !node_id.bytes().all(|b| b.is_ascii_graphic())
    {
        return Err(ValidatorChangeError::BadNodeId(clipped(node_id)));
    }
    if !validator.public_key.is_valid() {
        return Err(ValidatorChangeError::BadKey(node_id.clone()));
    }
    Ok(())
}
