//! The one writer: judges what has queued up, puts it into a block, signs and commits it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tabella_ledger::{BuildLimits, Ledger, LedgerError, Refusal, VetError, Vetted};
use tabella_protocol::{CommitCertificate, Hash, SigningKey, rpc::RefusalCode};
use tokio::sync::{mpsc, oneshot};

use super::{AppendError, Opened, Shared, files};
use crate::{crash, lines::short};

/// Most ballots in one block, so that nobody waits for a commit without end.
const GROUP_MAX: usize = 512;
/// Pause between two attempts to open a ledger that failed.
const REOPEN: Duration = Duration::from_secs(1);

type Reply<T> = oneshot::Sender<Result<T, AppendError>>;

/// Something to be done by the writer.
pub(super) enum Work {
    Append {
        transaction: Vec<u8>,
        reply: Reply<()>,
    },
    TakeOver {
        blocks: Vec<Vec<Vec<u8>>>,
        to_height: u64,
        reply: Reply<()>,
    },
    /// Open the ledger again if it has failed.
    Revive {
        reply: oneshot::Sender<()>,
    },
    Stop {
        reply: oneshot::Sender<()>,
    },
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    tried: Option<Instant>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            tried: None,
        }
    }

    /// Opens the ledger, or notes why it cannot be opened.
    pub(super) fn open(&mut self) {
        self.tried = Some(Instant::now());
        let state = match files::open(&self.shared.directory, &self.shared.network) {
            Ok(opened) => {
                let key = opened.key.public();
                let height = opened.ledger.tip().height;
                tracing::info!(%key, height, "the local ledger is open");
                Ok(Arc::new(opened))
            }
            Err(error) => {
                tracing::error!(%error, "the local ledger cannot be opened");
                Err("it cannot be opened; the backend's log says why".to_owned())
            }
        };
        self.shared.set(state);
    }

    /// Runs until it is told to stop or the last sender is gone.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Work>) {
        let mut next = None;
        while let Some(work) = next.take().or_else(|| queue.blocking_recv()) {
            match work {
                Work::Append { transaction, reply } => {
                    let mut group = vec![(transaction, reply)];
                    while group.len() < GROUP_MAX {
                        match queue.try_recv() {
                            Ok(Work::Append { transaction, reply }) => {
                                group.push((transaction, reply));
                            }
                            Ok(other) => {
                                next = Some(other);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                    self.append(group);
                }
                Work::TakeOver {
                    blocks,
                    to_height,
                    reply,
                } => {
                    let result = self.take_over(&blocks, to_height);
                    // Who asked may have gone.
                    let _ = reply.send(result);
                }
                Work::Revive { reply } => {
                    let _ = self.opened();
                    let _ = reply.send(());
                }
                Work::Stop { reply } => {
                    self.shared.set(Err("stopped".to_owned()));
                    let _ = reply.send(());
                    return;
                }
            }
        }
    }

    /// The ledger, opened again where it failed a while ago.
    fn opened(&mut self) -> Result<Arc<Opened>, AppendError> {
        if self.shared.opened().is_err() && self.tried.is_none_or(|tried| tried.elapsed() > REOPEN)
        {
            self.open();
        }
        self.shared.opened().map_err(AppendError::Failed)
    }

    /// Nothing of it is relied on until it has been opened again.
    fn fail(&mut self, error: &LedgerError) -> AppendError {
        tracing::error!(%error, "the local ledger failed");
        self.tried = Some(Instant::now());
        let reason = "it failed; the backend's log says why".to_owned();
        self.shared.set(Err(reason.clone()));
        AppendError::Failed(reason)
    }

    fn append(&mut self, group: Vec<(Vec<u8>, Reply<()>)>) {
        let (transactions, replies): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        crash::point("local-unwritten");
        let results = match self.opened() {
            Err(error) => vec![Err(error); replies.len()],
            Ok(opened) => match append_all(&opened, &transactions) {
                Ok(results) => results
                    .into_iter()
                    .map(|result| result.map_err(AppendError::Refused))
                    .collect(),
                Err(error) => vec![Err(self.fail(&error)); replies.len()],
            },
        };
        crash::point("local-written");
        for (reply, result) in replies.into_iter().zip(results) {
            // Who asked may have gone; the ballot is carried all the same.
            let _ = reply.send(result);
        }
    }

    fn take_over(&mut self, blocks: &[Vec<Vec<u8>>], to_height: u64) -> Result<(), AppendError> {
        let opened = self.opened()?;
        for transactions in blocks {
            if let Err(error) = replay(&opened, transactions) {
                return Err(self.fail(&error));
            }
        }
        if let Err(error) = files::write_mark(&self.shared.directory, to_height) {
            tracing::warn!(%error, "the height up to which elections were copied cannot be recorded");
        }
        opened.mirrored_height.store(to_height, Ordering::Relaxed);
        Ok(())
    }
}

/// Appends ballots in as few blocks as hold them; a refusal for each that has no place there.
fn append_all(
    opened: &Opened,
    transactions: &[Vec<u8>],
) -> Result<Vec<Result<(), Refusal>>, LedgerError> {
    let mut refused = HashMap::new();
    let mut vetted = Vec::with_capacity(transactions.len());
    for bytes in transactions {
        match opened.ledger.vet(bytes) {
            Ok(good) => vetted.push(good),
            Err(VetError::Refused(refusal)) => {
                refused.insert(Hash::of(bytes), refusal);
            }
            Err(VetError::Ledger(error)) => return Err(error),
        }
    }
    refused.extend(commit(opened, vetted)?);
    let outcome = |bytes: &Vec<u8>| match refused.get(&Hash::of(bytes)) {
        Some(refusal) if refusal.code != RefusalCode::AlreadyIncluded => Err(refusal.clone()),
        _ => Ok(()),
    };
    Ok(transactions.iter().map(outcome).collect())
}

/// Takes over transactions of one block of the network: what a later block needs is there then.
fn replay(opened: &Opened, transactions: &[Vec<u8>]) -> Result<(), LedgerError> {
    let mut refused = Vec::new();
    let mut vetted = Vec::with_capacity(transactions.len());
    for bytes in transactions {
        match opened.ledger.vet(bytes) {
            Ok(good) => vetted.push(good),
            Err(VetError::Refused(refusal)) => refused.push((Hash::of(bytes), refusal)),
            Err(VetError::Ledger(error)) => return Err(error),
        }
    }
    refused.extend(commit(opened, vetted)?);
    // What the network executed and this ledger does not take leaves elections here incomplete;
    // their ballots then go to the database alone.
    for (id, refusal) in refused {
        if refusal.code != RefusalCode::AlreadyIncluded {
            tracing::error!(id = %short(&id), %refusal, "the local ledger cannot take over what the network executed");
        }
    }
    Ok(())
}

/// Commits transactions in order, in as many blocks as they need; returns those refused.
fn commit(
    opened: &Opened,
    mut candidates: Vec<Vetted>,
) -> Result<Vec<(Hash, Refusal)>, LedgerError> {
    let Opened { ledger, key, .. } = opened;
    let limits = BuildLimits {
        bytes_max: usize::MAX,
        transactions_max: GROUP_MAX,
    };
    let mut refused = Vec::new();
    while !candidates.is_empty() {
        let built = ledger.build(key.public(), tabella_clock::now_ms(), &candidates, limits)?;
        let included = built.block.transaction_ids();
        let mut settled: HashSet<Hash> = included.iter().copied().collect();
        settled.extend(built.refused.iter().map(|(id, _)| *id));
        if settled.is_empty() {
            let message = "the transaction is larger than a block of this ledger";
            let refusal = Refusal::new(RefusalCode::TooLarge, message);
            refused.push((candidates.remove(0).id(), refusal));
            continue;
        }
        refused.extend(built.refused);
        if !included.is_empty() {
            let certificate = certify(ledger, key, built.block.header().height, built.block.hash());
            ledger.commit(built.block, &certificate)?;
        }
        // The rest did not fit, or stands against what this block holds, which the next one tells.
        candidates.retain(|candidate| !settled.contains(&candidate.id()));
    }
    Ok(refused)
}

fn certify(ledger: &Ledger, key: &SigningKey, height: u64, block_hash: Hash) -> CommitCertificate {
    CommitCertificate::sign(&ledger.genesis_hash(), [key], height, block_hash)
}

#[cfg(test)]
mod tests;
