//! Acks of other validators: kept where they agree with this chain, evidence where they do not.
//!
//! Under quorum `majority` a validator that lies can make two histories final. It cannot do so
//! unseen: every validator acknowledges what it committed, and a node that meets an ack of another
//! block than its own keeps both as evidence and stops signing, also after a restart, until an
//! operator has looked. It goes on answering reads. Under `bft` a certificate is final whatever one
//! validator says, so the evidence is kept and the node goes on.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use tabella_ledger::{Ledger, LedgerError};
use tabella_protocol::{Ack, PublicKey, Quorum, rpc::EvidenceView};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// Acks of heights that this node has not committed yet, a validator's last few.
const EARLY_MAX: usize = 64;
/// Contradictions kept; one is enough to act on.
const EVIDENCE_MAX: usize = 1_000;

/// Compares what validators say they committed with what stands here.
pub(crate) struct EvidenceLog {
    metrics: Arc<Metrics>,
    quorum: Quorum,
    file: PathBuf,
    /// Acks that came before this node committed their height.
    early: Mutex<BTreeMap<PublicKey, BTreeMap<u64, Ack>>>,
    found: Mutex<Vec<EvidenceView>>,
    /// Cancelled when this node must not sign any more.
    pub(crate) halt: CancellationToken,
}

impl EvidenceLog {
    /// Opens the evidence kept in `file`; with any, a node under `majority` must not sign.
    pub(crate) fn open(
        file: &Path,
        quorum: Quorum,
        metrics: Arc<Metrics>,
    ) -> Result<Self, std::io::Error> {
        let found: Vec<EvidenceView> = match std::fs::read_to_string(file) {
            Ok(text) => serde_json::from_str(&text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let halt = CancellationToken::new();
        if !found.is_empty() && quorum == Quorum::Majority {
            tracing::error!(
                file = %file.display(),
                "this validator met another history than its own and does not sign; compare the \
                 validators' blocks, and remove the file once you know which one lied"
            );
            halt.cancel();
        }
        let (file, found) = (file.to_owned(), Mutex::new(found));
        Ok(Self {
            metrics,
            quorum,
            file,
            early: Mutex::default(),
            found,
            halt,
        })
    }

    /// Takes a verified ack of a validator of this network.
    pub(crate) fn take_ack(&self, ledger: &Ledger, ack: Ack) {
        if ack.height > ledger.tip().height {
            let mut early = self.early.lock().expect("no holder of this lock panics");
            let of_validator = early.entry(ack.validator).or_default();
            let known = of_validator
                .get(&ack.height)
                .filter(|known| known.contradicts(&ack));
            if let Some(known) = known.cloned() {
                drop(early);
                return self.report(known, ack);
            }
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
        let compared = contradicted(ledger, &ack).and_then(|contradicted| match contradicted {
            None => ledger.add_ack(ack).map(drop),
            Some(known) => {
                self.report(known, ack);
                Ok(())
            }
        });
        if let Err(error) = compared {
            tracing::warn!(%error, "an ack could not be compared");
        }
    }

    fn report(&self, first: Ack, second: Ack) {
        let view = EvidenceView {
            validator: second.validator,
            first,
            second,
        };
        let mut found = self.found.lock().expect("no holder of this lock panics");
        if found.contains(&view) || found.len() >= EVIDENCE_MAX {
            return;
        }
        tracing::error!(
            validator = %view.validator,
            height = view.second.height,
            block = %view.second.block_hash,
            other_block = %view.first.block_hash,
            "a validator acknowledged another block than the one known for its height"
        );
        self.metrics.evidence.add(1);
        found.push(view);
        if let Err(error) = write(&self.file, &found) {
            tracing::error!(%error, file = %self.file.display(), "evidence could not be kept");
        }
        if self.quorum == Quorum::Majority {
            tracing::error!("this validator stops signing and goes on answering reads");
            self.halt.cancel();
        }
    }

    /// Every contradiction found and not yet removed by an operator.
    pub(crate) fn found(&self) -> Vec<EvidenceView> {
        self.found
            .lock()
            .expect("no holder of this lock panics")
            .clone()
    }

    /// Whether this node takes part in consensus.
    pub(crate) fn is_signing(&self) -> bool {
        !self.halt.is_cancelled()
    }
}

/// The statement that `ack` contradicts, if it does: the same validator's earlier one, or else an
/// ack of the block that stands here.
fn contradicted(ledger: &Ledger, ack: &Ack) -> Result<Option<Ack>, LedgerError> {
    let Some(header) = ledger.header(ack.height)? else {
        return Ok(None);
    };
    if header.hash() == ack.block_hash && header.state_root == ack.state_root {
        return Ok(None);
    }
    let acks = ledger.acks(ack.height)?;
    let own_words = acks.iter().find(|known| known.contradicts(ack));
    Ok(own_words.or(acks.first()).cloned())
}

fn write(file: &Path, found: &[EvidenceView]) -> Result<(), std::io::Error> {
    let temporary = file.with_extension("tmp");
    let mut out = std::fs::File::create(&temporary)?;
    serde_json::to_writer_pretty(&mut out, found)?;
    out.sync_all()?;
    std::fs::rename(&temporary, file)
}

#[cfg(test)]
mod tests {
    use tabella_protocol::{Hash, Revote};

    use super::*;
    use crate::testing::{Fixture, key};

    #[test]
    fn an_agreeing_ack_is_kept_and_a_contradicting_one_stops_the_node_for_good() {
        let fixture = Fixture::new(Revote::Refuse);
        let ledger = &fixture.ledger;
        let file = fixture.directory.path().join("evidence.json");
        let open = || EvidenceLog::open(&file, Quorum::Majority, Arc::default()).unwrap();
        let log = open();
        let tip = ledger.tip();
        let ack = |height, block| {
            Ack::sign(
                &ledger.genesis_hash(),
                height,
                block,
                tip.state_root,
                &key(1),
            )
        };
        let honest = ack(tip.height, tip.block_hash);
        log.take_ack(ledger, honest.clone());
        assert_eq!(ledger.acks(tip.height).unwrap(), [honest.clone()]);
        assert!(log.is_signing() && log.found().is_empty());

        let lie = ack(tip.height, Hash::of(b"another block"));
        log.take_ack(ledger, lie.clone());
        assert!(!log.is_signing());
        let evidence = EvidenceView {
            validator: lie.validator,
            first: honest,
            second: lie,
        };
        assert_eq!(log.found(), [evidence.clone()]);
        let reopened = open();
        assert!(!reopened.is_signing());
        assert_eq!(reopened.found(), [evidence]);
    }

    #[test]
    fn acks_that_come_early_wait_for_their_block() {
        let fixture = Fixture::new(Revote::Refuse);
        let ledger = &fixture.ledger;
        let file = fixture.directory.path().join("evidence.json");
        let log = EvidenceLog::open(&file, Quorum::Bft, Arc::default()).unwrap();
        let height = ledger.tip().height + 1;
        let lie = Ack::sign(
            &ledger.genesis_hash(),
            height,
            Hash::ZERO,
            Hash::ZERO,
            &key(1),
        );
        log.take_ack(ledger, lie.clone());
        assert!(log.found().is_empty());
        fixture.commit_bytes(&fixture.ballot(1, 0));
        let tip = ledger.tip();
        let own = Ack::sign(
            &ledger.genesis_hash(),
            height,
            tip.block_hash,
            tip.state_root,
            &key(1),
        );
        ledger.add_ack(own).unwrap();
        log.take_early(ledger);
        assert_eq!(log.found().len(), 1);
        assert!(
            log.is_signing(),
            "under bft one lying validator stops nobody"
        );
    }
}
