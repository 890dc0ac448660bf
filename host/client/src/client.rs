//! The client itself: a handle that is cheap to clone; its tasks end with the last clone.

use std::{sync::Arc, time::Duration};

use tabella_protocol::{
    Genesis, Hash, Payload, Transaction, ValidatorHistory, ValidatorSet, rpc::RefusalCode,
};
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    task::JoinSet,
};

use crate::{
    Builder, Confirmation, ConfirmationStatus, HealthReport, HealthStatus, Refusal, SubmitError,
    Submitted, Tip, VerifiedBlock, WaitError,
    follower::{Chain, Tracked},
    pool::Pool,
    submission::{self, Job},
};

/// How often a wait asks whether its transaction was rejected meanwhile.
const REJECTION_CHECK: Duration = Duration::from_secs(1);

/// What is known of the chain at one moment.
#[derive(Debug, Clone)]
pub struct BlockchainState {
    /// The newest verified block; none before the first is seen.
    pub tip: Option<Tip>,
    /// The height that at least two validators say they have, where there are two; unproven.
    pub claimed_height: Option<u64>,
    /// Whether a quorum of validators is healthy, so that what is submitted is confirmed.
    pub has_quorum: bool,
    /// The health of every validator.
    pub health: HealthReport,
}

/// A connection to all validators of a network.
#[derive(Clone)]
pub struct Client {
    pub(crate) pool: Arc<Pool>,
    pub(crate) chain: Arc<Chain>,
    submissions: mpsc::Sender<Job>,
    health_deadline: Duration,
    pub(crate) read_deadline: Duration,
    /// Aborted when the last clone is dropped.
    _tasks: Arc<JoinSet<()>>,
}

impl Client {
    /// Begins to configure a client for the network of `genesis`.
    pub fn builder(genesis: Genesis) -> Builder {
        Builder::new(genesis)
    }

    pub(crate) fn new(
        pool: Arc<Pool>,
        chain: Arc<Chain>,
        submissions: mpsc::Sender<Job>,
        health_deadline: Duration,
        read_deadline: Duration,
        tasks: JoinSet<()>,
    ) -> Self {
        Self {
            pool,
            chain,
            submissions,
            health_deadline,
            read_deadline,
            _tasks: Arc::new(tasks),
        }
    }

    /// The network.
    pub fn genesis(&self) -> &Genesis {
        &self.chain.genesis
    }

    /// The network's name: the hash of its genesis.
    pub fn genesis_hash(&self) -> Hash {
        self.chain.genesis_hash
    }

    /// The validator sets of the network, as far as they were proven to this client.
    pub fn validators(&self) -> Arc<ValidatorHistory> {
        self.chain.validators()
    }

    /// The validator set that decides the block after the newest verified one.
    pub fn current_validators(&self) -> ValidatorSet {
        self.chain.current_validators()
    }

    /// Submits a voter's signed ballot; resolves when a validator has it durably. What is no ballot
    /// of this network, or not signed, is refused here.
    ///
    /// Safe to repeat: the same ballot is the same transaction.
    pub async fn submit_vote(&self, ballot: &Transaction) -> Result<Submitted, SubmitError> {
        let refuse = |code, message: &str| {
            Err(SubmitError::Refused(Refusal {
                code,
                message: message.to_owned(),
                plugin_code: None,
                contest: None,
                validators: 0,
            }))
        };
        if !matches!(ballot.body.payload, Payload::CastBallot { .. }) {
            let message = "expected a transaction that casts a ballot";
            return refuse(RefusalCode::MalformedTransaction, message);
        }
        if ballot.body.chain_id != self.genesis().chain_id {
            return refuse(RefusalCode::OtherChain, "the ballot is for another chain");
        }
        if !ballot.verify() {
            let message = "the signature is not one of the ballot's signer";
            return refuse(RefusalCode::BadSignature, message);
        }
        self.submit(ballot.to_bytes()).await
    }

    /// Submits any transaction's canonical bytes; resolves when a validator has it durably.
    ///
    /// Safe to repeat: the same bytes are the same transaction.
    pub async fn submit(&self, bytes: Vec<u8>) -> Result<Submitted, SubmitError> {
        if !self.pool.any_callable() {
            return Err(SubmitError::NoValidator);
        }
        let (reply, answer) = oneshot::channel();
        let job = Job {
            id: Hash::of(&bytes),
            data: submission::data(&bytes),
            reply,
        };
        self.submissions
            .try_send(job)
            .map_err(|_| SubmitError::QueueFull)?;
        answer.await.unwrap_or(Err(SubmitError::NoValidator))
    }

    /// Offers transactions' canonical bytes to every validator that can be called, whoever took them
    /// before: one that took a transaction may keep it to itself. Returns how many validators took
    /// note; what each says is not looked at.
    ///
    /// Safe to repeat, as [`submit`](Self::submit) is.
    pub async fn offer_to_all(&self, transactions: &[Vec<u8>]) -> usize {
        submission::offer(&self.pool, transactions).await
    }

    /// Waits until a transaction is on the chain, proven by a commit certificate.
    pub async fn wait_for_confirmation(
        &self,
        id: Hash,
        deadline: Duration,
    ) -> Result<Confirmation, WaitError> {
        let mut waiting = match self.chain.track(id) {
            Tracked::Confirmed(confirmation) => return Ok(confirmation),
            Tracked::Waiting(waiting) => waiting,
        };
        let rejected = async {
            loop {
                tokio::time::sleep(REJECTION_CHECK).await;
                match self.confirmation_status(id).await {
                    Ok(ConfirmationStatus::Confirmed(confirmation)) => return Ok(confirmation),
                    Ok(ConfirmationStatus::Rejected { code, reason }) => {
                        return Err(WaitError::Rejected { code, reason });
                    }
                    Ok(ConfirmationStatus::Unknown | ConfirmationStatus::Pending) | Err(_) => {}
                }
            }
        };
        tokio::select! {
            confirmation = waiting.confirmed() => Ok(confirmation),
            result = rejected => result,
            () = tokio::time::sleep(deadline) => Err(WaitError::Timeout(deadline)),
        }
    }

    /// Verified blocks as they come. A subscriber that falls far behind misses some, and is told.
    pub fn subscribe_blocks(&self) -> broadcast::Receiver<Arc<VerifiedBlock>> {
        self.chain.subscribe()
    }

    /// The newest verified block; none before the first is seen.
    pub fn tip(&self) -> watch::Receiver<Option<Tip>> {
        self.chain.tip()
    }

    /// What is known of the chain now: the newest block that was verified, the height that
    /// validators speak of, and whether enough of them answer to confirm anything.
    pub fn blockchain_state(&self) -> BlockchainState {
        let health = self.health();
        let validators = self.current_validators();
        let healthy = health
            .members(&validators)
            .filter(|member| member.status == HealthStatus::Healthy)
            .count();
        BlockchainState {
            tip: *self.chain.tip().borrow(),
            claimed_height: self.pool.best_height(),
            has_quorum: healthy >= validators.threshold(),
            health,
        }
    }

    /// Whether any validator can be called now.
    pub fn is_connected(&self) -> bool {
        self.pool.any_callable()
    }

    /// The health of every validator, as of the last checks and calls.
    pub fn health(&self) -> HealthReport {
        self.pool.report()
    }

    /// Checks every validator now.
    pub async fn refresh_validator_status(&self) -> HealthReport {
        let checks = self
            .pool
            .nodes()
            .iter()
            .map(|node| self.pool.check(node, self.health_deadline));
        futures::future::join_all(checks).await;
        self.pool.report()
    }

    /// Wakes whenever a validator's status changes.
    pub fn health_changes(&self) -> watch::Receiver<u64> {
        self.pool.changes()
    }
}
