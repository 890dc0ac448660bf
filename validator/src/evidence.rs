//! Acks of other validators: kept where they agree with this chain, evidence where they do not.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tabella_ledger::Ledger;
use tabella_protocol::{Ack, PublicKey, rpc::EvidenceView};

use crate::metrics::Metrics;

/// Acks of heights that this node has not committed yet, a validator's last few.
const EARLY_MAX: usize = 64;
/// Contradictions remembered; one is enough to act on.
const EVIDENCE_MAX: usize = 1_000;

/// Compares what validators say they committed with what stands here.
pub(crate) struct EvidenceLog {
    metrics: Arc<Metrics>,
    /// Acks that came before this node committed their height.
    early: Mutex<BTreeMap<PublicKey, BTreeMap<u64, Ack>>>,
    found: Mutex<Vec<EvidenceView>>,
}

impl EvidenceLog {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            early: Mutex::default(),
            found: Mutex::default(),
        }
    }

    /// Takes a verified ack of a validator of this network.
    pub(crate) fn take_ack(&self, ledger: &Ledger, ack: Ack) {
        if ack.height > ledger.tip().height {
            let mut early = self.early.lock().expect("no holder of this lock panics");
            let of_validator = early.entry(ack.validator).or_default();
            of_validator.insert(ack.height, ack);
            while of_validator.len() > EARLY_MAX {
                of_validator.pop_first();
            }
            return;
        }
        self.compare(ledger, ack);
    }

    /// Takes up the acks that waited for this node to commit their height.
    pub(crate) fn take_early(&self, ledger: &Ledger) {
        let height = ledger.tip().height;
        let mut due = Vec::new();
        {
            let mut early = self.early.lock().expect("no holder of this lock panics");
            for acks in early.values_mut() {
                let later = acks.split_off(&(height + 1));
                due.extend(std::mem::replace(acks, later).into_values());
            }
        }
        for ack in due {
            self.compare(ledger, ack);
        }
    }

    fn compare(&self, ledger: &Ledger, ack: Ack) {
        match compare(ledger, &ack) {
            Ok(Agreement::Equal) => {
                if let Err(error) = ledger.add_ack(ack) {
                    tracing::warn!(%error, "an ack could not be kept");
                }
            }
            Ok(Agreement::Contradiction(Some(known))) => self.report(known, ack),
            Ok(Agreement::Contradiction(None)) => {
                self.metrics.forks.add(1);
                tracing::error!(
                    validator = %ack.validator,
                    height = ack.height,
                    block = %ack.block_hash,
                    "a validator committed another block than this node at the same height"
                );
            }
            Err(error) => tracing::warn!(%error, "an ack could not be compared"),
        }
    }

    fn report(&self, first: Ack, second: Ack) {
        let mut found = self.found.lock().expect("no holder of this lock panics");
        let view = EvidenceView {
            validator: first.validator,
            first,
            second,
        };
        if found.contains(&view) || found.len() >= EVIDENCE_MAX {
            return;
        }
        tracing::error!(
            validator = %view.validator,
            height = view.first.height,
            "a validator acknowledged two different blocks at one height"
        );
        self.metrics.evidence.add(1);
        found.push(view);
    }

    /// Every contradiction found since this node started.
    pub(crate) fn found(&self) -> Vec<EvidenceView> {
        self.found
            .lock()
            .expect("no holder of this lock panics")
            .clone()
    }
}

enum Agreement {
    Equal,
    /// Another block than here; with the validator's earlier ack of the block here, if it gave one.
    Contradiction(Option<Ack>),
}

fn compare(ledger: &Ledger, ack: &Ack) -> Result<Agreement, tabella_ledger::LedgerError> {
    let Some(header) = ledger.header(ack.height)? else {
        return Ok(Agreement::Equal);
    };
    if header.hash() == ack.block_hash && header.state_root == ack.state_root {
        return Ok(Agreement::Equal);
    }
    let known = ledger
        .acks(ack.height)?
        .into_iter()
        .find(|known| known.contradicts(ack));
    Ok(Agreement::Contradiction(known))
}
