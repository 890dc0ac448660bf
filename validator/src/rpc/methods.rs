//! From calls to their methods. One answer per call, in order; none for notifications.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tabella_http_server::{Busy, RunFailed, Turn};
use tabella_ledger::LedgerError;

use super::{
    Context,
    answer::{Json, Room, respond},
    chain,
    cost::{
        BATCH_BYTES_MAX, Cost, LONG_POLL_CALLS_MAX, RESULT_BYTES_MAX, WAIT_MAX, check_weight,
        is_light, weight,
    },
    error::RpcError,
    eth,
    params::WaitingParams,
    readers::Asker,
    submit::{self, Submitted},
    tabella,
};

/// A well-formed call.
pub(crate) struct Call {
    pub(crate) id: Option<Value>,
    pub(crate) method: String,
    pub(crate) params: WaitingParams,
}

type Read = Result<Call, (Value, RpcError)>;

/// What is kept of calls while they wait.
pub(crate) fn read_calls(calls: Vec<Value>) -> Vec<Read> {
    calls.into_iter().map(read_call).collect()
}

/// Returns calls of `address` that came together. Their transactions are judged and stored together;
/// what reads the chain is done off the async threads, when its turn comes.
pub(crate) async fn call_all(
    context: &Context,
    address: IpAddr,
    asker: Asker,
    calls: Vec<Read>,
) -> Result<Vec<Json>, RpcError> {
    let metrics = &context.validator.metrics;
    metrics.rpc_requests.inc_by(calls.len() as u64);
    let weight = weight(well_formed(&calls).map(|call| call.method.as_str()));
    check_weight(weight)?;
    let submitted = submit::submit_all(context, address, &calls).await;
    let verified = match well_formed(&calls).any(|call| call.method == "tabella_verify") {
        true => Some(verified(context, address).await),
        false => None,
    };
    wait_for_block(context, address, &calls).await;
    let reads = well_formed(&calls).any(|call| Cost::of(&call.method).reads());
    let is_light = is_light(weight, context.block_bytes_max());
    let turn = match reads {
        true => Some(context.bounded.reads(is_light).turn(address).await),
        false => None,
    };
    let answering = Answering {
        context: context.clone(),
        asker,
        submitted,
        verified,
        is_busy: matches!(turn, Some(Err(Busy))),
        until: None,
    };
    match turn {
        Some(Ok(turn)) => off_thread(turn, move || answering.answer_all(calls)).await,
        _ => Ok(answering.answer_all(calls)),
    }
}

async fn off_thread(
    turn: Turn,
    work: impl FnOnce() -> Vec<Json> + Send + 'static,
) -> Result<Vec<Json>, RpcError> {
    let working = tokio::task::spawn_blocking(move || {
        let answers = work();
        // Kept until the work is done, whoever still waits for it.
        drop(turn);
        answers
    });
    working
        .await
        .map_err(|panic| LedgerError::Corrupt(panic.to_string()).into())
}

fn well_formed(calls: &[Read]) -> impl Iterator<Item = &Call> {
    calls.iter().filter_map(|call| call.as_ref().ok())
}

/// Waits for the first block that a call of the request would wait for: a request waits once.
async fn wait_for_block(context: &Context, address: IpAddr, calls: &[Read]) {
    let waits = |call: &Call| {
        let params = call.params.read().ok()?;
        let from: u64 = params.required(0, "from_height").ok()?;
        let wait_ms: u64 = params.optional(2, "wait_ms").ok()??;
        Some((from.max(1), wait_ms))
    };
    if calls.len() > LONG_POLL_CALLS_MAX {
        return;
    }
    let asked = well_formed(calls).find(|call| call.method == "tabella_getBlockSummaries");
    let Some((from, wait_ms)) = asked.and_then(waits) else {
        return;
    };
    let Some(_place) = context.bounded.long_polls.take(address) else {
        return;
    };
    let mut tip = context.tip.clone();
    let wait = Duration::from_millis(wait_ms).min(WAIT_MAX);
    let arrived = tokio::time::timeout(wait, tip.wait_for(|tip| tip.height >= from));
    tokio::select! {
        // Neither running out of time nor stopping is an error: there is just nothing to tell.
        _ = arrived => {}
        () = context.stop.stopped() => {}
    }
}

/// `tabella_verify() -> VerifyView`
async fn verified(context: &Context, address: IpAddr) -> Result<Json, RpcError> {
    let Some(_place) = context.bounded.verifications.take(address) else {
        return Err(RpcError::busy());
    };
    let ledger = Arc::clone(&context.validator.ledger);
    let metrics = Arc::clone(&context.validator.metrics);
    let run = async move {
        metrics.verifications.inc();
        let verifying = tokio::task::spawn_blocking(move || ledger.verify()).await;
        match verifying {
            Ok(Ok(view)) => Room::of(RESULT_BYTES_MAX).write(&view),
            Ok(Err(error)) => Err(error.into()),
            Err(panic) => Err(LedgerError::Corrupt(panic.to_string()).into()),
        }
    };
    let run = context.bounded.verification.get(run).await;
    run.unwrap_or_else(|RunFailed(reason)| Err(LedgerError::Corrupt(reason).into()))
}

/// What answering calls one after the other needs.
struct Answering {
    context: Context,
    asker: Asker,
    submitted: Submitted,
    verified: Option<Result<Json, RpcError>>,
    /// Whether there are too many who read the chain, or this request has read it for long enough.
    is_busy: bool,
    /// When the turn ends.
    until: Option<Instant>,
}

impl Answering {
    fn answer_all(mut self, calls: Vec<Read>) -> Vec<Json> {
        let block_bytes = 2 * self.context.block_bytes_max() + (2 << 20);
        let result_bytes = RESULT_BYTES_MAX.max(block_bytes);
        let mut left = match calls.len() {
            1 => result_bytes,
            _ => BATCH_BYTES_MAX.max(block_bytes),
        };
        let mut answers = Vec::with_capacity(calls.len());
        for call in calls {
            let (id, result) = match call {
                Err((id, error)) => (Some(id), Err(error)),
                Ok(call) => {
                    let room = Room::of(left.min(result_bytes));
                    let result = self.answer(&call, room);
                    if result.as_ref().is_err_and(RpcError::is_too_large) {
                        // What does not fit costs as much as what does: nothing more is read.
                        left = 0;
                    }
                    (call.id, result)
                }
            };
            let Some(id) = id else { continue };
            let answer = respond(&id, result);
            left = left.saturating_sub(answer.len());
            answers.push(answer);
        }
        answers
    }

    fn answer(&mut self, call: &Call, room: Room) -> Result<Json, RpcError> {
        if let Some(submitted) = self.submitted.next_for(call) {
            // Whatever else the request asked for: who submitted must learn what became of it.
            return Room::of(RESULT_BYTES_MAX).write(&submitted?);
        }
        let reads = Cost::of(&call.method).reads();
        if reads && (self.is_busy || self.is_over()) {
            return Err(RpcError::busy());
        }
        if room.bytes == 0 {
            return Err(RpcError::answer_too_large(0));
        }
        let room = Room {
            until: self.until,
            ..room
        };
        match &self.verified {
            Some(verified) if call.method == "tabella_verify" => verified.clone(),
            _ => answer(&self.context, &self.asker, call, room),
        }
    }

    /// Whether the turn is over; the first call that reads the chain begins it.
    fn is_over(&mut self) -> bool {
        let now = Instant::now();
        *self
            .until
            .get_or_insert(now + self.context.bounded.turn_max)
            < now
    }
}

fn read_call(call: Value) -> Read {
    let invalid = |id: Value, what: &str| Err((id, RpcError::invalid_request(what)));
    let Value::Object(mut call) = call else {
        return invalid(
            Value::Null,
            "expected an object with jsonrpc, method, params and id",
        );
    };
    let id = call.remove("id");
    let shown = id.clone().unwrap_or_default();
    if !matches!(
        id,
        None | Some(Value::Null | Value::String(_) | Value::Number(_))
    ) {
        return invalid(
            Value::Null,
            "expected an id that is a string, a number or null",
        );
    }
    if call.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return invalid(shown, "expected jsonrpc to be \"2.0\"");
    }
    let Some(Value::String(method)) = call.remove("method") else {
        return invalid(shown, "expected method to be a string");
    };
    match WaitingParams::new(&call.remove("params").unwrap_or_default()) {
        Ok(params) => Ok(Call { id, method, params }),
        Err(error) => Err((shown, error)),
    }
}

fn answer(context: &Context, asker: &Asker, call: &Call, room: Room) -> Result<Json, RpcError> {
    let params = &call.params.read()?;
    if let Some(result) = tabella::answer(context, asker, &call.method, params, room) {
        return result;
    }
    let result = match call.method.as_str() {
        "web3_clientVersion" => Ok(json!(chain::client_version())),
        "web3_sha3" => eth::sha3(params),
        "net_version" => Ok(json!(context.chain_id().to_string())),
        "net_peerCount" => Ok(chain::quantity(u64::from(context.peers()))),
        "net_listening" => Ok(json!(true)),
        "eth_chainId" => Ok(chain::quantity(context.chain_id())),
        "eth_syncing" => Ok(json!(false)),
        "eth_blockNumber" => Ok(chain::quantity(context.tip.borrow().height)),
        "eth_gasPrice" | "eth_maxPriorityFeePerGas" => Ok(json!("0x0")),
        "eth_getBalance" | "eth_getTransactionCount" => Ok(json!("0x0")),
        "eth_getCode" => Ok(json!("0x")),
        "eth_estimateGas" => Ok(chain::quantity(chain::GAS)),
        "eth_accounts" => Ok(json!([])),
        "eth_getLogs" => Ok(json!([])),
        "eth_feeHistory" => eth::fee_history(context, params),
        "eth_getBlockByNumber" | "eth_getBlockByHash" => eth::block(context, asker, params),
        "eth_getBlockTransactionCountByNumber" | "eth_getBlockTransactionCountByHash" => {
            eth::block_transaction_count(context, params)
        }
        "eth_getTransactionByHash" => eth::transaction(context, asker, params),
        "eth_getBlockReceipts" => eth::block_receipts(context, asker, params),
        "eth_getTransactionByBlockHashAndIndex" | "eth_getTransactionByBlockNumberAndIndex" => {
            eth::transaction_at(context, asker, params)
        }
        "eth_getTransactionReceipt" => eth::transaction_receipt(context, params),
        name => Err(RpcError::unknown_method(name)),
    };
    room.write(&result?)
}
