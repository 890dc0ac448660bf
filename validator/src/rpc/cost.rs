//! What one request may cost: the bounds, and what each method weighs.

use std::time::Duration;

use super::{error::RpcError, queue};

/// Most that the calls of one batch may weigh together.
pub(crate) const BATCH_WEIGHT_MAX: u32 = 2_000;
/// Most JSON values in one request: a value takes many times the memory of its text.
pub(crate) const REQUEST_VALUES_MAX: usize = 32_768;
/// Most bytes of one call's result, where blocks are not larger.
pub(crate) const RESULT_BYTES_MAX: usize = 16 << 20;
/// Most bytes of a batch's answers, where blocks are not larger.
pub(crate) const BATCH_BYTES_MAX: usize = 25 << 20;
/// How long one request may wait for blocks, however many of its calls would.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(20);
/// Requests that wait for blocks at once; past it they are answered with what there is.
pub(crate) const LONG_POLLS_MAX: usize = 512;
/// Pause between the starts of two re-checks of the chain (`tabella_verify`); whoever asks meanwhile
/// is answered with the last one.
pub(crate) const VERIFY_PAUSE: Duration = Duration::from_secs(10);

/// Requests that read the chain.
pub(crate) const READS: queue::Bounds = queue::Bounds {
    running_max: 4,
    waiting_max: 256,
    waiting_per_address_max: 64,
    wait_max: Duration::from_secs(5),
};

/// Requests that bring transactions.
pub(crate) const SUBMISSIONS: queue::Bounds = queue::Bounds {
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
            | "eth_getTransactionByHash"
            | "eth_getTransactionReceipt"
            | "tabella_getCertificate"
            | "tabella_getElection" => Self::Record,
            "eth_getBlockByNumber"
            | "eth_getBlockByHash"
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

/// Refuses calls that weigh too much together.
pub(crate) fn check_weight<'a>(methods: impl Iterator<Item = &'a str>) -> Result<(), RpcError> {
    let weight: u32 = methods.map(|method| Cost::of(method).weight()).sum();
    if weight > BATCH_WEIGHT_MAX {
        return Err(RpcError::limit_exceeded(format!(
            "expected a batch that weighs at most {BATCH_WEIGHT_MAX}, got {weight}; send fewer calls \
             at once"
        )));
    }
    Ok(())
}

/// Refuses texts that would become too many values, before they become any.
pub(crate) fn check_values(text: &[u8]) -> Result<(), RpcError> {
    let mut values = 1_usize;
    let mut is_text = false;
    let mut is_escaped = false;
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b',' | b'[' | b'{' if !is_text => values += 1,
            _ => {}
        }
    }
    if values > REQUEST_VALUES_MAX {
        return Err(RpcError::limit_exceeded(format!(
            "expected a request of at most {REQUEST_VALUES_MAX} values"
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
    fn what_clients_send_weighs_little_enough() {
        let many = |method: &'static str, count| check_weight(std::iter::repeat_n(method, count));
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
