//! Finding the other validators: by bootnodes, by configuration, by what was known before.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tabella_client::{Announced, AskError, Asker};
use tabella_clock::now_ms;
use tabella_consensus::{Handle, PeerAddress};
use tabella_ledger::Ledger;
use tabella_protocol::{Genesis, NodeAddress, PeerRecord, PublicKey, Signature, SigningKey};

/// How often bootnodes are asked once every validator is connected, and before.
const PERIOD_SETTLED: Duration = Duration::from_secs(10);
const PERIOD_SEARCHING: Duration = Duration::from_secs(1);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a record holds unless it is renewed.
const RECORD_TTL_MS: u64 = 60 * 60 * 1000;

/// Where this validator says that it is.
pub(crate) struct Advertised {
    pub(crate) node_id: String,
    pub(crate) p2p_address: String,
    pub(crate) rpc_url: String,
}

/// Keeps the newest record of every validator, tells bootnodes its own, and consensus the others'.
pub(crate) struct Discovery {
    ledger: Arc<Ledger>,
    key: SigningKey,
    advertised: Advertised,
    bootnodes: Vec<String>,
    /// Addresses from the chain that consensus was told.
    told: Mutex<BTreeMap<PublicKey, NodeAddress>>,
    /// Survives restarts, so that validators find each other with every bootnode down.
    file: PathBuf,
    records: Mutex<BTreeMap<PublicKey, PeerRecord>>,
    own: Mutex<Option<PeerRecord>>,
    asker: Asker,
}

impl Discovery {
    pub(crate) fn new(
        ledger: Arc<Ledger>,
        key: SigningKey,
        advertised: Advertised,
        bootnodes: Vec<String>,
        file: PathBuf,
    ) -> Result<Self, AskError> {
        let asker = Asker::new(REQUEST_TIMEOUT)?;
        let records = read_records(&file, ledger.genesis());
        let told = ledger.validators().latest().addresses.clone();
        let records = Mutex::new(records);
        let own = Mutex::default();
        Ok(Self {
            ledger,
            key,
            advertised,
            bootnodes,
            told: Mutex::new(told),
            file,
            records,
            own,
            asker,
        })
    }

    /// Where those who may connect were last known to be: by their own record, or else by the chain.
    pub(crate) fn known_peers(&self) -> Vec<PeerAddress> {
        let history = self.ledger.validators();
        let mut addresses: BTreeMap<_, _> = history
            .latest()
            .addresses
            .iter()
            .map(|(key, address)| (*key, address.p2p_address.clone()))
            .collect();
        let records = self.records().into_iter();
        addresses.extend(records.map(|record| (record.public_key, record.p2p_address)));
        addresses.remove(&self.key.public());
        let height = self.ledger.tip().height + 1;
        let (validators, followers) = (history.at(height), history.followers(height));
        addresses.retain(|key, _| validators.contains(key) || followers.contains(key));
        addresses
            .iter()
            .filter_map(|(key, address)| PeerAddress::parse(*key, address).ok())
            .collect()
    }

    /// Tells consensus the addresses that the chain has changed since.
    async fn follow_chain(&self, consensus: &Handle) {
        let history = self.ledger.validators();
        let latest = &history.latest().addresses;
        let news: Vec<_> = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let news = latest
                .iter()
                .filter(|(key, address)| told.get(*key) != Some(*address));
            let news = news.map(|(key, address)| (*key, address.clone())).collect();
            told.clone_from(latest);
            news
        };
        for (key, address) in news {
            if key == self.key.public() {
                continue;
            }
            // Its record of before says where it was; a later one of its own replaces the chain's.
            let forgotten = {
                let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
                records.remove(&key).is_some()
            };
            if forgotten {
                self.write_records();
            }
            match PeerAddress::parse(key, &address.p2p_address) {
                Ok(peer) => {
                    if let Err(error) = consensus.set_peer(peer).await {
                        tracing::warn!(validator = %key, %error, "address not taken");
                        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                        told.remove(&key);
                    }
                }
                Err(error) => tracing::warn!(validator = %key, %error, "address not taken"),
            }
        }
    }

    /// For asking those whose records these are.
    pub(crate) fn asker(&self) -> &Asker {
        &self.asker
    }

    /// The newest record of every validator known here.
    pub(crate) fn records(&self) -> Vec<PeerRecord> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.values().cloned().collect()
    }

    /// Announces and asks, until the node stops. One that must not take part any more announces itself
    /// all the same: others ask it what it found.
    pub(crate) async fn run(&self, consensus: Option<Handle>) {
        loop {
            if let Some(consensus) = &consensus {
                self.follow_chain(consensus).await;
            }
            let validators = self.ledger.validators();
            let everyone = validators.latest().keys().into_iter();
            let everyone_else = everyone.filter(|key| *key != self.key.public()).count();
            for bootnode in &self.bootnodes {
                if let Err(error) = self.exchange(bootnode, consensus.as_ref()).await {
                    tracing::debug!(%bootnode, %error, "bootnode did not answer");
                }
            }
            let settled = consensus
                .as_ref()
                .is_none_or(|consensus| consensus.connected_peers().len() >= everyone_else);
            tokio::time::sleep(if settled {
                PERIOD_SETTLED
            } else {
                PERIOD_SEARCHING
            })
            .await;
        }
    }

    /// Asks every bootnode once, for a node that does not take part yet.
    pub(crate) async fn ask_bootnodes(&self) {
        let asked = self.bootnodes.iter().map(|bootnode| async move {
            if let Err(error) = self.exchange(bootnode, None).await {
                tracing::debug!(%bootnode, %error, "bootnode did not answer");
            }
        });
        futures::future::join_all(asked).await;
    }

    /// Tells a bootnode where this validator is, and learns where the others are.
    async fn exchange(&self, bootnode: &str, consensus: Option<&Handle>) -> Result<(), AskError> {
        let own = self.own_record();
        if let Announced::Refused(error) = self.asker.announce(bootnode, &own).await? {
            tracing::warn!(%bootnode, %error, "bootnode refused this validator's record");
        }
        let records = self.asker.peers(bootnode).await?;
        self.take(records, consensus).await;
        Ok(())
    }

    /// Keeps what is news, and tells consensus, which a node that starts later asks by itself.
    async fn take(&self, records: Vec<PeerRecord>, consensus: Option<&Handle>) {
        let mut changed = false;
        for record in records {
            if record.public_key == self.key.public() || !self.is_news(&record) {
                continue;
            }
            let node_id = record.node_id.clone();
            if let Err(error) = record.check(self.ledger.genesis(), now_ms()) {
                tracing::debug!(%node_id, %error, "peer record refused");
                continue;
            }
            let address = record.p2p_address.clone();
            let key = record.public_key;
            let before = {
                let mut known = self.records.lock().unwrap_or_else(PoisonError::into_inner);
                known.insert(key, record).map(|before| before.p2p_address)
            };
            changed = true;
            if before.as_ref() == Some(&address) {
                continue;
            }
            tracing::info!(%node_id, %address, "validator found");
            match (PeerAddress::parse(key, &address), consensus) {
                (Ok(peer), Some(consensus)) => {
                    if let Err(error) = consensus.set_peer(peer).await {
                        tracing::warn!(%node_id, %error, "address not taken");
                    }
                }
                (Ok(_), None) => {}
                (Err(error), _) => tracing::warn!(%node_id, %error, "address not taken"),
            }
        }
        if changed {
            self.write_records();
        }
    }

    fn is_news(&self, record: &PeerRecord) -> bool {
        let known = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(&record.public_key)
            .is_none_or(|known| known.sequence < record.sequence)
    }

    /// This validator's record: the same one until half of its time is over.
    fn own_record(&self) -> PeerRecord {
        let now = now_ms();
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = &*own
            && record.expires_at_ms > now + RECORD_TTL_MS / 2
        {
            return record.clone();
        }
        let record = PeerRecord {
            genesis: self.ledger.genesis_hash(),
            node_id: self.advertised.node_id.clone(),
            public_key: self.key.public(),
            p2p_address: self.advertised.p2p_address.clone(),
            rpc_url: self.advertised.rpc_url.clone(),
            sequence: now,
            expires_at_ms: now + RECORD_TTL_MS,
            signature: Signature([0; 64]),
        };
        own.insert(record.sign(&self.key)).clone()
    }

    /// Losing this file costs a restart with every bootnode down its peers, and nothing else.
    fn write_records(&self) {
        let text = serde_json::to_string_pretty(&self.records()).unwrap_or_default();
        let temporary = self.file.with_extension("tmp");
        let written =
            std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, &self.file));
        if let Err(error) = written {
            tracing::warn!(file = %self.file.display(), %error, "peer records could not be kept");
        }
    }
}

/// The records of the last run that are still a validator's. Expired ones serve as a first guess.
fn read_records(file: &PathBuf, genesis: &Genesis) -> BTreeMap<PublicKey, PeerRecord> {
    let Ok(text) = std::fs::read_to_string(file) else {
        return BTreeMap::new();
    };
    let records: Vec<PeerRecord> = serde_json::from_str(&text).unwrap_or_default();
    let known = |record: &PeerRecord| {
        // At its own time of expiry, less one, a record is in date: everything else is checked.
        let in_date = record.expires_at_ms.saturating_sub(1);
        record.check(genesis, in_date).is_ok()
    };
    records
        .into_iter()
        .filter(known)
        .map(|record| (record.public_key, record))
        .collect()
}
