//! Following the chain: one task that fetches, verifies and announces every committed block.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, Instant, SystemTime},
};

use tabella_protocol::{
    Genesis, Hash, ValidatorHistory, ValidatorSet, ValidatorSetProof,
    rpc::{BlockSummary, RefusalCode, VALIDATOR_SETS_METHOD},
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::{
    BlockProof, CallError, FollowFrom, HealthStatus, VerifiedBlock,
    pool::{Node, Pool},
    transport::ANSWER_BYTES_MAX,
};

/// Most blocks asked for at once.
const BLOCKS_MAX: u64 = 64;
/// How long a validator holds its answer when there is no new block yet.
const WAIT_MS: u64 = 1_000;
/// How long it may take beyond that.
const GRACE: Duration = Duration::from_millis(1_500);
/// Pause after an answer that brought nothing sooner than it should.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a validator may take to tell the changes of the validators.
const LEARN_DEADLINE: Duration = Duration::from_secs(2);
/// Transaction ids remembered, so that who asks late is answered at once, and the blocks that hold
/// them.
const RECENT_IDS_MAX: usize = 65_536;
const RECENT_BLOCKS_MAX: usize = 2_048;
/// Blocks a subscriber may fall behind before it misses some.
const SUBSCRIBER_LAG_MAX: usize = 256;

/// A transaction's place on the chain, proven by a commit certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// The transaction.
    pub transaction_id: Hash,
    /// The block's height.
    pub height: u64,
    /// The block's hash.
    pub block_hash: Hash,
    /// The transaction's place in the block.
    pub index: usize,
    /// The block's time.
    pub timestamp: SystemTime,
    /// Signatures in the block's certificate.
    pub signatures: usize,
}

impl Confirmation {
    pub(crate) fn at(block: &VerifiedBlock, index: usize) -> Self {
        Self {
            transaction_id: block.transaction_ids[index],
            height: block.height(),
            block_hash: block.hash,
            index,
            timestamp: block.timestamp(),
            signatures: block.certificate.signatures.len(),
        }
    }
}

/// The newest verified block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Its height; 0 stands for genesis.
    pub height: u64,
    /// Its hash.
    pub hash: Hash,
}

/// Why a wait ended without a confirmation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// Not confirmed yet; it may still be.
    #[error("not confirmed within {0:?}")]
    Timeout(Duration),
    /// A validator took it, but it was no longer valid when its turn came.
    #[error("rejected as {}: {reason}", code.as_str())]
    Rejected {
        /// The stable code.
        code: RefusalCode,
        /// The validator's words.
        reason: String,
    },
}

/// What is known of the chain.
pub(crate) struct Chain {
    pub(crate) genesis: Genesis,
    pub(crate) genesis_hash: Hash,
    /// The validator sets proven so far.
    validators: RwLock<Arc<ValidatorHistory>>,
    tip: watch::Sender<Option<Tip>>,
    blocks: broadcast::Sender<Arc<VerifiedBlock>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    waiting: HashMap<Hash, Vec<oneshot::Sender<Confirmation>>>,
    recent: HashMap<Hash, (Arc<VerifiedBlock>, usize)>,
    recent_blocks: VecDeque<Arc<VerifiedBlock>>,
}

impl Chain {
    pub(crate) fn new(genesis: Genesis) -> Self {
        let genesis_hash = genesis.hash();
        Self {
            validators: RwLock::new(Arc::new(ValidatorHistory::new(&genesis))),
            genesis,
            genesis_hash,
            tip: watch::Sender::new(None),
            blocks: broadcast::Sender::new(SUBSCRIBER_LAG_MAX),
            seen: Mutex::default(),
        }
    }

    /// Largest summary of one block, in bytes of JSON: an id takes less than its transaction.
    pub(crate) fn summary_bytes_max(&self) -> usize {
        ANSWER_BYTES_MAX + self.genesis.block_bytes_max as usize
    }

    pub(crate) fn tip(&self) -> watch::Receiver<Option<Tip>> {
        self.tip.subscribe()
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<VerifiedBlock>> {
        self.blocks.subscribe()
    }

    /// The validator sets proven so far.
    pub(crate) fn validators(&self) -> Arc<ValidatorHistory> {
        let validators = self.validators.read();
        Arc::clone(&validators.unwrap_or_else(PoisonError::into_inner))
    }

    /// The validator set that decides the block after the newest verified one.
    pub(crate) fn current_validators(&self) -> ValidatorSet {
        let next = self
            .tip
            .borrow()
            .map_or(1, |tip| tip.height.saturating_add(1));
        self.validators().at(next).clone()
    }

    /// Asks `node` for the changes of the validators and takes up those that hold. Returns whether
    /// there was news.
    pub(crate) async fn learn_validators(&self, pool: &Pool, node: &Node) -> bool {
        let answer = pool
            .call_sized::<Vec<ValidatorSetProof>>(
                node,
                VALIDATOR_SETS_METHOD,
                [(); 0],
                LEARN_DEADLINE,
                ANSWER_BYTES_MAX,
            )
            .await;
        let Ok(proofs) = answer else {
            return false;
        };
        let mut history = ValidatorHistory::clone(&self.validators());
        let before = history.sets().len();
        if let Err(lie) = history.extend_all(&proofs) {
            pool.disproved(node, lie.to_string());
        }
        let news = history.sets().len() > before;
        if news {
            let latest = history.latest();
            tracing::info!(
                from_height = latest.from_height,
                validators = latest.validators.len(),
                quorum = latest.quorum.name(),
                "the validator set changes"
            );
            let mut known = self
                .validators
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            // Another task may have learned more meanwhile.
            if history.sets().len() > known.sets().len() {
                *known = Arc::new(history);
            }
        }
        news
    }

    /// The confirmation, now or when it comes.
    pub(crate) fn track(self: &Arc<Self>, id: Hash) -> Tracked {
        let mut seen = self.seen();
        if let Some((block, index)) = seen.recent.get(&id) {
            return Tracked::Confirmed(Confirmation::at(block, *index));
        }
        let (sender, receiver) = oneshot::channel();
        seen.waiting.entry(id).or_default().push(sender);
        Tracked::Waiting(Waiting {
            receiver,
            id,
            chain: self.clone(),
        })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self, block: &Arc<VerifiedBlock>) {
        let mut seen = self.seen();
        for (index, id) in block.transaction_ids.iter().enumerate() {
            for waiting in seen.waiting.remove(id).unwrap_or_default() {
                let _ = waiting.send(Confirmation::at(block, index));
            }
            seen.recent.insert(*id, (block.clone(), index));
        }
        seen.recent_blocks.push_back(block.clone());
        while seen.recent.len() > RECENT_IDS_MAX || seen.recent_blocks.len() > RECENT_BLOCKS_MAX {
            let Some(oldest) = seen.recent_blocks.pop_front() else {
                break;
            };
            for id in &oldest.transaction_ids {
                seen.recent.remove(id);
            }
        }
        drop(seen);
        self.tip.send_replace(Some(Tip {
            height: block.height(),
            hash: block.hash,
        }));
        // Nobody may be subscribed.
        let _ = self.blocks.send(block.clone());
    }
}

pub(crate) enum Tracked {
    Confirmed(Confirmation),
    Waiting(Waiting),
}

/// A place in the queue for one confirmation, given up when dropped.
pub(crate) struct Waiting {
    receiver: oneshot::Receiver<Confirmation>,
    id: Hash,
    chain: Arc<Chain>,
}

impl Waiting {
    pub(crate) async fn confirmed(&mut self) -> Confirmation {
        match (&mut self.receiver).await {
            Ok(confirmation) => confirmation,
            // The sender lives in the chain, which this holds: it is gone only after it was used.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.receiver.close();
        let mut seen = self.chain.seen();
        if let Some(waiting) = seen.waiting.get_mut(&self.id) {
            waiting.retain(|sender| !sender.is_closed());
            if waiting.is_empty() {
                seen.waiting.remove(&self.id);
            }
        }
    }
}

/// Follows the chain forever.
pub(crate) async fn follow(
    pool: Arc<Pool>,
    chain: Arc<Chain>,
    from: FollowFrom,
    deliver: Option<mpsc::Sender<Arc<VerifiedBlock>>>,
) {
    let mut next = start(&pool, &chain, from).await;
    let mut empty_handed: Option<Arc<Node>> = None;
    let mut count = BLOCKS_MAX;
    let mut is_withheld = false;
    loop {
        let Some(node) = pick(&pool, next.height, empty_handed.take()) else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let asked = Instant::now();
        let answer = tokio::select! {
            answer = summaries(&pool, &chain, &node, next.height, count) => Some(answer),
            // The poll is given up when its validator stops being healthy while another is.
            () = worse_than_others(&pool, &node) => None,
        };
        let Some(answer) = answer else {
            // It may be the only one that has the block: it is not asked again without a pause.
            empty_handed = Some(node);
            if asked.elapsed() < PAUSE {
                tokio::time::sleep(PAUSE).await;
            }
            continue;
        };
        let brought = match answer {
            Ok(summaries) => {
                let brought = !summaries.is_empty();
                count = (count * 2).min(BLOCKS_MAX);
                if !accept(&pool, &node, &chain, summaries, &mut next, deliver.as_ref()).await {
                    return;
                }
                brought
            }
            // Full blocks in a row: fewer at once.
            Err(CallError::TooLarge(_)) if count > 1 => {
                count /= 2;
                continue;
            }
            Err(CallError::Timeout(_)) => {
                count = (count / 2).max(1);
                false
            }
            Err(CallError::Rpc { message, data, .. }) if data["code"] == "withheld" => {
                if !std::mem::replace(&mut is_withheld, true) {
                    pool.complain(&node, "a validator keeps blocks from here", &message);
                }
                pool.late(&node, format!("keeps blocks from here: {message}"));
                false
            }
            Err(_) => false,
        };
        is_withheld &= !brought;
        if !brought {
            empty_handed = Some(node);
            if asked.elapsed() < PAUSE {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Where to begin: the block after the one the caller knows, or the head of the chain.
async fn start(pool: &Pool, chain: &Chain, from: FollowFrom) -> BlockProof {
    let after = |height: u64, hash| {
        chain.tip.send_replace(Some(Tip { height, hash }));
        BlockProof {
            height: height.saturating_add(1),
            parent: Some(hash),
        }
    };
    match from {
        FollowFrom::Genesis => after(0, chain.genesis_hash),
        FollowFrom::Block { height, hash } => after(height, hash),
        FollowFrom::Head => {
            loop {
                match pool.best_height() {
                    Some(0) => return after(0, chain.genesis_hash),
                    // The certificate of the first block seen is all the proof that it needs.
                    Some(height) => {
                        return BlockProof {
                            height,
                            parent: None,
                        };
                    }
                    None => tokio::time::sleep(PAUSE).await,
                }
            }
        }
    }
}

/// A validator that should have block `height`, or else the best there is.
fn pick(pool: &Pool, height: u64, empty_handed: Option<Arc<Node>>) -> Option<Arc<Node>> {
    let behind: Vec<_> = pool
        .nodes()
        .iter()
        .filter(|node| node.height().is_none_or(|h| h < height))
        .chain(&empty_handed)
        .cloned()
        .collect();
    let empty_handed: Vec<_> = empty_handed.into_iter().collect();
    pool.pick(&behind)
        .or_else(|| pool.pick(&empty_handed))
        .or_else(|| pool.pick(&[]))
}

async fn summaries(
    pool: &Pool,
    chain: &Chain,
    node: &Node,
    from: u64,
    count: u64,
) -> Result<Vec<BlockSummary>, CallError> {
    let deadline = Duration::from_millis(WAIT_MS) + GRACE;
    let params = (from, count, WAIT_MS);
    let method = "tabella_getBlockSummaries";
    pool.call_sized(node, method, params, deadline, chain.summary_bytes_max())
        .await
}

async fn worse_than_others(pool: &Pool, node: &Node) {
    let mut changes = pool.changes();
    loop {
        let healthy = |node: &Node| pool.status(node) == HealthStatus::Healthy;
        if !healthy(node) && pool.nodes().iter().any(|other| healthy(other)) {
            return;
        }
        if changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Verifies and announces blocks; false once nobody takes deliveries any more.
async fn accept(
    pool: &Pool,
    node: &Node,
    chain: &Chain,
    summaries: Vec<BlockSummary>,
    next: &mut BlockProof,
    deliver: Option<&mpsc::Sender<Arc<VerifiedBlock>>>,
) -> bool {
    for summary in summaries {
        if !chain.validators().knows(&summary.header) {
            chain.learn_validators(pool, node).await;
        }
        let block = match next.verify(summary, &chain.validators()) {
            Ok(block) => Arc::new(block),
            Err(lie) => {
                pool.disproved(node, lie.to_string());
                return true;
            }
        };
        *next = BlockProof {
            height: block.height().saturating_add(1),
            parent: Some(block.hash),
        };
        chain.announce(&block);
        if let Some(deliver) = deliver
            && deliver.send(block).await.is_err()
        {
            return false;
        }
    }
    true
}
