//! What one committed block proves, checked against the validators of its height.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tabella_protocol::{
    Ack, CertificateError, CommitCertificate, Hash, Header, HeaderError, PublicKey,
    ValidatorHistory, rpc::BlockSummary, transactions_root,
};

/// A committed block whose certificate, hash, parent and transaction ids were verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedBlock {
    /// The block's hash.
    pub hash: Hash,
    /// The header.
    pub header: Header,
    /// A quorum's precommits.
    pub certificate: CommitCertificate,
    /// The ids of its transactions, in order.
    pub transaction_ids: Vec<Hash>,
}

impl VerifiedBlock {
    /// The block's height.
    pub fn height(&self) -> u64 {
        self.header.height
    }

    /// The proposer's clock when it built the block.
    pub fn timestamp(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.header.timestamp_ms.min(MILLIS_MAX))
    }
}

/// The year 9999, past which clocks are not believed.
const MILLIS_MAX: u64 = 253_402_300_799_000;

/// Why a block summary proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockProofError {
    /// Of another network.
    #[error("the block is of network {0}")]
    OtherNetwork(Hash),
    /// Not the block asked for.
    #[error("expected block {expected}, got {got}")]
    OtherHeight {
        /// The height asked for.
        expected: u64,
        /// The height that came.
        got: u64,
    },
    /// Header and certificate are of different blocks.
    #[error("the certificate of block {0} is of another block")]
    OtherBlock(u64),
    /// It does not follow the block before.
    #[error("block {0} does not follow the block before it")]
    Parent(u64),
    /// The ids are not those that the header commits to.
    #[error("the transactions of block {0} are not those that its header commits to")]
    Transactions(u64),
    /// It commits to validator sets that are not known here.
    #[error("block {0} commits to validator sets that are not proven")]
    Validators(u64),
    /// The certificate does not hold.
    #[error("the certificate of block {height} does not hold: {error}")]
    Certificate {
        /// The block.
        height: u64,
        /// Why.
        error: CertificateError,
    },
}

/// The block that a proof must follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockProof {
    /// The height that is expected.
    pub height: u64,
    /// The hash of the block before, where it is known.
    pub parent: Option<Hash>,
}

impl BlockProof {
    /// Checks everything that `summary` claims except its acks, which are left out.
    pub fn verify(
        self,
        summary: BlockSummary,
        validators: &ValidatorHistory,
    ) -> Result<VerifiedBlock, BlockProofError> {
        let BlockSummary {
            header,
            certificate,
            transaction_ids,
            ..
        } = summary;
        let hash = self.verify_header(&header, &certificate, validators)?;
        if usize::try_from(header.transaction_count) != Ok(transaction_ids.len())
            || header.transactions_root != transactions_root(&transaction_ids)
        {
            return Err(BlockProofError::Transactions(header.height));
        }
        Ok(VerifiedBlock {
            hash,
            header,
            certificate,
            transaction_ids,
        })
    }

    /// Checks that a quorum committed `header` after the block before; returns its hash.
    pub(crate) fn verify_header(
        self,
        header: &Header,
        certificate: &CommitCertificate,
        validators: &ValidatorHistory,
    ) -> Result<Hash, BlockProofError> {
        if header.genesis != *validators.genesis() || header.version != Header::VERSION {
            return Err(BlockProofError::OtherNetwork(header.genesis));
        }
        if header.height != self.height {
            return Err(BlockProofError::OtherHeight {
                expected: self.height,
                got: header.height,
            });
        }
        if self.parent.is_some_and(|parent| parent != header.parent) {
            return Err(BlockProofError::Parent(header.height));
        }
        let height = header.height;
        let verified = validators.verify_header(header, certificate);
        verified.map_err(|error| match error {
            HeaderError::OtherNetwork(network) => BlockProofError::OtherNetwork(network),
            HeaderError::OtherBlock => BlockProofError::OtherBlock(height),
            HeaderError::OtherValidators => BlockProofError::Validators(height),
            HeaderError::Certificate(error) => BlockProofError::Certificate { height, error },
        })
    }
}

/// How many validators stand behind a block: signers of its certificate and of acks that hold.
pub(crate) fn count_signers(
    header: &Header,
    hash: &Hash,
    certificate: &CommitCertificate,
    acks: &[Ack],
    validators: &ValidatorHistory,
) -> usize {
    let set = validators.at(header.height);
    let mut signers: Vec<PublicKey> = certificate.signatures.iter().map(|s| s.validator).collect();
    // More acks than validators are not worth checking.
    for ack in acks.iter().take(set.validators.len()) {
        let holds = !signers.contains(&ack.validator)
            && set.contains(&ack.validator)
            && ack.height == header.height
            && ack.block_hash == *hash
            && ack.state_root == header.state_root
            && ack.verify(validators.genesis());
        if holds {
            signers.push(ack.validator);
        }
    }
    signers.len()
}
