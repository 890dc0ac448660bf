//! Reads of the proven chain that are costly, in turn.

use std::time::Duration;

use tabella_follower::Follower;
use tabella_http_server::{Busy, Queue, QueueBounds};
use tabella_ledger::{Ledger, LedgerError};
use tabella_protocol::rpc::PluginView;

use crate::{client_address::ClientAddress, problem::Problem};

/// Reads of blocks, pages of boards and rules for an answer: each has a thread, and may hold some MiB.
pub(crate) const BLOCK_READS: QueueBounds = QueueBounds {
    running_max: 4,
    waiting_max: 1_024,
    waiting_per_address_max: 128,
    wait_max: Duration::from_secs(10),
};
/// Parts of exports and of whole boards: each has a thread, and may hold a block. Those that wait are bounded
/// by the streams.
pub(crate) const LONG_READS: QueueBounds = QueueBounds {
    running_max: 2,
    waiting_max: 1_024,
    waiting_per_address_max: 1_024,
    wait_max: Duration::from_secs(60),
};

/// Reads blocks, when the turn of this address comes.
pub(crate) async fn read_in_turn<T: Send + 'static>(
    follower: &Follower,
    queue: &Queue,
    address: ClientAddress,
    read: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, Problem> {
    let turn = queue.turn(address.in_line()).await;
    let turn = turn.map_err(|Busy| Problem::too_many_reads())?;
    let read = tabella_outbox::read(follower, move |ledger| {
        let read = read(ledger);
        // Kept until the work is done, whoever still waits for it.
        drop(turn);
        read
    });
    Ok(read.await?)
}

/// Returns every rule that is on the chain, by hash.
pub(crate) fn published(ledger: &Ledger) -> Result<Vec<PluginView>, LedgerError> {
    let plugins = ledger.plugins().into_iter();
    let views = plugins.map(|(hash, _)| ledger.plugin_view(&hash, false));
    views.filter_map(Result::transpose).collect()
}
