//! Tabella's own methods. Their shapes are `tabella_protocol::rpc`'s.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::{Value, json};
use tabella_ledger::{BallotRecord, Election, LedgerError, StoredBlock};
use tabella_protocol::{
    Disclosure, EvidenceFile, Hash, Transaction,
    rpc::{
        AttestationProof, BlockSummary, BlockView, BoardItem, BoardPage, CertificateView,
        ChangingBlock, ConsistencyProof, ElectionChanges, ElectionStatus, ElectionView,
        EvidenceView, NodeStatus, PluginView, ResultCertificate, ResultsView, TransactionStatus,
        ValidatorsView,
    },
};

use super::{Context, WAIT_MAX, error::RpcError, params::Params};

/// Most blocks, and most board items, in one answer.
const SUMMARIES_MAX: usize = 256;
const BOARD_ITEMS_MAX: usize = 1_000;
/// Bytes of hex after which an answer of election changes ends with the block it is at.
const CHANGES_BYTES_MAX: usize = 1 << 20;

fn value<T: Serialize>(shape: &T) -> Result<Value, RpcError> {
    serde_json::to_value(shape)
        .map_err(|error| RpcError::from(LedgerError::Corrupt(format!("answer: {error}"))))
}

fn hex_text(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// `tabella_nodeStatus() -> NodeStatus`
pub(crate) fn node_status(context: &Context) -> Result<Value, RpcError> {
    let validator = &context.validator;
    let tip = validator.ledger.tip();
    value(&NodeStatus {
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
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// `tabella_getTransactionStatus(id) -> TransactionStatus`
pub(crate) fn transaction_status(context: &Context, params: &Params) -> Result<Value, RpcError> {
    let id = params.hash(0, "transaction id")?;
    let ledger = &context.validator.ledger;
    let status = match ledger.place_of(&id)? {
        Some((height, index)) => {
            let stored = ledger.block(height)?;
            let block_hash = stored.map_or(Hash::ZERO, |stored| stored.hash);
            TransactionStatus::Confirmed {
                height,
                block_hash,
                index,
            }
        }
        None => context.validator.intake.status(&id),
    };
    value(&status)
}

/// `tabella_getBlockSummaries(from_height, count_max, wait_ms) -> [BlockSummary]`
pub(crate) async fn block_summaries(context: &Context, params: &Params) -> Result<Value, RpcError> {
    let from: u64 = params.required(0, "from_height")?;
    let count = params
        .optional::<usize>(1, "count_max")?
        .unwrap_or(SUMMARIES_MAX);
    let wait_ms = params.optional::<u64>(2, "wait_ms")?.unwrap_or(0);
    let from = from.max(1);
    let mut tip = context.tip.clone();
    let wait = Duration::from_millis(wait_ms).min(WAIT_MAX);
    let arrived = tokio::time::timeout(wait, tip.wait_for(|tip| tip.height >= from));
    tokio::select! {
        // Neither running out of time nor stopping is an error: there is just nothing to tell.
        _ = arrived => {}
        () = context.stop.stopped() => {}
    }
    let ledger = &context.validator.ledger;
    let mut summaries = Vec::new();
    for height in (from..=ledger.tip().height).take(count.min(SUMMARIES_MAX)) {
        let Some(stored) = ledger.block(height)? else {
            break;
        };
        summaries.push(summary(context, stored)?);
    }
    value(&summaries)
}

fn summary(context: &Context, stored: StoredBlock) -> Result<BlockSummary, RpcError> {
    let transactions = stored.block.transactions.iter();
    Ok(BlockSummary {
        acks: context.validator.ledger.acks(stored.block.header.height)?,
        header: stored.block.header,
        certificate: stored.certificate,
        transaction_ids: transactions.map(|bytes| Hash::of(bytes)).collect(),
    })
}

/// `tabella_getElectionChanges(from_height) -> ElectionChanges`
pub(crate) fn election_changes(context: &Context, params: &Params) -> Result<Value, RpcError> {
    let from = params.required::<u64>(0, "from_height")?.max(1);
    let ledger = &context.validator.ledger;
    let mut changes = ElectionChanges {
        to_height: from - 1,
        blocks: Vec::new(),
    };
    let mut bytes = 0;
    for height in (from..=ledger.tip().height).take(SUMMARIES_MAX) {
        let Some(stored) = ledger.block(height)? else {
            break;
        };
        changes.to_height = height;
        let shaping = stored.block.transactions.iter().filter(|bytes| {
            Transaction::from_bytes(bytes).is_ok_and(|t| t.body.payload.shapes_elections())
        });
        let transactions: Vec<String> = shaping.map(|bytes| hex_text(bytes)).collect();
        if !transactions.is_empty() {
            bytes += transactions.iter().map(String::len).sum::<usize>();
            changes.blocks.push(ChangingBlock {
                summary: summary(context, stored)?,
                transactions,
            });
        }
        if bytes >= CHANGES_BYTES_MAX {
            break;
        }
    }
    value(&changes)
}

/// `tabella_getBlock(height | hash) -> BlockView | null`
pub(crate) fn block(context: &Context, params: &Params) -> Result<Value, RpcError> {
    let Some(stored) = context.find_block(params.block(0)?)? else {
        return Ok(Value::Null);
    };
    let acks = context.validator.ledger.acks(stored.block.header.height)?;
    let StoredBlock {
        hash,
        block,
        bytes,
        certificate,
    } = stored;
    value(&BlockView {
        hash,
        header: block.header,
        block: hex_text(&bytes),
        certificate,
        acks,
    })
}

/// `tabella_getCertificate(height) -> CertificateView | null`
pub(crate) fn certificate(context: &Context, params: &Params) -> Result<Value, RpcError> {
    let Some(stored) = context.find_block(params.block(0)?)? else {
        return Ok(Value::Null);
    };
    let acks = context.validator.ledger.acks(stored.block.header.height)?;
    value(&CertificateView {
        certificate: stored.certificate,
        acks,
    })
}

fn election_view(election: &Election) -> ElectionView {
    ElectionView {
        election_id: election.id(),
        spec: election.spec().clone(),
        status: election.status(),
        roll_size: election.roll_size(),
        turnout: election.turnout(),
        board: election.board(),
        transaction_id: election.transaction_id(),
        ballot_schemas: election
            .contests()
            .iter()
            .map(|c| c.ballot_schema())
            .collect(),
    }
}

/// `tabella_getElections() -> [ElectionView]`
pub(crate) fn elections(context: &Context) -> Result<Value, RpcError> {
    let elections = context.validator.ledger.elections();
    value(
        &elections
            .iter()
            .map(|election| election_view(election))
            .collect::<Vec<_>>(),
    )
}

/// `tabella_getElection(id) -> ElectionView | null`
pub(crate) fn election(context: &Context, params: &Params) -> Result<Value, RpcError> {
    let id = params.required(0, "election id")?;
    value(
        &context
            .validator
            .ledger
            .election(id)
            .map(|election| election_view(&election)),
    )
}

/// `tabella_getPlugins() -> [PluginView]`
pub(crate) fn plugins(context: &Context) -> Result<Value, RpcError> {
    let ledger = &context.validator.ledger;
    let mut views = Vec::new();
    for (hash, _) in ledger.plugins() {
        views.extend(plugin_view(context, &hash, false)?);
    }
    value(&views)
}

/// `tabella_getPlugin(sha256, with_wasm) -> PluginView | null`
pub(crate) fn plugin(context: &Context, params: &Params) -> Result<Value, RpcError> {
    let hash = params.hash(0, "plugin hash")?;
    let with_wasm = params.optional(1, "with_wasm")?.unwrap_or(false);
    value(&plugin_view(context, &hash, with_wasm)?)
}

fn plugin_view(
    context: &Context,
    hash: &Hash,
    with_wasm: bool,
) -> Result<Option<PluginView>, RpcError> {
    let Some((plugin, wasm)) = context.validator.ledger.plugin(hash)? else {
        return Ok(None);
    };
    Ok(Some(PluginView {
        sha256: *hash,
        bytes: wasm.len() as u64,
        manifest: plugin.manifest().to_json(),
        wasm: with_wasm.then(|| hex_text(&wasm)),
    }))
}

/// `tabella_getReceipt(transaction id) -> Receipt | null`
pub(crate) fn receipt(context: &Context, params: &Params) -> Result<Value, RpcError> {
    let id = params.hash(0, "transaction id")?;
    value(&context.validator.ledger.receipt(&id)?)
}

/// Whether the ballots of an election may be shown now.
fn discloses(election: &Election) -> bool {
    let over = matches!(
        election.status(),
        ElectionStatus::Closed | ElectionStatus::Final
    );
    over || election.spec().disclosure == Disclosure::Live
}

/// `tabella_getBoard(election_id, from_position, count_max) -> BoardPage`
pub(crate) fn board(context: &Context, params: &Params) -> Result<Value, RpcError> {
    let id = params.required(0, "election id")?;
    let from = params.optional(1, "from_position")?.unwrap_or(0);
    let count = params
        .optional::<usize>(2, "count_max")?
        .unwrap_or(BOARD_ITEMS_MAX);
    let ledger = &context.validator.ledger;
    let not_found = || RpcError::not_found(format!("no election has the id {id}"));
    let election = ledger.election(id).ok_or_else(not_found)?;
    let page = ledger.board(id, from, count.min(BOARD_ITEMS_MAX))?;
    let (board, records) = page.ok_or_else(not_found)?;
    let items = records
        .into_iter()
        .map(|record| board_item(&election, record))
        .collect();
    value(&BoardPage { board, items })
}

fn board_item(election: &Election, record: BallotRecord) -> BoardItem {
    let BallotRecord {
        entry,
        height,
        ballots,
    } = record;
    if !discloses(election) {
        return BoardItem {
            entry,
            height,
            ballots: Vec::new(),
            plain: Vec::new(),
        };
    }
    let plain = election.contests().iter().zip(&ballots);
    BoardItem {
        entry,
        height,
        plain: plain
            .map(|(c, ballot)| c.decode_ballot(ballot).unwrap_or_default())
            .collect(),
        ballots: ballots.iter().map(|ballot| hex_text(ballot)).collect(),
    }
}

/// `tabella_getBoardConsistencyProof(election_id, old_size, new_size) -> ConsistencyProof`
pub(crate) fn board_consistency(context: &Context, params: &Params) -> Result<Value, RpcError> {
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
    value(&ConsistencyProof {
        election_id,
        old_size,
        new_size,
        path,
    })
}

/// `tabella_getResults(election_id) -> ResultsView | null`
pub(crate) fn results(context: &Context, params: &Params) -> Result<Value, RpcError> {
    let id = params.required(0, "election id")?;
    let ledger = &context.validator.ledger;
    let Some(election) = ledger.election(id) else {
        return Ok(Value::Null);
    };
    let tally = ledger.stored_tally(id)?;
    let outcomes = tally.map(|tally| tally.outcomes).unwrap_or_default();
    let mut plain = Vec::with_capacity(outcomes.len());
    for (contest, outcome) in election.contests().iter().zip(&outcomes) {
        let shown = contest.outcome_json(outcome);
        plain.push(shown.map_err(|error| LedgerError::Corrupt(format!("outcome: {error}")))?);
    }
    value(&ResultsView {
        election_id: id,
        status: election.status(),
        board: election.board(),
        turnout: election.turnout(),
        outcomes: outcomes.iter().map(|outcome| hex_text(outcome)).collect(),
        plain,
        attested_by: election.attestations().map(|(key, _, _)| *key).collect(),
        certificate: certificate_of(context, &election)?,
    })
}

fn certificate_of(
    context: &Context,
    election: &Arc<Election>,
) -> Result<Option<ResultCertificate>, RpcError> {
    let Some(agreed) = election.result() else {
        return Ok(None);
    };
    let ledger = &context.validator.ledger;
    let height = election.result_height().unwrap_or_default();
    let history = ledger.validators();
    let validators = history.at(height);
    let mut proofs = Vec::new();
    for (validator, attestation, id) in election.attestations() {
        if attestation != agreed || !validators.contains(validator) {
            continue;
        }
        let Some((height, index)) = ledger.place_of(id)? else {
            continue;
        };
        let Some(stored) = ledger.block(height)? else {
            continue;
        };
        let Some(bytes) = stored.block.transactions.get(index as usize) else {
            continue;
        };
        let Ok(transaction) = tabella_protocol::Transaction::from_bytes(bytes) else {
            continue;
        };
        proofs.push(AttestationProof {
            validator: *validator,
            transaction: hex_text(bytes),
            signature: transaction.signature,
        });
    }
    Ok(Some(ResultCertificate {
        attestation: agreed.clone(),
        height,
        proofs,
    }))
}

/// `tabella_getValidators() -> ValidatorsView`
pub(crate) fn validators(context: &Context) -> Result<Value, RpcError> {
    let ledger = &context.validator.ledger;
    let height = ledger.tip().height + 1;
    let history = ledger.validators();
    let in_force = history.at(height).clone();
    let scheduled = history.sets().iter().filter(|set| set.from_height > height);
    value(&ValidatorsView {
        height,
        quorum: in_force.quorum,
        validators: in_force.validators,
        addresses: in_force.addresses,
        scheduled: scheduled.cloned().collect(),
    })
}

/// `tabella_getValidatorSets() -> [ValidatorSetProof]`
pub(crate) fn validator_sets(context: &Context) -> Result<Value, RpcError> {
    value(&context.validator.ledger.validator_sets()?)
}

/// `tabella_getEvidence() -> [EvidenceView]`
pub(crate) fn evidence(context: &Context) -> Result<Value, RpcError> {
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
    value(&views)
}

/// `tabella_getPeers() -> [PeerRecord]`
pub(crate) fn peers(context: &Context) -> Result<Value, RpcError> {
    value(&context.discovery.records())
}

/// `tabella_verify() -> VerifyView`
pub(crate) async fn verify(context: &Context) -> Result<Value, RpcError> {
    let ledger = Arc::clone(&context.validator.ledger);
    let verifying = tokio::task::spawn_blocking(move || ledger.verify());
    match verifying.await {
        Ok(view) => Ok(json!(view?)),
        Err(panic) => Err(LedgerError::Corrupt(panic.to_string()).into()),
    }
}
