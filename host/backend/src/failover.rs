//! What backends that share a database owe each other: a sign of life, taking over what a dead one had
//! not settled, and looking after what others carry and somebody here waits for.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tabella_protocol::Hash;

use crate::{
    app::App,
    pending::Settled,
    store::{Reach, Shared, State, StoreError},
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

/// Takes part among the backends over one database, for ever.
pub(crate) async fn share(app: Arc<App>, shared: Arc<Shared>) {
    let mut before = Before::default();
    loop {
        let result = round(&app, &shared, &mut before).await;
        match (shared.set_healthy(result.is_ok()), result) {
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

async fn round(app: &App, shared: &Shared, before: &mut Before) -> Result<(), StoreError> {
    let reach = match app.client.is_connected() {
        true => Reach::Validators,
        false => Reach::Nobody,
    };
    before.connected = match reach {
        Reach::Validators => before.connected.or(Some(Instant::now())),
        Reach::Nobody => None,
    };
    let life = shared.sign_of_life(reach).await?;
    if before.since_us.is_some_and(|known| known != life.since_us) {
        tracing::warn!(
            "this backend was taken for dead for a while; others may carry its votes now"
        );
        app.pending.disown_all();
        shared.doubt_all();
    }
    before.since_us = Some(life.since_us);
    if shared.is_in_doubt() {
        let started = Instant::now();
        app.pending.carry(shared.own().await?);
        shared.has_read_again(started);
    }
    // Who was away itself does not judge others at once: they may all come back with the database, or
    // reach validators again with this one.
    let is_connected = before.connected.is_some_and(|at| at.elapsed() > CONNECTED);
    if life.is_established && is_connected && life.others_left {
        take_over(app, shared).await?;
    }
    look(app, shared).await
}

async fn take_over(app: &App, shared: &Shared) -> Result<(), StoreError> {
    let mut count = 0;
    loop {
        let taken = shared.take_over(TAKEN_MAX).await?;
        let ids: Vec<Hash> = taken.own.iter().map(|d| d.transaction_id).collect();
        count += ids.len();
        app.pending.carry(taken);
        for id in ids.iter().filter(|id| app.local.holds(id)) {
            app.pending.kept_locally(id);
        }
        if ids.len() < TAKEN_MAX {
            break;
        }
    }
    if count > 0 {
        tracing::info!(count, "took over votes that another backend does not carry");
    }
    Ok(())
}

/// Looks after what others carry: it may be settled, signed again, or this backend's by now.
async fn look(app: &App, shared: &Shared) -> Result<(), StoreError> {
    let mut from = 0;
    loop {
        let (sequences, next) = app.pending.elsewhere(from, PATIENCE, LOOKED_MAX);
        if !sequences.is_empty() {
            for (kept, is_own) in shared.look(&sequences).await? {
                let durable = kept.durable();
                match settled(app, kept.submission.state) {
                    Some(settled) => app.pending.settle(durable.sequence, &settled),
                    None => {
                        let (id, expiry) = (durable.transaction_id, durable.expiry_height);
                        app.pending.replace(durable.sequence, id, expiry);
                        if is_own {
                            app.pending.insert(durable);
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

/// How a submission ended, as the database says; nothing while it is open.
pub(crate) fn settled(app: &App, state: State) -> Option<Settled> {
    match state {
        State::Open => None,
        State::Confirmed {
            height,
            block_hash,
            validator,
            ..
        } => Some(Settled::Confirmed {
            height,
            block_hash,
            validator: validator.and_then(|node_id| app.validator(&node_id)),
        }),
        State::Rejected { code, reason, .. } => Some(Settled::Rejected { code, reason }),
    }
}
