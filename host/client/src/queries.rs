//! Reads: each asks the best validator, another one as well when that is late, and one after the
//! other when answers fail or do not hold.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use serde::{Serialize, de::DeserializeOwned};
use tabella_protocol::{
    Ack, Hash, HexBytes, Receipt,
    rpc::{
        BlockSummary, BlockView, BoardPage, ElectionStatus, ElectionView, PluginView, RefusalCode,
        ResultsView, TransactionStatus,
    },
};

use crate::{
    BlockProof, BlockProofError, CallError, Client, Confirmation, ResultsError, VerifiedBlock,
    VerifiedResults, block, pool::Node, transport::Batch,
};

/// A board page or block may be large: such reads may take this many times as long as others.
const SLOW_READ: u32 = 5;
/// Validators asked for one read at the same time.
const ASKED_AT_ONCE_MAX: usize = 2;
/// Most transactions asked for in one status batch.
const STATUS_BATCH_MAX: usize = 256;

/// Why a read gave nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueryError {
    /// No validator can be reached now.
    #[error("no validator is reachable")]
    NoValidator,
    /// Every validator that was asked failed; this is the last failure.
    #[error("{node_id} {error}")]
    Failed {
        /// The last one asked.
        node_id: String,
        /// What it answered.
        error: CallError,
    },
    /// What came was disproved, and nobody else is left to ask.
    #[error("{node_id} was caught: {lie}")]
    Disproved {
        /// Who.
        node_id: String,
        /// What was wrong.
        lie: String,
    },
}

/// Where a transaction stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfirmationStatus {
    /// The validator asked never saw it.
    Unknown,
    /// In a mempool, by one validator's word.
    Pending,
    /// On the chain, proven.
    Confirmed(Confirmation),
    /// No longer valid when its turn came, by one validator's word.
    Rejected {
        /// The stable code.
        code: RefusalCode,
        /// The validator's words.
        reason: String,
    },
}

impl Client {
    /// All elections, by one validator's word.
    pub async fn elections(&self) -> Result<Vec<ElectionView>, QueryError> {
        self.read("tabella_getElections", [(); 0]).await
    }

    /// One election, by one validator's word.
    pub async fn election(&self, election_id: u64) -> Result<Option<ElectionView>, QueryError> {
        self.read_checked("tabella_getElection", [election_id], perhaps)
            .await
    }

    /// The published plugins without their bytes, by one validator's word.
    pub async fn plugins(&self) -> Result<Vec<PluginView>, QueryError> {
        self.read("tabella_getPlugins", [(); 0]).await
    }

    /// One plugin without its bytes, by one validator's word.
    pub async fn plugin(&self, sha256: Hash) -> Result<Option<PluginView>, QueryError> {
        self.read_checked("tabella_getPlugin", (sha256, false), perhaps)
            .await
    }

    /// A plugin's Wasm bytes, whose hash was checked.
    pub async fn plugin_wasm(&self, sha256: Hash) -> Result<Option<Vec<u8>>, QueryError> {
        self.read_checked(
            "tabella_getPlugin",
            (sha256, true),
            |view: Option<PluginView>| {
                let Some(view) = view else {
                    return Judged::Lacking(None);
                };
                match view.wasm {
                    Some(HexBytes(wasm)) if Hash::of(&wasm) == sha256 => Judged::Good(Some(wasm)),
                    _ => Judged::Lie("sent another plugin's bytes".to_owned()),
                }
            },
        )
        .await
    }

    /// The receipt of a ballot, verified against genesis.
    pub async fn transaction_receipt(
        &self,
        transaction_id: Hash,
    ) -> Result<Option<Receipt>, QueryError> {
        self.read_checked(
            "tabella_getReceipt",
            [transaction_id],
            |receipt: Option<Receipt>| {
                let Some(receipt) = receipt else {
                    return Judged::Lacking(None);
                };
                match receipt.verify(self.genesis()) {
                    Ok(summary) if summary.transaction_id == transaction_id => {
                        Judged::Good(Some(receipt))
                    }
                    Ok(_) => Judged::Lie("sent another ballot's receipt".to_owned()),
                    Err(error) => Judged::Lie(error.to_string()),
                }
            },
        )
        .await
    }

    /// A page of an election's board, by one validator's word.
    pub async fn board(
        &self,
        election_id: u64,
        from_position: u64,
        count_max: u64,
    ) -> Result<BoardPage, QueryError> {
        self.read("tabella_getBoard", (election_id, from_position, count_max))
            .await
    }

    /// An election's results, and once they are final, what a quorum attested of them. Final
    /// results whose certificate does not hold are taken from no validator.
    pub async fn election_results(
        &self,
        election_id: u64,
    ) -> Result<Option<(ResultsView, Option<VerifiedResults>)>, QueryError> {
        self.read_checked(
            "tabella_getResults",
            [election_id],
            |view: Option<ResultsView>| {
                let Some(view) = view else {
                    return Judged::Lacking(None);
                };
                if view.election_id != election_id {
                    return Judged::Lie("sent another election's results".to_owned());
                }
                match self.verify_results(&view) {
                    Ok(verified) => Judged::Good(Some((view, Some(verified)))),
                    Err(ResultsError::NotFinal) if view.status != ElectionStatus::Final => {
                        Judged::Good(Some((view, None)))
                    }
                    // It holds the others' attestations, but has not tallied yet itself.
                    Err(_) if view.outcomes.is_empty() => Judged::Lacking(Some((view, None))),
                    Err(
                        unproven @ (ResultsError::BadSignature | ResultsError::NoQuorum { .. }),
                    ) => Judged::OtherValidators(unproven.to_string()),
                    Err(lie) => Judged::Lie(lie.to_string()),
                }
            },
        )
        .await
    }

    /// The block at a height, its certificate and hash verified.
    pub async fn block(&self, height: u64) -> Result<Option<BlockView>, QueryError> {
        self.find_block([height], |view| view.header.height == height)
            .await
    }

    /// The block with a hash, its certificate and hash verified.
    pub async fn block_by_hash(&self, hash: Hash) -> Result<Option<BlockView>, QueryError> {
        self.find_block([hash], |view| view.hash == hash).await
    }

    async fn find_block(
        &self,
        params: impl Serialize + Clone,
        is_wanted: impl Fn(&BlockView) -> bool,
    ) -> Result<Option<BlockView>, QueryError> {
        let judge = |view: Option<BlockView>| {
            let Some(view) = view else {
                return Judged::Lacking(None);
            };
            let proof = BlockProof {
                height: view.header.height,
                parent: None,
            };
            match proof.verify_header(&view.header, &view.certificate, &self.validators()) {
                Ok(hash) if hash == view.hash && is_wanted(&view) => Judged::Good(Some(view)),
                Ok(_) => Judged::Lie("sent another block".to_owned()),
                Err(unproven @ BlockProofError::Validators(_)) => {
                    Judged::OtherValidators(unproven.to_string())
                }
                Err(lie) => Judged::Lie(lie.to_string()),
            }
        };
        let call = Call {
            method: "tabella_getBlock",
            params,
            deadline: self.read_deadline * SLOW_READ,
            answer_bytes_max: self.block_answer_bytes_max(),
        };
        self.ask_each(call, judge).await
    }

    /// Summaries of the blocks from a height on, each verified, with the number of validators
    /// whose signatures or acks stand behind it.
    pub async fn block_summaries(
        &self,
        from_height: u64,
        count_max: u64,
    ) -> Result<Vec<(VerifiedBlock, usize)>, QueryError> {
        let judge = |summaries: Vec<BlockSummary>| {
            let verified = (0..).zip(summaries).map(|(place, summary)| {
                self.verify_summary(from_height.saturating_add(place), summary)
            });
            match verified.collect::<Result<Vec<_>, _>>() {
                Ok(blocks) if blocks.is_empty() => Judged::Lacking(blocks),
                Ok(blocks) => Judged::Good(blocks),
                Err(unproven @ BlockProofError::Validators(_)) => {
                    Judged::OtherValidators(unproven.to_string())
                }
                Err(lie) => Judged::Lie(lie.to_string()),
            }
        };
        let params = (from_height, count_max, 0);
        self.read_checked("tabella_getBlockSummaries", params, judge)
            .await
    }

    /// The acks of the blocks from a height on, as one validator sends them: one list for each
    /// height, at most `count_max` of them, with at most one ack for each validator. No signature is
    /// checked here.
    pub async fn acks(
        &self,
        from_height: u64,
        count_max: u64,
    ) -> Result<Vec<Vec<Ack>>, QueryError> {
        let params = (from_height, count_max, 0);
        let judge = |summaries: Vec<BlockSummary>| {
            let lists = self.acks_in(summaries, from_height, count_max);
            match lists.is_empty() {
                true => Judged::Lacking(lists),
                false => Judged::Good(lists),
            }
        };
        self.read_checked("tabella_getBlockSummaries", params, judge)
            .await
    }

    /// As [`acks`](Self::acks), of one of the validators that may be called, whose turn it is: what one of
    /// them leaves out, another has.
    pub async fn acks_of_next(
        &self,
        turn: usize,
        from_height: u64,
        count_max: u64,
    ) -> Vec<Vec<Ack>> {
        let call = Call {
            method: "tabella_getBlockSummaries",
            params: (from_height, count_max, 0),
            deadline: self.read_deadline,
            answer_bytes_max: self.chain.summary_bytes_max(),
        };
        let callable = self.pool.callable();
        let Some(node) = callable.get(turn % callable.len().max(1)) else {
            return Vec::new();
        };
        let (_, answer) = self.ask_one(node.clone(), &call).await;
        self.acks_in(answer.unwrap_or_default(), from_height, count_max)
    }

    /// The acks of each height in an answer.
    fn acks_in(&self, summaries: Vec<BlockSummary>, from: u64, count_max: u64) -> Vec<Vec<Ack>> {
        let signers_max = self.validators().latest().validators.len();
        let lists = (from..).zip(summaries).map(|(height, mut summary)| {
            summary.acks.retain(|ack| ack.height == height);
            // More than there are validators say nothing more.
            summary.acks.truncate(signers_max);
            summary.acks
        });
        let count_max = usize::try_from(count_max).unwrap_or(usize::MAX);
        lists.take(count_max).collect()
    }

    /// The summary of the block at a height, verified, with the number of validators whose
    /// signatures or acks stand behind it.
    pub async fn block_summary(
        &self,
        height: u64,
    ) -> Result<Option<(VerifiedBlock, usize)>, QueryError> {
        let blocks = self.block_summaries(height, 1).await?;
        Ok(blocks.into_iter().next())
    }

    pub(crate) fn verify_summary(
        &self,
        height: u64,
        mut summary: BlockSummary,
    ) -> Result<(VerifiedBlock, usize), BlockProofError> {
        let acks = std::mem::take(&mut summary.acks);
        let validators = self.validators();
        let proof = BlockProof {
            height,
            parent: None,
        };
        let block = proof.verify(summary, &validators)?;
        let signers = block::count_signers(
            &block.header,
            &block.hash,
            &block.certificate,
            &acks,
            &validators,
        );
        Ok((block, signers))
    }

    /// Where a transaction stands; a confirmation is proven, the rest is a validator's word.
    pub async fn confirmation_status(&self, id: Hash) -> Result<ConfirmationStatus, QueryError> {
        let status = self
            .read_checked(
                "tabella_getTransactionStatus",
                [id],
                |status| match status {
                    TransactionStatus::Unknown => Judged::Lacking(status),
                    status => Judged::Good(status),
                },
            )
            .await?;
        Ok(match status {
            TransactionStatus::Unknown => ConfirmationStatus::Unknown,
            TransactionStatus::Pending => ConfirmationStatus::Pending,
            TransactionStatus::Rejected { code, reason } => {
                ConfirmationStatus::Rejected { code, reason }
            }
            TransactionStatus::Confirmed { height, .. } => self.prove(id, height).await?,
        })
    }

    async fn prove(&self, id: Hash, height: u64) -> Result<ConfirmationStatus, QueryError> {
        let Some((block, signers)) = self.block_summary(height).await? else {
            return Ok(ConfirmationStatus::Pending);
        };
        let Some(index) = block.transaction_ids.iter().position(|other| *other == id) else {
            return Ok(ConfirmationStatus::Unknown);
        };
        let mut confirmation = Confirmation::at(&block, index);
        confirmation.signatures = signers;
        Ok(ConfirmationStatus::Confirmed(confirmation))
    }

    /// Where many transactions stand, each by one validator's word, in the order asked; nothing of those
    /// that no validator told of now.
    pub async fn transaction_statuses(&self, ids: &[Hash]) -> Vec<Option<TransactionStatus>> {
        let mut statuses = Vec::with_capacity(ids.len());
        for ids in ids.chunks(STATUS_BATCH_MAX) {
            statuses.extend(self.status_batch(ids).await);
        }
        statuses
    }

    async fn status_batch(&self, ids: &[Hash]) -> Vec<Option<TransactionStatus>> {
        let mut statuses = vec![None; ids.len()];
        let mut tried: Vec<Arc<Node>> = Vec::new();
        loop {
            let untold = (0..ids.len()).filter(|place| statuses[*place].is_none());
            let untold: Vec<usize> = untold.collect();
            if untold.is_empty() {
                return statuses;
            }
            let Some(node) = self.pool.pick(&tried) else {
                return statuses;
            };
            let asked = untold.iter().map(|place| [ids[*place]]);
            let batch = Batch::new("tabella_getTransactionStatus", asked);
            let answers = self
                .pool
                .batch::<TransactionStatus>(&node, batch, self.read_deadline, 1 << 20)
                .await;
            // A failure is the node's, and its health knows.
            for (place, answer) in untold.into_iter().zip(answers.unwrap_or_default()) {
                statuses[place] = answer.ok();
            }
            tried.push(node);
        }
    }

    pub(crate) fn block_answer_bytes_max(&self) -> usize {
        // Hex doubles the block; certificate, acks and JSON come on top.
        (self.genesis().block_bytes_max as usize) * 2 + (1 << 20)
    }

    async fn read<T: DeserializeOwned>(
        &self,
        method: &str,
        params: impl Serialize + Clone,
    ) -> Result<T, QueryError> {
        self.read_checked(method, params, Judged::Good).await
    }

    /// Asks one validator after the other until an answer is good. One that lacks what was
    /// asked for may come of lagging behind, and is believed only when nobody has more.
    async fn read_checked<T: DeserializeOwned, U>(
        &self,
        method: &str,
        params: impl Serialize + Clone,
        judge: impl Fn(T) -> Judged<U>,
    ) -> Result<U, QueryError> {
        let call = Call {
            method,
            params,
            deadline: self.read_deadline,
            answer_bytes_max: self.chain.summary_bytes_max(),
        };
        self.ask_each(call, judge).await
    }

    async fn ask_each<T: DeserializeOwned, U>(
        &self,
        call: Call<'_, impl Serialize + Clone>,
        judge: impl Fn(T) -> Judged<U>,
    ) -> Result<U, QueryError> {
        let ask = |node| self.ask_one::<T>(node, &call);
        let patience = |node: &Node, asked| (asked < ASKED_AT_ONCE_MAX).then(|| node.patience());
        let found = self.hedged(patience, ask, judge).await;
        found.map(|(answer, _)| answer)
    }

    /// Asks one validator after the other, and another one as well where one is late, until an answer is
    /// good. `patience` is how long the one that was asked last may take, of so many that are being asked,
    /// before the next is asked as well; none is where it has nothing. Returns the answer with those that
    /// were asked before who gave it, and have not answered yet.
    pub(crate) async fn hedged<T, U, F>(
        &self,
        patience: impl Fn(&Node, usize) -> Option<Duration>,
        ask: impl Fn(Arc<Node>) -> F,
        judge: impl Fn(T) -> Judged<U>,
    ) -> Result<(U, Vec<Arc<Node>>), QueryError>
    where
        F: Future<Output = (Arc<Node>, Result<T, CallError>)>,
    {
        let mut tried: Vec<Arc<Node>> = Vec::new();
        let mut asked = FuturesUnordered::new();
        let mut silent: Vec<Arc<Node>> = Vec::new();
        let mut failure = QueryError::NoValidator;
        let mut lacking = None;
        let ask = |node| self.judged(node, &ask, &judge);
        loop {
            if asked.is_empty() {
                let Some(node) = self.pool.pick(&tried) else {
                    return lacking.map(|answer| (answer, silent)).ok_or(failure);
                };
                tried.push(node.clone());
                silent.push(node.clone());
                asked.push(ask(node));
            }
            let last = silent.last();
            let patience = last.and_then(|node| patience(node, asked.len()));
            let answered = tokio::select! {
                answered = asked.next() => answered,
                () = tokio::time::sleep(patience.unwrap_or_default()), if patience.is_some() => {
                    // Late: another one is asked as well, and the first good answer counts.
                    match self.pool.pick(&tried) {
                        Some(node) => {
                            tried.push(node.clone());
                            silent.push(node.clone());
                            asked.push(ask(node));
                            continue;
                        }
                        None => asked.next().await,
                    }
                }
            };
            let Some((node, judged)) = answered else {
                continue;
            };
            let place = silent.iter().position(|other| Arc::ptr_eq(other, &node));
            let later = place.map_or(Vec::new(), |place| silent.split_off(place));
            let node_id = node.endpoint.node_id.clone();
            match judged {
                Ok(Judged::Good(answer)) => return Ok((answer, silent)),
                Ok(Judged::Lacking(answer)) => lacking = Some(answer),
                Ok(Judged::Lie(lie) | Judged::OtherValidators(lie)) => {
                    self.pool.disproved(&node, lie.clone());
                    failure = QueryError::Disproved { node_id, lie };
                }
                Err(error) => failure = QueryError::Failed { node_id, error },
            }
            silent.extend(later.into_iter().skip(1));
        }
    }

    /// What one validator's answer is worth. Where it holds against other validators than those known
    /// here, these may have changed since this client last heard: they are learned, and it is asked again.
    async fn judged<T, U, F>(
        &self,
        node: Arc<Node>,
        ask: &impl Fn(Arc<Node>) -> F,
        judge: &impl Fn(T) -> Judged<U>,
    ) -> (Arc<Node>, Result<Judged<U>, CallError>)
    where
        F: Future<Output = (Arc<Node>, Result<T, CallError>)>,
    {
        let (node, answer) = ask(node).await;
        let known = self.validators().sets().len();
        let judged = answer.map(judge);
        if !matches!(judged, Ok(Judged::OtherValidators(_))) {
            return (node, judged);
        }
        self.chain.learn_validators(&self.pool, &node).await;
        // Another may have told them meanwhile.
        if self.validators().sets().len() == known {
            return (node, judged);
        }
        let (node, again) = ask(node).await;
        (node, again.map(judge))
    }

    async fn ask_one<T: DeserializeOwned>(
        &self,
        node: Arc<Node>,
        call: &Call<'_, impl Serialize + Clone>,
    ) -> (Arc<Node>, Result<T, CallError>) {
        let params = call.params.clone();
        let (deadline, bytes_max) = (call.deadline, call.answer_bytes_max);
        let answer = self
            .pool
            .call_sized(&node, call.method, params, deadline, bytes_max)
            .await;
        (node, answer)
    }
}

/// What an answer is worth.
pub(crate) enum Judged<U> {
    Good(U),
    /// True as far as one can tell, but another validator may have more.
    Lacking(U),
    Lie(String),
    /// Does not hold against the validators known here.
    OtherValidators(String),
}

fn perhaps<T>(answer: Option<T>) -> Judged<Option<T>> {
    match answer {
        Some(_) => Judged::Good(answer),
        None => Judged::Lacking(None),
    }
}

/// One read, as each validator is asked for it.
struct Call<'m, P> {
    method: &'m str,
    params: P,
    deadline: Duration,
    answer_bytes_max: usize,
}
