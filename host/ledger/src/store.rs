//! The database of one chain, and the state in memory above it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use redb::{
    Builder, Database, ReadTransaction, ReadableTable, StorageBackend, TableDefinition,
    WriteTransaction,
};
use tabella_protocol::{
    Ack, Genesis, Hash, PublicKey, ValidatorHistory, ValidatorSet, VerifiedBatches, codec,
    merkle::Frontier,
};
use tabella_runtime::{Compiler, LoadError, Runtime, RuntimeConfig};

use crate::{
    LedgerError,
    board_log::TILES,
    configure::configure,
    damage::Damages,
    read::read_block,
    state::{Election, ElectionRecord, State, StateRecord, Tip},
    turns,
};

/// `"genesis" -> genesis hash`, `"state" -> StateRecord`.
pub(crate) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// `height -> canonical block bytes`.
pub(crate) const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");
/// `height -> canonical certificate bytes`.
pub(crate) const CERTIFICATES: TableDefinition<'_, u64, &[u8]> =
    TableDefinition::new("certificates");
/// `height -> heads of the boards that the block appended to`; absent where there are none.
pub(crate) const BOARD_HEADS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("board-heads");
/// `(height, validator key) -> canonical ack bytes`.
pub(crate) const ACKS: TableDefinition<'_, (u64, [u8; 32]), &[u8]> = TableDefinition::new("acks");
/// `block hash -> height`.
pub(crate) const HEIGHTS: TableDefinition<'_, [u8; 32], u64> = TableDefinition::new("heights");
/// `transaction id -> (height, index in the block)`.
pub(crate) const TRANSACTIONS: TableDefinition<'_, [u8; 32], (u64, u32)> =
    TableDefinition::new("transactions");
/// `(election, position) -> (height, index in the block, weight)`.
pub(crate) const BOARD: TableDefinition<'_, (u64, u64), (u64, u32, u32)> =
    TableDefinition::new("board");
/// `(election, voter) -> position of the counting ballot`.
pub(crate) const VOTERS: TableDefinition<'_, (u64, [u8; 32]), u64> = TableDefinition::new("voters");
/// `(election, voter) -> sequence of the counting ballot`, where the voter orders its ballots.
pub(crate) const SEQUENCES: TableDefinition<'_, (u64, [u8; 32]), u64> =
    TableDefinition::new("sequences");
/// `(election, voter) -> weight`.
pub(crate) const ROLL: TableDefinition<'_, (u64, [u8; 32]), u32> = TableDefinition::new("roll");
/// `election -> canonical record`.
pub(crate) const ELECTIONS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("elections");
/// `height -> canonical proof of the validator set that its block decided`.
pub(crate) const VALIDATOR_SETS: TableDefinition<'_, u64, &[u8]> =
    TableDefinition::new("validator-sets");
/// `plugin hash -> Wasm bytes`.
pub(crate) const PLUGINS: TableDefinition<'_, [u8; 32], &[u8]> = TableDefinition::new("plugins");
/// `election -> canonical outcomes`, this node's own tally; not part of the state.
pub(crate) const OUTCOMES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("outcomes");

/// Largest stored record of this ledger's own, when it is read back.
pub(crate) const RECORD_BYTES_MAX: usize = 1 << 30;
/// Memory that redb may use to cache pages of one chain.
const CACHE_BYTES: usize = 32 << 20;

/// The chain of one network on this machine.
///
/// Reads see the newest committed state and never wait for a commit; there is one writer.
pub struct Ledger {
    pub(crate) genesis: Genesis,
    pub(crate) genesis_hash: Hash,
    pub(crate) database: Database,
    pub(crate) runtime: Runtime,
    pub(crate) state: RwLock<Arc<State>>,
    /// Acks that came since the last commit; the next one stores them.
    pub(crate) acks: Mutex<BTreeMap<u64, Vec<Ack>>>,
    pub(crate) damages: Damages,
    /// Which signatures of batches were found good.
    pub(crate) batches: VerifiedBatches,
}

impl Ledger {
    /// Opens the chain in `directory`, or starts it at `genesis`.
    ///
    /// Compiled plugins are cached in `directory`, which only this node may write to.
    pub fn open(directory: &Path, genesis: Genesis) -> Result<Self, LedgerError> {
        Self::open_with(directory, genesis, Compiler::of_this_process())
    }

    /// As [`Ledger::open`], with another compiler for plugins than this process's.
    pub fn open_with(
        directory: &Path,
        genesis: Genesis,
        compiler: Compiler,
    ) -> Result<Self, LedgerError> {
        std::fs::create_dir_all(directory).map_err(|error| {
            LedgerError::Storage(format!("cannot create {}: {error}", directory.display()))
        })?;
        let runtime = runtime_with(&genesis, &directory.join("plugin-cache"), compiler)?;
        let path = directory.join("chain.redb");
        let database = builder().create(&path)?;
        Self::with_database(database, &path.display().to_string(), runtime, genesis)
    }

    /// Opens the chain in a storage of the caller's, with a runtime that
    /// [`runtime_for`](Self::runtime_for) set up and that several ledgers may share.
    pub fn open_on(
        storage: impl StorageBackend,
        runtime: Runtime,
        genesis: Genesis,
    ) -> Result<Self, LedgerError> {
        let database = builder().create_with_backend(storage)?;
        Self::with_database(database, "the given storage", runtime, genesis)
    }

    /// A runtime with the limits of a network; compiled plugins are cached in `cache`.
    pub fn runtime_for(genesis: &Genesis, cache: &Path) -> Result<Runtime, LedgerError> {
        runtime_with(genesis, cache, Compiler::of_this_process())
    }

    fn with_database(
        database: Database,
        place: &str,
        runtime: Runtime,
        genesis: Genesis,
    ) -> Result<Self, LedgerError> {
        let genesis_hash = genesis.hash();
        create_tables(&database, place, &genesis)?;
        let state = load_state(&database, &runtime, &genesis)?;
        Ok(Self {
            genesis,
            genesis_hash,
            database,
            runtime,
            state: RwLock::new(Arc::new(state)),
            acks: Mutex::default(),
            damages: Damages::default(),
            batches: VerifiedBatches::default(),
        })
    }

    /// The document that pins this network.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Its hash.
    pub fn genesis_hash(&self) -> Hash {
        self.genesis_hash
    }

    /// The newest committed block.
    pub fn tip(&self) -> Tip {
        self.state().tip
    }

    /// The runtime that this ledger's plugins run in.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Who may propose the next block: its round `r` is the turn of `proposers[r % n]`.
    pub fn proposers(&self) -> Vec<PublicKey> {
        let state = self.state();
        let height = state.tip.height + 1;
        turns::order(
            height,
            &state.validators.at(height).validators,
            &state.absent,
        )
    }

    /// Every validator set decided so far.
    pub fn validators(&self) -> ValidatorHistory {
        self.state().validators.clone()
    }

    /// The validator set that decides the next block.
    pub fn next_validators(&self) -> ValidatorSet {
        let state = self.state();
        state.validators.at(state.tip.height + 1).clone()
    }

    /// Whether evidence of this fault is on the chain.
    pub fn has_evidence(&self, subject: &Hash) -> bool {
        self.state().evidence.contains(subject)
    }

    pub(crate) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn runtime_with(
    genesis: &Genesis,
    cache: &Path,
    compiler: Compiler,
) -> Result<Runtime, LedgerError> {
    Ok(Runtime::new(RuntimeConfig {
        cache_dir: Some(cache.to_owned()),
        compiler,
        limits: genesis.plugin_limits.clone(),
        ..RuntimeConfig::default()
    })?)
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Begins a write after whose commit a crash costs no walk through the whole database at the next
/// start, however long the chain is.
pub(crate) fn begin_write(database: &Database) -> Result<WriteTransaction, LedgerError> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    Ok(transaction)
}

fn create_tables(database: &Database, place: &str, document: &Genesis) -> Result<(), LedgerError> {
    let genesis = document.hash();
    let transaction = begin_write(database)?;
    {
        let mut meta = transaction.open_table(META)?;
        let stored = meta.get("genesis")?.map(|value| value.value().to_vec());
        match stored {
            Some(bytes) if bytes == genesis.0 => {}
            Some(bytes) => {
                let found = <[u8; 32]>::try_from(bytes.as_slice())
                    .map(Hash)
                    .unwrap_or(Hash::ZERO);
                let path = place.to_owned();
                return Err(LedgerError::OtherGenesis {
                    path,
                    found,
                    expected: genesis,
                });
            }
            None => {
                let mut empty = State {
                    tip: Tip {
                        height: 0,
                        block_hash: genesis,
                        state_root: Hash::ZERO,
                        timestamp_ms: document.timestamp_ms,
                    },
                    elections: BTreeMap::new(),
                    plugins: BTreeMap::new(),
                    plugin_log: Frontier::default(),
                    transaction_log: Frontier::default(),
                    absent: BTreeMap::new(),
                    validators: ValidatorHistory::new(document),
                    evidence: BTreeSet::new(),
                };
                empty.tip.state_root = empty.root();
                meta.insert("genesis", genesis.0.as_slice())?;
                meta.insert("state", codec::encode(&empty.record()).as_slice())?;
            }
        }
        transaction.open_table(BLOCKS)?;
        transaction.open_table(CERTIFICATES)?;
        transaction.open_table(BOARD_HEADS)?;
        transaction.open_table(ACKS)?;
        transaction.open_table(HEIGHTS)?;
        transaction.open_table(TRANSACTIONS)?;
        transaction.open_table(BOARD)?;
        transaction.open_table(VOTERS)?;
        transaction.open_table(SEQUENCES)?;
        transaction.open_table(ROLL)?;
        transaction.open_table(ELECTIONS)?;
        transaction.open_table(PLUGINS)?;
        transaction.open_table(VALIDATOR_SETS)?;
        transaction.open_table(OUTCOMES)?;
        transaction.open_table(TILES)?;
    }
    transaction.commit()?;
    Ok(())
}

fn load_state(
    database: &Database,
    runtime: &Runtime,
    genesis: &Genesis,
) -> Result<State, LedgerError> {
    let corrupt = |what: String| LedgerError::Corrupt(what);
    let transaction = redb::ReadableDatabase::begin_read(database)?;
    let meta = transaction.open_table(META)?;
    let record = meta
        .get("state")?
        .ok_or_else(|| corrupt("no state record".into()))?;
    let record: StateRecord = codec::decode(record.value(), RECORD_BYTES_MAX)
        .map_err(|error| corrupt(format!("state record: {error}")))?;
    let mut state = State {
        tip: record.tip,
        elections: BTreeMap::new(),
        plugins: BTreeMap::new(),
        plugin_log: record.plugin_log,
        transaction_log: record.transaction_log,
        absent: record.absent,
        validators: ValidatorHistory::from_sets(genesis, record.validator_sets)
            .ok_or_else(|| corrupt("the stored validator sets are not this network's".into()))?,
        evidence: record.evidence,
    };
    for item in transaction.open_table(PLUGINS)?.iter()? {
        let (hash, wasm) = item?;
        let hash = Hash(hash.value());
        if Hash::of(wasm.value()) != hash {
            return Err(corrupt(format!(
                "the stored bytes of plugin {hash} are not those of this hash"
            )));
        }
        let plugin = runtime.load(wasm.value()).map_err(|error| match error {
            LoadError::Host(fault) => LedgerError::Host(fault),
            LoadError::NotCompiled(error) => LedgerError::NotCompiled(error),
            error => corrupt(format!("plugin {hash} no longer loads: {error}")),
        })?;
        state.plugins.insert(hash, plugin);
    }
    for item in transaction.open_table(ELECTIONS)?.iter()? {
        let (id, bytes) = item?;
        let record: ElectionRecord = codec::decode(bytes.value(), RECORD_BYTES_MAX)
            .map_err(|error| corrupt(format!("election {}: {error}", id.value())))?;
        let contests =
            configure(&state.plugins, &record.spec.contests).map_err(|(place, error)| {
                corrupt(format!("election {} contest {place}: {error}", id.value()))
            })?;
        state
            .elections
            .insert(id.value(), Arc::new(Election::new(record, contests)));
    }
    if state.root() != state.tip.state_root {
        return Err(corrupt(
            "the stored state does not have the root that the tip commits to".into(),
        ));
    }
    check_tip(&transaction, &state.tip, genesis)?;
    Ok(state)
}

/// Requires the stored tip to be the newest block, which the state's root does not say. Where that block
/// is damaged, and the tip not, the chain goes on.
fn check_tip(reads: &ReadTransaction, tip: &Tip, genesis: &Genesis) -> Result<(), LedgerError> {
    let (blocks, heights) = (reads.open_table(BLOCKS)?, reads.open_table(HEIGHTS)?);
    let newest = blocks.last()?.map_or(0, |(height, _)| height.value());
    let by_hash = heights.get(tip.block_hash.0)?.map(|height| height.value());
    let header = match read_block(reads, tip.height) {
        Ok(stored) => stored.map(|stored| stored.block.header),
        Err(LedgerError::Damaged(_)) => None,
        Err(error) => return Err(error),
    };
    let is_newest = match &header {
        Some(header) => {
            (header.hash(), header.state_root, header.timestamp_ms)
                == (tip.block_hash, tip.state_root, tip.timestamp_ms)
        }
        None if tip.height == 0 => {
            (tip.block_hash, tip.timestamp_ms) == (genesis.hash(), genesis.timestamp_ms)
        }
        None => by_hash == Some(tip.height),
    };
    if newest != tip.height || !is_newest {
        let height = tip.height;
        let what = format!("the stored tip at height {height} is not the newest block");
        return Err(LedgerError::Corrupt(what));
    }
    Ok(())
}
