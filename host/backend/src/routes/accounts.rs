//! `POST /api/auth/register`, `POST /api/auth/login`, `POST /api/auth/refresh`,
//! `GET /api/auth/profile`

use std::sync::Arc;

use axum::{Json as JsonAnswer, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    auth::{Claims, PasswordError, Principal, Role, TokenKind},
    clock,
    config::Registration,
    extract::Json,
    problem::Problem,
    store::Account,
};

/// Longest account name, in characters.
const NAME_CHARS_MAX: usize = 64;
/// Shortest password, in characters (NIST SP 800-63B-4 asks for 15 where it is the only factor;
/// shorter ones remain common, and 8 is its floor).
const PASSWORD_CHARS_MIN: usize = 8;
/// Longest password, in bytes: hashing is paid for by its length too.
const PASSWORD_BYTES_MAX: usize = 1_024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    username: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshRequest {
    refresh_token: String,
}

#[derive(Serialize)]
pub(crate) struct TokensAnswer {
    access_token: String,
    refresh_token: String,
    token_type: &'static str,
    expires_in_s: u64,
    username: String,
    role: Role,
}

#[derive(Serialize)]
pub(crate) struct Profile {
    username: String,
    role: Role,
    created_at: Option<String>,
}

pub(crate) async fn register(
    State(app): State<Arc<App>>,
    Json(request): Json<Credentials>,
) -> Result<(StatusCode, JsonAnswer<TokensAnswer>), Problem> {
    if app.registration == Registration::Closed {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "registration-closed",
            "accounts are not registered here; ask the registrar for a token",
        ));
    }
    check(&request)?;
    let password_hash = app.passwords.hash(request.password).await?;
    let account = Account {
        name: request.username,
        password_hash,
        role: Role::Voter,
        created_at_ms: clock::now_ms(),
    };
    if !app.store.create_account(account.clone()).await? {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "username-taken",
            "this username is taken",
        )
        .at("/username"));
    }
    let tokens = issue(&app, account.name, account.role, None).await?;
    Ok((StatusCode::CREATED, JsonAnswer(tokens)))
}

pub(crate) async fn login(
    State(app): State<Arc<App>>,
    Json(request): Json<Credentials>,
) -> Result<JsonAnswer<TokensAnswer>, Problem> {
    let refused = || {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "login-failed",
            "username or password is wrong",
        )
    };
    // What cannot be an account's is answered like a wrong password.
    if check(&request).is_err() {
        return Err(refused());
    }
    let account = app.store.account(&request.username).await?;
    let known = account.as_ref().map(|a| a.password_hash.clone());
    let matches = app.passwords.verify(request.password, known).await?;
    match account {
        Some(account) if matches => issue(&app, account.name, account.role, None)
            .await
            .map(JsonAnswer),
        _ => Err(refused()),
    }
}

/// New tokens for a refresh token, which can be used once.
pub(crate) async fn refresh(
    State(app): State<Arc<App>>,
    Json(request): Json<RefreshRequest>,
) -> Result<JsonAnswer<TokensAnswer>, Problem> {
    let refused = |code, detail: String| Problem::new(StatusCode::UNAUTHORIZED, code, detail);
    let claims = app
        .tokens
        .verify(&request.refresh_token, TokenKind::Refresh, clock::now_s())
        .map_err(|error| refused(error.code(), error.to_string()))?;
    let used = || {
        refused(
            "token-invalid",
            "the refresh token was used before; log in again".to_owned(),
        )
    };
    // The role is the account's of today, not the token's of then.
    let account = app.store.account(&claims.sub).await?.ok_or_else(used)?;
    let retire = claims.jti.ok_or_else(used)?;
    issue(&app, account.name, account.role, Some(retire))
        .await
        .map(JsonAnswer)
}

pub(crate) async fn profile(
    State(app): State<Arc<App>>,
    principal: Principal,
) -> Result<JsonAnswer<Profile>, Problem> {
    let account = app.store.account(&principal.name).await?;
    Ok(JsonAnswer(Profile {
        created_at: account.map(|account| clock::rfc3339(account.created_at_ms)),
        username: principal.name,
        role: principal.role,
    }))
}

fn check(request: &Credentials) -> Result<(), Problem> {
    let invalid = |pointer: &str, detail: String| {
        Err(Problem::bad_request("invalid-request", detail).at(pointer))
    };
    let name = &request.username;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._@+-".contains(c);
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(plain) {
        return invalid(
            "/username",
            format!("expected 1 to {NAME_CHARS_MAX} letters, digits or . _ @ + -"),
        );
    }
    let password = &request.password;
    if password.chars().count() < PASSWORD_CHARS_MIN || password.len() > PASSWORD_BYTES_MAX {
        return invalid(
            "/password",
            format!(
                "expected at least {PASSWORD_CHARS_MIN} characters and at most {PASSWORD_BYTES_MAX} bytes"
            ),
        );
    }
    Ok(())
}

async fn issue(
    app: &App,
    name: String,
    role: Role,
    retire: Option<String>,
) -> Result<TokensAnswer, Problem> {
    let now_s = clock::now_s();
    let id = hex::encode(rand::random::<[u8; 16]>());
    let access = Claims::new(
        name.clone(),
        role,
        TokenKind::Access,
        now_s,
        app.access_token_s,
    );
    let mut refresh = Claims::new(
        name.clone(),
        role,
        TokenKind::Refresh,
        now_s,
        app.refresh_token_s,
    );
    refresh.jti = Some(id.clone());
    let expires_at_ms = refresh.exp.saturating_mul(1_000);
    let rotated = app
        .store
        .rotate_refresh_token(&name, retire, id, clock::now_ms(), expires_at_ms)
        .await?;
    if !rotated {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "token-invalid",
            "the refresh token was used before; log in again",
        ));
    }
    Ok(TokensAnswer {
        access_token: app.tokens.issue(&access),
        refresh_token: app.tokens.issue(&refresh),
        token_type: "Bearer",
        expires_in_s: app.access_token_s,
        username: name,
        role,
    })
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Overloaded => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                error.to_string(),
            ),
            PasswordError::Failed(_) => Self::internal(&error),
        }
    }
}
