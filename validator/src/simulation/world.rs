//! The network, the clock and the clients of a run: takes one event after the other until all is quiet.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tabella_consensus::machine::{Forger, Received, Timer, Wire};
use tabella_protocol::{CommitCertificate, Genesis, Hash, Step, VoterId};
use tabella_runtime::Runtime;

use crate::application::HALT_GRACE;

use super::{
    chance::Chance,
    disk::{Crash, Disk},
    node::{End, Node},
    plan::{Plan, Sabotage},
    setup::{self, Setup},
};

/// Virtual time, in microseconds.
pub(super) type Time = u64;

pub(super) const MS: Time = 1_000;
pub(super) const SECOND: Time = 1_000 * MS;

/// How often a node says its height and relays what waits.
pub(super) const TICK: Time = 500 * MS;
/// Longest pause of an idle network between blocks.
pub(super) const IDLE_BLOCK: Time = SECOND;
/// Blocks in one answer to a node that is behind.
pub(super) const SYNC_BATCH: u64 = 8;
/// How long a client waits before it asks another validator.
pub(super) const CLIENT_RETRY: Time = 700 * MS;
/// How long a node that must not sign any more stays connected.
pub(super) const LEAVING: Time = HALT_GRACE.as_secs() * SECOND;
/// How long after the last fault everything must have come right.
const HEALING: Time = 120 * SECOND;
/// Heights that every node must decide after the last fault, beyond those decided before.
const HEIGHTS_AFTER: u64 = 3;

/// What happens at a moment.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Wire {
        from: usize,
        wire: Wire,
    },
    Message {
        bytes: Bytes,
    },
    Status {
        from: usize,
        height: u64,
    },
    Ask {
        from: usize,
        height: u64,
    },
    Blocks {
        from: usize,
        blocks: Vec<(CommitCertificate, Bytes)>,
    },
    Timer(Timer),
    Build {
        height: u64,
        round: u32,
    },
    Check(Received),
    FindBody {
        height: u64,
        round: u32,
        block_hash: Hash,
    },
    Commit(CommitCertificate),
    MayStart,
    Tick,
    Client {
        voter: usize,
    },
    Crash(Crash),
    Boot,
    Heal,
}

impl Event {
    /// Whether it comes from another validator.
    fn is_of_network(&self) -> bool {
        matches!(
            self,
            Self::Wire { .. }
                | Self::Message { .. }
                | Self::Status { .. }
                | Self::Ask { .. }
                | Self::Blocks { .. }
        )
    }

    /// Whether it belongs to the process that was running when it was planned.
    fn is_of_process(&self) -> bool {
        matches!(
            self,
            Self::Timer(_)
                | Self::Build { .. }
                | Self::Check(_)
                | Self::FindBody { .. }
                | Self::Commit(_)
                | Self::MayStart
                | Self::Tick
        )
    }
}

struct Planned {
    node: usize,
    process: u32,
    event: Event,
}

/// A ballot that a client wants on the chain.
pub(super) struct Client {
    pub(super) voter: VoterId,
    pub(super) transaction: Vec<u8>,
    /// The next validator to ask.
    pub(super) node: usize,
    /// Whether it was accepted, once a validator has said so.
    pub(super) answered: Option<bool>,
}

/// A run.
pub(super) struct World {
    pub(super) genesis: Genesis,
    pub(super) runtime: Runtime,
    pub(super) plan: Plan,
    pub(super) chance: Chance,
    pub(super) now: Time,
    next: u64,
    queue: BTreeMap<(Time, u64), Planned>,
    pub(super) nodes: Vec<Node>,
    pub(super) clients: Vec<Client>,
    trace: Sha256,
    pub(super) events: u64,
    /// What went wrong, in words.
    pub(super) violations: Vec<String>,
    /// The first block seen committed at each height by an honest node, and its state.
    pub(super) committed: BTreeMap<u64, (Hash, Hash)>,
    /// Heights at which honest nodes differ.
    pub(super) forks: BTreeSet<u64>,
    /// What each validator said, to catch one that contradicts itself.
    pub(super) said: BTreeMap<(usize, Step), Option<Hash>>,
    pub(super) forger: Option<Forger>,
    /// The attacker's second blocks, by height and round.
    pub(super) forged: BTreeMap<(u64, u32), Hash>,
    /// How often the attacker proposed two blocks.
    pub(super) attacks: u64,
    pub(super) crashes: u64,
    pub(super) decided: u64,
}

impl World {
    pub(super) fn new(seed: u64, plan: Plan, setup: &Setup, evidence: &std::path::Path) -> Self {
        let mut chance = Chance::new(seed);
        let keys = setup::keys(plan.validators);
        let genesis = setup::genesis(plan.validators, plan.quorum);
        let nodes = keys.iter().enumerate().map(|(index, key)| Node {
            key: key.clone(),
            disk: Disk::new(match plan.sabotage {
                Some(Sabotage::LyingDisk) => super::disk::Honesty::Lies,
                _ => super::disk::Honesty::Honest,
            }),
            clock_ahead_ms: chance.below(plan.clock_skew_ms + 1),
            evidence_file: evidence.join(format!("evidence-{index}.json")),
            process: 0,
            effects_left: None,
            crash: Crash::Kill,
            live: None,
            ever_started: false,
            forgets_log: plan.sabotage == Some(Sabotage::NoReplay),
        });
        let nodes: Vec<_> = nodes.collect();
        let forger = plan
            .attack
            .map(|attack| Forger::new(genesis.hash(), keys[attack.attacker].clone()));
        let mut world = Self {
            runtime: setup.runtime.clone(),
            genesis,
            chance: chance.fork(),
            plan,
            now: 0,
            next: 0,
            queue: BTreeMap::new(),
            nodes,
            clients: Vec::new(),
            trace: Sha256::new(),
            events: 0,
            violations: Vec::new(),
            committed: BTreeMap::new(),
            forks: BTreeSet::new(),
            said: BTreeMap::new(),
            forger,
            forged: BTreeMap::new(),
            attacks: 0,
            crashes: 0,
            decided: 0,
        };
        world.begin(&mut chance);
        world
    }

    fn begin(&mut self, chance: &mut Chance) {
        for node in 0..self.nodes.len() {
            match self.nodes[node].open(&self.genesis, &self.runtime, self.clock_ms(node)) {
                Ok(live) => self.nodes[node].live = Some(live),
                Err(end) => panic!("a fresh node does not start: {end:?}"),
            }
        }
        let ledgers: Vec<_> = self
            .nodes
            .iter()
            .filter_map(|node| node.live.as_ref())
            .collect();
        let ledgers: Vec<_> = ledgers.iter().map(|live| live.ledger.as_ref()).collect();
        setup::open_election(
            &ledgers,
            &setup::keys(self.plan.validators),
            self.plan.revote,
        );
        self.clients = setup::clients(ledgers[0], &self.plan, chance);
        for node in 0..self.nodes.len() {
            self.start(node).expect("nothing is faulty yet");
            self.nodes[node].ever_started = true;
        }
        for voter in 0..self.clients.len() {
            let at = chance.below(self.plan.faults_until);
            let node = self.clients[voter].node;
            self.at(at, node, Event::Client { voter });
        }
        for _ in 0..self.plan.crashes {
            let at = chance.below(self.plan.faults_until);
            let node = chance.index(self.nodes.len());
            let crash = chance.of(&[Crash::Kill, Crash::PowerCut]);
            self.at(at, node, Event::Crash(crash));
        }
        self.at(self.plan.faults_until, 0, Event::Heal);
    }

    /// Runs until everything came right or should have.
    pub(super) fn run(&mut self) {
        let deadline = self.plan.faults_until + HEALING;
        let mut healed = None;
        while let Some(((time, _), planned)) = self.queue.pop_first() {
            self.now = time;
            if time > deadline {
                let state = self.describe();
                self.violations
                    .push(format!("not live again after healing: {state}"));
                return;
            }
            self.events += 1;
            self.take(planned);
            if !self.violations.is_empty() {
                return;
            }
            if self.now >= self.plan.faults_until {
                let highest = *healed.get_or_insert_with(|| self.highest());
                if self.is_settled(highest + HEIGHTS_AFTER) {
                    return;
                }
            }
        }
    }

    /// The same for the same seed, byte for byte.
    pub(super) fn trace_hash(&self) -> Hash {
        Hash(self.trace.clone().finalize().into())
    }

    fn highest(&self) -> u64 {
        self.committed.keys().last().copied().unwrap_or(0)
    }

    /// Whether every honest node is up, has decided `height` and waits for nothing.
    fn is_settled(&self, height: u64) -> bool {
        let stopped = self.honest().any(|node| match &self.nodes[node].live {
            Some(live) => !live.replica.evidence.is_signing(),
            None => false,
        });
        if !self.forks.is_empty() || (self.may_fork() && stopped) {
            return self.is_fork_ended();
        }
        // Of what one has committed already, another may not have heard at all.
        let tips = self.honest().map(|node| {
            let live = self.nodes[node].live.as_ref();
            live.map(|live| live.ledger.tip().block_hash)
        });
        let tips: BTreeSet<_> = tips.collect();
        tips.len() == 1
            && self.clients.iter().all(|client| client.answered.is_some())
            && self.honest().all(|node| match &self.nodes[node].live {
                Some(live) => live.ledger.tip().height >= height && live.pool.len() == 0,
                None => false,
            })
    }

    /// Whether of two histories at most one is still signed by honest validators.
    fn is_fork_ended(&self) -> bool {
        let signing = self.honest().filter(|node| {
            let live = self.nodes[*node].live.as_ref();
            live.is_some_and(|live| live.replica.evidence.is_signing())
        });
        let signing: Vec<_> = signing.collect();
        let header = |node: usize, height| {
            let live = self.nodes[node].live.as_ref()?;
            live.ledger.header(height).ok().flatten()
        };
        self.forks.iter().all(|height| {
            let headers = signing.iter().filter_map(|node| header(*node, *height));
            let hashes: BTreeSet<Hash> = headers.map(|header| header.hash()).collect();
            hashes.len() < 2
        })
    }

    pub(super) fn honest(&self) -> impl Iterator<Item = usize> {
        let attacker = self.plan.attack.map(|attack| attack.attacker);
        (0..self.nodes.len()).filter(move |node| Some(*node) != attacker)
    }

    fn describe(&self) -> String {
        let nodes = self
            .nodes
            .iter()
            .enumerate()
            .map(|(index, node)| match &node.live {
                None => format!("{index} is down"),
                Some(live) => format!(
                    "{index} at height {} (consensus {:?}), {} waiting, signing {}",
                    live.ledger.tip().height,
                    live.machine
                        .as_ref()
                        .map(|machine| (machine.height(), machine.round())),
                    live.pool.len(),
                    live.replica.evidence.is_signing(),
                ),
            });
        let unanswered = self.clients.iter().filter(|c| c.answered.is_none()).count();
        let nodes: Vec<_> = nodes.collect();
        format!("{}; {unanswered} clients unanswered", nodes.join("; "))
    }

    pub(super) fn clock_ms(&self, node: usize) -> u64 {
        self.genesis.timestamp_ms + self.now / MS + self.nodes[node].clock_ahead_ms
    }

    pub(super) fn at(&mut self, time: Time, node: usize, event: Event) {
        self.next += 1;
        let process = self.nodes[node].process;
        let planned = Planned {
            node,
            process,
            event,
        };
        self.queue.insert((time, self.next), planned);
    }

    /// Work of the application that takes a moment, beside which consensus goes on.
    pub(super) fn soon(&mut self, node: usize, event: Event) {
        let takes = match self.chance.happens(20) {
            true => self.chance.below(200 * MS),
            false => 100 + self.chance.below(3 * MS),
        };
        self.at(self.now + takes, node, event);
    }

    pub(super) fn is_faulty(&self) -> bool {
        self.now < self.plan.faults_until
    }

    fn is_connected(&self, node: usize) -> bool {
        let live = self.nodes[node].live.as_ref();
        live.is_some_and(|live| live.machine.is_some())
    }

    /// Sends something; the network may lose it, delay it, or bring it twice.
    pub(super) fn send(&mut self, from: usize, to: usize, event: &Event) {
        let faulty = self.is_faulty();
        if !self.is_connected(from) {
            return;
        }
        if faulty && self.plan.is_cut(self.now, from, to) {
            return;
        }
        let weather = self.plan.weather;
        if faulty && self.chance.happens(weather.loss_per_mille) {
            return;
        }
        let copies = match faulty && self.chance.happens(weather.twice_per_mille) {
            true => 2,
            false => 1,
        };
        for _ in 0..copies {
            let slowest = if faulty { weather.delay } else { 5 * MS };
            let delay = 200 + self.chance.below(slowest);
            self.at(self.now + delay, to, event.clone());
        }
    }

    pub(super) fn send_all(&mut self, from: usize, event: &Event) {
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            self.send(from, to, event);
        }
    }

    fn note(&mut self, node: usize, event: &Event) {
        let (what, bytes): (String, &[u8]) = match event {
            Event::Wire { from, wire } => (format!("{from} {:?}", wire.channel), &wire.bytes),
            Event::Message { bytes } => ("message".into(), bytes),
            Event::Check(received) => {
                let place = format!("check {} {}", received.height, received.round);
                (place, &received.body)
            }
            Event::Blocks { from, blocks } => {
                let heights: Vec<_> = blocks.iter().map(|block| block.0.height).collect();
                (format!("{from} {heights:?}"), &[])
            }
            other => (format!("{other:?}"), &[]),
        };
        self.trace.update(self.now.to_be_bytes());
        self.trace.update([u8::try_from(node).expect("few nodes")]);
        self.trace.update(what);
        self.trace.update(bytes);
    }

    fn take(&mut self, planned: Planned) {
        let Planned {
            node,
            process,
            event,
        } = planned;
        let running = self.nodes[node].live.is_some();
        let stale = event.is_of_process() && process != self.nodes[node].process;
        // A node that stopped signing has left the network.
        let deaf = event.is_of_network() && !self.is_connected(node);
        if stale
            || deaf
            || (!running && !matches!(event, Event::Boot | Event::Heal | Event::Client { .. }))
        {
            return;
        }
        self.note(node, &event);
        let result = self.happen(node, event);
        match result {
            Ok(()) => self.look_around(node),
            Err(end) => self.ended(node, end),
        }
    }

    /// A process came to its end: as planned, or by a fault of its own.
    pub(super) fn ended(&mut self, index: usize, end: End) {
        let node = &self.nodes[index];
        let planned = node.disk.is_dead() || node.effects_left == Some(0);
        match end {
            End::Failed(reason) if !planned => {
                // On another history than its network, it cannot go on; the attack has been seen.
                let forked = self.forks.iter().next().is_some() && reason.contains("was decided");
                if !forked {
                    let reason = format!("validator {index} stopped: {reason}");
                    self.violations.push(reason);
                }
            }
            End::Died | End::Failed(_) => {}
        }
        self.crash(index);
    }

    /// Ends a process; another one starts later.
    fn crash(&mut self, index: usize) {
        self.crashes += 1;
        let node = &mut self.nodes[index];
        // Whatever its destructors would write comes too late.
        node.disk.die_after(0);
        node.live = None;
        node.disk.crash(node.crash, &mut self.chance);
        node.effects_left = None;
        node.process += 1;
        let pause = 50 * MS + self.chance.below(3 * SECOND);
        self.at(self.now + pause, index, Event::Boot);
    }
}
