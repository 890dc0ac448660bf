//! What backends that share a database owe each other: a sign of life, taking over what a dead one had
//! not settled, and looking after what others carry and somebody here waits for.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tabella_client::Client;
use tabella_protocol::Hash;

use crate::{
    ended,
    local_ledger::LocalLedger,
    pending::{Carried, Pending},
    store::{Reach, Shared, StoreError},
};

/// Pause between two rounds: several fit into the time after which a backend is taken for dead.
const PERIOD: Duration = Duration::from_millis(500);
/// How long a backend must have reached validators before it takes over from one that does not.
const CONNECTED: Duration = Duration::from_secs(5);
/// Submissions taken over in one transaction, during which nobody else writes.
const TAKEN_MAX: usize = 1_000;
/// Submissions of others looked up at once.
const LOOKED_MAX: usize = 1_000;
/// How long a submission of another backend is looked after here once nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// One backend among those over one database.
pub(crate) struct Partner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) client: Client,
    pub(crate) pending: Arc<Pending>,
    pub(crate) local: LocalLedger,
}

/// Takes part among the backends over one database, forever.
pub(crate) async fn share(partner: Partner) {
    let mut before = Before::default();
    loop {
        let result = partner.round(&mut before).await;
        match (partner.shared.set_healthy(result.is_ok()), result) {
            (true, Err(error)) => tracing::error!(%error, "the database failed"),
            (false, Ok(())) => tracing::info!("the database is there again"),
            _ => {}
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// What earlier rounds found.
#[derive(Default)]
struct Before {
    /// Since when this backend was seen without a gap.
    since_us: Option<i64>,
    /// Since when it has reached a validator without a gap.
    connected: Option<Instant>,
}

impl Partner {
    async fn round(&self, before: &mut Before) -> Result<(), StoreError> {
        let reach = match self.client.is_connected() {
            true => Reach::Validators,
            false => Reach::Nobody,
        };
        before.connected = match reach {
            Reach::Validators => before.connected.or(Some(Instant::now())),
            Reach::Nobody => None,
        };
        let life = self.shared.sign_of_life(reach).await?;
        if before.since_us.is_some_and(|known| known != life.since_us) {
            tracing::warn!(
                "this backend was taken for dead for a while; others may carry its votes now"
            );
            self.pending.disown_all();
            self.shared.doubt_all();
        }
        before.since_us = Some(life.since_us);
        if self.shared.is_in_doubt() {
            let started = Instant::now();
            self.carry(self.shared.own().await?);
            self.shared.has_read_again(started);
        }
        // Who was away itself does not judge others at once: they may all come back with the database, or
        // reach validators again with this one.
        let is_connected = before.connected.is_some_and(|at| at.elapsed() > CONNECTED);
        if life.is_established && is_connected && life.others_left {
            self.take_over().await?;
        }
        self.look().await
    }

    async fn take_over(&self) -> Result<(), StoreError> {
        let mut count = 0;
        loop {
            let taken = self.shared.take_over(TAKEN_MAX).await?;
            let taken_now = self.carry(taken);
            count += taken_now;
            if taken_now < TAKEN_MAX {
                break;
            }
        }
        if count > 0 {
            tracing::info!(count, "took over votes that another backend does not carry");
        }
        Ok(())
    }

    /// Carries these from now on; returns how many.
    fn carry(&self, carried: Carried) -> usize {
        let ids: Vec<Hash> = carried.own.iter().map(|d| d.transaction_id).collect();
        self.pending.carry(carried);
        for id in ids.iter().filter(|id| self.local.holds(id)) {
            self.pending.kept_locally(id);
        }
        ids.len()
    }

    /// Looks after what others carry: it may be settled, signed again, or this backend's by now.
    async fn look(&self) -> Result<(), StoreError> {
        let mut from = 0;
        loop {
            let (sequences, next) = self.pending.elsewhere(from, PATIENCE, LOOKED_MAX);
            if !sequences.is_empty() {
                for (kept, is_own) in self.shared.look(&sequences).await? {
                    let durable = kept.durable();
                    match ended::settled(&self.client, kept.submission) {
                        Some(settled) => self.pending.settle(durable.sequence, &settled),
                        None => {
                            let (id, expiry) = (durable.transaction_id, durable.expiry_height);
                            self.pending.replace(durable.sequence, id, expiry);
                            if is_own {
                                self.pending.insert(durable);
                            }
                        }
                    }
                }
            }
            if next == 0 {
                return Ok(());
            }
            from = next;
        }
    }
}
