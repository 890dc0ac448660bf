//! Reads the chain's database again in the background, so that a byte which changed is found before it
//! is needed.

use std::{
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

/// Passes through the chain again and again. Never returns.
pub(crate) async fn run(ledger: Arc<Ledger>, dissent: Arc<Dissent>, metrics: Arc<Metrics>) {
    loop {
        let started = Instant::now();
        match pass(&ledger, &dissent, &metrics).await {
            Ok(scrub) => {
                metrics.scrub_passes.add(1);
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
) -> Result<Scrub, LedgerError> {
    let mut scrub = Scrub::new(ledger, Signatures::OfValidators);
    loop {
        let ledger_read = Arc::clone(ledger);
        let work = tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            let mut progress = Progress::Going;
            while progress == Progress::Going && started.elapsed() < WORK {
                progress = scrub.step(&ledger_read)?;
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
