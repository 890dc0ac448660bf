//! Shapes of the validator's own JSON-RPC methods (`tabella_*`), and the stable refusal codes.
//!
//! Byte strings are `0x` hex; heights and counts are plain numbers (the `eth_*` methods use
//! Ethereum's hex quantities instead, and are shaped where they are served).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Ack, Attestation, BoardEntry, BoardHead, CommitCertificate, ElectionSpec, EvidenceFile, Hash,
    Header, HexBytes, NodeAddress, PublicKey, Quorum, Signature, ValidatorInfo, ValidatorSet,
};

/// Why a transaction is refused: the stable `data.code` of a JSON-RPC error, and the `code` of the
/// backend's problem answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalCode {
    /// Not the canonical bytes of a transaction.
    MalformedTransaction,
    /// Signed for another chain id.
    OtherChain,
    /// The signature does not verify.
    BadSignature,
    /// The expiry height has passed.
    Expired,
    /// The expiry height lies too far ahead.
    ExpiryTooFar,
    /// The signer may not do this.
    NotAuthorised,
    /// No election has this id.
    UnknownElection,
    /// The election is not open yet.
    ElectionNotOpen,
    /// The election is closed.
    ElectionClosed,
    /// The election is not in the state that this step needs.
    WrongElectionStatus,
    /// The voter is not on the roll.
    NotOnRoll,
    /// This very transaction is on the chain already.
    AlreadyIncluded,
    /// The voter has cast a ballot already.
    AlreadyVoted,
    /// A ballot that its voter ordered after this one is on the chain.
    Superseded,
    /// The rule refused the ballot; the message is the plugin's own.
    BallotRefused,
    /// The rule did not finish on this ballot: out of fuel, trap, or over a limit.
    RuleFault,
    /// The election's statement does not hold together.
    InvalidElection,
    /// No plugin with this hash has been published.
    UnknownPlugin,
    /// The module is not an acceptable plugin.
    PluginRefused,
    /// The plugin is on the chain already.
    AlreadyPublished,
    /// The roll's entries do not hold together.
    InvalidRoll,
    /// The validator attested this election already, or differently from the board.
    InvalidAttestation,
    /// The change of the validator set does not hold together.
    InvalidValidatorChange,
    /// The evidence proves nothing, or the chain has it already.
    InvalidEvidence,
    /// The transaction is larger than a block may carry.
    TooLarge,
    /// The validator's mempool is full; try again later or elsewhere.
    MempoolFull,
    /// The validator is stopping or cannot take transactions now.
    Unavailable,
}

impl RefusalCode {
    /// The stable text, as in JSON.
    pub fn as_str(self) -> String {
        match serde_json::to_value(self) {
            Ok(Value::String(text)) => text,
            _ => "unavailable".to_owned(),
        }
    }

    /// Whether the same transaction may be accepted later or by another validator.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::MempoolFull | Self::Unavailable)
    }

    /// Whether a later block may make the same transaction an acceptable one, so that a validator a few
    /// blocks behind refuses so what another takes.
    pub fn may_change(self) -> bool {
        matches!(
            self,
            Self::UnknownElection
                | Self::ElectionNotOpen
                | Self::UnknownPlugin
                | Self::NotOnRoll
                | Self::ExpiryTooFar
        )
    }
}

/// The `data` of a JSON-RPC error that refuses a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalData {
    /// The stable code.
    pub code: RefusalCode,
    /// The number the plugin gave with its refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin_code: Option<u32>,
    /// The contest whose ballot was refused, by its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contest: Option<usize>,
}

/// `tabella_nodeStatus() -> NodeStatus`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// The validator's name.
    pub node_id: String,
    /// Its key.
    pub public_key: PublicKey,
    /// The network.
    pub genesis: Hash,
    /// The chain id.
    pub chain_id: u64,
    /// The height of the newest committed block.
    pub height: u64,
    /// Its hash; the genesis hash at height 0.
    pub block_hash: Hash,
    /// The state after it.
    pub state_root: Hash,
    /// Its timestamp, Unix milliseconds.
    pub block_timestamp_ms: u64,
    /// Transactions waiting in the mempool.
    pub mempool: u64,
    /// Other validators of the next block that are connected for consensus.
    pub peers: u32,
    /// Whether the node takes part in consensus.
    pub signing: bool,
    /// What the node is to its network.
    #[serde(default)]
    pub standing: Standing,
    /// How much evidence against validators it holds; see `tabella_getEvidence`.
    #[serde(default)]
    pub evidence: u64,
    /// Stored values that it found damaged since it started, at most a hundred: what and where. While
    /// there are any, it attests no results.
    #[serde(default)]
    pub damage: Vec<String>,
    /// Elections that it counted otherwise than a quorum certified. While there are any, it attests no
    /// results.
    #[serde(default)]
    pub dissents: Vec<u64>,
    /// Other validators that attested another outcome than a quorum, at most a hundred.
    #[serde(default)]
    pub dissenters: Vec<Dissenter>,
    /// The software's version.
    pub version: String,
}

/// A validator that attested another outcome of an election than a quorum certified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dissenter {
    /// The election.
    pub election_id: u64,
    /// The validator's key.
    pub validator: PublicKey,
    /// Its name.
    pub node_id: String,
}

/// What a node is to its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// A validator.
    #[default]
    Validator,
    /// About to become one, at a height that is decided.
    Joining,
    /// A validator until a height that is decided.
    Leaving,
    /// Not a validator: not yet, or no longer.
    Outside,
    /// A validator that met another history than its own and has stopped signing.
    Halted,
}

impl Standing {
    /// Whether such a node signs consensus votes.
    pub fn signs(self) -> bool {
        matches!(self, Self::Validator | Self::Leaving)
    }
}

/// Where an election is in its life.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ElectionStatus {
    /// Created, not open yet.
    Upcoming,
    /// Accepting ballots.
    Open,
    /// No longer accepting ballots; validators are tallying.
    Closed,
    /// A quorum of equal attestations is on the chain.
    Final,
}

/// `tabella_getElection(id) -> ElectionView`, `tabella_getElections() -> [ElectionView]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElectionView {
    /// The chain's id for it, from 1.
    pub election_id: u64,
    /// Its statement.
    pub spec: ElectionSpec,
    /// Where it is in its life.
    pub status: ElectionStatus,
    /// How many voters are on the roll.
    pub roll_size: u64,
    /// How many voters have a counting ballot.
    pub turnout: u64,
    /// The head of its board.
    pub board: BoardHead,
    /// The transaction that created it.
    pub transaction_id: Hash,
    /// The ballot schema (JSON Schema) of each contest, in order.
    pub ballot_schemas: Vec<Value>,
}

/// `tabella_getPlugin(sha256) -> PluginView`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginView {
    /// SHA-256 of the Wasm bytes.
    pub sha256: Hash,
    /// Size of the Wasm bytes.
    pub bytes: u64,
    /// What the plugin says of itself.
    pub manifest: Value,
    /// The Wasm bytes, hex; only when asked for (second parameter `true`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wasm: Option<HexBytes>,
}

/// `tabella_getTransactionStatus(id) -> TransactionStatus`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum TransactionStatus {
    /// Never seen here.
    Unknown,
    /// In the mempool.
    Pending,
    /// In a committed block.
    Confirmed {
        /// The block's height.
        height: u64,
        /// The block's hash.
        block_hash: Hash,
        /// The place in the block.
        index: u32,
    },
    /// Accepted once, but no longer valid when its turn came.
    Rejected {
        /// Why.
        code: RefusalCode,
        /// Why, for people.
        reason: String,
    },
}

/// One committed block without its bodies: enough to verify that transactions are confirmed.
///
/// `tabella_getBlockSummaries(from_height, count_max, wait_ms) -> [BlockSummary]` answers the
/// committed blocks from `from_height` on, waiting up to `wait_ms` for the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockSummary {
    /// The header.
    pub header: Header,
    /// The commit certificate.
    pub certificate: CommitCertificate,
    /// The acks collected so far.
    pub acks: Vec<Ack>,
    /// The ids of its transactions, in order.
    pub transaction_ids: Vec<Hash>,
}

/// What shaped elections within a range of blocks: published plugins, created elections, rolls,
/// opening and closing.
///
/// `tabella_getElectionChanges(from_height) -> ElectionChanges`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElectionChanges {
    /// The last height that was looked at; `from_height - 1` where there is none yet.
    pub to_height: u64,
    /// The blocks that hold such transactions, in order.
    pub blocks: Vec<ChangingBlock>,
}

/// One block with transactions that shape elections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangingBlock {
    /// The block, which proves that the transactions are on the chain.
    pub summary: BlockSummary,
    /// Canonical bytes of those transactions, hex, in order.
    pub transactions: Vec<HexBytes>,
}

/// `tabella_getBlock(height | hash) -> BlockView`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockView {
    /// The block's hash.
    pub hash: Hash,
    /// The header.
    pub header: Header,
    /// The canonical bytes of the block, hex.
    pub block: HexBytes,
    /// The commit certificate.
    pub certificate: CommitCertificate,
    /// The acks collected so far.
    pub acks: Vec<Ack>,
}

/// `tabella_getCertificate(height) -> CertificateView`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateView {
    /// The commit certificate.
    pub certificate: CommitCertificate,
    /// The acks collected so far.
    pub acks: Vec<Ack>,
}

/// One ballot on a board, with its bytes.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardItem {
    /// The board's entry.
    pub entry: BoardEntry,
    /// The block that carried it.
    pub height: u64,
    /// The ballot's canonical bytes, hex, one per contest.
    pub ballots: Vec<HexBytes>,
    /// The ballot as plain JSON, one per contest.
    pub plain: Vec<Value>,
}

/// `tabella_getBoard(election_id, from_position, count_max) -> BoardPage`
///
/// Before an `at_close` election closes, `ballots` and `plain` are empty and only entries show. The ballots
/// stand in blocks all the same; where open ballots are kept to readers, others get neither.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardPage {
    /// The head at the time of the answer.
    pub board: BoardHead,
    /// The items asked for, in order.
    pub items: Vec<BoardItem>,
}

/// `tabella_getBoardConsistencyProof(election_id, old_size, new_size) -> ConsistencyProof`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyProof {
    /// The election.
    pub election_id: u64,
    /// The earlier size.
    pub old_size: u64,
    /// The later size.
    pub new_size: u64,
    /// RFC 6962 consistency proof.
    pub path: Vec<Hash>,
}

/// One validator's attestation transaction, as the result certificate carries it.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttestationProof {
    /// Who attested.
    pub validator: PublicKey,
    /// The canonical bytes of the transaction, hex; its signature is the validator's.
    pub transaction: HexBytes,
    /// The transaction's signature, for display.
    pub signature: Signature,
}

/// A quorum of equal attestations.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultCertificate {
    /// What was attested.
    pub attestation: Attestation,
    /// The block that made them a quorum of the validators of its height.
    #[serde(default)]
    pub height: u64,
    /// Who attested it.
    pub proofs: Vec<AttestationProof>,
}

/// `tabella_getResults(election_id) -> ResultsView`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultsView {
    /// The election.
    pub election_id: u64,
    /// Where it is in its life.
    pub status: ElectionStatus,
    /// The board's head.
    pub board: BoardHead,
    /// How many voters have a counting ballot.
    pub turnout: u64,
    /// Canonical outcome bytes, hex, one per contest; empty until this validator has tallied.
    pub outcomes: Vec<HexBytes>,
    /// The same as plain JSON.
    pub plain: Vec<Value>,
    /// Attestations on the chain so far, by validator.
    pub attested_by: Vec<PublicKey>,
    /// The certificate, once final.
    pub certificate: Option<ResultCertificate>,
}

/// `tabella_getValidators() -> ValidatorsView`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorsView {
    /// The next height to be decided.
    pub height: u64,
    /// The quorum rule.
    pub quorum: Quorum,
    /// The set in force.
    pub validators: Vec<ValidatorInfo>,
    /// Where validators are, as far as the chain was told.
    #[serde(default)]
    pub addresses: BTreeMap<PublicKey, NodeAddress>,
    /// Sets that are decided for later heights.
    #[serde(default)]
    pub scheduled: Vec<ValidatorSet>,
}

/// Signed statements that contradict each other. `tabella_getEvidence() -> [EvidenceView]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceView {
    /// Names the fault.
    pub id: Hash,
    /// What kind of statements contradict each other.
    pub kind: String,
    /// The height that they are about.
    pub height: u64,
    /// Validators that are proven to have lied.
    pub liars: Vec<PublicKey>,
    /// Whether the chain has it.
    pub on_chain: bool,
    /// What `tabella verify evidence` checks.
    pub file: EvidenceFile,
}

/// `tabella_getValidatorSets() -> [ValidatorSetProof]`: every change since genesis, in order.
pub const VALIDATOR_SETS_METHOD: &str = "tabella_getValidatorSets";

/// `tabella_verify() -> VerifyView`: the validator re-checks its own history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyView {
    /// Whether nothing was found wrong.
    pub valid: bool,
    /// The height up to which it checked.
    pub height: u64,
    /// Blocks checked.
    pub blocks: u64,
    /// Signatures checked.
    pub signatures: u64,
    /// Ballots checked.
    pub ballots: u64,
    /// What was found wrong.
    pub problems: Vec<String>,
}

/// `tabella_relay([transaction hex]) -> number accepted`: validator to validator. Self-authenticating.
pub const RELAY_METHOD: &str = "tabella_relay";
/// `tabella_ack([Ack]) -> number accepted`: validator to validator. Self-authenticating.
pub const ACK_METHOD: &str = "tabella_ack";
/// Most transactions in one relay call, acks in one ack call, calls in one JSON-RPC batch.
pub const BATCH_MAX: usize = 1_000;
/// Largest JSON-RPC request body, in bytes.
pub const REQUEST_BYTES_MAX: usize = 4 << 20;
