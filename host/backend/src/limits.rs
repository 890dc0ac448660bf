//! Who has asked too often: the limits of addresses, accounts and voters.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use axum::{
    extract::Request,
    http::{Method, header},
};
use prometheus_client::metrics::counter::Counter;
use tabella_outbox::RevoteLimit;
use tabella_protocol::VoterId;

use crate::{
    client_address::ClientAddress,
    config::RateLimits,
    places::{Place, Places},
    problem::Problem,
    rate_limit::RateLimit,
    wrong_logins::WrongLogins,
};

/// Logins and registrations of one address that may wait for their password to be hashed.
const HASHES_PER_ADDRESS_MAX: usize = 32;

/// Questions about unknown transactions that validators are asked at the same time,
const QUESTIONS_MAX: usize = 32;
/// and those among them of one address.
const QUESTIONS_PER_ADDRESS_MAX: usize = 4;

/// Voters whose ballots in elections that take several are counted at the same time; each is forgotten
/// as soon as it may cast as many as at first.
const REVOTERS_MAX: usize = 1_000_000;

/// Every limit of the backend.
pub(crate) struct Limits {
    address: RateLimit<ClientAddress>,
    address_logins: RateLimit<ClientAddress>,
    account: RateLimit<String>,
    wrong_logins: WrongLogins,
    revotes: RateLimit<(u64, VoterId)>,
    hashes: Places,
    questions: Places,
    refused: Counter,
}

impl Limits {
    /// Nobody has asked yet; `refused` counts whoever asks too often.
    pub(crate) fn new(rates: &RateLimits, refused: Counter) -> Self {
        Self {
            address: RateLimit::new(rates.address),
            address_logins: RateLimit::new(rates.address_logins),
            account: RateLimit::new(rates.account),
            wrong_logins: WrongLogins::new(rates.account_logins),
            revotes: RateLimit::for_many(rates.revotes, REVOTERS_MAX),
            hashes: Places::new(usize::MAX, HASHES_PER_ADDRESS_MAX),
            questions: Places::new(QUESTIONS_MAX, QUESTIONS_PER_ADDRESS_MAX),
            refused,
        }
    }

    /// Any request from an address, weighed by what it costs.
    pub(crate) fn request(&self, address: ClientAddress, request: &Request) -> Result<(), Problem> {
        if address.is_local() {
            return Ok(());
        }
        let cost = cost(request);
        self.address
            .admit_cost(&address, cost)
            .map_err(|wait| self.refused(wait))
    }

    /// A registration, login or refresh from an address.
    pub(crate) fn login(&self, address: ClientAddress) -> Result<(), Problem> {
        if address.is_local() {
            return Ok(());
        }
        self.address_logins
            .admit(&address)
            .map_err(|wait| self.refused(wait))
    }

    /// A login into an account, which need not exist.
    pub(crate) fn login_into(&self, address: ClientAddress, name: &str) -> Result<(), Problem> {
        match address.at_login() {
            Some(address) => {
                let attempt = self.wrong_logins.attempt(address, name, Instant::now());
                attempt.map_err(|wait| self.refused(wait))
            }
            None => Ok(()),
        }
    }

    /// A login into an account was right.
    pub(crate) fn logged_in(&self, address: ClientAddress, name: &str) {
        if let Some(address) = address.at_login() {
            self.wrong_logins.right(address, name);
        }
    }

    /// A place among those whose password is hashed: one address does not take all of them.
    pub(crate) fn hash(&self, address: ClientAddress) -> Result<Place, Problem> {
        let place = self.hashes.take(address.at_login());
        place.ok_or_else(|| self.refused(Duration::from_secs(1)))
    }

    /// A place among those for whom validators are asked what neither the database nor the proven
    /// chain knows: each validator is, so that questions cost the network more than whoever asks.
    pub(crate) fn question(&self, address: ClientAddress) -> Result<Place, Problem> {
        let place = self.questions.take(address.at_login());
        place.ok_or_else(|| self.refused(Duration::from_secs(1)))
    }

    /// A request with a voter's token.
    pub(crate) fn voter(&self, name: &str) -> Result<(), Problem> {
        self.account
            .admit(&name.to_owned())
            .map_err(|wait| self.refused(wait))
    }

    fn refused(&self, wait: Duration) -> Problem {
        self.refused.inc();
        Problem::too_many(wait)
    }
}

impl RevoteLimit for Limits {
    fn admit(&self, election_id: u64, voter: VoterId) -> Result<(), Duration> {
        let admitted = self.revotes.admit(&(election_id, voter));
        admitted.inspect_err(|_| {
            self.refused.inc();
        })
    }
}

/// What a request costs, where a plain one costs 1: reads of many records, of whole boards and of
/// whole chains cost more.
fn cost(request: &Request) -> NonZeroU32 {
    let path = request.uri().path();
    // HEAD is worked for as GET is.
    let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
    let ends = |end: &str| path.ends_with(end);
    let is_stream = request
        .headers()
        .get(header::ACCEPT)
        .is_some_and(|accept| accept.as_bytes().starts_with(b"application/x-ndjson"));
    let cost = match is_get {
        true if ends("/export") => 500,
        true if ends("/board") && is_stream => 200,
        true if ends("/board") => 10,
        true if ends("/wasm") || ends("/events") || ends("/history") => 10,
        true if path.starts_with("/api/plugins") => 10,
        true if ends("/results") || ends("/receipt") || ends("/proof") => 5,
        true if ends("/transaction-status") => 5,
        true if path.starts_with("/api/blocks") => 5,
        false if ends("/verify-blockchain") => 500,
        false if ends("/refresh-status") => 50,
        _ => 1,
    };
    NonZeroU32::new(cost).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn reads_of_whole_chains_cost_more_than_plain_requests() {
        let cost = |method: Method, path: &str, accept: &str| {
            let request = Request::builder().method(method).uri(path);
            let request = request.header(header::ACCEPT, accept).body(Body::empty());
            super::cost(&request.unwrap()).get()
        };
        assert_eq!(cost(Method::GET, "/api/elections/1/export", "*/*"), 500);
        assert_eq!(
            cost(Method::GET, "/api/elections/1/board?from=5", "*/*"),
            10
        );
        let lines = "application/x-ndjson";
        assert_eq!(cost(Method::GET, "/api/elections/1/board", lines), 200);
        let verify = "/api/votes/verify-blockchain?election_id=1";
        assert_eq!(cost(Method::POST, verify, "*/*"), 500);
        assert_eq!(cost(Method::POST, "/api/votes/submit", "*/*"), 1);
        assert_eq!(cost(Method::GET, "/api/elections/1", "*/*"), 1);
        assert_eq!(cost(Method::HEAD, "/api/elections/1/export", "*/*"), 500);
        assert_eq!(cost(Method::GET, "/api/blocks/7", "*/*"), 5);
    }
}
