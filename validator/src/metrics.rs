//! What a validator counts where it happens.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};
use tabella_http_server::metrics::Durations;
use tabella_ledger::Ledger;

use crate::dissent::Dissent;

/// A number that is set.
type Set = Gauge<u64, AtomicU64>;

/// What a validator counts.
#[derive(Default)]
pub(crate) struct Metrics {
    pub(crate) transactions: Counter,
    pub(crate) evidence: Counter,
    pub(crate) peer_garbage: Counter,
    pub(crate) rpc_requests: Counter,
    pub(crate) scrub_passes: Counter,
    /// The last block that the scrub looked at.
    pub(crate) scrub_height: Set,
    damage: Set,
    dissents: Set,
    dissenters: Set,
    not_attesting: Set,
    /// Re-checks of the chain that were begun.
    pub(crate) verifications: Counter,
    pub(crate) build_time: Durations,
    pub(crate) check_time: Durations,
    pub(crate) commit_time: Durations,
    /// From the start of a height here to its decision.
    pub(crate) decide_time: Durations,
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

    /// Shows all of it in `registry`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let counters = [
            (
                "transactions",
                "Transactions committed since start",
                &self.transactions,
            ),
            (
                "evidence",
                "Contradictions of validators found since start",
                &self.evidence,
            ),
            (
                "peer_garbage",
                "Malformed or forged messages of peers",
                &self.peer_garbage,
            ),
            (
                "rpc_requests",
                "JSON-RPC calls answered",
                &self.rpc_requests,
            ),
            (
                "scrub_passes",
                "Times that everything stored was re-checked since start",
                &self.scrub_passes,
            ),
            (
                "verifications",
                "Re-checks of the chain begun for tabella_verify",
                &self.verifications,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        self.register_soundness(registry);
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
        ];
        for (name, help, timing) in timings {
            timing.register(registry, name, help);
        }
    }

    fn register_soundness(&self, registry: &mut Registry) {
        let gauges = [
            (
                "scrub_height",
                "The block up to which this pass re-checked what is stored",
                &self.scrub_height,
            ),
            (
                "damaged_values",
                "Stored values found damaged since start, at most 100",
                &self.damage,
            ),
            (
                "result_dissents",
                "Elections that this validator counted otherwise than a quorum certified",
                &self.dissents,
            ),
            (
                "dissenters",
                "Attestations of other validators that differ from the certified outcome, at most 100",
                &self.dissenters,
            ),
            (
                "not_attesting",
                "1 once this validator attests no results any more: damage, or dissent",
                &self.not_attesting,
            ),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
    }
}
