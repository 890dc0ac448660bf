//! What a validator does with blocks, without threads, network or clock: what it proposes, checks,
//! stores, commits and acknowledges.
//!
//! [`Validator`](crate::application::Validator) runs it for the node, the simulation runs it under
//! virtual time. Every method has done its writing, durably, when it returns.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use borsh::BorshDeserialize;
use bytes::Bytes;
use tabella_consensus::{BuiltBlock, Checked, Fatal, HeightStart, UndecidedBlock};
use tabella_ledger::{BuildLimits, ExecutedBlock, InvalidBlock, Ledger, LedgerError, Tip};
use tabella_protocol::{
    Ack, BlockError, CommitCertificate, Evidence, Hash, Header, PublicKey, SigningKey, Statement,
    rpc::BlockView,
};

use crate::{
    evidence::EvidenceLog,
    peer_message::PeerMessage,
    pool::Pool,
    undecided::Undecided,
    witness::{Heard, Witness},
};

/// Blocks of one height that are held executed; a later one is executed again when it is decided.
const EXECUTED_MAX: usize = 16;
/// How far the time of a proposed block may be ahead of this machine's clock. Wide enough for clocks that
/// are hours off, or on another time zone's summer time, and far less than the year that a block may move
/// the chain's time by.
pub(crate) const CLOCK_AHEAD_MAX_MS: u64 = 2 * 60 * 60 * 1000;
/// Evidence that is told again and again, the newest: a message may get lost.
const REPEATED_MAX: usize = 4;

/// A validator's blocks.
pub(crate) struct Replica {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) undecided: Undecided,
    pub(crate) evidence: Arc<EvidenceLog>,
    pub(crate) witness: Witness,
    pub(crate) key: SigningKey,
    pub(crate) build_limits: BuildLimits,
    /// Blocks of the height being decided, executed on the tip.
    executed: Mutex<BTreeMap<Hash, ExecutedBlock>>,
}

/// A block to propose, and what building it found out.
pub(crate) struct Proposed {
    pub(crate) block: BuiltBlock,
    /// Transactions that no block can hold any more and that the journal can forget.
    pub(crate) forget: Vec<Hash>,
}

/// A block that is durable now.
pub(crate) struct Committed {
    pub(crate) tip: Tip,
    /// How many transactions it holds.
    pub(crate) transactions: usize,
    /// Those of them that the journal can forget.
    pub(crate) forget: Vec<Hash>,
    /// What to tell the others: this validator's ack, and evidence that it met.
    pub(crate) tell: Vec<Bytes>,
    /// What the next height needs.
    pub(crate) next: HeightStart,
}

impl Replica {
    pub(crate) fn new(
        ledger: Arc<Ledger>,
        pool: Arc<Pool>,
        undecided: Undecided,
        evidence: Arc<EvidenceLog>,
        key: SigningKey,
        build_limits: BuildLimits,
    ) -> Self {
        let tip = ledger.tip();
        Self {
            witness: Witness::new(ledger.genesis_hash(), tip.height, tip.block_hash),
            ledger,
            pool,
            undecided,
            evidence,
            key,
            build_limits,
            executed: Mutex::default(),
        }
    }

    /// What the height after the last committed block needs.
    pub(crate) fn height_start(&self) -> HeightStart {
        let height = self.ledger.tip().height + 1;
        let history = self.ledger.validators();
        HeightStart {
            height,
            quorum: history.at(height).quorum,
            validators: self.ledger.proposers(),
            followers: history.followers(height),
        }
    }

    /// The block to propose: the one stored for this round already, or else a new one.
    pub(crate) fn build(&self, height: u64, round: u32, now_ms: u64) -> Result<Proposed, Fatal> {
        let own = self.key.public();
        let stored = self.undecided.list(height, round).map_err(Fatal::new)?;
        if let Some(block) = stored.iter().find(|block| block.proposer == own)
            && let Some(body) = self.undecided_body(height, &block.block_hash)?
        {
            let block_hash = block.block_hash;
            let block = BuiltBlock { block_hash, body };
            let forget = Vec::new();
            return Ok(Proposed { block, forget });
        }
        let candidates = self.pool.candidates(self.build_limits.transactions_max);
        let built = self
            .ledger
            .build(own, now_ms, &candidates, self.build_limits)
            .map_err(Fatal::new)?;
        let (block_hash, bytes) = (built.block.hash(), Arc::clone(built.block.bytes()));
        self.undecided
            .store(height, round, own, block_hash, &bytes)
            .map_err(Fatal::new)?;
        self.hold(built.block);
        let body = Bytes::copy_from_slice(&bytes);
        Ok(Proposed {
            block: BuiltBlock { block_hash, body },
            forget: self.pool.remove_refused(built.refused),
        })
    }

    /// The hash of a block that gets no vote here, though it may break no rule of the chain: where a quorum
    /// decided it, it is followed. Its header alone decides: its body need not be sound.
    pub(crate) fn unfit_for_a_vote(&self, round: u32, body: &[u8], now_ms: u64) -> Option<Hash> {
        let header = header(body)?;
        let is_unfit = self.is_untimely(&header, now_ms) || self.is_misattributed(round, &header);
        is_unfit.then(|| header.hash())
    }

    /// Whether a proposed block's time is too far ahead of this machine's clock. Where a quorum decided it, its
    /// clocks said otherwise. After a block from the future, time goes on by the least step.
    fn is_untimely(&self, header: &Header, now_ms: u64) -> bool {
        let least = self.ledger.tip().timestamp_ms.saturating_add(1);
        let latest = now_ms.saturating_add(CLOCK_AHEAD_MAX_MS).max(least);
        if header.timestamp_ms <= latest {
            return false;
        }
        tracing::warn!(
            proposer = %header.proposer,
            height = header.height,
            ahead_ms = header.timestamp_ms - now_ms,
            "no vote for a block whose time is too far ahead; one of the two clocks is wrong"
        );
        true
    }

    /// Whether a block of the next height names a proposer whose turn has not come by `round`. A
    /// validator that writes another's name would have those between counted as absent, and blamed.
    fn is_misattributed(&self, round: u32, header: &Header) -> bool {
        let turns = usize::try_from(round)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        let proposers = self.ledger.proposers();
        let mut had_their_turns = proposers.iter().take(turns);
        if had_their_turns.any(|key| *key == header.proposer) {
            return false;
        }
        tracing::warn!(
            proposer = %header.proposer,
            height = header.height,
            round,
            "no vote for a block whose proposer's turn has not come"
        );
        true
    }

    /// Checks a body that `proposer` proposes, and that gets a vote where it is valid.
    pub(crate) fn check_proposed(
        &self,
        height: u64,
        round: u32,
        proposer: PublicKey,
        body: &[u8],
        now_ms: u64,
    ) -> Result<Checked, Fatal> {
        match self.unfit_for_a_vote(round, body, now_ms) {
            Some(hash) => Ok(Checked::Invalid(hash)),
            None => self.check(height, round, proposer, body),
        }
    }

    /// Checks a body that `proposer` sent for this round; a valid one is stored.
    pub(crate) fn check(
        &self,
        height: u64,
        round: u32,
        proposer: PublicKey,
        body: &[u8],
    ) -> Result<Checked, Fatal> {
        let store = |hash| {
            self.undecided
                .store(height, round, proposer, hash, body)
                .map_err(Fatal::new)
        };
        let Some(hash) = header(body).map(|header| header.hash()) else {
            return Ok(Checked::Undecodable);
        };
        let held = self
            .lock_executed()
            .get(&hash)
            .map(|b| Arc::clone(b.bytes()));
        if held.is_some_and(|bytes| *bytes == *body) {
            store(hash)?;
            return Ok(Checked::Valid(hash));
        }
        let checked = self.ledger.check(body, |id| self.pool.get(id));
        match checked.map_err(Fatal::new)? {
            Ok(block) => {
                store(hash)?;
                self.hold(block);
                Ok(Checked::Valid(hash))
            }
            // Somebody put other transactions below the header: this is not the block of that hash.
            Err(InvalidBlock::Malformed(BlockError::Decode(_) | BlockError::TransactionsRoot)) => {
                Ok(Checked::Undecodable)
            }
            // Nobody needs it any more, and it may be an honest one.
            Err(invalid) if self.ledger.tip().height >= height => {
                tracing::debug!(height, round, %proposer, block = %hash, %invalid, "a block comes late");
                Ok(Checked::Invalid(hash))
            }
            Err(invalid) => {
                tracing::warn!(height, round, %proposer, block = %hash, %invalid, "invalid block");
                Ok(Checked::Invalid(hash))
            }
        }
    }

    /// Valid blocks stored for this round and not decided.
    pub(crate) fn undecided(&self, height: u64, round: u32) -> Result<Vec<UndecidedBlock>, Fatal> {
        self.undecided.list(height, round).map_err(Fatal::new)
    }

    /// The body of a stored block.
    pub(crate) fn undecided_body(&self, height: u64, hash: &Hash) -> Result<Option<Bytes>, Fatal> {
        let body = self.undecided.body(height, hash).map_err(Fatal::new)?;
        Ok(body.map(Bytes::from))
    }

    /// Commits a decided block and signs the ack of it.
    pub(crate) fn commit(&self, certificate: &CommitCertificate) -> Result<Committed, Fatal> {
        let block = self.take_executed(certificate)?;
        let ids = block.transaction_ids().to_vec();
        let tip = self.ledger.commit(block, certificate).map_err(Fatal::new)?;
        self.lock_executed().clear();
        let ack = self.sign_ack(&tip);
        if let Some(ack) = &ack {
            self.ledger.add_ack(ack.clone()).map_err(Fatal::new)?;
        }
        let ack = ack.map(|ack| PeerMessage::Ack(ack).to_bytes());
        let found = self.evidence.take_early(&self.ledger);
        let mut tell: Vec<_> = ack.into_iter().chain(self.told(found)).collect();
        let dissent = self.witness.decided(tip.height, tip.block_hash);
        tell.extend(PeerMessage::heard(&dissent));
        Ok(Committed {
            tip,
            transactions: ids.len(),
            forget: self.pool.remove_included(&ids),
            tell,
            next: self.height_start(),
        })
    }

    /// Executes and commits blocks that others decided and that follow the tip, verified by the caller;
    /// they are durable when this returns. Returns what the journal can forget. Nothing is acked: what
    /// this node missed, others have vouched for.
    pub(crate) fn follow(&self, blocks: &[BlockView]) -> Result<Vec<Hash>, Fatal> {
        let mut forget = Vec::new();
        for (left, view) in (0..blocks.len()).rev().zip(blocks) {
            let checked = self.ledger.check(&view.block.0, |id| self.pool.get(id));
            let block = checked.map_err(Fatal::new)?.map_err(|invalid| {
                let hash = view.hash;
                Fatal::new(format!(
                    "block {hash} was decided, but is invalid here: {invalid}"
                ))
            })?;
            forget.extend(self.pool.remove_included(block.transaction_ids()));
            let committed = match left {
                0 => self.ledger.commit(block, &view.certificate),
                _ => self.ledger.commit_unsynced(block, &view.certificate),
            };
            committed.map_err(Fatal::new)?;
        }
        let tip = self.ledger.tip();
        self.witness.decided(tip.height, tip.block_hash);
        Ok(forget)
    }

    /// What is to be told now and then: this validator's ack of its newest block, because one that got
    /// lost would let a fork go unnoticed; what was heard in rounds that
    /// ended without a decision; and the newest evidence, which is why a node stopped signing where it
    /// did and is still connected.
    pub(crate) fn repeated(&self) -> Vec<Bytes> {
        let ack = self.sign_ack(&self.ledger.tip());
        let ack = ack.map(|ack| PeerMessage::Ack(ack).to_bytes());
        let heard = PeerMessage::heard(&self.witness.overdue());
        let found = self.evidence.found().into_iter().rev().take(REPEATED_MAX);
        let found = self.told(found);
        ack.into_iter().chain(heard).chain(found).collect()
    }

    /// The ack of a block that is durable here, where this validator is one of its height and signs.
    fn sign_ack(&self, tip: &Tip) -> Option<Ack> {
        let history = self.ledger.validators();
        let is_validator = history.at(tip.height).contains(&self.key.public());
        if tip.height == 0 || !is_validator || !self.evidence.is_signing() {
            return None;
        }
        let genesis = self.ledger.genesis_hash();
        let (block, state) = (tip.block_hash, tip.state_root);
        Some(Ack::sign(&genesis, tip.height, block, state, &self.key))
    }

    /// A committed block and its certificate; nothing where they are damaged here, so that others are
    /// asked.
    pub(crate) fn decided(&self, height: u64) -> Result<Option<(CommitCertificate, Bytes)>, Fatal> {
        let stored = match self.ledger.certified_block(height) {
            Err(LedgerError::Damaged(_)) => None,
            stored => stored.map_err(Fatal::new)?,
        };
        Ok(stored.map(|stored| (stored.certificate, stored.bytes.into())))
    }

    /// Keeps another validator's ack where it agrees with this chain, and raises the alarm where
    /// not. Returns what to send to the others, and nothing where the ack is not a validator's.
    pub(crate) fn take_ack(&self, ack: Ack) -> Option<Vec<Bytes>> {
        let history = self.ledger.validators();
        let known = history.at(ack.height).contains(&ack.validator);
        if !known || !ack.verify(&self.ledger.genesis_hash()) {
            return None;
        }
        Some(self.told(self.evidence.take_ack(&self.ledger, ack)))
    }

    /// Keeps evidence that proves something new; returns what to tell the others.
    pub(crate) fn take_evidence(&self, evidence: Evidence) -> Vec<Bytes> {
        self.told(self.evidence.take(&self.ledger, evidence))
    }

    /// Compares a certificate with the block that stands here; returns what to tell the others.
    pub(crate) fn take_certificate(&self, certificate: CommitCertificate) -> Vec<Bytes> {
        self.told(self.evidence.take_certificate(&self.ledger, certificate))
    }

    /// Takes what other validators heard; returns what to tell the others, and nothing where it is
    /// not what it seems.
    pub(crate) fn take_statements(&self, statements: Vec<Statement>) -> Option<Vec<Bytes>> {
        let history = self.ledger.validators();
        let mut tell = Vec::new();
        for statement in statements {
            tell.extend(self.acted_on(self.witness.take_told(&history, statement)?));
        }
        Some(tell)
    }

    /// Keeps what a statement proves; returns what to tell the others.
    pub(crate) fn acted_on(&self, heard: Heard) -> Vec<Bytes> {
        match heard {
            Heard::Fine => Vec::new(),
            Heard::Dissent(statement) => PeerMessage::heard(&[statement]),
            Heard::Contradiction(evidence) => self.take_evidence(evidence),
        }
    }

    /// Messages of what was found, and of what stands here at a contested height and was heard of it.
    fn told(&self, found: impl IntoIterator<Item = Evidence>) -> Vec<Bytes> {
        let mut messages = Vec::new();
        for evidence in found {
            let height = evidence.height();
            let contested = matches!(evidence, Evidence::Acks { .. } | Evidence::Fork { .. });
            messages.push(PeerMessage::Evidence(Box::new(evidence)).to_bytes());
            if !contested {
                continue;
            }
            if let Ok(Some(own)) = self.ledger.block(height) {
                messages.push(PeerMessage::Certificate(own.certificate).to_bytes());
            }
            let acks = self.ledger.acks(height).unwrap_or_default();
            messages.extend(acks.into_iter().map(|ack| PeerMessage::Ack(ack).to_bytes()));
            messages.extend(PeerMessage::heard(&self.witness.of_height(height)));
        }
        messages
    }

    fn lock_executed(&self) -> MutexGuard<'_, BTreeMap<Hash, ExecutedBlock>> {
        self.executed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, block: ExecutedBlock) {
        let mut executed = self.lock_executed();
        // A slow check may end after its height was committed.
        if block.header().parent == self.ledger.tip().block_hash && executed.len() < EXECUTED_MAX {
            executed.insert(block.hash(), block);
        }
    }

    /// The decided block, executed: as held, or from its stored body.
    fn take_executed(&self, certificate: &CommitCertificate) -> Result<ExecutedBlock, Fatal> {
        let (height, hash) = (certificate.height, certificate.block_hash);
        if let Some(block) = self.lock_executed().remove(&hash) {
            return Ok(block);
        }
        let body = self
            .undecided_body(height, &hash)?
            .ok_or_else(|| Fatal::new(format!("decided block {hash} was never stored here")))?;
        let checked = self
            .ledger
            .check(&body, |id| self.pool.get(id))
            .map_err(Fatal::new)?;
        // The others executed it and agreed; this node cannot follow them.
        checked.map_err(|invalid| {
            Fatal::new(format!(
                "block {hash} was decided, but is invalid here: {invalid}"
            ))
        })
    }
}

/// The header that a body starts with, whatever follows it.
fn header(body: &[u8]) -> Option<Header> {
    Header::deserialize(&mut &*body).ok()
}

#[cfg(test)]
mod tests {
    use tabella_protocol::{Block, Genesis, Payload, Quorum, Revote, ValidatorInfo, codec};

    use super::*;
    use crate::{
        mempool::Bounds,
        simulation::disk::{Disk, Honesty},
        stop::Stop,
        testing::{Fixture, key},
    };

    fn replica(fixture: &Fixture, disk: &Disk) -> Replica {
        let bounds = Bounds {
            transactions_max: 10,
            bytes_max: 1 << 20,
        };
        let file = fixture.directory.path().join("evidence.json");
        let evidence = EvidenceLog::open(&file, &fixture.ledger, Arc::default(), Stop::default());
        Replica::new(
            Arc::clone(&fixture.ledger),
            Arc::new(Pool::new(Arc::clone(&fixture.ledger), bounds)),
            Undecided::open_on(disk.file("undecided.redb")).expect("a fresh store"),
            Arc::new(evidence.expect("no evidence yet")),
            key(1),
            BuildLimits {
                bytes_max: 1 << 20,
                transactions_max: 10,
            },
        )
    }

    #[test]
    fn a_block_that_cannot_be_stored_is_neither_proposed_nor_valid() {
        let fixture = Fixture::new(Revote::Refuse);
        let disk = Disk::new(Honesty::Honest);
        let replica = replica(&fixture, &disk);
        let height = replica.height_start().height;
        let block = replica.build(height, 0, 1).unwrap().block;
        assert_eq!(replica.build(height, 0, 2).unwrap().block, block);
        disk.die_after(1);
        assert!(replica.build(height, 1, 3).is_err());
        let checked = replica.check(height, 1, key(1).public(), &block.body);
        assert!(checked.is_err(), "{checked:?}");
    }

    /// A proposer whose clock says what it likes.
    mod adversary {
        use super::*;

        #[test]
        fn a_proposer_does_not_push_the_chains_time_past_the_others_clocks() {
            let fixture = Fixture::new(Revote::Refuse);
            let replica = replica(&fixture, &Disk::new(Honesty::Honest));
            let height = replica.height_start().height;
            let now_ms = fixture.ledger.tip().timestamp_ms + 1_000;
            let limits = replica.build_limits;
            let proposed = |at_ms| {
                let built = fixture.ledger.build(key(1).public(), at_ms, [], limits);
                let block = built.unwrap().block;
                (block.hash(), Arc::clone(block.bytes()))
            };
            let (hash, timely) = proposed(now_ms + CLOCK_AHEAD_MAX_MS);
            let unfit = |body: &[u8]| replica.unfit_for_a_vote(0, body, now_ms);
            assert_eq!(unfit(&timely), None);
            let (late, pushed) = proposed(now_ms + CLOCK_AHEAD_MAX_MS + 1);
            assert_eq!(unfit(&pushed), Some(late));
            // Its header says so, before anything of what follows is read.
            let header = codec::encode(&header(&pushed).unwrap());
            assert!(header.len() < pushed.len());
            assert_eq!(unfit(&header), Some(late));
            let check =
                |body: &[u8]| replica.check_proposed(height, 0, key(1).public(), body, now_ms);
            assert_eq!(check(&pushed), Ok(Checked::Invalid(late)));
            assert_eq!(check(&header), Ok(Checked::Invalid(late)));
            assert_eq!(check(&header[1..]), Ok(Checked::Undecodable));
            assert_eq!(check(&timely[..timely.len() - 1]), Ok(Checked::Undecodable));
            assert_eq!(check(&timely), Ok(Checked::Valid(hash)));
            // Where the others decided it all the same, it is followed.
            let checked = replica.check(height, 0, key(1).public(), &pushed);
            assert_eq!(checked, Ok(Checked::Valid(late)));
        }

        #[test]
        fn a_proposer_does_not_write_anothers_name() {
            let genesis = Genesis {
                validators: (1..=4)
                    .map(|seed| ValidatorInfo {
                        node_id: format!("validator-{seed}"),
                        public_key: key(seed).public(),
                    })
                    .collect(),
                ..Fixture::genesis(Quorum::Bft)
            };
            let fixture = Fixture::empty(genesis);
            let replica = replica(&fixture, &Disk::new(Honesty::Honest));
            let order = fixture.ledger.proposers();
            for (turn, proposer) in order.iter().enumerate() {
                let built = fixture.ledger.build(*proposer, 1, [], replica.build_limits);
                let block = built.unwrap().block;
                for round in 0..5_u32 {
                    // Its turn has come, now or in a round before: then it may be proposed again.
                    let expected = (turn > round as usize).then(|| block.hash());
                    let unfit = replica.unfit_for_a_vote(round, block.bytes(), u64::MAX / 2);
                    assert_eq!(unfit, expected, "turn {turn} in round {round}");
                }
                // Where the others decided it all the same, it is followed.
                let checked = replica.check(1, 0, *proposer, block.bytes());
                assert_eq!(checked, Ok(Checked::Valid(block.hash())));
            }
        }

        #[test]
        fn a_chain_whose_time_was_pushed_before_goes_on() {
            let fixture = Fixture::new(Revote::Refuse);
            let replica = replica(&fixture, &Disk::new(Honesty::Honest));
            let tip_ms = fixture.ledger.tip().timestamp_ms;
            let height = replica.height_start().height;
            // This machine's clock is at the beginning of time.
            let block = replica.build(height, 0, 0).unwrap().block;
            assert_eq!(replica.unfit_for_a_vote(0, &block.body, 0), None);
            assert!(tip_ms > 0);
        }
    }

    #[test]
    fn a_block_that_is_damaged_here_is_not_handed_on_and_no_failure() {
        let fixture = Fixture::new(Revote::Refuse);
        let replica = replica(&fixture, &Disk::new(Honesty::Honest));
        // Nobody signed the fixture's certificates.
        assert_eq!(replica.decided(1), Ok(None));
        assert!(!fixture.ledger.is_sound());
        assert_eq!(replica.decided(fixture.ledger.tip().height + 1), Ok(None));
    }

    #[test]
    fn what_only_an_undecided_block_refuses_waits_on() {
        let fixture = Fixture::new(Revote::Refuse);
        let replica = replica(&fixture, &Disk::new(Honesty::Honest));
        let close = fixture.sign(1, Payload::CloseElection { election_id: 1 });
        let judged = replica.pool.judge(vec![close, fixture.ballot(1, 0)]);
        replica.pool.submit(judged.unwrap(), 0);
        let height = replica.height_start().height;
        let proposed = replica.build(height, 0, 1).unwrap();
        // Perhaps another block is decided, in which the election still is open.
        assert_eq!(proposed.forget, []);
        assert_eq!(replica.pool.len(), 2);
    }

    #[test]
    fn a_body_under_a_header_that_is_not_its_own_is_no_block() {
        let fixture = Fixture::new(Revote::Refuse);
        let replica = replica(&fixture, &Disk::new(Honesty::Honest));
        let height = replica.height_start().height;
        let block = replica.build(height, 0, 1).unwrap().block;
        let mut other: Block = codec::decode(&block.body, 1 << 20).unwrap();
        other.transactions.push(fixture.ballot(1, 0));
        let check = |body: &[u8]| replica.check(height, 0, key(1).public(), body);
        assert_eq!(check(&codec::encode(&other)), Ok(Checked::Undecodable));
        assert_eq!(check(&block.body), Ok(Checked::Valid(block.block_hash)));
        let (past, proposer) = (height - 1, key(1).public());
        let stale = fixture.ledger.block(past).unwrap().unwrap();
        let checked = replica.check(past, 0, proposer, &stale.bytes);
        assert_eq!(checked, Ok(Checked::Invalid(stale.hash)));
    }
}
