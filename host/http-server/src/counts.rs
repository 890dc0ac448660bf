//! What is counted of connections.

use std::fmt;

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// Why a connection was closed, or not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

const REASONS: [Reason; 8] = [
    Reason::Full,
    Reason::Address,
    Reason::Evicted,
    Reason::Idle,
    Reason::Head,
    Reason::Body,
    Reason::Write,
    Reason::Bytes,
];

impl EncodeLabelValue for Reason {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let name = match self {
            Self::Full => "full",
            Self::Address => "address",
            Self::Evicted => "evicted",
            Self::Idle => "idle",
            Self::Head => "head",
            Self::Body => "body",
            Self::Write => "write",
            Self::Bytes => "bytes",
        };
        name.encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Bound {
    bound: Reason,
}

pub(crate) struct Counters {
    accepted: Counter,
    ended: Family<Bound, Counter>,
}

impl Default for Counters {
    fn default() -> Self {
        let counters = Self {
            accepted: Counter::default(),
            ended: Family::default(),
        };
        // Shown before the first of its kind: what appears with a 1 has not risen for Prometheus.
        for reason in REASONS {
            counters.of(reason);
        }
        counters
    }
}

impl Counters {
    pub(crate) fn accepted(&self) {
        self.accepted.inc();
    }

    pub(crate) fn ended(&self, reason: Reason) {
        self.ended.get_or_create(&Bound { bound: reason }).inc();
    }

    fn of(&self, reason: Reason) -> u64 {
        self.ended.get_or_create(&Bound { bound: reason }).get()
    }

    pub(crate) fn snapshot(&self) -> Counts {
        Counts {
            accepted: self.accepted.get(),
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

    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "accepted",
            "Connections taken since the start",
            self.accepted.clone(),
        );
        registry.register(
            "cut_off",
            "Connections refused or closed at a bound, by the bound",
            self.ended.clone(),
        );
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
