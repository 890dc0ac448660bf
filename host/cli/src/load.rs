//! Casts many ballots through the REST API as many voters would: bounded concurrency, each
//! submission repeated under its own transaction id until it is answered for good.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use serde_json::Value;
use tabella_api::{SubmissionStatus, SubmitAnswer, SubmitRequest};
use tabella_contest::StrictJson;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::http::{Answer, Client, HttpError};

/// The first and the longest pause before a submission is repeated.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_LONGEST: Duration = Duration::from_secs(1);

/// Where ballots go, and how fast.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    /// URL of the backend.
    pub backend: String,
    /// The election.
    pub election_id: u64,
    /// How many submissions are under way at once, each on a connection of its own.
    pub concurrency: usize,
    /// How long one submission is repeated. Once one is given up, no further ones are begun.
    pub patience: Duration,
    /// How many submissions are due each second, whatever becomes of those before; `None` for as many as are
    /// answered.
    pub per_second: Option<u32>,
}

/// On whose behalf a ballot is cast.
#[derive(Debug, Clone)]
pub enum Voter {
    /// The voter itself, by the token it holds.
    Token(String),
    /// A registrar for the voter of this id.
    CastFor {
        /// The voter.
        voter_id: String,
        /// The registrar's or administrator's token.
        token: String,
    },
}

/// One voter's ballot.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Who casts it.
    pub voter: Voter,
    /// The idempotency key: the same on every repetition.
    pub transaction_id: String,
    /// The ballot, as the election's schema shapes it.
    pub ballot: Value,
}

/// A submission that the backend acknowledged: it must never be lost.
#[derive(Debug, Clone)]
pub struct Acknowledgement {
    /// The submission's idempotency key.
    pub transaction_id: String,
    /// The ballot that was cast.
    pub ballot: Value,
    /// The backend's answer: confirmed with its block, or pending.
    pub answer: SubmitAnswer,
    /// From the first sending, or from when it was due at the rate that was asked for, to the answer.
    pub latency: Duration,
}

/// How one submission ended.
enum Outcome {
    Acknowledged(Box<Acknowledgement>),
    Refused(Refusal),
    Unanswered {
        transaction_id: String,
        reason: String,
    },
}

impl LoadReport {
    /// Fails unless every one of `count` submissions was acknowledged.
    pub fn require_all_acknowledged(&self, count: usize) -> Result<()> {
        if let Some(refusal) = self.refused.first() {
            bail!(
                "{} submissions were refused, the first with status {}: {}",
                self.refused.len(),
                refusal.status,
                refusal.problem
            );
        }
        if let Some(id) = self.unanswered.first() {
            bail!(
                "{} submissions were not answered in time, the first is {id}",
                self.unanswered.len()
            );
        }
        if self.acknowledged.len() != count {
            bail!(
                "expected {count} acknowledgements, got {}",
                self.acknowledged.len()
            );
        }
        Ok(())
    }
}

impl Acknowledgement {
    /// Whether the answer said that the ballot stands in a block.
    pub fn is_confirmed(&self) -> bool {
        self.answer.status == SubmissionStatus::Confirmed
    }
}

/// A submission that the backend refused for good.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The submission's idempotency key.
    pub transaction_id: String,
    /// The HTTP status.
    pub status: u16,
    /// The problem document.
    pub problem: Value,
}

/// What became of all submissions.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// Those acknowledged.
    pub acknowledged: Vec<Acknowledgement>,
    /// Those refused.
    pub refused: Vec<Refusal>,
    /// Idempotency keys of those given up: nobody knows whether they were recorded.
    pub unanswered: Vec<String>,
    /// How often a submission had to be repeated.
    pub repetitions: u64,
    /// From the first sending to the last answer.
    pub elapsed: Duration,
}

/// Casts every submission; `progress` is told the number of answers after each.
pub async fn cast_all<S>(
    plan: &LoadPlan,
    submissions: S,
    progress: impl Fn(u64) + Sync,
) -> Result<LoadReport>
where
    S: Iterator<Item = Submission> + Send,
{
    let started = Instant::now();
    let queue = Mutex::new(submissions);
    let report = Mutex::new(LoadReport::default());
    let pace = plan.per_second.map(|count| {
        let mut pace = interval(Duration::from_secs(1) / count.max(1));
        // Those that are late because others are slow are due when they were.
        pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
        tokio::sync::Mutex::new(pace)
    });
    let workers =
        (0..plan.concurrency.max(1)).map(|_| work(plan, &queue, pace.as_ref(), &report, &progress));
    futures::future::try_join_all(workers).await?;
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.elapsed = started.elapsed();
    Ok(report)
}

async fn work<S: Iterator<Item = Submission>>(
    plan: &LoadPlan,
    queue: &Mutex<S>,
    pace: Option<&tokio::sync::Mutex<Interval>>,
    report: &Mutex<LoadReport>,
    progress: &(impl Fn(u64) + Sync),
) -> Result<()> {
    let mut client = Client::new(&plan.backend)?;
    loop {
        let due = match pace {
            Some(pace) => Some(pace.lock().await.tick().await.into_std()),
            None => None,
        };
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some(submission) = next else {
            return Ok(());
        };
        let from = due.unwrap_or_else(Instant::now);
        let (outcome, repetitions) = submit(plan, &mut client, submission, from).await;
        let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
        report.repetitions += repetitions;
        match outcome {
            Outcome::Acknowledged(acknowledgement) => report.acknowledged.push(*acknowledgement),
            Outcome::Refused(refusal) => report.refused.push(refusal),
            Outcome::Unanswered {
                transaction_id,
                reason,
            } => {
                tracing::warn!(transaction_id, reason, "a submission is given up");
                report.unanswered.push(transaction_id);
            }
        }
        progress((report.acknowledged.len() + report.refused.len()) as u64);
        if !report.unanswered.is_empty() {
            return Ok(());
        }
    }
}

/// Sends one submission until it is acknowledged, refused for good, or given up. Its time counts `from` then.
async fn submit(
    plan: &LoadPlan,
    client: &mut Client,
    submission: Submission,
    from: Instant,
) -> (Outcome, u64) {
    let Submission {
        voter,
        transaction_id,
        ballot,
    } = submission;
    let (token, voter_id) = match voter {
        Voter::Token(token) => (token, None),
        Voter::CastFor { voter_id, token } => (token, Some(voter_id)),
    };
    client.set_token(&token);
    let request = SubmitRequest {
        election_id: plan.election_id,
        transaction_id: Some(transaction_id.clone()),
        ballot: Some(StrictJson(ballot.clone())),
        voter_id,
        ..SubmitRequest::default()
    };
    let started = Instant::now();
    let mut pause = PAUSE_FIRST;
    let mut repetitions = 0;
    loop {
        let reason = match judge(client.post("/api/votes/submit", &request).await) {
            Judgement::Acknowledged(answer) => {
                let acknowledgement = Acknowledgement {
                    transaction_id,
                    ballot,
                    answer: *answer,
                    latency: from.elapsed(),
                };
                return (
                    Outcome::Acknowledged(Box::new(acknowledgement)),
                    repetitions,
                );
            }
            Judgement::Refused(status, problem) => {
                let refusal = Refusal {
                    transaction_id,
                    status,
                    problem,
                };
                return (Outcome::Refused(refusal), repetitions);
            }
            Judgement::Repeat(reason) => reason,
        };
        if started.elapsed() > plan.patience {
            let outcome = Outcome::Unanswered {
                transaction_id,
                reason,
            };
            return (outcome, repetitions);
        }
        repetitions += 1;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_LONGEST);
    }
}

enum Judgement {
    Acknowledged(Box<SubmitAnswer>),
    Refused(u16, Value),
    /// Nobody knows whether it was recorded: the same transaction id makes a repetition safe.
    Repeat(String),
}

fn judge(answer: Result<Answer, HttpError>) -> Judgement {
    match answer {
        Ok(answer) if answer.is_success() => match answer.read() {
            Ok(acknowledged) => Judgement::Acknowledged(Box::new(acknowledged)),
            Err(_) => Judgement::Refused(answer.status, answer.json()),
        },
        Ok(answer) if matches!(answer.status, 429 | 502 | 503 | 504) => {
            Judgement::Repeat(format!("status {}: {}", answer.status, answer.excerpt()))
        }
        Ok(answer) => Judgement::Refused(answer.status, answer.json()),
        Err(error) => Judgement::Repeat(error.to_string()),
    }
}
