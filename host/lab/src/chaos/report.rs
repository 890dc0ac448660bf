//! What a chaos run tells.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{audit::Audit, liar::Told, memory::RESIDENT_BYTES_MAX};

/// One fault and what it cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recovery {
    pub(super) fault: &'static str,
    /// From the end of the fault until all is well again.
    pub(super) recovered: Duration,
    /// The longest time, from the fault to the recovery, in which no voter got an answer.
    pub(super) stalled: Duration,
}

/// The whole run.
#[derive(Debug, Serialize)]
pub(crate) struct ChaosReport {
    pub(super) seed: u64,
    pub(super) seconds: f64,
    pub(super) faults: BTreeMap<&'static str, FaultReport>,
    pub(super) all: FaultReport,
    pub(super) audit: Audit,
    /// By lie.
    pub(super) lies: BTreeMap<String, LieReport>,
    /// Resident bytes of each process at its peak, and the most that any may hold.
    pub(super) memory_peaks: BTreeMap<String, u64>,
    pub(super) memory_max: u64,
    pub(super) skipped: Vec<&'static str>,
}

/// What became of one lie.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize)]
pub(super) struct LieReport {
    /// How often it was lied about.
    pub(super) times: u64,
    /// How many answers of the validator it changed.
    pub(super) answers: u64,
    /// How often the backend named the liar.
    pub(super) named: u64,
    /// Answers of the backend that were compared with the truth meanwhile.
    pub(super) checks: u64,
}

/// Recovery and stall of one kind of fault, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct FaultReport {
    pub(super) count: usize,
    pub(super) recovery_median: f64,
    pub(super) recovery_worst: f64,
    pub(super) stall_median: f64,
    pub(super) stall_worst: f64,
}

impl ChaosReport {
    pub(super) fn new(
        seed: u64,
        started: Instant,
        recoveries: &[Recovery],
        audit: Audit,
        told: &[Told],
        memory_peaks: BTreeMap<String, u64>,
        skipped: Vec<&'static str>,
    ) -> Self {
        let mut lies: BTreeMap<String, LieReport> = BTreeMap::new();
        for told in told {
            let lie = lies.entry(format!("{:?}", told.lie)).or_default();
            lie.times += 1;
            lie.answers += told.answers;
            lie.named += u64::from(told.is_named);
            lie.checks += told.checks;
        }
        let mut by_fault: BTreeMap<&'static str, Vec<Recovery>> = BTreeMap::new();
        for recovery in recoveries {
            by_fault.entry(recovery.fault).or_default().push(*recovery);
        }
        let faults = by_fault
            .into_iter()
            .map(|(fault, recoveries)| (fault, FaultReport::of(&recoveries)))
            .collect();
        Self {
            seed,
            seconds: started.elapsed().as_secs_f64(),
            faults,
            all: FaultReport::of(recoveries),
            audit,
            lies,
            memory_peaks,
            memory_max: RESIDENT_BYTES_MAX,
            skipped,
        }
    }

    /// For people.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!(
            "\n{:<30}{:>6}{:>22}{:>26}\n{:<30}{:>6}{:>11}{:>11}{:>13}{:>13}\n",
            "",
            "",
            "recovery, s",
            "no voter answered, s",
            "fault",
            "times",
            "median",
            "worst",
            "median",
            "longest"
        );
        let all = std::iter::once((&"all", &self.all));
        for (fault, of) in self.faults.iter().chain(all) {
            text.push_str(&format!(
                "{fault:<30}{:>6}{:>11.2}{:>11.2}{:>13.2}{:>13.2}\n",
                of.count, of.recovery_median, of.recovery_worst, of.stall_median, of.stall_worst
            ));
        }
        text.push_str(&format!(
            "\n{:<30}{:>6}{:>11}{:>11}{:>11}\n",
            "lie", "times", "answers", "named", "checks"
        ));
        for (lie, of) in &self.lies {
            text.push_str(&format!(
                "{lie:<30}{:>6}{:>11}{:>11}{:>11}\n",
                of.times, of.answers, of.named, of.checks
            ));
        }
        text.push_str("\nresident memory at its peak, MiB:");
        for (name, bytes) in &self.memory_peaks {
            text.push_str(&format!(" {name} {}", bytes >> 20));
        }
        text.push_str(&format!(", at most {}\n", self.memory_max >> 20));
        let audit = &self.audit;
        text.push_str(&format!(
            "\n{} ballots acknowledged ({} of them confirmed only later, {} repetitions), each on \
             every validator exactly once, of the choice that was cast; {} receipts compared\n\
             {} blocks, equal on all validators at every height: no fork\n{} faults in {:.0} s, seed {}\n",
            audit.acknowledged,
            audit.confirmed_later,
            audit.repetitions,
            audit.receipts,
            audit.blocks,
            self.all.count,
            self.seconds,
            self.seed
        ));
        text
    }
}

impl FaultReport {
    fn of(recoveries: &[Recovery]) -> Self {
        let seconds = |of: fn(&Recovery) -> Duration| {
            let mut seconds: Vec<f64> = recoveries.iter().map(|r| of(r).as_secs_f64()).collect();
            seconds.sort_by(f64::total_cmp);
            seconds
        };
        let median = |sorted: &[f64]| sorted.get(sorted.len() / 2).copied().unwrap_or_default();
        let worst = |sorted: &[f64]| sorted.last().copied().unwrap_or_default();
        let recovered = seconds(|recovery| recovery.recovered);
        let stalled = seconds(|recovery| recovery.stalled);
        Self {
            count: recoveries.len(),
            recovery_median: median(&recovered),
            recovery_worst: worst(&recovered),
            stall_median: median(&stalled),
            stall_worst: worst(&stalled),
        }
    }
}
