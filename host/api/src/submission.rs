//! `POST /api/votes/submit`, `GET /api/votes/transaction-status`

use serde::{Deserialize, Serialize};
use tabella_contest::StrictJson;
use tabella_protocol::{Hash, PublicKey, Signature, VoterId};

use crate::{
    Signatures,
    schema::{optional_time, source, submission_status},
};

/// A ballot to cast.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitRequest {
    /// The election.
    pub election_id: u64,
    /// The choice, as the election's `ballot_schema` shapes it.
    #[schema(value_type = Option<serde_json::Value>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ballot: Option<StrictJson>,
    /// In its place: the canonical bytes in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted_vote: Option<String>,
    /// A name of the voter's own choice: the same again casts no second ballot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// Of a registrar: for whom it casts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voter_id: Option<String>,
    /// Of a voter who signs: its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<PublicKey>,
    /// Of a voter who signs: the signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// Of a credential: the one that it signed. Of others: a random number of the voter's own choice, which
    /// stands in the ballot's transaction, so that the voter knows the ballot by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<u64>,
    /// Of a credential: the ballot's place in the voter's own order, where it signed one. Only ballots with a
    /// higher one are taken after it, so that nobody who holds an older ballot back can replace a newer one.
    /// Registrars' backends number the ballots that they sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Of a credential: the height that it signed, after which the ballot is not taken any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry_height: Option<u64>,
}

/// Where a submission stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubmissionStatus {
    /// A validator holds it.
    Pending,
    /// It stands in a block.
    Confirmed,
    /// The chain refused it.
    Rejected,
    /// The local ledger holds it.
    Local,
    /// The database alone holds it.
    Recorded,
}

/// Whose word an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The validators'.
    Poa,
    /// The local ledger's, or what the backend proved before.
    Local,
    /// The database's.
    Database,
}

/// A ballot that is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SubmitAnswer {
    /// The name that the client chose, or the chain's.
    pub transaction_id: String,
    /// The chain's id of the ballot.
    pub chain_transaction_id: Hash,
    /// The pseudonym, or the credential, under which the ballot stands on the board: the receipt names it.
    pub voter: VoterId,
    /// Where it stands.
    #[schema(schema_with = submission_status)]
    pub status: SubmissionStatus,
    /// Who holds it.
    #[schema(schema_with = source)]
    pub source: Source,
    /// The hash of the block that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_hash: Option<Hash>,
    /// The block that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_number: Option<u64>,
    /// The validator that took it, where that is known.
    pub validator: Option<AcceptedBy>,
    /// Where the receipt is, under the chain's own id of the ballot: it needs no token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_url: Option<String>,
    /// What the voter should know of a ballot that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// The validator that took a ballot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AcceptedBy {
    /// Its name.
    pub node_id: String,
    /// Where its JSON-RPC is reached.
    pub rpc_url: String,
}

/// Where a submission stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StatusAnswer {
    /// The name that was asked for.
    pub transaction_id: String,
    /// The chain's id of the ballot.
    pub chain_transaction_id: Hash,
    /// The pseudonym, or the credential, under which the ballot stands on the board, for its voter and for
    /// registrars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voter: Option<VoterId>,
    /// The election.
    pub election_id: Option<u64>,
    /// Where it stands.
    #[schema(schema_with = submission_status)]
    pub status: SubmissionStatus,
    /// Who holds it.
    #[schema(schema_with = source)]
    pub source: Source,
    /// The block that holds it.
    pub block_number: Option<u64>,
    /// That block's hash.
    pub block_hash: Option<Hash>,
    /// How many blocks there are from that one on.
    pub confirmations: u64,
    /// How many validators signed that block.
    pub signatures: Signatures,
    /// When the backend acknowledged it.
    #[schema(schema_with = optional_time)]
    pub submitted_at: Option<String>,
    /// When it was confirmed.
    #[schema(schema_with = optional_time)]
    pub confirmed_at: Option<String>,
    /// Of one that was rejected: the stable code.
    pub code: Option<String>,
    /// Of one that was rejected: why.
    pub reason: Option<String>,
}
