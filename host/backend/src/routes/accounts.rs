//! `POST /api/auth/register`, `.../login`, `.../refresh`, `.../logout`, `GET /api/auth/profile`

use std::sync::Arc;

use axum::{Extension, Json as JsonAnswer, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use tabella_outbox::{
    store::Account,
    subject::{Realm, Subject},
};

use crate::{
    accounts::{
        RefreshError, TokenPair, account_name, check_password, open_session, refresh_session,
    },
    app::App,
    auth::{Claims, PasswordError, Principal, Role, TokenKind},
    client_address::ClientAddress,
    clock,
    config::Registration,
    extract::Json,
    openapi::{Authenticates, Conflicts, Forbids, MayBeOverloaded, ReadsBody, optional_time},
    problem::Problem,
    schemas,
};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    username: String,
    password: String,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshRequest {
    refresh_token: String,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct TokensAnswer {
    access_token: String,
    refresh_token: String,
    token_type: &'static str,
    expires_in_s: u64,
    username: String,
    #[schema(value_type = tabella_api::Role)]
    role: Role,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Profile {
    /// The account's name, or the id that the registrar gave the voter.
    username: String,
    #[schema(value_type = tabella_api::Role)]
    role: Role,
    /// Who vouches for the name; absent for the administrator's token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Realm>)]
    realm: Option<Realm>,
    #[schema(schema_with = optional_time)]
    created_at: Option<String>,
}

/// Register an account
///
/// An account votes in elections that are open to accounts, or on whose roll it stands as an account. It is never the voter whom a registrar calls by the same name. Where registration is closed, voters get tokens from a registrar.
#[utoipa::path(
    post,
    path = "/api/auth/register",
    tag = "accounts",
    operation_id = "register",
    request_body = Credentials,
    responses(
        (status = 201, description = "Registered, and logged in", body = TokensAnswer),
        ReadsBody,
        Forbids,
        Conflicts,
        MayBeOverloaded
    ),
)]
pub(crate) async fn register(
    State(app): State<Arc<App>>,
    Extension(address): Extension<ClientAddress>,
    Json(request): Json<Credentials>,
) -> Result<(StatusCode, JsonAnswer<TokensAnswer>), Problem> {
    if app.registration == Registration::Closed {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "registration-closed",
            "accounts are not registered here; ask the registrar for a token",
        ));
    }
    app.limits.login(address)?;
    let username = account_name(&request.username)?;
    check_password(&request.password)?;
    let _place = app.limits.hash(address)?;
    let account = new_account(&app, username, request.password, Role::Voter).await?;
    let tokens = open_session(&app, &account).await?;
    Ok((StatusCode::CREATED, JsonAnswer(answer(account, tokens))))
}

/// Creates an account under a name that is free.
pub(super) async fn new_account(
    app: &App,
    username: String,
    password: String,
    role: Role,
) -> Result<Account, Problem> {
    let account = Account {
        name: username,
        password_hash: app.passwords.hash(password).await?,
        role,
        created_at_ms: clock::now_ms(),
    };
    if app.store.create_account(account.clone()).await? {
        return Ok(account);
    }
    let problem = Problem::new(
        StatusCode::CONFLICT,
        "username-taken",
        "this username is taken",
    );
    Err(problem.at("/username"))
}

/// Log in
///
/// An unknown username and a wrong password are answered alike, and take as long.
#[utoipa::path(
    post,
    path = "/api/auth/login",
    tag = "accounts",
    operation_id = "login",
    request_body = Credentials,
    responses(
        (status = 200, description = "Logged in", body = TokensAnswer),
        ReadsBody,
        Authenticates
    ),
)]
pub(crate) async fn login(
    State(app): State<Arc<App>>,
    Extension(address): Extension<ClientAddress>,
    Json(request): Json<Credentials>,
) -> Result<JsonAnswer<TokensAnswer>, Problem> {
    let refused = || {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "login-failed",
            "username or password is wrong",
        )
    };
    app.limits.login(address)?;
    // What cannot be an account's is answered like a wrong password.
    let username = match account_name(&request.username) {
        Ok(username) if check_password(&request.password).is_ok() => username,
        _ => return Err(refused()),
    };
    let _place = app.limits.hash(address)?;
    app.limits.login_into(address, &username)?;
    let account = app.store.account(&username).await?;
    let known = account.as_ref().map(|a| a.password_hash.clone());
    let matches = app.passwords.verify(request.password, known).await?;
    match account {
        Some(account) if matches => {
            app.limits.logged_in(address, &username);
            let tokens = open_session(&app, &account).await?;
            Ok(JsonAnswer(answer(account, tokens)))
        }
        _ => Err(refused()),
    }
}

/// New tokens for a refresh token
///
/// A refresh token can be used once. One that comes a second time ends the session: somebody has a copy.
#[utoipa::path(
    post,
    path = "/api/auth/refresh",
    tag = "accounts",
    operation_id = "refresh",
    request_body = RefreshRequest,
    responses(
        (status = 200, description = "New tokens; the old refresh token is void", body = TokensAnswer),
        ReadsBody,
        Authenticates
    ),
)]
pub(crate) async fn refresh(
    State(app): State<Arc<App>>,
    Extension(address): Extension<ClientAddress>,
    Json(request): Json<RefreshRequest>,
) -> Result<JsonAnswer<TokensAnswer>, Problem> {
    app.limits.login(address)?;
    let claims = refresh_claims(&app, &request)?;
    let (account, tokens) = refresh_session(&app, claims).await?;
    Ok(JsonAnswer(answer(account, tokens)))
}

/// Log out
///
/// Ends the session of a refresh token, and with it every token of the session. One that has ended already
/// is as good.
#[utoipa::path(
    post,
    path = "/api/auth/logout",
    tag = "accounts",
    operation_id = "logout",
    request_body = RefreshRequest,
    responses(
        (status = 204, description = "The session is over"),
        ReadsBody,
        Authenticates
    ),
)]
pub(crate) async fn logout(
    State(app): State<Arc<App>>,
    Json(request): Json<RefreshRequest>,
) -> Result<StatusCode, Problem> {
    if let Some(session) = refresh_claims(&app, &request)?.sid {
        app.store.close_session(session).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

fn refresh_claims(app: &App, request: &RefreshRequest) -> Result<Claims, Problem> {
    let claims = app
        .tokens
        .verify(&request.refresh_token, TokenKind::Refresh, clock::now_s());
    claims.map_err(|error| Problem::new(StatusCode::UNAUTHORIZED, error.code(), error.to_string()))
}

/// Who this token is for
#[utoipa::path(
    get,
    path = "/api/auth/profile",
    tag = "accounts",
    operation_id = "profile",
    responses(
        (status = 200, description = "The account or the voter", body = Profile),
        Authenticates
    ),
    security(("bearer" = []))
)]
pub(crate) async fn profile(principal: Principal) -> JsonAnswer<Profile> {
    let registered_at_ms = match &principal.subject {
        Subject::Account(account) => Some(account.registered_at_ms),
        Subject::Operator | Subject::Registrar(_) => None,
    };
    JsonAnswer(Profile {
        created_at: registered_at_ms.map(clock::rfc3339),
        username: principal.subject.name().to_owned(),
        role: principal.role,
        realm: principal.subject.realm(),
    })
}

fn answer(account: Account, tokens: TokenPair) -> TokensAnswer {
    TokensAnswer {
        access_token: tokens.access,
        refresh_token: tokens.refresh,
        token_type: "Bearer",
        expires_in_s: tokens.access_s,
        username: account.name,
        role: account.role,
    }
}

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        let code = match error {
            RefreshError::Reused => "token-reused",
            RefreshError::Over => "token-revoked",
            RefreshError::Store(error) => return error.into(),
        };
        Self::new(StatusCode::UNAUTHORIZED, code, error.to_string())
    }
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
