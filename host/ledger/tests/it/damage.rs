//! One changed byte in each table of a copied database: found, named, and nothing answered from it.

use std::{
    fmt::Write,
    sync::atomic::{AtomicBool, Ordering},
};

use expect_test::expect;
use redb::{Database, Key, ReadableDatabase, ReadableTable, TableDefinition, Value};
use tabella_ledger::{
    ElectionTallyError, Ledger, LedgerError, Progress, Scrub, Signatures, Vetted,
};
use tabella_protocol::{
    Ack, Eligibility, NodeAddress, Payload, Revote, RollChanges, RollEntry, Transaction,
    TransactionBody, ValidatorChange, ValidatorInfo, rpc::ElectionStatus,
};
use tempfile::TempDir;

use crate::support::{
    Chain, LIMITS, authority, by_registrar, certify, election, genesis, key, registrar, voter,
};

/// More than a tile holds.
const VOTERS: u32 = 260;

/// What is found, without the hashes: they differ with the bytes of the rule, and with them the order of
/// what is found by hash.
fn without_hashes(found: &str) -> String {
    let by_hash = |line: &str| {
        ["heights at", "transactions at"]
            .iter()
            .any(|at| line.starts_with(at))
    };
    let lines = found.split_inclusive('\n').map(|line| {
        let words = line.split(' ').map(|word| {
            let bare = word.trim_end_matches([':', ',', '\n']);
            match bare {
                _ if bare.len() == 66 && bare.starts_with("0x") => word.replace(bare, "HASH"),
                _ if by_hash(line) && bare.parse::<u64>().is_ok() => word.replace(bare, "N"),
                _ => word.to_owned(),
            }
        });
        words.collect::<Vec<_>>().join(" ")
    });
    lines.collect()
}

/// A chain that has something in every table: election 1 with a roll and ballots that replace others, final;
/// election 2 open, with one ballot.
fn chain() -> Chain {
    let mut chain = Chain::new();
    let wasm = crate::support::plurality().to_vec();
    chain.accept(&authority(), Payload::PublishPlugin { wasm });
    let roll = Eligibility::RegistrarRoll {
        registrar: registrar().public(),
        roll: RollChanges::Grows,
    };
    for eligibility in [roll, by_registrar()] {
        let spec = election(Revote::Last, eligibility);
        chain.accept(&authority(), Payload::CreateElection(spec));
    }
    let entries = (0..VOTERS).map(|n| RollEntry {
        voter: voter(n),
        weight: 1 + n % 3,
    });
    let entries = entries.collect();
    chain.accept(
        &authority(),
        Payload::ExtendRoll {
            election_id: 1,
            entries,
        },
    );
    for election_id in [1, 2] {
        chain.accept(&authority(), Payload::OpenElection { election_id });
    }
    for from in [0, VOTERS / 2] {
        let cast = (from..from + VOTERS / 2).map(|n| {
            let body = TransactionBody {
                sequence: Some(1),
                ..TransactionBody::new(7, 50, chain.cast(voter(n), "a"))
            };
            Transaction::sign(body, &registrar()).to_bytes()
        });
        let vetted: Vec<Vetted> = cast.map(|bytes| chain.judge(&bytes).unwrap()).collect();
        assert!(chain.commit(&vetted).is_empty());
    }
    for n in [3, 200] {
        let body = TransactionBody {
            sequence: Some(2),
            ..TransactionBody::new(7, 50, chain.cast(voter(n), "b"))
        };
        let bytes = Transaction::sign(body, &registrar()).to_bytes();
        let vetted = chain.judge(&bytes).unwrap();
        chain.commit(&[vetted]);
    }
    let Payload::CastBallot { voter, ballots, .. } = chain.cast(voter(1), "a") else {
        unreachable!("a cast is one");
    };
    let other = Payload::CastBallot {
        election_id: 2,
        voter,
        ballots,
    };
    chain.accept(&registrar(), other);
    acknowledge(&chain);
    let added = ValidatorChange::Add {
        validator: ValidatorInfo {
            node_id: "validator-4".into(),
            public_key: key(4).public(),
        },
        address: NodeAddress {
            p2p_address: "127.0.0.1:4".into(),
            rpc_url: "http://127.0.0.1:4".into(),
        },
    };
    let changes = vec![added];
    chain.accept(&authority(), Payload::ChangeValidators { changes });
    chain.accept(&authority(), Payload::CloseElection { election_id: 1 });
    let election = chain.builder.election(1).unwrap();
    let tally = chain.builder.tally(&election).unwrap();
    chain.builder.store_tally(&tally).unwrap();
    for validator in [1, 2] {
        let attestation = tally.attestation.clone();
        chain.accept(&key(validator), Payload::AttestResult(attestation));
    }
    chain
}

fn acknowledge(chain: &Chain) {
    let (tip, genesis) = (chain.builder.tip(), genesis().hash());
    for validator in [1, 2, 3] {
        let (block, state) = (tip.block_hash, tip.state_root);
        let ack = Ack::sign(&genesis, tip.height, block, state, &key(validator));
        assert!(chain.builder.add_ack(ack).unwrap());
    }
}

/// Everything that a pass finds, a line each.
fn scrubbed(ledger: &Ledger) -> String {
    let mut scrub = Scrub::new(ledger, Signatures::OfValidators);
    while scrub.step(ledger).unwrap() == Progress::Going {}
    let mut text = String::new();
    for damage in scrub.damage() {
        writeln!(text, "{damage}").unwrap();
    }
    assert_eq!(ledger.is_sound(), scrub.damage().is_empty());
    text
}

/// Changes one value of a table, which `pick` chooses.
fn tamper<K: Key + 'static, V: Value + 'static>(
    database: &Database,
    table: TableDefinition<'_, K, V>,
    pick: impl Fn(K::SelfType<'_>) -> bool,
    change: impl FnOnce(&mut [u8]),
) {
    let transaction = database.begin_write().unwrap();
    {
        let mut open = transaction.open_table(table).unwrap();
        let mut chosen = None;
        for item in open.iter().unwrap() {
            let (key, value) = item.unwrap();
            if pick(key.value()) {
                let key = K::as_bytes(&key.value()).as_ref().to_vec();
                chosen = Some((key, V::as_bytes(&value.value()).as_ref().to_vec()));
                break;
            }
        }
        let (key, mut value) = chosen.expect("a value to change");
        change(&mut value);
        open.insert(K::from_bytes(&key), V::from_bytes(&value))
            .unwrap();
    }
    transaction.commit().unwrap();
}

const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");
const CERTIFICATES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("certificates");
const BOARD_HEADS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("board-heads");
const ACKS: TableDefinition<'_, (u64, [u8; 32]), &[u8]> = TableDefinition::new("acks");
const HEIGHTS: TableDefinition<'_, [u8; 32], u64> = TableDefinition::new("heights");
const TRANSACTIONS: TableDefinition<'_, [u8; 32], (u64, u32)> =
    TableDefinition::new("transactions");
const BOARD: TableDefinition<'_, (u64, u64), (u64, u32, u32)> = TableDefinition::new("board");
const VOTERS_TABLE: TableDefinition<'_, (u64, [u8; 32]), u64> = TableDefinition::new("voters");
const SEQUENCES: TableDefinition<'_, (u64, [u8; 32]), u64> = TableDefinition::new("sequences");
const ROLL: TableDefinition<'_, (u64, [u8; 32]), u32> = TableDefinition::new("roll");
const ELECTIONS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("elections");
const VALIDATOR_SETS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("validator-sets");
const PLUGINS: TableDefinition<'_, [u8; 32], &[u8]> = TableDefinition::new("plugins");
const OUTCOMES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("outcomes");
const TILES: TableDefinition<'_, (u64, u8, u64), &[u8]> = TableDefinition::new("tiles");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// A copy of the chain's database, changed.
fn copied(chain: &Chain, change: impl FnOnce(&Database)) -> TempDir {
    let copy = TempDir::new().unwrap();
    let path = copy.path().join("chain.redb");
    std::fs::copy(chain.directories[0].path().join("chain.redb"), &path).unwrap();
    let database = Database::open(&path).unwrap();
    change(&database);
    copy
}

fn open(directory: &TempDir) -> Ledger {
    Ledger::open(directory.path(), genesis()).unwrap()
}

/// What a count says of a changed copy, and what a pass finds in it.
fn report(chain: &Chain, case: &str, change: impl FnOnce(&Database)) -> String {
    let copy = copied(chain, change);
    let ledger = open(&copy);
    let election = ledger.election(1).unwrap();
    // The count first, so that it finds by itself what it must.
    let counted = match ledger.tally(&election) {
        Ok(tally) => {
            assert_eq!(election.result(), Some(&tally.attestation), "{case}");
            "counted as certified".to_owned()
        }
        Err(ElectionTallyError::Ledger(LedgerError::Damaged(damage))) => {
            assert!(!ledger.is_sound());
            format!("not counted: {damage}")
        }
        Err(error) => panic!("{case}: {error}"),
    };
    drop(ledger);
    let found = scrubbed(&open(&copy));
    assert!(!found.is_empty(), "{case}");
    format!("{case}: {counted}\n{found}")
}

fn last(value: &mut [u8]) {
    let last = value.last_mut().expect("a value of some bytes");
    *last ^= 1;
}

/// The height of the first block of ballots.
const BALLOTS: u64 = 7;
/// What a header takes of a block's bytes, at most.
const HEADER_BYTES: usize = 300;

#[test]
fn a_sound_chain_has_no_damage() {
    let chain = chain();
    assert_eq!(scrubbed(&chain.builder), "");
    assert_eq!(
        chain.builder.election(1).unwrap().status(),
        ElectionStatus::Final
    );
    let verified = chain.builder.verify().unwrap();
    assert_eq!(verified.problems, Vec::<String>::new());
    assert_eq!(verified.ballots, u64::from(VOTERS) + 3);
    // Not every table has a value by itself: this chain is the test's, and it is to have one.
    let copy = copied(&chain, |_| {});
    let database = Database::open(copy.path().join("chain.redb")).unwrap();
    let reads = database.begin_read().unwrap();
    assert!(reads.open_table(ACKS).unwrap().last().unwrap().is_some());
    assert!(
        reads
            .open_table(TILES)
            .unwrap()
            .get((1, 1, 0))
            .unwrap()
            .is_some()
    );
    let voters = reads.open_table(SEQUENCES).unwrap();
    assert!(voters.first().unwrap().is_some());
}

/// A pass that blocks overtake, and passes while another thread commits.
#[test]
fn a_chain_that_grows_meanwhile_has_no_damage() {
    let chain = chain();
    let (overtaken, raced) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (overtaken, raced) = (open(&overtaken), open(&raced));
    let mut slow = Scrub::new(&overtaken, Signatures::All);
    let is_over = AtomicBool::new(false);
    let passes = std::thread::scope(|scope| {
        let scrubbing = scope.spawn(|| {
            let mut passes = 0;
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(scrubbed(&raced), "");
                passes += 1;
            }
            passes
        });
        for height in 1..=chain.builder.tip().height {
            let stored = chain.builder.block(height).unwrap().unwrap();
            for ledger in [&overtaken, &raced] {
                let block = ledger.check(&stored.bytes, |_| None).unwrap().unwrap();
                ledger.commit(block, &stored.certificate).unwrap();
            }
            if height % 2 == 0 {
                slow.step(&overtaken).unwrap();
            }
        }
        is_over.store(true, Ordering::Relaxed);
        scrubbing.join().unwrap()
    });
    assert!(passes > 0);
    while slow.step(&overtaken).unwrap() == Progress::Going {}
    assert_eq!((slow.damage(), slow.problems()), (&[][..], &[][..]));
    assert_eq!(slow.checked().blocks, chain.builder.tip().height);
    assert_eq!(slow.ballots_of(1), u64::from(VOTERS) + 2);
}

#[test]
fn a_byte_of_a_block_is_found_wherever_it_is() {
    let chain = chain();
    let copy = copied(&chain, |_| {});
    let ledger = open(&copy);
    let length = ledger.block(BALLOTS).unwrap().unwrap().bytes.len();
    drop(ledger);
    // A prime step, so that it meets headers, lengths, ballots, voters, signatures.
    for at in (0..length).step_by(1_009) {
        let copy = copied(&chain, |database| {
            tamper(
                database,
                BLOCKS,
                |height| height == BALLOTS,
                |value| value[at] ^= 1,
            );
        });
        let ledger = open(&copy);
        let tally = ledger.tally(&ledger.election(1).unwrap());
        match tally {
            // Nothing of a header is counted.
            Ok(tally) if at < HEADER_BYTES => assert_eq!(
                Some(&tally.attestation),
                ledger.election(1).unwrap().result()
            ),
            Ok(tally) => panic!("byte {at}: {tally:?}"),
            Err(_) => assert!(!ledger.is_sound(), "byte {at}"),
        }
        let whole = ledger.whole_block(BALLOTS);
        assert!(matches!(whole, Err(LedgerError::Damaged(_))), "byte {at}");
        drop(ledger);
        let found = scrubbed(&open(&copy));
        assert!(
            found.starts_with("blocks at height 7: "),
            "byte {at}: {found}"
        );
        assert_eq!(found.lines().count(), 1, "byte {at}: {found}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one line for each table")]
fn a_changed_value_of_each_table_is_found_and_named() {
    let chain = chain();
    let voter_of = |n: u32| move |(id, key): (u64, [u8; 32])| (id, key) == (1, voter(n).0);
    let (_, ids) = chain.builder.whole_block(BALLOTS).unwrap().unwrap();
    let ballots = |height| height == BALLOTS;
    let mut found = String::new();
    let mut check = |case: &str, change: &dyn Fn(&Database)| {
        found.push_str(&report(&chain, case, change));
    };
    check("certificate's signature", &|d| {
        tamper(d, CERTIFICATES, ballots, last)
    });
    check("certificate's hash", &|d| {
        tamper(d, CERTIFICATES, ballots, |v| v[20] ^= 1)
    });
    check("board heads", &|d| tamper(d, BOARD_HEADS, ballots, last));
    check("ack", &|d| tamper(d, ACKS, |_| true, last));
    check("height", &|d| tamper(d, HEIGHTS, |_| true, |v| v[0] ^= 1));
    check("place", &|d| {
        tamper(d, TRANSACTIONS, |id| id == ids[0].0, |v| v[8] ^= 1)
    });
    check("ballot's place", &|d| {
        tamper(d, BOARD, |key| key == (1, 5), |v| v[8] ^= 1)
    });
    check("ballot's weight", &|d| {
        tamper(d, BOARD, |key| key == (1, 5), |v| v[12] ^= 1)
    });
    // Voters whose ballot was replaced by another, and those of one ballot.
    for (n, to) in [(200, 200), (200, 7), (9, 10), (9, 9_000)] {
        check(&format!("voter {n} to {to}"), &|d| {
            tamper(d, VOTERS_TABLE, voter_of(n), |v| {
                v.copy_from_slice(&u64::to_le_bytes(to));
            });
        });
    }
    check("sequence", &|d| {
        tamper(d, SEQUENCES, voter_of(3), |v| v[0] ^= 1)
    });
    check("weight on the roll", &|d| {
        tamper(d, ROLL, voter_of(3), |v| v[0] ^= 1)
    });
    check("validator set", &|d| {
        tamper(d, VALIDATOR_SETS, |_| true, last)
    });
    check("attested root", &|d| {
        tamper(d, OUTCOMES, |_| true, |v| v[12] ^= 1)
    });
    check("outcome", &|d| tamper(d, OUTCOMES, |_| true, last));
    for key in [(1, 0, 0), (1, 0, 1), (1, 1, 0)] {
        check(&format!("tile {key:?}"), &|d| {
            tamper(d, TILES, |k| k == key, |v| v[3] ^= 1);
        });
    }
    expect![[r#"
        certificate's signature: counted as certified
        certificates at height 7: the signature of HASH does not verify
        certificate's hash: counted as certified
        certificates at height 7: it is of another block
        board heads: counted as certified
        board-heads at height 7: they are not those that the block commits to
        ack: counted as certified
        acks at height 11, validator 8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394: it is not this validator's ack of the block
        height: counted as certified
        heights at HASH: it does not name height N, where the block stands
        place: counted as certified
        transactions at HASH: it does not name place N of block N
        ballot's place: not counted: voters at election 1, voter HASH: it does not know this voter's ballot at position 5
        board at election 1, position 5: it does not name place 5 of block 7
        ballot's weight: not counted: board at election 1, position 5, block 7: the ballot is not the one that the board commits to
        board at election 1, position 5: it is not as block 7 commits to it
        voter 200 to 200: not counted: voters at election 1, voter HASH: it does not know this voter's ballot at position 261
        sequences at election 1, voter HASH: it is not the sequence of this voter's counting ballot
        voters at election 1, voter HASH: it does not know this voter's ballot at position 261
        voter 200 to 7: not counted: voters at election 1, voter HASH: it does not know this voter's ballot at position 200
        voters at election 1, voter HASH: it does not know this voter's ballot at position 200
        voters at election 1, voter HASH: it does not know this voter's ballot at position 261
        voters at election 1: they count 259 ballots, and the chain 260 voters
        voter 9 to 10: not counted: voters at election 1: they count 259 ballots, and the chain 260 voters
        voters at election 1: they count 259 ballots, and the chain 260 voters
        voter 9 to 9000: not counted: voters at election 1: they count 259 ballots, and the chain 260 voters
        voters at election 1, voter HASH: it does not know this voter's ballot at position 9
        voters at election 1: they count 259 ballots, and the chain 260 voters
        sequence: counted as certified
        sequences at election 1, voter HASH: it is not the sequence of this voter's counting ballot
        weight on the roll: counted as certified
        roll at election 1, voter HASH: it is not the weight that block 4 gives
        validator set: counted as certified
        validator-sets at all: the header at height 12 commits to another validator set
        attested root: counted as certified
        outcomes at election 1: the stored outcomes are not those that were attested of this board
        outcome: counted as certified
        outcomes at election 1: the stored outcomes are not those that were attested of this board
        tile (1, 0, 0): counted as certified
        tiles at election 1, position 0: it is not as block 7 commits to it
        tiles at election 1, tile 1/0: it is not the root of the tile below it
        tile (1, 0, 1): counted as certified
        tiles at election 1, position 256: it is not as block 8 commits to it
        tile (1, 1, 0): counted as certified
        tiles at election 1, tile 1/0: it is not the root of the tile below it
    "#]].assert_eq(&without_hashes(&found));
}

#[test]
fn a_changed_state_election_or_rule_refuses_the_start() {
    let chain = chain();
    let refused = |change: &dyn Fn(&Database)| {
        let copy = copied(&chain, change);
        let opened = Ledger::open(copy.path(), genesis());
        opened.err().expect("a refusal").to_string()
    };
    // Each part of the tip, and what the state's root commits to.
    for at in [3, 20, 50, 75, 100] {
        let refusal = refused(&|d| tamper(d, META, |key| key == "state", |v| v[at] ^= 1));
        assert!(refusal.starts_with("ledger is corrupt"), "{refusal}");
    }
    let refusal = refused(&|d| tamper(d, ELECTIONS, |id| id == 1, last));
    expect!["ledger is corrupt: the stored state does not have the root that the tip commits to; restore the data directory from another validator"].assert_eq(&refusal);
    // In the last section, whose content no compiler looks at.
    let refusal = refused(&|d| tamper(d, PLUGINS, |_| true, last));
    expect!["ledger is corrupt: the stored bytes of plugin HASH are not those of this hash; restore the data directory from another validator"].assert_eq(&without_hashes(&refusal));
}

/// A start that needs the newest block's bytes would end a validator that can go on.
#[test]
fn a_chain_whose_newest_block_is_damaged_starts_and_goes_on() {
    let chain = chain();
    let newest = chain.builder.tip().height;
    let changes: [&dyn Fn(&Database); 3] = [
        &|d| tamper(d, BLOCKS, |height| height == newest, last),
        &|d| tamper(d, BLOCKS, |height| height == newest, |v| v[40] ^= 1),
        &|d| tamper(d, CERTIFICATES, |height| height == newest, |v| v[20] ^= 1),
    ];
    for change in changes {
        let copy = copied(&chain, change);
        let ledger = open(&copy);
        let block = ledger.build(key(1).public(), 0, [], LIMITS).unwrap().block;
        let certificate = certify(newest + 1, block.hash());
        assert_eq!(
            ledger.commit(block, &certificate).unwrap().height,
            newest + 1
        );
        let found = scrubbed(&ledger);
        assert!(found.contains(&format!("height {newest}")), "{found}");
        assert_eq!(found.lines().count(), 1, "{found}");
    }
}

#[test]
fn nothing_is_answered_from_what_is_damaged() {
    let chain = chain();
    let damaged = |answer: Result<bool, LedgerError>| match answer {
        Err(LedgerError::Damaged(damage)) => damage.table,
        answer => panic!("answered from damage: {answer:?}"),
    };
    let block = chain.builder.whole_block(BALLOTS).unwrap().unwrap();
    let (hash, ids) = (block.0.hash, block.1);

    let copy = copied(&chain, |d| {
        tamper(d, HEIGHTS, |key| key == hash.0, |v| v[0] ^= 1)
    });
    let ledger = open(&copy);
    assert_eq!(
        damaged(ledger.block_of(&hash).map(|b| b.is_some())),
        "heights"
    );
    assert_eq!(ledger.block(BALLOTS).unwrap().unwrap().hash, hash);

    let place = |id: [u8; 32]| id == ids[4].0;
    let copy = copied(&chain, |d| tamper(d, TRANSACTIONS, place, |v| v[8] ^= 1));
    let ledger = open(&copy);
    let found = ledger.receipt(&ids[4]).map(|r| r.is_some());
    assert_eq!(damaged(found), "transactions");
    assert!(ledger.receipt(&ids[3]).unwrap().is_some());

    let copy = copied(&chain, |d| {
        tamper(d, TILES, |key| key == (1, 0, 0), |v| v[3] ^= 1)
    });
    let ledger = open(&copy);
    assert_eq!(
        damaged(ledger.receipt(&ids[4]).map(|r| r.is_some())),
        "tiles"
    );
    assert_eq!(damaged(ledger.board(1, 0, 4).map(|b| b.is_some())), "board");

    let copy = copied(&chain, |d| tamper(d, BOARD_HEADS, |h| h == BALLOTS, last));
    let ledger = open(&copy);
    assert_eq!(
        damaged(ledger.receipt(&ids[4]).map(|r| r.is_some())),
        "board-heads"
    );

    let copy = copied(&chain, |d| tamper(d, OUTCOMES, |_| true, last));
    let ledger = open(&copy);
    assert_eq!(
        damaged(ledger.stored_tally(1).map(|t| t.is_some())),
        "outcomes"
    );

    // The weight of the ballots stands before what checks it. Without both it is of an earlier version, and the
    // board is counted again.
    let copy = copied(&chain, |d| {
        tamper(d, OUTCOMES, |_| true, |v| v[v.len() - 40] ^= 1);
    });
    let found = open(&copy).stored_tally(1).map(|t| t.is_some());
    assert_eq!(damaged(found), "outcomes");
    let copy = copied(&chain, |d| {
        let transaction = d.begin_write().unwrap();
        {
            let mut table = transaction.open_table(OUTCOMES).unwrap();
            let mut record = table.get(1).unwrap().unwrap().value().to_vec();
            record.truncate(record.len() - 40);
            table.insert(1, record.as_slice()).unwrap();
        }
        transaction.commit().unwrap();
    });
    let ledger = open(&copy);
    assert!(ledger.stored_tally(1).unwrap().is_none());
    let tally = ledger.tally(&ledger.election(1).unwrap()).unwrap();
    ledger.store_tally(&tally).unwrap();
    assert_eq!(ledger.stored_tally(1).unwrap(), Some(tally));

    // A certificate whose signature changed is found by the scrub, and then not handed on.
    let copy = copied(&chain, |d| tamper(d, CERTIFICATES, |h| h == BALLOTS, last));
    let ledger = open(&copy);
    let certified = ledger.certified_block(BALLOTS).map(|b| b.is_some());
    assert_eq!(damaged(certified), "certificates");
    assert_eq!(
        damaged(ledger.block(BALLOTS).map(|b| b.is_some())),
        "certificates"
    );
    assert!(ledger.block(BALLOTS + 1).unwrap().is_some());
    assert_eq!(ledger.damage().len(), 1);
}
