//! Whether the ports of a network are free before its processes are started.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// Processes of a network that was killed a moment ago may still be stopping.
const FREE_TIMEOUT: Duration = Duration::from_secs(12);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Waits until every port can be listened on.
pub async fn wait_free(ports: &[u16]) -> Result<()> {
    let deadline = Instant::now() + FREE_TIMEOUT;
    let mut told = false;
    loop {
        let taken: Vec<u16> = ports
            .iter()
            .copied()
            .filter(|port| !is_free(*port))
            .collect();
        if taken.is_empty() {
            return Ok(());
        }
        if !told {
            tell!("waiting for ports {taken:?} to become free ...");
            told = true;
        }
        if Instant::now() > deadline {
            bail!(
                "ports {taken:?} are in use by other processes; stop those, or choose other ports with --port-base"
            );
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Whether every port can be listened on now.
pub fn all_free(ports: &[u16]) -> bool {
    ports.iter().copied().all(is_free)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_ok()
}
