//! The database alone: durability, idempotency, failure.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::{StorageBackend, backends::InMemoryBackend};
use tabella_protocol::{Payload, PublicKey, Revote, SigningKey, Transaction, TransactionBody};
use tabella_test_postgres::Postgres;
use tempfile::TempDir;

use super::*;
use crate::{pending::Standing, store::Role, subject::Realm};

/// A database that can be opened again, of either kind.
enum Place {
    File(TempDir),
    Shared { postgres: Postgres, data: TempDir },
}

impl Place {
    fn file() -> Self {
        Self::File(tempfile::tempdir().unwrap())
    }

    fn postgres() -> Option<Self> {
        Some(Self::Shared {
            postgres: Postgres::start()?,
            data: tempfile::tempdir().unwrap(),
        })
    }

    async fn open(&self) -> (Store, Arc<Pending>) {
        let pending = Arc::new(Pending::default());
        let store = match self {
            Self::File(directory) => {
                let path = directory.path().join(FILE);
                Store::open(&path, &identity(), pending.clone(), |_, _| ()).unwrap()
            }
            Self::Shared { postgres, data } => Store::connect(
                &postgres.url(),
                data.path(),
                &identity(),
                &pending,
                |_, _| (),
            )
            .await
            .unwrap(),
        };
        (store, pending)
    }
}

pub(super) fn identity() -> Identity {
    Identity {
        genesis_hash: Hash([1; 32]),
        registrar: PublicKey([2; 32]),
        secret_fingerprint: Hash([3; 32]),
    }
}

/// Runs each test over both kinds of database.
macro_rules! over_both {
    ($($name:ident),* $(,)?) => {
        mod over_a_file {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::Place::file()).await;
            })*
        }

        mod over_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                if let Some(place) = super::Place::postgres() {
                    super::$name(place).await;
                }
            })*
        }
    };
}

over_both!(
    what_was_recorded_is_there_after_reopening,
    ballots_of_one_commit_are_signed_together,
    an_id_stands_for_one_content_and_a_voter_for_one_ballot,
    an_id_is_a_name_within_its_voter,
    within_one_commit_too,
    a_rejected_ballot_does_not_bar_its_voter,
    a_confirmed_ballot_stands_again_once_a_later_one_is_rejected,
    a_rejected_ballot_that_lands_is_confirmed,
    a_submission_signed_again_is_found_under_both_ids,
    a_submission_signed_again_may_land_under_its_old_id,
    a_ballot_that_stands_under_another_id_is_found_under_both,
    what_is_settled_is_not_signed_again,
    a_ballot_that_was_numbered_beside_another_is_numbered_again,
    a_ballot_comes_after_every_number_of_before_however_those_ended,
    a_writer_that_has_ended_is_noticed,
    a_submission_reads_back_as_it_was_written,
    accounts_are_kept,
    a_session_ends_when_a_refresh_token_comes_again,
    expired_sessions_are_forgotten,
);

pub(super) fn submission(n: u8, voter: u8, client_id: Option<&str>) -> NewSubmission {
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
        admission: Admission::Fresh(Revote::Refuse),
        number: None,
        realm: Realm::Registrar,
    }
}

async fn ballots_of_one_commit_are_signed_together(place: Place) {
    let (store, pending) = place.open().await;
    let registrar = Arc::new(SigningKey::from_seed([1; 32]));
    let record = async |n: u8| {
        let mut new = submission(n, n, Some(&format!("id-{n}")));
        let body = Transaction::from_bytes(&new.transaction).unwrap().body;
        let describe = move |transaction: &Transaction| {
            new.transaction = transaction.to_bytes();
            new.transaction_id = transaction.id();
            new
        };
        let recorded = store.sign_and_record(body.clone(), &registrar, describe);
        let (recorded, transaction) = recorded.await.unwrap();
        assert_eq!(recorded, Recorded::New);
        assert!(transaction.body == body && transaction.verify());
        transaction
    };
    let transactions = futures::future::join_all((0..200).map(record)).await;
    let signatures: std::collections::BTreeSet<_> =
        transactions.iter().map(|t| t.signature).collect();
    // A few groups of up to 64 under a signature each.
    assert!(signatures.len() < 20, "{}", signatures.len());
    // Again under the same id: it is the one that is there, however it would be signed now.
    let again = record_again(&store, &registrar, &transactions[7]).await;
    assert!(matches!(again, Recorded::Same(known) if known.transaction_id == transactions[7].id()));
    store.close().await;
    drop((store, pending));
    let (store, pending) = place.open().await;
    assert_eq!(pending.len(), 200);
    for transaction in &transactions {
        let kept = store.by_transaction(&transaction.id()).await.unwrap();
        assert_eq!(kept.unwrap().transaction, transaction.to_bytes());
    }
}

async fn record_again(
    store: &Store,
    registrar: &Arc<SigningKey>,
    transaction: &Transaction,
) -> Recorded {
    let body = transaction.body.clone();
    let n = u8::try_from(body.nonce).unwrap();
    let mut new = submission(n, n, Some(&format!("id-{n}")));
    let describe = move |transaction: &Transaction| {
        new.transaction = transaction.to_bytes();
        new.transaction_id = transaction.id();
        new
    };
    let recorded = store.sign_and_record(body, registrar, describe).await;
    recorded.unwrap().0
}

async fn named(store: &Store, voter: u8, client_id: &str) -> Option<Submission> {
    let named = store.named(&VoterId([voter; 32]), client_id).await;
    named.unwrap()
}

pub(super) fn confirmed(sequence: u64, transaction_id: Hash) -> Confirmed {
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
            validator: Some("validator-1".into()),
        }],
        transaction_ids: vec![transaction_id],
    }
}

async fn what_was_recorded_is_there_after_reopening(place: Place) {
    let (store, pending) = place.open().await;
    let records = (0..200).map(|n| store.record(submission(n, n, None)));
    for recorded in futures::future::join_all(records).await {
        assert_eq!(recorded.unwrap(), Recorded::New);
    }
    assert_eq!(pending.len(), 200);
    let first = submission(0, 0, None).transaction_id;
    let sequence = store
        .by_transaction(&first)
        .await
        .unwrap()
        .unwrap()
        .sequence;
    store.confirm(confirmed(sequence, first)).await.unwrap();
    store.close().await;
    drop(store);

    let (store, pending) = place.open().await;
    // Only what is not settled is carried on.
    assert_eq!(pending.len(), 199);
    assert_eq!(store.mark().await.unwrap().unwrap().height, 3);
    for n in 0..200 {
        let id = submission(n, n, None).transaction_id;
        let known = store.by_transaction(&id).await.unwrap().unwrap();
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
    let sequence = store.by_transaction(&id).await.unwrap().unwrap().sequence;
    assert_eq!(sequence, 200);
}

async fn an_id_stands_for_one_content_and_a_voter_for_one_ballot(place: Place) {
    let (store, _) = place.open().await;
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
    revote.admission = Admission::Fresh(Revote::Last);
    assert_eq!(store.record(revote).await.unwrap(), Recorded::New);
}

async fn an_id_is_a_name_within_its_voter(place: Place) {
    let (store, _) = place.open().await;
    let mut of_account = submission(4, 4, Some("a"));
    of_account.realm = Realm::Account;
    let all = [
        submission(1, 1, Some("a")),
        submission(2, 2, Some("a")),
        submission(3, 3, Some("b")),
        of_account,
    ];
    // In one commit, and once more in another.
    for _ in 0..2 {
        let records = all.clone().map(|new| store.record(new));
        for (n, recorded) in futures::future::join_all(records)
            .await
            .into_iter()
            .enumerate()
        {
            assert!(matches!(recorded, Ok(Recorded::New | Recorded::Same(_))));
            let n = u8::try_from(n).unwrap() + 1;
            let id = if n == 3 { "b" } else { "a" };
            assert_eq!(named(&store, n, id).await.unwrap().content, Hash([n; 32]));
        }
    }
    assert_eq!(named(&store, 3, "a").await, None);
    let by_registrar = async |id, election| {
        let named = store.named_by_registrar(id, election).await;
        named.unwrap()
    };
    assert_eq!(by_registrar("a", None).await, Named::Several);
    assert_eq!(by_registrar("a", Some(1)).await, Named::Several);
    assert_eq!(by_registrar("a", Some(2)).await, Named::Nothing);
    assert_eq!(by_registrar("c", None).await, Named::Nothing);
    let Named::One(one) = by_registrar("b", None).await else {
        panic!("expected one");
    };
    assert_eq!(one.voter, VoterId([3; 32]));
    // What accounts call theirs is no registrar's affair.
    let mut alone = submission(5, 5, Some("d"));
    alone.realm = Realm::Account;
    store.record(alone).await.unwrap();
    assert_eq!(by_registrar("d", None).await, Named::Nothing);
    // A new database has nothing of before.
    assert_eq!(store.earlier().await.unwrap(), Earlier::default());
}

async fn within_one_commit_too(place: Place) {
    let (store, _) = place.open().await;
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

async fn a_rejected_ballot_does_not_bar_its_voter(place: Place) {
    let (store, _) = place.open().await;
    store.record(submission(1, 1, Some("a"))).await.unwrap();
    store
        .reject(0, "ballot-refused".into(), "no".into(), 7)
        .await
        .unwrap();
    let known = named(&store, 1, "a").await.unwrap();
    assert!(matches!(known.state, State::Rejected { .. }));
    assert_eq!(store.ballot_of(1, &VoterId([1; 32])).await.unwrap(), None);
    let again = store.record(submission(2, 1, Some("b"))).await.unwrap();
    assert_eq!(again, Recorded::New);
    // What is confirmed is not rejected any more.
    let id = submission(2, 1, None).transaction_id;
    store.confirm(confirmed(1, id)).await.unwrap();
    let late = store.reject(1, "expired".into(), "no".into(), 8).await;
    assert!(matches!(late, Ok(()) | Err(StoreError::Elsewhere)));
    let known = named(&store, 1, "b").await.unwrap();
    assert!(matches!(known.state, State::Confirmed { height: 3, .. }));
}

async fn a_confirmed_ballot_stands_again_once_a_later_one_is_rejected(place: Place) {
    let (store, _) = place.open().await;
    let revote = |n| NewSubmission {
        admission: Admission::Fresh(Revote::Last),
        ..submission(n, 1, None)
    };
    let standing = async || {
        let ballot = store.ballot_of(1, &VoterId([1; 32])).await.unwrap();
        ballot.map(|ballot| ballot.sequence)
    };
    store.record(revote(1)).await.unwrap();
    let confirmation = confirmed(0, revote(1).transaction_id);
    store.confirm(confirmation).await.unwrap();
    for n in [2, 3] {
        store.record(revote(n)).await.unwrap();
    }
    assert_eq!(standing().await, Some(2));
    // The last one is not the first to be rejected.
    for (sequence, expected) in [(1, 2), (2, 0)] {
        let rejecting = store.reject(sequence, "election-closed".into(), "no".into(), 7);
        rejecting.await.unwrap();
        assert_eq!(standing().await, Some(expected), "{sequence} is rejected");
    }
    // It bars another where only one may be cast.
    let other = store.record(submission(4, 1, None)).await.unwrap();
    assert!(matches!(other, Recorded::AlreadyVoted(ballot) if ballot.sequence == 0));
}

async fn a_rejected_ballot_that_lands_is_confirmed(place: Place) {
    let (store, _) = place.open().await;
    store.record(submission(1, 1, Some("a"))).await.unwrap();
    let rejecting = store.reject(0, "election-closed".into(), "no".into(), 7);
    rejecting.await.unwrap();
    // A validator had it all the same; nobody waits for it any more.
    let mut block = confirmed(0, submission(1, 1, None).transaction_id);
    block.submissions.clear();
    block.transaction_ids.insert(0, Hash([9; 32]));
    store.confirm(block).await.unwrap();
    let known = named(&store, 1, "a").await.unwrap();
    let State::Confirmed { height, index, .. } = known.state else {
        panic!("{:?}", known.state);
    };
    assert_eq!((height, index), (3, 1));
    let standing = store.ballot_of(1, &VoterId([1; 32])).await.unwrap();
    assert_eq!(standing, Some(known));
    let again = store.record(submission(2, 1, None)).await.unwrap();
    assert!(matches!(again, Recorded::AlreadyVoted(_)));
}

async fn a_submission_signed_again_is_found_under_both_ids(place: Place) {
    let (store, pending) = place.open().await;
    let old = submission(1, 1, None);
    let new = submission(2, 1, None);
    store.record(old.clone()).await.unwrap();
    store
        .sign_again(0, new.transaction_id, new.transaction, 500)
        .await
        .unwrap();
    for id in [old.transaction_id, new.transaction_id] {
        let known = store.by_transaction(&id).await.unwrap().unwrap();
        assert_eq!(known.transaction_id, new.transaction_id);
    }
    assert_eq!(pending.standing(&old.transaction_id), None);
    assert_eq!(
        pending.standing(&new.transaction_id),
        Some(Standing::Recorded)
    );
}

async fn a_submission_signed_again_may_land_under_its_old_id(place: Place) {
    let (store, _) = place.open().await;
    let (old, new) = (submission(1, 1, Some("a")), submission(2, 1, None));
    store.record(old.clone()).await.unwrap();
    store.record(submission(3, 3, None)).await.unwrap();
    let signing = store.sign_again(0, new.transaction_id, new.transaction, 500);
    signing.await.unwrap();
    let mut block = confirmed(0, old.transaction_id);
    block.submissions.clear();
    block.transaction_ids = vec![submission(3, 3, None).transaction_id, old.transaction_id];
    store.confirm(block).await.unwrap();
    for (sequence, at) in [(0, 1), (1, 0)] {
        let known = store.by_sequence(sequence).await.unwrap().unwrap();
        let State::Confirmed { height, index, .. } = known.state else {
            panic!("{:?}", known.state);
        };
        assert_eq!((height, index), (3, at));
    }
    let known = named(&store, 1, "a").await.unwrap();
    assert_eq!(known.transaction_id, old.transaction_id);
    // Whoever was told the newer id finds it, too.
    let by_new = store.by_transaction(&new.transaction_id).await.unwrap();
    assert_eq!(by_new, Some(known));
}

/// The chain held the voter's ballot before the database knew of it; see `on_chain`.
async fn a_ballot_that_stands_under_another_id_is_found_under_both(place: Place) {
    let (store, _) = place.open().await;
    let (own, standing) = (submission(1, 1, Some("a")), Hash([7; 32]));
    store.record(own.clone()).await.unwrap();
    let on_chain = Confirmed {
        mark: None,
        transaction_ids: vec![],
        ..confirmed(0, standing)
    };
    store.confirm(on_chain).await.unwrap();
    let known = named(&store, 1, "a").await.unwrap();
    assert_eq!(known.transaction_id, standing);
    for id in [own.transaction_id, standing] {
        let by_id = store.by_transaction(&id).await.unwrap();
        assert_eq!(by_id.as_ref(), Some(&known), "{id}");
    }
}

async fn what_is_settled_is_not_signed_again(place: Place) {
    let (store, _) = place.open().await;
    for n in [1, 2] {
        store.record(submission(n, n, None)).await.unwrap();
    }
    let id = submission(1, 1, None).transaction_id;
    store.confirm(confirmed(0, id)).await.unwrap();
    store.reject(1, "c".into(), "r".into(), 7).await.unwrap();
    for sequence in [0, 1] {
        let settled = store.by_sequence(sequence).await.unwrap();
        let new = submission(3, 3, None);
        let signed = store.sign_again(sequence, new.transaction_id, new.transaction, 500);
        assert!(matches!(signed.await, Err(StoreError::Elsewhere)));
        assert_eq!(store.by_sequence(sequence).await.unwrap(), settled);
        let by_new = store.by_transaction(&new.transaction_id).await;
        assert_eq!(by_new.unwrap(), None);
    }
}

/// A ballot of voter 1, who may vote again, in this place of the voter's order.
fn numbered(n: u8, number: Option<u64>) -> NewSubmission {
    let mut new = submission(n, 1, None);
    let mut transaction = Transaction::from_bytes(&new.transaction).unwrap();
    transaction.body.sequence = number;
    let signed = Transaction::sign(transaction.body, &SigningKey::from_seed([1; 32]));
    new.transaction = signed.to_bytes();
    new.transaction_id = Hash::of(&new.transaction);
    NewSubmission {
        admission: Admission::Fresh(Revote::Last),
        number,
        ..new
    }
}

/// Backends over one database number at the same time: the second one is told, and nothing is recorded.
async fn a_ballot_that_was_numbered_beside_another_is_numbered_again(place: Place) {
    let (store, pending) = place.open().await;
    let record = async |new: &NewSubmission| store.record(new.clone()).await.unwrap();
    assert_eq!(record(&numbered(1, None)).await, Recorded::New);
    let first = numbered(2, Some(7));
    assert_eq!(record(&first).await, Recorded::New);
    for number in [6, 7] {
        let outnumbered = record(&numbered(3, Some(number))).await;
        assert_eq!(outnumbered, Recorded::Outnumbered, "{number}");
    }
    assert!(matches!(record(&first).await, Recorded::Same(_)));
    assert_eq!(store.by_sequence(2).await.unwrap(), None);
    assert_eq!(pending.len(), 2);
    assert_eq!(record(&numbered(4, Some(8))).await, Recorded::New);
    // The voter's own numbers are the voter's affair.
    let mut own = numbered(5, Some(3));
    own.number = None;
    assert_eq!(record(&own).await, Recorded::New);
}

/// The backend that numbers the next one may not have executed the block yet.
async fn a_ballot_comes_after_every_number_of_before_however_those_ended(place: Place) {
    let (store, _) = place.open().await;
    let record = async |n, number| store.record(numbered(n, Some(number))).await.unwrap();
    assert_eq!(record(1, 7).await, Recorded::New);
    let id = numbered(1, Some(7)).transaction_id;
    store.confirm(confirmed(0, id)).await.unwrap();
    for number in [6, 7] {
        assert_eq!(record(2, number).await, Recorded::Outnumbered, "{number}");
    }
    assert_eq!(record(3, 9).await, Recorded::New);
    let rejecting = store.reject(1, "c".into(), "r".into(), 7);
    rejecting.await.unwrap();
    // It may land all the same.
    assert_eq!(record(4, 8).await, Recorded::Outnumbered);
    store.close().await;
    drop(store);
    let (store, _) = place.open().await;
    let again = store.record(numbered(5, Some(9))).await.unwrap();
    assert_eq!(again, Recorded::Outnumbered);
    // Elections and voters are apart.
    let mut other = numbered(6, Some(1));
    other.voter = VoterId([2; 32]);
    assert_eq!(store.record(other).await.unwrap(), Recorded::New);
    let mut other = numbered(7, Some(1));
    other.election_id = 2;
    assert_eq!(store.record(other).await.unwrap(), Recorded::New);
    let next = store.record(numbered(8, Some(10))).await.unwrap();
    assert_eq!(next, Recorded::New);
}

async fn a_writer_that_has_ended_is_noticed(place: Place) {
    let (store, _) = place.open().await;
    assert!(store.is_healthy());
    let registrar = Arc::new(SigningKey::from_seed([1; 32]));
    let ballot = submission(1, 1, None).transaction;
    let body = Transaction::from_bytes(&ballot).unwrap().body;
    let recording = store.sign_and_record(body, &registrar, |_| panic!("a fault, for this test"));
    assert!(recording.await.is_err());
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while store.is_healthy() {
        assert!(
            std::time::Instant::now() < deadline,
            "it passes for healthy"
        );
        tokio::task::yield_now().await;
    }
    let refused = store.record(submission(2, 2, None)).await.unwrap_err();
    assert!(refused.to_string().contains("restart"), "{refused}");
}

async fn a_submission_reads_back_as_it_was_written(place: Place) {
    let (store, _) = place.open().await;
    let mut new = submission(1, 1, Some("a"));
    new.election_id = u64::MAX;
    new.submitted_at_ms = 1 << 60;
    store.record(new.clone()).await.unwrap();
    let known = named(&store, 1, "a").await.unwrap();
    assert_eq!(store.by_sequence(0).await.unwrap().unwrap(), known);
    let expected = Submission {
        sequence: 0,
        client_id: Some("a".into()),
        election_id: u64::MAX,
        voter: new.voter,
        content: new.content,
        transaction_id: new.transaction_id,
        transaction: new.transaction,
        submitted_at_ms: 1 << 60,
        state: State::Open,
    };
    assert_eq!(known, expected);
    let by_voter = store.ballot_of(u64::MAX, &new.voter).await.unwrap();
    assert_eq!(by_voter.unwrap(), expected);
    store
        .confirm(confirmed(0, new.transaction_id))
        .await
        .unwrap();
    let known = named(&store, 1, "a").await.unwrap();
    let state = State::Confirmed {
        height: 3,
        block_hash: Hash([8; 32]),
        index: 0,
        confirmed_at_ms: 9,
        signatures: 2,
        validator: Some("validator-1".into()),
    };
    assert_eq!(known.state, state);
    // A reason is a validator's own words, whatever they hold.
    store.record(submission(2, 2, Some("b"))).await.unwrap();
    let reason = "no\0 \u{fe0f}'\";--".to_owned();
    store.reject(1, "c".into(), reason, 7).await.unwrap();
    let known = named(&store, 2, "b").await.unwrap();
    let State::Rejected { reason, .. } = known.state else {
        panic!("expected a refusal");
    };
    assert!(reason.ends_with("\u{fe0f}'\";--"), "{reason:?}");
    for unknown in ["", "c", "\0", "b"] {
        assert_eq!(named(&store, 1, unknown).await, None);
    }
    let unknown = store.by_transaction(&Hash([9; 32])).await;
    assert_eq!(unknown.unwrap(), None);
}

fn account(name: &str) -> Account {
    Account {
        name: name.into(),
        password_hash: "$argon2id$".into(),
        role: Role::Voter,
        created_at_ms: 5,
    }
}

fn session(account: &str, refresh: &str) -> Session {
    Session {
        account: account.into(),
        refresh: refresh.into(),
    }
}

async fn accounts_are_kept(place: Place) {
    let (store, _) = place.open().await;
    let mut alice = account("alice");
    assert!(store.create_account(alice.clone()).await.unwrap());
    assert!(!store.create_account(alice.clone()).await.unwrap());
    assert_eq!(store.account("alice").await.unwrap(), Some(alice.clone()));
    for unknown in ["bob", "\0"] {
        assert_eq!(store.account(unknown).await.unwrap(), None);
        let changed = store.set_role(unknown.into(), Role::Admin).await;
        assert_eq!(changed.unwrap(), None);
    }
    alice.role = Role::Auditor;
    let changed = store.set_role("alice".into(), Role::Auditor).await;
    assert_eq!(changed.unwrap(), Some(alice.clone()));
    assert_eq!(store.account("alice").await.unwrap(), Some(alice));
}

async fn a_session_ends_when_a_refresh_token_comes_again(place: Place) {
    let (store, _) = place.open().await;
    store.create_account(account("alice")).await.unwrap();
    let open = async |id: &str| {
        let opened = store.open_session(id.into(), session("alice", "t1"), "0".into());
        opened.await.unwrap();
    };
    let rotate = async |id: &str, from: &str, to: &str| {
        let rotated = store.rotate_session(id.into(), from.into(), to.into());
        rotated.await.unwrap()
    };
    let lasts = async |id: &str| {
        let account = store.account_of_session(id).await.unwrap();
        account.is_some_and(|account| account.name == "alice")
    };
    open("5a").await;
    open("5b").await;
    assert_eq!(rotate("5a", "t1", "t2").await, Rotation::Rotated);
    assert!(lasts("5a").await && lasts("5b").await && !lasts("5c").await);
    assert_eq!(rotate("5a", "t1", "t3").await, Rotation::Reused);
    assert!(!lasts("5a").await && lasts("5b").await);
    assert_eq!(rotate("5a", "t2", "t3").await, Rotation::Over);
    store.close_session("5b".into()).await.unwrap();
    assert_eq!(rotate("5b", "t1", "t2").await, Rotation::Over);
    store.close_session("5b".into()).await.unwrap();
}

async fn expired_sessions_are_forgotten(place: Place) {
    let (store, _) = place.open().await;
    store.create_account(account("alice")).await.unwrap();
    let open = async |id: &str, expired_before: &str| {
        let opened = store.open_session(id.into(), session("alice", "t"), expired_before.into());
        opened.await.unwrap();
    };
    open("1a", "0").await;
    open("3a", "0").await;
    open("5a", "2").await;
    for (id, lasts) in [("1a", false), ("3a", true), ("5a", true)] {
        let account = store.account_of_session(id).await.unwrap();
        assert_eq!(account.is_some(), lasts, "{id}");
    }
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
    let first = submission(1, 1, None).transaction_id;
    let known = store.by_transaction(&first).await.unwrap();
    assert_eq!(known.unwrap().sequence, 0);
}
