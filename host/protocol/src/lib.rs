//! What Tabella's processes must agree on: values, the canonical codec, keys, proofs and RPC shapes.
//!
//! This crate does no I/O and knows neither Wasm nor storage. Everything that is hashed or signed is
//! encoded here, once, by [`codec`]; everything a third party checks offline is checked here too, so
//! that an auditor's tool and a validator run the same lines.
//!
//! - [`struct@Hash`], [`PublicKey`], [`Signature`], [`SigningKey`]: the primitives (SHA-256, strict ed25519).
//! - [`Genesis`]: what pins a network; its hash names the chain.
//! - [`Transaction`], [`Payload`], [`ElectionSpec`]: what people ask of the chain.
//! - [`sign_together`], [`BatchPlace`]: one signature for many ballots.
//! - [`Header`], [`Block`], [`CommitCertificate`], [`Ack`]: what validators agree on.
//! - [`ValidatorHistory`]: the validator sets from genesis on, and how each is proven.
//! - [`Evidence`]: proof that validators lied.
//! - [`merkle`]: RFC 6962 logs; [`Receipt`]: a proof that a ballot is on the board.
//! - [`ExportLine`]: an election as an auditor takes it away; [`LedgerLine`]: a backend's local ledger.
//! - [`PeerRecord`]: how validators find each other; [`rpc`]: the JSON-RPC shapes.
//!
//! ```
//! use tabella_protocol::{Payload, SigningKey, Transaction, TransactionBody};
//!
//! let authority = SigningKey::from_seed([7; 32]);
//! let body = TransactionBody::new(1, 100, Payload::OpenElection { election_id: 1 });
//! let transaction = Transaction::sign(body, &authority);
//! let bytes = transaction.to_bytes();
//! assert_eq!(Transaction::from_bytes(&bytes).unwrap(), transaction);
//! assert!(transaction.verify());
//! ```

mod ack;
mod batch;
mod block;
pub mod codec;
mod consensus_vote;
mod election;
mod election_export;
mod election_proof;
mod eligibility;
mod evidence;
mod genesis;
mod hash;
mod hex_bytes;
mod keys;
mod local_ledger;
pub mod merkle;
mod peer_record;
mod reader_token;
mod receipt;
pub mod rpc;
mod stated_eligibility;
mod statement;
mod transaction;
mod validator_history;
mod validator_set;

pub use ack::Ack;
pub use batch::{BatchPlace, VerifiedBatches, sign_together};
pub use block::{Block, BlockError, Header, transactions_root};
pub use consensus_vote::{
    CertificateError, CommitCertificate, CommitSignature, ConsensusProposal, ConsensusVote,
    ConsensusVoteKind,
};
pub use election::{
    BoardEntry, BoardHead, ContestSpec, Disclosure, ElectionSpec, ElectionSpecError, OptionSpec,
    Revote, RollEntry, VoterId,
};
pub use election_export::ExportLine;
pub use election_proof::{ElectionProof, ElectionProofError, ProvenElection, state_root};
pub use eligibility::{Eligibility, OpenTo, RollChanges};
pub use evidence::{Evidence, EvidenceError, EvidenceFile, EvidenceSummary, Named};
pub use genesis::{Genesis, GenesisError, Quorum, ValidatorInfo};
pub use hash::{Hash, HexError};
pub use hex_bytes::{HexBytes, HexBytesError};
pub use keys::{Address, PublicKey, Signature, SigningKey, verify_batch};
pub use local_ledger::{LedgerLine, is_local_genesis_of, local_genesis};
pub use peer_record::{PeerRecord, PeerRecordError};
pub use reader_token::{OpenBallots, ReaderToken, ReaderTokenError};
pub use receipt::{Receipt, ReceiptError, ReceiptSummary, Strength};
pub use stated_eligibility::{EligibilityKind, StatedEligibility, StatedEligibilityError};
pub use statement::{SignedProposal, SignedVote, Statement, Step, StepKind};
pub use tabella_limits::{FuelCosts, PluginLimits};
pub use transaction::{Attestation, Payload, Transaction, TransactionBody, TransactionError};
pub use validator_history::{
    HeaderError, ValidatorHistory, ValidatorProofError, ValidatorSetProof,
};
pub use validator_set::{
    NODE_ID_BYTES_MAX, NodeAddress, VALIDATOR_CHANGE_DELAY, VALIDATOR_CHANGES_MAX, ValidatorChange,
    ValidatorChangeError, ValidatorSet,
};
