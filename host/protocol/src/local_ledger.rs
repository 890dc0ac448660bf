//! A backend's local ledger: the genesis that pins it to one backend and one network, and the ledger as an
//! auditor takes it away.

use serde::{Deserialize, Serialize};

use crate::{CommitCertificate, Genesis, Hash, HexBytes, PublicKey, Quorum, ValidatorInfo};

/// Largest block of a local ledger: a plugin and a group of ballots.
const BLOCK_BYTES_MAX: u32 = 4 << 20;

/// Returns the genesis of the local ledger of the backend with `key`, for `network`.
pub fn local_genesis(network: &Genesis, key: PublicKey) -> Genesis {
    Genesis {
        version: Genesis::VERSION,
        chain_id: network.chain_id,
        network: name(network),
        timestamp_ms: network.timestamp_ms,
        quorum: Quorum::Majority,
        validators: vec![validator(key)],
        authorities: network.authorities.clone(),
        plugin_limits: network.plugin_limits.clone(),
        block_bytes_max: BLOCK_BYTES_MAX,
        expiry_heights_max: Genesis::EXPIRES_ELSEWHERE,
    }
}

/// Whether `genesis` is that of the local ledger of the backend with `key`, for `network`.
pub fn is_local_genesis_of(genesis: &Genesis, network: &Genesis, key: &PublicKey) -> bool {
    genesis.chain_id == network.chain_id
        && genesis.network == name(network)
        && genesis.validators == [validator(*key)]
        && genesis.authorities == network.authorities
        && genesis.plugin_limits == network.plugin_limits
        && genesis.expiry_heights_max == Genesis::EXPIRES_ELSEWHERE
}

/// What the ledger is called, which pins it to one network.
fn name(network: &Genesis) -> String {
    format!("local ledger for {} {}", network.network, network.hash())
}

fn validator(public_key: PublicKey) -> ValidatorInfo {
    ValidatorInfo {
        node_id: "backend".to_owned(),
        public_key,
    }
}

/// One line of a local ledger's export: the genesis first, then every block, each followed by what became of
/// those of its ballots that the network refused. `tabella verify local-ledger` reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "line", deny_unknown_fields)]
pub enum LedgerLine {
    /// What pins the ledger to one backend and one network.
    Genesis {
        /// The document.
        genesis: Box<Genesis>,
    },
    /// One block.
    Block {
        /// The canonical bytes of the block.
        block: HexBytes,
        /// The backend's signature of it.
        certificate: CommitCertificate,
    },
    /// A ballot that the network refused.
    Refused {
        /// The transaction in the ledger.
        transaction_id: Hash,
        /// The stable code.
        code: String,
        /// Why, for people.
        reason: String,
    },
    /// A ballot that the network has not settled yet.
    Unsettled {
        /// The transaction in the ledger.
        transaction_id: Hash,
    },
    /// The end, so that a broken transfer is noticed.
    End {
        /// How many blocks there are.
        blocks: u64,
    },
}
