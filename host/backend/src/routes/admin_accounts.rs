//! `POST /api/admin/accounts`, `POST /api/admin/accounts/{username}/role`

use std::sync::Arc;

use axum::{Json as JsonAnswer, extract::State, http::StatusCode};
use serde::Deserialize;
use tabella_api::{AccountAnswer, CreateAccountRequest};
use tabella_outbox::store::Account;

use super::accounts::new_account;
use crate::{
    accounts::{account_name, check_password},
    app::App,
    auth::{Principal, Role},
    clock,
    extract::{Json, Path},
    openapi::{Conflicts, NamesOne, ReadsBody, Restricts},
    problem::Problem,
};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleRequest {
    role: tabella_api::Role,
}

fn answer(account: Account) -> AccountAnswer {
    AccountAnswer {
        username: account.name,
        role: match account.role {
            Role::Voter => tabella_api::Role::Voter,
            Role::Admin => tabella_api::Role::Admin,
            Role::Registrar => tabella_api::Role::Registrar,
            Role::Auditor => tabella_api::Role::Auditor,
        },
        created_at: clock::rfc3339(account.created_at_ms),
    }
}

fn role_of(role: tabella_api::Role) -> Role {
    match role {
        tabella_api::Role::Voter => Role::Voter,
        tabella_api::Role::Admin => Role::Admin,
        tabella_api::Role::Registrar => Role::Registrar,
        tabella_api::Role::Auditor => Role::Auditor,
    }
}

/// Create an account with a role
#[utoipa::path(
    post,
    path = "/api/admin/accounts",
    tag = "administration",
    operation_id = "create_account",
    request_body = CreateAccountRequest,
    responses(
        (status = 201, description = "It can log in", body = AccountAnswer),
        Restricts,
        ReadsBody,
        Conflicts
    ),
    security(("bearer" = []))
)]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    principal: Principal,
    Json(request): Json<CreateAccountRequest>,
) -> Result<(StatusCode, JsonAnswer<AccountAnswer>), Problem> {
    principal.require_admin()?;
    let username = account_name(&request.username)?;
    check_password(&request.password)?;
    let role = role_of(request.role);
    let account = new_account(&app, username, request.password, role).await?;
    tracing::info!(role = ?account.role, "an administrator created an account");
    Ok((StatusCode::CREATED, JsonAnswer(answer(account))))
}

/// Give an account another role
///
/// It holds from the next request on, for tokens issued before too.
#[utoipa::path(
    post,
    path = "/api/admin/accounts/{username}/role",
    tag = "administration",
    operation_id = "set_role",
    params(("username" = String, Path, description = "The account")),
    request_body = RoleRequest,
    responses(
        (status = 200, description = "It has this role", body = AccountAnswer),
        Restricts,
        ReadsBody,
        NamesOne
    ),
    security(("bearer" = []))
)]
pub(crate) async fn set_role(
    State(app): State<Arc<App>>,
    principal: Principal,
    Path(username): Path<String>,
    Json(request): Json<RoleRequest>,
) -> Result<JsonAnswer<AccountAnswer>, Problem> {
    principal.require_admin()?;
    let account = app.store.set_role(username, role_of(request.role)).await?;
    let account = account.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "unknown-account",
            "there is no account with this username",
        )
    })?;
    tracing::info!(role = ?account.role, "an administrator changed an account's role");
    Ok(JsonAnswer(answer(account)))
}
