//! The smallest application: blocks of arbitrary bytes, kept in memory across restarts of a node.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use tabella_consensus::{
    Application, BuiltBlock, Checked, Fatal, HeightStart, UndecidedBlock, Worth,
};
use tabella_protocol::{CommitCertificate, Evidence, Hash, PublicKey, Quorum, Statement, codec};
use tokio::sync::watch;

#[derive(BorshSerialize, BorshDeserialize)]
struct TestBlock {
    height: u64,
    parent: Hash,
    builder: PublicKey,
    payload: Vec<u8>,
}

/// What a node does between heights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Decide as fast as possible.
    Busy,
    /// Wait for others, or until busy.
    Idle,
    /// Fail the next commit.
    Broken,
    /// Do not answer what a block is.
    Stuck,
    /// Find every block invalid.
    Mistaken,
    /// Propose nothing, as one that withholds its blocks.
    Withholding,
    /// Propose blocks that break a rule.
    Breaking,
    /// Propose blocks that deserve no vote, and vote for such.
    Pushing,
}

/// What the payload of a block that deserves no vote begins with.
const PUSHED: &[u8] = b"pushed";

#[derive(Default)]
struct State {
    blocks: Vec<(CommitCertificate, Bytes)>,
    /// Of the height being decided, by hash.
    undecided: BTreeMap<Hash, (UndecidedBlock, Bytes)>,
    built: BTreeMap<u32, Hash>,
    messages: Vec<(PublicKey, Bytes)>,
    evidence: Vec<Evidence>,
}

pub(crate) struct Chain {
    own: PublicKey,
    quorum: Quorum,
    validators: Vec<PublicKey>,
    payload_bytes: AtomicUsize,
    pub(crate) mood: watch::Sender<Mood>,
    state: Mutex<State>,
    height: watch::Sender<u64>,
}

impl Chain {
    pub(crate) fn new(
        own: PublicKey,
        quorum: Quorum,
        validators: Vec<PublicKey>,
        payload_bytes: usize,
    ) -> Self {
        Self {
            own,
            quorum,
            validators,
            payload_bytes: payload_bytes.into(),
            mood: watch::Sender::new(Mood::Busy),
            state: Mutex::default(),
            height: watch::Sender::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The last committed height.
    pub(crate) fn height(&self) -> u64 {
        *self.height.borrow()
    }

    /// Waits until a height is committed.
    pub(crate) async fn reaches(&self, height: u64) {
        self.height
            .subscribe()
            .wait_for(|tip| *tip >= height)
            .await
            .unwrap();
    }

    pub(crate) fn certificate(&self, height: u64) -> CommitCertificate {
        self.state().blocks[index(height)].0.clone()
    }

    pub(crate) fn body(&self, height: u64) -> Bytes {
        self.state().blocks[index(height)].1.clone()
    }

    pub(crate) fn messages(&self) -> Vec<(PublicKey, Bytes)> {
        self.state().messages.clone()
    }

    pub(crate) fn evidence(&self) -> Vec<Evidence> {
        self.state().evidence.clone()
    }

    /// Who proposes in the first round of a height.
    pub(crate) fn proposer(&self, height: u64) -> PublicKey {
        self.validators[index(height) % self.validators.len()]
    }

    /// Who built the block of a height.
    pub(crate) fn builder(&self, height: u64) -> PublicKey {
        let block: TestBlock = codec::decode(&self.body(height), usize::MAX).unwrap();
        block.builder
    }

    /// Whether the block of a height deserved no vote.
    pub(crate) fn is_pushed(&self, height: u64) -> bool {
        let block: TestBlock = codec::decode(&self.body(height), usize::MAX).unwrap();
        block.payload.starts_with(PUSHED)
    }

    /// Loses what was not committed, and builds other blocks from now on.
    pub(crate) fn forget_undecided(&self) {
        let mut state = self.state();
        state.undecided.clear();
        state.built.clear();
        self.payload_bytes.fetch_add(1, Ordering::Relaxed);
    }

    async fn unstuck(&self) {
        let mut mood = self.mood.subscribe();
        mood.wait_for(|mood| *mood != Mood::Stuck).await.unwrap();
    }

    fn next(&self) -> HeightStart {
        let height = self.height() + 1;
        let mut validators = self.validators.clone();
        let turn = index(height) % validators.len();
        validators.rotate_left(turn);
        HeightStart {
            height,
            quorum: self.quorum,
            validators,
            followers: Vec::new(),
        }
    }

    fn tip_hash(state: &State) -> Hash {
        state
            .blocks
            .last()
            .map_or(Hash::ZERO, |(certificate, _)| certificate.block_hash)
    }
}

fn index(height: u64) -> usize {
    usize::try_from(height - 1).unwrap()
}

#[async_trait]
impl Application for Chain {
    async fn start(&self) -> Result<HeightStart, Fatal> {
        Ok(self.next())
    }

    async fn build(&self, height: u64, round: u32) -> Result<BuiltBlock, Fatal> {
        self.unstuck().await;
        let mut mood = self.mood.subscribe();
        mood.wait_for(|mood| *mood != Mood::Withholding)
            .await
            .unwrap();
        let mut state = self.state();
        if let Some(hash) = state.built.get(&round) {
            return Ok(BuiltBlock {
                block_hash: *hash,
                body: state.undecided[hash].1.clone(),
            });
        }
        let payload_bytes = self.payload_bytes.load(Ordering::Relaxed);
        let mut payload: Vec<u8> = (0..payload_bytes)
            .map(|i| (i as u64 + height) as u8)
            .collect();
        if *self.mood.borrow() == Mood::Pushing {
            payload.splice(0..0, PUSHED.iter().copied());
        }
        let parent = match *self.mood.borrow() {
            Mood::Breaking => Hash::of(b"a block that nobody decided"),
            _ => Self::tip_hash(&state),
        };
        let block = TestBlock {
            height,
            parent,
            builder: self.own,
            payload,
        };
        let body = Bytes::from(codec::encode(&block));
        let block_hash = Hash::of(&body);
        let undecided = UndecidedBlock {
            round,
            proposer: self.own,
            block_hash,
        };
        state
            .undecided
            .insert(block_hash, (undecided, body.clone()));
        state.built.insert(round, block_hash);
        Ok(BuiltBlock { block_hash, body })
    }

    async fn check(
        &self,
        height: u64,
        round: u32,
        proposer: PublicKey,
        body: Bytes,
    ) -> Result<Checked, Fatal> {
        self.unstuck().await;
        let block_hash = Hash::of(&body);
        let Ok(block) = codec::decode::<TestBlock>(&body, usize::MAX) else {
            return Ok(Checked::Undecodable);
        };
        let mut state = self.state();
        let follows = block.height == height
            && height == self.height() + 1
            && block.parent == Self::tip_hash(&state)
            && self.validators.contains(&block.builder)
            && *self.mood.borrow() != Mood::Mistaken;
        if !follows {
            return Ok(Checked::Invalid(block_hash));
        }
        let undecided = UndecidedBlock {
            round,
            proposer,
            block_hash,
        };
        state.undecided.insert(block_hash, (undecided, body));
        Ok(Checked::Valid(block_hash))
    }

    async fn check_proposed(
        &self,
        height: u64,
        round: u32,
        proposer: PublicKey,
        body: Bytes,
    ) -> Result<Checked, Fatal> {
        let block = codec::decode::<TestBlock>(&body, usize::MAX);
        let is_pushed = block.is_ok_and(|block| block.payload.starts_with(PUSHED));
        match is_pushed && *self.mood.borrow() != Mood::Pushing {
            true => Ok(Checked::Invalid(Hash::of(&body))),
            false => self.check(height, round, proposer, body).await,
        }
    }

    async fn undecided(&self, _height: u64, round: u32) -> Result<Vec<UndecidedBlock>, Fatal> {
        let state = self.state();
        let blocks = state.undecided.values().map(|(block, _)| *block);
        Ok(blocks.filter(|block| block.round == round).collect())
    }

    async fn undecided_body(&self, _height: u64, hash: Hash) -> Result<Option<Bytes>, Fatal> {
        Ok(self
            .state()
            .undecided
            .get(&hash)
            .map(|(_, body)| body.clone()))
    }

    async fn commit(&self, certificate: CommitCertificate) -> Result<HeightStart, Fatal> {
        if *self.mood.borrow() == Mood::Broken {
            return Err(Fatal::new("the disk is full"));
        }
        let height = certificate.height;
        {
            let mut state = self.state();
            let (_, body) = state
                .undecided
                .remove(&certificate.block_hash)
                .ok_or_else(|| Fatal::new("decided a block that was not checked"))?;
            state.undecided.clear();
            state.built.clear();
            state.blocks.push((certificate, body));
        }
        self.height.send_replace(height);
        Ok(self.next())
    }

    async fn next_height(&self) {
        let mut mood = self.mood.subscribe();
        mood.wait_for(|mood| *mood != Mood::Idle).await.unwrap();
    }

    async fn decided(&self, height: u64) -> Result<Option<(CommitCertificate, Bytes)>, Fatal> {
        Ok(self.state().blocks.get(index(height)).cloned())
    }

    async fn history_min_height(&self) -> Result<u64, Fatal> {
        Ok(1)
    }

    async fn evidence(&self, evidence: Vec<Evidence>) -> Result<(), Fatal> {
        self.state().evidence.extend(evidence);
        Ok(())
    }

    fn heard(&self, _: Statement) {}

    async fn message(&self, from: PublicKey, message: Bytes) -> Worth {
        self.state().messages.push((from, message));
        Worth::Sound
    }
}
