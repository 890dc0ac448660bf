//! The values that the engine's Tendermint algorithm runs over, as thin shells around protocol types.
//!
//! The consensus value is a block hash and a validator's address is its public key. All validators
//! have the same voting power; how much of it there is in total makes the quorum rule of a height.

use std::{fmt, sync::Arc};

use arc_malachitebft_core_types as types;
use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use tabella_protocol::{
    ConsensusProposal, ConsensusVote, ConsensusVoteKind, Hash, PublicKey, Quorum, Signature,
};
use types::{LinearTimeouts, NilOrVal, Round, SignedExtension, VoteType};

/// Rounds past this one are refused where they enter: honest networks never come near it, and the
/// engine may add one to any round without overflowing.
pub(crate) const ROUND_MAX: u32 = 1 << 24;

/// The type-level parameter of the engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tabella;

/// A block height, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Height(pub(crate) u64);

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl types::Height for Height {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);

    // Saturating, because peers name heights that no chain reaches.
    fn increment_by(&self, n: u64) -> Self {
        Self(self.0.saturating_add(n))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Self)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

/// A validator's address: its public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Address(pub(crate) PublicKey);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl types::Address for Address {}

/// The consensus value: a block hash. It is its own identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BlockId(pub(crate) Hash);

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl types::Value for BlockId {
    type Id = Self;

    fn id(&self) -> Self {
        *self
    }
}

/// A member of the validator set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Validator {
    address: Address,
    voting_power: types::VotingPower,
}

impl types::Validator<Tabella> for Validator {
    fn address(&self) -> &Address {
        &self.address
    }

    fn public_key(&self) -> &PublicKey {
        &self.address.0
    }

    fn voting_power(&self) -> types::VotingPower {
        self.voting_power
    }
}

/// What the engine takes for a quorum, at every height: more than half of the total power.
///
/// It fixes this once, while Tabella's rule may change with the height. So the total follows the
/// rule: under `majority` it is what the validators hold together. Under `bft` each validator holds 3
/// and a further `n` belong to nobody, as if held by validators that never vote: more than half of
/// 4n is more than two thirds of the 3n that do.
pub(crate) const QUORUM: types::ThresholdParam = types::ThresholdParam::new(1, 2);

/// The engine's thresholds, with that quorum.
pub(crate) fn thresholds() -> types::ThresholdParams {
    types::ThresholdParams {
        quorum: QUORUM,
        ..types::ThresholdParams::default()
    }
}

/// The validators of one height, in proposer order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ValidatorSet {
    validators: Arc<[Validator]>,
    total_voting_power: types::VotingPower,
}

impl ValidatorSet {
    pub(crate) fn new(quorum: Quorum, validators: &[PublicKey]) -> Self {
        let (voting_power, nobodys) = match quorum {
            Quorum::Majority => (1, 0),
            Quorum::Bft => (3, 1),
        };
        let of_all = |each: types::VotingPower| each * validators.len() as u64;
        Self {
            validators: validators
                .iter()
                .map(|key| Validator {
                    address: Address(*key),
                    voting_power,
                })
                .collect(),
            total_voting_power: of_all(voting_power) + of_all(nobodys),
        }
    }

    /// The proposer of a round: the set in order, over and over.
    pub(crate) fn proposer(&self, round: u32) -> Option<PublicKey> {
        let index = usize::try_from(round)
            .ok()?
            .checked_rem(self.validators.len())?;
        self.validators
            .get(index)
            .map(|validator| validator.address.0)
    }
}

impl types::ValidatorSet<Tabella> for ValidatorSet {
    fn count(&self) -> usize {
        self.validators.len()
    }

    fn total_voting_power(&self) -> types::VotingPower {
        self.total_voting_power
    }

    fn get_by_address(&self, address: &Address) -> Option<&Validator> {
        self.validators
            .iter()
            .find(|validator| validator.address == *address)
    }

    fn get_by_index(&self, index: usize) -> Option<&Validator> {
        self.validators.get(index)
    }
}

/// A prevote or precommit. Tabella uses no vote extensions, so none can be attached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Vote {
    pub(crate) kind: VoteType,
    pub(crate) height: Height,
    pub(crate) round: Round,
    pub(crate) value: NilOrVal<BlockId>,
    pub(crate) validator: Address,
}

impl Vote {
    /// The protocol value that is signed, unless the round is undefined.
    pub(crate) fn to_protocol(&self) -> Option<ConsensusVote> {
        Some(ConsensusVote {
            kind: match self.kind {
                VoteType::Prevote => ConsensusVoteKind::Prevote,
                VoteType::Precommit => ConsensusVoteKind::Precommit,
            },
            height: self.height.0,
            round: self.round.as_u32()?,
            value: match self.value {
                NilOrVal::Nil => None,
                NilOrVal::Val(BlockId(hash)) => Some(hash),
            },
            validator: self.validator.0,
        })
    }

    pub(crate) fn from_protocol(vote: ConsensusVote) -> Self {
        Self {
            kind: match vote.kind {
                ConsensusVoteKind::Prevote => VoteType::Prevote,
                ConsensusVoteKind::Precommit => VoteType::Precommit,
            },
            height: Height(vote.height),
            round: Round::new(vote.round),
            value: vote
                .value
                .map_or(NilOrVal::Nil, |hash| NilOrVal::Val(BlockId(hash))),
            validator: Address(vote.validator),
        }
    }
}

impl types::Vote<Tabella> for Vote {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &NilOrVal<BlockId> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<BlockId> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        self.kind
    }

    fn validator_address(&self) -> &Address {
        &self.validator
    }

    fn extension(&self) -> Option<&SignedExtension<Tabella>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<Tabella>> {
        None
    }

    fn extend(self, _: SignedExtension<Tabella>) -> Self {
        self
    }
}

/// A proposer's signed choice for a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proposal {
    pub(crate) height: Height,
    pub(crate) round: Round,
    pub(crate) value: BlockId,
    pub(crate) valid_round: Round,
    pub(crate) proposer: Address,
}

impl Proposal {
    /// The protocol value that is signed, unless the round is undefined.
    pub(crate) fn to_protocol(&self) -> Option<ConsensusProposal> {
        Some(ConsensusProposal {
            height: self.height.0,
            round: self.round.as_u32()?,
            value: self.value.0,
            valid_round: self.valid_round.as_u32(),
            proposer: self.proposer.0,
        })
    }

    pub(crate) fn from_protocol(proposal: ConsensusProposal) -> Self {
        Self {
            height: Height(proposal.height),
            round: Round::new(proposal.round),
            value: BlockId(proposal.value),
            valid_round: Round::from(proposal.valid_round),
            proposer: Address(proposal.proposer),
        }
    }
}

impl types::Proposal<Tabella> for Proposal {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &BlockId {
        &self.value
    }

    fn take_value(self) -> BlockId {
        self.value
    }

    fn pol_round(&self) -> Round {
        self.valid_round
    }

    fn validator_address(&self) -> &Address {
        &self.proposer
    }
}

/// What travels on the engine's proposal-part channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProposalPart {
    /// Announces a block body and carries its first bytes.
    Init(Announcement, Bytes),
    /// The next bytes of the body.
    Data(Bytes),
    /// No part of a block: a message of the application to its peers.
    Message(Bytes),
}

impl types::ProposalPart<Tabella> for ProposalPart {
    fn is_first(&self) -> bool {
        matches!(self, Self::Init(..) | Self::Message(_))
    }

    // Where a stream ends follows from the announced length, not from a part.
    fn is_last(&self) -> bool {
        matches!(self, Self::Message(_))
    }
}

/// A proposer's signed announcement of the block body that it streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Announcement {
    /// The height proposed for.
    pub(crate) height: u64,
    /// The round in which the body is streamed.
    pub(crate) round: u32,
    /// The block.
    pub(crate) block_hash: Hash,
    /// SHA-256 of the body.
    pub(crate) body_hash: Hash,
    /// Length of the whole body.
    pub(crate) body_bytes: u32,
    /// Who streams: the proposer of this height and round.
    pub(crate) proposer: PublicKey,
    /// The proposer's signature over the above, bound to the network.
    pub(crate) signature: Signature,
}

/// The signature scheme: ed25519 as the protocol crate verifies it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ed25519;

/// Bytes of the wrong length for a key or signature.
#[derive(Debug, thiserror::Error)]
#[error("expected {expected} bytes, got {got}")]
pub(crate) struct LengthError {
    expected: usize,
    got: usize,
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], LengthError> {
    bytes.try_into().map_err(|_| LengthError {
        expected: N,
        got: bytes.len(),
    })
}

impl types::SigningScheme for Ed25519 {
    type DecodingError = LengthError;
    type Signature = Signature;
    type PublicKey = PublicKey;
    // The engine never sees the secret: it asks the signer.
    type PrivateKey = ();

    fn decode_signature(bytes: &[u8]) -> Result<Signature, LengthError> {
        array(bytes).map(Signature)
    }

    fn encode_signature(signature: &Signature) -> Vec<u8> {
        signature.0.to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<PublicKey, LengthError> {
        array(bytes).map(PublicKey)
    }

    fn encode_public_key(public_key: &PublicKey) -> Vec<u8> {
        public_key.0.to_vec()
    }
}

impl types::Context for Tabella {
    type Address = Address;
    type Height = Height;
    type ProposalPart = ProposalPart;
    type Proposal = Proposal;
    type Validator = Validator;
    type ValidatorSet = ValidatorSet;
    type Timeouts = LinearTimeouts;
    type Value = BlockId;
    type Vote = Vote;
    type Extension = ();
    type SigningScheme = Ed25519;

    fn select_proposer<'a>(
        &self,
        validators: &'a ValidatorSet,
        _height: Height,
        round: Round,
    ) -> &'a Validator {
        let round = round.as_u32().unwrap_or(0) as usize;
        // The engine refuses to start a height with an empty set.
        &validators.validators[round % validators.validators.len()]
    }

    fn new_proposal(
        &self,
        height: Height,
        round: Round,
        value: BlockId,
        valid_round: Round,
        proposer: Address,
    ) -> Proposal {
        Proposal {
            height,
            round,
            value,
            valid_round,
            proposer,
        }
    }

    fn new_prevote(
        &self,
        height: Height,
        round: Round,
        value: NilOrVal<BlockId>,
        validator: Address,
    ) -> Vote {
        Vote {
            kind: VoteType::Prevote,
            height,
            round,
            value,
            validator,
        }
    }

    fn new_precommit(
        &self,
        height: Height,
        round: Round,
        value: NilOrVal<BlockId>,
        validator: Address,
    ) -> Vote {
        Vote {
            kind: VoteType::Precommit,
            height,
            round,
            value,
            validator,
        }
    }
}

#[cfg(test)]
mod tests {
    use types::ValidatorSet as _;

    use super::*;

    #[test]
    fn the_power_of_a_quorum_is_the_rule_of_its_height() {
        for n in 1..=64_u8 {
            let keys: Vec<_> = (0..n).map(|i| PublicKey([i; 32])).collect();
            for quorum in [Quorum::Majority, Quorum::Bft] {
                let set = ValidatorSet::new(quorum, &keys);
                let total = set.total_voting_power();
                let power = |count: usize| {
                    let validators = (0..count).filter_map(|i| set.get_by_index(i));
                    validators.map(types::Validator::voting_power).sum()
                };
                for count in 0..=usize::from(n) {
                    assert_eq!(
                        QUORUM.is_met(power(count), total),
                        count >= quorum.threshold(usize::from(n)),
                        "{count} of {n} under {quorum:?}"
                    );
                }
                // Rounds are skipped on the word of more validators than may lie, and of no more
                // than a quorum.
                let honest = types::ThresholdParam::F_PLUS_ONE;
                let skips = (0..=usize::from(n)).find(|count| honest.is_met(power(*count), total));
                let skips = skips.expect("all together skip");
                assert!(skips > quorum.tolerates_byzantine(usize::from(n)));
                assert!(skips <= quorum.threshold(usize::from(n)));
            }
        }
    }
}
