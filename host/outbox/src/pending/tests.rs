//! What is due, what is waited for, and what others carry.

use super::*;

const NOW: Patience = Patience {
    accepted: Duration::ZERO,
    unaccepted: Duration::ZERO,
};

fn id(n: u8) -> Hash {
    Hash([n; 32])
}

fn durable(sequence: u64, n: u8, voter: u8) -> Durable {
    Durable {
        sequence,
        transaction_id: id(n),
        expiry_height: 100,
        election_id: 1,
        voter: VoterId([voter; 32]),
        submitted_at_ms: 7,
    }
}

#[test]
fn waiters_learn_the_end_once() {
    let pending = Pending::default();
    pending.insert(durable(7, 1, 1));
    let mut waiter = pending.wait(&id(1)).unwrap();
    let rejected = Settled::Rejected {
        code: "expired".into(),
        reason: "late".into(),
    };
    pending.settle(7, &rejected);
    assert_eq!(waiter.try_recv().unwrap(), rejected);
    assert!(pending.wait(&id(1)).is_none());
    assert!(pending.is_empty());
}

#[test]
fn due_goes_on_where_it_stopped() {
    let pending = Pending::default();
    for n in 0..5 {
        pending.insert(durable(u64::from(n), n, n));
    }
    let (first, next) = pending.due(0, NOW, 3, 100);
    assert_eq!(
        first.iter().map(|d| d.sequence).collect::<Vec<_>>(),
        [0, 1, 2]
    );
    let (second, end) = pending.due(next, NOW, 3, 100);
    assert_eq!(
        second.iter().map(|d| d.sequence).collect::<Vec<_>>(),
        [3, 4]
    );
    assert_eq!(end, 0);
}

#[test]
fn a_voters_later_ballot_waits_for_the_earlier_one() {
    let pending = Pending::default();
    pending.insert(durable(1, 1, 9));
    pending.insert(durable(2, 2, 9));
    pending.insert(durable(3, 3, 8));
    let sequences = |due: (Vec<Due>, u64)| due.0.iter().map(|d| d.sequence).collect::<Vec<_>>();
    assert_eq!(sequences(pending.due(0, NOW, 9, 9)), [1, 3]);
    assert!(pending.wait_turn(&id(1)).is_none());
    let mut turn = pending.wait_turn(&id(2)).unwrap();
    let rejected = Settled::Rejected {
        code: "expired".into(),
        reason: "late".into(),
    };
    pending.settle(1, &rejected);
    assert!(turn.try_recv().is_ok());
    assert_eq!(sequences(pending.due(0, NOW, 9, 9)), [2, 3]);
}

#[test]
fn what_another_backend_carries_is_waited_for_and_left_alone() {
    let pending = Pending::default();
    pending.watch(durable(1, 1, 9));
    pending.insert(durable(2, 2, 9));
    let sequences = |due: (Vec<Due>, u64)| due.0.iter().map(|d| d.sequence).collect::<Vec<_>>();
    // Neither it, nor what must not overtake it.
    assert!(sequences(pending.due(0, NOW, 9, 9)).is_empty());
    assert!(pending.is_elsewhere(&id(1)) && !pending.is_elsewhere(&id(2)));
    assert_eq!(
        (pending.counts().recorded, pending.oldest()),
        (1, Some((2, 7)))
    );
    assert_eq!(pending.elsewhere(0, Duration::ZERO, 9), (vec![1], 0));
    // Taken over.
    pending.insert(durable(1, 1, 9));
    assert_eq!(sequences(pending.due(0, NOW, 9, 9)), [1]);
    assert_eq!(pending.elsewhere(0, Duration::ZERO, 9), (vec![], 0));
}

#[test]
fn what_another_backend_carries_is_forgotten_once_nobody_waits() {
    let pending = Pending::default();
    for n in 1..=3 {
        pending.watch(durable(u64::from(n), n, n));
    }
    let waiter = pending.wait(&id(2)).unwrap();
    assert_eq!(
        pending.elsewhere(0, Duration::from_secs(60), 2),
        (vec![1, 2], 3)
    );
    assert_eq!(pending.elsewhere(0, Duration::ZERO, 2), (vec![2], 0));
    assert_eq!(pending.len(), 1);
    drop(waiter);
    assert_eq!(pending.elsewhere(0, Duration::ZERO, 2), (vec![], 0));
    assert!(pending.is_empty());
    assert!(pending.landed(&[id(2)]).is_empty());
}

#[test]
fn a_replaced_transaction_is_found_under_its_new_id_only() {
    let pending = Pending::default();
    pending.insert(durable(1, 1, 1));
    pending.replace(1, id(2), 20);
    assert_eq!(pending.standing(&id(1)), None);
    assert_eq!(pending.standing(&id(2)), Some(Standing::Recorded));
    assert_eq!(pending.landed(&[id(1), id(2)]).len(), 1);
}

#[test]
fn a_known_submission_is_followed_under_the_transaction_that_the_database_holds() {
    let pending = Pending::default();
    pending.watch(durable(1, 1, 1));
    let again = Durable {
        expiry_height: 500,
        ..durable(1, 2, 1)
    };
    pending.insert(again);
    assert_eq!(pending.standing(&id(1)), None);
    assert_eq!(pending.standing(&id(2)), Some(Standing::Recorded));
    let (due, _) = pending.due(0, NOW, 1, 1);
    assert_eq!((due[0].transaction_id, due[0].expiry_height), (id(2), 500));
    assert_eq!(pending.len(), 1);
}

#[test]
fn what_was_taken_long_ago_is_overdue_while_the_chain_goes_on_without_it() {
    let pending = Pending::default();
    pending.insert(durable(1, 1, 1));
    let taken = || pending.due(0, NOW, 1, 1).0[0].taken;
    let accepted = |by: &str, height| {
        let by = ValidatorEndpoint {
            node_id: by.into(),
            rpc_url: "http://127.0.0.1:1".into(),
            p2p_url: "http://127.0.0.1:2".into(),
        };
        pending.accepted(&id(1), Arc::new(by), height);
    };
    assert_eq!(taken(), None);
    accepted("validator-1", 7);
    let first = taken().unwrap();
    assert!(!first.is_overdue(7, Duration::ZERO), "the chain stands");
    assert!(first.is_overdue(8, Duration::ZERO));
    assert!(!first.is_overdue(8, Duration::from_secs(60)));
    // Lost and taken again, it waits for as long as before.
    pending.lost(&id(1));
    accepted("validator-2", 9);
    assert_eq!(taken(), Some(first));
    pending.offered(&id(1), 9);
    assert!(!taken().unwrap().is_overdue(9, Duration::ZERO));
    // Signed again, it is another one.
    pending.replace(1, id(2), 200);
    assert_eq!(taken(), None);
}

#[test]
fn what_a_validator_holds_longest_is_known_without_a_search() {
    let pending = Pending::default();
    let is_held = || pending.is_held_longer_than(Duration::ZERO);
    let by = Arc::new(ValidatorEndpoint {
        node_id: "validator-1".into(),
        rpc_url: "http://127.0.0.1:1".into(),
        p2p_url: "http://127.0.0.1:2".into(),
    });
    for n in 1..=3 {
        pending.insert(durable(u64::from(n), n, n));
        assert!(!is_held());
    }
    for n in 1..=3 {
        pending.accepted(&id(n), by.clone(), 7);
    }
    assert!(is_held() && !pending.is_held_longer_than(Duration::from_secs(60)));
    pending.lost(&id(1));
    pending.offered(&id(2), 8);
    pending.replace(2, id(9), 200);
    assert!(is_held());
    let rejected = Settled::Rejected {
        code: "expired".into(),
        reason: "late".into(),
    };
    pending.settle(3, &rejected);
    assert!(!is_held());
    pending.accepted(&id(1), by, 9);
    assert!(is_held(), "taken again, after it was lost");
}
