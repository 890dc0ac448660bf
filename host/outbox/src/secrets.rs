//! What is derived from the master secret.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tabella_protocol::Hash;

/// The master secret, from which the others are derived.
#[derive(Clone)]
pub struct MasterSecret(String);

impl MasterSecret {
    /// Of the text in its file.
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret under which the voters whom a registrar names get their pseudonyms in one election.
    pub(crate) fn election(&self, genesis: &Hash, election_id: u64) -> [u8; 32] {
        self.derive(&[b"election", &genesis.0, &election_id.to_be_bytes()])
    }

    /// The secret under which accounts get their pseudonyms in one election: another than that of the
    /// voters whom a registrar names, so that no account can have the pseudonym of one.
    pub(crate) fn accounts(&self, genesis: &Hash, election_id: u64) -> [u8; 32] {
        self.derive(&[b"accounts", &genesis.0, &election_id.to_be_bytes()])
    }

    /// The key that signs login tokens.
    pub fn tokens(&self, genesis: &Hash) -> [u8; 32] {
        self.derive(&[b"tokens", &genesis.0])
    }

    /// Tells this secret from others, and nothing more.
    pub fn fingerprint(&self, genesis: &Hash) -> Hash {
        Hash(self.derive(&[b"fingerprint", &genesis.0]))
    }

    fn derive(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.0.as_bytes())
            .expect("HMAC takes a key of any length");
        mac.update(b"tabella/master-secret/v1");
        for part in parts {
            // Lengths keep neighbours apart.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_purpose_has_its_own_secret() {
        let master = MasterSecret::new("m".repeat(32));
        let (one, two) = (Hash([1; 32]), Hash([2; 32]));
        let secrets = [
            master.election(&one, 1),
            master.election(&one, 2),
            master.election(&two, 1),
            master.accounts(&one, 1),
            master.accounts(&one, 2),
            master.tokens(&one),
            master.fingerprint(&one).0,
        ];
        for (i, a) in secrets.iter().enumerate() {
            assert!(secrets[i + 1..].iter().all(|b| a != b));
        }
    }
}
