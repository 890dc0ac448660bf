//! The listening socket, and the limit of open files.

use std::{io, net::SocketAddr};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};

/// Connections that the system may hold for the server until it takes them; the system may have a
/// lower limit of its own (`net.core.somaxconn`).
pub const LISTEN_BACKLOG: u32 = 4_096;
/// Open files that connections leave for databases, logs and the network's own connections.
pub const FILES_RESERVED: u64 = 512;

/// Listens on `address`.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restarted process takes its port again at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(LISTEN_BACKLOG)
}

/// Raises the limit of open files as far as the system lets this process, and returns it.
pub(crate) fn raise_file_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return 1_024;
    };
    if soft >= hard || setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        hard.max(soft)
    } else {
        soft
    }
}

/// How many of `wanted` connections fit under a limit of `files` open files.
pub(crate) fn connections_within(wanted: usize, files: u64) -> usize {
    let reserved = FILES_RESERVED.min(files / 2);
    let room = usize::try_from(files - reserved).unwrap_or(usize::MAX);
    wanted.min(room).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_rest() {
        assert_eq!(connections_within(16_384, 1_048_576), 16_384);
        assert_eq!(connections_within(16_384, 1_024), 512);
        assert_eq!(connections_within(16_384, 4_096), 3_584);
        assert_eq!(connections_within(16_384, 64), 32);
        assert_eq!(connections_within(0, 0), 1);
    }
}
