//! Counters and timings, in Prometheus' text format.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tabella_ledger::Ledger;

use crate::dissent::Dissent;

/// A number that only grows.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A number that is set.
#[derive(Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }
}

/// How often something was done and how long it took in all.
#[derive(Default)]
pub(crate) struct Timing {
    count: AtomicU64,
    micros: AtomicU64,
}

impl Timing {
    pub(crate) fn observe(&self, took: Duration) {
        self.count.fetch_add(1, Relaxed);
        self.micros
            .fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }
}

/// What a validator counts.
#[derive(Default)]
pub(crate) struct Metrics {
    pub(crate) transactions: Counter,
    pub(crate) evidence: Counter,
    pub(crate) peer_garbage: Counter,
    pub(crate) rpc_requests: Counter,
    pub(crate) scrub_passes: Counter,
    /// The last block that the scrub looked at.
    pub(crate) scrub_height: Gauge,
    damage: Gauge,
    dissents: Gauge,
    dissenters: Gauge,
    not_attesting: Gauge,
    /// Re-checks of the chain that were begun.
    pub(crate) verifications: Counter,
    pub(crate) build_time: Timing,
    pub(crate) check_time: Timing,
    pub(crate) commit_time: Timing,
    /// From the start of a height here to its decision.
    pub(crate) decide_time: Timing,
}

/// What is read at the moment of asking.
pub(crate) struct Gauges {
    pub(crate) height: u64,
    pub(crate) round: u32,
    pub(crate) mempool: usize,
    pub(crate) peers: u32,
    pub(crate) signing: bool,
    pub(crate) ready: bool,
    pub(crate) refused_messages: u64,
    pub(crate) peers_cut_off: u64,
    pub(crate) rpc_busy: u64,
}

/// Timings that are kept where they are taken.
pub(crate) struct Timings<'a> {
    pub(crate) vet: &'a Timing,
    pub(crate) journal_commit: &'a Timing,
}

impl Metrics {
    /// Sets what is known of damage and dissent now.
    pub(crate) fn soundness(&self, ledger: &Ledger, dissent: &Dissent) {
        self.damage.set(ledger.damage().len() as u64);
        self.dissents.set(dissent.of_own().len() as u64);
        self.dissenters.set(dissent.of_others(ledger).len() as u64);
        self.not_attesting
            .set(u64::from(!dissent.may_attest(ledger)));
    }

    #[expect(clippy::too_many_lines, reason = "one block for each metric")]
    pub(crate) fn render(&self, gauges: &Gauges, elsewhere: &Timings<'_>) -> String {
        let mut text = String::new();
        let mut one = |name: &str, kind: &str, help: &str, value: u64| {
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "# HELP tabella_{name} {help}\n# TYPE tabella_{name} {kind}\ntabella_{name} {value}"
            );
        };
        one(
            "height",
            "gauge",
            "Height of the newest committed block.",
            gauges.height,
        );
        one(
            "round",
            "gauge",
            "Round of the height being decided.",
            gauges.round.into(),
        );
        one(
            "mempool_transactions",
            "gauge",
            "Transactions waiting.",
            gauges.mempool as u64,
        );
        one(
            "peers",
            "gauge",
            "Validators connected.",
            gauges.peers.into(),
        );
        one(
            "signing",
            "gauge",
            "1 while this node takes part in consensus.",
            u64::from(gauges.signing),
        );
        one(
            "ready",
            "gauge",
            "1 while blocks come: a quorum is connected, and this node is one of it.",
            u64::from(gauges.ready),
        );
        let counters = [
            (
                "transactions_total",
                "Transactions committed since start.",
                &self.transactions,
            ),
            (
                "evidence_total",
                "Contradictions of validators found since start.",
                &self.evidence,
            ),
            (
                "peer_garbage_total",
                "Malformed or forged messages of peers.",
                &self.peer_garbage,
            ),
            (
                "rpc_requests_total",
                "JSON-RPC calls answered.",
                &self.rpc_requests,
            ),
            (
                "scrub_passes_total",
                "Times that everything stored was re-checked since start.",
                &self.scrub_passes,
            ),
            (
                "verifications_total",
                "Re-checks of the chain begun for tabella_verify.",
                &self.verifications,
            ),
        ];
        for (name, help, counter) in counters {
            one(name, "counter", help, counter.0.load(Relaxed));
        }
        let set = [
            (
                "scrub_height",
                "The block up to which this pass re-checked what is stored.",
                &self.scrub_height,
            ),
            (
                "damaged_values",
                "Stored values found damaged since start, at most 100.",
                &self.damage,
            ),
            (
                "result_dissents",
                "Elections that this validator counted otherwise than a quorum certified.",
                &self.dissents,
            ),
            (
                "dissenters",
                "Attestations of other validators that differ from the certified outcome, at most 100.",
                &self.dissenters,
            ),
            (
                "not_attesting",
                "1 once this validator attests no results any more: damage, or dissent.",
                &self.not_attesting,
            ),
        ];
        for (name, help, gauge) in set {
            one(name, "gauge", help, gauge.0.load(Relaxed));
        }
        one(
            "consensus_messages_refused_total",
            "counter",
            "Consensus messages of peers that were malformed, forged or too many.",
            gauges.refused_messages,
        );
        one(
            "peers_cut_off_total",
            "counter",
            "Times that a peer was cut off because it sent too much.",
            gauges.peers_cut_off,
        );
        one(
            "rpc_busy_total",
            "counter",
            "JSON-RPC requests refused because too many waited.",
            gauges.rpc_busy,
        );
        let timings = [
            (
                "block_build",
                "Building and storing a block to propose",
                &self.build_time,
            ),
            (
                "block_check",
                "Checking and storing a proposed block",
                &self.check_time,
            ),
            (
                "block_commit",
                "Committing a decided block, synced to disk",
                &self.commit_time,
            ),
            (
                "height_decide",
                "From the start of a height to its decision",
                &self.decide_time,
            ),
            (
                "transactions_vet",
                "Checking a batch of new transactions: signatures, rolls, rules in the sandbox",
                elsewhere.vet,
            ),
            (
                "journal_commit",
                "Writing accepted transactions to the mempool's journal, synced to disk",
                elsewhere.journal_commit,
            ),
        ];
        for (name, help, timing) in timings {
            let (count, micros) = (timing.count.load(Relaxed), timing.micros.load(Relaxed));
            let seconds = Duration::from_micros(micros).as_secs_f64();
            let _ = writeln!(
                text,
                "# HELP tabella_{name}_seconds {help}.\n# TYPE tabella_{name}_seconds summary\n\
                 tabella_{name}_seconds_sum {seconds}\ntabella_{name}_seconds_count {count}"
            );
        }
        text
    }
}
