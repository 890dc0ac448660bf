//! Who asks, and who votes: a name, and the realm in which it is one.
//!
//! A name says nothing by itself. `alice` of an account, whom anybody may have registered, and `alice`
//! whom a registrar authenticated are two subjects: they have tokens, pseudonyms, submissions and limits
//! of their own, and never meet.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::voter_name::{VoterName, VoterNameError};

/// Who vouches for a name.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Realm {
    /// A registrar, who authenticated the voter and names it.
    Registrar,
    /// The password of an account of this backend.
    Account,
    /// The voter's own key.
    Credential,
}

/// Somebody with an account of this backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountHolder {
    /// The name to log in with.
    pub name: String,
    /// When it was registered, in Unix milliseconds.
    pub registered_at_ms: u64,
}

/// A voter whom a registrar names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedVoter {
    /// The id as it came: voters of elections of before may be known by another form than the one of
    /// today.
    pub given: String,
    /// The id in its one form.
    pub name: Result<VoterName, VoterNameError>,
}

impl NamedVoter {
    /// A voter under the id that a registrar gave.
    pub fn new(given: String) -> Self {
        let name = VoterName::parse(&given);
        Self { given, name }
    }

    /// The id to show.
    pub fn shown(&self) -> &str {
        self.name.as_ref().map_or(&self.given, VoterName::as_str)
    }
}

/// Whom a token stands for, or whose ballot a submission is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Whoever holds the administrator's token. It never votes.
    Operator,
    /// Whoever logged in to an account.
    Account(AccountHolder),
    /// A voter whom a registrar authenticated.
    Registrar(NamedVoter),
}

impl Subject {
    /// The name to show.
    pub fn name(&self) -> &str {
        match self {
            Self::Operator => "admin",
            Self::Account(account) => &account.name,
            Self::Registrar(voter) => voter.shown(),
        }
    }

    /// Who vouches for the name; nobody for the operator's.
    pub fn realm(&self) -> Option<Realm> {
        match self {
            Self::Operator => None,
            Self::Account(_) => Some(Realm::Account),
            Self::Registrar(_) => Some(Realm::Registrar),
        }
    }

    /// A text that no other subject has, for limits.
    pub fn key(&self) -> String {
        let realm = match self {
            Self::Operator => "operator",
            Self::Account(_) => "account",
            Self::Registrar(_) => "registrar",
        };
        // No realm has a colon in it, so that nothing after it passes for another one.
        format!("{realm}:{}", self.name())
    }
}
