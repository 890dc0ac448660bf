//! A chain of three validators with one election, made without a network: fixed keys, one rule, a block for each
//! transaction.

use tabella_ledger::{BuildLimits, Ledger};
use tabella_protocol::{
    CommitCertificate, ContestSpec, Disclosure, ElectionSpec, Eligibility, Genesis, Hash, HexBytes,
    OpenTo, OptionSpec, Payload, PluginLimits, Quorum, Revote, SigningKey, Transaction,
    TransactionBody, ValidatorInfo, rpc::BlockView,
};

/// The number of the authority's key, which is the registrar's too.
pub const AUTHORITY: u8 = 100;
/// The id of the first election.
pub const ELECTION: u64 = 1;

/// How many validators there are.
pub const VALIDATORS: u8 = 3;
const CHAIN_ID: u64 = 7;
const BYTES_MAX: u32 = 1 << 20;
/// The time of every block.
const TIMESTAMP_MS: u64 = 5;

/// The key of this number: those of the validators are 1, 2 and 3.
pub fn key(n: u8) -> SigningKey {
    SigningKey::from_seed([n; 32])
}

/// The network.
pub fn genesis() -> Genesis {
    let validator = |n| ValidatorInfo {
        node_id: format!("validator-{n}"),
        public_key: key(n).public(),
    };
    Genesis {
        version: Genesis::VERSION,
        chain_id: CHAIN_ID,
        network: "test".into(),
        timestamp_ms: 1,
        quorum: Quorum::Majority,
        validators: (1..=VALIDATORS).map(validator).collect(),
        authorities: vec![key(AUTHORITY).public()],
        plugin_limits: PluginLimits::default(),
        block_bytes_max: BYTES_MAX,
        expiry_heights_max: 100_000,
    }
}

/// A transaction that the holder of key `signer` signed.
pub fn sign(signer: u8, nonce: u64, payload: Payload) -> Transaction {
    let mut body = TransactionBody::new(CHAIN_ID, 1_000, payload);
    body.nonce = nonce;
    Transaction::sign(body, &key(signer))
}

/// The rule of the election.
pub fn rule() -> Vec<u8> {
    let plurality = tabella_plugins::get("plurality").expect("a built-in rule");
    plurality.wasm.to_vec()
}

/// An election between `a` and `b`.
pub fn election() -> ElectionSpec {
    let option = |id: &str| OptionSpec {
        id: id.into(),
        title: id.into(),
    };
    ElectionSpec {
        title: "Mayor".into(),
        contests: vec![ContestSpec {
            id: "mayor".into(),
            title: "Mayor".into(),
            plugin: Hash::of(&rule()),
            options: ["a", "b"].map(option).into(),
            params: "{}".into(),
        }],
        eligibility: Eligibility::Registrar {
            registrar: key(AUTHORITY).public(),
            open_to: OpenTo::Named,
        },
        revote: Revote::Refuse,
        disclosure: Disclosure::AtClose,
    }
}

/// Publishes the rule, and creates and opens the election: the first three blocks, certified by these keys.
pub fn open_election(ledger: &Ledger, keys: &[SigningKey]) -> Vec<BlockView> {
    let steps = [
        Payload::PublishPlugin { wasm: rule() },
        Payload::CreateElection(election()),
        Payload::OpenElection {
            election_id: ELECTION,
        },
    ];
    let steps = (1..).zip(steps);
    steps
        .map(|(nonce, step)| commit(ledger, &sign(AUTHORITY, nonce, step), keys))
        .collect()
}

/// Commits a block of one transaction that these keys certify; the block as a validator sends it.
pub fn commit(ledger: &Ledger, transaction: &Transaction, keys: &[SigningKey]) -> BlockView {
    let vetted = ledger.vet(&transaction.to_bytes());
    let vetted = [vetted.expect("the ledger takes it")];
    let limits = BuildLimits {
        bytes_max: BYTES_MAX as usize,
        transactions_max: 100,
    };
    let built = ledger.build(keys[0].public(), TIMESTAMP_MS, &vetted, limits);
    let block = built.expect("a block").block;
    let header = block.header().clone();
    assert_eq!(header.transaction_count, 1, "it was refused");
    let genesis = ledger.genesis_hash();
    let certificate = CommitCertificate::sign(&genesis, keys, header.height, block.hash());
    let view = BlockView {
        hash: block.hash(),
        header,
        block: HexBytes(block.bytes().to_vec()),
        certificate: certificate.clone(),
        acks: Vec::new(),
    };
    ledger
        .commit(block, &certificate)
        .expect("it is the next one");
    view
}
