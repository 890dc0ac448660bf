//! On which hosts and ports the processes of a network listen.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, bail};

/// The ports that the documentation names: backend, bootnode, first validator's two.
const BACKEND_PORT: u16 = 8000;
const BOOTNODE_PORT: u16 = 8546;
const RPC_PORT_FIRST: u16 = 8001;
const P2P_PORT_FIRST: u16 = 30303;
/// With `--port-base P`: the backend at P, validators from P + 1, the bootnode at P + 65, p2p from P + 100.
const BOOTNODE_OFFSET: u16 = 65;
const P2P_OFFSET: u16 = 100;

/// The first port of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The backend's REST port.
    pub backend: u16,
    /// The bootnode's port.
    pub bootnode: u16,
    /// JSON-RPC of the first validator; the others follow.
    pub rpc_first: u16,
    /// Consensus port of the first validator; the others follow.
    pub p2p_first: u16,
}

impl Ports {
    /// The documented ports, or all of them moved to `port_base`.
    pub fn new(port_base: Option<u16>) -> Result<Self> {
        let Some(base) = port_base else {
            return Ok(Self {
                backend: BACKEND_PORT,
                bootnode: BOOTNODE_PORT,
                rpc_first: RPC_PORT_FIRST,
                p2p_first: P2P_PORT_FIRST,
            });
        };
        // The last p2p port of the largest network must still be a port.
        const SPAN: u16 = P2P_OFFSET + 64;
        if base == 0 || base > u16::MAX - SPAN {
            bail!(
                "expected a port base from 1 to {}, got {base}",
                u16::MAX - SPAN
            );
        }
        Ok(Self {
            backend: base,
            bootnode: base + BOOTNODE_OFFSET,
            rpc_first: base + 1,
            p2p_first: base + P2P_OFFSET,
        })
    }
}

/// Where one validator listens and how others reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatorAddress {
    /// `validator-1`, `validator-2` and so on.
    pub node_id: String,
    /// Host name or address that others use.
    pub host: String,
    /// JSON-RPC port.
    pub rpc_port: u16,
    /// Consensus port.
    pub p2p_port: u16,
    /// URL of what stands before its RPC, as the backend sees it.
    pub front: Option<String>,
}

impl ValidatorAddress {
    /// The JSON-RPC URL.
    pub fn rpc_url(&self) -> String {
        format!("http://{}:{}", self.host, self.rpc_port)
    }

    /// The JSON-RPC URL that the backend is told.
    pub fn backend_rpc_url(&self) -> String {
        self.front.clone().unwrap_or_else(|| self.rpc_url())
    }

    /// The consensus address as health answers show it.
    pub fn p2p_url(&self) -> String {
        format!("http://{}", self.p2p_address())
    }

    /// The consensus address, `host:port`.
    pub fn p2p_address(&self) -> String {
        format!("{}:{}", self.host, self.p2p_port)
    }
}

/// The addresses of all processes of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// In the order of genesis.
    pub validators: Vec<ValidatorAddress>,
    /// Host of the backend.
    pub backend_host: String,
    /// Host of the bootnode.
    pub bootnode_host: String,
    /// The backend's port.
    pub backend_port: u16,
    /// The bootnode's port.
    pub bootnode_port: u16,
}

impl Addresses {
    /// Addresses for `count` validators on `hosts`: one host for all, or one for each.
    pub fn new(count: usize, hosts: &[String], ports: Ports) -> Result<Self> {
        for host in hosts {
            check_host(host)?;
        }
        let validators = (0..count).map(|index| {
            let offset = u16::try_from(index).context("too many validators")?;
            let (host, offset) = match hosts {
                [] => ("127.0.0.1", offset),
                [host] => (host.as_str(), offset),
                // Each has a host of its own, so that all can use the same ports.
                _ if hosts.len() == count => (hosts[index].as_str(), 0),
                _ => bail!(
                    "expected one --host for all validators or one for each of {count}, got {}",
                    hosts.len()
                ),
            };
            Ok(ValidatorAddress {
                node_id: format!("validator-{}", index + 1),
                host: host.to_owned(),
                rpc_port: ports.rpc_first + offset,
                p2p_port: ports.p2p_first + offset,
                front: None,
            })
        });
        let first = hosts.first().map_or("127.0.0.1", String::as_str);
        Ok(Self {
            validators: validators.collect::<Result<_>>()?,
            backend_host: first.to_owned(),
            bootnode_host: first.to_owned(),
            backend_port: ports.backend,
            bootnode_port: ports.bootnode,
        })
    }

    /// Places the backend and the bootnode where they are not on the first validator's host.
    pub fn place(
        mut self,
        backend_host: Option<&String>,
        bootnode_host: Option<&String>,
    ) -> Result<Self> {
        for (place, host) in [
            (&mut self.backend_host, backend_host),
            (&mut self.bootnode_host, bootnode_host),
        ] {
            if let Some(host) = host {
                check_host(host)?;
                place.clone_from(host);
            }
        }
        Ok(self)
    }

    /// The backend's URL.
    pub fn backend_url(&self) -> String {
        format!("http://{}:{}", self.backend_host, self.backend_port)
    }

    /// Every port that the processes listen on.
    pub fn ports(&self) -> Vec<u16> {
        let mut ports = vec![self.backend_port, self.bootnode_port];
        for validator in &self.validators {
            ports.extend([validator.rpc_port, validator.p2p_port]);
        }
        ports
    }

    /// The bootnode's URL.
    pub fn bootnode_url(&self) -> String {
        format!("http://{}:{}", self.bootnode_host, self.bootnode_port)
    }
}

/// Where a process that is reached as `host` listens: on loopback only, or on every address.
pub fn listen_address(host: &str, port: u16) -> SocketAddr {
    let loopback = host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    let address = if loopback {
        Ipv4Addr::LOCALHOST
    } else {
        Ipv4Addr::UNSPECIFIED
    };
    SocketAddr::from((address, port))
}

pub(crate) fn check_host(text: &str) -> Result<()> {
    let is_host = !text.is_empty()
        && text.len() <= 253
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    if !is_host {
        bail!("expected a host name or address without a port, got {text:?}");
    }
    Ok(())
}
