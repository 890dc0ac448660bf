//! Who is asking, and what they may do.

mod password;
mod principal;
mod token;

use axum::http::StatusCode;
use sha2::{Digest, Sha256};
pub use tabella_outbox::store::Role;
use tabella_outbox::subject::Subject;

pub(crate) use password::{PasswordError, Passwords};
pub(crate) use token::{Claims, TokenKind, Tokens};

use crate::problem::Problem;

/// Somebody whose token was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    pub(crate) subject: Subject,
    pub(crate) role: Role,
}

impl Principal {
    /// Whether it may name the voter whose ballot it submits: the scope `cast-for`.
    pub(crate) fn may_cast_for(&self) -> bool {
        matches!(self.role, Role::Admin | Role::Registrar)
    }

    /// Refuses who may not administer.
    pub(crate) fn require_admin(&self) -> Result<(), Problem> {
        self.require(self.role == Role::Admin)
    }

    /// Refuses who may not read what is not public.
    pub(crate) fn require_auditor(&self) -> Result<(), Problem> {
        self.require(matches!(self.role, Role::Admin | Role::Auditor))
    }

    /// Refuses who may neither administer nor cast for others.
    pub(crate) fn require_registrar(&self) -> Result<(), Problem> {
        self.require(self.may_cast_for())
    }

    fn require(&self, allowed: bool) -> Result<(), Problem> {
        if allowed {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "this token's role does not allow it",
        ))
    }
}

/// The administrator's token, kept as a hash.
#[derive(Clone)]
pub(crate) struct AdminToken([u8; 32]);

impl AdminToken {
    pub(crate) fn new(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Comparing hashes: how long it takes tells nothing of the token.
    fn matches(&self, token: &str) -> bool {
        self.0 == <[u8; 32]>::from(Sha256::digest(token.as_bytes()))
    }
}
