//! Receipts: a ballot's proof that it stands on the board, checked with no network.

use serde::{Deserialize, Serialize};

use crate::{
    Ack, BoardEntry, BoardHead, CertificateError, CommitCertificate, Genesis, Hash, Header,
    HeaderError, Quorum, ValidatorHistory, ValidatorProofError, ValidatorSet, ValidatorSetProof,
    VoterId, merkle,
};

/// A proof that one ballot was recorded: entry, inclusion in the board, the board in the block, the
/// block under a commit certificate.
///
/// The file form is canonical: [`Receipt::to_json`] is the only text that [`Receipt::from_json`]
/// reads, and every value in it is under a hash or a signature, so that no byte can be changed.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Version of this document: 1, or 2 where it carries proofs of validator sets.
    pub version: u32,
    /// The network.
    pub genesis: Hash,
    /// The ballot's entry on the board.
    pub entry: BoardEntry,
    /// Inclusion proof of the entry in the board.
    pub board_path: Vec<Hash>,
    /// The board's head after the block.
    pub board: BoardHead,
    /// The head's place among the boards that the block appended to, and how many those are.
    pub board_index: u64,
    /// See `board_index`.
    pub board_count: u64,
    /// Inclusion proof of the head under the header's `boards_root`.
    pub boards_path: Vec<Hash>,
    /// The block's header.
    pub header: Header,
    /// A quorum of precommits for it.
    pub certificate: CommitCertificate,
    /// Signed post-commit acks, in ascending order of validator key.
    pub acks: Vec<Ack>,
    /// Every change of the validators from genesis up to the block, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validator_sets: Vec<ValidatorSetProof>,
}

/// What a verified receipt says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiptSummary {
    /// The election.
    pub election_id: u64,
    /// The ballot's place on the board.
    pub position: u64,
    /// Whose ballot it is: a pseudonym, or a credential.
    pub voter: VoterId,
    /// Hash of the ballot.
    pub ballot_hash: Hash,
    /// The transaction that cast it.
    pub transaction_id: Hash,
    /// The block's height.
    pub height: u64,
    /// The block's hash.
    pub block_hash: Hash,
    /// How many validators signed the block or acknowledged committing it.
    pub acks: usize,
    /// How many validators there are.
    pub of: usize,
    /// What the receipt holds against.
    pub strength: Strength,
}

/// What a receipt holds against, as JSON the sentence of its `Display` form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub enum Strength {
    /// Up to a third of the validators may lie.
    ByzantineThird,
    /// One validator may lie: all of them acknowledged the block.
    OneByzantine,
    /// No validator may lie.
    CrashesOnly,
}

impl std::fmt::Display for Strength {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ByzantineThird => "holds against Byzantine validators up to a third",
            Self::OneByzantine => "holds against one Byzantine validator",
            Self::CrashesOnly => "holds against crashed validators only",
        })
    }
}

impl From<Strength> for String {
    fn from(strength: Strength) -> Self {
        strength.to_string()
    }
}

/// Why a receipt proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Not the canonical text of a receipt.
    #[error("not a receipt: {0}")]
    Unreadable(String),
    /// Readable, but written differently from how Tabella writes it.
    #[error("the file is not byte for byte as it was issued; fetch the receipt again")]
    NotCanonical,
    /// For another network.
    #[error("the receipt is for network {got}, but this genesis is {expected}")]
    OtherNetwork {
        /// The genesis given.
        expected: Hash,
        /// The receipt's.
        got: Hash,
    },
    /// The parts do not belong together.
    #[error("the receipt is inconsistent: {0}")]
    Inconsistent(&'static str),
    /// The certificate does not hold.
    #[error("the commit certificate does not hold: {0}")]
    Certificate(CertificateError),
    /// The validators of the block's height are not proven.
    #[error("the validators at the receipt's height are not proven: {0}")]
    Validators(ValidatorProofError),
    /// The receipt's validator sets are not those that the header commits to.
    #[error("the receipt leaves out changes of the validators; fetch the receipt again")]
    OtherValidators,
}

impl From<ValidatorProofError> for ReceiptError {
    fn from(error: ValidatorProofError) -> Self {
        Self::Validators(error)
    }
}

impl From<CertificateError> for ReceiptError {
    fn from(error: CertificateError) -> Self {
        Self::Certificate(error)
    }
}

impl Receipt {
    /// The version of a receipt with this many changes of the validators before its block.
    pub fn version(validator_sets: usize) -> u32 {
        match validator_sets {
            0 => 1,
            _ => 2,
        }
    }

    /// The canonical file form.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain data serialises");
        text.push('\n');
        text
    }

    /// Reads the canonical file form, and no other spelling of it.
    pub fn from_json(text: &str) -> Result<Self, ReceiptError> {
        let receipt: Self = serde_json::from_str(text)
            .map_err(|error| ReceiptError::Unreadable(error.to_string()))?;
        if receipt.to_json() != text {
            return Err(ReceiptError::NotCanonical);
        }
        Ok(receipt)
    }

    /// Checks every hash, proof and signature against `genesis`.
    ///
    /// The certificate and the acks are checked against the validators of the receipt's height:
    /// those of genesis, or those that the receipt's chain of changes leads to.
    pub fn verify(&self, genesis: &Genesis) -> Result<ReceiptSummary, ReceiptError> {
        let inconsistent = |reason| Err(ReceiptError::Inconsistent(reason));
        let genesis_hash = genesis.hash();
        if self.version != Self::version(self.validator_sets.len()) {
            return inconsistent("unknown version");
        }
        if self.genesis != genesis_hash || self.header.genesis != genesis_hash {
            return Err(ReceiptError::OtherNetwork {
                expected: genesis_hash,
                got: self.genesis,
            });
        }
        if !self.header.is_well_formed() {
            return inconsistent("unknown header version");
        }
        if self.entry.election_id != self.board.election_id {
            return inconsistent("the entry and the board are of different elections");
        }
        if !merkle::verify_inclusion(
            &self.entry.leaf(),
            self.entry.position,
            self.board.size,
            &self.board_path,
            &self.board.root,
        ) {
            return inconsistent("the entry is not on the board");
        }
        if !merkle::verify_inclusion(
            &self.board.leaf(),
            self.board_index,
            self.board_count,
            &self.boards_path,
            &self.header.boards_root,
        ) {
            return inconsistent("the board is not in the block");
        }
        let mut history = ValidatorHistory::new(genesis);
        for proof in &self.validator_sets {
            if proof.header.height > self.header.height {
                return inconsistent("a change of the validators comes after the block");
            }
            history.extend(proof)?;
        }
        let verified = history.verify_header(&self.header, &self.certificate);
        let block_hash = verified.map_err(|error| match error {
            HeaderError::Certificate(error) => ReceiptError::Certificate(error),
            HeaderError::OtherValidators => ReceiptError::OtherValidators,
            HeaderError::OtherNetwork(_) | HeaderError::OtherBlock => {
                ReceiptError::Inconsistent("the certificate is of another block")
            }
        })?;
        let set = history.at(self.header.height);
        self.check_acks(set, &genesis_hash, &block_hash)?;
        let of = set.validators.len();
        Ok(ReceiptSummary {
            election_id: self.entry.election_id,
            position: self.entry.position,
            voter: self.entry.voter,
            ballot_hash: self.entry.ballot_hash,
            transaction_id: self.entry.transaction_id,
            height: self.header.height,
            block_hash,
            acks: self.acks.len(),
            of,
            strength: self.strength(set.quorum, of),
        })
    }

    /// Returns whether the receipt is of these ballots: canonical bytes, one for each contest.
    pub fn is_of(&self, ballots: &[Vec<u8>]) -> bool {
        self.entry.ballot_hash == BoardEntry::ballot_hash(ballots)
    }

    fn check_acks(
        &self,
        set: &ValidatorSet,
        genesis_hash: &Hash,
        block_hash: &Hash,
    ) -> Result<(), ReceiptError> {
        if !self.acks.is_sorted_by(|a, b| a.validator < b.validator) {
            return Err(ReceiptError::Inconsistent("acks are out of order"));
        }
        let holds = |ack: &Ack| {
            ack.height == self.header.height
                && ack.block_hash == *block_hash
                && ack.state_root == self.header.state_root
                && set.contains(&ack.validator)
                && ack.verify(genesis_hash)
        };
        if !self.acks.iter().all(holds) {
            return Err(ReceiptError::Inconsistent("an ack does not hold"));
        }
        Ok(())
    }

    fn strength(&self, quorum: Quorum, of: usize) -> Strength {
        match quorum {
            Quorum::Bft => Strength::ByzantineThird,
            Quorum::Majority if self.acks.len() == of && of >= 3 => Strength::OneByzantine,
            Quorum::Majority => Strength::CrashesOnly,
        }
    }
}
