//! Stopping the node: on request, or because something failed that it must not outlive.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// Tells every part of the node to stop, and remembers the first failure. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Stop {
    token: CancellationToken,
    failure: Arc<Mutex<Option<String>>>,
}

impl Stop {
    /// Stops the node because of a failure in the host; the first one is what `run` answers.
    pub(crate) fn fail(&self, reason: impl std::fmt::Display) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if failure.is_none() {
            tracing::error!(%reason, "the validator cannot go on and stops");
            *failure = Some(reason.to_string());
        }
        self.token.cancel();
    }

    /// Stops the node in good order.
    pub(crate) fn stop(&self) {
        self.token.cancel();
    }

    /// Resolves when the node is to stop.
    pub(crate) async fn stopped(&self) {
        self.token.cancelled().await;
    }

    /// Whether the node is to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.token.is_cancelled()
    }

    /// The first failure, if one stopped the node.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
