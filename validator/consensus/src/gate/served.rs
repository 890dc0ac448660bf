//! How many bytes of blocks each peer asks for: this node reads them from its disk and sends them.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use arc_malachitebft_engine::network::NetworkMsg;
use arc_malachitebft_network::PeerId;
use arc_malachitebft_sync::{InboundRequestId, Response};

use super::SECOND;
use crate::context::Tabella;

/// Bytes of blocks that one peer may have of this node in a second, beside the answers under way when it has
/// had them.
pub(super) const SYNC_BYTES_PER_SECOND_MAX: u64 = 32 << 20;

/// Requests under way that are remembered, of all peers; the engine answers more than that at once.
const REQUESTS_MAX: usize = 1_024;

/// What peers asked for and got.
#[derive(Default)]
pub(super) struct Served {
    /// Requests without an answer, oldest first.
    asked: VecDeque<(InboundRequestId, PeerId)>,
    /// Until when what a peer got would last, had it come at the pace that it may have.
    until: BTreeMap<PeerId, Instant>,
}

impl Served {
    /// Whether a peer may ask for blocks now.
    pub(super) fn admits(
        &mut self,
        peer: PeerId,
        request: &InboundRequestId,
        now: Instant,
    ) -> bool {
        if self
            .until
            .get(&peer)
            .is_some_and(|until| *until > now + SECOND)
        {
            return false;
        }
        if self.asked.len() >= REQUESTS_MAX {
            self.asked.pop_front();
        }
        self.asked.push_back((request.clone(), peer));
        true
    }

    /// A request was answered, with so many bytes, or given up.
    pub(super) fn answered(&mut self, request: &InboundRequestId, bytes: u64, now: Instant) {
        let place = self.asked.iter().position(|(known, _)| known == request);
        let Some((_, peer)) = place.and_then(|place| self.asked.remove(place)) else {
            return;
        };
        let nanos = u128::from(bytes) * SECOND.as_nanos() / u128::from(SYNC_BYTES_PER_SECOND_MAX);
        let lasts = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let until = self.until.entry(peer).or_insert(now);
        *until = (*until).max(now) + lasts;
    }

    /// Forgets the peers that may ask for as much as any other.
    pub(super) fn forget(&mut self, now: Instant) {
        self.until.retain(|_, until| *until > now);
    }
}

/// The request that a message to the network answers or gives up, and the bytes of blocks in it.
pub(super) fn answer(message: &NetworkMsg<Tabella>) -> Option<(InboundRequestId, u64)> {
    match message {
        NetworkMsg::OutgoingResponse(request, Response::ValueResponse(response)) => {
            let values = response.values.iter();
            let bytes = values.map(|value| value.value_bytes.len() as u64).sum();
            Some((request.clone(), bytes))
        }
        NetworkMsg::CancelInboundRequest(request) => Some((request.clone(), 0)),
        _ => None,
    }
}
