//! What is shown as metrics.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Why a connection was closed, or not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// No room, and nobody who waited.
    Full,
    /// Too many of its address.
    Address,
    /// Made room for another.
    Evicted,
    /// No request came.
    Idle,
    /// The head was too slow.
    Head,
    /// The body was too slow.
    Body,
    /// The answer was not read.
    Write,
    /// Among the slowest when too many bytes were held.
    Bytes,
}

const REASONS: [(Reason, &str); 8] = [
    (Reason::Full, "full"),
    (Reason::Address, "address"),
    (Reason::Evicted, "evicted"),
    (Reason::Idle, "idle"),
    (Reason::Head, "head"),
    (Reason::Body, "body"),
    (Reason::Write, "write"),
    (Reason::Bytes, "bytes"),
];

#[derive(Default)]
pub(crate) struct Counters {
    accepted: AtomicU64,
    ended: [AtomicU64; REASONS.len()],
}

impl Counters {
    pub(crate) fn accepted(&self) {
        self.accepted.fetch_add(1, Relaxed);
    }

    pub(crate) fn ended(&self, reason: Reason) {
        self.ended[reason as usize].fetch_add(1, Relaxed);
    }

    fn of(&self, reason: Reason) -> u64 {
        self.ended[reason as usize].load(Relaxed)
    }

    pub(crate) fn snapshot(&self) -> Counts {
        Counts {
            accepted: self.accepted.load(Relaxed),
            refused_full: self.of(Reason::Full),
            refused_address: self.of(Reason::Address),
            evicted: self.of(Reason::Evicted),
            idle: self.of(Reason::Idle),
            slow_head: self.of(Reason::Head),
            slow_body: self.of(Reason::Body),
            unread: self.of(Reason::Write),
            over_bytes: self.of(Reason::Bytes),
            ..Counts::default()
        }
    }

    /// The counters in Prometheus' text format.
    pub(crate) fn render(&self, prefix: &str, text: &mut String) {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "# HELP {prefix}_http_accepted_total Connections taken since the start.\n\
             # TYPE {prefix}_http_accepted_total counter\n\
             {prefix}_http_accepted_total {}\n\
             # HELP {prefix}_http_cut_off_total Connections refused or closed at a bound, by the bound.\n\
             # TYPE {prefix}_http_cut_off_total counter",
            self.accepted.load(Relaxed)
        );
        for (reason, name) in REASONS {
            let value = self.of(reason);
            let _ = writeln!(
                text,
                "{prefix}_http_cut_off_total{{bound=\"{name}\"}} {value}"
            );
        }
    }
}

/// A look at a server's connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections open now.
    pub connections: usize,
    /// Most connections that were open at one moment.
    pub connections_most: usize,
    /// Bytes of requests' bodies held now.
    pub body_bytes: u64,
    /// Most bytes of requests' bodies that were held at one moment.
    pub body_bytes_most: u64,
    /// Bytes of answers held now.
    pub answer_bytes: u64,
    /// Connections taken since the start.
    pub accepted: u64,
    /// Connections not taken because there was no room.
    pub refused_full: u64,
    /// Connections not taken because their address had too many.
    pub refused_address: u64,
    /// Waiting connections closed to make room.
    pub evicted: u64,
    /// Connections closed because no request came.
    pub idle: u64,
    /// Connections closed because a head came too slowly.
    pub slow_head: u64,
    /// Requests given up because the body came too slowly.
    pub slow_body: u64,
    /// Connections closed because the answer was not read.
    pub unread: u64,
    /// Slowest senders and readers cut off because too many bytes were held.
    pub over_bytes: u64,
}
