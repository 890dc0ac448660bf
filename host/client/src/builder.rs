//! Configuring a client.

use std::{sync::Arc, time::Duration};

use tabella_protocol::{Genesis, SigningKey};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    Client, ValidatorEndpoint, VerifiedBlock,
    follower::{self, Chain},
    pool::Pool,
    reader::Reader,
    submission,
    transport::Transport,
};

/// Where following the chain begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FollowFrom {
    /// With the newest block: nothing before it is announced.
    #[default]
    Head,
    /// With the first block.
    Genesis,
    /// With the block after this one, which was verified before.
    Block {
        /// Its height.
        height: u64,
        /// Its hash.
        hash: tabella_protocol::Hash,
    },
}

/// Why a client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No validators were given.
    #[error("expected at least one validator")]
    NoValidators,
    /// A name given twice.
    #[error("validator {0:?} is given twice")]
    Duplicate(String),
    /// An address that is not valid.
    #[error("expected an rpc_url that starts with http://, got {0:?}")]
    BadUrl(String),
    /// The HTTP client cannot be set up.
    #[error("the HTTP client cannot be set up")]
    Http(#[from] reqwest::Error),
}

/// Builds a [`Client`].
#[derive(Debug)]
pub struct Builder {
    genesis: Genesis,
    validators: Vec<ValidatorEndpoint>,
    health_period: Duration,
    health_deadline: Duration,
    read_deadline: Duration,
    follow_from: FollowFrom,
    deliver: Option<mpsc::Sender<Arc<VerifiedBlock>>>,
    reader: Option<SigningKey>,
}

impl Builder {
    pub(crate) fn new(genesis: Genesis) -> Self {
        Self {
            genesis,
            validators: ValidatorEndpoint::defaults(),
            health_period: Duration::from_millis(500),
            health_deadline: Duration::from_millis(700),
            read_deadline: Duration::from_secs(2),
            follow_from: FollowFrom::default(),
            deliver: None,
            reader: None,
        }
    }

    /// The validators; validator-1..3 on ports 8001..8003 of this machine where not given.
    pub fn validators(mut self, validators: impl IntoIterator<Item = ValidatorEndpoint>) -> Self {
        self.validators = validators.into_iter().collect();
        self
    }

    /// The pause between two health checks of a validator; 500 ms where not given.
    pub fn health_period(mut self, period: Duration) -> Self {
        self.health_period = period;
        self
    }

    /// How long a health check may take; 700 ms where not given.
    pub fn health_deadline(mut self, deadline: Duration) -> Self {
        self.health_deadline = deadline;
        self
    }

    /// How long one validator may take over one read, five times as long over a block or a page of
    /// a board; 2 s where not given. A late one is not waited for alone: another is asked as well.
    pub fn read_deadline(mut self, deadline: Duration) -> Self {
        self.read_deadline = deadline;
        self
    }

    /// Where following the chain begins; at the head where not given.
    pub fn follow_from(mut self, from: FollowFrom) -> Self {
        self.follow_from = from;
        self
    }

    /// Sends every verified block, in order and with none missing, to `receiver`'s channel. The
    /// client waits while the channel is full, and stops following once the receiver is gone.
    pub fn deliver_blocks(mut self, sender: mpsc::Sender<Arc<VerifiedBlock>>) -> Self {
        self.deliver = Some(sender);
        self
    }

    /// The key by which validators know that this client may read the ballots of elections that are not
    /// over; needed only where they keep those to readers.
    pub fn reader(mut self, key: SigningKey) -> Self {
        self.reader = Some(key);
        self
    }

    /// Starts the client's background tasks; needs a Tokio runtime.
    pub fn build(self) -> Result<Client, BuildError> {
        self.check()?;
        let chain = Arc::new(Chain::new(self.genesis));
        let reader = self.reader.map(|key| Reader::new(key, chain.genesis_hash));
        let transport = Transport::new(self.health_deadline, reader)?;
        let pool = Pool::new(self.validators, transport, chain.genesis.clone());
        let pool = Arc::new(pool);
        let (submissions, queue) = mpsc::channel(submission::QUEUE_MAX);
        let mut tasks = JoinSet::new();
        tasks.spawn(submission::dispatch(pool.clone(), chain.clone(), queue));
        tasks.spawn(follower::follow(
            pool.clone(),
            chain.clone(),
            self.follow_from,
            self.deliver,
        ));
        for node in pool.nodes() {
            let (pool, node) = (pool.clone(), node.clone());
            let (period, deadline) = (self.health_period, self.health_deadline);
            tasks.spawn(async move {
                loop {
                    pool.check(&node, deadline).await;
                    tokio::time::sleep(period).await;
                }
            });
        }
        tracing::info!(validators = pool.nodes().len(), "PoA client initialised");
        Ok(Client::new(
            pool,
            chain,
            submissions,
            self.health_deadline,
            self.read_deadline,
            tasks,
        ))
    }

    fn check(&self) -> Result<(), BuildError> {
        if self.validators.is_empty() {
            return Err(BuildError::NoValidators);
        }
        for (index, validator) in self.validators.iter().enumerate() {
            let node_id = &validator.node_id;
            if self.validators[..index]
                .iter()
                .any(|v| v.node_id == *node_id)
            {
                return Err(BuildError::Duplicate(node_id.clone()));
            }
            if !validator.rpc_url.starts_with("http://") {
                return Err(BuildError::BadUrl(validator.rpc_url.clone()));
            }
        }
        Ok(())
    }
}
