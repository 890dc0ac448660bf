//! Reads from a request who is asking.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{StatusCode, header, request::Parts},
};

use tabella_outbox::subject::{AccountHolder, NamedVoter, Subject};

use super::{Principal, Role, TokenKind};
use crate::{app::App, problem::Problem};

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
