//! Blocks, transactions and receipts in Ethereum's shapes.
//!
//! What Tabella has no counterpart for is the neutral value that clients expect: nobody pays gas,
//! there are no uncles, no logs and no bloom.

use serde_json::{Value, json};
use sha3::{Digest, Keccak256};
use tabella_ledger::StoredBlock;
use tabella_protocol::{Hash, Transaction, transactions_root};

use super::{
    Context,
    chain::{GAS, quantity},
    error::RpcError,
    params::{BlockRef, Params},
    readers::Asker,
    submit::hex_bytes,
};

/// Keccak-256 of an empty RLP list: what Ethereum says of a block without uncles.
const EMPTY_UNCLES: &str = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347";
const ZERO_ADDRESS: &str = "0x0000000000000000000000000000000000000000";
const GAS_LIMIT: u64 = 30_000_000_000;
/// Most blocks in one answer of `eth_feeHistory`, as Ethereum's specification has it.
const FEE_BLOCKS_MAX: u64 = 1_024;
/// What clients that parse a quantity as a JavaScript number can hold exactly: ethers and viem fail the
/// whole answer beyond it.
const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;
/// Most percentiles asked for in `eth_feeHistory`.
const FEE_PERCENTILES_MAX: usize = 100;

fn empty_bloom() -> String {
    format!("0x{}", "00".repeat(256))
}

/// `web3_sha3`
pub(crate) fn sha3(params: &Params) -> Result<Value, RpcError> {
    let text: String = params.required(0, "data hex")?;
    let digest: [u8; 32] = Keccak256::digest(hex_bytes(&text)?).into();
    Ok(json!(Hash(digest)))
}

/// `eth_getBlockByNumber`, `eth_getBlockByHash`
///
/// A block with ballots that are not for who asks is shown without its transactions, their ids and its
/// size: clients poll for blocks, and an error would stop them.
pub(crate) fn block(context: &Context, asker: &Asker, params: &Params) -> Result<Value, RpcError> {
    let block = params.block(0)?;
    let full = params
        .optional::<bool>(1, "whether to answer whole transactions")?
        .unwrap_or(false);
    if is_genesis(context, block) {
        return Ok(genesis_block(context));
    }
    let Some(stored) = context.find_whole_block(block)? else {
        return Ok(Value::Null);
    };
    let ledger = &context.validator.ledger;
    let is_withheld = context.readers.check_block(ledger, asker, &stored).is_err();
    let transactions: Vec<Value> = if is_withheld {
        Vec::new()
    } else if full {
        let indexes = 0..stored.block.transactions.len();
        indexes
            .filter_map(|index| transaction_json(context, &stored, index))
            .collect()
    } else {
        stored
            .block
            .transactions
            .iter()
            .map(|bytes| json!(Hash::of(bytes)))
            .collect()
    };
    let header = &stored.block.header;
    Ok(block_json(&Shown {
        hash: stored.hash,
        parent: header.parent,
        miner: json!(header.proposer.address()),
        state_root: header.state_root,
        transactions_root: header.transactions_root,
        receipts_root: header.boards_root,
        height: header.height,
        timestamp_ms: header.timestamp_ms,
        size: if is_withheld {
            0
        } else {
            stored.bytes.len() as u64
        },
        transaction_count: header.transaction_count.into(),
        transactions,
    }))
}

fn is_genesis(context: &Context, block: BlockRef) -> bool {
    let ledger = &context.validator.ledger;
    match block {
        BlockRef::Height(height) => height == 0,
        BlockRef::Latest => ledger.tip().height == 0,
        BlockRef::Hash(hash) => hash == ledger.genesis_hash(),
    }
}

/// A block as Ethereum clients see it.
struct Shown {
    hash: Hash,
    parent: Hash,
    miner: Value,
    state_root: Hash,
    transactions_root: Hash,
    receipts_root: Hash,
    height: u64,
    timestamp_ms: u64,
    size: u64,
    transaction_count: u64,
    transactions: Vec<Value>,
}

fn block_json(shown: &Shown) -> Value {
    json!({
        "hash": shown.hash,
        "parentHash": shown.parent,
        "sha3Uncles": EMPTY_UNCLES,
        "miner": shown.miner,
        "stateRoot": shown.state_root,
        "transactionsRoot": shown.transactions_root,
        "receiptsRoot": shown.receipts_root,
        "logsBloom": empty_bloom(),
        "difficulty": "0x0",
        "totalDifficulty": "0x0",
        "number": quantity(shown.height),
        "gasLimit": quantity(GAS_LIMIT),
        "gasUsed": quantity(GAS * shown.transaction_count),
        "baseFeePerGas": "0x0",
        "timestamp": quantity(shown.timestamp_ms / 1_000),
        "extraData": "0x",
        "mixHash": Hash::ZERO,
        "nonce": "0x0000000000000000",
        "size": quantity(shown.size),
        "uncles": [],
        "transactions": shown.transactions,
    })
}

/// Height 0: the genesis document, shown as the block that the first one names as its parent.
fn genesis_block(context: &Context) -> Value {
    let ledger = &context.validator.ledger;
    block_json(&Shown {
        hash: ledger.genesis_hash(),
        parent: Hash::ZERO,
        miner: json!(ZERO_ADDRESS),
        state_root: Hash::ZERO,
        transactions_root: transactions_root([]),
        receipts_root: transactions_root([]),
        height: 0,
        timestamp_ms: ledger.genesis().timestamp_ms,
        size: 0,
        transaction_count: 0,
        transactions: Vec::new(),
    })
}

/// `eth_getBlockTransactionCountByNumber`, `eth_getBlockTransactionCountByHash`
pub(crate) fn block_transaction_count(
    context: &Context,
    params: &Params,
) -> Result<Value, RpcError> {
    let block = context.find_certified(params.block(0)?)?;
    Ok(block.map_or(Value::Null, |block| quantity(block.transactions as u64)))
}

/// `eth_getTransactionByHash`
pub(crate) fn transaction(
    context: &Context,
    asker: &Asker,
    params: &Params,
) -> Result<Value, RpcError> {
    let id = params.hash(0, "transaction hash")?;
    let (readers, ledger) = (&context.readers, &context.validator.ledger);
    if let Some((stored, index)) = place(context, &id)? {
        let bytes = stored.block.transactions.get(index);
        let transaction = bytes.and_then(|bytes| Transaction::from_bytes(bytes).ok());
        if let Some(transaction) = &transaction {
            readers.check_transaction(ledger, asker, transaction)?;
        }
        return Ok(transaction_json(context, &stored, index).unwrap_or_default());
    }
    let Some(waiting) = context.validator.intake.get(&id) else {
        return Ok(Value::Null);
    };
    let (bytes, transaction) = (waiting.bytes(), waiting.transaction());
    readers.check_transaction(ledger, asker, transaction)?;
    Ok(transaction_fields(context, &id, bytes, transaction, None))
}

/// `eth_getTransactionReceipt`
pub(crate) fn transaction_receipt(context: &Context, params: &Params) -> Result<Value, RpcError> {
    let id = params.hash(0, "transaction hash")?;
    let Some((stored, index)) = place(context, &id)? else {
        return Ok(Value::Null);
    };
    Ok(receipt_json(&stored, index).unwrap_or_default())
}

/// `eth_getBlockReceipts`
pub(crate) fn block_receipts(
    context: &Context,
    asker: &Asker,
    params: &Params,
) -> Result<Value, RpcError> {
    let block = params.block(0)?;
    if is_genesis(context, block) {
        return Ok(json!([]));
    }
    let Some(stored) = context.find_whole_block(block)? else {
        return Ok(Value::Null);
    };
    let ledger = &context.validator.ledger;
    context.readers.check_block(ledger, asker, &stored)?;
    let indexes = 0..stored.block.transactions.len();
    Ok(indexes
        .filter_map(|index| receipt_json(&stored, index))
        .collect())
}

/// `eth_getTransactionByBlockHashAndIndex`, `eth_getTransactionByBlockNumberAndIndex`
pub(crate) fn transaction_at(
    context: &Context,
    asker: &Asker,
    params: &Params,
) -> Result<Value, RpcError> {
    let block = params.block(0)?;
    let index = params.quantity(1, "a transaction's index")?;
    let Some(stored) = context.find_whole_block(block)? else {
        return Ok(Value::Null);
    };
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    let ledger = &context.validator.ledger;
    context.readers.check_block(ledger, asker, &stored)?;
    Ok(transaction_json(context, &stored, index).unwrap_or_default())
}

fn receipt_json(stored: &StoredBlock, index: usize) -> Option<Value> {
    let bytes = stored.block.transactions.get(index)?;
    let transaction = Transaction::from_bytes(bytes).ok()?;
    let id = Hash::of(bytes);
    Some(json!({
        "status": "0x1",
        "type": "0x0",
        "transactionHash": id,
        "transactionIndex": quantity(index as u64),
        "blockHash": stored.hash,
        "blockNumber": quantity(stored.block.header.height),
        "from": transaction.signer.address(),
        "to": ZERO_ADDRESS,
        "contractAddress": null,
        "gasUsed": quantity(GAS),
        "cumulativeGasUsed": quantity(GAS * (index as u64 + 1)),
        "effectiveGasPrice": "0x0",
        "logs": [],
        "logsBloom": empty_bloom(),
    }))
}

fn place(context: &Context, id: &Hash) -> Result<Option<(StoredBlock, usize)>, RpcError> {
    let ledger = &context.validator.ledger;
    let found = ledger.block_with(id)?;
    Ok(found.map(|(stored, index)| (stored, index as usize)))
}

fn transaction_json(context: &Context, stored: &StoredBlock, index: usize) -> Option<Value> {
    let bytes = stored.block.transactions.get(index)?;
    let transaction = Transaction::from_bytes(bytes).ok()?;
    let id = Hash::of(bytes);
    Some(transaction_fields(
        context,
        &id,
        bytes,
        &transaction,
        Some((stored, index)),
    ))
}

fn transaction_fields(
    context: &Context,
    id: &Hash,
    bytes: &[u8],
    transaction: &Transaction,
    place: Option<(&StoredBlock, usize)>,
) -> Value {
    let half = |bytes: &[u8]| {
        // Ethereum writes a signature's halves as quantities.
        let digits = hex::encode(bytes);
        let digits = digits.trim_start_matches('0');
        format!("0x{}", if digits.is_empty() { "0" } else { digits })
    };
    let (r, s) = transaction.signature.0.split_at(32);
    json!({
        "hash": id,
        "type": "0x0",
        "chainId": quantity(context.chain_id()),
        "from": transaction.signer.address(),
        "to": ZERO_ADDRESS,
        "nonce": quantity(shown_nonce(transaction.body.nonce)),
        "tabellaNonce": quantity(transaction.body.nonce),
        "gas": quantity(GAS),
        "gasPrice": "0x0",
        "value": "0x0",
        "input": format!("0x{}", hex::encode(bytes)),
        "r": half(r),
        "s": half(s),
        "v": "0x0",
        "blockHash": place.map(|(stored, _)| stored.hash),
        "blockNumber": place.map(|(stored, _)| quantity(stored.block.header.height)),
        "transactionIndex": place.map(|(_, index)| quantity(index as u64)),
    })
}

/// The low 53 bits of a transaction's nonce. Nonces are random and of 64 bits; `tabellaNonce` has the
/// whole one.
fn shown_nonce(nonce: u64) -> u64 {
    nonce & SAFE_INTEGER_MAX
}

/// `eth_feeHistory`: there are no fees.
pub(crate) fn fee_history(context: &Context, params: &Params) -> Result<Value, RpcError> {
    let count = match params.optional::<Value>(0, "a block count")? {
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(text)) => text
            .strip_prefix("0x")
            .and_then(|digits| u64::from_str_radix(digits, 16).ok()),
        _ => None,
    };
    let count = count.ok_or_else(|| RpcError::invalid_params("expected a block count"))?;
    let newest = match params.block(1)? {
        BlockRef::Height(height) => height.min(context.tip.borrow().height),
        _ => context.tip.borrow().height,
    };
    let count = count.clamp(1, FEE_BLOCKS_MAX).min(newest + 1);
    let percentiles = params
        .optional::<Vec<f64>>(2, "reward percentiles")?
        .unwrap_or_default();
    if percentiles.len() > FEE_PERCENTILES_MAX {
        return Err(RpcError::invalid_params(format!(
            "expected at most {FEE_PERCENTILES_MAX} reward percentiles, got {}",
            percentiles.len()
        )));
    }
    let rewards = vec!["0x0"; percentiles.len()];
    let blocks = usize::try_from(count).unwrap_or(usize::MAX);
    Ok(json!({
        "oldestBlock": quantity(newest + 1 - count),
        "baseFeePerGas": vec!["0x0"; blocks + 1],
        "gasUsedRatio": vec![0; blocks],
        "reward": vec![rewards; blocks],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_nonce_is_one_that_clients_parse_as_a_number() {
        assert_eq!(shown_nonce(7), 7);
        assert_eq!(shown_nonce(SAFE_INTEGER_MAX), 9_007_199_254_740_991);
        assert_eq!(shown_nonce(SAFE_INTEGER_MAX + 1), 0);
        assert_eq!(shown_nonce(u64::MAX), SAFE_INTEGER_MAX);
    }
}
