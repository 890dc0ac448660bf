//! Whether what is submitted here will be decided: `GET /health/ready`.
//!
//! Two ages are looked at. The newest block's timestamp tells a node that is catching up from one that
//! has caught up, but it is another machine's time of day, and once one clock was ahead, blocks seem
//! young for that long. How long ago this node committed a block needs no clock but its own.
//!
//! A lost quorum shows at once where connections end with the processes behind them, and by the blocks
//! that do not come where they do not.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use tabella_clock::now_ms;
use tabella_protocol::rpc::Standing;

use super::Context;

/// A node whose newest block is older than this, with an idle block due every second, is not ready.
const BLOCK_AGE_MS_MAX: u64 = 10_000;
/// How much later than an idle block the next one may come until the quorum counts as lost.
const BLOCK_LATE_MS_MAX: u64 = 1_500;

/// What makes a node ready or not.
pub(crate) struct Readiness {
    pub(crate) is_ready: bool,
    standing: Standing,
    /// Whether enough validators are connected, this one counted.
    has_quorum: bool,
    block_age_ms: u64,
    committed_age_ms: Option<u64>,
}

impl Readiness {
    pub(crate) fn of(context: &Context) -> Self {
        let validator = &context.validator;
        let standing = validator.standing();
        let block_age_ms = now_ms().saturating_sub(context.tip.borrow().timestamp_ms);
        let committed_age_ms = validator
            .last_commit()
            .map(|at| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX));
        let idle_ms = u64::try_from(validator.idle_block.as_millis()).unwrap_or(u64::MAX);
        let has_quorum =
            context.connected_validators() + 1 >= validator.ledger.next_validators().threshold();
        let is_young = |age_ms| age_ms < idle_ms.saturating_add(BLOCK_LATE_MS_MAX);
        let is_ready = standing.signs()
            && context.consensus().is_some()
            && has_quorum
            && block_age_ms < BLOCK_AGE_MS_MAX.max(idle_ms.saturating_mul(5))
            && committed_age_ms.is_some_and(is_young);
        Self {
            is_ready,
            standing,
            has_quorum,
            block_age_ms,
            committed_age_ms,
        }
    }
}

/// Returns 200 where this node is ready, 503 where it is not, and why in both cases.
pub(super) async fn ready(State(context): State<Context>) -> Response {
    let readiness = Readiness::of(&context);
    let status = match readiness.is_ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let validator = &context.validator;
    let damage = validator.ledger.damage();
    let body = json!({
        "ready": readiness.is_ready,
        "signing": context.is_signing(),
        "standing": readiness.standing,
        "quorum_connected": readiness.has_quorum,
        "evidence": context.validator.evidence.found().len(),
        "attesting": validator.dissent.may_attest(&validator.ledger),
        "damage": damage.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "dissents": validator.dissent.of_own(),
        "dissenters": validator.dissent.of_others(&validator.ledger),
        "height": context.tip.borrow().height,
        "block_age_ms": readiness.block_age_ms,
        "committed_age_ms": readiness.committed_age_ms,
        "peers": context.peers(),
    });
    (status, axum::Json(body)).into_response()
}
