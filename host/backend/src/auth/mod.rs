//! Who is asking, and what they may do.

mod password;
mod token;

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{StatusCode, header, request::Parts},
};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub(crate) use password::{PasswordError, Passwords};
pub(crate) use token::{Claims, TokenKind, Tokens};

use crate::{
    app::App,
    problem::Problem,
    subject::{AccountHolder, NamedVoter, Subject},
};

/// What somebody may do.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    BorshSerialize,
    BorshDeserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Cast an own ballot.
    Voter,
    /// Administer elections, and everything a registrar may.
    Admin,
    /// Cast ballots for voters whom it authenticated, and mint their tokens.
    Registrar,
    /// Read what is not public.
    Auditor,
}

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

impl FromRequestParts<Arc<App>> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let unauthorised =
            |code, detail: String| Problem::new(StatusCode::UNAUTHORIZED, code, detail);
        let header = parts.headers.get(header::AUTHORIZATION).ok_or_else(|| {
            let detail = "expected the header authorization: Bearer with a token";
            unauthorised("token-missing", detail.to_owned())
        })?;
        let token = header
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(|| {
                unauthorised(
                    "token-malformed",
                    "expected authorization: Bearer with a token".to_owned(),
                )
            })?;
        if app.admin_token.matches(token) {
            return Ok(Self {
                subject: Subject::Operator,
                role: Role::Admin,
            });
        }
        let claims = app
            .tokens
            .verify(token, TokenKind::Access, crate::clock::now_s())
            .map_err(|error| unauthorised(error.code(), error.to_string()))?;
        // A session that has ended takes its access tokens with it, and the role is the account's of
        // today. Voters of a registrar have neither.
        let principal = match &claims.sid {
            Some(session) => {
                let account = app.store.account_of_session(session).await?;
                account.map(|account| Self {
                    role: account.role,
                    subject: Subject::Account(AccountHolder {
                        name: account.name,
                        registered_at_ms: account.created_at_ms,
                    }),
                })
            }
            None => Some(Self {
                role: claims.role,
                subject: Subject::Registrar(NamedVoter::new(claims.sub)),
            }),
        };
        let Some(principal) = principal else {
            let detail = "the session has ended; log in again";
            return Err(unauthorised("token-revoked", detail.to_owned()));
        };
        if principal.role == Role::Voter {
            app.limits.voter(&principal.subject.key())?;
        }
        Ok(principal)
    }
}

impl OptionalFromRequestParts<Arc<App>> for Principal {
    type Rejection = Problem;

    /// Nobody where no token came; one that is not good is refused all the same.
    async fn from_request_parts(
        parts: &mut Parts,
        app: &Arc<App>,
    ) -> Result<Option<Self>, Problem> {
        if !parts.headers.contains_key(header::AUTHORIZATION) {
            return Ok(None);
        }
        let principal = <Self as FromRequestParts<Arc<App>>>::from_request_parts(parts, app);
        principal.await.map(Some)
    }
}
