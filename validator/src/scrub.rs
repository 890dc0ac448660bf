//! Reads the chain's database again in the background, so that a byte which changed is found before it
//! is needed. Where it is and what it found stands in a file, so that a restart loses neither.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tabella_ledger::{Ledger, LedgerError, Progress, Scrub, Signatures};
use tokio::time::sleep;

use crate::{dissent::Dissent, metrics::Metrics};

/// How long the scrub reads without a pause.
const WORK: Duration = Duration::from_millis(5);
/// How much longer than it read it pauses: it takes at most a fiftieth of a core.
const PAUSE_FACTOR: u32 = 50;
/// Pause between two passes.
const PASS_PAUSE: Duration = Duration::from_secs(60);
/// How often the metrics say what was found meanwhile, by the scrub or by whoever read.
const REPORT: Duration = Duration::from_secs(1);

/// How often the place is written down; after a crash so much is read again.
const SAVE: Duration = Duration::from_secs(30);
/// The file in the data directory that holds it.
const FILE_NAME: &str = "scrub-place";

/// Where a pass is kept.
#[derive(Debug, Clone)]
pub(crate) struct PlaceFile(PathBuf);

impl PlaceFile {
    pub(crate) fn in_directory(data: &Path) -> Self {
        Self(data.join(FILE_NAME))
    }

    /// The pass that was under way, with what it found; a new one where there is none.
    pub(crate) fn resume(&self, ledger: &Ledger) -> Scrub {
        let anew = || Scrub::new(ledger, Signatures::OfValidators);
        let bytes = match fs::read(&self.0) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return anew(),
            Err(error) => {
                self.unusable(&error);
                return anew();
            }
        };
        Scrub::resume(ledger, &bytes).unwrap_or_else(|| {
            self.unusable(&"it is damaged, or of another chain");
            anew()
        })
    }

    fn unusable(&self, problem: &dyn std::fmt::Display) {
        let file = self.0.display();
        tracing::warn!(%file, %problem, "stored data is re-checked from the first block on");
    }

    fn save(&self, place: &[u8]) {
        let temporary = self.0.with_extension("tmp");
        let written = File::create(&temporary).and_then(|mut out| {
            out.write_all(place)?;
            out.sync_all()?;
            fs::rename(&temporary, &self.0)
        });
        if let Err(error) = written {
            // The disk may be full; whoever commits the next block says so.
            tracing::warn!(%error, file = %self.0.display(), "where the re-check is cannot be kept");
        }
    }
}

/// Passes through the chain again and again, from where `scrub` is. Never returns.
pub(crate) async fn run(
    ledger: Arc<Ledger>,
    dissent: Arc<Dissent>,
    metrics: Arc<Metrics>,
    file: PlaceFile,
    scrub: Scrub,
) {
    let mut scrub = Some(scrub);
    loop {
        let started = Instant::now();
        let next = scrub
            .take()
            .unwrap_or_else(|| Scrub::new(&ledger, Signatures::OfValidators));
        match pass(&ledger, &dissent, &metrics, &file, next).await {
            Ok(scrub) => {
                metrics.scrub_passes.inc();
                let blocks = scrub.checked().blocks;
                tracing::debug!(blocks, took = ?started.elapsed(), "stored data re-checked");
            }
            // The disk may be gone; whoever commits the next block says so and stops.
            Err(error) => tracing::error!(%error, "stored data could not be re-checked"),
        }
        let paused = Instant::now();
        while paused.elapsed() < PASS_PAUSE {
            sleep(REPORT).await;
            metrics.soundness(&ledger, &dissent);
        }
    }
}

async fn pass(
    ledger: &Arc<Ledger>,
    dissent: &Dissent,
    metrics: &Metrics,
    file: &PlaceFile,
    mut scrub: Scrub,
) -> Result<Scrub, LedgerError> {
    let mut saved = Instant::now();
    loop {
        let (ledger_read, file) = (Arc::clone(ledger), file.clone());
        let is_due = saved.elapsed() >= SAVE;
        if is_due {
            saved = Instant::now();
        }
        let work = tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            let mut progress = Progress::Going;
            while progress == Progress::Going && started.elapsed() < WORK {
                progress = scrub.step(&ledger_read)?;
            }
            if is_due || progress == Progress::Done {
                file.save(&scrub.keep(&ledger_read, progress));
            }
            Ok::<_, LedgerError>((scrub, progress, started.elapsed()))
        });
        let (back, progress, took) = work.await.unwrap_or_else(|panic| {
            Err(LedgerError::Storage(format!(
                "the re-check failed: {panic}"
            )))
        })?;
        scrub = back;
        metrics.scrub_height.set(scrub.checked().blocks);
        metrics.soundness(ledger, dissent);
        if progress == Progress::Done {
            return Ok(scrub);
        }
        sleep(took * PAUSE_FACTOR).await;
    }
}

#[cfg(test)]
mod tests {
    use tabella_protocol::{Quorum, Revote};

    use super::*;
    use crate::testing::Fixture;

    #[tokio::test]
    async fn damage_that_the_scrub_found_is_known_at_once_after_a_restart() {
        let mut fixture = Fixture::new(Revote::Refuse);
        let file = PlaceFile::in_directory(fixture.directory.path());
        // Nobody signed the fixture's certificates.
        let scrub = file.resume(&fixture.ledger);
        let (dissent, metrics) = (Dissent::default(), Metrics::default());
        pass(&fixture.ledger, &dissent, &metrics, &file, scrub)
            .await
            .unwrap();
        let found = fixture.ledger.damage();
        assert_eq!(found.len() as u64, fixture.ledger.tip().height);
        // One database at a time.
        let elsewhere = tempfile::TempDir::new().unwrap();
        let genesis = Fixture::genesis(Quorum::Majority);
        let other = Ledger::open(elsewhere.path(), genesis.clone()).unwrap();
        drop(std::mem::replace(&mut fixture.ledger, Arc::new(other)));
        let ledger = Ledger::open(fixture.directory.path(), genesis).unwrap();
        assert!(ledger.is_sound());
        let scrub = file.resume(&ledger);
        assert_eq!(scrub.checked().blocks, 0, "the pass was over");
        assert_eq!(ledger.damage(), found);
        assert!(!dissent.may_attest(&ledger));
        // Without the file nothing is known.
        fs::write(&file.0, b"something else").unwrap();
        assert_eq!(file.resume(&ledger).checked().blocks, 0);
    }
}
