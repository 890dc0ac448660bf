//! What one request may cost: the bounds, and what each method weighs.

use std::time::Duration;

use tabella_http_server::QueueBounds;

use super::{error::RpcError, places};

/// Most that the calls of one batch may weigh together.
pub(crate) const BATCH_WEIGHT_MAX: u32 = 2_000;
/// Most JSON values in one request: a value takes many times the memory of its text.
pub(crate) const REQUEST_VALUES_MAX: usize = 16_384;
/// Most arrays and objects of a request inside of one another: a batch, a call, its parameters, and what
/// Ethereum's transactions and filters hold.
pub(crate) const REQUEST_DEPTH_MAX: usize = 8;
/// Most bytes of one call's result, where blocks are not larger.
pub(crate) const RESULT_BYTES_MAX: usize = 16 << 20;
/// Most bytes of a batch's answers, where blocks are not larger.
pub(crate) const BATCH_BYTES_MAX: usize = 25 << 20;
/// How long one request may wait for blocks, however many of its calls would.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(20);
/// Calls of a request that waits for blocks; one of more is answered with what there is.
pub(crate) const LONG_POLL_CALLS_MAX: usize = 32;
/// Requests that wait for blocks at once; past it they are answered with what there is.
pub(crate) const LONG_POLLS: places::Bounds = places::Bounds {
    in_all_max: 512,
    per_address_max: 128,
};
/// Pause between the starts of two re-checks of the chain (`tabella_verify`); whoever asks meanwhile
/// is answered with the last one.
pub(crate) const VERIFY_PAUSE: Duration = Duration::from_secs(10);
/// Requests that wait for a re-check of the chain; past it they are `busy`.
pub(crate) const VERIFICATIONS: places::Bounds = places::Bounds {
    in_all_max: 256,
    per_address_max: 64,
};
/// How long the calls of one request may read the chain in one turn; those left then are `busy`. The
/// call under way is finished.
pub(crate) const TURN_MAX: Duration = Duration::from_millis(500);

/// Most that the calls of a request weigh that counts as a light one: it does not queue up behind those
/// that take long.
const LIGHT_WEIGHT_MAX: u32 = 10;
/// Where blocks may be larger, a block is not light.
const LIGHT_BLOCK_BYTES_MAX: usize = 4 << 20;

/// Requests that read little of the chain.
pub(crate) const LIGHT_READS: QueueBounds = QueueBounds {
    running_max: 2,
    waiting_max: 256,
    waiting_per_address_max: 64,
    wait_max: Duration::from_secs(5),
};

/// Requests that read much of it. Each holds [`BATCH_BYTES_MAX`] of answers and one result more.
pub(crate) const READS: QueueBounds = QueueBounds {
    running_max: 3,
    waiting_max: 256,
    waiting_per_address_max: 64,
    wait_max: Duration::from_secs(5),
};

/// Requests that bring transactions.
pub(crate) const SUBMISSIONS: QueueBounds = QueueBounds {
    running_max: 64,
    waiting_max: 256,
    waiting_per_address_max: 64,
    wait_max: Duration::from_secs(5),
};

/// What a call costs this node, beside others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cost {
    /// Answered from memory.
    Little,
    /// One record of the chain.
    Record,
    /// A whole block or its like.
    Block,
    /// Many records.
    Many,
    /// Many whole blocks, however little of them is shown.
    Blocks,
}

impl Cost {
    pub(crate) fn of(method: &str) -> Self {
        match method {
            "tabella_getTransactionStatus"
            | "eth_getBlockTransactionCountByNumber"
            | "eth_getBlockTransactionCountByHash"
            | "tabella_getCertificate"
            | "tabella_getElection" => Self::Record,
            "eth_getBlockByNumber"
            | "eth_getBlockByHash"
            | "eth_getTransactionByHash"
            | "eth_getBlockReceipts"
            | "eth_getTransactionByBlockHashAndIndex"
            | "eth_getTransactionByBlockNumberAndIndex"
            | "eth_getTransactionReceipt"
            | "tabella_getBlock"
            | "tabella_getPlugin"
            | "tabella_getReceipt"
            | "tabella_getBoardConsistencyProof"
            | "tabella_getResults" => Self::Block,
            "tabella_getElectionChanges" => Self::Blocks,
            // A large answer, although nothing is read for it.
            "eth_feeHistory"
            | "tabella_getBlockSummaries"
            | "tabella_getElections"
            | "tabella_getPlugins"
            | "tabella_getBoard"
            | "tabella_getValidatorSets"
            | "tabella_getEvidence" => Self::Many,
            _ => Self::Little,
        }
    }

    pub(crate) fn weight(self) -> u32 {
        match self {
            Self::Little => 1,
            Self::Record => 2,
            Self::Block => 10,
            Self::Many => 20,
            Self::Blocks => 500,
        }
    }

    /// Whether it is too much work for the async threads.
    pub(crate) fn reads(self) -> bool {
        self != Self::Little
    }
}

/// What the calls of one request weigh together.
pub(crate) fn weight<'a>(methods: impl Iterator<Item = &'a str>) -> u32 {
    methods.map(|method| Cost::of(method).weight()).sum()
}

/// Whether a request of this weight reads little, on a chain whose blocks may have so many bytes.
pub(crate) fn is_light(weight: u32, block_bytes_max: usize) -> bool {
    let has_blocks = weight >= Cost::Block.weight();
    weight <= LIGHT_WEIGHT_MAX && !(has_blocks && block_bytes_max > LIGHT_BLOCK_BYTES_MAX)
}

/// Refuses calls that weigh too much together.
pub(crate) fn check_weight(weight: u32) -> Result<(), RpcError> {
    if weight > BATCH_WEIGHT_MAX {
        return Err(RpcError::limit_exceeded(format!(
            "expected a batch that weighs at most {BATCH_WEIGHT_MAX}, got {weight}; send fewer calls \
             at once"
        )));
    }
    Ok(())
}

/// Refuses texts that would become too many values, or too deep ones, before they become any.
pub(crate) fn check_values(text: &[u8]) -> Result<(), RpcError> {
    let mut values = 1_usize;
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let mut is_text = false;
    let mut is_escaped = false;
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b',' if !is_text => values += 1,
            b'[' | b'{' if !is_text => {
                values += 1;
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    if values > REQUEST_VALUES_MAX {
        return Err(RpcError::limit_exceeded(format!(
            "expected a request of at most {REQUEST_VALUES_MAX} values"
        )));
    }
    if deepest > REQUEST_DEPTH_MAX {
        return Err(RpcError::limit_exceeded(format!(
            "expected at most {REQUEST_DEPTH_MAX} arrays and objects inside of one another"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_outside_of_texts() {
        let commas = ",".repeat(REQUEST_VALUES_MAX);
        assert!(check_values(commas.as_bytes()).is_err());
        assert!(check_values(format!("\"{commas}\"").as_bytes()).is_ok());
        assert!(check_values(format!("\"\\\"{commas}\"").as_bytes()).is_ok());
        assert!(check_values(format!("\"\\\\\"{commas}").as_bytes()).is_err());
    }

    #[test]
    fn depth_is_counted_outside_of_texts() {
        let deep = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(check_values(deep(REQUEST_DEPTH_MAX).as_bytes()).is_ok());
        assert!(check_values(deep(REQUEST_DEPTH_MAX + 1).as_bytes()).is_err());
        let text = format!("[\"{}\"]", deep(REQUEST_DEPTH_MAX));
        assert!(check_values(text.as_bytes()).is_ok());
        // A filter of Ethereum's logs in a batch: the deepest that clients send.
        let filter = r#"[{"method":"eth_getLogs","params":[{"topics":[["0x01"]]}]}]"#;
        assert!(check_values(filter.as_bytes()).is_ok());
    }

    #[test]
    fn a_full_batch_of_submissions_has_few_enough_values() {
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"eth_sendTransaction","params":[{"from":"0x",
            "to":"0x","gas":"0x","gasPrice":"0x","value":"0x0","nonce":"0x0","data":"0x00"}]}"#;
        let calls = vec![call; 1_000].join(",");
        assert!(check_values(format!("[{calls}]").as_bytes()).is_ok());
    }

    #[test]
    fn what_clients_send_weighs_little_enough() {
        let many =
            |method: &'static str, count| check_weight(weight(std::iter::repeat_n(method, count)));
        // The backend's status batches, its blocks and the largest batch of submissions.
        many("tabella_getTransactionStatus", 1_000).unwrap();
        many("tabella_getBlock", 16).unwrap();
        many("eth_sendTransaction", 1_000).unwrap();
        many("eth_getBlockByNumber", 100).unwrap();
        many("tabella_getBoard", 101).unwrap_err();
        many("eth_feeHistory", 101).unwrap_err();
        many("tabella_getElectionChanges", 5).unwrap_err();
    }
}
