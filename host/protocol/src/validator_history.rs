//! The validator sets of a chain, one after the other, and how to follow them from genesis.
//!
//! Every header commits to all sets decided so far ([`Header::validators`]), so whoever knows the
//! sets up to a block verifies it, and whoever does not learns them from the few headers that
//! decided a change: each is certified by the set before. What stands behind a set is the quorum of
//! the one before it, while it was in force.

use serde::{Deserialize, Serialize};

use crate::{
    CertificateError, CommitCertificate, Genesis, Hash, Header, PublicKey, ValidatorChange,
    ValidatorChangeError, ValidatorSet, codec, validator_set::VALIDATOR_CHANGE_DELAY,
};

/// Heights for which a validator that left may stay connected, so that it hears of its own removal.
const LEAVING_HEIGHTS: u64 = 100;

/// Proof that one set followed another: the header that decided it, certified by the set before.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    borsh::BorshSerialize,
    borsh::BorshDeserialize,
)]
#[serde(deny_unknown_fields)]
pub struct ValidatorSetProof {
    /// The block that decided the change.
    pub header: Header,
    /// A quorum's precommits for it.
    pub certificate: CommitCertificate,
    /// The set that it decided.
    pub set: ValidatorSet,
}

/// Why a header proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Of another network, or in another version.
    #[error("the header is of network {0}, or of another version of the software")]
    OtherNetwork(Hash),
    /// Header and certificate are of different blocks.
    #[error("the certificate is of another block")]
    OtherBlock,
    /// The header commits to other validator sets than those known.
    #[error(
        "the header commits to other validator sets than those known; the proofs of all changes \
         since genesis are needed"
    )]
    OtherValidators,
    /// The certificate does not hold.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// Why a proof of a change does not continue what is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorProofError {
    /// It decides nothing after the sets known.
    #[error("the change of validators decided at height {0} does not follow the one before")]
    OutOfOrder(u64),
    /// The set is not the one that the header commits to.
    #[error("the header at height {0} commits to another validator set")]
    OtherSet(u64),
    /// The header does not hold.
    #[error("the change of validators decided at height {height}: {error}")]
    Header {
        /// The height.
        height: u64,
        /// Why.
        error: HeaderError,
    },
}

/// Every validator set decided so far, from genesis on, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatorHistory {
    genesis: Hash,
    sets: Vec<ValidatorSet>,
    /// The commitment to the sets up to each.
    links: Vec<Hash>,
}

impl ValidatorHistory {
    /// The history of a network that has changed nothing.
    pub fn new(genesis: &Genesis) -> Self {
        let set = ValidatorSet::of_genesis(genesis);
        let links = vec![link(None, &set)];
        Self {
            genesis: genesis.hash(),
            sets: vec![set],
            links,
        }
    }

    /// The history that [`sets`](Self::sets) told; nothing where it cannot be this network's.
    pub fn from_sets(genesis: &Genesis, sets: Vec<ValidatorSet>) -> Option<Self> {
        let mut history = Self::new(genesis);
        let mut sets = sets.into_iter();
        if sets.next()? != history.sets[0] {
            return None;
        }
        for set in sets {
            if !set.is_sound() || set.from_height <= history.latest().from_height {
                return None;
            }
            history.push(set);
        }
        Some(history)
    }

    /// The network.
    pub fn genesis(&self) -> &Hash {
        &self.genesis
    }

    /// All sets, from that of genesis on.
    pub fn sets(&self) -> &[ValidatorSet] {
        &self.sets
    }

    /// The set that decides `height`, as far as is known.
    pub fn at(&self, height: u64) -> &ValidatorSet {
        let in_force = self.sets.iter().rev().find(|s| s.from_height <= height);
        in_force.unwrap_or(&self.sets[0])
    }

    /// The last set decided, which may govern later heights only.
    pub fn latest(&self) -> &ValidatorSet {
        self.sets.last().unwrap_or(&self.sets[0])
    }

    /// Commitment to all sets.
    pub fn hash(&self) -> Hash {
        self.links.last().copied().unwrap_or(Hash::ZERO)
    }

    /// Who may be connected at `height` without being a validator of it: those who are about to
    /// join, and for a while those who left.
    pub fn followers(&self, height: u64) -> Vec<PublicKey> {
        let validators = self.at(height);
        let mut followers = Vec::new();
        for (index, set) in self.sets.iter().enumerate() {
            let superseded = self.sets.get(index + 1).map(|next| next.from_height);
            if superseded.is_none_or(|at| height < at.saturating_add(LEAVING_HEIGHTS)) {
                followers.extend(set.keys());
            }
        }
        followers.sort_unstable();
        followers.dedup();
        followers.retain(|key| !validators.contains(key));
        followers
    }

    /// Decides `changes` in the block at `height`. Several of one block add up.
    pub fn decide(
        &mut self,
        height: u64,
        changes: &[ValidatorChange],
    ) -> Result<(), ValidatorChangeError> {
        let from_height = height.saturating_add(VALIDATOR_CHANGE_DELAY);
        let set = self.latest().changed(changes, from_height)?;
        if self.latest().from_height == from_height {
            self.sets.pop();
            self.links.pop();
        }
        self.push(set);
        Ok(())
    }

    /// Takes up a change that `proof` shows.
    pub fn extend(&mut self, proof: &ValidatorSetProof) -> Result<(), ValidatorProofError> {
        let ValidatorSetProof {
            header,
            certificate,
            set,
        } = proof;
        let height = header.height;
        if set.from_height != height.saturating_add(VALIDATOR_CHANGE_DELAY)
            || set.from_height <= self.latest().from_height
        {
            return Err(ValidatorProofError::OutOfOrder(height));
        }
        let mut extended = self.clone();
        extended.push(set.clone());
        if !set.is_sound() || header.validators != Some(extended.hash()) {
            return Err(ValidatorProofError::OtherSet(height));
        }
        extended
            .verify_header(header, certificate)
            .map_err(|error| ValidatorProofError::Header { height, error })?;
        *self = extended;
        Ok(())
    }

    /// Takes up those of `proofs` that are not known yet.
    pub fn extend_all(&mut self, proofs: &[ValidatorSetProof]) -> Result<(), ValidatorProofError> {
        let known = self.latest().from_height;
        let news = proofs.iter().filter(|proof| proof.set.from_height > known);
        for proof in news {
            self.extend(proof)?;
        }
        Ok(())
    }

    /// Checks that a quorum of the validators of its height committed `header`; returns its hash.
    pub fn verify_header(
        &self,
        header: &Header,
        certificate: &CommitCertificate,
    ) -> Result<Hash, HeaderError> {
        if header.genesis != self.genesis || !header.is_well_formed() {
            return Err(HeaderError::OtherNetwork(header.genesis));
        }
        let hash = header.hash();
        if certificate.height != header.height || certificate.block_hash != hash {
            return Err(HeaderError::OtherBlock);
        }
        if !self.knows(header) {
            return Err(HeaderError::OtherValidators);
        }
        let set = self.at(header.height);
        certificate.verify(&self.genesis, set.quorum, &set.validators)?;
        Ok(hash)
    }

    /// Whether `header` commits to the sets known here. One of version 1 commits to those of genesis
    /// alone: once a change is decided, no such header is of this chain, whoever signed it.
    pub fn knows(&self, header: &Header) -> bool {
        let committed = header.validators.or(self.links.first().copied());
        committed == Some(self.hash_at(header.height))
    }

    /// Commitment to the sets decided up to `height`.
    fn hash_at(&self, height: u64) -> Hash {
        let decided = height.saturating_add(VALIDATOR_CHANGE_DELAY);
        let sets = self.sets.iter().zip(&self.links).rev();
        let mut known = sets.filter(|(set, _)| set.from_height <= decided);
        known.next().map_or(Hash::ZERO, |(_, link)| *link)
    }

    fn push(&mut self, set: ValidatorSet) {
        self.links.push(link(self.links.last(), &set));
        self.sets.push(set);
    }
}

fn link(before: Option<&Hash>, set: &ValidatorSet) -> Hash {
    Hash::of_parts([
        b"tabella/validators/v1".as_slice(),
        &before.unwrap_or(&Hash::ZERO).0,
        &codec::encode(set),
    ])
}
