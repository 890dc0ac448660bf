//! Password hashing with argon2id, off the request threads and only a few at a time.

use std::sync::Arc;

use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use tokio::sync::Semaphore;

/// Hashes under way at once: each takes 19 MiB and a core for tens of milliseconds.
const CONCURRENT_MAX: usize = 2;
/// Hashes waiting; past it, logins are refused with 503.
const WAITING_MAX: usize = 64;

/// Why a password was not hashed or checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PasswordError {
    #[error("too many logins are waiting; try again later")]
    Overloaded,
    #[error("hashing failed: {0}")]
    Failed(String),
}

/// Hashes and checks passwords.
#[derive(Clone)]
pub(crate) struct Passwords {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// What is checked when there is no such account, so that the answer takes as long.
    decoy: Arc<str>,
}

impl Passwords {
    pub(crate) fn new() -> Result<Self, PasswordError> {
        Ok(Self {
            running: Arc::new(Semaphore::new(CONCURRENT_MAX)),
            waiting: Arc::new(Semaphore::new(CONCURRENT_MAX + WAITING_MAX)),
            decoy: hash("no account has this password")?.into(),
        })
    }

    /// The PHC string of a password under a fresh salt.
    pub(crate) async fn hash(&self, password: String) -> Result<String, PasswordError> {
        self.run(move || hash(&password)).await
    }

    /// Whether `password` has this hash; takes as long where there is none.
    pub(crate) async fn verify(
        &self,
        password: String,
        known: Option<String>,
    ) -> Result<bool, PasswordError> {
        let exists = known.is_some();
        let known = known.unwrap_or_else(|| self.decoy.to_string());
        self.run(move || {
            let parsed =
                PasswordHash::new(&known).map_err(|e| PasswordError::Failed(e.to_string()))?;
            let matches = Argon2::default()
                .verify_password(password.as_bytes(), &parsed)
                .is_ok();
            Ok(matches && exists)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let waiting = self.waiting.clone().try_acquire_owned();
        let _waiting = waiting.map_err(|_| PasswordError::Overloaded)?;
        let failed = |error: &dyn std::fmt::Display| PasswordError::Failed(error.to_string());
        let running = self.running.clone().acquire_owned().await;
        let running = running.map_err(|error| failed(&error))?;
        tokio::task::spawn_blocking(move || {
            let result = work();
            drop(running);
            result
        })
        .await
        .map_err(|error| failed(&error))?
    }
}

fn hash(password: &str) -> Result<String, PasswordError> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| PasswordError::Failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        let known = || Some(hash.clone());
        assert_eq!(
            passwords.verify("correct horse".into(), known()).await,
            Ok(true)
        );
        assert_eq!(
            passwords.verify("wrong horse".into(), known()).await,
            Ok(false)
        );
        let decoy = "no account has this password".to_owned();
        assert_eq!(passwords.verify(decoy, None).await, Ok(false));
    }
}
