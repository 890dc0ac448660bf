//! Voters who cast while the network is disturbed, one after another.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};

use super::{http, wait};

/// The time from one ballot to the next.
const PACE: Duration = Duration::from_millis(100);
/// How long one voter tries to get an answer.
const PATIENCE: Duration = Duration::from_secs(60);
const CHOICES: [&str; 3] = ["soup", "bread", "cake"];

/// A ballot that was acknowledged.
#[derive(Debug, Clone)]
pub(super) struct Acknowledged {
    pub(super) transaction_id: String,
    /// What became of it at first: `confirmed`, `pending`, `local` or `recorded`.
    pub(super) status: String,
    pub(super) source: String,
    pub(super) took: Duration,
}

/// Casts until it is stopped; dropping it stops it too.
#[derive(Debug)]
pub(super) struct Voters {
    backend_port: u16,
    token: String,
    acknowledged: Arc<Mutex<Vec<Acknowledged>>>,
    is_over: Arc<AtomicBool>,
    casting: Option<JoinHandle<Result<()>>>,
}

impl Voters {
    /// Begins casting in election 1 with an administrator's token.
    pub(super) fn start(backend_port: u16, token: &str) -> Self {
        let acknowledged = Arc::default();
        let is_over = Arc::new(AtomicBool::new(false));
        let casting = thread::spawn({
            let (acknowledged, is_over) = (Arc::clone(&acknowledged), Arc::clone(&is_over));
            let token = token.to_owned();
            move || {
                for number in 1_u64.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let ballot = cast(backend_port, &token, number)?;
                    lock(&acknowledged).push(ballot);
                    thread::sleep(PACE);
                }
                Ok(())
            }
        });
        Self {
            backend_port,
            token: token.to_owned(),
            acknowledged,
            is_over,
            casting: Some(casting),
        }
    }

    /// Waits until so many ballots in a row, all acknowledged after this call, had this status and source.
    pub(super) fn wait_for(&self, count: usize, status: &str, source: &str) -> Result<()> {
        let before = lock(&self.acknowledged).len();
        let what = format!("{count} ballots in a row answered `{status}` by `{source}`");
        wait(&what, || {
            if self.casting.as_ref().is_none_or(JoinHandle::is_finished) {
                bail!("the voters gave up");
            }
            let acknowledged = lock(&self.acknowledged);
            let new = &acknowledged[before..];
            let last = &new[new.len().saturating_sub(count)..];
            let fits = |ballot: &Acknowledged| ballot.status == status && ballot.source == source;
            Ok((last.len() == count && last.iter().all(fits)).then_some(()))
        })
    }

    /// Stops casting; returns every acknowledged ballot.
    pub(super) fn stop(&mut self) -> Result<Vec<Acknowledged>> {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(casting) = self.casting.take() {
            let done = casting.join();
            done.map_err(|_| anyhow!("the thread that casts panicked"))??;
        }
        Ok(lock(&self.acknowledged).clone())
    }

    /// Waits until a ballot is confirmed; returns its transaction on the chain.
    pub(super) fn confirmed(&self, transaction_id: &str) -> Result<String> {
        let path = format!(
            "/api/votes/transaction-status?transaction_id={transaction_id}&election_id=1&voter_id={transaction_id}"
        );
        wait(&format!("{transaction_id} to be confirmed"), || {
            let answer = http::send(self.backend_port, "GET", &path, Some(&self.token), None)?;
            match answer.body["status"].as_str() {
                Some("confirmed") => {
                    let on_chain = answer.body["chain_transaction_id"].as_str();
                    Ok(Some(
                        on_chain
                            .context("expected a chain_transaction_id")?
                            .to_owned(),
                    ))
                }
                Some("pending" | "local" | "recorded") => Ok(None),
                _ => bail!(
                    "{transaction_id} was acknowledged and is now {}",
                    answer.body
                ),
            }
        })
    }
}

impl Drop for Voters {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

fn lock(list: &Mutex<Vec<Acknowledged>>) -> std::sync::MutexGuard<'_, Vec<Acknowledged>> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Casts one ballot, as documented for frontends: without an answer, or with one that says to wait, the
/// same ballot again.
fn cast(backend_port: u16, token: &str, number: u64) -> Result<Acknowledged> {
    let transaction_id = format!("voter-{number}");
    let choice = CHOICES[number as usize % CHOICES.len()];
    let ballot = json!({
        "election_id": 1,
        "voter_id": transaction_id,
        "transaction_id": transaction_id,
        "ballot": {"choice": choice},
    });
    let started = Instant::now();
    loop {
        let answer = http::send(
            backend_port,
            "POST",
            "/api/votes/submit",
            Some(token),
            Some(&ballot),
        );
        match &answer {
            Ok(answer) if matches!(answer.status, 200..=202) => {
                return Ok(Acknowledged {
                    transaction_id,
                    status: text(&answer.body, "status")?,
                    source: text(&answer.body, "source")?,
                    took: started.elapsed(),
                });
            }
            Ok(answer) => ensure!(
                matches!(answer.status, 408 | 429 | 502 | 503),
                "the ballot of {transaction_id} was answered {}: {}",
                answer.status,
                answer.body
            ),
            Err(_) => {}
        }
        if started.elapsed() > PATIENCE {
            bail!("{transaction_id} had no answer in {PATIENCE:?}; the last try: {answer:?}");
        }
        thread::sleep(PACE);
    }
}

fn text(body: &Value, field: &str) -> Result<String> {
    let text = body[field].as_str();
    Ok(text
        .with_context(|| format!("expected `{field}` in {body}"))?
        .to_owned())
}
