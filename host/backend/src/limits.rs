//! Who has asked too often: the limits of addresses and accounts.

use std::time::Instant;

use crate::{
    client_address::ClientAddress, config::RateLimits, metrics, problem::Problem,
    rate_limit::RateLimit,
};

/// Every limit of the backend.
pub(crate) struct Limits {
    address: RateLimit<ClientAddress>,
    address_logins: RateLimit<ClientAddress>,
    account: RateLimit<String>,
    account_logins: RateLimit<String>,
}

impl Limits {
    pub(crate) fn new(rates: &RateLimits) -> Self {
        Self {
            address: RateLimit::new(rates.address),
            address_logins: RateLimit::new(rates.address_logins),
            account: RateLimit::new(rates.account),
            account_logins: RateLimit::new(rates.account_logins),
        }
    }

    /// Any request from an address.
    pub(crate) fn request(&self, address: ClientAddress) -> Result<(), Problem> {
        of_address(&self.address, address)
    }

    /// A registration, login or refresh from an address.
    pub(crate) fn login(&self, address: ClientAddress) -> Result<(), Problem> {
        of_address(&self.address_logins, address)
    }

    /// A login into an account, which need not exist.
    pub(crate) fn login_into(&self, username: &str) -> Result<(), Problem> {
        of_account(&self.account_logins, username)
    }

    /// A request with a voter's token.
    pub(crate) fn voter(&self, name: &str) -> Result<(), Problem> {
        of_account(&self.account, name)
    }
}

fn of_address(limit: &RateLimit<ClientAddress>, address: ClientAddress) -> Result<(), Problem> {
    if address.is_local() {
        return Ok(());
    }
    limit.admit(address, Instant::now()).map_err(refused)
}

fn of_account(limit: &RateLimit<String>, name: &str) -> Result<(), Problem> {
    limit
        .admit(name.to_owned(), Instant::now())
        .map_err(refused)
}

fn refused(wait: std::time::Duration) -> Problem {
    metrics::rate_limited();
    Problem::too_many(wait)
}
