//! What goes on beside requests.

use std::{sync::Arc, time::Duration};

use tabella_client::VerifiedBlock;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    carry, close,
    confirm::{self, Confirming},
    failover::{self, Partner},
    level, lines, local_ledger,
    outbox::Outbox,
    reconcile,
};

/// How long the start waits until the blocks that validators speak of are executed here.
const CATCH_UP_WAIT: Duration = Duration::from_secs(3);

impl Outbox {
    /// Starts what carries ballots to the chain and writes down what becomes of them; each of the tasks goes
    /// on as long as this does. `blocks` are those that the follower has executed, of which the database
    /// knows the confirmations up to the height `known`.
    pub async fn start(
        self: &Arc<Self>,
        tasks: &mut JoinSet<()>,
        blocks: mpsc::Receiver<Arc<VerifiedBlock>>,
        known: u64,
    ) {
        let confirming = Confirming {
            store: self.store.clone(),
            pending: Arc::clone(&self.pending),
            listener: Arc::clone(&self.listener),
        };
        tasks.spawn(confirm::confirm_blocks(confirming, blocks, known));
        tasks.spawn(carry::carry(Arc::clone(self)));
        let (follower, local) = (self.follower.clone(), self.local.clone());
        tasks.spawn(local_ledger::mirror(follower, local));
        tasks.spawn(reconcile::keep(Arc::clone(&self.reconciliation)));
        if let Some(shared) = self.store.shared() {
            tasks.spawn(failover::share(Partner {
                shared: Arc::clone(shared),
                client: self.client.clone(),
                pending: Arc::clone(&self.pending),
                local: self.local.clone(),
            }));
        }
        self.tell_standing().await;
        tasks.spawn(level::watch(Arc::clone(&self.levels)));
        let lines = Arc::clone(&self.lines);
        tasks.spawn(async move {
            loop {
                tokio::time::sleep(lines::PERIOD).await;
                lines.sum();
            }
        });
        tasks.spawn(close::carry_through(Arc::clone(self)));
    }

    /// Stops what writes, once everything queued is durable.
    pub async fn stop(&self) {
        self.local.close().await;
        self.store.close().await;
    }

    /// Checks every validator once, and says what can be served.
    async fn tell_standing(&self) {
        let report = self.client.refresh_validator_status().await;
        tracing::info!(
            "validator health check: {}/{} healthy",
            report.healthy,
            report.validators.len()
        );
        if report.healthy > 0 {
            let claimed = self.client.blockchain_state().claimed_height;
            let reached = self.follower.reached(claimed.unwrap_or(0));
            // Late: requests are answered as of the height that is reached, and say so.
            let _ = tokio::time::timeout(CATCH_UP_WAIT, reached).await;
            return;
        }
        let elections = self.elections.all().len();
        if elections == 0 {
            tracing::warn!(
                "no validator answers and no election is known from before: no ballot can be taken until a validator answers"
            );
        } else {
            tracing::warn!(
                elections,
                "no validator answers: ballots of the elections known from before are kept in the local ledger"
            );
        }
    }
}
