//! `POST /api/admin/voter-tokens`: tokens for voters whom a registrar authenticated elsewhere.

use std::sync::Arc;

use axum::{Json as JsonAnswer, extract::State, http::StatusCode};
use tabella_api::{MintAnswer, MintRequest, VoterToken};
use tabella_outbox::voter_name::VoterName;

use crate::{
    app::App,
    auth::{Claims, Principal},
    clock,
    extract::Json,
    openapi::{ReadsBody, Restricts},
    problem::Problem,
};

/// Most voters in one request.
const VOTERS_MAX: usize = 1_000;

/// Tokens for voters whom a registrar authenticated elsewhere
#[utoipa::path(
    post,
    path = "/api/admin/voter-tokens",
    tag = "administration",
    operation_id = "mint_voter_tokens",
    request_body = MintRequest,
    responses(
        (status = 201, description = "Tokens, in the order of the voters", body = MintAnswer),
        Restricts,
        ReadsBody
    ),
    security(("bearer" = []))
)]
pub(crate) async fn mint(
    State(app): State<Arc<App>>,
    principal: Principal,
    Json(request): Json<MintRequest>,
) -> Result<(StatusCode, JsonAnswer<MintAnswer>), Problem> {
    principal.require_registrar()?;
    let count = request.voter_ids.len();
    if count == 0 || count > VOTERS_MAX {
        return Err(Problem::bad_request(
            "invalid-request",
            format!("expected 1 to {VOTERS_MAX} voter_ids, got {count}"),
        )
        .at("/voter_ids"));
    }
    let mut names = Vec::with_capacity(count);
    for (index, voter_id) in request.voter_ids.iter().enumerate() {
        let name = VoterName::parse(voter_id)
            .map_err(|error| Problem::from(error).at(format!("/voter_ids/{index}")))?;
        names.push(name);
    }
    let now_s = clock::now_s();
    let ttl_s = request
        .expires_in_s
        .unwrap_or(app.access_token_s)
        .min(app.refresh_token_s);
    let tokens = request.voter_ids.into_iter().zip(names);
    let tokens = tokens.map(|(voter_id, name)| {
        let claims = Claims::of_registrar(name.as_str().to_owned(), now_s, ttl_s);
        let token = app.tokens.issue(&claims);
        VoterToken { voter_id, token }
    });
    let answer = MintAnswer {
        tokens: tokens.collect(),
        expires_at: clock::rfc3339(now_s.saturating_add(ttl_s).saturating_mul(1_000)),
    };
    Ok((StatusCode::CREATED, JsonAnswer(answer)))
}
