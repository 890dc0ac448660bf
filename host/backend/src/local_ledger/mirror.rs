//! Keeps the elections of the local ledger in step with the network's.

use std::{sync::Arc, time::Duration};

use super::AppendError;
use crate::app::App;

/// How often the network is asked where nothing new is known.
const PERIOD: Duration = Duration::from_millis(500);

/// Takes over what shapes elections on the network, for ever.
pub(crate) async fn mirror(app: Arc<App>) {
    loop {
        match step(&app).await {
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

async fn step(app: &App) -> Result<Step, AppendError> {
    let Some(mirrored) = app.local.mirrored_height() else {
        app.local.revive().await?;
        return Ok(Step::UpToDate);
    };
    if app.height() <= mirrored || !app.client.is_connected() {
        return Ok(Step::UpToDate);
    }
    let changes = app
        .client
        .election_changes(mirrored.saturating_add(1))
        .await
        .map_err(|error| AppendError::Failed(error.to_string()))?;
    if changes.to_height <= mirrored {
        return Ok(Step::UpToDate);
    }
    app.local
        .take_over(changes.blocks, changes.to_height)
        .await?;
    Ok(Step::Advanced)
}
