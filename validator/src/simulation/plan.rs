//! What a seed stands for: the network, its weather, its faults and its attacker.

use tabella_protocol::{Quorum, Revote};

use super::{
    chance::Chance,
    world::{MS, SECOND, Time},
};

/// What the network does to messages while there are faults.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weather {
    pub(super) loss_per_mille: u64,
    pub(super) twice_per_mille: u64,
    /// The longest way of a message; different ones make a different order.
    pub(super) delay: Time,
}

/// A while in which some nodes cannot reach the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Partition {
    from: Time,
    to: Time,
    /// One bit for each node, telling its side.
    sides: u64,
}

/// A validator that proposes two blocks and votes for each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attack {
    pub(super) attacker: usize,
    /// One bit for each node that gets the second block.
    pub(super) deceived: u64,
}

impl Attack {
    pub(super) fn deceives(self, node: usize) -> bool {
        self.deceived >> node & 1 == 1
    }
}

/// A fault that must be found, to show that the checks find anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sabotage {
    /// Every process starts with an empty write-ahead log.
    NoReplay,
    /// Clients are told before the journal is written and before anything is relayed.
    AckBeforeDurable,
    /// The disk says that it synced, and did not.
    LyingDisk,
}

/// A run, but for its clients.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) validators: usize,
    pub(super) quorum: Quorum,
    pub(super) revote: Revote,
    pub(super) voters: u8,
    /// When the last fault ends.
    pub(super) faults_until: Time,
    pub(super) weather: Weather,
    pub(super) partitions: Vec<Partition>,
    pub(super) crashes: u64,
    pub(super) clock_skew_ms: u64,
    pub(super) attack: Option<Attack>,
    pub(super) sabotage: Option<Sabotage>,
}

impl Plan {
    /// Three validators of which one may crash at a time, or four of which one may lie.
    pub(super) fn of(seed: u64) -> Self {
        // Away from the stream that plays the run.
        let mut chance = Chance::new(!seed);
        let (validators, quorum) = match seed % 3 {
            2 => (4, Quorum::Bft),
            _ => (3, Quorum::Majority),
        };
        let attack = chance.happens(250).then(|| {
            let attacker = chance.index(validators);
            let deceived = chance.below((1 << validators) - 1);
            Attack { attacker, deceived }
        });
        let faults_until = 3 * SECOND + chance.below(8 * SECOND);
        let partitions = (0..chance.below(4)).map(|_| {
            let from = chance.below(faults_until);
            let to = from + chance.below(3 * SECOND);
            let sides = chance.below(1 << validators);
            Partition { from, to, sides }
        });
        Self {
            partitions: partitions.collect(),
            validators,
            quorum,
            revote: chance.of(&[Revote::Refuse, Revote::Last]),
            voters: 6 + u8::try_from(chance.below(14)).expect("below 14"),
            faults_until,
            weather: Weather {
                loss_per_mille: chance.of(&[0, 10, 50, 150]),
                twice_per_mille: chance.of(&[0, 20, 100]),
                delay: chance.of(&[2 * MS, 20 * MS, 150 * MS]),
            },
            crashes: chance.below(8),
            clock_skew_ms: chance.of(&[0, 50, 60_000]),
            attack,
            sabotage: None,
        }
    }

    /// Whether nothing gets from one node to another now.
    pub(super) fn is_cut(&self, now: Time, a: usize, b: usize) -> bool {
        self.partitions.iter().any(|partition| {
            let side = |node| partition.sides >> node & 1;
            (partition.from..partition.to).contains(&now) && side(a) != side(b)
        })
    }
}
