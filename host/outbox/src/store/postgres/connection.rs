//! Connecting: what a server must be, what every session must have, and what all backends over one database
//! must agree on.

use std::str::FromStr;

use sqlx::{
    ConnectOptions, PgConnection, Row, SqlSafeStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    postgres::PgConnectOptions,
};

use tabella_protocol::{Hash, PublicKey};

use super::{
    super::{Identity, OpenError},
    rows::bytes,
};

/// How long the server lets one statement of it run, or wait for this backend.
const STATEMENT_MAX_MS: &str = "5000";

/// A session that has what every session must have.
pub(super) async fn connect(options: PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    prepare(&mut connection).await?;
    Ok(connection)
}

/// Parameters that a URL may have.
const PARAMETERS: [&str; 13] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// Nothing that it refuses is quoted, because it may hold a password.
pub(super) fn options(url: &str) -> Result<PgConnectOptions, OpenError> {
    let malformed = || {
        OpenError::Server(
            "`database` is no URL like postgres://user:password@host:5432/name".to_owned(),
        )
    };
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(malformed());
    }
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    for parameter in parameters.split('&').filter(|p| !p.is_empty()) {
        let (key, _) = parameter.split_once('=').unwrap_or((parameter, ""));
        if !PARAMETERS.contains(&key) {
            let known = PARAMETERS.join(", ");
            return Err(OpenError::Server(format!(
                "`database` has a parameter that is not known; known are {known}"
            )));
        }
    }
    let options = PgConnectOptions::from_str(url).map_err(|_| malformed())?;
    Ok(options
        .application_name("tabella-backend")
        .disable_statement_logging())
}

/// Sets what every session must have, and refuses a server that forgets.
pub(super) async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let row = sqlx::query(
        "SELECT set_config('synchronous_commit', \
         CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' \
         ELSE current_setting('synchronous_commit') END, false), \
         set_config('statement_timeout', $1, false), \
         set_config('idle_in_transaction_session_timeout', $1, false), \
         set_config('default_transaction_isolation', 'read committed', false), \
         current_setting('fsync') AS fsync, pg_is_in_recovery() AS standby",
    )
    .bind(STATEMENT_MAX_MS)
    .fetch_one(connection)
    .await?;
    if row.try_get::<String, _>("fsync")? != "on" {
        return Err(sqlx::Error::Configuration(
            "the server runs with fsync = off, so that nothing it says is durable; turn it on"
                .into(),
        ));
    }
    if row.try_get("standby")? {
        let error = std::io::Error::other("it is a standby, which takes no writes");
        return Err(error.into());
    }
    Ok(())
}

/// Whether the server, or the way to it, is at fault: another attempt may succeed.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // Connection exceptions, too many connections, shutting down or starting up.
            ["08", "53", "57P"]
                .iter()
                .any(|class| code.starts_with(class))
        }),
        _ => false,
    }
}

/// Whether the same group may succeed at once, given that nothing of it was committed.
pub(super) fn may_be_repeated(error: &sqlx::Error) -> bool {
    let is_conflict = |code: &str| {
        // Serialization failures, deadlocks, locks and statements that took too long.
        code.starts_with("40") || code == "55P03" || code == "57014"
    };
    match error {
        sqlx::Error::Database(inner) => {
            is_away(error) || inner.code().is_some_and(|code| is_conflict(&code))
        }
        _ => is_away(error),
    }
}

pub(super) fn open_error(error: sqlx::Error) -> OpenError {
    if is_away(&error) {
        OpenError::Away(error.to_string())
    } else {
        OpenError::Server(error.to_string())
    }
}

pub(super) async fn migrate(connection: &mut PgConnection) -> Result<(), OpenError> {
    let migration = |version, name: &'static str, statements: &'static str| {
        let (name, statements) = (name.into(), statements.into_sql_str());
        Migration::new(version, name, MigrationType::Simple, statements, false)
    };
    let initial = include_str!("migrations/0001_initial.sql");
    let connected = include_str!("migrations/0002_connected.sql");
    let voters = include_str!("migrations/0003_voters.sql");
    let migrator = Migrator::with_migrations(vec![
        migration(1, "initial", initial),
        migration(2, "connected", connected),
        migration(3, "voters", voters),
        migration(4, "closings", include_str!("migrations/0004_closings.sql")),
        migration(
            5,
            "signed closes",
            include_str!("migrations/0005_signed_closes.sql"),
        ),
        migration(
            6,
            "ballot numbers",
            include_str!("migrations/0006_ballot_numbers.sql"),
        ),
    ]);
    // Not `run`, whose future the compiler does not take for one that may change threads.
    let migrated = migrator.run_direct(None, connection, false).await;
    migrated.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            open_error(error)
        }
        error => OpenError::Server(format!(
            "its tables are of another version: {error}; use the version that wrote them"
        )),
    })
}

/// Writes down at the first start what every later one must bring.
pub(super) async fn agree(
    connection: &mut PgConnection,
    identity: &Identity,
) -> Result<(), OpenError> {
    sqlx::query(
        "INSERT INTO network (genesis_hash, registrar, secret_fingerprint) VALUES ($1, $2, $3) \
         ON CONFLICT DO NOTHING",
    )
    .bind(identity.genesis_hash.0.as_slice())
    .bind(identity.registrar.0.as_slice())
    .bind(identity.secret_fingerprint.0.as_slice())
    .execute(&mut *connection)
    .await
    .map_err(open_error)?;
    let row = sqlx::query("SELECT genesis_hash, registrar, secret_fingerprint FROM network")
        .fetch_one(connection)
        .await
        .map_err(open_error)?;
    let of = |column| bytes(&row, column).map_err(open_error);
    let known = Identity {
        genesis_hash: Hash(of("genesis_hash")?),
        registrar: PublicKey(of("registrar")?),
        secret_fingerprint: Hash(of("secret_fingerprint")?),
    };
    known.require(identity)
}
