//! `eth_sendTransaction` and `eth_sendRawTransaction`: signed Tabella transactions as hex.

use std::{collections::VecDeque, net::IpAddr};

use serde::Deserialize;
use serde_json::{Value, json};
use tabella_ledger::Refusal;
use tabella_protocol::rpc::{RefusalCode, Standing};

use super::{Context, error::RpcError, methods::Call, params::Params};

/// The answers to the submissions among some calls, in order.
pub(crate) struct Submitted(VecDeque<Result<Value, RpcError>>);

impl Submitted {
    /// The answer to `call`, where it is a submission; ask once for each call, in order.
    pub(crate) fn next_for(&mut self, call: &Call) -> Option<Result<Value, RpcError>> {
        if is_submission(call) {
            self.0.pop_front()
        } else {
            None
        }
    }
}

fn is_submission(call: &Call) -> bool {
    matches!(
        call.method.as_str(),
        "eth_sendTransaction" | "eth_sendRawTransaction"
    )
}

/// Submits the transactions among `calls` together. Each answer comes after the transaction is
/// durable here.
pub(crate) async fn submit_all<E>(
    context: &Context,
    address: IpAddr,
    calls: &[Result<Call, E>],
) -> Submitted {
    let submissions = calls
        .iter()
        .filter_map(|call| call.as_ref().ok())
        .filter(|c| is_submission(c));
    let decoded: Vec<_> = submissions.map(transaction_bytes).collect();
    let bytes: Vec<_> = decoded
        .iter()
        .filter_map(|d| d.as_ref().ok().cloned())
        .collect();
    if decoded.is_empty() {
        return Submitted(VecDeque::new());
    }
    if context.validator.standing() != Standing::Validator || context.consensus().is_none() {
        // It could not carry them to a block; what it holds from before, the others were told.
        let message = "this node is no validator now, is about to leave, catches up, or has stopped \
                       signing, and takes no transactions; ask another";
        let refusal = Refusal::new(RefusalCode::Unavailable, message);
        return Submitted(
            decoded
                .iter()
                .map(|_| Err(RpcError::refused(&refusal)))
                .collect(),
        );
    }
    let Ok(turn) = context.bounded.submissions.turn(address).await else {
        return Submitted(decoded.iter().map(|_| Err(RpcError::busy())).collect());
    };
    let mut taken = context.validator.intake.submit(bytes).await.into_iter();
    drop(turn);
    let answers = decoded.into_iter().map(|decoded| {
        decoded.and_then(|_| match taken.next() {
            Some(Ok(id)) => Ok(json!(id)),
            Some(Err(refusal)) => Err(RpcError::refused(&refusal)),
            None => Err(RpcError::refused(&Refusal::new(
                RefusalCode::Unavailable,
                "the validator had to stop; ask another",
            ))),
        })
    });
    Submitted(answers.collect())
}

/// What `eth_sendTransaction` carries: everything Ethereum's has, of which only the data counts.
#[derive(Deserialize)]
struct Carrier {
    data: Option<String>,
    input: Option<String>,
}

fn transaction_bytes(call: &Call) -> Result<Vec<u8>, RpcError> {
    let params = call.params.read()?;
    let text = match call.method.as_str() {
        "eth_sendRawTransaction" => params.required::<String>(0, "transaction hex")?,
        _ => carried(&params)?,
    };
    hex_bytes(&text)
}

fn carried(params: &Params) -> Result<String, RpcError> {
    let carrier: Carrier = params.required(0, "a transaction object")?;
    carrier
        .data
        .or(carrier.input)
        .filter(|data| data.len() > 2)
        .ok_or_else(RpcError::no_accounts)
}

pub(crate) fn hex_bytes(text: &str) -> Result<Vec<u8>, RpcError> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    hex::decode(digits).map_err(|error| {
        RpcError::invalid_params(format!(
            "expected 0x and an even number of hex digits: {error}"
        ))
    })
}
