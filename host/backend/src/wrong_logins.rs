//! Wrong logins into one account from one address: each costs the next a longer wait.
//!
//! Whoever guesses from elsewhere does not keep an account's owner out, whose address waits for nobody
//! else's mistakes. How many passwords are checked in all is bounded where they are hashed.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};

use crate::config::Rate;

/// Longest wait before the next attempt.
const WAIT_MAX: Duration = Duration::from_secs(5 * 60);
/// Pairs of address and account after which those that came first are forgotten.
const PAIRS_MAX: usize = 50_000;
/// After so long nothing is known any more of what an address did.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60 * 60);

/// Who tries what: a hash of address and account, of which the address has no say in the length.
type Pair = [u8; 32];

#[derive(Debug, Clone, Copy)]
struct Attempts {
    count: u32,
    next: Instant,
}

/// What was tried lately.
pub(crate) struct WrongLogins {
    /// Attempts that wait for nothing; none where there is no limit.
    free: Option<u32>,
    first_wait: Duration,
    pairs: Mutex<Generations>,
}

/// The pairs of this hour and of the one before.
struct Generations {
    began: Instant,
    now: HashMap<Pair, Attempts>,
    before: HashMap<Pair, Attempts>,
}

impl WrongLogins {
    pub(crate) fn new(rate: Rate) -> Self {
        let first_wait = Duration::from_secs(60).checked_div(rate.per_minute);
        Self {
            free: first_wait.map(|_| rate.burst.max(1)),
            first_wait: first_wait.unwrap_or_default(),
            pairs: Mutex::new(Generations {
                began: Instant::now(),
                now: HashMap::new(),
                before: HashMap::new(),
            }),
        }
    }

    /// Counts an attempt, as a wrong one until [`right`](Self::right) says otherwise, so that many at
    /// once are no way around; or tells how long to wait before it.
    pub(crate) fn attempt(
        &self,
        address: IpAddr,
        username: &str,
        now: Instant,
    ) -> Result<(), Duration> {
        let Some(free) = self.free else {
            return Ok(());
        };
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        let attempts = pairs.of(pair(address, username), now);
        if attempts.next > now {
            return Err(attempts.next - now);
        }
        attempts.count = attempts.count.saturating_add(1);
        if attempts.count >= free {
            let doublings = (attempts.count - free).min(16);
            let wait = self.first_wait.saturating_mul(1 << doublings);
            attempts.next = now + wait.min(WAIT_MAX);
        }
        Ok(())
    }

    /// The password was right: nothing is held against the address.
    pub(crate) fn right(&self, address: IpAddr, username: &str) {
        let pair = pair(address, username);
        let mut pairs = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.now.remove(&pair);
        pairs.before.remove(&pair);
    }
}

impl Generations {
    fn of(&mut self, pair: Pair, now: Instant) -> &mut Attempts {
        if self.now.len() >= PAIRS_MAX || now - self.began >= FORGOTTEN_AFTER {
            self.before = std::mem::take(&mut self.now);
            self.began = now;
        }
        let known = self.before.get(&pair).copied();
        self.now.entry(pair).or_insert_with(|| {
            known.unwrap_or(Attempts {
                count: 0,
                next: now,
            })
        })
    }
}

fn pair(address: IpAddr, username: &str) -> Pair {
    Sha256::new()
        .chain_update(address.to_string())
        .chain_update([0])
        .chain_update(username)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OWNER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

    fn logins() -> WrongLogins {
        WrongLogins::new(Rate {
            per_minute: 60,
            burst: 3,
        })
    }

    #[test]
    fn waits_grow_for_who_guesses_and_for_nobody_else() {
        let logins = logins();
        let start = Instant::now();
        let mut now = start;
        let mut waits = Vec::new();
        for _ in 0..14 {
            if let Err(wait) = logins.attempt(STRANGER, "alice", now) {
                waits.push(wait.as_secs());
                now += wait;
                assert_eq!(logins.attempt(STRANGER, "alice", now), Ok(()));
            }
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(logins.attempt(OWNER, "alice", now), Ok(()));
        assert_eq!(logins.attempt(STRANGER, "bob", now), Ok(()));
    }

    #[test]
    fn a_right_password_clears_the_address() {
        let logins = logins();
        let now = Instant::now();
        for _ in 0..20 {
            assert_eq!(logins.attempt(OWNER, "alice", now), Ok(()));
            logins.right(OWNER, "alice");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_forgotten() {
        let logins = logins();
        let now = Instant::now();
        for n in 0..3 * PAIRS_MAX {
            assert_eq!(logins.attempt(STRANGER, &n.to_string(), now), Ok(()));
        }
        {
            let pairs = logins.pairs.lock().unwrap();
            assert!(pairs.now.len() <= PAIRS_MAX && pairs.before.len() <= PAIRS_MAX);
        }
        for _ in 0..3 {
            logins.attempt(STRANGER, "alice", now).unwrap();
        }
        logins.attempt(STRANGER, "alice", now).unwrap_err();
        for hours in 1..=3 {
            let later = now + FORGOTTEN_AFTER * hours;
            logins.attempt(OWNER, "anybody", later).unwrap();
        }
        let later = now + FORGOTTEN_AFTER * 3;
        for _ in 0..3 {
            assert_eq!(logins.attempt(STRANGER, "alice", later), Ok(()));
        }
    }
}
