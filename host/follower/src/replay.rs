//! Executing a chain from a file, believing nothing but its genesis.

use std::path::Path;

use tabella_ledger::{InvalidBlock, Ledger, LedgerError};
use tabella_protocol::{
    CertificateError, CommitCertificate, Genesis, Hash, HeaderError, Transaction, TransactionError,
};

/// A chain that is executed again, every signature and every ballot checked.
pub struct Replay {
    ledger: Ledger,
    signatures: u64,
}

/// Why a block does not hold.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// No quorum of the height's validators signed it.
    #[error("the certificate does not hold")]
    Certificate(#[from] CertificateError),
    /// It is not the block that follows.
    #[error("the block is not valid")]
    Invalid(#[from] InvalidBlock),
    /// It commits to validators that execution does not give.
    #[error("the header does not hold")]
    Header(#[from] HeaderError),
    /// A transaction cannot be read back.
    #[error("a transaction cannot be read")]
    Transaction(#[from] TransactionError),
    /// This machine failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Replay {
    /// Starts at `genesis` in an empty `directory` of the caller's. Nothing written is durable.
    pub fn start(directory: &Path, genesis: Genesis) -> Result<Self, LedgerError> {
        Ok(Self {
            ledger: Ledger::open_scratch(directory, genesis)?,
            signatures: 0,
        })
    }

    /// Checks and executes the next block.
    pub fn apply(
        &mut self,
        block: &[u8],
        certificate: &CommitCertificate,
    ) -> Result<(), ReplayError> {
        let history = self.ledger.validators();
        let set = history.at(self.ledger.tip().height + 1);
        certificate.verify(&self.ledger.genesis_hash(), set.quorum, &set.validators)?;
        let executed = self.ledger.check(block, |_| None)??;
        let header = executed.header().clone();
        if (certificate.height, certificate.block_hash) != (header.height, executed.hash()) {
            return Err(HeaderError::OtherBlock.into());
        }
        self.ledger.commit(executed, certificate)?;
        // The sets decided up to this block are known only now.
        self.ledger
            .validators()
            .verify_header(&header, certificate)?;
        self.signatures += u64::from(header.transaction_count);
        self.signatures += certificate.signatures.len() as u64;
        Ok(())
    }

    /// Returns the chain as far as it was executed.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Returns how many signatures held: of certificates and of transactions.
    pub fn signatures(&self) -> u64 {
        self.signatures
    }

    /// Returns the transactions of the newest block with their ids, in order.
    pub fn newest_transactions(&self) -> Result<Vec<(Hash, Transaction)>, ReplayError> {
        let Some(stored) = self.ledger.block(self.ledger.tip().height)? else {
            return Ok(Vec::new());
        };
        let transactions = stored.block.transactions.iter();
        transactions
            .map(|bytes| Ok((Hash::of(bytes), Transaction::from_bytes(bytes)?)))
            .collect()
    }
}
