//! Whose a database is: what every start over it must bring, and every backend that shares it.

use borsh::{BorshDeserialize, BorshSerialize};
use tabella_protocol::{Hash, PublicKey};

use super::OpenError;

/// What all starts over one database must agree on.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Identity {
    /// The network.
    pub genesis_hash: Hash,
    /// The key that signs ballots.
    pub registrar: PublicKey,
    /// Says nothing of the master secret, but is another for every other.
    pub secret_fingerprint: Hash,
}

impl Identity {
    /// Bytes of an encoded one.
    pub(super) const BYTES: usize = 96;

    /// Refuses a start that brings another one than the database, whose this is, was begun with.
    pub(super) fn require(&self, brought: &Self) -> Result<(), OpenError> {
        if self.genesis_hash != brought.genesis_hash {
            let (expected, got) = (self.genesis_hash, brought.genesis_hash);
            return Err(OpenError::Mismatch(format!(
                "the database belongs to another network: expected the genesis {expected}, got {got}; \
                 name that network's in `genesis`, or give each network a database of its own"
            )));
        }
        if self.registrar != brought.registrar {
            let (expected, got) = (self.registrar, brought.registrar);
            return Err(OpenError::Mismatch(format!(
                "the database belongs to another registrar: expected the registrar key {expected}, got {got}, with \
                 which no ballot in it could be signed again; name the old key in `registrar_key`, the same for every \
                 backend over it"
            )));
        }
        if self.secret_fingerprint != brought.secret_fingerprint {
            let (expected, got) = (self.secret_fingerprint, brought.secret_fingerprint);
            return Err(OpenError::Mismatch(format!(
                "the database belongs to another master secret, and with this one voters could vote a second time: \
                 expected the one with the fingerprint {expected}, got {got}; name the old one in `master_secret_file`, \
                 the same for every backend over it"
            )));
        }
        Ok(())
    }
}
