//! Who may log in: names, passwords, sessions.

use futures::future::BoxFuture;

use tabella_outbox::{
    store::{Account, Rotation, Session, Store, StoreError},
    voter_name::VoterName,
};

use crate::{
    app::App,
    auth::{Claims, PasswordError, Passwords, Role, TokenKind},
    clock,
    config::Config,
    problem::Problem,
    start::{BackendError, Files},
};

/// Longest account name, in characters.
pub(crate) const NAME_CHARS_MAX: usize = 64;
/// Shortest password, in characters (NIST SP 800-63B-4 asks for 15 where it is the only factor;
/// shorter ones remain common, and 8 is its floor).
pub(crate) const PASSWORD_CHARS_MIN: usize = 8;
/// Longest password, in bytes: hashing is paid for by its length too.
pub(crate) const PASSWORD_BYTES_MAX: usize = 1_024;

/// Why a name and a password make no account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// The name.
    #[error("expected a username of 1 to {NAME_CHARS_MAX} letters, digits or . _ @ + -")]
    Name,
    /// The password.
    #[error(
        "expected a password of at least {PASSWORD_CHARS_MIN} characters and at most {PASSWORD_BYTES_MAX} bytes"
    )]
    Password,
}

/// Why an account was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateAccountError {
    /// The name or the password is not usable.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The name is taken.
    #[error("the username {0:?} is taken; choose another")]
    Taken(String),
    /// The files that the configuration names, or the database, cannot be used.
    #[error(transparent)]
    Start(#[from] Box<BackendError>),
    /// The database failed.
    #[error("the account was not recorded: {0}")]
    Store(String),
    /// The password could not be hashed.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
}

impl CreateAccountError {
    /// Whether a running backend holds the database.
    pub fn is_database_in_use(&self) -> bool {
        let Self::Start(error) = self else {
            return false;
        };
        matches!(&**error, BackendError::Database(error) if error.is_in_use())
    }
}

/// Creates an account in the database of a backend that does not run.
pub fn create_account(
    config: Config,
    username: String,
    password: String,
    role: Role,
) -> BoxFuture<'static, Result<(), CreateAccountError>> {
    Box::pin(create_account_here(config, username, password, role))
}

async fn create_account_here(
    config: Config,
    username: String,
    password: String,
    role: Role,
) -> Result<(), CreateAccountError> {
    let username = account_name(&username)?;
    check_password(&password)?;
    let files = Files::read(config).map_err(Box::new)?;
    let store = files.open().await.map_err(Box::new)?.store;
    let created = created(&store, username, password, role).await;
    store.close().await;
    created
}

async fn created(
    store: &Store,
    username: String,
    password: String,
    role: Role,
) -> Result<(), CreateAccountError> {
    let failed = |error: PasswordError| CreateAccountError::Hash(error.to_string());
    let passwords = Passwords::new().map_err(failed)?;
    let password_hash = passwords.hash(password).await.map_err(failed)?;
    let account = Account {
        name: username.clone(),
        password_hash,
        role,
        created_at_ms: clock::now_ms(),
    };
    match store.create_account(account).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(CreateAccountError::Taken(username)),
        Err(error) => Err(CreateAccountError::Store(error.to_string())),
    }
}

/// The one form of an account's name: a voter id of few characters, read by the same rule.
pub(crate) fn account_name(given: &str) -> Result<String, CredentialsError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._@+-".contains(c);
    let name = VoterName::parse(given).map_err(|_| CredentialsError::Name)?;
    let name = name.as_str();
    if name.len() > NAME_CHARS_MAX || !name.chars().all(plain) {
        return Err(CredentialsError::Name);
    }
    Ok(name.to_owned())
}

/// Whether it may be an account's.
pub(crate) fn check_password(password: &str) -> Result<(), CredentialsError> {
    if password.chars().count() < PASSWORD_CHARS_MIN || password.len() > PASSWORD_BYTES_MAX {
        return Err(CredentialsError::Password);
    }
    Ok(())
}

/// A pair of tokens of one session.
#[derive(Debug)]
pub(crate) struct TokenPair {
    pub(crate) access: String,
    pub(crate) refresh: String,
    /// How long the access token is good for.
    pub(crate) access_s: u64,
}

/// Begins a session of an account.
pub(crate) async fn open_session(app: &App, account: &Account) -> Result<TokenPair, StoreError> {
    let now_s = clock::now_s();
    let expires_s = now_s.saturating_add(app.refresh_token_s);
    // In the order of expiry, so that what has expired is found without looking at all.
    let id = format!("{expires_s:016x}{}", random_id());
    let refresh = random_id();
    let session = Session {
        account: account.name.clone(),
        refresh: refresh.clone(),
    };
    let expired_before = format!("{now_s:016x}");
    let opened = app.store.open_session(id.clone(), session, expired_before);
    opened.await?;
    Ok(issue(app, account, id, refresh, expires_s))
}

/// Why a refresh token brings no new tokens.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RefreshError {
    #[error("the refresh token was used before, so the session has ended; log in again")]
    Reused,
    #[error("the session has ended; log in again")]
    Over,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// New tokens for those of a refresh token, and the account of today.
pub(crate) async fn refresh_session(
    app: &App,
    claims: Claims,
) -> Result<(Account, TokenPair), RefreshError> {
    let (Some(id), Some(from)) = (claims.sid, claims.jti) else {
        return Err(RefreshError::Over);
    };
    let account = app.store.account_of_session(&id).await?;
    let account = account.ok_or(RefreshError::Over)?;
    let to = random_id();
    let rotation = app.store.rotate_session(id.clone(), from, to.clone());
    match rotation.await? {
        Rotation::Rotated => {
            let tokens = issue(app, &account, id, to, claims.exp);
            Ok((account, tokens))
        }
        Rotation::Reused => {
            tracing::warn!("a refresh token came a second time: its session was ended");
            Err(RefreshError::Reused)
        }
        Rotation::Over => Err(RefreshError::Over),
    }
}

fn issue(
    app: &App,
    account: &Account,
    session: String,
    refresh_id: String,
    session_expires_s: u64,
) -> TokenPair {
    let now_s = clock::now_s();
    let left_s = session_expires_s.saturating_sub(now_s);
    let claims = |kind, ttl_s| {
        let (name, session) = (account.name.clone(), session.clone());
        Claims::of_account(name, account.role, kind, session, now_s, ttl_s)
    };
    let access_s = app.access_token_s.min(left_s);
    let access = claims(TokenKind::Access, access_s);
    let mut refresh = claims(TokenKind::Refresh, left_s);
    refresh.jti = Some(refresh_id);
    TokenPair {
        access: app.tokens.issue(&access),
        refresh: app.tokens.issue(&refresh),
        access_s,
    }
}

fn random_id() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

impl From<CredentialsError> for Problem {
    fn from(error: CredentialsError) -> Self {
        let pointer = match error {
            CredentialsError::Name => "/username",
            CredentialsError::Password => "/password",
        };
        Self::bad_request("invalid-request", error.to_string()).at(pointer)
    }
}
