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
