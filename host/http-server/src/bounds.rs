//! The configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What connections may hold, and for how long. Every key has a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// Most connections at once, an eighth of them for trusted addresses alone. When one more comes, those
    /// that have waited longest are closed; where none waits, the newcomer is answered 503. Lowered at
    /// start to what the limit of open files leaves.
    pub connections_max: usize,
    /// Most connections of one address at once, and never more than an eighth of all; an IPv6 network of
    /// 64 bits is one address. This machine itself and named proxies are not bounded by it.
    pub connections_per_address_max: usize,
    /// How long a request's head may take from its first byte on, in milliseconds.
    pub head_timeout_ms: u64,
    /// How far the body of a request may fall behind `bytes_per_second_min`, in milliseconds.
    pub body_timeout_ms: u64,
    /// How long a connection may wait for its next request, in milliseconds.
    pub idle_timeout_ms: u64,
    /// How far the reader of an answer may fall behind `bytes_per_second_min`, in milliseconds.
    pub write_timeout_ms: u64,
    /// The slowest pace at which bodies are taken and answers are read, in bytes a second.
    pub bytes_per_second_min: u32,
    /// Most bytes of requests' bodies that are held at once. Past it, the slowest senders are cut off.
    pub body_bytes_in_all_max: u64,
    /// Most bytes of answers that are held at once. Past it, the slowest readers are cut off.
    pub answer_bytes_in_all_max: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections_max: 16_384,
            connections_per_address_max: 2_048,
            head_timeout_ms: 10_000,
            body_timeout_ms: 20_000,
            idle_timeout_ms: 75_000,
            write_timeout_ms: 20_000,
            bytes_per_second_min: 16 << 10,
            body_bytes_in_all_max: 256 << 20,
            answer_bytes_in_all_max: 256 << 20,
        }
    }
}

impl Bounds {
    pub(crate) fn head_timeout(&self) -> Duration {
        Duration::from_millis(self.head_timeout_ms.max(1))
    }

    pub(crate) fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_timeout_ms.max(1))
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms.max(1))
    }

    pub(crate) fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms.max(1))
    }

    /// Pause between two looks at who is too slow: a small part of the shortest time allowed.
    pub(crate) fn sweep_period(&self) -> Duration {
        let timeouts = [
            self.head_timeout(),
            self.body_timeout(),
            self.idle_timeout(),
            self.write_timeout(),
        ];
        let shortest = timeouts.into_iter().min().unwrap_or_default();
        (shortest / 8).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }
}
