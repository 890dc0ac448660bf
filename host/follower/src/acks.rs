//! The acks that come after their blocks.

use std::time::Duration;

use tabella_client::Client;

use crate::Follower;

/// Pause between two looks.
const PERIOD: Duration = Duration::from_secs(1);
/// Heights whose acks are asked for at once.
const HEIGHTS_MAX: u64 = 64;

/// Asks for the acks of blocks that were executed a while ago: most come after the block.
pub(crate) struct Acks {
    follower: Follower,
    client: Client,
    /// The lowest height that was not asked for.
    from: u64,
}

impl Acks {
    pub(crate) fn new(follower: Follower, client: Client) -> Self {
        Self {
            from: follower.tip().height + 1,
            follower,
            client,
        }
    }

    /// Gathers them for ever.
    pub(crate) async fn gather(mut self) {
        loop {
            tokio::time::sleep(PERIOD).await;
            if self.client.is_connected() {
                self.round().await;
            }
        }
    }

    async fn round(&mut self) {
        let tip = self.follower.tip().height;
        // Of a long history that is caught up with, only the newest are worth a second look.
        self.from = self.from.max(tip.saturating_sub(4 * HEIGHTS_MAX));
        if self.from >= tip {
            return;
        }
        let count = (tip - self.from).min(HEIGHTS_MAX);
        let Ok(acks) = self.client.acks(self.from, count).await else {
            return;
        };
        self.from += acks.len() as u64;
        let follower = self.follower.clone();
        let keeping = tokio::task::spawn_blocking(move || {
            let of_heights = acks.iter();
            of_heights
                .map(|acks| follower.take_acks(acks))
                .collect::<Result<(), _>>()?;
            follower.sync()
        });
        match keeping.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "acks cannot be kept"),
            Err(error) => tracing::warn!(%error, "acks cannot be kept"),
        }
    }
}
