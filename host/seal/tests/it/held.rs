//! A ceremony that was held, for tests and the bench.

use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};
use tabella_seal::{
    ceremony::{Ceremony, Commit, Deal, Keys, Trustee},
    opening::Share,
};

/// A ceremony in the context of 32 sevens; trustee i has the seed of 32 bytes i.
pub(crate) struct Held {
    pub(crate) trustees: Vec<Trustee>,
    pub(crate) commits: Vec<Commit>,
    pub(crate) deals: Vec<Deal>,
    pub(crate) keys: Keys,
}

impl Held {
    pub(crate) fn new(threshold: u8, trustees: u8) -> Self {
        let ceremony = Ceremony::new([7; 32], threshold, trustees).expect("a ceremony");
        let trustee = |index| Trustee::new(&[index; 32], &ceremony, index).expect("a trustee");
        let trustees: Vec<Trustee> = (1..=trustees).map(trustee).collect();
        let commits: Vec<Commit> = trustees.iter().map(Trustee::commit).collect();
        let deal = |trustee: &Trustee| trustee.deal(&commits).expect("a deal");
        let deals: Vec<Deal> = trustees.iter().map(deal).collect();
        let keys = Keys::new(&ceremony, &commits, &deals).expect("keys");
        Self {
            trustees,
            commits,
            deals,
            keys,
        }
    }

    pub(crate) fn share(&self, index: u8) -> Share {
        let trustee = &self.trustees[usize::from(index) - 1];
        trustee.share(&self.commits, &self.deals).expect("a share")
    }
}

/// The first secret that a trustee of a `Held` of so many derives under a label, as docs/sealed.md says.
pub(crate) fn derived(index: u8, (threshold, trustees): (u8, u8), label: &str) -> Scalar {
    let mut secret = Sha512::new_with_prefix("tabella/seal/trustee/v1");
    secret.update([index; 32]);
    secret.update([7; 32]);
    for number in [index, threshold, trustees] {
        secret.update(u32::from(number).to_le_bytes());
    }
    let secret: [u8; 64] = secret.finalize().into();
    let hash = Sha512::new_with_prefix("tabella/seal/nonce/v1")
        .chain_update(&secret[..32])
        .chain_update((label.len() as u32).to_le_bytes())
        .chain_update(label)
        .chain_update(0u32.to_le_bytes());
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}
