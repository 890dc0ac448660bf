//! Which of the block bodies that peers send are looked at, and when. Knows no network and no
//! application: the host and the [`machine`](crate::machine) ask it.

use std::{cmp::Ordering, collections::BTreeMap};

use arc_malachitebft_engine::util::streaming::StreamId;
use arc_malachitebft_network::PeerId;
use bytes::Bytes;
use tabella_protocol::{Hash, PublicKey, Quorum};

use crate::{
    context::{Announcement, ProposalPart, ValidatorSet},
    parts::{PartError, PartStreams},
};

/// Different bodies of one round that are checked: the proposer's, and one more that proves it lied.
const BODIES_PER_ROUND_MAX: usize = 2;

/// How far ahead of the current round a body is looked at; the engine's own bound for votes.
const ROUNDS_AHEAD_MAX: u32 = 10;

/// How far ahead of the current height a body is kept.
const HEIGHTS_AHEAD_MAX: u64 = 2;

/// Bodies of one proposer kept for later heights.
const BODIES_AHEAD_PER_PROPOSER_MAX: usize = 2;

/// A complete body, to be checked by the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) peer: PeerId,
    pub(crate) announcement: Announcement,
    pub(crate) bytes: Bytes,
}

/// Why what a peer sent was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RefusedBody {
    #[error(transparent)]
    Part(#[from] PartError),
    #[error("a block of someone else's round")]
    NotItsRound,
    #[error("a further block for one round")]
    TooMany,
}

/// The bodies of the height being decided, and a few of the next.
pub(crate) struct Bodies {
    height: u64,
    round: u32,
    validators: ValidatorSet,
    streams: PartStreams,
    /// What went to the application at this height, by round: hashes of block and body. A proposer
    /// that put something else below a header must not keep the block itself from being checked.
    checked: BTreeMap<u32, Vec<(Hash, Hash)>>,
    /// Complete bodies of later heights.
    ahead: Vec<Body>,
}

impl Bodies {
    pub(crate) fn new(genesis_hash: Hash, body_bytes_max: usize) -> Self {
        Self {
            height: 0,
            round: 0,
            validators: ValidatorSet::new(Quorum::Majority, &[]),
            streams: PartStreams::new(genesis_hash, body_bytes_max),
            checked: BTreeMap::new(),
            ahead: Vec::new(),
        }
    }

    /// The height being decided; 0 before the first.
    pub(crate) fn height(&self) -> u64 {
        self.height
    }

    /// Consensus starts a round; returns what came early for its height.
    pub(crate) fn started_round(
        &mut self,
        height: u64,
        round: u32,
        quorum: Quorum,
        validators: &[PublicKey],
    ) -> Vec<Body> {
        self.round = round;
        if height == self.height {
            return Vec::new();
        }
        self.height = height;
        self.validators = ValidatorSet::new(quorum, validators);
        self.checked.clear();
        std::mem::take(&mut self.ahead)
    }

    /// Takes a part of a body from `peer`; returns the body once it is complete.
    pub(crate) fn part(
        &mut self,
        peer: PeerId,
        stream_id: StreamId,
        sequence: u64,
        part: ProposalPart,
    ) -> Result<Option<Body>, RefusedBody> {
        let complete = self.streams.insert(peer, stream_id, sequence, part)?;
        Ok(complete.map(|(announcement, bytes)| Body {
            peer,
            announcement,
            bytes,
        }))
    }

    /// Returns a complete body that is to be checked now; keeps one of a later height, whose
    /// proposer `may_propose` at all.
    pub(crate) fn admit(
        &mut self,
        body: Body,
        may_propose: impl Fn(&PublicKey) -> bool,
    ) -> Result<Option<Body>, RefusedBody> {
        let Announcement {
            height,
            round,
            block_hash,
            body_hash,
            proposer,
            ..
        } = body.announcement;
        match height.cmp(&self.height) {
            Ordering::Less => Ok(None),
            Ordering::Greater => {
                let ahead = self.ahead.iter();
                let of_proposer = ahead
                    .filter(|b| b.announcement.proposer == proposer)
                    .count();
                if height - self.height <= HEIGHTS_AHEAD_MAX
                    && may_propose(&proposer)
                    && of_proposer < BODIES_AHEAD_PER_PROPOSER_MAX
                {
                    self.ahead.push(body);
                }
                Ok(None)
            }
            Ordering::Equal => {
                if self.validators.proposer(round) != Some(proposer)
                    || round > self.round.saturating_add(ROUNDS_AHEAD_MAX)
                {
                    return Err(RefusedBody::NotItsRound);
                }
                // Consensus matches blocks with proposals of any round, so once is enough.
                let key = (block_hash, body_hash);
                if self.checked.values().flatten().any(|known| *known == key) {
                    return Ok(None);
                }
                let of_round = self.checked.entry(round).or_default();
                if of_round.len() >= BODIES_PER_ROUND_MAX {
                    return Err(RefusedBody::TooMany);
                }
                of_round.push(key);
                Ok(Some(body))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::peer_id;
    use tabella_protocol::SigningKey;

    const GENESIS: Hash = Hash([5; 32]);

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed([seed; 32])
    }

    fn body(proposer: u8, height: u64, round: u32, block: &[u8], bytes: &'static [u8]) -> Body {
        let key = key(proposer);
        let block = Hash::of(block);
        let announcement = Announcement::sign(&GENESIS, &key, height, round, block, bytes);
        Body {
            peer: peer_id(&key.public()),
            announcement: announcement.expect("short"),
            bytes: Bytes::from_static(bytes),
        }
    }

    fn at_height_5() -> Bodies {
        let mut bodies = Bodies::new(GENESIS, 1_000);
        let validators = [1, 2, 3].map(|seed| key(seed).public());
        assert_eq!(
            bodies.started_round(5, 0, Quorum::Majority, &validators),
            []
        );
        bodies
    }

    #[test]
    fn a_made_up_body_does_not_keep_out_the_real_one_of_its_hash() {
        let mut bodies = at_height_5();
        let fake = body(1, 5, 0, b"block", b"something else");
        assert_eq!(bodies.admit(fake.clone(), |_| true), Ok(Some(fake.clone())));
        assert_eq!(bodies.admit(fake, |_| true), Ok(None), "once is enough");
        let real = body(2, 5, 1, b"block", b"block");
        assert_eq!(bodies.admit(real.clone(), |_| true), Ok(Some(real)));
    }

    #[test]
    fn only_the_proposer_of_a_round_and_only_two_bodies() {
        let mut bodies = at_height_5();
        let admit = |bodies: &mut Bodies, body: Body| bodies.admit(body, |_| true);
        let refused = admit(&mut bodies, body(2, 5, 0, b"a", b"a"));
        assert_eq!(refused, Err(RefusedBody::NotItsRound));
        let far = admit(&mut bodies, body(3, 5, 11, b"a", b"a"));
        assert_eq!(far, Err(RefusedBody::NotItsRound));
        for block in [b"a", b"b"] {
            assert!(
                admit(&mut bodies, body(1, 5, 0, block, block))
                    .unwrap()
                    .is_some()
            );
        }
        let third = admit(&mut bodies, body(1, 5, 0, b"c", b"c"));
        assert_eq!(third, Err(RefusedBody::TooMany));
        assert_eq!(admit(&mut bodies, body(1, 4, 0, b"a", b"a")), Ok(None));
    }

    #[test]
    fn bodies_of_the_next_heights_wait_for_theirs() {
        let mut bodies = at_height_5();
        let next = body(2, 6, 0, b"next", b"next");
        assert_eq!(bodies.admit(next.clone(), |_| true), Ok(None));
        assert_eq!(bodies.admit(body(2, 6, 0, b"x", b"x"), |_| false), Ok(None));
        assert_eq!(
            bodies.admit(body(2, 9, 0, b"far", b"far"), |_| true),
            Ok(None)
        );
        for block in [b"1", b"2"] {
            assert_eq!(
                bodies.admit(body(2, 7, 0, block, block), |_| true),
                Ok(None)
            );
        }
        let validators = [2, 3, 1].map(|seed| key(seed).public());
        let early = bodies.started_round(6, 0, Quorum::Majority, &validators);
        assert_eq!(early, [next, body(2, 7, 0, b"1", b"1")]);
    }
}
