//! Elections as they stand on the chain: their rules, their rolls, their boards.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::{Eligibility, Hash, PublicKey, codec, hash::hex_text};

/// Who cast a ballot, as the chain sees it: a pseudonym, or a credential's public key.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, std::hash::Hash, BorshSerialize, BorshDeserialize,
)]
pub struct VoterId(pub [u8; 32]);

hex_text!(VoterId, 32);

impl VoterId {
    /// The pseudonym of a voter in one election: HMAC-SHA256 of the voter id under the election's
    /// secret, so that the chain carries nothing a reader could guess voter ids against.
    pub fn pseudonym(election_secret: &[u8; 32], voter_id: &str) -> Self {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(election_secret)
            .expect("HMAC takes a key of any length");
        mac.update(voter_id.as_bytes());
        Self(mac.finalize().into_bytes().into())
    }
}

impl From<PublicKey> for VoterId {
    fn from(key: PublicKey) -> Self {
        Self(key.0)
    }
}

/// An option that a contest offers.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct OptionSpec {
    /// The id that ballots name; unique in the contest.
    pub id: String,
    /// The name that people read.
    pub title: String,
}

/// One question of an election and the rule that decides it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct ContestSpec {
    /// The id that ballots with several contests name; unique in the election.
    pub id: String,
    /// The question that people read.
    pub title: String,
    /// SHA-256 of the rule plugin's Wasm bytes, published on the chain before.
    pub plugin: Hash,
    /// What can be voted for.
    pub options: Vec<OptionSpec>,
    /// The rule's parameters: the text of a JSON object, as the plugin's schema describes it.
    pub params: String,
}

/// What a second ballot of one voter does.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Revote {
    /// It is refused.
    Refuse,
    /// The last one in chain order counts.
    Last,
}

/// When backends show counts. Whoever may read blocks can count at any time.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Disclosure {
    /// Only after the close; before it, turnout alone.
    AtClose,
    /// At any time.
    Live,
}

/// An election as its author states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct ElectionSpec {
    /// The name that people read.
    pub title: String,
    /// The questions.
    pub contests: Vec<ContestSpec>,
    /// Who may vote.
    pub eligibility: Eligibility,
    /// What a second ballot does.
    pub revote: Revote,
    /// When backends show counts.
    pub disclosure: Disclosure,
}

/// Why an election cannot be created as stated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("election cannot be created: {0}")]
pub struct ElectionSpecError(pub String);

impl ElectionSpec {
    /// Most contests in one election.
    pub const CONTESTS_MAX: usize = 64;
    /// Most options in one contest.
    pub const OPTIONS_MAX: usize = 1_024;
    /// Longest title or id, in bytes.
    pub const TEXT_BYTES_MAX: usize = 512;
    /// Longest parameter object, in bytes.
    pub const PARAMS_BYTES_MAX: usize = 64 << 10;

    /// Whether the shape is sound. That the plugins exist and accept the parameters is the
    /// ledger's question.
    pub fn check(&self) -> Result<(), ElectionSpecError> {
        let refuse = |reason: String| Err(ElectionSpecError(reason));
        check_text("title", &self.title)?;
        if self.contests.is_empty() || self.contests.len() > Self::CONTESTS_MAX {
            return refuse(format!(
                "expected 1 to {} contests, got {}",
                Self::CONTESTS_MAX,
                self.contests.len()
            ));
        }
        let ids: BTreeSet<_> = self.contests.iter().map(|c| &c.id).collect();
        if ids.len() != self.contests.len() {
            return refuse("two contests share an id".into());
        }
        for contest in &self.contests {
            contest.check()?;
        }
        if let Some(registrar) = self.eligibility.registrar()
            && !registrar.is_valid()
        {
            return refuse(format!(
                "registrar {registrar} is not an ed25519 public key"
            ));
        }
        Ok(())
    }
}

impl ContestSpec {
    fn check(&self) -> Result<(), ElectionSpecError> {
        let refuse = |reason: String| Err(ElectionSpecError(reason));
        check_text("contest id", &self.id)?;
        check_text("contest title", &self.title)?;
        if self.options.is_empty() || self.options.len() > ElectionSpec::OPTIONS_MAX {
            return refuse(format!(
                "expected 1 to {} options in contest {:?}, got {}",
                ElectionSpec::OPTIONS_MAX,
                self.id,
                self.options.len()
            ));
        }
        let ids: BTreeSet<_> = self.options.iter().map(|o| &o.id).collect();
        if ids.len() != self.options.len() {
            return refuse(format!("two options of contest {:?} share an id", self.id));
        }
        for option in &self.options {
            check_text("option id", &option.id)?;
            check_text("option title", &option.title)?;
        }
        if self.params.len() > ElectionSpec::PARAMS_BYTES_MAX {
            return refuse(format!(
                "expected at most {} bytes of parameters in contest {:?}, got {}",
                ElectionSpec::PARAMS_BYTES_MAX,
                self.id,
                self.params.len()
            ));
        }
        match serde_json::from_str::<serde_json::Value>(&self.params) {
            Ok(serde_json::Value::Object(_)) => Ok(()),
            _ => refuse(format!(
                "params of contest {:?} are not a JSON object",
                self.id
            )),
        }
    }
}

fn check_text(what: &str, text: &str) -> Result<(), ElectionSpecError> {
    if text.is_empty() || text.len() > ElectionSpec::TEXT_BYTES_MAX {
        return Err(ElectionSpecError(format!(
            "expected 1 to {} bytes of {what}, got {}",
            ElectionSpec::TEXT_BYTES_MAX,
            text.len()
        )));
    }
    Ok(())
}

/// One entry of a roll: a pseudonym or credential key, and what its ballot weighs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(deny_unknown_fields)]
pub struct RollEntry {
    /// Who may vote.
    pub voter: VoterId,
    /// How much the ballot counts; at least 1.
    pub weight: u32,
}

/// What a board's log holds for one accepted ballot; its encoding is the log's leaf.
///
/// The ballot itself stands in the block; here is its hash, so that a receipt proves the ballot
/// without showing it.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct BoardEntry {
    /// The election.
    pub election_id: u64,
    /// The place on the board, from 0.
    pub position: u64,
    /// The transaction that cast the ballot.
    pub transaction_id: Hash,
    /// Who cast it.
    pub voter: VoterId,
    /// How much it counts.
    pub weight: u32,
    /// SHA-256 of the canonical bytes of the ballot (one byte string per contest).
    pub ballot_hash: Hash,
}

impl BoardEntry {
    /// The leaf of the board's Merkle log.
    pub fn leaf(&self) -> Hash {
        crate::merkle::leaf_hash(&codec::encode(self))
    }

    /// The hash of a ballot, one canonical byte string per contest.
    pub fn ballot_hash(ballots: &[Vec<u8>]) -> Hash {
        Hash::of(&codec::encode(ballots))
    }
}

/// The head of one election's board at some height.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(deny_unknown_fields)]
pub struct BoardHead {
    /// The election.
    pub election_id: u64,
    /// How many ballots the board holds.
    pub size: u64,
    /// Root of the board's Merkle log.
    pub root: Hash,
}

impl BoardHead {
    /// The leaf of the tree that a block header's `boards_root` commits to.
    pub fn leaf(&self) -> Hash {
        crate::merkle::leaf_hash(&codec::encode(self))
    }
}
