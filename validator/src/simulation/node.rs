//! One simulated validator: the node's own replica, pool, journal and consensus over a simulated disk.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use bytes::Bytes;
use tabella_consensus::{
    Fatal, HeightStart, Timeouts, UndecidedBlock, WalPolicy,
    machine::{Act, Machine, MachineConfig, Outside, Stopped},
};
use tabella_ledger::{BuildLimits, Ledger, Refusal};
use tabella_protocol::{CommitCertificate, Genesis, Hash, SigningKey};
use tabella_runtime::Runtime;

use super::{
    disk::{Crash, Disk, SimFile},
    world::Time,
};
use crate::{
    evidence::EvidenceLog,
    journal::{Change, JournalStore},
    mempool::Bounds,
    peer_message::PeerMessage,
    pool::Pool,
    replica::Replica,
    stop::Stop,
    undecided::Undecided,
};

const BOUNDS: Bounds = Bounds {
    transactions_max: 1_000,
    bytes_max: 1 << 20,
};
/// Few, so that a run makes many blocks.
const TRANSACTIONS_PER_BLOCK: usize = 4;

/// What stays of a validator while its process comes and goes.
pub(super) struct Node {
    pub(super) key: SigningKey,
    pub(super) disk: Disk,
    /// How far its clock is off, in milliseconds.
    pub(super) clock_ahead_ms: u64,
    /// Where it keeps its evidence.
    pub(super) evidence_file: PathBuf,
    /// Counts its processes, so that what one left behind does not reach the next.
    pub(super) process: u32,
    /// Effects of consensus left before the process dies.
    pub(super) effects_left: Option<u32>,
    /// How the process ends that is to end next, or ended last.
    pub(super) crash: Crash,
    pub(super) live: Option<Live>,
    pub(super) ever_started: bool,
    /// Starts every process with an empty log.
    pub(super) forgets_log: bool,
}

/// A running process.
pub(super) struct Live {
    pub(super) ledger: Arc<Ledger>,
    pub(super) pool: Arc<Pool>,
    pub(super) journal: JournalStore,
    pub(super) replica: Replica,
    /// Gone where the node has left consensus because it must not sign any more.
    pub(super) machine: Option<Machine<SimFile>>,
    /// When it leaves, once it must not sign any more.
    pub(super) leaves_at: Option<Time>,
    /// The height that is over, once consensus says so.
    pub(super) finalized: u64,
    /// What its commit answered.
    pub(super) committed: Option<HeightStart>,
    /// When the next height starts at the latest.
    pub(super) idle_until: u64,
    /// The greatest height that a peer was seen to work on.
    pub(super) heard: u64,
    /// The last height whose block came from a peer that was ahead.
    pub(super) synced: u64,
    /// Blocks of later heights that a peer sent, with the peer.
    pub(super) ahead: BTreeMap<u64, (usize, CommitCertificate, Bytes)>,
}

/// Why a process came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// As planned.
    Died,
    /// By an error of its own.
    Failed(String),
}

impl From<Fatal> for End {
    fn from(fatal: Fatal) -> Self {
        Self::Failed(fatal.to_string())
    }
}

impl From<Stopped> for End {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Died => Self::Died,
            Stopped::Failed(reason) => Self::Failed(reason),
        }
    }
}

fn failed(error: impl std::fmt::Display) -> End {
    End::Failed(error.to_string())
}

impl Node {
    /// Opens everything that a node opens when it starts, in the same order.
    pub(super) fn open(
        &self,
        genesis: &Genesis,
        runtime: &Runtime,
        now_ms: u64,
    ) -> Result<Live, End> {
        let ledger = Ledger::open_on(
            self.disk.file("chain.redb"),
            runtime.clone(),
            genesis.clone(),
        );
        let ledger = Arc::new(ledger.map_err(failed)?);
        let undecided = Undecided::open_on(self.disk.file("undecided.redb")).map_err(failed)?;
        let (mut journal, held) =
            JournalStore::open_on(self.disk.file("mempool.redb")).map_err(failed)?;
        let pool = Arc::new(Pool::new(Arc::clone(&ledger), BOUNDS));
        let forget = pool.resume(held, now_ms).map_err(failed)?;
        journal.apply([Change::Remove(forget)]).map_err(failed)?;
        let evidence = EvidenceLog::open(
            &self.evidence_file,
            &ledger,
            Arc::default(),
            Stop::default(),
        );
        let replica = Replica::new(
            Arc::clone(&ledger),
            Arc::clone(&pool),
            undecided,
            Arc::new(evidence.map_err(failed)?),
            self.key.clone(),
            BuildLimits {
                bytes_max: 1 << 20,
                transactions_max: TRANSACTIONS_PER_BLOCK,
            },
        );
        let height = ledger.tip().height + 1;
        let policy = match self.ever_started && !self.forgets_log {
            true => WalPolicy::Require,
            false => WalPolicy::Create,
        };
        let config = MachineConfig {
            genesis_hash: genesis.hash(),
            signing_key: self.key.clone(),
            timeouts: Timeouts::default(),
            block_bytes_max: usize::try_from(genesis.block_bytes_max).expect("4 MiB"),
        };
        let machine = match replica.evidence.is_signing() {
            true => {
                if self.forgets_log {
                    self.disk.remove("consensus.wal");
                }
                let file = self.disk.file("consensus.wal");
                let machine = Machine::open(config, file, policy, height);
                Some(machine.map_err(failed)?)
            }
            false => None,
        };
        Ok(Live {
            ledger,
            pool,
            journal,
            replica,
            machine,
            leaves_at: None,
            finalized: 0,
            committed: None,
            idle_until: 0,
            heard: 0,
            synced: 0,
            ahead: BTreeMap::new(),
        })
    }
}

/// What consensus may touch while it works; its acts are done afterwards.
struct Hands<'a> {
    replica: &'a Replica,
    effects_left: &'a mut Option<u32>,
    disk: &'a Disk,
    acts: Vec<Act>,
}

impl Outside for Hands<'_> {
    fn is_alive(&mut self) -> bool {
        if let Some(left) = self.effects_left {
            *left = left.saturating_sub(1);
        }
        *self.effects_left != Some(0) && !self.disk.is_dead()
    }

    fn undecided(&mut self, height: u64, round: u32) -> Result<Vec<UndecidedBlock>, Fatal> {
        self.replica.undecided(height, round)
    }

    fn act(&mut self, act: Act) {
        self.acts.push(act);
    }
}

impl Node {
    /// Lets consensus work; returns what it asked for before it ended, if it did.
    pub(super) fn drive(
        &mut self,
        work: impl FnOnce(&mut Machine<SimFile>, &mut dyn Outside) -> Result<(), Stopped>,
    ) -> (Vec<Act>, Result<(), End>) {
        let Some(live) = &mut self.live else {
            return (Vec::new(), Ok(()));
        };
        let Some(machine) = &mut live.machine else {
            return (Vec::new(), Ok(()));
        };
        let mut hands = Hands {
            replica: &live.replica,
            effects_left: &mut self.effects_left,
            disk: &self.disk,
            acts: Vec::new(),
        };
        let result = work(machine, &mut hands);
        let acts = hands.acts;
        (acts, result.map_err(End::from))
    }

    /// Takes a transaction as the node does for a client: relayed, made durable, answered. What is
    /// relayed is on its way even where the process then dies.
    pub(super) fn submit(&mut self, transaction: &[u8], now_ms: u64) -> (Vec<Bytes>, Answer) {
        let live = self.live.as_mut().expect("only a running node is asked");
        let judged = match live.pool.judge(vec![transaction.to_vec()]) {
            Ok(judged) => judged,
            Err(error) => return (Vec::new(), Err(failed(error))),
        };
        let submitted = live.pool.submit(judged, now_ms);
        let relayed = PeerMessage::pack(&submitted.fresh);
        let fresh = submitted.fresh.iter();
        let writes = fresh.map(|vetted| (vetted.id(), Arc::clone(vetted.bytes())));
        let durable = live.journal.apply([Change::Insert(writes.collect())]);
        let answer = submitted.answers.into_iter().next().expect("one was asked");
        (relayed, durable.map_err(failed).map(|()| answer))
    }
}

/// What a client hears, unless the process ends before it answers.
pub(super) type Answer = Result<Result<Hash, Refusal>, End>;

impl Live {
    pub(super) fn forget(&mut self, journaled: Vec<Hash>) -> Result<(), End> {
        if journaled.is_empty() {
            return Ok(());
        }
        self.journal
            .apply([Change::Remove(journaled)])
            .map_err(failed)
    }
}
