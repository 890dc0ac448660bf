//! Splits block bodies into proposal parts and puts them together again.
//!
//! A body travels as an announcement, signed by the proposer, with the first bytes, followed by parts
//! with the rest; its length and hash are in the announcement. Parts may arrive in any order. What a
//! peer can make this node hold is bounded by [`STREAMS_PER_PEER_MAX`] and the largest body.

use std::collections::{BTreeMap, VecDeque};

use arc_malachitebft_engine::util::streaming::{StreamContent, StreamId, StreamMessage};
use arc_malachitebft_network::PeerId;
use bytes::{Bytes, BytesMut};
use tabella_protocol::{Hash, SigningKey, codec};

use crate::{
    codec::STREAM_ID_BYTES,
    context::{Announcement, ProposalPart},
};

/// Bytes of the body in one part.
pub(crate) const PART_BYTES_MAX: usize = 256 << 10;

/// Longest [message](crate::Handle::broadcast) between applications, in bytes.
pub const MESSAGE_BYTES_MAX: usize = PART_BYTES_MAX;

/// Streams of one peer kept at a time; an honest peer has one, or two around a change of height.
const STREAMS_PER_PEER_MAX: usize = 4;

/// Peers whose streams are kept at a time; only allowed peers connect, so this is never reached
/// honestly.
const PEERS_MAX: usize = 256;

fn signing_bytes(genesis: &Hash, announcement: &Announcement) -> Vec<u8> {
    let Announcement {
        height,
        round,
        block_hash,
        body_hash,
        body_bytes,
        proposer,
        signature: _,
    } = announcement;
    let content = codec::encode(&(height, round, block_hash, body_hash, body_bytes, proposer));
    [
        b"tabella/block-announcement/v1".as_slice(),
        &genesis.0,
        &content,
    ]
    .concat()
}

impl Announcement {
    /// Announces a body; `None` if it is longer than an announcement can say.
    pub(crate) fn sign(
        genesis: &Hash,
        key: &SigningKey,
        height: u64,
        round: u32,
        block_hash: Hash,
        body: &[u8],
    ) -> Option<Self> {
        let mut announcement = Self {
            height,
            round,
            block_hash,
            body_hash: Hash::of(body),
            body_bytes: u32::try_from(body.len()).ok()?,
            proposer: key.public(),
            signature: tabella_protocol::Signature([0; 64]),
        };
        announcement.signature = key.sign(&signing_bytes(genesis, &announcement));
        Some(announcement)
    }

    /// Whether the named proposer signed this.
    pub(crate) fn verify(&self, genesis: &Hash) -> bool {
        self.proposer
            .verify(&signing_bytes(genesis, self), &self.signature)
    }
}

/// The messages that carry an announced body. `counter` tells this node's streams apart.
pub(crate) fn split(
    announcement: Announcement,
    body: &Bytes,
    counter: u32,
) -> impl Iterator<Item = StreamMessage<ProposalPart>> {
    let stream_id = stream_id(announcement.height, announcement.round, counter);
    let first = body.slice(..body.len().min(PART_BYTES_MAX));
    let rest = body.slice(first.len()..);
    let data = (0..rest.len())
        .step_by(PART_BYTES_MAX)
        .map(move |start| rest.slice(start..rest.len().min(start + PART_BYTES_MAX)))
        .map(ProposalPart::Data);
    std::iter::once(ProposalPart::Init(announcement, first))
        .chain(data)
        .zip(0..)
        .map(move |(part, sequence)| {
            StreamMessage::new(stream_id.clone(), sequence, StreamContent::Data(part))
        })
}

/// A stream's name.
pub(crate) fn stream_id(height: u64, round: u32, counter: u32) -> StreamId {
    let mut id = [0; STREAM_ID_BYTES];
    id[..8].copy_from_slice(&height.to_be_bytes());
    id[8..12].copy_from_slice(&round.to_be_bytes());
    id[12..].copy_from_slice(&counter.to_be_bytes());
    StreamId::new(Bytes::copy_from_slice(&id))
}

/// Why a part was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PartError {
    #[error("expected a body of at most {expected} bytes, got {got}")]
    TooLong { expected: usize, got: usize },
    #[error("expected the announcement as part 0 and data in the parts a body can have")]
    Misplaced,
    #[error("part {0} of the stream came twice")]
    Twice(u64),
    #[error("the parts do not have the length or the hash that was announced")]
    OtherBody,
    #[error("the announcement's signature does not verify")]
    BadSignature,
    #[error("peers send more streams than are kept")]
    TooManyPeers,
}

#[derive(Debug, Default)]
struct Stream {
    announcement: Option<Announcement>,
    chunks: BTreeMap<u64, Bytes>,
    bytes: usize,
}

/// Bodies on their way.
#[derive(Debug)]
pub(crate) struct PartStreams {
    genesis_hash: Hash,
    body_bytes_max: usize,
    /// By peer, oldest stream first.
    peers: BTreeMap<PeerId, VecDeque<(StreamId, Stream)>>,
}

impl PartStreams {
    pub(crate) fn new(genesis_hash: Hash, body_bytes_max: usize) -> Self {
        Self {
            genesis_hash,
            body_bytes_max,
            peers: BTreeMap::new(),
        }
    }

    /// Adds a part; returns the body once it is complete. A part that does not fit ends its stream.
    pub(crate) fn insert(
        &mut self,
        peer: PeerId,
        stream_id: StreamId,
        sequence: u64,
        part: ProposalPart,
    ) -> Result<Option<(Announcement, Bytes)>, PartError> {
        if self.peers.len() >= PEERS_MAX && !self.peers.contains_key(&peer) {
            return Err(PartError::TooManyPeers);
        }
        let streams = self.peers.entry(peer).or_default();
        let index = match streams.iter().position(|(id, _)| *id == stream_id) {
            Some(index) => index,
            None => {
                if streams.len() >= STREAMS_PER_PEER_MAX {
                    streams.pop_front();
                }
                streams.push_back((stream_id, Stream::default()));
                streams.len() - 1
            }
        };
        let stream = &mut streams[index].1;
        let result = stream.insert(&self.genesis_hash, self.body_bytes_max, sequence, part);
        if !matches!(result, Ok(None)) {
            streams.remove(index);
            if streams.is_empty() {
                self.peers.remove(&peer);
            }
        }
        result
    }
}

impl Stream {
    fn insert(
        &mut self,
        genesis_hash: &Hash,
        body_bytes_max: usize,
        sequence: u64,
        part: ProposalPart,
    ) -> Result<Option<(Announcement, Bytes)>, PartError> {
        // Bounds the number of parts, which may be tiny, beside their bytes.
        let parts_max = body_bytes_max.div_ceil(PART_BYTES_MAX).max(1) as u64;
        let chunk = match part {
            ProposalPart::Init(announcement, chunk) if sequence == 0 => {
                let got = announcement.body_bytes as usize;
                if got > body_bytes_max {
                    return Err(PartError::TooLong {
                        expected: body_bytes_max,
                        got,
                    });
                }
                if !announcement.verify(genesis_hash) {
                    return Err(PartError::BadSignature);
                }
                self.announcement = Some(announcement);
                chunk
            }
            ProposalPart::Data(chunk) if (1..parts_max).contains(&sequence) => chunk,
            _ => return Err(PartError::Misplaced),
        };
        self.bytes += chunk.len();
        if self.chunks.insert(sequence, chunk).is_some() {
            return Err(PartError::Twice(sequence));
        }
        if self.bytes > body_bytes_max {
            return Err(PartError::TooLong {
                expected: body_bytes_max,
                got: self.bytes,
            });
        }
        let Some(announcement) = self.announcement else {
            return Ok(None);
        };
        if self.bytes < announcement.body_bytes as usize {
            return Ok(None);
        }
        let in_order = self.chunks.keys().copied().eq(0..self.chunks.len() as u64);
        let body = match self.chunks.len() {
            1 => self
                .chunks
                .pop_first()
                .map(|(_, chunk)| chunk)
                .unwrap_or_default(),
            _ => {
                let mut body = BytesMut::with_capacity(self.bytes);
                self.chunks
                    .values()
                    .for_each(|chunk| body.extend_from_slice(chunk));
                body.freeze()
            }
        };
        if !in_order
            || body.len() != announcement.body_bytes as usize
            || Hash::of(&body) != announcement.body_hash
        {
            return Err(PartError::OtherBody);
        }
        Ok(Some((announcement, body)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::peer_id;
    use proptest::prelude::*;
    use tabella_protocol::PublicKey;

    const GENESIS: Hash = Hash([5; 32]);
    const BODY_BYTES_MAX: usize = 4 * PART_BYTES_MAX;

    fn key() -> SigningKey {
        SigningKey::from_seed([1; 32])
    }

    fn streams() -> PartStreams {
        PartStreams::new(GENESIS, BODY_BYTES_MAX)
    }

    fn parts(body: &Bytes, counter: u32) -> Vec<StreamMessage<ProposalPart>> {
        let block_hash = Hash::of(b"block");
        let announcement = Announcement::sign(&GENESIS, &key(), 9, 2, block_hash, body).unwrap();
        split(announcement, body, counter).collect()
    }

    fn insert(
        streams: &mut PartStreams,
        message: StreamMessage<ProposalPart>,
    ) -> Result<Option<(Announcement, Bytes)>, PartError> {
        let part = message.content.into_data().unwrap();
        let peer = peer_id(&PublicKey([7; 32]));
        streams.insert(peer, message.stream_id, message.sequence, part)
    }

    fn body(bytes: usize) -> Bytes {
        (0..bytes).map(|i| (i / 7) as u8).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn a_body_comes_together_in_any_order(
            bytes in 0..=BODY_BYTES_MAX,
            order in any::<prop::sample::Index>(),
            reverse in any::<bool>(),
        ) {
            let body = body(bytes);
            let mut messages = parts(&body, 0);
            let count = messages.len();
            prop_assert_eq!(count, bytes.div_ceil(PART_BYTES_MAX).max(1));
            messages.rotate_left(order.index(count));
            if reverse {
                messages.reverse();
            }
            let mut streams = streams();
            let mut complete = None;
            for message in messages {
                prop_assert!(complete.is_none());
                complete = insert(&mut streams, message).unwrap();
            }
            let (announcement, received) = complete.expect("all parts were sent");
            prop_assert_eq!((announcement.height, announcement.round), (9, 2));
            prop_assert_eq!(announcement.proposer, key().public());
            prop_assert!(received == body);
            prop_assert!(streams.peers.is_empty());
        }
    }

    #[test]
    fn what_was_not_announced_is_dropped() {
        let sent = body(PART_BYTES_MAX + 10);
        let [init, data] = <[_; 2]>::try_from(parts(&sent, 0)).unwrap();
        let with = |message: &StreamMessage<ProposalPart>, sequence, part| {
            StreamMessage::new(
                message.stream_id.clone(),
                sequence,
                StreamContent::Data(part),
            )
        };

        let mut other = body(10).to_vec();
        other[0] ^= 1;
        let changed = with(&data, 1, ProposalPart::Data(other.into()));
        let mut kept = streams();
        assert_eq!(insert(&mut kept, init.clone()), Ok(None));
        assert_eq!(insert(&mut kept, changed), Err(PartError::OtherBody));
        assert!(kept.peers.is_empty());

        let mut kept = streams();
        assert_eq!(insert(&mut kept, data.clone()), Ok(None));
        assert_eq!(insert(&mut kept, data.clone()), Err(PartError::Twice(1)));

        let first = with(&data, 0, ProposalPart::Data(body(1)));
        assert_eq!(insert(&mut streams(), first), Err(PartError::Misplaced));
        let past_the_end = with(&data, 4, ProposalPart::Data(body(1)));
        assert_eq!(
            insert(&mut streams(), past_the_end),
            Err(PartError::Misplaced)
        );

        let Some(ProposalPart::Init(announcement, chunk)) = init.content.as_data().cloned() else {
            panic!("the first part announces the body")
        };
        let forged = Announcement {
            round: 3,
            ..announcement
        };
        let forged = with(&init, 0, ProposalPart::Init(forged, chunk));
        assert_eq!(insert(&mut streams(), forged), Err(PartError::BadSignature));
    }

    #[test]
    fn bodies_past_the_bound_are_refused_before_they_are_held() {
        let too_long = body(BODY_BYTES_MAX + 1);
        let refused = PartError::TooLong {
            expected: BODY_BYTES_MAX,
            got: BODY_BYTES_MAX + 1,
        };
        let mut announced = streams();
        assert_eq!(
            insert(&mut announced, parts(&too_long, 0).remove(0)),
            Err(refused)
        );

        // Without an announcement, the data itself is counted.
        let mut unannounced = streams();
        let id = stream_id(1, 0, 0);
        let data = |bytes| StreamContent::Data(ProposalPart::Data(body(bytes)));
        let first = StreamMessage::new(id.clone(), 1, data(BODY_BYTES_MAX));
        assert_eq!(insert(&mut unannounced, first), Ok(None));
        assert_eq!(
            insert(&mut unannounced, StreamMessage::new(id, 2, data(1))),
            Err(refused)
        );
    }

    #[test]
    fn a_peer_keeps_few_streams_open() {
        let body = body(PART_BYTES_MAX + 1);
        let mut streams = streams();
        for counter in 0..100 {
            assert_eq!(
                insert(&mut streams, parts(&body, counter).remove(0)),
                Ok(None)
            );
        }
        let open: usize = streams.peers.values().map(VecDeque::len).sum();
        assert_eq!(open, STREAMS_PER_PEER_MAX);
    }
}
