//! Following the chain without signing, until whatever this key signed before cannot matter.
//!
//! A key that signed at height `h` had committed `h - 1`, so a quorum precommitted `h - 1`, and all of
//! it but this validator had committed `h - 2`. Any quorum of the others holds one of those, because
//! two quorums share more than one validator's place. So once a quorum of others has said, each on its
//! own connection, what it has committed, this key signed nothing above the greatest of those heights
//! plus two, and, signing nothing meanwhile, never will have.
//!
//! So starts every node that knows nothing, unless an operator said that its key has never signed: an
//! empty directory looks the same on a new machine and after the loss of a disk.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use tabella_consensus::{
    Config as ConsensusConfig, Handle, Node, Participation, WalError, WalPolicy, check_wal,
};
use tabella_ledger::Ledger;
use tabella_protocol::{Hash, PublicKey, SigningKey};

use crate::{Config, application::Validator, backup, node::RunError, stop::Stop};

const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The consensus log in the data directory.
const LOG: &str = "consensus.wal";
/// How often an operator is told what is waited for.
const TELL_INTERVAL: Duration = Duration::from_secs(10);

/// Whether the data directory was restored from a backup and its node must not sign yet.
pub(crate) fn is_restored(data: &Path) -> bool {
    data.join(backup::RESTORED).exists()
}

/// Marks an empty data directory as restored, unless it was made for the first start of this key.
pub(crate) fn unless_first_start(
    config: &Config,
    ledger: &Ledger,
    key: &SigningKey,
) -> Result<(), RunError> {
    let (data, own) = (config.data.as_path(), key.public());
    let is_empty = ledger.tip().height == 0;
    if !is_empty
        || config.accept_missing_wal
        || is_restored(data)
        || backup::is_first_start(data, ledger.genesis_hash(), own)
    {
        return Ok(());
    }
    tracing::warn!(
        data = %data.display(),
        "the data directory holds no chain, and nobody said that its key has never signed: following \
         the others before it signs. Where this is the first start of a new network, stop, empty the \
         data directory and run `tabella validator --config FILE --first-start` once"
    );
    backup::mark(data, ledger.genesis_hash(), own)
        .map_err(|error| RunError::Failed(error.to_string()))
}

/// Whether this is the first start of a key, and nothing was written that it could have signed. A log
/// that is there is held to as on any other day, and one that was there and is gone is missed.
pub(crate) fn has_never_signed(
    data: &Path,
    ledger: &Ledger,
    own: PublicKey,
) -> Result<bool, WalError> {
    if ledger.tip().height > 0 || !backup::is_first_start(data, ledger.genesis_hash(), own) {
        return Ok(false);
    }
    match check_wal(data, WalPolicy::Require, 1) {
        Ok(_) => Ok(false),
        Err(WalError::Missing { .. }) if !backup::had_first_log(data) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Notes, in the directory of a first start, that there is a log, as soon as there is one.
pub(crate) async fn note_first_log(data: &Path, genesis: Hash, own: PublicKey) {
    while backup::is_first_start(data, genesis, own) && !backup::had_first_log(data) {
        let log = std::fs::metadata(data.join(LOG));
        if log.is_ok_and(|log| log.len() > 0)
            && let Err(error) = backup::note_first_log(data, genesis, own)
        {
            tracing::warn!(%error, "cannot note that the first start has a log");
            return;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Runs consensus as an observer until this node may sign; then removes the mark. Returns early,
/// leaving the mark, where the node is told to stop.
pub(crate) async fn until_safe(
    config: ConsensusConfig,
    validator: Arc<Validator>,
    stop: &Stop,
) -> Result<(), RunError> {
    let data = config.data_dir.clone();
    let own = config.signing_key.public();
    let ledger = Arc::clone(&validator.ledger);
    let observer = ConsensusConfig {
        participation: Participation::Observe,
        wal: WalPolicy::Create,
        ..config
    };
    tracing::warn!(
        "following the chain without signing, until nothing that this key may have signed before matters"
    );
    let node = Node::start(observer, validator as _).await?;
    let handle = node.handle();
    let (safe, is_safe) = tokio::sync::oneshot::channel();
    let watch = async move {
        let others = |ledger: &Ledger| -> Vec<PublicKey> {
            let all = ledger.proposers().into_iter();
            all.filter(|key| *key != own).collect()
        };
        let mut waiting = Waiting::new();
        let mut bound = Bound::new(ledger.validators().hash());
        let last_signed = loop {
            let needed = ledger.next_validators().threshold();
            let told = last_signed(&handle.peer_tips(), &others(&ledger), needed);
            let bound = bound.told(ledger.validators().hash(), told);
            match bound {
                Some(height) if ledger.tip().height >= height => break height,
                _ => waiting.a_moment(&handle, &ledger, bound).await,
            }
        };
        let _ = safe.send(last_signed);
        std::future::pending::<()>().await;
    };
    let ended = node.run(async move {
        tokio::select! {
            () = stop.stopped() => {}
            _ = is_safe => {
                // The next height is the first one above all that was signed.
                if let Err(error) = backup::unmark(&data) {
                    stop.fail(format!("cannot remove the mark of the restored data: {error}"));
                }
            }
        }
    });
    tokio::select! {
        ended = ended => ended?,
        () = watch => unreachable!("it waits for consensus to end"),
    }
    Ok(())
}

/// The greatest height that this key can have signed at, once enough others have spoken.
fn last_signed(
    tips: &BTreeMap<PublicKey, u64>,
    others: &[PublicKey],
    needed: usize,
) -> Option<u64> {
    let told: Vec<u64> = others
        .iter()
        .filter_map(|key| tips.get(key))
        .copied()
        .collect();
    let greatest = told.iter().max()?;
    (told.len() >= needed).then(|| greatest.saturating_add(2))
}

/// How far this key can have signed, by all that was told so far.
struct Bound {
    /// The validators who told it.
    sets: Hash,
    height: Option<u64>,
}

impl Bound {
    fn new(sets: Hash) -> Self {
        Self { sets, height: None }
    }

    /// Takes what is told now. Whenever it is told, it bounds what was signed before this node started, so
    /// the least holds: who exaggerated is forgiven once it says less. Where the validators have changed,
    /// those of before have no say.
    fn told(&mut self, sets: Hash, told: Option<u64>) -> Option<u64> {
        if self.sets != sets {
            *self = Self::new(sets);
        }
        let least = self.height.into_iter().chain(told).min();
        if let Some(height) = least.filter(|_| self.height != least) {
            tracing::info!(height, "the key can have signed up to this height");
        }
        self.height = least;
        least
    }
}

/// Tells an operator, now and then, what is waited for.
struct Waiting {
    since: tokio::time::Instant,
}

impl Waiting {
    fn new() -> Self {
        let since = tokio::time::Instant::now();
        Self { since }
    }

    async fn a_moment(&mut self, handle: &Handle, ledger: &Ledger, signs_above: Option<u64>) {
        if self.since.elapsed() >= TELL_INTERVAL {
            *self = Self::new();
            tracing::warn!(
                height = ledger.tip().height,
                signs_above,
                peers = handle.connected_peers().len(),
                "still not signing: a quorum of the other validators must be up and continue; where this \
                 network is new and nobody has signed, stop all, move their data directories away, and \
                 say --first-start of each"
            );
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use tabella_protocol::{Quorum, SigningKey};

    use super::*;
    use crate::testing::{Fixture, key};

    /// What is said of the log of a first start, whose directory `change` has changed.
    fn first_start_with(change: impl FnOnce(&Path, &Ledger)) -> Result<bool, WalError> {
        let fixture = Fixture::empty(Fixture::genesis(Quorum::Majority));
        let (genesis, own) = (fixture.ledger.genesis_hash(), key(1).public());
        let data = tempfile::tempdir().unwrap();
        backup::first_start(data.path(), genesis, own).unwrap();
        change(data.path(), &fixture.ledger);
        has_never_signed(data.path(), &fixture.ledger, own)
    }

    #[test]
    fn a_key_whose_log_is_lost_or_damaged_may_have_signed_at_its_first_start() {
        assert!(first_start_with(|_, _| {}).unwrap(), "before any log");
        let noted = |data: &Path, ledger: &Ledger| {
            backup::note_first_log(data, ledger.genesis_hash(), key(1).public()).unwrap();
        };
        let lost = first_start_with(noted).unwrap_err();
        assert!(matches!(lost, WalError::Missing { .. }), "{lost}");
        assert!(lost.to_string().contains("restore --config FILE --lost"));
        for left in [vec![], vec![0; 4_096]] {
            let emptied = first_start_with(|data, ledger| {
                noted(data, ledger);
                std::fs::write(data.join(LOG), &left).unwrap();
            });
            assert!(
                matches!(emptied, Err(WalError::Missing { .. })),
                "{emptied:?}"
            );
        }
        let damaged = first_start_with(|data, _| {
            std::fs::write(data.join(LOG), [0xa5; 4_096]).unwrap();
        });
        assert!(
            matches!(
                damaged,
                Err(WalError::Damaged { .. } | WalError::OtherHeight { .. })
            ),
            "{damaged:?}"
        );
        let unmarked = first_start_with(|data, _| backup::end_first_start(data).unwrap());
        assert!(!unmarked.unwrap(), "its first start is over");
    }

    #[tokio::test]
    async fn a_first_start_notes_its_log_as_soon_as_there_is_one() {
        let fixture = Fixture::empty(Fixture::genesis(Quorum::Majority));
        let (genesis, own) = (fixture.ledger.genesis_hash(), key(1).public());
        let data = tempfile::tempdir().unwrap();
        backup::first_start(data.path(), genesis, own).unwrap();
        let making = async {
            tokio::task::yield_now().await;
            assert!(!backup::had_first_log(data.path()));
            std::fs::write(data.path().join(LOG), [1; 12]).unwrap();
        };
        let noting = tokio::time::timeout(
            Duration::from_secs(20),
            note_first_log(data.path(), genesis, own),
        );
        let ((), noted) = tokio::join!(making, noting);
        noted.unwrap();
        std::fs::remove_file(data.path().join(LOG)).unwrap();
        let gone = has_never_signed(data.path(), &fixture.ledger, own);
        assert!(matches!(gone, Err(WalError::Missing { .. })), "{gone:?}");
    }

    #[test]
    fn only_a_quorum_of_other_validators_says_how_far_the_key_can_have_signed() {
        let [a, b, stranger] = [1, 2, 9].map(|seed| SigningKey::from_seed([seed; 32]).public());
        let check = |tips: &[(PublicKey, u64)], expected| {
            let tips = tips.iter().copied().collect();
            assert_eq!(last_signed(&tips, &[a, b], 2), expected, "{tips:?}");
        };
        check(&[], None);
        check(&[(a, 7)], None);
        check(&[(a, 7), (stranger, 100)], None);
        check(&[(a, 7), (b, 5), (stranger, 100)], Some(9));
        check(&[(a, u64::MAX), (b, 5)], Some(u64::MAX));
    }

    #[test]
    fn what_was_exaggerated_holds_until_less_is_told_or_the_validators_change() {
        let [before, after] = [b"before", b"after!"].map(|name| Hash::of(name));
        let mut bound = Bound::new(before);
        assert_eq!(bound.told(before, None), None);
        assert_eq!(bound.told(before, Some(u64::MAX)), Some(u64::MAX));
        assert_eq!(
            bound.told(before, None),
            Some(u64::MAX),
            "silence takes nothing back"
        );
        assert_eq!(bound.told(before, Some(9)), Some(9));
        assert_eq!(bound.told(before, Some(12)), Some(9), "the network goes on");
        assert_eq!(bound.told(after, None), None, "the liar was removed");
        assert_eq!(bound.told(after, Some(12)), Some(12));
    }
}
