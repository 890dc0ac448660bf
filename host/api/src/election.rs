//! `GET /api/elections`, `POST /api/admin/elections`, `POST /api/admin/elections/{id}/open`, `.../close`

use serde::{Deserialize, Serialize};
use tabella_contest::StrictObject;
use tabella_protocol::{
    Disclosure, EligibilityKind, Hash, OpenTo, Revote, RollChanges, rpc::ElectionStatus,
};

use crate::schema::closing;

/// An election to create.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRequest {
    /// The name that people read.
    pub title: String,
    /// The questions.
    pub contests: Vec<ContestRequest>,
    /// The voters whom this backend's registrar names, where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eligibility: Option<EligibilityRequest>,
    /// Whom an election without a roll is open to beside the voters whom its registrar names: nobody, where
    /// absent, or whoever has an account here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_to: Option<OpenTo>,
    /// Until when the roll may grow: until the election opens, where absent, or until it closes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roll: Option<RollChanges>,
    /// What a second ballot of one voter does: it is refused, where absent.
    #[serde(default = "refuse")]
    pub revote: Revote,
    /// When this backend shows counts: from the close on, where absent, or at any time. Whoever reads blocks can
    /// count at any time. `disclosure`, its name of before, is read too.
    #[serde(default = "at_close", alias = "disclosure")]
    pub counts_shown: Disclosure,
}

fn refuse() -> Revote {
    Revote::Refuse
}

fn at_close() -> Disclosure {
    Disclosure::AtClose
}

/// A question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContestRequest {
    /// The id that ballots with several contests name.
    pub id: String,
    /// The id, where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// A published plugin's name, or the SHA-256 of its bytes.
    #[serde(alias = "plugin")]
    pub rule: String,
    /// What can be voted for.
    pub options: Vec<OptionRequest>,
    /// The rule's parameters.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub params: StrictObject,
}

/// What can be voted for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OptionRequest {
    /// The id that ballots name.
    pub id: String,
    /// The id, where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// Who may vote; `registrar` stands for this backend's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EligibilityRequest {
    /// Voters whom the registrar names.
    Registrar,
    /// Those on the registrar's roll.
    RegistrarRoll,
    /// Keys on a roll, which sign themselves.
    Credentials,
}

impl From<EligibilityRequest> for EligibilityKind {
    fn from(request: EligibilityRequest) -> Self {
        match request {
            EligibilityRequest::Registrar => Self::Registrar,
            EligibilityRequest::RegistrarRoll => Self::RegistrarRoll,
            EligibilityRequest::Credentials => Self::Credentials,
        }
    }
}

impl From<EligibilityKind> for EligibilityRequest {
    fn from(kind: EligibilityKind) -> Self {
        match kind {
            EligibilityKind::Registrar => Self::Registrar,
            EligibilityKind::RegistrarRoll => Self::RegistrarRoll,
            EligibilityKind::Credentials => Self::Credentials,
        }
    }
}

/// A step of an election that is on the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AdminAnswer {
    /// The election.
    pub election_id: u64,
    /// Where it is in its life now.
    pub status: ElectionStatus,
    /// The transaction.
    pub transaction_id: Hash,
    /// The block that holds it.
    pub block_number: u64,
    /// That block's hash.
    pub block_hash: Hash,
}

/// An election that is being closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ClosingAnswer {
    /// The election.
    pub election_id: u64,
    /// Always `closing`.
    #[schema(schema_with = closing)]
    pub status: ClosingStatus,
    /// Ballots that were acknowledged and are neither confirmed nor refused yet.
    pub unsettled: u64,
    /// What happens next, for people.
    pub detail: String,
}

/// `closing`, which no [`ElectionStatus`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClosingStatus {
    /// It takes no ballots any more, and is not closed yet.
    Closing,
}

/// An election in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ElectionSummary {
    /// The election.
    pub election_id: u64,
    /// The name that people read.
    pub title: String,
    /// Where it is in its life.
    pub status: ElectionStatus,
    /// How many questions it asks.
    pub contests: usize,
    /// How many voters have a counting ballot.
    pub turnout: u64,
    /// How many voters are on the roll.
    pub roll_size: u64,
}
