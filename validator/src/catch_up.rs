//! Catching up before taking part: a node that is far behind takes whole blocks from the others'
//! JSON-RPC, verified and executed one by one and written many at a time.
//!
//! Consensus has a way of its own to catch up, but it starts every height of the way and writes as
//! much for each as for one that it decides. Here nothing is signed, so that a crash costs no more
//! than the blocks since the last write. Nobody is believed: the certificates prove the blocks.

use std::{fs::File, io, path::Path, sync::Arc, time::Duration};

use tabella_client::{Client, QueryError, Tip, ValidatorEndpoint};
use tabella_consensus::{StartError, WalPolicy, check_wal};
use tabella_protocol::PeerRecord;

use crate::{
    Config,
    application::Validator,
    backup,
    discovery::Discovery,
    node::{RunError, file_error},
    observe,
};

/// Who is fewer blocks behind is left to consensus.
const BEHIND_MIN: u64 = 64;
/// How long the others may take to prove a newest block.
const PROOF_DEADLINE: Duration = Duration::from_secs(5);
/// How often others are asked again before consensus is left to do it, and the pause in between.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);
/// An operator is told every so many blocks.
const TELL_BLOCKS: u64 = 10_000;
/// Marks a directory whose write-ahead log was the right one when its node began to catch up.
const MARK: &str = "catching-up";

/// Whether the write-ahead log need not fit the chain, because the chain went on without it.
pub(crate) fn is_marked(data: &Path) -> bool {
    data.join(MARK).exists()
}

/// Removes the mark once consensus has decided a block, and so started a log that fits again; and that of
/// a first start, which is over then.
pub(crate) async fn unmark_after_commit(validator: Arc<Validator>, data: &Path) {
    let mut tip = validator.tip.subscribe();
    // The sender lives in the validator, which this holds.
    if tip.changed().await.is_err() {
        return;
    }
    if let Err(error) = backup::end_first_start(data) {
        tracing::warn!(%error, "cannot remove the mark of a first start");
    }
    if !is_marked(data) {
        return;
    }
    let removed = std::fs::remove_file(data.join(MARK)).and_then(|()| File::open(data)?.sync_all());
    if let Err(error) = removed {
        tracing::warn!(%error, "cannot remove the mark of a node that caught up");
    }
}

/// Catches up with the others to within a few blocks, where any of them can be asked. Returns early
/// where the node is to stop; the caller knows.
pub(crate) async fn until_near(
    config: &Config,
    validator: &Arc<Validator>,
    discovery: &Discovery,
) -> Result<(), RunError> {
    discovery.ask_bootnodes().await;
    let Some(client) = client_of(validator, discovery.records()) else {
        return Ok(());
    };
    let mut tries = 0;
    while let Some(target) = newest(&client, validator).await {
        mark(config, validator)?;
        let before = validator.ledger.tip().height;
        tracing::info!(height = before, target, "catching up");
        match follow(&client, validator, target).await {
            Ok(()) => {}
            Err(FollowError::Own(error)) => return Err(error),
            Err(FollowError::Others(error)) => {
                tracing::warn!(%error, "the others' blocks do not come");
                let has_progressed = validator.ledger.tip().height > before;
                tries = if has_progressed { 1 } else { tries + 1 };
                if tries == TRIES {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    Ok(())
}

fn client_of(validator: &Validator, records: Vec<PeerRecord>) -> Option<Client> {
    let endpoints = records.into_iter().map(|record| ValidatorEndpoint {
        node_id: record.node_id,
        rpc_url: record.rpc_url,
        p2p_url: record.p2p_address,
    });
    let genesis = validator.ledger.genesis().clone();
    let client = Client::builder(genesis)
        .validators(endpoints)
        .reader(validator.replica.key.clone());
    match client.build() {
        Ok(client) => Some(client),
        Err(error) => {
            tracing::debug!(%error, "nobody to catch up from");
            None
        }
    }
}

/// The newest block that is proven, where this node is far behind it.
async fn newest(client: &Client, validator: &Validator) -> Option<u64> {
    let far = validator.ledger.tip().height + BEHIND_MIN;
    client.refresh_validator_status().await;
    // Unproven, but whoever exaggerates gains a few seconds of waiting.
    client
        .blockchain_state()
        .claimed_height
        .filter(|claimed| *claimed >= far)?;
    let mut tip = client.tip();
    let is_far = |tip: &Option<Tip>| tip.is_some_and(|tip| tip.height >= far);
    let proven = tokio::time::timeout(PROOF_DEADLINE, tip.wait_for(is_far)).await;
    proven.ok()?.ok()?.map(|tip| tip.height)
}

/// Lets the directory hold a chain that its write-ahead log does not fit, whenever a crash comes.
fn mark(config: &Config, validator: &Validator) -> Result<(), RunError> {
    let data = config.data.as_path();
    if config.accept_missing_wal || is_marked(data) || observe::is_restored(data) {
        return Ok(());
    }
    let tip = validator.ledger.tip().height;
    if tip == 0 {
        // Perhaps a new node, perhaps one that lost all it knew of what its key signed.
        let own = validator.replica.key.public();
        return backup::mark(data, validator.ledger.genesis_hash(), own)
            .map_err(|error| RunError::Failed(error.to_string()));
    }
    check_wal(data, WalPolicy::Require, tip + 1).map_err(StartError::from)?;
    write_mark(data).map_err(file_error("data directory", data))
}

fn write_mark(data: &Path) -> io::Result<()> {
    File::create(data.join(MARK))?;
    File::open(data)?.sync_all()
}

/// Why no more blocks were executed.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    /// The others gave none.
    #[error(transparent)]
    Others(#[from] QueryError),
    /// This node failed.
    #[error(transparent)]
    Own(#[from] RunError),
}

/// Executes the blocks up to `target` while the next ones are on their way. What came before an error is kept.
async fn follow(
    client: &Client,
    validator: &Arc<Validator>,
    target: u64,
) -> Result<(), FollowError> {
    let tip = validator.ledger.tip();
    let mut told = tip.height;
    let mut fetched = client.blocks(tip.height, tip.block_hash, target).await?;
    while let Some(last) = fetched.last() {
        let (height, hash) = (last.header.height, last.hash);
        let (executed, next) = tokio::join!(
            validator.follow(fetched),
            client.blocks(height, hash, target)
        );
        executed.map_err(|fatal| RunError::Failed(fatal.to_string()))?;
        if height >= told + TELL_BLOCKS {
            told = height;
            tracing::info!(height, target, "catching up");
        }
        fetched = next?;
    }
    Ok(())
}
