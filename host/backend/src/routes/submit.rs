//! `POST /api/votes/submit`

use std::{sync::Arc, time::Instant};

use axum::{
    Json as JsonAnswer,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tabella_api::{AcceptedBy, Source, SubmissionStatus, SubmitAnswer, SubmitRequest};
use tabella_client::ValidatorEndpoint;
use tabella_contest::StrictJson;
use tabella_outbox::{
    Acknowledged, Answer, Cast, Credential, Voter, Wish,
    subject::{NamedVoter, Subject},
};
use tabella_protocol::Hash;

use crate::{
    app::App,
    auth::{Principal, Role},
    extract::Json,
    metrics,
    openapi::{AsksRule, AsksValidators, Conflicts, NamesOne, ReadsBody, Restricts},
    problem::Problem,
};

/// Longest id that a client may choose, in bytes.
const CLIENT_ID_BYTES_MAX: usize = 128;

/// Cast a ballot
///
/// Acknowledged means durable. The same `transaction_id` of the same voter again answers the same, so that a client may repeat a request that got no response. It is a name within its voter: another voter's is another one.
#[utoipa::path(
    post,
    path = "/api/votes/submit",
    tag = "votes",
    operation_id = "submit_vote",
    request_body = SubmitRequest,
    responses(
        (status = 200, description = "The same transaction id again: confirmed before", body = SubmitAnswer),
        (status = 201, description = "Confirmed on the chain", body = SubmitAnswer),
        (status = 202, description = "Durable, and not confirmed yet: ask for its status", body = SubmitAnswer),
        Restricts,
        ReadsBody,
        NamesOne,
        Conflicts,
        AsksRule,
        AsksValidators
    ),
    security(("bearer" = []))
)]
pub(crate) async fn submit(
    State(app): State<Arc<App>>,
    principal: Principal,
    Json(request): Json<SubmitRequest>,
) -> Response {
    let started = Instant::now();
    let result = match wish(request, principal) {
        Ok(wish) => app.outbox.submit(wish).await.map_err(Problem::from),
        Err(problem) => Err(problem),
    };
    let counted = match &result {
        Ok(acknowledged) => match acknowledged.answer {
            Answer::Confirmed { .. } => metrics::Answer::Confirmed,
            Answer::Pending { .. } => metrics::Answer::Pending,
            Answer::Local => metrics::Answer::Local,
            Answer::Recorded => metrics::Answer::Recorded,
        },
        Err(problem) if problem.is_server_fault() => metrics::Answer::Failed,
        Err(_) => metrics::Answer::Refused,
    };
    app.metrics.submission(counted, started.elapsed());
    match result {
        Ok(acknowledged) => answer(acknowledged, app.levels.has_quorum()),
        Err(problem) => problem.into_response(),
    }
}

fn wish(request: SubmitRequest, principal: Principal) -> Result<Wish, Problem> {
    let invalid = |pointer: &str, detail: &str| {
        Err(Problem::bad_request("invalid-request", detail).at(pointer))
    };
    let cast = match (request.ballot, request.encrypted_vote) {
        (Some(StrictJson(ballot)), None) => Cast::Plain(ballot),
        (None, Some(text)) => match STANDARD.decode(text) {
            Ok(bytes) => Cast::Opaque(bytes),
            Err(_) => return invalid("/encrypted_vote", "expected base64"),
        },
        _ => return invalid("", "expected ballot, or encrypted_vote in its place"),
    };
    if let Some(id) = &request.transaction_id {
        check_client_id(id)?;
    }
    let voter = match (request.credential, request.signature) {
        (None, None) => {
            if request.expiry_height.is_some() || request.sequence.is_some() {
                return invalid(
                    "",
                    "expected expiry_height and sequence only with a credential",
                );
            }
            Voter::Registered(subject(request.voter_id, principal)?)
        }
        (Some(_), Some(_)) if request.voter_id.is_some() => {
            return invalid(
                "/voter_id",
                "expected no voter_id beside a credential, whose key says who votes; leave voter_id out",
            );
        }
        (Some(key), Some(signature)) => {
            let (Some(nonce), Some(expiry_height)) = (request.nonce, request.expiry_height) else {
                return invalid(
                    "",
                    "expected the nonce and the expiry_height that the credential signed",
                );
            };
            Voter::Credential(Credential {
                key,
                signature,
                nonce,
                sequence: request.sequence,
                expiry_height,
            })
        }
        _ => return invalid("", "expected credential and signature together"),
    };
    Ok(Wish {
        election_id: request.election_id,
        voter,
        cast,
        client_id: request.transaction_id,
        nonce: request.nonce,
    })
}

fn subject(named: Option<String>, principal: Principal) -> Result<Subject, Problem> {
    match named {
        Some(_) if !principal.may_cast_for() => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "cast-for-required",
            "only a registrar's or an administrator's token may name a voter; leave voter_id out",
        )
        .at("/voter_id")),
        Some(name) => Ok(Subject::Registrar(NamedVoter::new(name))),
        None if principal.role == Role::Voter => Ok(principal.subject),
        None => Err(Problem::bad_request(
            "invalid-request",
            "expected a voter_id, because this token is not a voter's",
        )
        .at("/voter_id")),
    }
}

fn check_client_id(id: &str) -> Result<(), Problem> {
    let looks_like_chain_id = id.parse::<Hash>().is_ok();
    let printable = id.bytes().all(|byte| byte.is_ascii_graphic());
    if id.is_empty() || id.len() > CLIENT_ID_BYTES_MAX || !printable || looks_like_chain_id {
        return Err(Problem::bad_request(
            "invalid-request",
            format!(
                "expected a transaction_id of 1 to {CLIENT_ID_BYTES_MAX} printable characters without spaces, not shaped like the chain's own ids"
            ),
        )
        .at("/transaction_id"));
    }
    Ok(())
}

fn accepted_by(endpoint: &ValidatorEndpoint) -> AcceptedBy {
    AcceptedBy {
        node_id: endpoint.node_id.clone(),
        rpc_url: endpoint.rpc_url.clone(),
    }
}

fn answer(acknowledged: Acknowledged, has_quorum: bool) -> Response {
    let Acknowledged {
        public_id,
        transaction_id,
        voter,
        answer,
        repeated,
    } = acknowledged;
    let mut body = SubmitAnswer {
        receipt_url: None,
        transaction_id: public_id,
        chain_transaction_id: transaction_id,
        voter,
        status: SubmissionStatus::Pending,
        source: Source::Poa,
        block_hash: None,
        block_number: None,
        validator: None,
        warning: None,
    };
    let status = match answer {
        Answer::Confirmed {
            height,
            block_hash,
            validator,
            // As that of the acknowledged ballot.
            transaction_id: _,
        } => {
            body.status = SubmissionStatus::Confirmed;
            body.block_hash = Some(block_hash);
            body.block_number = Some(height);
            body.validator = validator.as_deref().map(accepted_by);
            // By the chain's id, which nobody guesses: a link carries no token.
            body.receipt_url = Some(format!(
                "/api/votes/receipt?transaction_id={transaction_id}"
            ));
            if repeated {
                StatusCode::OK
            } else {
                StatusCode::CREATED
            }
        }
        Answer::Pending { validator } => {
            body.validator = validator.as_deref().map(accepted_by);
            if !has_quorum {
                body.warning = Some(
                    "a validator holds the ballot, and too few validators are there to confirm it; it is confirmed as soon as enough are"
                        .to_owned(),
                );
            }
            StatusCode::ACCEPTED
        }
        Answer::Local => {
            body.status = SubmissionStatus::Local;
            body.source = Source::Local;
            body.warning = Some(
                "no validator took the ballot yet; it stands in this backend's signed ledger and will be submitted as soon as one does"
                    .to_owned(),
            );
            StatusCode::ACCEPTED
        }
        Answer::Recorded => {
            body.status = SubmissionStatus::Recorded;
            body.source = Source::Database;
            body.warning = Some(
                "neither a validator nor the local ledger took the ballot yet; it is recorded in the database and will be submitted as soon as a validator takes it"
                    .to_owned(),
            );
            StatusCode::ACCEPTED
        }
    };
    (status, JsonAnswer(body)).into_response()
}
