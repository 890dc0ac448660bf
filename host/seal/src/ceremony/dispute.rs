//! The complaint about a share, which shows what only dealer and complainer knew, so that everybody can decide it.

use super::{
    Ceremony, CeremonyError, Commit, Deal, Trustee,
    deal::{Ends, split},
};
use crate::{
    equality::Statement,
    group,
    transcript::{Transcript, joined},
};

/// The secret of a complainer with one dealer, and the proof that it is that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// The point that unmasks the share.
    pub shared: [u8; 32],
    /// The proof that it is the complainer's decryption of the dealer's point.
    pub proof: [u8; 64],
}

impl Trustee {
    /// The complaint about what this dealer dealt to this trustee. It gives that one share away.
    pub fn dispute(&self, dealer: u8, deal: &Deal) -> Result<Dispute, CeremonyError> {
        self.ceremony.check_index(dealer)?;
        let bad = CeremonyError::Point { index: dealer };
        let share = deal.shares.get(usize::from(self.index) - 1).ok_or(bad)?;
        let base = group::point(&split(share).0).ok_or(bad)?;
        let image = *self.decryption * base;
        let own = group::encoded(&curve25519_dalek::RistrettoPoint::mul_base(
            &self.decryption,
        ));
        let context = context(&self.ceremony, dealer, self.index);
        let statement = statement(&context, own, base, image);
        let shared = group::encoded(&image);
        // Another dealer or another deal has another nonce.
        let message = Transcript::untagged()
            .bytes(&context)
            .bytes(share)
            .bytes(&shared);
        let nonce = self.secret.nonce("dispute", dealer.into(), &message.wide());
        Ok(Dispute {
            proof: statement.prove(&self.decryption, &nonce),
            shared,
        })
    }
}

impl Dispute {
    /// Whether it shows that `dealer` cheated trustee `index`. A false complaint is refused.
    pub fn check(
        &self,
        ceremony: &Ceremony,
        (dealer, deal): (u8, &Deal),
        (index, commit): (u8, &Commit),
    ) -> Result<(), CeremonyError> {
        ceremony.check_index(dealer)?;
        ceremony.check_index(index)?;
        let refused = CeremonyError::FalseDispute { index };
        let share = deal.shares.get(usize::from(index) - 1).ok_or(refused)?;
        let base = group::point(&split(share).0).ok_or(refused)?;
        let image = group::point(&self.shared).ok_or(refused)?;
        let context = context(ceremony, dealer, index);
        let statement = statement(&context, commit.encryption_key, base, image);
        let ends = Ends {
            ceremony,
            dealer,
            index,
        };
        match statement.holds(&self.proof) && deal.unmasked(&ends, &self.shared).is_none() {
            true => Ok(()),
            false => Err(refused),
        }
    }
}

fn context(ceremony: &Ceremony, dealer: u8, index: u8) -> alloc::vec::Vec<u8> {
    let [dealer, index] = [dealer, index].map(|number| u32::from(number).to_le_bytes());
    joined(&[&ceremony.context, &dealer, &index])
}

fn statement<'a>(
    context: &'a [u8],
    public: [u8; 32],
    base: curve25519_dalek::RistrettoPoint,
    image: curve25519_dalek::RistrettoPoint,
) -> Statement<'a> {
    Statement {
        tag: "tabella/seal/dispute/v1",
        context,
        public,
        base,
        image,
    }
}
