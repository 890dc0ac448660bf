//! From a call to its method. One answer per call, in order; none for notifications.

use serde_json::{Value, json};

use super::{Context, chain, error::RpcError, eth, params::Params, submit, tabella};

/// A well-formed call.
pub(crate) struct Call {
    pub(crate) id: Option<Value>,
    pub(crate) method: String,
    pub(crate) params: Params,
}

/// Answers calls that came together. Their transactions are judged and stored together.
pub(crate) async fn call_all(context: &Context, calls: Vec<Value>) -> Vec<Value> {
    context
        .validator
        .metrics
        .rpc_requests
        .add(calls.len() as u64);
    let calls: Vec<_> = calls.into_iter().map(read_call).collect();
    let mut submitted = submit::submit_all(context, &calls).await;
    let mut answers = Vec::with_capacity(calls.len());
    for call in calls {
        let (id, result) = match call {
            Err((id, error)) => (Some(id), Err(error)),
            Ok(call) => {
                let result = match submitted.next_for(&call) {
                    Some(result) => result,
                    None => answer(context, &call).await,
                };
                (call.id, result)
            }
        };
        let Some(id) = id else { continue };
        answers.push(match result {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            Err(error) => error.respond(id),
        });
    }
    answers
}

fn read_call(call: Value) -> Result<Call, (Value, RpcError)> {
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
    match Params::new(call.remove("params").unwrap_or_default()) {
        Ok(params) => Ok(Call { id, method, params }),
        Err(error) => Err((shown, error)),
    }
}

async fn answer(context: &Context, call: &Call) -> Result<Value, RpcError> {
    let params = &call.params;
    match call.method.as_str() {
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
        "eth_getBlockByNumber" | "eth_getBlockByHash" => eth::block(context, params),
        "eth_getBlockTransactionCountByNumber" | "eth_getBlockTransactionCountByHash" => {
            eth::block_transaction_count(context, params)
        }
        "eth_getTransactionByHash" => eth::transaction(context, params),
        "eth_getTransactionReceipt" => eth::transaction_receipt(context, params),
        "tabella_nodeStatus" => tabella::node_status(context),
        "tabella_getTransactionStatus" => tabella::transaction_status(context, params),
        "tabella_getBlockSummaries" => tabella::block_summaries(context, params).await,
        "tabella_getBlock" => tabella::block(context, params),
        "tabella_getCertificate" => tabella::certificate(context, params),
        "tabella_getElectionChanges" => tabella::election_changes(context, params),
        "tabella_getElections" => tabella::elections(context),
        "tabella_getElection" => tabella::election(context, params),
        "tabella_getPlugins" => tabella::plugins(context),
        "tabella_getPlugin" => tabella::plugin(context, params),
        "tabella_getReceipt" => tabella::receipt(context, params),
        "tabella_getBoard" => tabella::board(context, params),
        "tabella_getBoardConsistencyProof" => tabella::board_consistency(context, params),
        "tabella_getResults" => tabella::results(context, params),
        "tabella_getValidators" => tabella::validators(context),
        "tabella_getValidatorSets" => tabella::validator_sets(context),
        "tabella_getEvidence" => tabella::evidence(context),
        "tabella_getPeers" => tabella::peers(context),
        "tabella_verify" => tabella::verify(context).await,
        name => Err(RpcError::unknown_method(name)),
    }
}
