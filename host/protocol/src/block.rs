//! Blocks and their headers.

use std::io;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::{
    Hash, PublicKey, Transaction, TransactionError,
    codec::{self, DecodeError},
    merkle,
};

/// What a block commits to. Its hash is the block's hash and the consensus value.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Version of the encoding: 2. Receipts of version 1 still verify.
    pub version: u8,
    /// The network.
    pub genesis: Hash,
    /// From 1; the genesis document stands for height 0.
    pub height: u64,
    /// Hash of the block before; the genesis hash for the first.
    pub parent: Hash,
    /// The proposer's clock, Unix milliseconds; later than the parent's. Nothing is decided by it.
    pub timestamp_ms: u64,
    /// Who built the block.
    pub proposer: PublicKey,
    /// How many transactions it holds.
    pub transaction_count: u32,
    /// RFC 6962 root over the transaction ids, in order.
    pub transactions_root: Hash,
    /// RFC 6962 root over the heads of the boards this block appended to, by election id.
    pub boards_root: Hash,
    /// Commitment to the whole state after this block.
    pub state_root: Hash,
    /// Commitment to all validator sets decided up to this block, itself included
    /// ([`ValidatorHistory::hash`](crate::ValidatorHistory::hash)); absent in version 1, whose
    /// networks kept the validators of genesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validators: Option<Hash>,
}

impl Header {
    /// The version this code writes.
    pub const VERSION: u8 = 2;

    /// The block's hash.
    pub fn hash(&self) -> Hash {
        Hash::of_parts([b"tabella/header/v1".as_slice(), &codec::encode(self)])
    }

    /// Whether the version is known and the header has exactly its fields.
    pub fn is_well_formed(&self) -> bool {
        match self.version {
            1 => self.validators.is_none(),
            Self::VERSION => self.validators.is_some(),
            _ => false,
        }
    }
}

// By hand, because version 1 ends before `validators`.
impl BorshSerialize for Header {
    fn serialize<W: io::Write>(&self, writer: &mut W) -> io::Result<()> {
        let fields = (
            self.version,
            &self.genesis,
            self.height,
            &self.parent,
            self.timestamp_ms,
            &self.proposer,
            self.transaction_count,
            &self.transactions_root,
            &self.boards_root,
            &self.state_root,
        );
        BorshSerialize::serialize(&fields, writer)?;
        match &self.validators {
            Some(validators) => BorshSerialize::serialize(validators, writer),
            None => Ok(()),
        }
    }
}

impl BorshDeserialize for Header {
    fn deserialize_reader<R: io::Read>(reader: &mut R) -> io::Result<Self> {
        let version = u8::deserialize_reader(reader)?;
        let (genesis, height, parent, timestamp_ms, proposer) =
            BorshDeserialize::deserialize_reader(reader)?;
        let (transaction_count, transactions_root, boards_root, state_root) =
            BorshDeserialize::deserialize_reader(reader)?;
        let validators = match version {
            0 | 1 => None,
            _ => Some(Hash::deserialize_reader(reader)?),
        };
        Ok(Self {
            version,
            genesis,
            height,
            parent,
            timestamp_ms,
            proposer,
            transaction_count,
            transactions_root,
            boards_root,
            state_root,
            validators,
        })
    }
}

/// A header and the canonical bytes of its transactions.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// Canonical transaction bytes, in order.
    pub transactions: Vec<Vec<u8>>,
}

/// Why bytes are not a sound block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Not canonical bytes.
    #[error("block is {0}")]
    Decode(DecodeError),
    /// Another version.
    #[error("expected header version {expected}, got {0}", expected = Header::VERSION)]
    Version(u8),
    /// A transaction that does not decode.
    #[error("transaction {index} of the block: {error}")]
    Transaction {
        /// Its place.
        index: usize,
        /// What is wrong.
        error: TransactionError,
    },
    /// The header does not commit to these transactions.
    #[error("the header does not commit to the transactions that came with it")]
    TransactionsRoot,
}

impl From<DecodeError> for BlockError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl Block {
    /// Room for the header and the lengths, within a block's bytes.
    pub const ENVELOPE_BYTES: usize = 1_024;

    /// Reads canonical bytes and checks that the header commits to the transactions; returns the
    /// decoded transactions with their ids.
    ///
    /// [`BlockError::TransactionsRoot`] comes before anything is said of a single transaction: such
    /// bytes are not the block whose header they carry.
    pub fn decode(
        bytes: &[u8],
        bytes_max: usize,
    ) -> Result<(Self, Vec<(Hash, Transaction)>), BlockError> {
        let block: Self = codec::decode(bytes, bytes_max)?;
        if block.header.version != Header::VERSION {
            return Err(BlockError::Version(block.header.version));
        }
        let ids: Vec<Hash> = block.transactions.iter().map(|b| Hash::of(b)).collect();
        if usize::try_from(block.header.transaction_count) != Ok(ids.len())
            || block.header.transactions_root != transactions_root(&ids)
        {
            return Err(BlockError::TransactionsRoot);
        }
        let mut transactions = Vec::with_capacity(ids.len());
        for (index, (id, bytes)) in ids.into_iter().zip(&block.transactions).enumerate() {
            let transaction = Transaction::from_bytes(bytes)
                .map_err(|error| BlockError::Transaction { index, error })?;
            transactions.push((id, transaction));
        }
        Ok((block, transactions))
    }
}

/// RFC 6962 root over transaction ids.
pub fn transactions_root<'a>(ids: impl IntoIterator<Item = &'a Hash>) -> Hash {
    let leaves: Vec<Hash> = ids.into_iter().map(|id| merkle::leaf_hash(&id.0)).collect();
    merkle::root(&leaves)
}
