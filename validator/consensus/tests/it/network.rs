//! Networks that tests start, stop and look into.

use std::{
    future::Future,
    sync::{Arc, Once},
    time::Duration,
};

use tabella_consensus::{
    Config, Handle, Node, Participation, PeerAddress, PeerLimits, RunError, Timeouts, WalPolicy,
};
use tabella_protocol::{Genesis, Hash, PluginLimits, PublicKey, Quorum, SigningKey, ValidatorInfo};
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::chain::{Chain, Mood};

/// Generous, because tests share two cores with builds; a test that passes never waits for it.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for what must happen.
pub(crate) async fn within<T>(what: &str, event: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, event).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: did not happen within {DEADLINE:?}"),
    }
}

/// Waits for what must become true.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    within(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

pub(crate) struct Network {
    pub(crate) genesis: Genesis,
    pub(crate) genesis_hash: Hash,
    pub(crate) quorum: Quorum,
    pub(crate) keys: Vec<SigningKey>,
    pub(crate) chains: Vec<Arc<Chain>>,
    pub(crate) status_interval_ms: u64,
    pub(crate) peer_limits: PeerLimits,
    directories: Vec<tempfile::TempDir>,
    running: Vec<Option<Running>>,
}

pub(crate) struct Running {
    pub(crate) handle: Handle,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), RunError>>,
}

impl Network {
    /// Validators that are not started yet.
    pub(crate) fn new(validators: u8, quorum: Quorum, payload_bytes: usize) -> Self {
        log();
        let keys: Vec<_> = (1..=validators)
            .map(|i| SigningKey::from_seed([i; 32]))
            .collect();
        let public: Vec<_> = keys.iter().map(SigningKey::public).collect();
        let chain = |key: &SigningKey| {
            Arc::new(Chain::new(
                key.public(),
                quorum,
                public.clone(),
                payload_bytes,
            ))
        };
        let genesis = Genesis {
            version: Genesis::VERSION,
            chain_id: 7,
            network: "a network of tests".into(),
            timestamp_ms: 0,
            quorum,
            validators: public
                .iter()
                .zip(1..)
                .map(|(public_key, n)| ValidatorInfo {
                    node_id: format!("validator-{n}"),
                    public_key: *public_key,
                })
                .collect(),
            authorities: vec![SigningKey::from_seed([100; 32]).public()],
            plugin_limits: PluginLimits::default(),
            block_bytes_max: 2 << 20,
            expiry_heights_max: 1_000,
        };
        Self {
            genesis_hash: genesis.hash(),
            genesis,
            quorum,
            status_interval_ms: 200,
            // Its blocks cost nothing, so that there are hundreds a second; and all share an address.
            peer_limits: PeerLimits {
                messages_per_second_max: 20_000,
                connections_per_address_max: 128,
                ..PeerLimits::default()
            },
            chains: keys.iter().map(chain).collect(),
            directories: keys.iter().map(|_| tempfile::tempdir().unwrap()).collect(),
            running: keys.iter().map(|_| None).collect(),
            keys,
        }
    }

    pub(crate) async fn started(validators: u8, quorum: Quorum, payload_bytes: usize) -> Self {
        let mut network = Self::new(validators, quorum, payload_bytes);
        for i in 0..network.keys.len() {
            network.start(i).await;
        }
        network
    }

    pub(crate) fn config(&self, i: usize) -> Config {
        let peers = self
            .running
            .iter()
            .zip(&self.keys)
            .filter_map(|(running, key)| {
                let running = running.as_ref()?;
                Some(PeerAddress::new(key.public(), running.handle.listen()))
            });
        Config {
            genesis_hash: self.genesis_hash,
            signing_key: self.keys[i].clone(),
            node_id: format!("validator-{}", i + 1),
            data_dir: self.directories[i].path().to_owned(),
            wal: if self.chains[i].height() == 0 {
                WalPolicy::Create
            } else {
                WalPolicy::Require
            },
            participation: Participation::Sign,
            halt: CancellationToken::new(),
            listen: "127.0.0.1:0".parse().unwrap(),
            peers: peers.collect(),
            timeouts: Timeouts::default(),
            block_bytes_max: 2 << 20,
            status_interval_ms: self.status_interval_ms,
            peer_limits: self.peer_limits,
        }
    }

    /// Starts a validator, which knows where those already running are; they are not told of it.
    pub(crate) async fn start(&mut self, i: usize) {
        assert!(self.running[i].is_none(), "validator {i} is running");
        let node = Node::start(self.config(i), self.chains[i].clone())
            .await
            .unwrap();
        self.running[i] = Some(run(node));
    }

    /// Stops a validator in order.
    pub(crate) async fn stop(&mut self, i: usize) {
        let running = self.running[i].take().expect("the validator is running");
        within("a node stops", running.stop()).await.unwrap();
    }

    /// Waits for a validator to end by itself.
    pub(crate) async fn ended(&mut self, i: usize) -> Result<(), RunError> {
        let running = self.running[i].take().expect("the validator is running");
        within("a node ends", running.ended).await.unwrap()
    }

    pub(crate) fn handle(&self, i: usize) -> &Handle {
        &self.running[i]
            .as_ref()
            .expect("the validator is running")
            .handle
    }

    pub(crate) fn public(&self, i: usize) -> PublicKey {
        self.keys[i].public()
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        for chain in &self.chains {
            chain.mood.send_replace(mood);
        }
    }

    /// Waits until the validators `who` have committed a height.
    pub(crate) async fn reaches(&self, who: impl IntoIterator<Item = usize>, height: u64) {
        for i in who {
            let what = format!("validator {i} commits height {height}");
            within(&what, self.chains[i].reaches(height)).await;
        }
    }

    pub(crate) async fn all_reach(&self, height: u64) {
        self.reaches(0..self.keys.len(), height).await;
    }

    /// Waits until a validator decides nothing any more; returns its height.
    pub(crate) async fn idle(&self, i: usize) -> u64 {
        within("the network is idle", async {
            loop {
                let tip = self.chains[i].height();
                let next = self.chains[i].reaches(tip + 1);
                // Busy, it would decide dozens of blocks in this time.
                if tokio::time::timeout(Duration::from_millis(700), next)
                    .await
                    .is_err()
                {
                    return tip;
                }
            }
        })
        .await
    }

    pub(crate) fn validators(&self) -> Vec<ValidatorInfo> {
        let infos = self.keys.iter().enumerate().map(|(i, key)| ValidatorInfo {
            node_id: format!("validator-{}", i + 1),
            public_key: key.public(),
        });
        infos.collect()
    }

    /// Every height up to `height`: one block everywhere, with certificates that check offline.
    pub(crate) fn assert_agreement(&self, height: u64) {
        let validators = self.validators();
        for height in 1..=height {
            let expected = self.chains[0].body(height);
            for (i, chain) in self.chains.iter().enumerate() {
                assert!(
                    chain.body(height) == expected,
                    "validator {i} differs at {height}"
                );
                let certificate = chain.certificate(height);
                assert_eq!(certificate.height, height);
                assert_eq!(certificate.block_hash, Hash::of(&expected));
                certificate
                    .verify(&self.genesis_hash, self.quorum, &validators)
                    .unwrap();
            }
        }
    }

    pub(crate) async fn stop_all(mut self) {
        for i in 0..self.keys.len() {
            if self.running[i].is_some() {
                self.stop(i).await;
            }
        }
    }
}

/// Runs a node until it is told to stop.
pub(crate) fn run(node: Node) -> Running {
    let handle = node.handle();
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(node.run(async {
        // A dropped sender is a test that ended early; its nodes go with it.
        let _ = stopped.await;
    }));
    Running {
        handle,
        stop,
        ended,
    }
}

impl Running {
    pub(crate) async fn stop(self) -> Result<(), RunError> {
        let _ = self.stop.send(());
        self.ended.await.unwrap()
    }
}

/// Logs to standard error as `RUST_LOG` says.
fn log() {
    static LOG: Once = Once::new();
    LOG.call_once(|| {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_writer(std::io::stderr)
            .init();
    });
}
