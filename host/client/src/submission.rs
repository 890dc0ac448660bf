//! Submitting transactions: many callers' transactions travel in one batch, to one validator, and
//! to another when that one is dead, late or full.
//!
//! A lone transaction does not wait for company: whatever is queued leaves as soon as a slot is free
//! and the batch before it is a moment away. Submitting is idempotent (a transaction's id is its
//! content), so retries and hedges are harmless.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use tabella_protocol::{
    Hash, ValidatorSet,
    rpc::{RefusalCode, RefusalData},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::{
    CallError, ValidatorEndpoint,
    follower::Chain,
    pool::{Node, Pool},
    transport::Batch,
};

/// Most transactions in one batch: larger ones delay their first for little gain.
const BATCH_MAX: usize = 64;
/// Most bytes of transactions in one batch; hex doubles them, a request holds 4 MiB.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// Batches under way at once, for each validator.
const SLOTS_PER_VALIDATOR: usize = 2;
/// Shortest time between two batches that are not full: a request costs both ends more than checking
/// several signatures does. Who comes after a longer silence does not wait.
const PAUSE: Duration = Duration::from_millis(3);
/// Transactions waiting for a slot.
pub(crate) const QUEUE_MAX: usize = 16_384;
/// How long one validator may take over one batch.
const BATCH_DEADLINE: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A validator has the transaction in its durable mempool, or on the chain.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The transaction.
    pub transaction_id: Hash,
    /// Who took it.
    pub validator: Arc<ValidatorEndpoint>,
}

/// The chain's refusal of a transaction, as one validator more than may lie said where so many could be
/// asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The stable code.
    pub code: RefusalCode,
    /// The validator's words; for a refused ballot, the rule's own.
    pub message: String,
    /// The number that the rule gave.
    pub plugin_code: Option<u32>,
    /// The place of the contest whose ballot was refused.
    pub contest: Option<usize>,
    /// How many of the chain's validators refused it.
    pub validators: usize,
}

/// Why a transaction was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SubmitError {
    /// It never will be.
    #[error("refused as {}: {}", .0.code.as_str(), .0.message)]
    Refused(Refusal),
    /// No validator can be reached now.
    #[error("no validator is reachable")]
    NoValidator,
    /// Validators were reached, but none took it now.
    #[error("no validator took the transaction: {0}")]
    Unavailable(String),
    /// Too many submissions wait already.
    #[error("more than {QUEUE_MAX} submissions are waiting")]
    QueueFull,
}

/// A transaction on its way.
pub(crate) struct Job {
    pub(crate) id: Hash,
    pub(crate) data: String,
    pub(crate) reply: oneshot::Sender<Result<Submitted, SubmitError>>,
}

struct Attempt {
    job: Job,
    /// One for each code, with how many validators gave it.
    refusals: Vec<Refusal>,
    /// A validator that gave no answer may hold it.
    unanswered: bool,
}

impl Attempt {
    fn new(job: Job) -> Self {
        Self {
            job,
            refusals: Vec::new(),
            unanswered: false,
        }
    }

    /// Why nobody took it, once nobody is left to ask.
    fn failure(
        &mut self,
        pool: &Pool,
        set: &ValidatorSet,
        last_failure: Option<&String>,
    ) -> SubmitError {
        let refusals = std::mem::take(&mut self.refusals).into_iter();
        let refusal = refusals.max_by_key(|refusal| refusal.validators);
        match (refusal, last_failure) {
            // What one refuses, another that holds it may include.
            (Some(refusal), _) if self.unanswered && is_in_doubt(&refusal, set) => {
                let code = refusal.code.as_str();
                SubmitError::Unavailable(format!("refused as {code}, but an answer is missing"))
            }
            (Some(refusal), _) => SubmitError::Refused(refusal),
            (None, Some(failure)) if pool.any_callable() => {
                SubmitError::Unavailable(failure.clone())
            }
            (None, _) => SubmitError::NoValidator,
        }
    }

    /// One more validator refuses it. Returns the refusal, with how many gave it for this reason.
    fn refuse(&mut self, mut refusal: Refusal) -> Refusal {
        let mut known = self.refusals.iter();
        let known = known.position(|known| known.code == refusal.code);
        let others = known.map(|place| self.refusals.remove(place).validators);
        refusal.validators = others.unwrap_or(0) + 1;
        self.refusals.push(refusal.clone());
        refusal
    }
}

/// Sends what is queued until the last sender is gone.
pub(crate) async fn dispatch(pool: Arc<Pool>, chain: Arc<Chain>, mut queue: mpsc::Receiver<Job>) {
    let slots = Arc::new(Semaphore::new(SLOTS_PER_VALIDATOR * pool.nodes().len()));
    let mut held_over = None;
    loop {
        let slot = slots.clone().acquire_owned().await;
        let slot = slot.expect("the semaphore is never closed");
        let first = match held_over.take() {
            Some(job) => job,
            None => match queue.recv().await {
                Some(job) => job,
                None => return,
            },
        };
        let mut bytes = first.data.len() / 2;
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX {
            let Ok(job) = queue.try_recv() else { break };
            bytes += job.data.len() / 2;
            if bytes > BATCH_BYTES_MAX {
                held_over = Some(job);
                break;
            }
            batch.push(job);
        }
        let set = chain.current_validators();
        tokio::spawn(send(pool.clone(), set, batch, slot));
        if queue.len() < BATCH_MAX {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Offers a batch to one validator after the other until each transaction is taken or refused.
async fn send(pool: Arc<Pool>, set: ValidatorSet, batch: Vec<Job>, _slot: OwnedSemaphorePermit) {
    let mut open: Vec<Attempt> = batch.into_iter().map(Attempt::new).collect();
    let mut tried = Vec::new();
    let mut overtaken: Vec<Arc<Node>> = Vec::new();
    let mut last_failure = None;
    while !open.is_empty() {
        let tried_before = tried.len();
        let Some((node, answer)) = ask(&pool, &open, &mut tried).await else {
            break;
        };
        // Where two were asked, one answer counts: the other one is asked again if that settles little.
        overtaken.retain(|other| !Arc::ptr_eq(other, &node));
        for asked in tried.split_off(tried_before) {
            if Arc::ptr_eq(&asked, &node) {
                tried.push(asked);
            } else {
                overtaken.push(asked);
            }
        }
        match answer {
            Err(error) => {
                open.iter_mut()
                    .for_each(|attempt| attempt.unanswered = true);
                let node_id = &node.endpoint.node_id;
                let what = "PoA submission failed, trying another validator";
                pool.complain(&node, what, &error);
                if !error.blames_validator() {
                    pool.failed_submission(&node, &error);
                }
                last_failure = Some(format!("{node_id}: {error}"));
            }
            Ok(answers) => {
                let mut left = Vec::new();
                for (attempt, answer) in open.into_iter().zip(answers) {
                    match settle(&pool, &set, &node, attempt, answer) {
                        Settled::Answered => {}
                        Settled::Open(attempt, failure) => {
                            last_failure = failure.or(last_failure);
                            left.push(attempt);
                        }
                    }
                }
                open = left;
            }
        }
    }
    for mut attempt in open {
        attempt.unanswered |= !overtaken.is_empty();
        let error = attempt.failure(&pool, &set, last_failure.as_ref());
        // The caller may have gone; then nobody waits for this answer.
        let _ = attempt.job.reply.send(Err(error));
    }
}

enum Settled {
    Answered,
    Open(Attempt, Option<String>),
}

fn settle(
    pool: &Pool,
    set: &ValidatorSet,
    node: &Arc<Node>,
    mut attempt: Attempt,
    answer: Result<Hash, CallError>,
) -> Settled {
    let error = match answer {
        Ok(id) if id == attempt.job.id => {
            pool.took_submission(node);
            let _ = attempt.job.reply.send(Ok(Submitted {
                transaction_id: id,
                validator: node.endpoint.clone(),
            }));
            return Settled::Answered;
        }
        Ok(_) => {
            let lie = "answered another transaction's id".to_owned();
            pool.disproved(node, lie.clone());
            attempt.unanswered = true;
            return Settled::Open(attempt, Some(lie));
        }
        Err(error) => error,
    };
    match refusal(&error) {
        // As good as taken; that it is on the chain is proven when its block is followed.
        Some(refusal) if refusal.code == RefusalCode::AlreadyIncluded => {
            let _ = attempt.job.reply.send(Ok(Submitted {
                transaction_id: attempt.job.id,
                validator: node.endpoint.clone(),
            }));
            Settled::Answered
        }
        Some(refusal) if refusal.code.is_transient() => {
            Settled::Open(attempt, Some(refusal.message))
        }
        // One that is configured here and left the network, or has not joined it.
        Some(refusal) if !set.names(&node.endpoint.node_id) => {
            let message = refusal.message;
            let failure = format!("it is none of the chain's validators, and refuses: {message}");
            Settled::Open(attempt, Some(failure))
        }
        // One validator's refusal may be a lie, or the word of one that lags behind: others have to
        // refuse for the same reason, and all of them where lagging may be why.
        Some(refusal) => {
            let refusal = attempt.refuse(refusal);
            if is_in_doubt(&refusal, set) {
                return Settled::Open(attempt, None);
            }
            let _ = attempt.job.reply.send(Err(SubmitError::Refused(refusal)));
            Settled::Answered
        }
        None => {
            attempt.unanswered = true;
            pool.failed_submission(node, &error);
            Settled::Open(attempt, Some(error.to_string()))
        }
    }
}

/// Whether those who refuse may be liars, or may lag behind.
fn is_in_doubt(refusal: &Refusal, set: &ValidatorSet) -> bool {
    refusal.validators < set.witnesses() || refusal.code.may_change()
}

fn refusal(error: &CallError) -> Option<Refusal> {
    let CallError::Rpc { message, data, .. } = error else {
        return None;
    };
    let RefusalData {
        code,
        plugin_code,
        contest,
    } = serde::Deserialize::deserialize(data).ok()?;
    Some(Refusal {
        code,
        message: message.clone(),
        plugin_code,
        contest,
        validators: 1,
    })
}

type Answer = Result<Vec<Result<Hash, CallError>>, CallError>;

/// Asks the best validator that is not among `tried`, and the next best as well when it is late.
async fn ask(
    pool: &Pool,
    open: &[Attempt],
    tried: &mut Vec<Arc<Node>>,
) -> Option<(Arc<Node>, Answer)> {
    let first = pool.pick(tried)?;
    tried.push(first.clone());
    let mut first_call = std::pin::pin!(call(pool, &first, texts(open)));
    let patience = first.patience();
    tokio::select! {
        answer = &mut first_call => return Some((first.clone(), answer)),
        () = tokio::time::sleep(patience) => {}
    }
    let Some(second) = pool.pick(tried) else {
        let answer = first_call.await;
        return Some((first.clone(), answer));
    };
    tried.push(second.clone());
    pool.late(&first, format!("no answer within {patience:?}"));
    let mut second_call = std::pin::pin!(call(pool, &second, texts(open)));
    tokio::select! {
        answer = &mut first_call => match answer {
            Ok(answer) => Some((first.clone(), Ok(answer))),
            Err(_) => { let answer = second_call.await; Some((second.clone(), answer)) }
        },
        answer = &mut second_call => match answer {
            Ok(answer) => Some((second.clone(), Ok(answer))),
            Err(_) => { let answer = first_call.await; Some((first.clone(), answer)) }
        },
    }
}

/// Offers transactions to every validator that may be called, to all at once; returns how many
/// answered.
pub(crate) async fn offer(pool: &Pool, transactions: &[Vec<u8>]) -> usize {
    let data: Vec<String> = transactions.iter().map(|bytes| self::data(bytes)).collect();
    let nodes = pool.callable();
    let offers = nodes.iter().map(|node| offer_to(pool, node, &data));
    let answered = futures::future::join_all(offers).await;
    answered.into_iter().filter(Result::is_ok).count()
}

async fn offer_to(pool: &Pool, node: &Node, mut data: &[String]) -> Result<(), CallError> {
    while !data.is_empty() {
        let mut bytes = 0;
        let fitting = data.iter().take(BATCH_MAX).take_while(|data| {
            bytes += data.len() / 2;
            bytes <= BATCH_BYTES_MAX
        });
        let (batch, left) = data.split_at(fitting.count().max(1));
        call(pool, node, batch.iter().map(String::as_str)).await?;
        data = left;
    }
    Ok(())
}

/// A transaction as validators take it.
pub(crate) fn data(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

#[derive(Serialize)]
struct Data<'a> {
    data: &'a str,
}

async fn call<'a>(pool: &Pool, node: &Node, data: impl Iterator<Item = &'a str>) -> Answer {
    let params = data.map(|data| [Data { data }]);
    let batch = Batch::new("eth_sendTransaction", params);
    pool.batch(node, batch, BATCH_DEADLINE, ANSWER_BYTES_MAX)
        .await
}

/// The transactions of a batch.
fn texts(open: &[Attempt]) -> impl Iterator<Item = &str> {
    open.iter().map(|attempt| attempt.job.data.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_from_other_errors() {
        let data = serde_json::json!({"code": "ballot-refused", "plugin_code": 4, "contest": 0});
        let refused = CallError::Rpc {
            code: -32003,
            message: "rank 2 is empty".into(),
            data,
        };
        let refusal = refusal(&refused).unwrap();
        assert_eq!(refusal.code, RefusalCode::BallotRefused);
        assert_eq!(refusal.plugin_code, Some(4));
        let other = CallError::Rpc {
            code: -32602,
            message: "invalid params".into(),
            data: serde_json::Value::Null,
        };
        assert_eq!(super::refusal(&other), None);
    }
}
