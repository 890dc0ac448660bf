//! Peer records: where a validator can be reached, signed by its key.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{Genesis, Hash, PublicKey, Signature, SigningKey, consensus_vote::signing_bytes};

/// A validator's signed statement of its addresses. Of two valid ones, the higher sequence holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerRecord {
    /// The network.
    pub genesis: Hash,
    /// The validator's name in genesis.
    pub node_id: String,
    /// The validator's key.
    pub public_key: PublicKey,
    /// Consensus address, `host:port`.
    pub p2p_address: String,
    /// JSON-RPC address, an `http://` URL.
    pub rpc_url: String,
    /// Grows with every record of this validator; its start time in milliseconds serves.
    pub sequence: u64,
    /// Unix milliseconds after which the record is void.
    pub expires_at_ms: u64,
    /// The validator's signature over all of the above.
    pub signature: Signature,
}

/// Why a peer record is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerRecordError {
    /// For another network.
    #[error("expected a record for network {expected}, got one for {got}")]
    OtherNetwork {
        /// Ours.
        expected: Hash,
        /// The record's.
        got: Hash,
    },
    /// Not the key of a validator.
    #[error("{0} is not a validator of this network")]
    UnknownValidator(PublicKey),
    /// The signature does not verify.
    #[error("the record of {0} is not signed by its key")]
    BadSignature(String),
    /// Its time has passed.
    #[error("the record of {node_id} expired at {expires_at_ms}, now is {now_ms}")]
    Expired {
        /// Whose.
        node_id: String,
        /// When.
        expires_at_ms: u64,
        /// The reader's clock.
        now_ms: u64,
    },
    /// It claims to hold for longer than records may.
    #[error("expected an expiry at most {max_ms} ms ahead")]
    ExpiresTooLate {
        /// The bound.
        max_ms: u64,
    },
    /// An address that cannot be one.
    #[error("expected {expected}, got {got:?}")]
    BadAddress {
        /// The form.
        expected: &'static str,
        /// What came.
        got: String,
    },
    /// Older than the one already known.
    #[error("expected a sequence above {known}, got {got}")]
    Stale {
        /// The known sequence.
        known: u64,
        /// The record's.
        got: u64,
    },
}

impl PeerRecord {
    /// How far ahead a record's expiry may lie.
    pub const TTL_MS_MAX: u64 = 24 * 60 * 60 * 1000;
    const ADDRESS_BYTES_MAX: usize = 300;

    /// Signs the record; whatever stands in `signature` is replaced.
    pub fn sign(mut self, key: &SigningKey) -> Self {
        self.signature = key.sign(&self.message());
        self
    }

    /// Checks that the record is a validator's of `genesis`, well-formed, signed and in date.
    /// Whether it is newer than a known one is the holder's question.
    pub fn check(&self, genesis: &Genesis, now_ms: u64) -> Result<(), PeerRecordError> {
        let expected = genesis.hash();
        if self.genesis != expected {
            return Err(PeerRecordError::OtherNetwork {
                expected,
                got: self.genesis,
            });
        }
        if genesis.node_id(&self.public_key) != Some(self.node_id.as_str()) {
            return Err(PeerRecordError::UnknownValidator(self.public_key));
        }
        if !self.public_key.verify(&self.message(), &self.signature) {
            return Err(PeerRecordError::BadSignature(self.node_id.clone()));
        }
        if self.expires_at_ms <= now_ms {
            return Err(PeerRecordError::Expired {
                node_id: self.node_id.clone(),
                expires_at_ms: self.expires_at_ms,
                now_ms,
            });
        }
        if self.expires_at_ms - now_ms > Self::TTL_MS_MAX {
            return Err(PeerRecordError::ExpiresTooLate {
                max_ms: Self::TTL_MS_MAX,
            });
        }
        self.check_addresses()
    }

    fn check_addresses(&self) -> Result<(), PeerRecordError> {
        let bad = |expected, got: &str| {
            let got = got.chars().take(120).collect();
            Err(PeerRecordError::BadAddress { expected, got })
        };
        let port = self
            .p2p_address
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse::<u16>().ok());
        if self.p2p_address.len() > Self::ADDRESS_BYTES_MAX || port.is_none() {
            return bad("a p2p address host:port", &self.p2p_address);
        }
        if self.rpc_url.len() > Self::ADDRESS_BYTES_MAX
            || !(self.rpc_url.starts_with("http://") || self.rpc_url.starts_with("https://"))
        {
            return bad(
                "an rpc_url that starts with http:// or https://",
                &self.rpc_url,
            );
        }
        Ok(())
    }

    fn message(&self) -> Vec<u8> {
        let fields = (
            &self.node_id,
            &self.public_key,
            &self.p2p_address,
            &self.rpc_url,
            self.sequence,
            self.expires_at_ms,
        );
        signing_bytes(b"tabella/peer-record/v1", &self.genesis, &fields)
    }
}
