use super::*;

const FRESH: Option<Duration> = Some(Duration::from_millis(900));
const OLD: Option<Duration> = Some(Duration::from_secs(60));

/// A network of three by majority of which nothing is missing.
const WHOLE: Seen = Seen {
    members: 3,
    threshold: 2,
    healthy: 3,
    able: 3,
    is_connected: true,
    block_age: FRESH,
    is_block_after_loss: false,
    is_waiting: false,
    has_database: true,
    has_local_ledger: true,
};

/// Every combination of observations on networks of one to four validators.
fn every_combination() -> Vec<Seen> {
    let booleans = || [false, true];
    let mut all = Vec::new();
    for (members, threshold) in [(1, 1), (3, 2), (4, 3)] {
        for able in 0..=members {
            for healthy in 0..=able {
                for block_age in [None, FRESH, OLD] {
                    for bits in 0..32_u8 {
                        let bit = |n: u8| booleans()[usize::from(bits >> n & 1)];
                        all.push(Seen {
                            members,
                            threshold,
                            healthy,
                            able,
                            is_connected: bit(0),
                            block_age,
                            is_block_after_loss: bit(1),
                            is_waiting: bit(2),
                            has_database: bit(3),
                            has_local_ledger: bit(4),
                        });
                    }
                }
            }
        }
    }
    all
}

#[test]
fn the_level_says_who_takes_a_ballot() {
    for seen in every_combination() {
        let Service { level, quorum } = seen.service();
        let taken_by_validators = seen.has_database && seen.is_connected;
        let expected = [
            (
                1,
                taken_by_validators && quorum.is_present() && seen.healthy == seen.members,
            ),
            (
                2,
                taken_by_validators && (!quorum.is_present() || seen.healthy < seen.members),
            ),
            (
                3,
                seen.has_database && !seen.is_connected && seen.has_local_ledger,
            ),
            (
                4,
                seen.has_database && !seen.is_connected && !seen.has_local_ledger,
            ),
            (0, !seen.has_database),
        ];
        let numbers: Vec<u8> = expected
            .iter()
            .filter(|(_, holds)| *holds)
            .map(|(n, _)| *n)
            .collect();
        assert_eq!(numbers, [level.number()], "{seen:?}");
    }
}

#[test]
fn a_quorum_is_there_as_far_as_validators_and_blocks_say() {
    for seen in every_combination() {
        let is_block_new = seen.block_age == FRESH;
        let expected = match (seen.is_connected, seen.able >= seen.threshold) {
            (false, _) => Quorum::Unreached,
            (true, true) if seen.is_waiting && !is_block_new => Quorum::Stalled,
            (true, true) => Quorum::Present,
            (true, false) if seen.is_block_after_loss && is_block_new => Quorum::Present,
            (true, false) => Quorum::Unreached,
        };
        assert_eq!(seen.service().quorum, expected, "{seen:?}");
    }
}

/// No words promise what does not hold.
#[test]
fn the_words_promise_confirmation_only_where_there_is_a_quorum() {
    for seen in every_combination() {
        for rule in [
            tabella_protocol::Quorum::Majority,
            tabella_protocol::Quorum::Bft,
        ] {
            let meaning = seen.meaning(rule);
            let promises = meaning.contains("goes on") || meaning.contains("ballots are confirmed");
            let service = seen.service();
            let is_served = service.quorum.is_present() && seen.has_database;
            assert_eq!(promises, is_served, "{seen:?}: {meaning}");
        }
    }
}

#[test]
fn the_words_change_with_what_is_missing() {
    let check = |seen: Seen, expected: &str| {
        let Service { level, quorum } = seen.service();
        let meaning = seen.meaning(tabella_protocol::Quorum::Majority);
        assert_eq!(
            format!("{} {quorum:?}: {meaning}", level.number()),
            expected
        );
    };
    check(
        WHOLE,
        "1 Present: goes on with 1 of 3 validators crashed; a lying validator is caught, not masked",
    );
    check(
        Seen {
            healthy: 2,
            able: 2,
            ..WHOLE
        },
        "2 Present: 2 of 3 validators are healthy and 2 are needed: ballots are confirmed, and one more crash stops that",
    );
    check(
        Seen {
            healthy: 1,
            able: 1,
            block_age: OLD,
            ..WHOLE
        },
        "2 Unreached: 1 of 3 validators can be reached and 2 are needed: ballots are accepted and wait, none is confirmed until 2 are there",
    );
    check(
        Seen {
            block_age: OLD,
            is_waiting: true,
            ..WHOLE
        },
        "2 Stalled: 3 of 3 validators answer and decide no block: ballots are accepted and wait, none is confirmed until blocks come again",
    );
    let alone = Seen {
        healthy: 0,
        able: 0,
        is_connected: false,
        ..WHOLE
    };
    check(
        alone,
        "3 Unreached: none of 3 validators can be reached: ballots are kept in this backend's signed ledger, and submitted as soon as one can be",
    );
    check(
        Seen {
            has_local_ledger: false,
            ..alone
        },
        "4 Unreached: none of 3 validators can be reached and the local ledger failed: ballots are kept in the database, and submitted as soon as a validator can be reached",
    );
    check(
        Seen {
            has_database: false,
            ..WHOLE
        },
        "0 Present: the database takes no writes: no ballot is accepted until it does",
    );
}
