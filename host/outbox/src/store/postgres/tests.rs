//! Backends over one database: what each may do beside the others.

use std::{str::FromStr, time::Duration};

use sqlx::{ConnectOptions, Row};
use tabella_protocol::{PublicKey, Revote};
use tabella_test_postgres::Postgres;
use tempfile::TempDir;

use super::{
    super::{
        Admission, Confirmed, ConfirmedSubmission, Mark, NewSubmission, OpenError, Recorded,
        Rotation, Session, State, Store, StoreError,
        tests::{confirmed, identity, submission},
    },
    *,
};
use crate::pending::Settled;

/// One backend's store.
struct One {
    store: Store,
    pending: Arc<Pending>,
    data: TempDir,
}

impl One {
    async fn open(postgres: &Postgres) -> Self {
        Self::over(postgres, tempfile::tempdir().unwrap()).await
    }

    async fn over(postgres: &Postgres, data: TempDir) -> Self {
        let pending = Arc::new(Pending::default());
        let store = Store::connect(
            &postgres.url(),
            data.path(),
            &identity(),
            &pending,
            |_, _| (),
        )
        .await;
        Self {
            store: store.unwrap(),
            pending,
            data,
        }
    }

    fn shared(&self) -> &Shared {
        self.store.shared().unwrap()
    }

    /// Stops, and gives its directory to the next.
    async fn close(self) -> TempDir {
        self.store.close().await;
        self.data
    }
}

async fn execute(postgres: &Postgres, statement: &'static str) {
    let options = PgConnectOptions::from_str(&postgres.url()).unwrap();
    let mut connection = options.connect().await.unwrap();
    let done = sqlx::raw_sql(statement).execute(&mut connection).await;
    done.unwrap();
}

fn revote(n: u8, voter: u8) -> NewSubmission {
    let mut new = submission(n, voter, None);
    new.admission = Admission::Fresh(Revote::Last);
    new
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_at_two_backends_at_once_is_one_submission() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let (a, b) = (One::open(&postgres).await, One::open(&postgres).await);
    for n in 0..30u8 {
        let new = submission(n, n, Some("x"));
        let new = NewSubmission {
            client_id: Some(format!("id-{n}")),
            ..new
        };
        let other = NewSubmission {
            transaction_id: Hash([n.wrapping_add(128); 32]),
            ..new.clone()
        };
        // The registrar signs each time another transaction; what it says is the same.
        let (one, two) = tokio::join!(a.store.record(new.clone()), b.store.record(other));
        let mut answers = [one.unwrap(), two.unwrap()];
        answers.sort_by_key(|answer| *answer != Recorded::New);
        let [Recorded::New, Recorded::Same(same)] = answers else {
            panic!("{answers:?}");
        };
        // Who carries it and who is to wait for it both know it.
        for backend in [&a, &b] {
            assert!(backend.pending.wait(&same.transaction_id).is_some());
        }
        let elsewhere = [&a, &b].map(|one| one.pending.is_elsewhere(&same.transaction_id));
        assert_ne!(elsewhere[0], elsewhere[1]);
    }
    let last = a.store.by_sequence(29).await.unwrap();
    assert!(last.is_some(), "sequences have no gaps");
    assert_eq!(a.store.by_sequence(30).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_voter_at_two_backends_at_once_casts_one_ballot_or_two_in_order() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let (a, b) = (One::open(&postgres).await, One::open(&postgres).await);
    for n in 0..15u8 {
        let (one, two) = tokio::join!(
            a.store.record(submission(n, n, None)),
            b.store.record(submission(n + 100, n, None))
        );
        let mut answers = [one.unwrap(), two.unwrap()];
        answers.sort_by_key(|answer| *answer != Recorded::New);
        assert!(
            matches!(answers, [Recorded::New, Recorded::AlreadyVoted(_)]),
            "{answers:?}"
        );
    }
    for n in 200..215u8 {
        let (first, second) = (revote(n, n), revote(n - 100, n));
        let (one, two) = tokio::join!(
            a.store.record(first.clone()),
            b.store.record(second.clone())
        );
        assert_eq!((one.unwrap(), two.unwrap()), (Recorded::New, Recorded::New));
        let turns = [
            a.pending.wait_turn(&first.transaction_id),
            b.pending.wait_turn(&second.transaction_id),
        ];
        // Whichever came later waits for the earlier one, which another backend carries.
        let waiting = turns.iter().filter(|turn| turn.is_some()).count();
        assert_eq!(waiting, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_ballot_goes_out_once_the_earlier_one_at_another_backend_is_settled() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let (a, b) = (One::open(&postgres).await, One::open(&postgres).await);
    let (first, second) = (revote(1, 1), revote(2, 1));
    a.store.record(first.clone()).await.unwrap();
    b.store.record(second.clone()).await.unwrap();
    let mut turn = b.pending.wait_turn(&second.transaction_id).unwrap();
    let now = crate::pending::Patience {
        accepted: Duration::ZERO,
        unaccepted: Duration::ZERO,
    };
    assert!(b.pending.due(0, now, 9, 9).0.is_empty());
    // It is signed again and then refused at the other one; this one follows by looking.
    let again = submission(3, 1, None);
    a.store
        .sign_again(0, again.transaction_id, again.transaction.clone(), 500)
        .await
        .unwrap();
    let (sequences, next) = b.pending.elsewhere(0, Duration::ZERO, 10);
    assert_eq!(
        (sequences, next),
        (vec![0], 0),
        "what a later one waits for is kept"
    );
    let looked = b.shared().look(&[0]).await.unwrap();
    let (kept, is_own) = &looked[0];
    assert_eq!(kept.durable().transaction_id, again.transaction_id);
    assert!(!is_own);
    a.store.reject(0, "c".into(), "r".into(), 5).await.unwrap();
    let looked = b.shared().look(&[0]).await.unwrap();
    assert!(matches!(
        looked[0].0.submission.state,
        State::Rejected { .. }
    ));
    let rejected = Settled::Rejected {
        code: "c".into(),
        reason: "r".into(),
    };
    b.pending.settle(0, &rejected);
    assert!(turn.try_recv().is_ok());
    assert_eq!(b.pending.due(0, now, 9, 9).0[0].sequence, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_ballot_waits_for_the_earlier_one_whoever_carries_it_by_now() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let (a, b) = (One::open(&postgres).await, One::open(&postgres).await);
    let (first, second) = (revote(1, 1), revote(2, 1));
    a.store.record(first.clone()).await.unwrap();
    b.store.record(second.clone()).await.unwrap();
    let waits = |one: &One| one.pending.wait_turn(&second.transaction_id).is_some();
    // Started again, it knows of what the other one has.
    let data = b.close().await;
    let b = One::over(&postgres, data).await;
    assert!(waits(&b) && b.pending.is_elsewhere(&first.transaction_id));
    // So does one that takes over.
    let c = One::open(&postgres).await;
    b.close().await;
    c.pending.carry(c.shared().take_over(9).await.unwrap());
    assert!(waits(&c) && c.pending.is_elsewhere(&first.transaction_id));
    // And one that a voter asks a second time.
    let d = One::open(&postgres).await;
    let again = d.store.record(second.clone()).await.unwrap();
    assert!(matches!(again, Recorded::Same(_)));
    assert!(waits(&d));
    // Once the earlier one is settled, nothing is in the way.
    a.store.reject(0, "c".into(), "r".into(), 5).await.unwrap();
    let again = One::open(&postgres).await;
    c.close().await;
    again
        .pending
        .carry(again.shared().take_over(9).await.unwrap());
    assert!(!waits(&again));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_backend_left_is_taken_over_and_no_longer_its_own() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let (a, b) = (One::open(&postgres).await, One::open(&postgres).await);
    for n in 0..10 {
        a.store.record(submission(n, n, None)).await.unwrap();
    }
    let life = b.shared().sign_of_life(Reach::Validators).await.unwrap();
    assert!(!life.others_left && !life.is_established);
    assert!(b.shared().take_over(100).await.unwrap().own.is_empty());
    // It was not seen for longer than a lease, though it runs.
    let stopped = "UPDATE backends SET seen = seen - interval '6 seconds' \
         WHERE id = (SELECT carrier FROM submissions WHERE sequence = 0)";
    execute(&postgres, stopped).await;
    assert!(
        b.shared()
            .sign_of_life(Reach::Validators)
            .await
            .unwrap()
            .others_left
    );
    let taken = b.shared().take_over(4).await.unwrap().own;
    assert_eq!(taken.len(), 4);
    let sequences: Vec<u64> = taken.iter().map(|d| d.sequence).collect();
    assert!(sequences.iter().all(|s| *s < 4), "{sequences:?}");

    // Neither gives up nor signs again what it has lost; what is left is still its own.
    let again = submission(50, 1, None);
    let sign = async |one: &One, sequence| {
        let transaction = again.transaction.clone();
        let signing = one
            .store
            .sign_again(sequence, again.transaction_id, transaction, 500);
        signing.await
    };
    assert!(matches!(sign(&a, 1).await, Err(StoreError::Elsewhere)));
    let given_up = a.store.reject(2, "c".into(), "r".into(), 1).await;
    assert!(matches!(given_up, Err(StoreError::Elsewhere)));
    let first = submission(1, 1, None).transaction_id;
    assert!(a.pending.is_elsewhere(&first));
    sign(&b, 1).await.unwrap();
    let known = b.store.by_sequence(1).await.unwrap().unwrap();
    assert_eq!(known.transaction_id, again.transaction_id);
    // Seen again, it keeps the rest, and learns that it was away.
    let own = a.shared().own().await.unwrap().own;
    assert_eq!(own.len(), 6);
    a.store.reject(9, "c".into(), "r".into(), 1).await.unwrap();
    assert!(b.shared().take_over(100).await.unwrap().own.is_empty());
}

/// The database names this backend, which does not hear so: it looks again.
#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_whose_answer_is_lost_is_found_out() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let (a, b) = (One::open(&postgres).await, One::open(&postgres).await);
    a.store.record(submission(1, 1, None)).await.unwrap();
    a.close().await;
    // A commit is done, and answered once a standby has it, which never comes.
    execute(
        &postgres,
        "ALTER SYSTEM SET synchronous_standby_names = 'nobody'",
    )
    .await;
    execute(&postgres, "SELECT pg_reload_conf()").await;
    let cutting = async {
        let options = PgConnectOptions::from_str(&postgres.url()).unwrap();
        let mut connection = options.connect().await.unwrap();
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE wait_event = 'SyncRep'";
        loop {
            let rows = sqlx::query(cut).fetch_all(&mut connection).await.unwrap();
            if !rows.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (taken, ()) = tokio::join!(b.shared().take_over(9), cutting);
    assert!(taken.is_err(), "its answer is lost");
    assert!(b.shared().is_in_doubt());
    let own = b.shared().own().await.unwrap().own;
    assert_eq!(own.len(), 1, "the database names this backend");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_backend_that_reaches_no_validator_holds_is_taken_over() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let (a, b) = (One::open(&postgres).await, One::open(&postgres).await);
    let left = async |one: &One, reach| {
        let life = one.shared().sign_of_life(reach).await.unwrap();
        life.others_left
    };
    let taken = async || b.shared().take_over(9).await.unwrap().own.len();
    a.store.record(submission(1, 1, None)).await.unwrap();
    assert!(!left(&a, Reach::Nobody).await && !left(&b, Reach::Validators).await);
    // It has reached none for longer than a lease, though it lives.
    let cut_off = "UPDATE backends SET connected = connected - interval '6 seconds' \
         WHERE id = (SELECT carrier FROM submissions WHERE sequence = 0)";
    execute(&postgres, cut_off).await;
    assert!(!left(&a, Reach::Nobody).await, "its own is not left");
    assert!(left(&b, Reach::Validators).await);
    assert_eq!(taken().await, 1);
    assert!(!left(&b, Reach::Validators).await);
    // So it goes on, until that one reaches a validator.
    a.store.record(submission(2, 2, None)).await.unwrap();
    assert!(left(&b, Reach::Validators).await);
    left(&a, Reach::Validators).await;
    assert!(!left(&b, Reach::Validators).await);
    assert_eq!(taken().await, 0);
    assert_eq!(a.shared().own().await.unwrap().own.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_was_away_for_a_while_notices() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let a = One::open(&postgres).await;
    let before = a.shared().sign_of_life(Reach::Validators).await.unwrap();
    assert_eq!(
        a.shared().sign_of_life(Reach::Validators).await.unwrap(),
        before
    );
    execute(
        &postgres,
        "UPDATE backends SET seen = seen - interval '6 seconds'",
    )
    .await;
    // Whichever of its own statements is the first after the gap.
    a.store.record(submission(1, 1, None)).await.unwrap();
    let after = a.shared().sign_of_life(Reach::Validators).await.unwrap();
    assert_ne!(after.since_us, before.since_us);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_started_again_or_one_that_remains_carries_what_was_left() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let (a, b) = (One::open(&postgres).await, One::open(&postgres).await);
    a.store.record(submission(1, 1, None)).await.unwrap();
    // Two over one data directory would share a local ledger.
    let pending = Arc::default();
    let twice = Store::connect(
        &postgres.url(),
        a.data.path(),
        &identity(),
        &pending,
        |_, _| (),
    )
    .await;
    assert!(matches!(twice.err(), Some(OpenError::Directory { .. })));
    let data = a.close().await;
    let a = One::over(&postgres, data).await;
    assert_eq!(a.pending.len(), 1);
    assert!(b.shared().take_over(9).await.unwrap().own.is_empty());
    // One that stops in order leaves at once.
    a.close().await;
    assert_eq!(b.shared().take_over(9).await.unwrap().own.len(), 1);
}

fn block(height: u64, ids: &[Hash]) -> Confirmed {
    let block_hash = Hash([height as u8; 32]);
    Confirmed {
        mark: Some(Mark {
            height,
            hash: block_hash,
        }),
        height,
        block_hash,
        confirmed_at_ms: 1,
        signatures: 3,
        submissions: Vec::<ConfirmedSubmission>::new(),
        transaction_ids: ids.to_vec(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_a_block_first_records_it_for_all_and_no_block_is_left_out() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let (a, b) = (One::open(&postgres).await, One::open(&postgres).await);
    let ids: Vec<Hash> = (0..4)
        .map(|n| submission(n, n, None).transaction_id)
        .collect();
    for n in 0..4 {
        let one = if n % 2 == 0 { &a } else { &b };
        one.store.record(submission(n, n, None)).await.unwrap();
    }
    let height = async || a.store.mark().await.unwrap().map(|mark| mark.height);
    a.store.confirm(block(7, &[])).await.unwrap();
    assert_eq!(height().await, Some(7));
    // This one began later: it records what it reads, and does not vouch for block 8.
    b.store.confirm(block(9, &ids[..2])).await.unwrap();
    assert_eq!(height().await, Some(7));
    a.store.confirm(block(8, &ids[2..3])).await.unwrap();
    a.store.confirm(block(9, &ids[..2])).await.unwrap();
    assert_eq!(height().await, Some(9));
    b.store.confirm(block(8, &[])).await.unwrap();
    assert_eq!(height().await, Some(9));
    for (n, expected) in [(0, Some(9)), (1, Some(9)), (2, Some(8)), (3, None)] {
        let known = b.store.by_sequence(n).await.unwrap().unwrap();
        let found = match known.state {
            State::Confirmed { height, .. } => Some(height),
            _ => None,
        };
        assert_eq!(found, expected, "submission {n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_good_once_at_all_backends_together() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let (a, b) = (One::open(&postgres).await, One::open(&postgres).await);
    let rotate = |one: &One, id: &str, to: String| {
        let (store, id) = (one.store.clone(), id.to_owned());
        async move { store.rotate_session(id, "t".into(), to).await.unwrap() }
    };
    for n in 0..10 {
        let id = format!("5{n}");
        let session = Session {
            account: "alice".into(),
            refresh: "t".into(),
        };
        let opened = a.store.open_session(id.clone(), session, "0".into());
        opened.await.unwrap();
        let both = tokio::join!(
            rotate(&a, &id, format!("a{n}")),
            rotate(&b, &id, format!("b{n}"))
        );
        let once = [
            (Rotation::Rotated, Rotation::Reused),
            (Rotation::Reused, Rotation::Rotated),
        ];
        assert!(once.contains(&both), "{both:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn backends_with_other_secrets_are_refused() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let _a = One::open(&postgres).await;
    let check = async |identity: Identity, expected: &str| {
        let data = tempfile::tempdir().unwrap();
        let pending = Arc::default();
        let refused =
            Store::connect(&postgres.url(), data.path(), &identity, &pending, |_, _| ()).await;
        let said = refused.err().expect("a refusal").to_string();
        assert!(said.contains(expected), "{said}");
    };
    let mut other = identity();
    other.genesis_hash = Hash([9; 32]);
    check(other, "another network").await;
    let mut other = identity();
    other.registrar = PublicKey([9; 32]);
    check(other, "`registrar_key`").await;
    let mut other = identity();
    other.secret_fingerprint = Hash([9; 32]);
    check(other, "`master_secret_file`").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_database_is_refused_without_telling_the_password() {
    let data = tempfile::tempdir().unwrap();
    for url in [
        "mysql://u:sesame@h/d",
        "sesame",
        "postgres://u:sesame@h:port/d",
        "postgres://h/d?pasword=sesame",
    ] {
        let pending = Arc::default();
        let refused = Store::connect(url, data.path(), &identity(), &pending, |_, _| ()).await;
        let said = refused.err().expect("a refusal").to_string();
        assert!(!said.contains("sesame"), "{said}");
    }
    let away = "postgres://u:sesame@127.0.0.1:1/d";
    let pending = Arc::default();
    let refused = Store::connect(away, data.path(), &identity(), &pending, |_, _| ()).await;
    let error = refused.err().expect("nobody is there");
    assert!(matches!(error, OpenError::Away(_)), "{error:?}");
    assert!(!error.to_string().contains("sesame"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_wait_for_the_disk_whatever_the_server_says() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    execute(
        &postgres,
        "ALTER ROLE postgres SET synchronous_commit = off",
    )
    .await;
    let a = One::open(&postgres).await;
    let shown = async |connection: &mut PgConnection| {
        let row = sqlx::query("SELECT current_setting('synchronous_commit') AS it")
            .fetch_one(connection)
            .await
            .unwrap();
        row.try_get::<String, _>("it").unwrap()
    };
    let mut writer = a.shared().connect_writer().await.unwrap();
    assert_eq!(shown(&mut writer).await, "on");
    let mut reader = a.shared().pool.acquire().await.unwrap();
    assert_eq!(shown(&mut reader).await, "on");
    drop(reader);
    execute(
        &postgres,
        "ALTER ROLE postgres SET synchronous_commit = remote_write",
    )
    .await;
    let mut writer = a.shared().connect_writer().await.unwrap();
    assert_eq!(
        shown(&mut writer).await,
        "remote_write",
        "more is not taken back"
    );
    // A server that forgets is none.
    execute(&postgres, "ALTER SYSTEM SET fsync = off").await;
    execute(&postgres, "SELECT pg_reload_conf()").await;
    let deadline = Instant::now() + Duration::from_secs(20);
    let said = loop {
        let data = tempfile::tempdir().unwrap();
        let pending = Arc::default();
        match Store::connect(
            &postgres.url(),
            data.path(),
            &identity(),
            &pending,
            |_, _| (),
        )
        .await
        {
            Err(error) => break error.to_string(),
            Ok(store) => store.close().await,
        }
        assert!(Instant::now() < deadline, "it is still taken");
    };
    assert!(said.contains("fsync = off"), "{said}");
}

/// Records what may be refused for a while, or be there already.
async fn recorded_in_time(one: &One, new: NewSubmission) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match one.store.record(new.clone()).await {
            Ok(Recorded::New | Recorded::Same(_)) => return,
            Ok(other) => panic!("{other:?}"),
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_while_the_server_is_away_and_it_recovers_by_itself() {
    let Some(mut postgres) = Postgres::start() else {
        return;
    };
    let a = One::open(&postgres).await;
    let mut acknowledged = Vec::new();
    let mut n = 0;
    for round in 0..3u8 {
        // Stopped in the middle of writes.
        let writes = (0..20u8).map(|i| {
            let n = round * 80 + i;
            let store = a.store.clone();
            async move { (n, store.record(submission(n, n, None)).await) }
        });
        let writing = tokio::spawn(futures::future::join_all(writes.collect::<Vec<_>>()));
        n += 20;
        tokio::task::block_in_place(|| postgres.stop());
        let refused = a
            .store
            .record(submission(240 + round, 240 + round, None))
            .await;
        assert!(matches!(refused, Err(StoreError::Failed(_))), "{refused:?}");
        assert!(!a.store.is_healthy());
        let read = a.store.by_transaction(&Hash([9; 32])).await;
        assert!(read.is_err(), "{read:?}");
        let written = writing.await.unwrap();
        acknowledged.extend(
            written
                .into_iter()
                .filter(|(_, r)| r.is_ok())
                .map(|(n, _)| n),
        );
        tokio::task::block_in_place(|| postgres.start_again());
        let again = submission(round * 80 + 50, round * 80 + 50, None);
        recorded_in_time(&a, again).await;
        acknowledged.push(round * 80 + 50);
        assert!(a.store.is_healthy());
    }
    assert!(n == 60 && acknowledged.len() >= 3);
    for n in &acknowledged {
        let id = submission(*n, *n, None).transaction_id;
        assert!(a.store.by_transaction(&id).await.unwrap().is_some(), "{n}");
        assert!(a.pending.standing(&id).is_some(), "{n} is not carried");
    }
    // What was not acknowledged and is there all the same is read again, and carried.
    a.pending.carry(a.shared().own().await.unwrap());
    let all = (0..3u8).flat_map(|round| (0..20).map(move |i| round * 80 + i));
    let repeats = all.map(|n| {
        let store = a.store.clone();
        async move { (n, store.record(submission(n, n, None)).await.unwrap()) }
    });
    for (n, again) in futures::future::join_all(repeats).await {
        let was_there = matches!(again, Recorded::Same(_));
        assert!(was_there || !acknowledged.contains(&n), "{n}: {again:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_given_up_and_what_it_did_is_found_out() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let a = One::open(&postgres).await;
    a.store.record(submission(1, 1, None)).await.unwrap();
    // Somebody holds what every group needs.
    let options = PgConnectOptions::from_str(&postgres.url()).unwrap();
    let mut connection = options.connect().await.unwrap();
    let mut holder = connection.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM network FOR UPDATE")
        .execute(&mut *holder)
        .await
        .unwrap();
    let started = Instant::now();
    let refused = a.store.record(submission(2, 2, None)).await;
    assert!(matches!(refused, Err(StoreError::Failed(_))), "{refused:?}");
    assert!(started.elapsed() < 2 * ANSWER_MAX);
    assert!(a.shared().is_in_doubt());
    holder.rollback().await.unwrap();
    recorded_in_time(&a, submission(2, 2, None)).await;
    let id = submission(2, 2, None).transaction_id;
    assert!(a.pending.standing(&id).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn unsettled_ballots_in_a_file_are_not_left_behind() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join(super::super::FILE);
    let file = Store::open(&path, &identity(), Arc::default(), |_, _| ()).unwrap();
    let new = submission(1, 1, None);
    file.record(new.clone()).await.unwrap();
    file.close().await;
    drop(file);
    let pending = Arc::default();
    let refused = Store::connect(
        &postgres.url(),
        data.path(),
        &identity(),
        &pending,
        |_, _| (),
    )
    .await;
    let said = refused.err().expect("a refusal").to_string();
    assert!(said.contains("1 acknowledged ballots"), "{said}");
    let file = Store::open(&path, &identity(), Arc::default(), |_, _| ()).unwrap();
    file.confirm(confirmed(0, new.transaction_id))
        .await
        .unwrap();
    file.close().await;
    drop(file);
    let store = Store::connect(
        &postgres.url(),
        data.path(),
        &identity(),
        &pending,
        |_, _| (),
    )
    .await;
    store.unwrap().close().await;
}
