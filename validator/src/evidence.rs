//! Evidence: statements of validators that contradict each other, found here or told by others.
//!
//! Under quorum `majority` a validator that lies can make two histories final. It cannot do so
//! unseen: every validator acknowledges what it committed, and a node that meets an ack of another
//! block than its own keeps both as evidence and stops signing, also after a restart, until an
//! operator has looked. It goes on answering reads. Under `bft` a certificate is final whatever one
//! validator says, so the evidence is kept and the node goes on.
//!
//! What is found is told to the others, and with it the own certificate of a contested height: two
//! certificates of one height name the validators that signed both.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tabella_ledger::{Ledger, LedgerError};
use tabella_protocol::{Ack, CommitCertificate, Evidence, Hash, PublicKey, Quorum};
use tokio_util::sync::CancellationToken;

use crate::{metrics::Metrics, stop::Stop};

/// Acks of heights that this node has not committed yet, a validator's last few.
const EARLY_MAX: usize = 64;
/// Evidence kept.
const EVIDENCE_MAX: usize = 1_000;
/// Evidence kept that names no liar, only validators of which one at least lies: what proves somebody's lie
/// has the rest to itself.
const EVIDENCE_OF_TWO_MAX: usize = EVIDENCE_MAX / 2;
/// Contradictions of a kind kept of each validator, or of two; one is enough to act on.
const EVIDENCE_OF_SAME_MAX: usize = 8;

/// Compares what validators say with what stands here, and keeps what contradicts.
pub(crate) struct EvidenceLog {
    metrics: Arc<Metrics>,
    stop: Stop,
    file: PathBuf,
    /// Acks that came before this node committed their height.
    early: Mutex<BTreeMap<PublicKey, BTreeMap<u64, Ack>>>,
    /// By the fault's name.
    found: Mutex<BTreeMap<Hash, Evidence>>,
    /// Cancelled when this node must not sign any more.
    pub(crate) halt: CancellationToken,
}

impl EvidenceLog {
    /// Opens the evidence kept in `file`; where it contradicts a history under `majority`, this node
    /// must not sign.
    pub(crate) fn open(
        file: &Path,
        ledger: &Ledger,
        metrics: Arc<Metrics>,
        stop: Stop,
    ) -> Result<Self, std::io::Error> {
        let found: Vec<Evidence> = match std::fs::read_to_string(file) {
            Ok(text) => serde_json::from_str(&text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let halt = CancellationToken::new();
        if found.iter().any(|evidence| halts(ledger, evidence)) {
            tracing::error!(
                file = %file.display(),
                "this validator met another history than its own and does not sign; compare the \
                 validators' blocks, and remove the file once you know which one lied"
            );
            halt.cancel();
        }
        let found = found.into_iter().map(|e| (e.subject(), e)).collect();
        let (file, found) = (file.to_owned(), Mutex::new(found));
        Ok(Self {
            metrics,
            stop,
            file,
            early: Mutex::default(),
            found,
            halt,
        })
    }

    /// Takes a verified ack of a validator of this network. Returns evidence that is new.
    pub(crate) fn take_ack(&self, ledger: &Ledger, ack: Ack) -> Option<Evidence> {
        if ack.height <= ledger.tip().height {
            return self.compare(ledger, ack);
        }
        let known = {
            let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
            let of_validator = early.entry(ack.validator).or_default();
            let known = of_validator.get(&ack.height).cloned();
            if known.is_none() {
                of_validator.insert(ack.height, ack.clone());
            }
            while of_validator.len() > EARLY_MAX {
                of_validator.pop_first();
            }
            known
        };
        let known = known.filter(|known| known.contradicts(&ack))?;
        self.take(ledger, Evidence::acks(known, ack))
    }

    /// Takes up the acks that waited for this node to commit their height.
    pub(crate) fn take_early(&self, ledger: &Ledger) -> Vec<Evidence> {
        let height = ledger.tip().height;
        let mut due = Vec::new();
        {
            let mut early = self.early.lock().unwrap_or_else(PoisonError::into_inner);
            for acks in early.values_mut() {
                let later = acks.split_off(&(height + 1));
                due.extend(std::mem::replace(acks, later).into_values());
            }
        }
        let found = due.into_iter().map(|ack| self.compare(ledger, ack));
        found.flatten().collect()
    }

    /// Compares the certificate that another validator holds with the one that stands here.
    pub(crate) fn take_certificate(
        &self,
        ledger: &Ledger,
        certificate: CommitCertificate,
    ) -> Option<Evidence> {
        let own = match ledger.block(certificate.height) {
            Ok(own) => own?,
            Err(error) => {
                tracing::warn!(%error, "a certificate could not be compared");
                return None;
            }
        };
        if own.hash == certificate.block_hash {
            return None;
        }
        self.take(ledger, Evidence::fork(own.certificate, certificate))
    }

    /// Verifies evidence and keeps it. Returns it if it is new.
    pub(crate) fn take(&self, ledger: &Ledger, evidence: Evidence) -> Option<Evidence> {
        let subject = evidence.subject();
        {
            let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            if found.contains_key(&subject) || !has_room(&found, &evidence) {
                return None;
            }
        }
        let summary = match evidence.verify(&ledger.validators()) {
            Ok(summary) => summary,
            Err(error) => {
                self.metrics.peer_garbage.inc();
                tracing::debug!(%error, "evidence that proves nothing was dropped");
                return None;
            }
        };
        let liars: Vec<_> = summary.liars.iter().map(|liar| &liar.node_id).collect();
        tracing::error!(
            kind = summary.kind,
            height = summary.height,
            ?liars,
            "validators signed statements that contradict each other; see `tabella validator evidence`"
        );
        self.metrics.evidence.inc();
        let kept = {
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            found.insert(subject, evidence.clone());
            write(&self.file, &found)
        };
        // A node that forgot it over a restart would sign again.
        if let Err(error) = kept {
            let file = self.file.display();
            self.stop
                .fail(format!("evidence could not be written to {file}: {error}"));
        }
        if halts(ledger, &evidence) && !self.halt.is_cancelled() {
            tracing::error!("this validator stops signing and goes on answering reads");
            self.halt.cancel();
        }
        Some(evidence)
    }

    fn compare(&self, ledger: &Ledger, ack: Ack) -> Option<Evidence> {
        let compared = contradicted(ledger, &ack).and_then(|contradicted| match contradicted {
            None => ledger.add_ack(ack).map(|_| None),
            Some(known) => Ok(self.take(ledger, Evidence::acks(known, ack))),
        });
        compared.unwrap_or_else(|error| {
            tracing::warn!(%error, "an ack could not be compared");
            None
        })
    }

    /// Everything found and not yet removed by an operator, oldest height first.
    pub(crate) fn found(&self) -> Vec<Evidence> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> = found.values().cloned().collect();
        found.sort_by_key(Evidence::height);
        found
    }

    /// Whether nothing forbids this node to take part in consensus.
    pub(crate) fn is_signing(&self) -> bool {
        !self.halt.is_cancelled()
    }
}

/// Whether there is room for one more of its kind and signers. A liar that contradicts everybody, at every
/// height, must not leave others' lies unrecorded.
fn has_room(found: &BTreeMap<Hash, Evidence>, evidence: &Evidence) -> bool {
    let signers = signers(evidence);
    let of_two = |evidence: &Evidence| signers_differ(self::signers(evidence));
    let same = found
        .values()
        .filter(|known| known.kind() == evidence.kind() && self::signers(known) == signers);
    let has_share = match of_two(evidence) {
        true => found.values().filter(|known| of_two(known)).count() < EVIDENCE_OF_TWO_MAX,
        false => true,
    };
    found.len() < EVIDENCE_MAX
        && has_share
        && (signers.is_none() || same.count() < EVIDENCE_OF_SAME_MAX)
}

fn signers_differ(signers: Option<(PublicKey, PublicKey)>) -> bool {
    signers.is_some_and(|(first, second)| first != second)
}

/// Who signed the two statements, in the order of their keys; nobody for certificates, which many sign.
fn signers(evidence: &Evidence) -> Option<(PublicKey, PublicKey)> {
    let (first, second) = match evidence {
        Evidence::Votes { first, second } => (first.vote.validator, second.vote.validator),
        Evidence::Proposals { first, second } => {
            (first.proposal.proposer, second.proposal.proposer)
        }
        Evidence::Acks { first, second } => (first.validator, second.validator),
        Evidence::Fork { .. } => return None,
    };
    Some((first.min(second), first.max(second)))
}

/// Whether evidence shows that the history has split, where the quorum rule does not mask it.
fn halts(ledger: &Ledger, evidence: &Evidence) -> bool {
    matches!(evidence, Evidence::Acks { .. } | Evidence::Fork { .. })
        && ledger.validators().at(evidence.height()).quorum == Quorum::Majority
}

/// The statement that `ack` contradicts, if it does: the same validator's earlier one, or else an
/// ack of the block that stands here.
fn contradicted(ledger: &Ledger, ack: &Ack) -> Result<Option<Ack>, LedgerError> {
    let tip = ledger.tip();
    let agrees = (ack.height, ack.block_hash, ack.state_root)
        == (tip.height, tip.block_hash, tip.state_root);
    if agrees {
        return Ok(None);
    }
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

fn write(file: &Path, found: &BTreeMap<Hash, Evidence>) -> Result<(), std::io::Error> {
    let temporary = file.with_extension("tmp");
    let mut out = std::fs::File::create(&temporary)?;
    serde_json::to_writer_pretty(&mut out, &found.values().collect::<Vec<_>>())?;
    out.sync_all()?;
    std::fs::rename(&temporary, file)?;
    match file.parent() {
        // The new name is durable once its directory is.
        Some(directory) => std::fs::File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tabella_protocol::Revote;

    use super::*;
    use crate::testing::{Fixture, key};

    fn open(fixture: &Fixture) -> EvidenceLog {
        let file = fixture.directory.path().join("evidence.json");
        EvidenceLog::open(&file, &fixture.ledger, Arc::default(), Stop::default()).unwrap()
    }

    #[test]
    fn an_agreeing_ack_is_kept_and_a_contradicting_one_stops_the_node_for_good() {
        let fixture = Fixture::new(Revote::Refuse);
        let ledger = &fixture.ledger;
        let log = open(&fixture);
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
        assert_eq!(log.take_ack(ledger, honest.clone()), None);
        assert_eq!(
            ledger.acks(tip.height).unwrap(),
            std::slice::from_ref(&honest)
        );
        assert!(log.is_signing() && log.found().is_empty());

        let lie = ack(tip.height, Hash::of(b"another block"));
        let evidence = Evidence::acks(honest, lie.clone());
        assert_eq!(log.take_ack(ledger, lie.clone()), Some(evidence.clone()));
        assert_eq!(log.take_ack(ledger, lie), None, "it is news once");
        assert!(!log.is_signing());
        assert_eq!(log.found(), std::slice::from_ref(&evidence));
        let reopened = open(&fixture);
        assert!(!reopened.is_signing());
        assert_eq!(reopened.found(), [evidence]);
    }

    #[test]
    fn acks_that_come_early_wait_for_their_block() {
        let fixture = Fixture::with_quorum(Quorum::Bft);
        let ledger = &fixture.ledger;
        let log = open(&fixture);
        let height = ledger.tip().height + 1;
        let lie = Ack::sign(
            &ledger.genesis_hash(),
            height,
            Hash::ZERO,
            Hash::ZERO,
            &key(1),
        );
        assert_eq!(log.take_ack(ledger, lie), None);
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
        assert_eq!(log.take_early(ledger).len(), 1);
        assert!(
            log.is_signing(),
            "under bft one lying validator stops nobody"
        );
    }

    #[test]
    fn acks_of_heights_far_ahead_are_the_last_few_of_their_validator() {
        let fixture = Fixture::with_quorum(Quorum::Bft);
        let ledger = &fixture.ledger;
        let log = open(&fixture);
        let tip = ledger.tip().height;
        for height in tip + 1..=tip + 3 * EARLY_MAX as u64 {
            let genesis = ledger.genesis_hash();
            let ack = Ack::sign(&genesis, height, Hash::ZERO, Hash::ZERO, &key(1));
            assert_eq!(log.take_ack(ledger, ack), None);
        }
        let early = log.early.lock().unwrap();
        let waiting: usize = early.values().map(BTreeMap::len).sum();
        assert_eq!(waiting, EARLY_MAX);
    }

    #[test]
    fn evidence_that_cannot_be_kept_stops_the_node() {
        let fixture = Fixture::new(Revote::Refuse);
        let ledger = &fixture.ledger;
        let stop = Stop::default();
        let file = fixture.directory.path().join("gone/evidence.json");
        let log = EvidenceLog::open(&file, ledger, Arc::default(), stop.clone()).unwrap();
        let genesis = ledger.genesis_hash();
        let ack = |block: &[u8]| Ack::sign(&genesis, 1, Hash::of(block), Hash::ZERO, &key(1));
        assert!(
            log.take(ledger, Evidence::acks(ack(b"a"), ack(b"b")))
                .is_some()
        );
        assert!(!log.is_signing());
        let failure = stop.failure().unwrap();
        assert!(
            failure.starts_with("evidence could not be written"),
            "{failure}"
        );
    }

    #[test]
    fn a_liar_that_contradicts_everybody_leaves_room_for_the_next_one() {
        let ack = |height: u64, seed: u8| Ack {
            height,
            block_hash: Hash::of(&height.to_be_bytes()),
            state_root: Hash::ZERO,
            validator: key(seed).public(),
            signature: key(seed).sign(b""),
        };
        let mut found = BTreeMap::new();
        let mut keep = |evidence: Evidence| {
            let has_room = has_room(&found, &evidence);
            if has_room {
                found.insert(evidence.subject(), evidence);
            }
            has_room
        };
        // Key 1 lies about every height; whom it contradicts changes.
        let kept = (1..2_000_u64)
            .filter(|height| keep(Evidence::acks(ack(*height, 1), ack(*height, 2))))
            .count();
        assert_eq!(kept, EVIDENCE_OF_SAME_MAX);
        assert!(
            !keep(Evidence::acks(ack(5_000, 2), ack(5_000, 1))),
            "the same two"
        );
        let of_two = (3..255_u8)
            .flat_map(|seed| (0..20).map(move |n| (seed, 10_000 + n)))
            .filter(|(seed, height)| keep(Evidence::acks(ack(*height, 1), ack(*height, *seed))))
            .count();
        assert_eq!(kept + of_two, EVIDENCE_OF_TWO_MAX);
        let again = |height| Evidence::acks(ack(height, 9), ack(height, 9));
        let of_one = (1..100).filter(|height| keep(again(*height))).count();
        assert_eq!(
            of_one, EVIDENCE_OF_SAME_MAX,
            "what proves a lie has its room"
        );
    }

    #[test]
    fn what_proves_nothing_is_dropped() {
        let fixture = Fixture::new(Revote::Refuse);
        let log = open(&fixture);
        let ack =
            |genesis: &Hash, block, seed| Ack::sign(genesis, 1, block, Hash::ZERO, &key(seed));
        let genesis = fixture.ledger.genesis_hash();
        let (a, b) = (Hash::of(b"a"), Hash::of(b"b"));
        for evidence in [
            Evidence::acks(ack(&genesis, a, 1), ack(&genesis, a, 1)),
            Evidence::acks(ack(&genesis, a, 9), ack(&genesis, b, 9)),
            Evidence::acks(ack(&Hash::ZERO, a, 1), ack(&Hash::ZERO, b, 1)),
        ] {
            assert_eq!(log.take(&fixture.ledger, evidence), None);
        }
        assert!(log.is_signing());
    }
}
