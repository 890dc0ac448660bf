//! Keeping the copy in step with the network.

use std::{sync::Arc, time::Duration};

use tabella_client::{Client, QueryError, VerifiedBlock};
use tabella_ledger::Tip;
use tabella_protocol::rpc::BlockView;
use tokio::{sync::mpsc, time::Instant};

use crate::{FollowError, Follower, acks::Acks};

/// Whole blocks asked for in one request.
const FETCH_MAX: u64 = 16;
/// How long what was executed may wait for the disk: what a crash takes is fetched again.
const SYNC_PERIOD: Duration = Duration::from_millis(250);
/// Pause before a failed fetch or write is tried again.
const RETRY: Duration = Duration::from_millis(250);
/// How long a block may be on its way before readers wait for it no longer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Blocks behind from which on progress is logged.
const FAR_BEHIND: u64 = 500;
/// Pause between two such lines.
const LOG_PERIOD: Duration = Duration::from_secs(5);

impl Follower {
    /// Follows the network until the client ends.
    ///
    /// `certified` brings every certified block after the copy's tip, in order. Each is passed on to
    /// `onward` at once, whatever becomes of the copy: a certificate confirms a ballot, and a body that
    /// cannot be had or executed must not hold that up. Beside it the bodies are fetched, proven and
    /// executed, a request's worth in memory at a time.
    pub async fn follow(
        self,
        client: Client,
        certified: mpsc::Receiver<Arc<VerifiedBlock>>,
        onward: mpsc::Sender<Arc<VerifiedBlock>>,
    ) {
        let gathering = Acks::new(self.clone(), client.clone()).gather();
        let executing = Work::new(self.clone(), client).run();
        tokio::select! {
            () = self.pass_on(certified, onward) => {}
            () = executing => {}
            () = gathering => {}
        }
        Work::sync(&self).await;
    }

    /// Passes blocks on, and notes how far the chain is certified.
    async fn pass_on(
        &self,
        mut certified: mpsc::Receiver<Arc<VerifiedBlock>>,
        onward: mpsc::Sender<Arc<VerifiedBlock>>,
    ) {
        while let Some(block) = certified.recv().await {
            // The copy goes on though what is passed on may wait for a database.
            self.certified(block.height());
            if onward.send(block).await.is_err() {
                return;
            }
        }
    }
}

struct Work {
    follower: Follower,
    client: Client,
    fetch: u64,
    /// When the oldest block that is not durable was executed.
    unsynced: Option<Instant>,
    logged: Instant,
}

impl Work {
    fn new(follower: Follower, client: Client) -> Self {
        Self {
            follower,
            client,
            fetch: FETCH_MAX,
            unsynced: None,
            logged: Instant::now(),
        }
    }

    /// Executes what is certified, for as long as the follower lives.
    async fn run(mut self) {
        let mut progress = self.follower.changes();
        loop {
            let news = progress.wait_for(|progress| progress.behind() > 0);
            let certified = match tokio::time::timeout(SYNC_PERIOD, news).await {
                Ok(Ok(progress)) => Some(progress.certified_height),
                Ok(Err(_)) => return,
                Err(_) => None,
            };
            match certified {
                Some(height) => self.catch_up(height).await,
                None => self.sync_if_due().await,
            }
        }
    }

    /// Fetches and executes blocks up to `newest`, whatever it takes.
    async fn catch_up(&mut self, newest: u64) {
        loop {
            let tip = self.follower.tip();
            if tip.height >= newest {
                return;
            }
            self.log_progress(tip.height, newest);
            let to = newest.min(tip.height + self.fetch);
            let fetched = self.fetch(tip, to).await;
            let taken = match fetched {
                Ok(views) => self.take(views, to - tip.height).await,
                Err(error) => {
                    self.fetch = (self.fetch / 2).max(1);
                    Err(unreadable(&error))
                }
            };
            if let Err(problem) = taken {
                if self.logged.elapsed() >= LOG_PERIOD {
                    self.logged = Instant::now();
                    let height = tip.height + 1;
                    tracing::warn!(height, "the next block is not executed yet: {problem}");
                }
                self.follower.stuck(problem);
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// Fetches blocks after `tip`; says so where validators take long to send them.
    async fn fetch(&self, tip: Tip, to: u64) -> Result<Vec<BlockView>, QueryError> {
        let mut fetching = std::pin::pin!(self.client.blocks(tip.height, tip.block_hash, to));
        match tokio::time::timeout(PATIENCE, &mut fetching).await {
            Ok(fetched) => fetched,
            Err(_) => {
                let problem = format!("validators have not sent it within {PATIENCE:?}");
                self.follower.stuck(problem);
                fetching.await
            }
        }
    }

    async fn take(&mut self, views: Vec<BlockView>, asked: u64) -> Result<(), String> {
        let got = views.len() as u64;
        self.fetch = match got < asked {
            true => got.max(1),
            false => (self.fetch * 2).min(FETCH_MAX),
        };
        let is_due = self
            .unsynced
            .is_some_and(|since| since.elapsed() >= SYNC_PERIOD);
        let follower = self.follower.clone();
        let taking = tokio::task::spawn_blocking(move || follower.take(&views, is_due));
        let taken = taking
            .await
            .map_err(|error| FollowError::Task(error.to_string()));
        match taken.and_then(|taken| taken) {
            Ok(true) => self.unsynced = None,
            Ok(false) => {
                self.unsynced.get_or_insert_with(Instant::now);
            }
            Err(error) => {
                // Those before the one that failed are taken.
                self.unsynced.get_or_insert_with(Instant::now);
                return Err(error.to_string());
            }
        }
        Ok(())
    }

    async fn sync_if_due(&mut self) {
        let is_due = self
            .unsynced
            .is_some_and(|since| since.elapsed() >= SYNC_PERIOD);
        if is_due && Self::sync(&self.follower).await {
            self.unsynced = None;
        }
    }

    /// Makes what was executed durable; returns whether it is.
    async fn sync(follower: &Follower) -> bool {
        let follower = follower.clone();
        let synced = tokio::task::spawn_blocking(move || follower.sync()).await;
        let synced = synced.map_err(|error| FollowError::Task(error.to_string()));
        match synced.and_then(|synced| synced.map_err(FollowError::from)) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "the proven chain cannot be made durable");
                false
            }
        }
    }

    fn log_progress(&mut self, height: u64, newest: u64) {
        if self.logged.elapsed() < LOG_PERIOD {
            return;
        }
        let claimed = self.client.blockchain_state().claimed_height;
        let network_height = claimed.unwrap_or(newest).max(newest);
        if network_height - height >= FAR_BEHIND {
            self.logged = Instant::now();
            tracing::info!(
                height,
                network_height,
                "executing the chain's blocks; answers are as of this height"
            );
        }
    }
}

fn unreadable(error: &QueryError) -> String {
    format!("it cannot be fetched: {error}")
}
