//! What a fake validator answers, as its mood has it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tabella_protocol::{
    BoardEntry, BoardHead, Evidence, EvidenceFile, Hash, HexBytes, Payload, Transaction, merkle,
    rpc::{
        BlockSummary, BlockView, BoardItem, BoardPage, EvidenceView, NodeStatus, RefusalData,
        Standing, VALIDATOR_SETS_METHOD,
    },
    transactions_root,
};

use super::{Mood, Shared, certify, key};

fn asks_for(request: &Value, method: &str) -> bool {
    request.to_string().contains(&format!("\"{method}\""))
}

pub(super) async fn answer(
    State(shared): State<Arc<Shared>>,
    Json(request): Json<Value>,
) -> Response {
    let mood = shared.mood.lock().unwrap().clone();
    if asks_for(&request, "tabella_getBlock") {
        shared.block_requests.fetch_add(1, Ordering::SeqCst);
    }
    match mood {
        Mood::Unavailable => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Mood::Hanging => std::future::pending().await,
        Mood::Slow(pause) => tokio::time::sleep(pause).await,
        Mood::HoldsReads => {
            let text = request.to_string();
            if !["tabella_nodeStatus", "eth_sendTransaction"]
                .iter()
                .any(|m| text.contains(m))
            {
                std::future::pending::<()>().await;
            }
        }
        Mood::HoldsBodies if asks_for(&request, "tabella_getBlock") => {
            std::future::pending::<()>().await;
        }
        Mood::SlowBodies(pause) if asks_for(&request, "tabella_getBlock") => {
            tokio::time::sleep(pause).await;
        }
        Mood::UnknownValidators if asks_for(&request, VALIDATOR_SETS_METHOD) => {
            std::future::pending::<()>().await;
        }
        Mood::Garbage => return "[{\"what\": 1}".into_response(),
        _ => {}
    }
    let is_submission = request.to_string().contains("eth_sendTransaction");
    if is_submission {
        shared.submission_requests.fetch_add(1, Ordering::SeqCst);
    }
    let calls = match request {
        Value::Array(calls) => calls,
        call => return Json(shared.call(&call, &mood).await).into_response(),
    };
    let mut answers = Vec::new();
    for call in &calls {
        answers.push(shared.call(call, &mood).await);
    }
    if is_submission && mood == Mood::LosesAnswers {
        std::future::pending::<()>().await;
    }
    Json(answers).into_response()
}

impl Shared {
    async fn call(&self, call: &Value, mood: &Mood) -> Value {
        let params = &call["params"];
        let result = match call["method"].as_str().unwrap() {
            "tabella_nodeStatus" => {
                self.status_calls.fetch_add(1, Ordering::SeqCst);
                Ok(self.status(mood))
            }
            "eth_sendTransaction" => self.submit(&params[0]["data"], mood),
            "tabella_getBlockSummaries" => Ok(self.summaries(params, mood).await),
            "tabella_getTransactionStatus" => match mood {
                Mood::RefusesUntold(..) => Err(json!({"code": -32603, "message": "not now"})),
                Mood::BusyAt(id) if params[0] == json!(id) => {
                    Err(json!({"code": -32603, "message": "busy"}))
                }
                _ => Ok(self.transaction_status(&params[0])),
            },
            "tabella_getEvidence" if *mood == Mood::FloodsEvidence => Ok(self.evidence()),
            "tabella_getBlock" => Ok(self.block(&params[0], mood)),
            "tabella_getElection" => {
                let elections = self.network.elections.lock().unwrap();
                Ok(json!(elections.get(&params[0].as_u64().unwrap())))
            }
            "tabella_getElections" => {
                let elections = self.network.elections.lock().unwrap();
                Ok(json!(elections.values().collect::<Vec<_>>()))
            }
            "tabella_getPlugins" => {
                let plugins = self.network.plugins.lock().unwrap();
                let views = plugins.iter().map(|(hash, wasm)| plugin(hash, wasm));
                Ok(views.collect())
            }
            "tabella_getPlugin" => {
                let hash: Hash = serde_json::from_value(params[0].clone()).unwrap();
                let plugins = self.network.plugins.lock().unwrap();
                Ok(plugins.get(&hash).map_or(Value::Null, |wasm| {
                    let mut view = plugin(&hash, wasm);
                    if params[1] == true {
                        view["wasm"] = json!(format!("0x{}", hex::encode(wasm)));
                    }
                    view
                }))
            }
            "tabella_getResults" => {
                let results = self.network.results.lock().unwrap();
                Ok(json!(results.get(&params[0].as_u64().unwrap())))
            }
            "tabella_getReceipt" if matches!(mood, Mood::Receipt(_)) => match mood {
                Mood::Receipt(receipt) => Ok(json!(receipt)),
                _ => unreachable!(),
            },
            "tabella_getReceipt" => {
                let id: Hash = serde_json::from_value(params[0].clone()).unwrap();
                let ledger = self.network.ledger.as_ref();
                Ok(json!(
                    ledger.and_then(|ledger| ledger.receipt(&id).unwrap())
                ))
            }
            "tabella_getBoard" => Ok(self.board(params)),
            "tabella_getValidatorSets" if self.network.ledger.is_some() => {
                let ledger = self.network.ledger.as_ref();
                Ok(json!(ledger.map(|ledger| ledger.validator_sets().unwrap())))
            }
            other => Err(json!({"code": -32601, "message": format!("no method {other}")})),
        };
        match result {
            Ok(result) => json!({"jsonrpc": "2.0", "id": call["id"], "result": result}),
            Err(error) => json!({"jsonrpc": "2.0", "id": call["id"], "error": error}),
        }
    }

    fn status(&self, mood: &Mood) -> Value {
        let chain = self.network.chain();
        let height = match mood {
            Mood::Behind => 0,
            Mood::Claims(height) => *height,
            _ => chain.summaries.len() as u64,
        };
        let head = chain.summaries.last();
        let genesis = self.network.genesis.hash();
        json!(NodeStatus {
            node_id: format!("validator-{}", self.index + 1),
            public_key: key(u8::try_from(self.index + 1).unwrap()).public(),
            genesis,
            chain_id: 77,
            height,
            block_hash: head.map_or(genesis, |head| head.header.hash()),
            state_root: Hash::ZERO,
            block_timestamp_ms: 0,
            mempool: chain.mempool.len() as u64,
            peers: 2,
            signing: *mood != Mood::Idle,
            standing: Standing::Validator,
            evidence: match mood {
                Mood::FloodsEvidence if head.is_some() => {
                    self.status_calls.load(Ordering::SeqCst) as u64
                }
                _ => 0,
            },
            damage: Vec::new(),
            dissents: Vec::new(),
            dissenters: Vec::new(),
            version: "fake".into(),
        })
    }

    /// Evidence that proves nothing, many times.
    fn evidence(&self) -> Value {
        self.evidence_calls.fetch_add(1, Ordering::SeqCst);
        let (chain, genesis) = (self.network.chain(), self.network.genesis.hash());
        let Some(first) = chain.summaries.first() else {
            return json!([]);
        };
        let ack = first.acks[0].clone();
        let view = EvidenceView {
            id: Hash::ZERO,
            kind: "acks".into(),
            height: 1,
            liars: vec![ack.validator],
            on_chain: false,
            file: EvidenceFile {
                version: EvidenceFile::VERSION,
                genesis,
                evidence: Evidence::Acks {
                    first: ack.clone(),
                    second: ack,
                },
                validator_sets: vec![],
            },
        };
        json!(vec![view; 1_000])
    }

    fn submit(&self, data: &Value, mood: &Mood) -> Result<Value, Value> {
        let result = match mood {
            Mood::Refuses(code, message) | Mood::RefusesUntold(code, message) => {
                Err((*code, message.clone()))
            }
            Mood::Errors => {
                return Err(json!({"code": -32603, "message": "\n\u{1b}[31m".repeat(1_000)}));
            }
            Mood::TakesAnother => Ok(Hash([9; 32])),
            _ => {
                let bytes = hex::decode(data.as_str().unwrap().trim_start_matches("0x")).unwrap();
                let is_ballot = Transaction::from_bytes(&bytes)
                    .is_ok_and(|t| matches!(t.body.payload, Payload::CastBallot { .. }));
                if is_ballot && *mood == Mood::FailsBallots {
                    return Err(json!({"code": -32603, "message": "not now"}));
                }
                self.network.take(bytes)
            }
        };
        result.map(|id| json!(id)).map_err(|(code, message)| {
            let data = RefusalData {
                code,
                plugin_code: None,
                contest: None,
            };
            json!({"code": -32003, "message": message, "data": data})
        })
    }

    async fn summaries(&self, params: &Value, mood: &Mood) -> Value {
        let from = params[0].as_u64().unwrap();
        let count = usize::try_from(params[1].as_u64().unwrap()).unwrap();
        let wait = Duration::from_millis(params[2].as_u64().unwrap());
        if *mood == Mood::Behind {
            return json!([]);
        }
        let mut height = self.network.height.subscribe();
        let _ = tokio::time::timeout(wait, height.wait_for(|height| *height >= from)).await;
        let skip = usize::try_from(from.saturating_sub(1)).unwrap();
        let chain = self.network.chain();
        let count = match mood {
            Mood::FloodsAcks => usize::MAX,
            _ => count,
        };
        let found = chain.summaries.iter().skip(skip).take(count).cloned();
        let mut summaries: Vec<BlockSummary> = found.collect();
        drop(chain);
        for summary in &mut summaries {
            self.spoil(summary, mood);
        }
        json!(summaries)
    }

    fn spoil(&self, summary: &mut BlockSummary, mood: &Mood) {
        let genesis = self.network.genesis.hash();
        match mood {
            Mood::InventsTransactions => summary.transaction_ids.push(Hash([9; 32])),
            Mood::FloodsAcks => {
                let own = summary.acks.clone();
                let others = self.network.chain();
                let others = others.summaries.iter().flat_map(|other| &other.acks);
                let flood = others.filter(|ack| ack.height != summary.header.height);
                summary.acks = flood.cloned().cycle().take(500).collect();
                summary.acks.extend(own.iter().cloned().cycle().take(500));
            }
            Mood::ForgesCertificates => {
                summary.transaction_ids = vec![Hash([9; 32])];
                summary.header.transaction_count = 1;
                summary.header.transactions_root = transactions_root(&summary.transaction_ids);
                let own = &self.network.keys[self.index..=self.index];
                let hash = summary.header.hash();
                summary.certificate = certify(&genesis, summary.header.height, hash, own);
            }
            _ => {}
        }
    }

    /// Entries alone: no election here shows its ballots before the close.
    fn board(&self, params: &Value) -> Value {
        let election_id = params[0].as_u64().unwrap();
        let from = usize::try_from(params[1].as_u64().unwrap()).unwrap();
        let count = usize::try_from(params[2].as_u64().unwrap()).unwrap();
        let chain = self.network.chain();
        let mut items = Vec::new();
        for block in &chain.blocks {
            for bytes in &block.transactions {
                let Ok(transaction) = Transaction::from_bytes(bytes) else {
                    continue;
                };
                let Payload::CastBallot {
                    election_id: of,
                    voter,
                    ballots,
                } = &transaction.body.payload
                else {
                    continue;
                };
                if *of != election_id {
                    continue;
                }
                let entry = BoardEntry {
                    election_id,
                    position: items.len() as u64,
                    transaction_id: Hash::of(bytes),
                    voter: *voter,
                    weight: 1,
                    ballot_hash: BoardEntry::ballot_hash(ballots),
                };
                items.push(BoardItem {
                    entry,
                    height: block.header.height,
                    ballots: vec![],
                    plain: vec![],
                });
            }
        }
        let board = BoardHead {
            election_id,
            size: items.len() as u64,
            root: merkle::root(&[]),
        };
        let items = items.into_iter().skip(from).take(count).collect();
        json!(BoardPage { board, items })
    }

    fn transaction_status(&self, id: &Value) -> Value {
        let id: Hash = serde_json::from_value(id.clone()).unwrap();
        let chain = self.network.chain();
        match chain.included.get(&id) {
            Some(height) => {
                let summary = &chain.summaries[usize::try_from(*height).unwrap() - 1];
                let index = summary
                    .transaction_ids
                    .iter()
                    .position(|other| *other == id);
                json!({"status": "confirmed", "height": height, "block_hash": summary.header.hash(), "index": index})
            }
            None if chain.mempool.iter().any(|bytes| Hash::of(bytes) == id) => {
                json!({"status": "pending"})
            }
            None => json!({"status": "unknown"}),
        }
    }

    fn block(&self, wanted: &Value, mood: &Mood) -> Value {
        let chain = self.network.chain();
        let place = match wanted.as_u64() {
            Some(height) => usize::try_from(height).unwrap().checked_sub(1),
            None => {
                let hash: Hash = serde_json::from_value(wanted.clone()).unwrap();
                let mut hashes = chain.summaries.iter().map(|s| s.header.hash());
                hashes.position(|other| other == hash)
            }
        };
        let Some((summary, block)) =
            place.and_then(|place| Some((chain.summaries.get(place)?, chain.blocks.get(place)?)))
        else {
            return Value::Null;
        };
        let mut block = block.clone();
        if *mood == Mood::TampersWithBlocks {
            for bytes in &mut block.transactions {
                *bytes.last_mut().unwrap() ^= 1;
            }
        }
        let (mut header, mut certificate) = (summary.header.clone(), summary.certificate.clone());
        if *mood == Mood::UnknownValidators {
            header.validators = Some(Hash([9; 32]));
            block.header = header.clone();
            certificate.block_hash = header.hash();
        }
        let bytes = tabella_protocol::codec::encode(&block);
        json!(BlockView {
            hash: header.hash(),
            header,
            block: HexBytes(bytes),
            certificate,
            acks: summary.acks.clone(),
        })
    }
}

fn plugin(hash: &Hash, wasm: &[u8]) -> Value {
    json!({"sha256": hash, "bytes": wasm.len(), "manifest": {"name": "plurality"}})
}
