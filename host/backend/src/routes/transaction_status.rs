//! `GET /api/votes/transaction-status?transaction_id=..&election_id=..`

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use serde::Deserialize;
use tabella_api::{Signatures, Source, StatusAnswer, SubmissionStatus};
use tabella_client::ConfirmationStatus;
use tabella_outbox::{
    pending::Standing,
    store::{State as Stored, Submission},
};
use tabella_protocol::Hash;

use crate::{
    app::App,
    auth::Principal,
    client_address::ClientAddress,
    clock,
    extract::Query,
    lookup::{Found, Wanted, unknown},
    openapi::{AsksValidators, Conflicts, NamesOne, ReadsQuery, Restricts},
    problem::{Problem, public_reason},
};

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct StatusQuery {
    /// The chain's id of the ballot, or the one that the client chose.
    #[param(example = "t1")]
    transaction_id: String,
    #[param(example = 1)]
    election_id: Option<u64>,
    /// The voter, where a registrar asks and several chose the same id.
    voter_id: Option<String>,
}

/// Where a submission stands
///
/// Under an id that the client chose it needs the voter's token, or a registrar's scope: such an id is a name within its voter. Under the chain's id it needs none, and tells what the chain tells.
#[utoipa::path(
    get,
    path = "/api/votes/transaction-status",
    tag = "votes",
    operation_id = "transaction_status",
    params(StatusQuery),
    responses(
        (status = 200, description = "Its standing", body = StatusAnswer),
        ReadsQuery,
        Restricts,
        NamesOne,
        Conflicts,
        AsksValidators
    ),
    security((), ("bearer" = []))
)]
pub(crate) async fn transaction_status(
    State(app): State<Arc<App>>,
    Extension(address): Extension<ClientAddress>,
    principal: Option<Principal>,
    Query(query): Query<StatusQuery>,
) -> Result<Json<StatusAnswer>, Problem> {
    let wanted = Wanted {
        transaction_id: query.transaction_id,
        election_id: query.election_id,
        voter_id: query.voter_id,
    };
    let answer = match app.find(principal.as_ref(), &wanted).await? {
        Found::Own(submission) => of_submission(&app, *submission).await,
        Found::ByChainId {
            id,
            known: Some(submission),
        } => seen_by_strangers(of_submission(&app, *submission).await, id),
        Found::ByChainId { id, known: None } => of_chain(&app, id, address).await?,
    };
    let other_election = query
        .election_id
        .is_some_and(|asked| answer.election_id.is_some_and(|id| id != asked));
    if other_election {
        return Err(unknown());
    }
    Ok(Json(answer))
}

async fn of_submission(app: &App, submission: Submission) -> StatusAnswer {
    let mut answer = StatusAnswer {
        transaction_id: submission.public_id(),
        chain_transaction_id: submission.transaction_id,
        voter: Some(submission.voter),
        election_id: Some(submission.election_id),
        status: SubmissionStatus::Pending,
        source: Source::Poa,
        block_number: None,
        block_hash: None,
        confirmations: 0,
        signatures: Signatures {
            count: 0,
            of: app.client.current_validators().validators.len(),
        },
        submitted_at: Some(clock::rfc3339(submission.submitted_at_ms)),
        confirmed_at: None,
        code: None,
        reason: None,
    };
    match submission.state {
        Stored::Open => {
            let standing = app.pending.standing(&submission.transaction_id);
            let standing = standing.unwrap_or(Standing::Recorded);
            (answer.status, answer.source) = status_and_source(standing);
        }
        Stored::Confirmed {
            height,
            block_hash,
            confirmed_at_ms,
            signatures,
            ..
        } => {
            confirm(&mut answer, app, height, block_hash);
            answer.confirmed_at = Some(clock::rfc3339(confirmed_at_ms));
            let known = usize::try_from(signatures).unwrap_or(usize::MAX);
            answer.signatures.count = signers(app, height, known).await;
        }
        Stored::Rejected { code, reason, .. } => {
            answer.status = SubmissionStatus::Rejected;
            answer.reason = Some(public_reason(&code, &reason));
            answer.code = Some(code);
        }
    }
    answer
}

/// The `status` and `source` of an unsettled submission in answers.
pub(crate) fn status_and_source(standing: Standing) -> (SubmissionStatus, Source) {
    match standing {
        Standing::Recorded => (SubmissionStatus::Recorded, Source::Database),
        Standing::Local => (SubmissionStatus::Local, Source::Local),
        Standing::Pending => (SubmissionStatus::Pending, Source::Poa),
    }
}

/// Without what only its voter and registrars know: the client's own name for it, and when it came.
fn seen_by_strangers(answer: StatusAnswer, id: Hash) -> StatusAnswer {
    StatusAnswer {
        transaction_id: id.to_string(),
        voter: None,
        submitted_at: None,
        ..answer
    }
}

fn confirm(answer: &mut StatusAnswer, app: &App, height: u64, block_hash: Hash) {
    answer.status = SubmissionStatus::Confirmed;
    answer.block_number = Some(height);
    answer.block_hash = Some(block_hash);
    answer.signatures.of = app.client.validators().at(height).validators.len();
    answer.confirmations = app.height().saturating_sub(height) + 1;
}

/// How many validators stand behind a block, by the acks that came to the proven chain since it was
/// recorded here.
async fn signers(app: &App, height: u64, known: usize) -> usize {
    let of = app.client.validators().at(height).validators.len();
    let own = app.read(move |ledger| ledger.signers(height)).await;
    known.max(own.unwrap_or(0)).min(of)
}

/// A transaction that came by another way: the proven chain is asked, then the validators.
async fn of_chain(app: &App, id: Hash, address: ClientAddress) -> Result<StatusAnswer, Problem> {
    let proven = app.read_blocks(address, move |ledger| {
        let Some((height, _)) = ledger.place_of(&id)? else {
            return Ok(None);
        };
        let signers = ledger.signers(height)?;
        Ok(ledger.block(height)?.map(|stored| (stored, signers)))
    });
    let proven = proven.await?;
    let mut answer = StatusAnswer {
        transaction_id: id.to_string(),
        chain_transaction_id: id,
        voter: None,
        election_id: None,
        status: SubmissionStatus::Pending,
        source: Source::Poa,
        block_number: None,
        block_hash: None,
        confirmations: 0,
        signatures: Signatures {
            count: 0,
            of: app.client.current_validators().validators.len(),
        },
        submitted_at: None,
        confirmed_at: None,
        code: None,
        reason: None,
    };
    if let Some((stored, signers)) = proven {
        let header = &stored.block.header;
        confirm(&mut answer, app, header.height, stored.hash);
        answer.confirmed_at = Some(clock::rfc3339(header.timestamp_ms));
        answer.signatures.count = signers;
        return Ok(answer);
    }
    // It is on no block that was executed here; a mempool's word is all there is.
    let _place = app.limits.question(address)?;
    match app.client.confirmation_status(id).await {
        Ok(ConfirmationStatus::Pending) => {}
        Ok(ConfirmationStatus::Unknown) => return Err(unknown()),
        Err(error) => return Err(error.into()),
        Ok(ConfirmationStatus::Confirmed(confirmation)) => {
            confirm(
                &mut answer,
                app,
                confirmation.height,
                confirmation.block_hash,
            );
            answer.confirmed_at = Some(clock::rfc3339(clock::unix_ms(confirmation.timestamp)));
            answer.signatures.count = confirmation.signatures;
        }
        // One validator's word, which nothing here proves.
        Ok(ConfirmationStatus::Rejected { .. }) => return Err(unknown()),
    }
    Ok(answer)
}
