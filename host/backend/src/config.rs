//! What a backend's config file says.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    path::PathBuf,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tabella_client::ValidatorEndpoint;
use tabella_http_server::Bounds;
use tabella_protocol::OpenBallots;

/// A backend's configuration. Every key but the files has a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The genesis document of the network.
    pub genesis: PathBuf,
    /// The key that signs the ballots of voters whom this backend authenticated: one line, `0x` and
    /// the 64 hex digits of its seed, readable by its owner alone.
    pub registrar_key: PathBuf,
    /// A key that administers the chain; without it elections cannot be administered from here.
    #[serde(default)]
    pub authority_key: Option<PathBuf>,
    /// The token that administers this backend: one line, readable by its owner alone.
    pub admin_token_file: PathBuf,
    /// The secret behind voters' pseudonyms and login tokens: one line of at least 32 characters,
    /// readable by its owner alone. With another secret, voters could vote a second time.
    pub master_secret_file: PathBuf,
    /// Where the database, the local ledger and the plugins are kept.
    pub data: PathBuf,
    /// A PostgreSQL database that several backends share, as `postgres://user:password@host/name`; a
    /// file in `data` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseUrl>,
    /// Where to listen; 127.0.0.1:8000 where absent.
    #[serde(default = "Config::default_listen")]
    pub listen: SocketAddr,
    /// The validators; validator-1..3 on this machine where absent.
    #[serde(default = "ValidatorEndpoint::defaults")]
    pub validators: Vec<ValidatorEndpoint>,
    /// Bootnodes that know the addresses of validators not listed above.
    #[serde(default)]
    pub bootnodes: Vec<String>,
    /// How long a submission waits for its confirmation before it is answered as pending.
    #[serde(default = "Config::default_confirmation_wait_ms")]
    pub confirmation_wait_ms: u64,
    /// The pause between two health checks of a validator.
    #[serde(default = "Config::default_health_period_ms")]
    pub health_period_ms: u64,
    /// Whether anybody may register an account; nobody where absent. An account votes in elections that
    /// are open to accounts, or on whose roll it stands as one.
    #[serde(default)]
    pub registration: Registration,
    /// Who may read here the ballots of elections that show counts at their close, before it; anyone
    /// where absent. Validators have a setting of the same name.
    #[serde(default)]
    pub open_ballots: OpenBallots,
    /// How long an access token is good for.
    #[serde(default = "Config::default_access_token_s")]
    pub access_token_s: u64,
    /// How long a session lasts: from the login on, however often its tokens are refreshed.
    #[serde(default = "Config::default_refresh_token_s")]
    pub refresh_token_s: u64,
    /// Web origins, such as `https://vote.example`, whose pages may call this backend. Pages of
    /// others cannot.
    #[serde(default)]
    pub cors_origins: Vec<String>,
    /// Reverse proxies, as addresses with a prefix length, whose `x-forwarded-for` is believed.
    /// From others it is ignored.
    #[serde(default)]
    pub trusted_proxies: Vec<IpNet>,
    /// How often one account or address may ask.
    #[serde(default)]
    pub rate_limits: RateLimits,
    /// What connections may hold, and for how long.
    #[serde(default)]
    pub http: Bounds,
    /// Most exports and whole boards that are sent at once; more are refused.
    #[serde(default = "Config::default_streams_max")]
    pub streams_max: usize,
    /// Most of them to one address.
    #[serde(default = "Config::default_streams_per_address_max")]
    pub streams_per_address_max: usize,
    /// Most clients that follow the events at once; more are refused.
    #[serde(default = "Config::default_event_subscribers_max")]
    pub event_subscribers_max: usize,
    /// Most of them of one address.
    #[serde(default = "Config::default_event_subscribers_per_address_max")]
    pub event_subscribers_per_address_max: usize,
    /// How long a client may follow the events before it has to connect again.
    #[serde(default = "Config::default_event_session_s")]
    pub event_session_s: u64,
}

/// How often one account or address may ask. Requests from this machine's own loopback addresses
/// count for no address: they come from the operator, or through a proxy that the configuration
/// does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimits {
    /// All requests of one address; an IPv6 network of 64 bits counts as one. A request that reads much
    /// counts as several: an export or a verification as 500.
    pub address: Rate,
    /// Its registrations, logins and refreshes.
    pub address_logins: Rate,
    /// All requests of one voter.
    pub account: Rate,
    /// Wrong logins of one address into one account: so many at once; from then on each waits twice as
    /// long as the one before, from a minute's part up to five minutes. Others' do not count.
    pub account_logins: Rate,
    /// Ballots of one voter in one election that lets voters vote again.
    pub revotes: Rate,
}

impl RateLimits {
    /// No limits at all.
    pub const NONE: Self = Self {
        address: Rate::NONE,
        address_logins: Rate::NONE,
        account: Rate::NONE,
        account_logins: Rate::NONE,
        revotes: Rate::NONE,
    };
}

impl Default for RateLimits {
    /// Room for ten thousand voters behind one address at once.
    fn default() -> Self {
        let rate = |per_minute, burst| Rate { per_minute, burst };
        Self {
            address: rate(60_000, 50_000),
            address_logins: rate(1_200, 10_000),
            account: rate(120, 60),
            account_logins: rate(10, 10),
            revotes: rate(2, 20),
        }
    }
}

/// A rate: so many at once, and so many a minute in the long run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// In the long run; 0 for no limit.
    pub per_minute: u32,
    /// At once.
    pub burst: u32,
}

impl Rate {
    /// No limit.
    pub const NONE: Self = Self {
        per_minute: 0,
        burst: 0,
    };
}

/// Where the shared database is. It may hold a password, and shows nothing of itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The database at this URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// Whether a password stands in it.
    pub fn has_password(&self) -> bool {
        let (_, rest) = self.0.split_once("://").unwrap_or_default();
        let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (user, _) = place.rsplit_once('@').unwrap_or_default();
        let in_options = options.split('&').any(|o| o.starts_with("password="));
        user.contains(':') || in_options
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(..)")
    }
}

/// Who may register an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Anybody.
    Open,
    /// Nobody; voters get tokens from a registrar.
    #[default]
    Closed,
}

impl Config {
    /// The default listening address.
    pub const LISTEN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8000));
    /// The default of [`confirmation_wait_ms`](Self::confirmation_wait_ms).
    pub const CONFIRMATION_WAIT_MS: u64 = 2_000;
    /// The default of [`health_period_ms`](Self::health_period_ms).
    pub const HEALTH_PERIOD_MS: u64 = 500;
    /// The default of [`access_token_s`](Self::access_token_s): an hour.
    pub const ACCESS_TOKEN_S: u64 = 60 * 60;
    /// The default of [`refresh_token_s`](Self::refresh_token_s): thirty days.
    pub const REFRESH_TOKEN_S: u64 = 30 * 24 * 60 * 60;

    /// The default of [`event_subscribers_max`](Self::event_subscribers_max).
    pub const EVENT_SUBSCRIBERS_MAX: usize = 1_000;
    /// The default of [`event_subscribers_per_address_max`](Self::event_subscribers_per_address_max).
    pub const EVENT_SUBSCRIBERS_PER_ADDRESS_MAX: usize = 200;
    /// The default of [`streams_max`](Self::streams_max).
    pub const STREAMS_MAX: usize = 64;
    /// The default of [`streams_per_address_max`](Self::streams_per_address_max).
    pub const STREAMS_PER_ADDRESS_MAX: usize = 8;
    /// The default of [`event_session_s`](Self::event_session_s): an hour.
    pub const EVENT_SESSION_S: u64 = 60 * 60;

    fn default_listen() -> SocketAddr {
        Self::LISTEN
    }

    fn default_confirmation_wait_ms() -> u64 {
        Self::CONFIRMATION_WAIT_MS
    }

    fn default_health_period_ms() -> u64 {
        Self::HEALTH_PERIOD_MS
    }

    fn default_access_token_s() -> u64 {
        Self::ACCESS_TOKEN_S
    }

    fn default_refresh_token_s() -> u64 {
        Self::REFRESH_TOKEN_S
    }

    fn default_event_subscribers_max() -> usize {
        Self::EVENT_SUBSCRIBERS_MAX
    }

    fn default_event_subscribers_per_address_max() -> usize {
        Self::EVENT_SUBSCRIBERS_PER_ADDRESS_MAX
    }

    fn default_streams_max() -> usize {
        Self::STREAMS_MAX
    }

    fn default_streams_per_address_max() -> usize {
        Self::STREAMS_PER_ADDRESS_MAX
    }

    fn default_event_session_s() -> u64 {
        Self::EVENT_SESSION_S
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_database_url_is_noticed() {
        let check = |url: &str, expected: bool| {
            assert_eq!(DatabaseUrl::new(url).has_password(), expected, "{url}");
        };
        check("postgres://tabella:secret@db.example/tabella", true);
        check(
            "postgres://tabella:se@cret@db.example:5432/tabella?sslmode=require",
            true,
        );
        check("postgres:///tabella?host=/run&password=secret", true);
        check("postgres://tabella@db.example:5432/tabella", false);
        check(
            "postgres:///postgres?user=postgres&host=/run/postgresql:5432",
            false,
        );
        check("db.example", false);
    }
}
