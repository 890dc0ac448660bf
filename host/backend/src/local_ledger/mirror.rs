//! Keeps the elections of the local ledger, and those of the database, in step with the network's.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tabella_protocol::rpc::ElectionStatus;

use super::AppendError;
use crate::app::App;

/// How often the network is asked where nothing new is known.
const PERIOD: Duration = Duration::from_millis(500);

/// Takes over what shapes elections on the network, for ever.
pub(crate) async fn mirror(app: Arc<App>) {
    let mut kept_height = 0;
    loop {
        match step(&app, &mut kept_height).await {
            // There may be more at once.
            Ok(Step::Advanced) => {}
            Ok(Step::UpToDate) => tokio::time::sleep(PERIOD).await,
            Err(error) => {
                tracing::debug!(%error, "elections could not be taken over into the local ledger");
                tokio::time::sleep(PERIOD).await;
            }
        }
    }
}

enum Step {
    Advanced,
    UpToDate,
}

async fn step(app: &App, kept_height: &mut u64) -> Result<Step, AppendError> {
    let mirrored = app.local.mirrored_height();
    if mirrored.is_none() {
        app.local.revive().await?;
    }
    let done = mirrored.unwrap_or(*kept_height);
    if app.height() <= done || !app.client.is_connected() {
        return Ok(Step::UpToDate);
    }
    let changes = app
        .client
        .election_changes(done.saturating_add(1))
        .await
        .map_err(|error| AppendError::Failed(error.to_string()))?;
    let to_height = changes.to_height;
    if to_height <= done {
        return Ok(Step::UpToDate);
    }
    let has_changes = !changes.blocks.is_empty() && to_height > *kept_height;
    if has_changes {
        keep_all(app).await?;
    }
    if mirrored.is_some() {
        app.local.take_over(changes.blocks, to_height).await?;
    }
    *kept_height = to_height.max(*kept_height);
    Ok(Step::Advanced)
}

/// Keeps every election that takes ballots now or later in the database, with its rules: where the local
/// ledger fails too, its ballots are recorded there.
async fn keep_all(app: &App) -> Result<(), AppendError> {
    let views = app.client.elections().await;
    let views = views.map_err(|error| AppendError::Failed(error.to_string()))?;
    let kept = app.store.elections().await;
    let kept = kept.map_err(|error| AppendError::Failed(error.to_string()))?;
    let kept: HashMap<u64, ElectionStatus> = kept
        .iter()
        .map(|view| (view.election_id, view.status))
        .collect();
    for view in views {
        let is_over = matches!(view.status, ElectionStatus::Closed | ElectionStatus::Final);
        let is_kept = kept.get(&view.election_id) == Some(&view.status);
        // One whose rule cannot be run here is none that ballots can be taken for.
        if !is_over
            && !is_kept
            && let Err(problem) = app.elections.get(view.election_id).await
        {
            let (election_id, detail) = (view.election_id, problem.detail());
            tracing::debug!(election_id, detail, "an election cannot be kept");
        }
    }
    Ok(())
}
