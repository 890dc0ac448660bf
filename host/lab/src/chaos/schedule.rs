//! Which faults strike whom, and when: decided by the seed alone.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tabella_protocol::Quorum;
use tabella_testing::Lie;

use super::{flood::Flood, liar::Effect};

/// Between the recovery from one fault and the next fault.
const CALM_MS: std::ops::Range<u64> = 500..4_000;
/// How long a fault lasts.
const LASTS_MS: std::ops::Range<u64> = 200..8_000;
/// How long lies and floods last at least: several answers, several requests.
const LASTS_MIN: Duration = Duration::from_secs(6);
/// Lies without effect that are told one after the other in one fault, before one that names its author.
const QUIET_LIES: usize = 4;
/// By how much a clock is shifted, forwards or backwards.
const SHIFT_SECONDS: std::ops::Range<i64> = 1..7_200;

/// What happens to the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// SIGKILL to these validators; started again after the fault.
    KillValidators(Vec<usize>),
    /// SIGKILL to the backend.
    KillBackend,
    /// SIGKILL to the bootnode.
    KillBootnode,
    /// SIGKILL to the backend and one validator at once.
    KillBackendAnd(usize),
    /// SIGKILL to every process at once.
    KillEverything,
    /// SIGSTOP to these validators, then SIGCONT.
    Pause(Vec<usize>),
    /// The link of these validators is down: nobody reaches them.
    Cut(Vec<usize>),
    /// Validators do not reach one another, the backend reaches all.
    Split,
    /// The link of this validator is narrow and drops what does not fit.
    Slow(usize),
    /// The link of this validator goes down and up several times a second.
    Flap(usize),
    /// The disk of this validator is full.
    FillDisk(usize),
    /// The clock of this validator is wrong by so many seconds.
    ShiftClock(usize, i64),
    /// One validator is killed while another's link is down.
    KillWhileCut {
        /// Killed, and started again while the link is still down.
        killed: usize,
        /// Cut off.
        cut: usize,
    },
    /// This validator's answers to the backend are lies: these, one after the other.
    Lies(usize, Vec<Lie>),
    /// A stranger floods the backend, or this validator, or both.
    Flood(Flood, usize),
    /// The data directory of this validator is emptied while it is down.
    WipeDisk(usize),
}

/// A fault, the calm before it, and how long it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Strike {
    pub(super) calm: Duration,
    pub(super) fault: Fault,
    pub(super) lasts: Duration,
}

/// Which kinds of fault this machine can bring about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Means {
    pub(super) links: bool,
    pub(super) disks: bool,
    pub(super) clocks: bool,
}

/// An endless sequence of strikes; the same for the same seed, validators and means.
pub(super) struct Schedule {
    random: StdRng,
    validators: usize,
    kinds: Vec<Kind>,
    /// The kinds of this round that are still to come, so that a short run sees each once.
    bag: Vec<Kind>,
    /// In the same way.
    quiet_lies: Vec<Lie>,
    named_lies: Vec<Lie>,
    floods: Vec<Flood>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    KillOne,
    KillMost,
    KillAllValidators,
    KillBackend,
    KillBootnode,
    KillBackendAnd,
    KillEverything,
    PauseOne,
    PauseMost,
    CutOne,
    CutMost,
    Split,
    Slow,
    Flap,
    FillDisk,
    ShiftClock,
    KillWhileCut,
    Lies,
    Flood,
    WipeDisk,
}

impl Fault {
    /// The name under which recoveries are summed up.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::KillValidators(victims) if victims.len() == 1 => "kill -9 one validator",
            Self::KillValidators(_) => "kill -9 several validators",
            Self::KillBackend => "kill -9 backend",
            Self::KillBootnode => "kill -9 bootnode",
            Self::KillBackendAnd(_) => "kill -9 backend and validator",
            Self::KillEverything => "kill -9 everything",
            Self::Pause(victims) if victims.len() == 1 => "stop one validator",
            Self::Pause(_) => "stop several validators",
            Self::Cut(victims) if victims.len() == 1 => "cut off one validator",
            Self::Cut(_) => "cut off several validators",
            Self::Split => "cut validators from each other",
            Self::Slow(_) => "slow link",
            Self::Flap(_) => "flapping link",
            Self::FillDisk(_) => "full disk",
            Self::ShiftClock(..) => "wrong clock",
            Self::KillWhileCut { .. } => "kill one, cut another",
            Self::Lies(..) => "lying validator",
            Self::Flood(flood, _) => flood.name(),
            Self::WipeDisk(_) => "wiped disk",
        }
    }
}

impl Schedule {
    pub(super) fn new(seed: u64, validators: usize, quorum: Quorum, means: Means) -> Self {
        let mut kinds = vec![
            Kind::KillOne,
            Kind::KillOne,
            Kind::KillMost,
            Kind::KillAllValidators,
            Kind::KillBackend,
            Kind::KillBootnode,
            Kind::KillBackendAnd,
            Kind::KillEverything,
            Kind::PauseOne,
            Kind::PauseMost,
        ];
        if means.links {
            kinds.extend([
                Kind::CutOne,
                Kind::CutMost,
                Kind::Split,
                Kind::Slow,
                Kind::Flap,
                Kind::KillWhileCut,
            ]);
        }
        if means.disks {
            kinds.push(Kind::FillDisk);
        }
        if means.clocks {
            kinds.push(Kind::ShiftClock);
        }
        kinds.extend([Kind::Flood; 2]);
        // Only where the others are a quorum without it.
        if quorum.tolerates_crashed(validators) > 0 {
            kinds.extend([Kind::Lies, Kind::Lies, Kind::WipeDisk]);
        }
        Self {
            random: StdRng::seed_from_u64(seed),
            validators,
            kinds,
            bag: Vec::new(),
            quiet_lies: Vec::new(),
            named_lies: Vec::new(),
            floods: Vec::new(),
        }
    }

    fn validator(&mut self) -> usize {
        self.random.random_range(0..self.validators)
    }

    /// `count` different validators, in ascending order.
    fn some(&mut self, count: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..self.validators).collect();
        while all.len() > count.max(1) {
            let out = self.random.random_range(0..all.len());
            all.remove(out);
        }
        all
    }

    fn millis(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.random.random_range(range))
    }

    /// The next of `bag`, which is filled with `all` when it is empty.
    fn draw<T: Copy>(random: &mut StdRng, bag: &mut Vec<T>, all: &[T]) -> T {
        if bag.is_empty() {
            bag.extend_from_slice(all);
        }
        let drawn = random.random_range(0..bag.len());
        bag.swap_remove(drawn)
    }

    /// Some lies without effect, then one that is named: whoever was named is not asked for a while.
    fn lies(&mut self) -> Vec<Lie> {
        let is_quiet = |lie: &Lie| Effect::of(*lie) == Effect::Nothing;
        let (quiet, named): (Vec<Lie>, Vec<Lie>) = Lie::ALL.into_iter().partition(is_quiet);
        let mut lies = Vec::new();
        for _ in 0..QUIET_LIES {
            lies.push(Self::draw(&mut self.random, &mut self.quiet_lies, &quiet));
        }
        lies.push(Self::draw(&mut self.random, &mut self.named_lies, &named));
        lies
    }

    fn fault(&mut self, kind: Kind) -> Fault {
        // Enough that the others are no quorum.
        let most = self.validators.div_ceil(2);
        match kind {
            Kind::KillOne => Fault::KillValidators(self.some(1)),
            Kind::KillMost => Fault::KillValidators(self.some(most)),
            Kind::KillAllValidators => Fault::KillValidators(self.some(self.validators)),
            Kind::KillBackend => Fault::KillBackend,
            Kind::KillBootnode => Fault::KillBootnode,
            Kind::KillBackendAnd => Fault::KillBackendAnd(self.validator()),
            Kind::KillEverything => Fault::KillEverything,
            Kind::PauseOne => Fault::Pause(self.some(1)),
            Kind::PauseMost => Fault::Pause(self.some(most)),
            Kind::CutOne => Fault::Cut(self.some(1)),
            Kind::CutMost => Fault::Cut(self.some(most)),
            Kind::Split => Fault::Split,
            Kind::Slow => Fault::Slow(self.validator()),
            Kind::Flap => Fault::Flap(self.validator()),
            Kind::FillDisk => Fault::FillDisk(self.validator()),
            Kind::ShiftClock => {
                let seconds = self.random.random_range(SHIFT_SECONDS);
                let forwards = self.random.random_bool(0.5);
                let seconds = if forwards { seconds } else { -seconds };
                Fault::ShiftClock(self.validator(), seconds)
            }
            Kind::KillWhileCut => {
                let killed = self.validator();
                let cut = (killed + 1) % self.validators;
                Fault::KillWhileCut { killed, cut }
            }
            Kind::Lies => Fault::Lies(self.validator(), self.lies()),
            Kind::Flood => {
                let flood = Self::draw(&mut self.random, &mut self.floods, &Flood::ALL);
                Fault::Flood(flood, self.validator())
            }
            Kind::WipeDisk => Fault::WipeDisk(self.validator()),
        }
    }
}

impl Iterator for Schedule {
    type Item = Strike;

    fn next(&mut self) -> Option<Strike> {
        let kind = Self::draw(&mut self.random, &mut self.bag, &self.kinds);
        let calm = self.millis(CALM_MS);
        let fault = self.fault(kind);
        let mut lasts = self.millis(LASTS_MS);
        if matches!(fault, Fault::Lies(..) | Fault::Flood(..)) {
            lasts = lasts.max(LASTS_MIN);
        }
        Some(Strike { calm, fault, lasts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Means = Means {
        links: true,
        disks: true,
        clocks: true,
    };
    const NONE: Means = Means {
        links: false,
        disks: false,
        clocks: false,
    };

    fn take(seed: u64, means: Means, count: usize) -> Vec<Strike> {
        let schedule = Schedule::new(seed, 3, Quorum::Majority, means);
        schedule.take(count).collect()
    }

    #[test]
    fn the_same_seed_strikes_the_same_and_another_does_not() {
        assert_eq!(take(7, ALL, 60), take(7, ALL, 60));
        assert_ne!(take(7, ALL, 60), take(8, ALL, 60));
    }

    #[test]
    fn every_kind_comes_within_a_round_and_none_that_the_machine_cannot_do() {
        let names = |strikes: &[Strike]| {
            let names = strikes.iter().map(|strike| strike.fault.name());
            names.collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(names(&take(1, ALL, 23)).len(), 20);
        let few = names(&take(1, NONE, 100));
        assert_eq!(few.len(), 16, "{few:?}");
    }

    #[test]
    fn every_lie_is_told_within_four_faults_and_the_last_of_each_is_named() {
        let lies: Vec<Vec<Lie>> = take(5, NONE, 200)
            .into_iter()
            .filter_map(|strike| match strike.fault {
                Fault::Lies(_, lies) => Some(lies),
                _ => None,
            })
            .collect();
        let mut told = lies[..4].concat();
        told.sort();
        told.dedup();
        assert_eq!(told.len(), Lie::ALL.len());
        for lies in lies {
            let is_named = |lie: &Lie| Effect::of(*lie) != Effect::Nothing;
            assert_eq!(lies.iter().position(is_named), Some(lies.len() - 1));
        }
    }

    #[test]
    fn nobody_lies_and_no_disk_is_wiped_where_the_others_are_no_quorum() {
        let dares = |validators, quorum| {
            let dares =
                |strike: Strike| matches!(strike.fault, Fault::Lies(..) | Fault::WipeDisk(_));
            Schedule::new(9, validators, quorum, ALL)
                .take(100)
                .any(dares)
        };
        assert!(!dares(2, Quorum::Majority));
        assert!(!dares(3, Quorum::Bft));
        assert!(dares(3, Quorum::Majority));
        assert!(dares(4, Quorum::Bft));
    }

    #[test]
    fn victims_exist_and_are_different() {
        for strike in take(3, ALL, 500) {
            match strike.fault {
                Fault::KillValidators(victims) | Fault::Pause(victims) | Fault::Cut(victims) => {
                    assert!(victims.windows(2).all(|pair| pair[0] < pair[1]));
                    assert!(victims.iter().all(|victim| *victim < 3));
                }
                Fault::KillWhileCut { killed, cut } => assert_ne!(killed, cut),
                _ => {}
            }
        }
    }
}
