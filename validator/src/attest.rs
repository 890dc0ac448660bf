//! Tallying closed elections and attesting the result on the chain.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tabella_ledger::{Election, ElectionTally, ElectionTallyError, Ledger, LedgerError, Tip};
use tabella_protocol::{Attestation, Hash, Payload, SigningKey, Transaction, TransactionBody};
use tokio::{sync::watch, time::Instant};

use crate::{dissent::Dissent, intake::Intake, metrics::Metrics, stop::Stop};

/// An attestation that is not on the chain after this long is sent again.
const RETRY: Duration = Duration::from_secs(10);
/// How many heights an attestation stays valid.
const EXPIRY_HEIGHTS: u64 = 10_000;

/// What attests.
pub(crate) struct Attesting {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) dissent: Arc<Dissent>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) key: SigningKey,
    pub(crate) stop: Stop,
}

/// Follows the chain; tallies what closes, outside block execution, and attests it, for as long as
/// nothing that this validator stores or counted is found to be wrong.
pub(crate) async fn attest_results(attesting: Attesting, mut tip: watch::Receiver<Tip>) {
    let Attesting {
        ledger,
        dissent,
        metrics,
        key,
        ..
    } = &attesting;
    let mut attempts: BTreeMap<u64, Instant> = BTreeMap::new();
    loop {
        dissent.look(ledger, &key.public());
        for election_id in dissent.to_recount() {
            attesting.recount(election_id).await;
        }
        metrics.soundness(ledger, dissent);
        let is_validator = ledger.next_validators().contains(&key.public());
        for election in ledger.elections() {
            let attested = election
                .attestations()
                .any(|(by, _, _)| *by == key.public());
            if !election.is_closed() || attested || !is_validator || !dissent.may_attest(ledger) {
                attempts.remove(&election.id());
                continue;
            }
            let retry = attempts
                .get(&election.id())
                .is_none_or(|at| at.elapsed() >= RETRY);
            if retry {
                attempts.insert(election.id(), Instant::now());
                attesting.attest(election).await;
            }
        }
        if tip.changed().await.is_err() {
            return;
        }
    }
}

/// How an election is counted.
type Tally = fn(&Ledger, &Election) -> Result<ElectionTally, ElectionTallyError>;

impl Attesting {
    /// Counts again what this validator's key attested otherwise than a quorum, in another process or on
    /// another disk.
    async fn recount(&self, election_id: u64) {
        let Some(election) = self.ledger.election(election_id) else {
            return;
        };
        let certified = election.result().cloned();
        let counted = self.count(election, count_anew).await;
        let is_as_certified = counted.is_some() && counted == certified;
        self.dissent.recounted(election_id, is_as_certified);
    }

    /// What this validator counts, where its data and the rule let it.
    async fn count(&self, election: Arc<Election>, tally: Tally) -> Option<Attestation> {
        let id = election.id();
        let tallying = tokio::task::spawn_blocking({
            let ledger = Arc::clone(&self.ledger);
            move || tally(&ledger, &election)
        });
        match tallying.await {
            Ok(Ok(tally)) => return Some(tally.attestation),
            // Said where it was found. There is nothing to attest, and no reason to stop.
            Ok(Err(ElectionTallyError::Ledger(LedgerError::Damaged(_)))) => {}
            Ok(Err(ElectionTallyError::Ledger(error))) => self.stop.fail(error),
            Ok(Err(error @ ElectionTallyError::Rule { .. })) => {
                // Every honest validator fails alike: there is no result to attest.
                tracing::error!(election = id, %error, "the rule cannot count this board");
            }
            Err(panic) => {
                let failure = format!("tallying election {id} failed: {panic}");
                self.stop.fail(failure);
            }
        }
        None
    }

    async fn attest(&self, election: Arc<Election>) {
        let id = election.id();
        let Some(attestation) = self.count(election, tally).await else {
            return;
        };
        self.dissent.counted(id);
        // The others may have been faster, and damage may have been found meanwhile.
        let election = self.ledger.election(id);
        let certified = election.as_ref().and_then(|election| election.result());
        if certified.is_some_and(|certified| *certified != attestation) {
            self.dissent.own(id);
        }
        if !self.dissent.may_attest(&self.ledger) {
            return;
        }
        let genesis = self.ledger.genesis();
        let ahead = EXPIRY_HEIGHTS.min(genesis.expiry_heights_max);
        let expiry_height = self.ledger.tip().height + ahead;
        let payload = Payload::AttestResult(attestation);
        let body = TransactionBody::new(genesis.chain_id, expiry_height, payload);
        let transaction = Transaction::sign(body, &self.key);
        for answer in self.intake.submit(vec![transaction.to_bytes()]).await {
            match answer {
                Ok(transaction) => log_sent(id, transaction),
                Err(refusal) => {
                    tracing::warn!(election = id, %refusal, "attestation refused");
                }
            }
        }
    }
}

/// This validator's tally of a closed election, kept once it is made; made again where a quorum has
/// certified another.
fn tally(ledger: &Ledger, election: &Election) -> Result<ElectionTally, ElectionTallyError> {
    let is_certified = |tally: &ElectionTally| {
        let certified = election.result();
        certified.is_none_or(|certified| *certified == tally.attestation)
    };
    if let Some(tally) = ledger.stored_tally(election.id())?.filter(is_certified) {
        return Ok(tally);
    }
    count_anew(ledger, election)
}

/// This validator's tally, from the ballots, whatever it kept.
fn count_anew(ledger: &Ledger, election: &Election) -> Result<ElectionTally, ElectionTallyError> {
    let started = std::time::Instant::now();
    let tally = ledger.tally(election)?;
    ledger.store_tally(&tally)?;
    let ballots = tally.attestation.board_size;
    tracing::info!(election = election.id(), ballots, took = ?started.elapsed(), "tallied");
    Ok(tally)
}

fn log_sent(election: u64, transaction: Hash) {
    tracing::info!(election, %transaction, "result attested");
}

#[cfg(test)]
mod tests {
    use redb::{Database, TableDefinition};
    use tabella_protocol::{Payload, Quorum, Revote};

    use super::*;
    use crate::{
        journal::Journal,
        mempool::Bounds,
        pool::Pool,
        testing::{Fixture, key},
    };

    const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");

    /// A validator with a closed election of one ballot for `a`, whose stored block may be changed.
    struct Node {
        fixture: Fixture,
        attesting: Attesting,
        height: u64,
    }

    impl Node {
        async fn start(change: impl Fn(&Fixture, &mut Vec<u8>)) -> Self {
            let mut fixture = Fixture::new(Revote::Refuse);
            fixture.commit_bytes(&fixture.ballot(1, 0));
            let height = fixture.ledger.tip().height;
            fixture.commit(Payload::CloseElection { election_id: 1 });
            let mut bytes = fixture.ledger.block(height).unwrap().unwrap().bytes;
            change(&fixture, &mut bytes);
            // One database at a time.
            let path = fixture.directory.path().join("chain.redb");
            let elsewhere = tempfile::TempDir::new().unwrap();
            let genesis = Fixture::genesis(Quorum::Majority);
            let other = Ledger::open(elsewhere.path(), genesis.clone()).unwrap();
            drop(std::mem::replace(&mut fixture.ledger, Arc::new(other)));
            let database = Database::open(path).unwrap();
            let transaction = database.begin_write().unwrap();
            {
                let mut blocks = transaction.open_table(BLOCKS).unwrap();
                blocks.insert(height, bytes.as_slice()).unwrap();
            }
            transaction.commit().unwrap();
            drop(database);
            let ledger = Ledger::open(fixture.directory.path(), genesis).unwrap();
            fixture.ledger = Arc::new(ledger);

            let attesting = attesting(&fixture).await;
            Self {
                fixture,
                attesting,
                height,
            }
        }

        /// How many attestations it sends.
        async fn attested(&self) -> usize {
            let election = self.fixture.ledger.election(1).unwrap();
            self.attesting.attest(election).await;
            assert_eq!(self.attesting.stop.failure(), None);
            self.attesting.intake.len()
        }
    }

    async fn attesting(fixture: &Fixture) -> Attesting {
        let stop = Stop::default();
        let file = fixture.directory.path().join("mempool.redb");
        let (journal, held) = Journal::open(&file, stop.clone()).unwrap();
        let bounds = Bounds {
            transactions_max: 10,
            bytes_max: 1 << 20,
        };
        let pool = Arc::new(Pool::new(Arc::clone(&fixture.ledger), bounds));
        Attesting {
            ledger: Arc::clone(&fixture.ledger),
            intake: Intake::start(pool, journal, held, stop.clone()).await,
            dissent: Arc::default(),
            metrics: Arc::default(),
            key: key(1),
            stop,
        }
    }

    fn find(bytes: &[u8], part: &[u8]) -> usize {
        let mut windows = bytes.windows(part.len());
        windows.position(|window| window == part).expect("a part")
    }

    #[tokio::test]
    async fn a_validator_with_a_changed_ballot_attests_nothing_says_so_and_goes_on() {
        let sound = Node::start(|_, _| {}).await;
        assert_eq!(sound.attested().await, 1);
        assert!(sound.fixture.ledger.is_sound());

        // A ballot that is as valid as the one that was cast.
        let changed = Node::start(|fixture, bytes| {
            let election = fixture.ledger.election(1).unwrap();
            let [cast, other] = ["a", "b"].map(|choice| {
                let choice = serde_json::json!({ "choice": choice });
                election.contests()[0].encode_ballot(&choice).unwrap()
            });
            // Behind its length.
            let part = [
                &[u8::try_from(cast.len()).unwrap(), 0, 0, 0],
                cast.as_slice(),
            ]
            .concat();
            let at = find(bytes, &part) + 4;
            bytes[at..at + other.len()].copy_from_slice(&other);
        })
        .await;
        let ledger = &changed.fixture.ledger;
        assert_eq!(changed.attested().await, 0);
        let damage = ledger.damage();
        assert_eq!(damage.len(), 1, "{damage:?}");
        let expected = format!("height {}", changed.height);
        assert_eq!(
            (damage[0].table, damage[0].at.as_str()),
            ("blocks", expected.as_str())
        );
        assert!(!changed.attesting.dissent.may_attest(ledger));
        assert!(ledger.stored_tally(1).unwrap().is_none());
        assert_eq!(changed.attested().await, 0);
    }

    #[tokio::test]
    async fn a_validator_whose_count_is_not_the_certified_one_attests_nothing() {
        let node = Node::start(|_, _| {}).await;
        let ledger = &node.fixture.ledger;
        let election = ledger.election(1).unwrap();
        // What others agreed on is another outcome: here by one who counted wrong.
        let mut wrong = ledger.tally(&election).unwrap().attestation;
        wrong.outcomes = vec![Hash::ZERO];
        node.fixture.commit(Payload::AttestResult(wrong));
        assert!(ledger.election(1).unwrap().result().is_some());
        assert_eq!(node.attested().await, 0);
        assert_eq!(node.attesting.dissent.of_own(), [1]);
        assert!(!node.attesting.dissent.may_attest(ledger));
    }

    /// The others certified what it does not count while it counted.
    #[tokio::test]
    async fn a_count_that_turns_out_to_be_another_than_the_certified_one_is_not_sent() {
        for (is_as_certified, sent) in [(true, 1), (false, 0)] {
            let fixture = Fixture::of_three();
            fixture.commit_bytes(&fixture.ballot(1, 0));
            fixture.commit(Payload::CloseElection { election_id: 1 });
            let before = fixture.ledger.election(1).unwrap();
            let mut certified = fixture.ledger.tally(&before).unwrap().attestation;
            if !is_as_certified {
                certified.outcomes = vec![Hash::ZERO];
            }
            for n in [2, 3] {
                let payload = Payload::AttestResult(certified.clone());
                fixture.commit_bytes(&fixture.sign_by(&key(n), 0, payload));
            }
            let attesting = attesting(&fixture).await;
            assert!(attesting.dissent.may_attest(&fixture.ledger));
            attesting.attest(before).await;
            assert_eq!(attesting.stop.failure(), None);
            assert_eq!(attesting.intake.len(), sent);
            assert_eq!(
                attesting.dissent.may_attest(&fixture.ledger),
                is_as_certified
            );
        }
    }

    /// What a validator that starts says of an election of which it attested `own` and a quorum `others`:
    /// which it counted otherwise, and whether it attests.
    async fn starts_with(own: &str, others: &str) -> (Vec<u64>, bool) {
        let fixture = Fixture::of_three();
        fixture.commit_bytes(&fixture.ballot(1, 0));
        fixture.commit(Payload::CloseElection { election_id: 1 });
        let election = fixture.ledger.election(1).unwrap();
        let right = fixture.ledger.tally(&election).unwrap();
        let said = |what: &str| {
            let mut said = right.clone();
            if what != "right" {
                said.outcomes = vec![what.as_bytes().to_vec()];
                said.attestation.outcomes = vec![Hash::of(what.as_bytes())];
            }
            said
        };
        for (n, what) in [(1, own), (2, others), (3, others)] {
            let payload = Payload::AttestResult(said(what).attestation);
            fixture.commit_bytes(&fixture.sign_by(&key(n), 0, payload));
        }
        // What it counted then, it kept.
        fixture.ledger.store_tally(&said(own)).unwrap();
        let attesting = attesting(&fixture).await;
        let (dissent, ledger) = (Arc::clone(&attesting.dissent), Arc::clone(&fixture.ledger));
        // Once around: no block comes.
        let (_, tip) = watch::channel(ledger.tip());
        attest_results(attesting, tip).await;
        let kept = ledger.stored_tally(1).unwrap().unwrap();
        assert_eq!(kept.attestation, right.attestation, "what it counts now");
        (dissent.of_own(), dissent.may_attest(&ledger))
    }

    #[tokio::test]
    async fn a_dissenter_that_counts_as_the_others_once_it_starts_again_attests_again() {
        assert_eq!(starts_with("right", "right").await, (vec![], true));
        assert_eq!(starts_with("wrong", "right").await, (vec![], true));
        // It counts otherwise still: here because the others counted wrong.
        assert_eq!(starts_with("right", "wrong").await, (vec![1], false));
    }
}
