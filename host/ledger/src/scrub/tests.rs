//! Bytes that change while the chain is open. The tests from outside change them before.

use redb::{ReadableTable, TableDefinition};
use tabella_protocol::{
    CommitCertificate, ContestSpec, Disclosure, ElectionSpec, Eligibility, Genesis, Hash, OpenTo,
    OptionSpec, Payload, PluginLimits, Quorum, Revote, SigningKey, Transaction, TransactionBody,
    ValidatorInfo,
};
use tempfile::TempDir;

use super::*;
use crate::{
    BuildLimits,
    store::{ELECTIONS, META, PLUGINS},
};

fn key() -> SigningKey {
    SigningKey::from_seed([1; 32])
}

fn accept(ledger: &Ledger, payload: Payload) {
    let bytes = Transaction::sign(TransactionBody::new(7, 50, payload), &key()).to_bytes();
    let vetted = ledger.vet(&bytes).unwrap();
    let limits = BuildLimits {
        bytes_max: 1 << 20,
        transactions_max: 10,
    };
    let built = ledger.build(key().public(), 0, [&vetted], limits).unwrap();
    let certificate = CommitCertificate {
        height: built.block.header().height,
        round: 0,
        block_hash: built.block.hash(),
        signatures: Vec::new(),
    };
    ledger.commit(built.block, &certificate).unwrap();
}

/// A chain with a rule and an election. Nobody signed its certificates.
fn chain(directory: &TempDir) -> Ledger {
    let genesis = Genesis {
        version: Genesis::VERSION,
        chain_id: 7,
        network: "test".into(),
        timestamp_ms: 1,
        quorum: Quorum::Majority,
        validators: vec![ValidatorInfo {
            node_id: "v".into(),
            public_key: key().public(),
        }],
        authorities: vec![key().public()],
        plugin_limits: PluginLimits::default(),
        block_bytes_max: 4 << 20,
        expiry_heights_max: 100,
    };
    let ledger = Ledger::open(directory.path(), genesis).unwrap();
    let wasm = tabella_plugins::get("plurality").unwrap().wasm;
    let option = |id: &str| OptionSpec {
        id: id.into(),
        title: id.into(),
    };
    let spec = ElectionSpec {
        title: "Test".into(),
        contests: vec![ContestSpec {
            id: "main".into(),
            title: "Who?".into(),
            plugin: Hash::of(wasm),
            options: ["a", "b"].map(option).to_vec(),
            params: "{}".into(),
        }],
        eligibility: Eligibility::Registrar {
            registrar: key().public(),
            open_to: OpenTo::Named,
        },
        revote: Revote::Refuse,
        disclosure: Disclosure::AtClose,
    };
    let wasm = wasm.to_vec();
    accept(&ledger, Payload::PublishPlugin { wasm });
    accept(&ledger, Payload::CreateElection(spec));
    ledger
}

/// Changes the last byte of the first value of a table.
fn tamper<K: redb::Key + 'static>(ledger: &Ledger, table: TableDefinition<'_, K, &[u8]>) {
    let transaction = ledger.database.begin_write().unwrap();
    {
        let mut open = transaction.open_table(table).unwrap();
        let (key, mut value) = {
            let (key, value) = open.first().unwrap().unwrap();
            let key = K::as_bytes(&key.value()).as_ref().to_vec();
            (key, value.value().to_vec())
        };
        *value.last_mut().unwrap() ^= 1;
        open.insert(K::from_bytes(&key), value.as_slice()).unwrap();
    }
    transaction.commit().unwrap();
}

/// Everything found but the certificates.
fn found(ledger: &Ledger) -> Vec<String> {
    let mut scrub = Scrub::new(ledger, Signatures::OfValidators);
    while scrub.step(ledger).unwrap() == Progress::Going {}
    let damage = scrub.damage().iter();
    damage
        .filter(|damage| damage.table != "certificates")
        .map(ToString::to_string)
        .collect()
}

#[test]
fn what_is_in_memory_is_compared_with_what_is_stored() {
    let directory = TempDir::new().unwrap();
    let ledger = chain(&directory);
    assert_eq!(found(&ledger), Vec::<String>::new());
    tamper(&ledger, META);
    let what = "it is not what the newest block commits to";
    let meta = format!("meta at genesis: {what}");
    assert_eq!(found(&ledger), std::slice::from_ref(&meta));
    tamper(&ledger, ELECTIONS);
    let election = format!("elections at election 1: {what}");
    assert_eq!(found(&ledger), [meta, election]);
    tamper(&ledger, PLUGINS);
    let hash = ledger.plugins()[0].0;
    let rule = format!("plugins at {hash}: its bytes are not those of this hash");
    assert_eq!(found(&ledger)[0], rule);
    assert!(matches!(ledger.plugin(&hash), Err(LedgerError::Damaged(_))));
    // The state in memory is what blocks are executed on: it goes on.
    accept(&ledger, Payload::OpenElection { election_id: 1 });
    assert_eq!(ledger.tip().height, 3);
}

/// The damage that a ledger knows, without that of certificates, which nobody signed here.
fn known(ledger: &Ledger) -> Vec<String> {
    let damage = ledger.damage().into_iter();
    let others = damage.filter(|damage| damage.table != "certificates");
    others.map(|damage| damage.to_string()).collect()
}

#[test]
fn a_pass_goes_on_after_a_restart_where_it_was_and_what_it_found_stays_found() {
    let directory = TempDir::new().unwrap();
    let ledger = chain(&directory);
    let genesis = ledger.genesis().clone();
    let whole = {
        let mut scrub = Scrub::new(&ledger, Signatures::OfValidators);
        while scrub.step(&ledger).unwrap() == Progress::Going {}
        scrub.checked()
    };
    let mut scrub = Scrub::new(&ledger, Signatures::OfValidators);
    scrub.step(&ledger).unwrap();
    scrub.found(&ledger, Damage::of_block("blocks", 1, "it changed"));
    let place = scrub.keep(&ledger, Progress::Going);
    drop(ledger);

    let ledger = Ledger::open(directory.path(), genesis.clone()).unwrap();
    assert!(ledger.is_sound());
    let mut scrub = Scrub::resume(&ledger, &place).expect("its place");
    assert_eq!(scrub.checked().blocks, 1);
    let found = ["blocks at height 1: it changed"];
    assert_eq!(known(&ledger), found);
    assert!(ledger.block(1).is_err(), "it is not handed out");
    while scrub.step(&ledger).unwrap() == Progress::Going {}
    assert_eq!(scrub.checked(), whole);
    // The pass that found it is over; the next one may find it sound.
    let place = scrub.keep(&ledger, Progress::Done);
    drop(ledger);

    let ledger = Ledger::open(directory.path(), genesis.clone()).unwrap();
    let mut scrub = Scrub::resume(&ledger, &place).expect("its place");
    assert_eq!(scrub.checked(), Checked::default());
    assert_eq!(known(&ledger), found);
    while scrub.step(&ledger).unwrap() == Progress::Going {}
    // Meanwhile a reader met something that this pass had passed.
    ledger.note(&Damage::new("plugins", "one", "it changed"));
    let place = scrub.keep(&ledger, Progress::Done);
    drop(ledger);
    let ledger = Ledger::open(directory.path(), genesis).unwrap();
    Scrub::resume(&ledger, &place).expect("its place");
    assert_eq!(known(&ledger), ["plugins at one: it changed"]);
}

/// The damage was known when the pass began: only finding it again keeps it.
#[test]
fn what_a_pass_found_again_before_a_restart_is_known_when_it_ends() {
    let directory = TempDir::new().unwrap();
    let mut ledger = chain(&directory);
    let genesis = ledger.genesis().clone();
    let damage = || Damage::of_block("blocks", 1, "it changed");
    let mut first = Scrub::new(&ledger, Signatures::OfValidators);
    first.found(&ledger, damage());
    let place = first.keep(&ledger, Progress::Done);
    let mut second = Scrub::resume(&ledger, &place).expect("its place");
    second.step(&ledger).unwrap();
    second.found(&ledger, damage());
    let mut place = second.keep(&ledger, Progress::Going);
    for progress in [Progress::Done, Progress::Going] {
        drop(ledger);
        ledger = Ledger::open(directory.path(), genesis.clone()).unwrap();
        let mut scrub = Scrub::resume(&ledger, &place).expect("its place");
        assert_eq!(known(&ledger), ["blocks at height 1: it changed"]);
        while progress == Progress::Done && scrub.step(&ledger).unwrap() == Progress::Going {}
        place = scrub.keep(&ledger, progress);
    }
}

#[test]
fn a_place_that_is_damaged_or_of_another_chain_is_not_believed() {
    let directory = TempDir::new().unwrap();
    let ledger = chain(&directory);
    let mut scrub = Scrub::new(&ledger, Signatures::OfValidators);
    scrub.step(&ledger).unwrap();
    let place = scrub.keep(&ledger, Progress::Going);
    for at in 0..place.len() {
        let mut changed = place.clone();
        changed[at] ^= 1;
        assert!(Scrub::resume(&ledger, &changed).is_none(), "byte {at}");
    }
    for length in 0..place.len() {
        assert!(Scrub::resume(&ledger, &place[..length]).is_none());
    }
    assert!(Scrub::resume(&ledger, &place).is_some());
    let elsewhere = TempDir::new().unwrap();
    let mut genesis = ledger.genesis().clone();
    // Not that far, and not that chain.
    let shorter = Ledger::open(elsewhere.path(), genesis.clone()).unwrap();
    assert!(Scrub::resume(&shorter, &place).is_none());
    drop(shorter);
    genesis.chain_id += 1;
    let elsewhere = TempDir::new().unwrap();
    let other = Ledger::open(elsewhere.path(), genesis).unwrap();
    assert!(Scrub::resume(&other, &place).is_none());
}
