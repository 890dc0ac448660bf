//! Judging transactions and keeping those that wait for a block, without network, disk or clock: the
//! node and its simulation take transactions in by the same lines.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;
use tabella_consensus::Worth;
use tabella_ledger::{Admission, Ledger, LedgerError, Refusal, VetError, Vetted};
use tabella_protocol::{
    Hash, Transaction,
    rpc::{RefusalCode, TransactionStatus},
};

use crate::mempool::{Bounds, Known, Mempool, Origin};

/// Fewer transactions are judged one after the other: waking other threads would take as long.
const PARALLEL_MIN: usize = 32;

/// A transaction's id, and whether the state takes it.
pub(crate) type Judged = (Hash, Result<Vetted, Refusal>);

/// What became of submitted transactions. Nothing of it may be told to anybody before `fresh` is
/// durable.
pub(crate) struct Submitted {
    /// An answer for each, in order.
    pub(crate) answers: Vec<Result<Hash, Refusal>>,
    /// Those that have to be made durable, and relayed.
    pub(crate) fresh: Vec<Vetted>,
}

/// The waiting transactions of one validator, over its ledger.
pub(crate) struct Pool {
    ledger: Arc<Ledger>,
    mempool: Mutex<Mempool>,
}

impl Pool {
    pub(crate) fn new(ledger: Arc<Ledger>, bounds: Bounds) -> Self {
        let mempool = Mutex::new(Mempool::new(bounds));
        Self { ledger, mempool }
    }

    /// Takes up what the journal holds from before; returns what it can forget.
    ///
    /// It is durable already: what is refused now is on the chain or can no longer be.
    pub(crate) fn resume(&self, held: Vec<Vec<u8>>, now_ms: u64) -> Result<Vec<Hash>, LedgerError> {
        let judged = self.judge(held)?;
        let mut mempool = self.lock();
        let mut forgotten = Vec::new();
        for (id, result) in judged {
            match result {
                Ok(vetted) => {
                    let _ = mempool.insert(vetted, Origin::Client, now_ms);
                }
                // This host, not the chain: another start may find it well again.
                Err(refusal) if refusal.code == RefusalCode::Unavailable => {
                    tracing::warn!(%refusal, "a transaction held here waits");
                }
                Err(refusal) => {
                    forgotten.push(id);
                    if refusal.code != RefusalCode::AlreadyIncluded {
                        mempool.refuse(vec![(id, refusal)]);
                    }
                }
            }
        }
        Ok(forgotten)
    }

    /// Vets and admits transactions, many of them in parallel.
    pub(crate) fn judge(&self, transactions: Vec<Vec<u8>>) -> Result<Vec<Judged>, LedgerError> {
        let known: Vec<_> = {
            let mempool = self.lock();
            let known = |bytes: &Vec<u8>| mempool.get(&Hash::of(bytes));
            transactions.iter().map(known).collect()
        };
        let admission = self.ledger.admission()?;
        let judge = |(bytes, known): (Vec<u8>, Option<Vetted>)| match known {
            Some(vetted) => Ok((vetted.id(), Ok(vetted))),
            None => match judge_one(&self.ledger, &admission, &bytes) {
                Ok(vetted) => Ok((vetted.id(), Ok(vetted))),
                Err(VetError::Refused(refusal)) => Ok((Hash::of(&bytes), Err(refusal))),
                Err(VetError::Ledger(error)) => Err(error),
            },
        };
        if transactions.len() < PARALLEL_MIN {
            return transactions.into_iter().zip(known).map(judge).collect();
        }
        transactions.into_par_iter().zip(known).map(judge).collect()
    }

    /// Takes judged transactions of a client. The same transaction again answers the same.
    pub(crate) fn submit(&self, judged: Vec<Judged>, now_ms: u64) -> Submitted {
        let mut mempool = self.lock();
        let (mut answers, mut fresh) = (Vec::with_capacity(judged.len()), Vec::new());
        for (id, result) in judged {
            let result = result.and_then(|vetted| {
                if mempool.insert(vetted.clone(), Origin::Client, now_ms)? {
                    fresh.push(vetted);
                }
                Ok(id)
            });
            answers.push(match result {
                Err(refusal) if refusal.code == RefusalCode::AlreadyIncluded => Ok(id),
                result => result,
            });
        }
        Submitted { answers, fresh }
    }

    /// Those of `transactions` that are not waiting here and were not refused here. Those of a later version
    /// are for validators that were updated already, and no fault of whoever relays them.
    pub(crate) fn unknown(&self, transactions: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let mempool = self.lock();
        let unknown = |bytes: &Vec<u8>| {
            !Transaction::is_of_later_version(bytes) && mempool.known(&Hash::of(bytes)).is_none()
        };
        transactions.into_iter().filter(unknown).collect()
    }

    /// Takes judged transactions that another validator relays. Refusals are the client's and its
    /// validator's business, but for those that no validator could have taken.
    pub(crate) fn take_relayed(&self, judged: Vec<Judged>, now_ms: u64) -> Worth {
        let mut mempool = self.lock();
        let mut worth = Worth::Sound;
        for (_, result) in judged {
            let added = result.and_then(|vetted| mempool.insert(vetted, Origin::Peer, now_ms));
            if let Err(refusal) = added {
                tracing::debug!(code = ?refusal.code, "relayed transaction refused");
                if is_garbage(refusal.code) {
                    worth = Worth::Garbage;
                }
            }
        }
        worth
    }

    /// Transactions taken here that have waited since before `before_ms`, at most `count_max`.
    pub(crate) fn overdue(&self, before_ms: u64, count_max: usize) -> Vec<Vetted> {
        self.lock().overdue(before_ms, count_max)
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn candidates(&self, count_max: usize) -> Vec<Vetted> {
        self.lock().candidates(count_max)
    }

    pub(crate) fn get(&self, id: &Hash) -> Option<Vetted> {
        self.lock().get(id)
    }

    /// Forgets what is on the chain now; returns what the journal can forget.
    pub(crate) fn remove_included(&self, ids: &[Hash]) -> Vec<Hash> {
        self.lock().remove(ids)
    }

    /// Forgets what no block can hold any more, but for the reason; returns what the journal can
    /// forget.
    pub(crate) fn remove_refused(&self, refused: Vec<(Hash, Refusal)>) -> Vec<Hash> {
        self.lock().refuse(refused)
    }

    /// What is known here of a transaction that is not on the chain.
    pub(crate) fn status(&self, id: &Hash) -> TransactionStatus {
        match self.lock().known(id) {
            None => TransactionStatus::Unknown,
            Some(Known::Waiting) => TransactionStatus::Pending,
            Some(Known::Refused(refusal)) => TransactionStatus::Rejected {
                code: refusal.code,
                reason: refusal.message,
            },
        }
    }

    fn lock(&self) -> MutexGuard<'_, Mempool> {
        self.mempool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a transaction is refused by everybody, at any height: whoever relays it did not look at it.
fn is_garbage(code: RefusalCode) -> bool {
    matches!(
        code,
        RefusalCode::MalformedTransaction | RefusalCode::OtherChain | RefusalCode::BadSignature
    )
}

fn judge_one(ledger: &Ledger, admission: &Admission<'_>, bytes: &[u8]) -> Result<Vetted, VetError> {
    let vetted = ledger.vet(bytes)?;
    admission.admit(&vetted)?;
    Ok(vetted)
}
