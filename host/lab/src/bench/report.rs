//! What was measured, as JSON, as text and as a picture.

use std::fmt::Write as _;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::{
    cost::{Kernel, ProcessCost},
    reference::Reference,
};
use crate::machine::MachineSpeed;

/// What a bench measured.
#[derive(Debug, Serialize)]
pub(super) struct BenchReport {
    pub(super) rule: String,
    pub(super) validators: Option<u8>,
    pub(super) measured: Measurement,
    /// With `--find-rate`: each rate that was tried, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tried: Vec<Tried>,
    /// With `--kill-one`: the same with one validator killed just before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) one_down: Option<OneDown>,
    /// With `--baseline`: the other binary, and the ratio of the medians.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) baseline: Option<Baseline>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) references: Vec<Reference>,
    pub(super) machine: MachineSpeed,
}

/// One run.
#[derive(Debug, Serialize)]
pub(super) struct Measurement {
    pub(super) votes: u64,
    pub(super) connections: u16,
    /// Votes that were due each second; absent in a closed loop.
    pub(super) offered_per_second: Option<f64>,
    /// Until the last vote was confirmed.
    pub(super) seconds: f64,
    pub(super) confirmed_votes_per_second: f64,
    pub(super) latency_ms: Latency,
    /// Answers that were pending at first, and confirmed later.
    pub(super) pending_at_first: usize,
    pub(super) repetitions: u64,
    /// By process; empty for a network that was not started here.
    pub(super) processes: Vec<ProcessCost>,
    pub(super) kernel: Option<Kernel>,
    #[serde(skip)]
    pub(super) histogram: Histogram<u64>,
}

/// One rate of a search.
#[derive(Debug, Serialize)]
pub(super) struct Tried {
    pub(super) offered_per_second: f64,
    pub(super) confirmed_votes_per_second: f64,
    pub(super) p99_ms: f64,
    pub(super) holds: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct OneDown {
    pub(super) killed: String,
    /// Of the votes a second with all validators up.
    pub(super) ratio: f64,
    pub(super) measured: Measurement,
}

/// Two binaries in turns.
#[derive(Debug, Serialize)]
pub(super) struct Baseline {
    pub(super) binary: String,
    /// Votes a second of this binary's runs, and of the other's.
    pub(super) own: Vec<f64>,
    pub(super) others: Vec<f64>,
    /// The median of this binary's runs over that of the other's.
    pub(super) ratio: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    pub(super) max: f64,
}

impl Latency {
    /// In milliseconds, of a histogram of microseconds.
    pub(super) fn of(histogram: &Histogram<u64>) -> Self {
        let ms = |percent| histogram.value_at_percentile(percent) as f64 / 1e3;
        Self {
            p50: ms(50.0),
            p90: ms(90.0),
            p99: ms(99.0),
            p999: ms(99.9),
            max: histogram.max() as f64 / 1e3,
        }
    }
}

impl BenchReport {
    /// For people.
    pub(super) fn describe(&self) -> String {
        let mut text = self.measured.describe(&self.rule);
        if !self.tried.is_empty() {
            text += "\nrate search\n";
        }
        for tried in &self.tried {
            let holds = if tried.holds {
                "holds"
            } else {
                "does not hold"
            };
            let _ = writeln!(
                text,
                "  {:>7.0}/s offered {:>9.0}/s confirmed   p99 {:>8.1} ms   {holds}",
                tried.offered_per_second, tried.confirmed_votes_per_second, tried.p99_ms
            );
        }
        if let Some(down) = &self.one_down {
            let _ = writeln!(
                text,
                "\nwith {} killed, {:.2} of all up:\n{}",
                down.killed,
                down.ratio,
                down.measured.describe(&self.rule)
            );
        }
        if let Some(baseline) = &self.baseline {
            let Baseline {
                binary,
                own,
                others,
                ratio,
            } = baseline;
            let list = |rates: &[f64]| {
                let rates: Vec<_> = rates.iter().map(|rate| format!("{rate:.0}")).collect();
                rates.join(", ")
            };
            let (own, others) = (list(own), list(others));
            let _ = writeln!(
                text,
                "\n{ratio:.2} of {binary}: {own} votes/s against {others}"
            );
        }
        text.push_str(&self.describe_machine());
        text
    }

    fn describe_machine(&self) -> String {
        let machine = &self.machine;
        let mut text = format!(
            "\nthis machine: {} cores; on one: {:.0} signatures verified/s ({:.1} us: 1 U), {:.0} made/s, \
             {:.0} ballots judged in the sandbox/s, {:.0} exchanges over loopback/s (both ends); fsync p50 {:.2} ms\n",
            machine.cores,
            machine.verify_per_second,
            machine.unit_us(),
            machine.sign_per_second,
            machine.sandbox_per_second,
            machine.exchanges_per_second,
            machine.fsync_p50_ms
        );
        let used = self.measured.cpu_us();
        if used > 0.0
            && let Some(validators) = self.validators
        {
            let bound_us = machine.floor_us(validators);
            let _ = writeln!(
                text,
                "a vote cost {used:.0} us of processor, {:.1} U; one signature, {validators} verifications, {} sandbox \
                 calls and one exchange over loopback cost {bound_us:.0} us: at most {:.0} votes/s here",
                used / machine.unit_us(),
                validators + 1,
                machine.cores as f64 * 1e6 / bound_us
            );
        }
        for reference in &self.references {
            let own = self.measured.confirmed_votes_per_second;
            let _ = write!(
                text,
                "{}: {:.0} writes/s; this is {:.2} of it",
                reference.name,
                reference.writes_per_second,
                own / reference.writes_per_second
            );
            if let (Some(p50), Some(p99)) = (reference.p50_ms, reference.p99_ms) {
                let _ = write!(text, "; p50 {p50:.1} ms, p99 {p99:.1} ms");
            }
            if let Some(cpu) = reference.cpu_microseconds_per_write {
                let _ = write!(text, "; {cpu:.0} us of processor a write");
            }
            text.push('\n');
        }
        text
    }
}

impl Measurement {
    /// Processor time of a vote over all processes.
    fn cpu_us(&self) -> f64 {
        let costs = self.processes.iter();
        costs.map(|process| process.cpu_microseconds_per_vote).sum()
    }

    /// How votes were sent, in words.
    pub(super) fn way(&self) -> String {
        match self.offered_per_second {
            Some(rate) => format!(
                "{rate:.0} a second due, over {} connections",
                self.connections
            ),
            None => format!("{} at once", self.connections),
        }
    }

    fn describe(&self, rule: &str) -> String {
        let how = self.way();
        let Latency {
            p50,
            p90,
            p99,
            p999,
            max,
        } = &self.latency_ms;
        let mut text = format!(
            "{} votes ({rule}), {how}, all confirmed in {:.1} s\n\
             confirmed votes/s   {:>10.0}\n\
             latency             {p50:>10.1} ms p50 {p90:>8.1} p90 {p99:>8.1} p99 {p999:>8.1} p99.9 {max:>8.1} longest\n\
             pending at first    {:>10}\n\
             repetitions         {:>10}\n",
            self.votes,
            self.seconds,
            self.confirmed_votes_per_second,
            self.pending_at_first,
            self.repetitions,
        );
        if let Some(kernel) = &self.kernel {
            let _ = writeln!(
                text,
                "listen overflows    {:>10}   (and {} beginnings of connections sent again)",
                kernel.listen_overflows, kernel.syn_retransmissions
            );
        }
        if !self.processes.is_empty() {
            let _ = writeln!(
                text,
                "\n{:<16}{:>12}{:>13}{:>16}{:>14}{:>10}",
                "process", "CPU us/vote", "resident MB", "written B/vote", "disk B/vote", "commits"
            );
        }
        for process in &self.processes {
            let _ = writeln!(
                text,
                "{:<16}{:>12.0}{:>13.0}{:>16.0}{:>14.0}{:>10}",
                process.process,
                process.cpu_microseconds_per_vote,
                process.resident_mb,
                process.written_bytes_per_vote,
                process.disk_bytes_per_vote,
                process.commits
            );
            let threads = process.threads.iter().take(4);
            let threads: Vec<_> = threads
                .map(|(name, us)| format!("{name} {us:.0}"))
                .collect();
            let _ = writeln!(text, "  of these us: {}", threads.join(", "));
        }
        text
    }
}

/// A picture of a histogram of microseconds: the share of votes (towards 100 %, each step a tenth of the rest)
/// against the time that they took no longer than.
pub(super) fn svg(histogram: &Histogram<u64>, title: &str) -> String {
    const NINES: u32 = 4;
    const LEFT: f64 = 70.0;
    const TOP: f64 = 40.0;
    const WIDTH: f64 = 700.0;
    const HEIGHT: f64 = 320.0;
    let max_ms = (histogram.max() as f64 / 1e3).max(1.0);
    let x = |nines: f64| LEFT + WIDTH * nines / f64::from(NINES);
    let y = |ms: f64| TOP + HEIGHT * (1.0 - ms / max_ms);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 420\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>{title}</title>\n<rect width=\"800\" height=\"420\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"15\">{title}</text>\n"
    );
    for nines in 0..=NINES {
        let share = 100.0 - 100.0 * 0.1_f64.powi(nines as i32);
        let at = x(f64::from(nines));
        let bottom = TOP + HEIGHT;
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom}\" stroke=\"#ddd\"/>\
             <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{share} %</text>",
            bottom + 18.0
        );
    }
    for quarter in 0..=4 {
        let ms = max_ms * f64::from(quarter) / 4.0;
        let at = y(ms);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{ms:.0} ms</text>",
            LEFT + WIDTH,
            LEFT - 6.0,
            at + 4.0
        );
    }
    let points: Vec<String> = (0..=NINES * 50)
        .map(|step| f64::from(step) / 50.0)
        .map(|nines| {
            let ms = histogram.value_at_quantile(1.0 - 0.1_f64.powf(nines)) as f64 / 1e3;
            format!("{:.1},{:.1}", x(nines), y(ms))
        })
        .collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#1f5fa8\" stroke-width=\"2\"/>\n</svg>",
        points.join(" ")
    );
    svg
}
