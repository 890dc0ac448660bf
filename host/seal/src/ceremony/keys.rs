//! What a ceremony makes: the key for all, a share for each.

use alloc::vec::Vec;

use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar};
use zeroize::Zeroizing;

use super::{
    Ceremony, CeremonyError, Commit, Deal, Trustee,
    deal::{Ends, check_count, split, value_at},
};
use crate::{Key, group, opening::Share, transcript::sha256};

/// The key of an election, and what each trustee's factors are checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The key to which ballots are sealed.
    pub key: Key,
    /// The hash of the whole ceremony.
    pub hash: [u8; 32],
    ceremony: Ceremony,
    shares: Vec<RistrettoPoint>,
}

impl Keys {
    /// What all commits and deals, in the order of trustees, make.
    pub fn new(
        ceremony: &Ceremony,
        commits: &[Commit],
        deals: &[Deal],
    ) -> Result<Self, CeremonyError> {
        let polynomials = polynomials(ceremony, commits, deals)?;
        let firsts = polynomials.iter().filter_map(|points| points.first());
        let key = Key::from_point(firsts.sum()).map_err(|_| CeremonyError::Identity)?;
        let share = |index| {
            polynomials
                .iter()
                .map(|points| value_at(points, index))
                .sum()
        };
        Ok(Self {
            key,
            hash: hash(ceremony, commits, deals),
            ceremony: ceremony.clone(),
            shares: (1..=ceremony.trustees).map(share).collect(),
        })
    }

    /// The ceremony.
    pub fn ceremony(&self) -> &Ceremony {
        &self.ceremony
    }

    /// The public key of a trustee's share, 32 bytes; `None` where there is no such trustee.
    pub fn share_key(&self, index: u8) -> Option<[u8; 32]> {
        let position = usize::from(index).checked_sub(1)?;
        self.shares.get(position).map(group::encoded)
    }
}

/// Everybody's coefficients, where all parts are there and hold.
fn polynomials(
    ceremony: &Ceremony,
    commits: &[Commit],
    deals: &[Deal],
) -> Result<Vec<Vec<RistrettoPoint>>, CeremonyError> {
    check_count(commits.len(), ceremony.trustees)?;
    check_count(deals.len(), ceremony.trustees)?;
    let mut polynomials = Vec::with_capacity(deals.len());
    for (index, (commit, deal)) in (1..).zip(commits.iter().zip(deals)) {
        commit.check(ceremony, index)?;
        deal.check(ceremony, index)?;
        deal.opens(ceremony, index, commit)?;
        polynomials.push(deal.points().ok_or(CeremonyError::Point { index })?);
    }
    Ok(polynomials)
}

/// The hash over context, commits and deals, lists with their lengths as four bytes, the lowest first.
fn hash(ceremony: &Ceremony, commits: &[Commit], deals: &[Deal]) -> [u8; 32] {
    let mut bytes = Vec::from(ceremony.context);
    let count = |bytes: &mut Vec<u8>, count: usize| bytes.extend((count as u32).to_le_bytes());
    count(&mut bytes, commits.len());
    for commit in commits {
        bytes.extend(commit.encryption_key);
        bytes.extend(commit.pok);
        bytes.extend(commit.coefficients);
    }
    count(&mut bytes, deals.len());
    for deal in deals {
        count(&mut bytes, deal.coefficients.len());
        bytes.extend(deal.coefficients.concat());
        bytes.extend(deal.pok);
        count(&mut bytes, deal.shares.len());
        bytes.extend(deal.shares.concat());
    }
    sha256("tabella/seal/key/v1", &[&bytes])
}

impl Trustee {
    /// Its share of the election's secret, from what all dealt to it. The first wrong one is named.
    pub fn share(&self, commits: &[Commit], deals: &[Deal]) -> Result<Share, CeremonyError> {
        polynomials(&self.ceremony, commits, deals)?;
        let mut sum = Zeroizing::new(Scalar::ZERO);
        for (dealer, deal) in (1..).zip(deals) {
            *sum += *self.dealt(dealer, deal)?;
        }
        Ok(Share::new(self.index, sum))
    }

    /// What one dealer dealt to this trustee.
    fn dealt(&self, dealer: u8, deal: &Deal) -> Result<Zeroizing<Scalar>, CeremonyError> {
        let wrong = CeremonyError::Share { dealer };
        let share = deal.shares.get(usize::from(self.index) - 1).ok_or(wrong)?;
        let public = group::point(&split(share).0).ok_or(wrong)?;
        let shared = Zeroizing::new(group::encoded(&(*self.decryption * public)));
        let ends = Ends {
            ceremony: &self.ceremony,
            dealer,
            index: self.index,
        };
        deal.unmasked(&ends, &shared).ok_or(wrong)
    }
}
