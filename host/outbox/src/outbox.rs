//! The outbox: everything of a ballot's way from request to confirmed.

use std::{sync::Arc, time::Duration};

use tabella_client::Client;
use tabella_follower::Follower;
use tabella_ledger::{Ledger, LedgerError};
use tabella_protocol::{Payload, PublicKey, SigningKey, Transaction, TransactionBody, VoterId};

use crate::{
    ballot_order::BallotOrder,
    chain_read::{self, ReadError},
    closing::Closings,
    elections::Elections,
    electorate::Electorate,
    level::Levels,
    lines::Lines,
    listener::Listener,
    local_ledger::LocalLedger,
    pending::Pending,
    reconciliation::Reconciliation,
    secrets::MasterSecret,
    store::{Store, StoreError},
};

/// How many heights ahead a transaction expires: far enough to outlast any backlog, near enough
/// that a lost one can be signed again.
const EXPIRY_HEIGHTS: u64 = 20_000;

/// Takes ballots, and carries each that it acknowledged until the chain has it.
///
/// What is acknowledged is in the database first, and from then on submitted until the chain confirms or
/// refuses it, across kills of any process.
pub struct Outbox {
    pub(crate) client: Client,
    /// The chain, proven and executed here.
    pub(crate) follower: Follower,
    pub(crate) store: Store,
    pub(crate) pending: Arc<Pending>,
    pub(crate) local: LocalLedger,
    pub(crate) reconciliation: Arc<Reconciliation>,
    pub(crate) elections: Arc<Elections>,
    pub(crate) electorate: Arc<Electorate>,
    pub(crate) levels: Arc<Levels>,
    pub(crate) closings: Closings,
    pub(crate) ballot_order: BallotOrder,
    pub(crate) lines: Arc<Lines>,
    pub(crate) listener: Arc<dyn Listener>,
    pub(crate) revotes: Arc<dyn RevoteLimit>,
    pub(crate) registrar: Arc<SigningKey>,
    pub(crate) authority: Option<SigningKey>,
    pub(crate) confirmation_wait: Duration,
}

/// Bounds how often a voter casts a ballot in an election where a later one replaces an earlier one.
pub trait RevoteLimit: Send + Sync {
    /// Counts one more ballot; how long to wait where there are too many.
    fn admit(&self, election_id: u64, voter: VoterId) -> Result<(), Duration>;
}

/// What an outbox is made of.
pub struct Parts {
    /// Finds validators, and follows the chain.
    pub client: Client,
    /// The chain, proven and executed here.
    pub follower: Follower,
    /// The database.
    pub store: Store,
    /// What in the database is not settled.
    pub pending: Arc<Pending>,
    /// Keeps ballots while no validator takes them.
    pub local: LocalLedger,
    /// Behind the pseudonyms of voters.
    pub master: MasterSecret,
    /// Signs ballots of voters who hold no key.
    pub registrar: SigningKey,
    /// Administers elections, where it is here.
    pub authority: Option<SigningKey>,
    /// How long a submission waits for its confirmation.
    pub confirmation_wait: Duration,
    /// Hears what happens.
    pub listener: Arc<dyn Listener>,
    /// Bounds repeated ballots.
    pub revotes: Arc<dyn RevoteLimit>,
}

impl Outbox {
    /// Puts an outbox together. Nothing is carried before [`start`](Self::start).
    pub async fn new(parts: Parts) -> Result<Arc<Self>, StoreError> {
        let Parts {
            client,
            follower,
            store,
            pending,
            local,
            master,
            registrar,
            authority,
            confirmation_wait,
            listener,
            revotes,
        } = parts;
        let earlier = store.earlier().await?;
        let elections = Elections::new(client.clone(), follower.clone(), local.clone());
        let electorate = Electorate::new(
            master,
            follower.clone(),
            store.clone(),
            local.clone(),
            earlier,
        );
        let levels = Levels::new(
            client.clone(),
            store.clone(),
            Arc::clone(&pending),
            local.clone(),
            Arc::clone(&listener),
        );
        let reconciliation = Reconciliation::new(local.clone(), store.clone(), pending.clone());
        Ok(Arc::new(Self {
            client,
            follower,
            store,
            pending,
            local,
            reconciliation: Arc::new(reconciliation),
            elections: Arc::new(elections),
            electorate: Arc::new(electorate),
            levels: Arc::new(levels),
            closings: Closings::default(),
            ballot_order: BallotOrder::new(),
            lines: Arc::default(),
            listener,
            revotes,
            registrar: Arc::new(registrar),
            authority,
            confirmation_wait,
        }))
    }

    /// The elections, with their rules.
    pub fn elections(&self) -> &Arc<Elections> {
        &self.elections
    }

    /// Tells which voter of an election somebody is.
    pub fn electorate(&self) -> &Arc<Electorate> {
        &self.electorate
    }

    /// The level of service.
    pub fn levels(&self) -> &Arc<Levels> {
        &self.levels
    }

    /// What became of the ballots in the local ledger.
    pub fn reconciliation(&self) -> &Arc<Reconciliation> {
        &self.reconciliation
    }

    /// The key under which this outbox registers voters.
    pub fn registrar(&self) -> PublicKey {
        self.registrar.public()
    }

    /// Whether it holds a key that administers.
    pub fn has_authority(&self) -> bool {
        self.authority.is_some()
    }

    /// The newest verified height; 0 before the first block is seen.
    pub fn height(&self) -> u64 {
        self.client.tip().borrow().map_or(0, |tip| tip.height)
    }

    /// Reads little of the proven chain, off the async threads.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, ReadError> {
        chain_read::read(&self.follower, read).await
    }

    /// Signs what `key` asks of the chain, to be included soon.
    pub(crate) fn sign(&self, payload: Payload, key: &SigningKey) -> Transaction {
        Transaction::sign(self.body(payload), key)
    }

    /// What the registrar is to sign of a ballot: with a number of the voter's own choice in it, and the ballot's
    /// place in the voter's order.
    pub(crate) fn ballot_body(
        &self,
        payload: Payload,
        nonce: Option<u64>,
        sequence: Option<u64>,
    ) -> TransactionBody {
        let mut body = self.body(payload);
        body.nonce = nonce.unwrap_or(body.nonce);
        body.sequence = sequence;
        body
    }

    fn body(&self, payload: Payload) -> TransactionBody {
        let genesis = self.client.genesis();
        let expiry = self.height() + EXPIRY_HEIGHTS.min(genesis.expiry_heights_max / 2).max(1);
        TransactionBody::new(genesis.chain_id, expiry, payload)
    }
}
