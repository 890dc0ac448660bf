//! Putting a backend together from its configuration.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::http::HeaderValue;
use futures::{FutureExt, future::BoxFuture};
use tabella_client::{BuildError, Client, FollowFrom};
use tabella_files::{GenesisFileError, SecretError, read_genesis, read_key, read_long_secret};
use tabella_follower::Follower;
use tabella_http_server::{Freshness, Queue, Server, SharedRun, Trusted};
use tabella_ledger::LedgerError;
use tabella_outbox::{
    BLOCKS_MAX, MasterSecret, Outbox, Parts as OutboxParts, lines,
    local_ledger::LocalLedger,
    pending::Pending,
    store::{self, Identity, Mark, OpenError, Store},
};
use tabella_protocol::{Genesis, SigningKey};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};

use crate::{
    app::App,
    auth::{AdminToken, Passwords, Tokens},
    config::Config,
    discovery,
    event_feed::{self, Feed},
    events::Events,
    limits::Limits,
    live::LiveCounts,
    metrics,
    places::Places,
    proven::{BLOCK_READS, LONG_READS},
    result_lines::ResultLines,
    server,
    verifications::Verifications,
    waiting,
};

/// The folder of the proven copy of the chain, below the data directory.
const CHAIN_DIRECTORY: &str = "chain";
/// How long a backend that stops may take to let go of the copy of the chain.
const RELEASE_WAIT: Duration = Duration::from_secs(5);
/// Pause between two looks at whether it did.
const RELEASE_PAUSE: Duration = Duration::from_millis(50);
/// Pause between two attempts to reach a database server that is away.
const DATABASE_PAUSE: Duration = Duration::from_millis(500);
/// Pause between the starts of two looks at every validator that somebody asked for.
const REFRESH_PAUSE: Duration = Duration::from_millis(500);

/// Why a backend cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The genesis file cannot be used.
    #[error(transparent)]
    Genesis(#[from] GenesisFileError),
    /// A secret file cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A configured CORS origin is not valid.
    #[error(
        "cors_origins names {0:?}; expected an origin such as https://vote.example, without a path"
    )]
    CorsOrigin(String),
    /// The data directory cannot be used.
    #[error("the data directory {path} cannot be used: {error}")]
    Data {
        /// The directory.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// What the database holds cannot be read.
    #[error("the database cannot be read: {0}")]
    ReadDatabase(String),
    /// The backend's own copy of the chain cannot be opened.
    #[error(
        "the copy of the chain in {path} cannot be used: {error}; it holds nothing that the \
         validators lack: move it away, and it is fetched and checked again"
    )]
    Chain {
        /// The directory.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// The validators' client cannot be set up.
    #[error(transparent)]
    Client(#[from] BuildError),
    /// Passwords cannot be hashed here.
    #[error("passwords cannot be hashed: {0}")]
    Passwords(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}: {error}; free the port or set another in `listen`")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The server failed.
    #[error("the server stopped: {0}")]
    Serve(io::Error),
    /// What carries votes to the chain ended, which it never should.
    #[error("a background task ended: {0}")]
    Background(String),
}

/// A backend that listens, and serves once [`serve`](Self::serve) is called.
pub struct Backend {
    listener: TcpListener,
    stage: Stage,
}

/// How far a backend has come.
enum Stage {
    /// Its database is away.
    Waiting(Box<Files>),
    Ready(Parts),
}

struct Parts {
    app: Arc<App>,
    tasks: JoinSet<()>,
}

/// What the files that a configuration names hold.
pub(crate) struct Files {
    config: Config,
    genesis: Genesis,
    registrar: SigningKey,
    authority: Option<SigningKey>,
    master: MasterSecret,
    admin_token: AdminToken,
    cors_origins: Vec<HeaderValue>,
}

/// An open database, and what in it is not settled.
pub(crate) struct Opened {
    pub(crate) store: Store,
    pending: Arc<Pending>,
    mark: Option<Mark>,
}

impl Backend {
    /// Reads every file that `config` names, opens the database and listens. A database server that
    /// does not answer is waited for while [`serve`](Self::serve) answers 503.
    ///
    /// Its future and that of [`serve`](Self::serve) are boxed, so that the backend is compiled in this
    /// crate and not in every one that awaits it.
    pub fn bind(config: Config) -> BoxFuture<'static, Result<Self, BackendError>> {
        Box::pin(Self::bind_here(config))
    }

    async fn bind_here(config: Config) -> Result<Self, BackendError> {
        let listen = config.listen;
        let files = Files::read(config)?;
        let stage = match files.open().await {
            Ok(opened) => Stage::Ready(files.assemble(opened).await?),
            Err(BackendError::Database(OpenError::Away(reason))) => {
                tracing::warn!(%reason, "the database is away: nothing is taken until it is back");
                Stage::Waiting(Box::new(files))
            }
            Err(error) => return Err(error),
        };
        let listener = tabella_http_server::listen(listen)
            .map_err(|error| BackendError::Listen { listen, error })?;
        Ok(Self { listener, stage })
    }

    /// The address that is listened on: the configured one, with the port that it got.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` resolves; what is acknowledged is durable at any moment.
    pub fn serve(
        self,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> BoxFuture<'static, Result<(), BackendError>> {
        self.serve_until(Box::pin(shutdown))
    }

    fn serve_until(
        self,
        shutdown: BoxFuture<'static, ()>,
    ) -> BoxFuture<'static, Result<(), BackendError>> {
        Box::pin(self.serve_here(shutdown))
    }

    async fn serve_here(self, shutdown: BoxFuture<'static, ()>) -> Result<(), BackendError> {
        let Self { listener, stage } = self;
        let shutdown = shutdown.shared();
        let (listener, parts) = match stage {
            Stage::Ready(parts) => (listener, parts),
            Stage::Waiting(files) => {
                let (origins, server) = (files.cors_origins.clone(), files.server());
                let ready = wait(*files);
                let waiting =
                    waiting::serve_until(listener, &server, &origins, ready, shutdown.clone());
                match waiting.await.map_err(BackendError::Serve)? {
                    Some((listener, parts)) => (listener, parts?),
                    // Told to stop before the database came.
                    None => return Ok(()),
                }
            }
        };
        let Parts { app, mut tasks } = parts;
        let listen = listener.local_addr().map_err(BackendError::Serve)?;
        tracing::info!(%listen, network = %app.client.genesis().network, "backend is listening");
        let events = app.clone();
        let shutdown = async move {
            shutdown.await;
            // Who follows them would wait forever.
            events.events.stop();
        };
        let router = server::router(app.clone());
        let serving = app.server.serve(listener, router, shutdown, server::DRAIN);
        let result = tokio::select! {
            result = serving => result.map_err(BackendError::Serve),
            // Without it votes would be taken and go nowhere.
            ended = tasks.join_next() => Err(BackendError::Background(match ended {
                Some(Err(error)) => error.to_string(),
                _ => "it returned".to_owned(),
            })),
        };
        tasks.shutdown().await;
        app.outbox.stop().await;
        result
    }
}

/// Opens the database as soon as its server answers.
async fn wait(files: Files) -> Result<Parts, BackendError> {
    loop {
        tokio::time::sleep(DATABASE_PAUSE).await;
        match files.open().await {
            Ok(opened) => {
                tracing::info!("the database is there");
                return files.assemble(opened).await;
            }
            Err(BackendError::Database(OpenError::Away(reason))) => {
                tracing::debug!(%reason, "the database is still away");
            }
            Err(error) => return Err(error),
        }
    }
}

impl Files {
    pub(crate) fn read(config: Config) -> Result<Self, BackendError> {
        let cors_origins =
            server::cors_origins(&config.cors_origins).map_err(BackendError::CorsOrigin)?;
        let files = Self {
            genesis: read_genesis(&config.genesis)?,
            registrar: read_key(&config.registrar_key)?,
            authority: config.authority_key.as_deref().map(read_key).transpose()?,
            master: MasterSecret::new(read_long_secret(&config.master_secret_file)?),
            admin_token: AdminToken::new(&read_long_secret(&config.admin_token_file)?),
            cors_origins,
            config,
        };
        for directory in [&files.config.data, &files.config.data.join(CHAIN_DIRECTORY)] {
            create_private(directory).map_err(|error| BackendError::Data {
                path: directory.clone(),
                error,
            })?;
        }
        Ok(files)
    }

    /// A server whose connections are bounded as the configuration says.
    fn server(&self) -> Server {
        let proxies = self.config.trusted_proxies.clone();
        Server::trusting(self.config.http, move |address| {
            proxies.iter().any(|network| network.contains(address))
        })
    }

    pub(crate) async fn open(&self) -> Result<Opened, BackendError> {
        let data = &self.config.data;
        let pending = Arc::new(Pending::default());
        let genesis_hash = self.genesis.hash();
        let identity = Identity {
            genesis_hash,
            registrar: self.registrar.public(),
            secret_fingerprint: self.master.fingerprint(&genesis_hash),
        };
        let on_commit = metrics::database_commit;
        let store = match &self.config.database {
            None => Store::open(
                &data.join(store::FILE),
                &identity,
                pending.clone(),
                on_commit,
            )?,
            Some(url) => Store::connect(url.reveal(), data, &identity, &pending, on_commit).await?,
        };
        let mark = store
            .mark()
            .await
            .map_err(|error| BackendError::ReadDatabase(error.to_string()))?;
        if !pending.is_empty() {
            let unsettled = pending.len();
            tracing::info!(unsettled, "recorded votes are carried to the chain");
        }
        Ok(Opened {
            store,
            pending,
            mark,
        })
    }

    /// Puts the parts together and starts what goes on beside requests.
    #[expect(
        clippy::too_many_lines,
        reason = "assembles the backend, one part after the other"
    )]
    async fn assemble(self, opened: Opened) -> Result<Parts, BackendError> {
        let Opened {
            store,
            pending,
            mark,
        } = opened;
        let server = self.server();
        let Self {
            config,
            genesis,
            registrar,
            authority,
            master,
            admin_token,
            cors_origins,
        } = self;
        let genesis_hash = genesis.hash();
        let local_directory = config.data.join("local-ledger");
        let local =
            LocalLedger::start(local_directory.clone(), genesis.clone()).map_err(|error| {
                BackendError::Data {
                    path: local_directory,
                    error,
                }
            })?;
        pending.restarted(|transaction_id| local.holds(transaction_id));

        let follower = open_follower(&config.data.join(CHAIN_DIRECTORY), genesis.clone()).await?;
        let (deliver, certified) = mpsc::channel(BLOCKS_MAX);
        let (onward, blocks) = mpsc::channel(BLOCKS_MAX);
        let validators = discovery::complete(&genesis, config.validators, &config.bootnodes).await;
        let reader = authority.as_ref().unwrap_or(&registrar);
        let client = Client::builder(genesis)
            .validators(validators)
            .reader(reader.clone())
            .health_period(Duration::from_millis(config.health_period_ms.max(1)))
            .follow_from(follow_from(mark, &follower))
            .deliver_blocks(deliver)
            .build()?;
        let events = Arc::new(Events::new(
            config.open_ballots,
            Places::new(
                config.event_subscribers_max,
                config.event_subscribers_per_address_max,
            ),
            Duration::from_secs(config.event_session_s),
        ));
        let limits = Arc::new(Limits::new(&config.rate_limits));
        let tokens = Tokens::new(master.tokens(&genesis_hash));
        let outbox = Outbox::new(OutboxParts {
            client: client.clone(),
            follower: follower.clone(),
            store: store.clone(),
            pending: pending.clone(),
            local: local.clone(),
            master,
            registrar,
            authority,
            confirmation_wait: Duration::from_millis(config.confirmation_wait_ms),
            listener: events.clone(),
            revotes: limits.clone(),
        });
        let outbox = outbox.await;
        let outbox = outbox.map_err(|error| BackendError::ReadDatabase(error.to_string()))?;
        let app = Arc::new(App {
            client,
            follower,
            store,
            pending,
            local,
            elections: outbox.elections().clone(),
            electorate: outbox.electorate().clone(),
            levels: outbox.levels().clone(),
            outbox,
            live: LiveCounts::default(),
            events,
            result_lines: Arc::new(ResultLines::default()),
            server,
            block_reads: Queue::new(BLOCK_READS, &Trusted::default()),
            long_reads: Queue::new(LONG_READS, &Trusted::default()),
            streams: Places::new(config.streams_max, config.streams_per_address_max),
            verifications: Verifications::new(),
            refreshed: SharedRun::new(REFRESH_PAUSE, Freshness::Now),
            limits,
            spool_directory: config.data.clone(),
            trusted_proxies: config.trusted_proxies,
            cors_origins,
            admin_token,
            tokens,
            passwords: Passwords::new()
                .map_err(|error| BackendError::Passwords(error.to_string()))?,
            registration: config.registration,
            open_ballots: config.open_ballots,
            access_token_s: config.access_token_s,
            refresh_token_s: config.refresh_token_s,
        });
        let mut tasks = JoinSet::new();
        let (follower, client) = (app.follower.clone(), app.client.clone());
        tasks.spawn(follower.clone().follow(client, certified, onward));
        tasks.spawn(follower.count_closed());
        tasks.spawn(event_feed::tell(Feed {
            client: app.client.clone(),
            follower: app.follower.clone(),
            elections: app.elections.clone(),
            events: app.events.clone(),
        }));
        let known = mark.map_or(0, |mark| mark.height);
        app.outbox.start(&mut tasks, blocks, known).await;
        let lines = app.result_lines.clone();
        tasks.spawn(async move {
            loop {
                tokio::time::sleep(lines::PERIOD).await;
                lines.sum();
            }
        });
        Ok(Parts { app, tasks })
    }
}

/// Opens the proven copy of the chain; off the async threads, because plugins may be compiled. A
/// backend that has just stopped may still hold it.
async fn open_follower(directory: &Path, genesis: Genesis) -> Result<Follower, BackendError> {
    let unusable = |error: &dyn std::fmt::Display| BackendError::Chain {
        path: directory.to_owned(),
        error: error.to_string(),
    };
    let deadline = tokio::time::Instant::now() + RELEASE_WAIT;
    loop {
        let (path, genesis) = (directory.to_owned(), genesis.clone());
        let opening = tokio::task::spawn_blocking(move || Follower::open(&path, genesis));
        match opening.await.map_err(|error| unusable(&error))? {
            Ok(follower) => return Ok(follower),
            Err(LedgerError::InUse) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(RELEASE_PAUSE).await;
            }
            Err(error) => return Err(unusable(&error)),
        }
    }
}

/// Where following begins: after the last block that both the copy of the chain and the database
/// know. Whichever is ahead passes over what it knows.
fn follow_from(mark: Option<Mark>, follower: &Follower) -> FollowFrom {
    let tip = follower.tip();
    match mark {
        Some(mark) if mark.height < tip.height => FollowFrom::Block {
            height: mark.height,
            hash: mark.hash,
        },
        _ => FollowFrom::Block {
            height: tip.height,
            hash: tip.block_hash,
        },
    }
}

/// Creates a directory that only its owner may enter: compiled plugins in it run as native code.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}
