//! Whose request it is, where proxies stand in between.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request},
    http::{HeaderMap, HeaderName},
};
use ipnet::IpNet;
use tabella_http_server::subscriber;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that limits count a request for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientAddress {
    address: IpAddr,
    /// Whom a proxy on this machine, named or not, says that it saw.
    seen_here: Option<IpAddr>,
}

impl ClientAddress {
    /// The address that the connection comes from; or, where that is a proxy which is trusted, the
    /// last one named in `x-forwarded-for` that is not.
    pub(crate) fn of(request: &Request, trusted: &[IpNet]) -> Self {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(Ipv6Addr::UNSPECIFIED.into(), |ConnectInfo(peer)| peer.ip());
        let headers = request.headers();
        let address = subscriber(forwarded_for(peer.to_canonical(), headers, trusted));
        let seen_here = match address.is_loopback() {
            true => hops(headers).last().and_then(|hop| address_of(hop.trim())),
            false => None,
        };
        Self {
            address,
            seen_here: seen_here.map(subscriber),
        }
    }

    /// The address that wrong logins are held against; nothing where all that is known is this machine.
    /// A proxy here that nobody named makes not all voters one: the last that it wrote counts.
    pub(crate) fn at_login(self) -> Option<IpAddr> {
        match self.is_local() {
            true => self.seen_here,
            false => Some(self.address),
        }
    }

    /// The address that places are counted for; nothing for this machine.
    pub(crate) fn stranger(self) -> Option<IpAddr> {
        (!self.is_local()).then_some(self.address)
    }

    /// The address in whose line a costly read waits.
    pub(crate) fn in_line(self) -> IpAddr {
        self.seen_here.unwrap_or(self.address)
    }

    /// Whether it is this machine: its operator, or a proxy that the configuration does not name.
    pub(crate) fn is_local(self) -> bool {
        self.address.is_loopback()
    }
}

fn forwarded_for(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if trusted.is_empty() || !is_trusted(&peer) {
        return peer;
    }
    // From the nearest on: what stands before the first stranger may be made up by it.
    let mut nearest = peer;
    for hop in hops(headers).into_iter().rev() {
        let Some(address) = address_of(hop.trim()) else {
            break;
        };
        nearest = address;
        if !is_trusted(&address) {
            break;
        }
    }
    nearest
}

/// What proxies wrote, from the farthest to the nearest.
fn hops(headers: &HeaderMap) -> Vec<&str> {
    let mut hops = Vec::new();
    for line in headers.get_all(X_FORWARDED_FOR) {
        hops.extend(line.to_str().unwrap_or_default().split(','));
    }
    hops
}

/// An address, with or without a port.
fn address_of(hop: &str) -> Option<IpAddr> {
    let bare = hop.trim_start_matches('[').trim_end_matches(']');
    let address = match bare.parse() {
        Ok(address) => address,
        Err(_) => hop.parse::<SocketAddr>().ok()?.ip(),
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::HeaderValue};

    use super::*;

    fn of(peer: &str, forwarded: &[&'static str]) -> ClientAddress {
        let mut request = Request::new(Body::empty());
        let peer = SocketAddr::new(peer.parse().unwrap(), 1);
        request.extensions_mut().insert(ConnectInfo(peer));
        for line in forwarded {
            let line = HeaderValue::from_static(line);
            request.headers_mut().append(X_FORWARDED_FOR, line);
        }
        let trusted = ["10.0.0.0/8", "fd00::1/128"].map(|network| network.parse().unwrap());
        ClientAddress::of(&request, &trusted)
    }

    fn check(peer: &str, forwarded: &[&'static str], expected: &str) {
        assert_eq!(
            of(peer, forwarded).address,
            expected.parse::<IpAddr>().unwrap()
        );
    }

    #[test]
    fn a_proxy_here_that_nobody_named_tells_logins_apart() {
        let at_login = |forwarded| of("127.0.0.1", forwarded).at_login();
        assert_eq!(at_login(&[]), None);
        let expected = "198.51.100.9".parse().ok();
        assert_eq!(at_login(&["192.0.2.1, 198.51.100.9"]), expected);
        assert!(of("127.0.0.1", &["198.51.100.9"]).is_local());
    }

    #[test]
    fn a_stranger_cannot_name_itself() {
        check("192.0.2.1", &["198.51.100.9"], "192.0.2.1");
        check("192.0.2.1", &[], "192.0.2.1");
    }

    #[test]
    fn a_trusted_proxy_names_whom_it_saw() {
        check("10.0.0.1", &["198.51.100.9"], "198.51.100.9");
        check("10.0.0.1", &["198.51.100.9:4711"], "198.51.100.9");
        check("fd00::1", &["[2001:db8::1:2:3:4]:99"], "2001:db8::");
        check("::ffff:10.0.0.1", &["198.51.100.9"], "198.51.100.9");
        check("10.0.0.1", &[], "10.0.0.1");
    }

    #[test]
    fn what_a_stranger_wrote_before_is_not_read() {
        check("10.0.0.1", &["1.2.3.4, 198.51.100.9"], "198.51.100.9");
        check(
            "10.0.0.1",
            &["1.2.3.4", "198.51.100.9, 10.0.0.7"],
            "198.51.100.9",
        );
        check("10.0.0.1", &["198.51.100.9, unknown"], "10.0.0.1");
        check("10.0.0.1", &["10.0.0.8, 10.0.0.7"], "10.0.0.8");
    }

    #[test]
    fn an_ipv6_subscriber_is_one_network() {
        check("2001:db8:0:1:aaaa::1", &[], "2001:db8:0:1::");
        check("::1", &[], "::1");
    }
}
