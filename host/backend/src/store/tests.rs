//! The database alone: durability, idempotency, failure.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::{StorageBackend, backends::InMemoryBackend};
use tabella_protocol::{Payload, Revote, SigningKey, Transaction, TransactionBody};

use super::*;
use crate::pending::Standing;

fn submission(n: u8, voter: u8, client_id: Option<&str>) -> NewSubmission {
    let payload = Payload::CastBallot {
        election_id: 1,
        voter: VoterId([voter; 32]),
        ballots: vec![vec![n]],
    };
    let mut body = TransactionBody::new(1, 100, payload);
    body.nonce = u64::from(n);
    let transaction = Transaction::sign(body, &SigningKey::from_seed([1; 32])).to_bytes();
    NewSubmission {
        client_id: client_id.map(str::to_owned),
        election_id: 1,
        voter: VoterId([voter; 32]),
        content: Hash([n; 32]),
        transaction_id: Hash::of(&transaction),
        transaction,
        expiry_height: 100,
        submitted_at_ms: 5,
        revote: Revote::Refuse,
    }
}

fn open(path: &Path) -> (Store, Arc<Pending>) {
    let pending = Arc::new(Pending::default());
    let store = Store::open(path, pending.clone()).unwrap();
    (store, pending)
}

fn confirmed(sequence: u64, transaction_id: Hash) -> Confirmed {
    let block_hash = Hash([8; 32]);
    Confirmed {
        mark: Some(Mark {
            height: 3,
            hash: block_hash,
        }),
        height: 3,
        block_hash,
        confirmed_at_ms: 9,
        signatures: 2,
        submissions: vec![ConfirmedSubmission {
            sequence,
            transaction_id,
            index: 0,
            validator: None,
        }],
    }
}

#[tokio::test]
async fn what_was_recorded_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let (store, pending) = open(&path);
    let records = (0..200).map(|n| store.record(submission(n, n, None)));
    for recorded in futures::future::join_all(records).await {
        assert_eq!(recorded.unwrap(), Recorded::New);
    }
    assert_eq!(pending.len(), 200);
    let first = submission(0, 0, None).transaction_id;
    let sequence = store
        .submission(&first.to_string())
        .unwrap()
        .unwrap()
        .sequence;
    store.confirm(confirmed(sequence, first)).await.unwrap();
    store.close().await;
    drop(store);

    let (store, pending) = open(&path);
    // Only what is not settled is carried on.
    assert_eq!(pending.len(), 199);
    assert_eq!(store.mark().unwrap().unwrap().height, 3);
    for n in 0..200 {
        let id = submission(n, n, None).transaction_id;
        let known = store.submission(&id.to_string()).unwrap().unwrap();
        assert_eq!(known.content, Hash([n; 32]));
        assert_eq!(
            pending.standing(&id),
            (n != 0).then_some(Standing::Recorded)
        );
        assert_eq!(known.transaction.is_empty(), n == 0);
    }
    // New ones go on behind the old.
    store.record(submission(201, 201, None)).await.unwrap();
    let id = submission(201, 201, None).transaction_id;
    let sequence = store.submission(&id.to_string()).unwrap().unwrap().sequence;
    assert_eq!(sequence, 200);
}

#[tokio::test]
async fn an_id_stands_for_one_content_and_a_voter_for_one_ballot() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("db"));
    let record = async |n, voter, id| store.record(submission(n, voter, id)).await.unwrap();
    assert_eq!(record(1, 1, Some("a")).await, Recorded::New);
    assert!(matches!(record(1, 1, Some("a")).await, Recorded::Same(_)));
    assert_eq!(record(2, 1, Some("a")).await, Recorded::Reused);
    for id in [Some("b"), None] {
        let Recorded::AlreadyVoted(standing) = record(2, 1, id).await else {
            panic!("expected a refusal");
        };
        assert_eq!(standing.client_id.as_deref(), Some("a"));
    }
    // The very transaction again is the same without any id.
    assert!(matches!(record(1, 1, None).await, Recorded::Same(_)));
    let mut revote = submission(2, 1, None);
    revote.revote = Revote::Last;
    assert_eq!(store.record(revote).await.unwrap(), Recorded::New);
}

#[tokio::test]
async fn within_one_commit_too() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("db"));
    let same = (0..50).map(|_| store.record(submission(1, 1, Some("a"))));
    let answers = futures::future::join_all(same).await;
    let new = answers
        .iter()
        .filter(|answer| matches!(answer, Ok(Recorded::New)));
    assert_eq!(new.count(), 1);
    let same = answers
        .iter()
        .filter(|answer| matches!(answer, Ok(Recorded::Same(_))));
    assert_eq!(same.count(), 49);
}

#[tokio::test]
async fn a_rejected_ballot_does_not_bar_its_voter() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(&directory.path().join("db"));
    store.record(submission(1, 1, Some("a"))).await.unwrap();
    store
        .reject(0, "ballot-refused".into(), "no".into(), 7)
        .await
        .unwrap();
    let known = store.submission("a").unwrap().unwrap();
    assert!(matches!(known.state, State::Rejected { .. }));
    assert_eq!(store.ballot_of(1, &VoterId([1; 32])).unwrap(), None);
    let again = store.record(submission(2, 1, Some("b"))).await.unwrap();
    assert_eq!(again, Recorded::New);
    // What is confirmed is not rejected any more.
    let id = submission(2, 1, None).transaction_id;
    store.confirm(confirmed(1, id)).await.unwrap();
    store
        .reject(1, "expired".into(), "no".into(), 8)
        .await
        .unwrap();
    let known = store.submission("b").unwrap().unwrap();
    assert!(matches!(known.state, State::Confirmed { height: 3, .. }));
}

#[tokio::test]
async fn a_submission_signed_again_is_found_under_both_ids() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("db");
    let (store, pending) = open(&path);
    let old = submission(1, 1, None);
    let new = submission(2, 1, None);
    store.record(old.clone()).await.unwrap();
    store
        .sign_again(0, new.transaction_id, new.transaction, 500)
        .await
        .unwrap();
    for id in [old.transaction_id, new.transaction_id] {
        let known = store.submission(&id.to_string()).unwrap().unwrap();
        assert_eq!(known.transaction_id, new.transaction_id);
    }
    assert_eq!(pending.standing(&old.transaction_id), None);
    assert_eq!(
        pending.standing(&new.transaction_id),
        Some(Standing::Recorded)
    );
}

/// Storage that fails on command, and outlives the database that is closed over it.
#[derive(Debug, Clone)]
struct Failing {
    memory: Arc<InMemoryBackend>,
    fails: Arc<AtomicBool>,
}

impl Failing {
    fn new() -> Self {
        Self {
            memory: Arc::new(InMemoryBackend::new()),
            fails: Arc::default(),
        }
    }

    fn check(&self) -> io::Result<()> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(io::Error::other("the disk is gone"));
        }
        Ok(())
    }
}

impl StorageBackend for Failing {
    fn len(&self) -> io::Result<u64> {
        self.memory.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.memory.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?;
        self.memory.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        self.memory.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        self.memory.write(offset, data)
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_while_the_database_fails_and_it_recovers_by_itself() {
    let backend = Failing::new();
    let fails = backend.fails.clone();
    let pending = Arc::new(Pending::default());
    let store = Store::open_backend(move || backend.clone(), pending.clone()).unwrap();
    assert_eq!(
        store.record(submission(1, 1, None)).await.unwrap(),
        Recorded::New
    );
    fails.store(true, Ordering::SeqCst);
    let refused = store.record(submission(2, 2, None)).await;
    assert!(matches!(refused, Err(StoreError::Failed(_))), "{refused:?}");
    assert!(!store.is_healthy());
    assert_eq!(pending.len(), 1, "nothing is carried that is not durable");

    fails.store(false, Ordering::SeqCst);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let recorded = loop {
        match store.record(submission(2, 2, None)).await {
            Ok(recorded) => break recorded,
            Err(error) => assert!(std::time::Instant::now() < deadline, "{error}"),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(recorded, Recorded::New);
    assert!(store.is_healthy());
    assert_eq!(pending.len(), 2);
    // What was acknowledged before is still there.
    let first = submission(1, 1, None).transaction_id.to_string();
    assert_eq!(store.submission(&first).unwrap().unwrap().sequence, 0);
}
