//! Tabella's own methods. Their shapes are `tabella_protocol::rpc`'s.

use serde::Serialize;
use tabella_ledger::{LedgerError, StoredBlock};
use tabella_protocol::{
    EvidenceFile, Hash, HexBytes, Receipt, Transaction, ValidatorSetProof,
    rpc::{
        BlockSummary, BlockView, BoardPage, CertificateView, ChangingBlock, ConsistencyProof,
        ElectionChanges, ElectionView, EvidenceView, NodeStatus, PluginView, ResultsView,
        TransactionStatus, ValidatorsView,
    },
};

use super::{
    Context,
    answer::{Json, Room},
    error::RpcError,
    params::Params,
    readers::Asker,
};

/// Most blocks, and most board items, in one answer.
const SUMMARIES_MAX: usize = 256;
const BOARD_ITEMS_MAX: usize = 1_000;
/// Bytes of ballots after which a page of a board ends, and how many ballots tell how large they are.
const BOARD_BYTES_MAX: usize = 1 << 20;
const BOARD_FIRST_ITEMS: usize = 32;
/// Transactions after which an answer of summaries ends with the block it is at.
const SUMMARIES_TRANSACTIONS_MAX: usize = 50_000;
/// Bytes of blocks after which an answer that reads several ends with the block it is at.
const BLOCKS_READ_BYTES_MAX: usize = 32 << 20;
/// Bytes of hex after which an answer of election changes ends with the block it is at.
const CHANGES_BYTES_MAX: usize = 1 << 20;

/// The result of one of these methods; nothing for the name of another.
pub(crate) fn answer(
    context: &Context,
    asker: &Asker,
    method: &str,
    params: &Params,
    room: Room,
) -> Option<Result<Json, RpcError>> {
    Some(match method {
        "tabella_nodeStatus" => room.write(&node_status(context)),
        "tabella_getTransactionStatus" => write(room, transaction_status(context, params)),
        "tabella_getBlockSummaries" => write(room, block_summaries(context, asker, params, room)),
        "tabella_getBlock" => write(room, block(context, asker, params)),
        "tabella_getCertificate" => write(room, certificate(context, params)),
        "tabella_getElectionChanges" => write(room, election_changes(context, asker, params, room)),
        "tabella_getElections" => room.write(&elections(context)),
        "tabella_getElection" => write(room, election(context, params)),
        "tabella_getPlugins" => write(room, plugins(context)),
        "tabella_getPlugin" => write(room, plugin(context, params)),
        "tabella_getReceipt" => write(room, receipt(context, params)),
        "tabella_getBoard" => write(room, board(context, asker, params)),
        "tabella_getBoardConsistencyProof" => write(room, board_consistency(context, params)),
        "tabella_getResults" => write(room, results(context, params)),
        "tabella_getValidators" => room.write(&validators(context)),
        "tabella_getValidatorSets" => write(room, validator_sets(context)),
        "tabella_getEvidence" => write(room, evidence(context)),
        "tabella_getPeers" => room.write(&context.discovery.records()),
        _ => return None,
    })
}

fn write<T: Serialize>(room: Room, shape: Result<T, RpcError>) -> Result<Json, RpcError> {
    room.write(&shape?)
}

/// `tabella_nodeStatus() -> NodeStatus`
fn node_status(context: &Context) -> NodeStatus {
    let validator = &context.validator;
    let tip = validator.ledger.tip();
    let damage = validator.ledger.damage();
    NodeStatus {
        node_id: context.node_id.clone(),
        public_key: validator.replica.key.public(),
        genesis: validator.ledger.genesis_hash(),
        chain_id: context.chain_id(),
        height: tip.height,
        block_hash: tip.block_hash,
        state_root: tip.state_root,
        block_timestamp_ms: tip.timestamp_ms,
        mempool: validator.intake.len() as u64,
        peers: context.peers(),
        signing: context.is_signing(),
        standing: validator.standing(),
        evidence: validator.evidence.found().len() as u64,
        damage: damage.iter().map(ToString::to_string).collect(),
        dissents: validator.dissent.of_own(),
        dissenters: validator.dissent.of_others(&validator.ledger),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// `tabella_getTransactionStatus(id) -> TransactionStatus`
fn transaction_status(context: &Context, params: &Params) -> Result<TransactionStatus, RpcError> {
    let id = params.hash(0, "transaction id")?;
    let certified = &context.bounded.certified;
    Ok(match certified.holding(&context.validator.ledger, &id)? {
        Some((block, height, index)) => TransactionStatus::Confirmed {
            height,
            block_hash: block.certificate.block_hash,
            index,
        },
        None => context.validator.intake.status(&id),
    })
}

/// `tabella_getBlockSummaries(from_height, count_max, wait_ms) -> [BlockSummary]`. The wait is over.
fn block_summaries(
    context: &Context,
    asker: &Asker,
    params: &Params,
    room: Room,
) -> Result<Vec<BlockSummary>, RpcError> {
    let from: u64 = params.required(0, "from_height")?;
    let count = params
        .optional::<usize>(1, "count_max")?
        .unwrap_or(SUMMARIES_MAX);
    params.optional::<u64>(2, "wait_ms")?;
    let ledger = &context.validator.ledger;
    let mut summaries = Vec::new();
    let (mut transactions, mut read) = (0, 0);
    for height in (from.max(1)..=ledger.tip().height).take(count.min(SUMMARIES_MAX)) {
        let Some((stored, ids)) = next_block(context, asker, from, height)? else {
            break;
        };
        transactions += stored.block.transactions.len();
        read += stored.bytes.len();
        summaries.push(summary(context, stored, ids)?);
        let is_full = transactions >= SUMMARIES_TRANSACTIONS_MAX || read >= BLOCKS_READ_BYTES_MAX;
        if is_full || room.is_over() {
            break;
        }
    }
    Ok(summaries)
}

/// The next block of an answer that begins with `from`; nothing where the answer ends before it, because
/// it is not there, is damaged here, or is not for who asks.
fn next_block(
    context: &Context,
    asker: &Asker,
    from: u64,
    height: u64,
) -> Result<Option<(StoredBlock, Vec<Hash>)>, RpcError> {
    let ledger = &context.validator.ledger;
    let is_first = height == from.max(1);
    let found = match ledger.whole_block(height) {
        Err(LedgerError::Damaged(_)) if !is_first => return Ok(None),
        found => found?,
    };
    let Some((block, _)) = &found else {
        return Ok(None);
    };
    match context.readers.check_block(ledger, asker, block) {
        Err(withheld) if is_first => Err(withheld),
        Err(_) => Ok(None),
        Ok(()) => Ok(found),
    }
}

fn summary(
    context: &Context,
    stored: StoredBlock,
    transaction_ids: Vec<Hash>,
) -> Result<BlockSummary, RpcError> {
    Ok(BlockSummary {
        acks: context.validator.ledger.acks(stored.block.header.height)?,
        header: stored.block.header,
        certificate: stored.certificate,
        transaction_ids,
    })
}

/// `tabella_getElectionChanges(from_height) -> ElectionChanges`
fn election_changes(
    context: &Context,
    asker: &Asker,
    params: &Params,
    room: Room,
) -> Result<ElectionChanges, RpcError> {
    let from = params.required::<u64>(0, "from_height")?.max(1);
    let ledger = &context.validator.ledger;
    let mut changes = ElectionChanges {
        to_height: from - 1,
        blocks: Vec::new(),
    };
    let (mut bytes, mut read) = (0, 0);
    for height in (from..=ledger.tip().height).take(SUMMARIES_MAX) {
        let Some((stored, ids)) = next_block(context, asker, from, height)? else {
            break;
        };
        changes.to_height = height;
        read += stored.bytes.len();
        let shaping = stored.block.transactions.iter().filter(|bytes| {
            Transaction::from_bytes(bytes).is_ok_and(|t| t.body.payload.shapes_elections())
        });
        let transactions: Vec<_> = shaping.cloned().map(HexBytes).collect();
        if !transactions.is_empty() {
            bytes += transactions.iter().map(|t| 2 * t.0.len()).sum::<usize>();
            changes.blocks.push(ChangingBlock {
                summary: summary(context, stored, ids)?,
                transactions,
            });
        }
        let is_full = bytes >= CHANGES_BYTES_MAX || read >= BLOCKS_READ_BYTES_MAX;
        if is_full || room.is_over() {
            break;
        }
    }
    Ok(changes)
}

/// `tabella_getBlock(height | hash) -> BlockView | null`
fn block(context: &Context, asker: &Asker, params: &Params) -> Result<Option<BlockView>, RpcError> {
    let Some(stored) = context.find_whole_block(params.block(0)?)? else {
        return Ok(None);
    };
    let ledger = &context.validator.ledger;
    context.readers.check_block(ledger, asker, &stored)?;
    let acks = context.validator.ledger.acks(stored.block.header.height)?;
    let StoredBlock {
        hash,
        block,
        bytes,
        certificate,
    } = stored;
    Ok(Some(BlockView {
        hash,
        header: block.header,
        block: HexBytes(bytes),
        certificate,
        acks,
    }))
}

/// `tabella_getCertificate(height) -> CertificateView | null`
fn certificate(context: &Context, params: &Params) -> Result<Option<CertificateView>, RpcError> {
    let Some(block) = context.find_certified(params.block(0)?)? else {
        return Ok(None);
    };
    let acks = context.validator.ledger.acks(block.certificate.height)?;
    Ok(Some(CertificateView {
        certificate: block.certificate.clone(),
        acks,
    }))
}

/// `tabella_getElections() -> [ElectionView]`
fn elections(context: &Context) -> Vec<ElectionView> {
    let elections = context.validator.ledger.elections();
    elections.iter().map(|election| election.view()).collect()
}

/// `tabella_getElection(id) -> ElectionView | null`
fn election(context: &Context, params: &Params) -> Result<Option<ElectionView>, RpcError> {
    let id = params.required(0, "election id")?;
    let election = context.validator.ledger.election(id);
    Ok(election.map(|election| election.view()))
}

/// `tabella_getPlugins() -> [PluginView]`
fn plugins(context: &Context) -> Result<Vec<PluginView>, RpcError> {
    let ledger = &context.validator.ledger;
    let mut views = Vec::new();
    for (hash, _) in ledger.plugins() {
        views.extend(ledger.plugin_view(&hash, false)?);
    }
    Ok(views)
}

/// `tabella_getPlugin(sha256, with_wasm) -> PluginView | null`
fn plugin(context: &Context, params: &Params) -> Result<Option<PluginView>, RpcError> {
    let hash = params.hash(0, "plugin hash")?;
    let with_wasm = params.optional(1, "with_wasm")?.unwrap_or(false);
    Ok(context.validator.ledger.plugin_view(&hash, with_wasm)?)
}

/// `tabella_getReceipt(transaction id) -> Receipt | null`
fn receipt(context: &Context, params: &Params) -> Result<Option<Receipt>, RpcError> {
    let id = params.hash(0, "transaction id")?;
    Ok(context.validator.ledger.receipt(&id)?)
}

/// `tabella_getBoard(election_id, from_position, count_max) -> BoardPage`. A page of large ballots
/// ends before it has as many as were asked for.
fn board(context: &Context, asker: &Asker, params: &Params) -> Result<BoardPage, RpcError> {
    let id = params.required(0, "election id")?;
    let from: u64 = params.optional(1, "from_position")?.unwrap_or(0);
    let count = params
        .optional::<usize>(2, "count_max")?
        .unwrap_or(BOARD_ITEMS_MAX)
        .min(BOARD_ITEMS_MAX);
    let ledger = &context.validator.ledger;
    let not_found = || RpcError::not_found(format!("no election has the id {id}"));
    let election = ledger.election(id).ok_or_else(not_found)?;
    context.readers.check_election(ledger, asker, id)?;
    // Later pages may come of a newer board; the answer is of the one that it names.
    let (board, mut records) = ledger.board(id, from, 0)?.ok_or_else(not_found)?;
    let mut bytes = 0;
    while records.len() < count && bytes < BOARD_BYTES_MAX {
        let at = from.saturating_add(records.len() as u64);
        let ahead = usize::try_from(board.size.saturating_sub(at)).unwrap_or(usize::MAX);
        let fitting = match records.len() {
            0 => BOARD_FIRST_ITEMS,
            // As many as fit if those to come are as large as those before.
            known => ((BOARD_BYTES_MAX - bytes) / (bytes / known).max(1)).max(1),
        };
        let step = fitting.min(count - records.len()).min(ahead);
        let (_, more) = ledger.board(id, at, step)?.ok_or_else(not_found)?;
        if more.is_empty() {
            break;
        }
        let ballots = more.iter().flat_map(|record| &record.ballots);
        bytes += ballots.map(Vec::len).sum::<usize>();
        records.extend(more);
    }
    let items = records
        .into_iter()
        .map(|record| election.board_item(record))
        .collect();
    Ok(BoardPage { board, items })
}

/// `tabella_getBoardConsistencyProof(election_id, old_size, new_size) -> ConsistencyProof`
fn board_consistency(context: &Context, params: &Params) -> Result<ConsistencyProof, RpcError> {
    let election_id = params.required(0, "election id")?;
    let old_size = params.required(1, "old_size")?;
    let new_size = params.required(2, "new_size")?;
    let path = context
        .validator
        .ledger
        .board_consistency(election_id, old_size, new_size)?;
    let path = path.ok_or_else(|| {
        RpcError::not_found(format!(
            "expected 1 <= old_size <= new_size <= the size of election {election_id}'s board"
        ))
    })?;
    Ok(ConsistencyProof {
        election_id,
        old_size,
        new_size,
        path,
    })
}

/// `tabella_getResults(election_id) -> ResultsView | null`
fn results(context: &Context, params: &Params) -> Result<Option<ResultsView>, RpcError> {
    let id = params.required(0, "election id")?;
    let ledger = &context.validator.ledger;
    let Some(election) = ledger.election(id) else {
        return Ok(None);
    };
    Ok(Some(ledger.results_view(&election)?))
}

/// `tabella_getValidators() -> ValidatorsView`
fn validators(context: &Context) -> ValidatorsView {
    let ledger = &context.validator.ledger;
    let height = ledger.tip().height + 1;
    let history = ledger.validators();
    let in_force = history.at(height).clone();
    let scheduled = history.sets().iter().filter(|set| set.from_height > height);
    ValidatorsView {
        height,
        quorum: in_force.quorum,
        validators: in_force.validators,
        addresses: in_force.addresses,
        scheduled: scheduled.cloned().collect(),
    }
}

/// `tabella_getValidatorSets() -> [ValidatorSetProof]`
fn validator_sets(context: &Context) -> Result<Vec<ValidatorSetProof>, RpcError> {
    Ok(context.validator.ledger.validator_sets()?)
}

/// `tabella_getEvidence() -> [EvidenceView]`
fn evidence(context: &Context) -> Result<Vec<EvidenceView>, RpcError> {
    let ledger = &context.validator.ledger;
    let history = ledger.validators();
    let validator_sets = ledger.validator_sets()?;
    let found = context.validator.evidence.found().into_iter();
    let views: Vec<_> = found
        .map(|evidence| EvidenceView {
            id: evidence.subject(),
            kind: evidence.kind().to_owned(),
            height: evidence.height(),
            liars: match evidence.verify(&history) {
                Ok(summary) => summary.liars.iter().map(|liar| liar.public_key).collect(),
                Err(_) => Vec::new(),
            },
            on_chain: ledger.has_evidence(&evidence.subject()),
            file: EvidenceFile {
                version: EvidenceFile::VERSION,
                genesis: ledger.genesis_hash(),
                validator_sets: validator_sets
                    .iter()
                    .filter(|proof| proof.header.height <= evidence.height())
                    .cloned()
                    .collect(),
                evidence,
            },
        })
        .collect();
    Ok(views)
}
