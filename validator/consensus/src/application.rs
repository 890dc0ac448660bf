//! What consensus asks of the application that executes and stores blocks.

use async_trait::async_trait;
use bytes::Bytes;
use tabella_protocol::{CommitCertificate, Evidence, Hash, PublicKey, Quorum, Statement};

/// An application error that must stop the node: it went wrong in the host, not in what a peer sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fatal(String);

impl Fatal {
    /// A fatal error with the text an operator will read.
    pub fn new(reason: impl std::fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

/// What consensus needs to know to run one height.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeightStart {
    /// The height to decide: one past the last committed block.
    pub height: u64,
    /// How many validators must agree at this height.
    pub quorum: Quorum,
    /// Every validator of this height, in proposer order: round `r` is proposed by
    /// `validators[r % n]`. The application rotates proposers and demotes absent ones by this order,
    /// which must follow from the chain alone, because all validators must use the same.
    pub validators: Vec<PublicKey>,
    /// Who else may connect and follow: those who are about to become validators, and those who just
    /// left and have to hear of it.
    pub followers: Vec<PublicKey>,
}

/// A block to propose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltBlock {
    /// The consensus value.
    pub block_hash: Hash,
    /// The body that other validators will be asked to [check](Application::check).
    pub body: Bytes,
}

/// What the application found a block body to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// A valid successor of the last committed block, now stored durably.
    Valid(Hash),
    /// A block with this hash, but one that breaks a rule.
    Invalid(Hash),
    /// Not a block at all.
    Undecodable,
}

/// A valid block stored before a crash and not yet decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UndecidedBlock {
    /// The round in which it was built or received.
    pub round: u32,
    /// Who proposed it in that round.
    pub proposer: PublicKey,
    /// Its hash.
    pub block_hash: Hash,
}

/// What a peer's message turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// What an honest peer may send, whether or not it is of use.
    Sound,
    /// Malformed or forged: a peer that keeps sending it is cut off.
    Garbage,
}

/// The application behind consensus.
///
/// Methods may run concurrently with one another: reads ([`decided`](Self::decided),
/// [`history_min_height`](Self::history_min_height)) with everything, several
/// [`check`](Self::check)s with each other and with [`build`](Self::build). All calls for one height
/// come between the [`HeightStart`] that opens it and the [`commit`](Self::commit) that closes it,
/// except that a slow `check` or `build` may still run when the commit starts; its answer is then
/// ignored. A [`Fatal`] error from any method stops the node.
#[async_trait]
pub trait Application: Send + Sync + 'static {
    /// The height after the last committed block; called once, before anything else.
    async fn start(&self) -> Result<HeightStart, Fatal>;

    /// Builds the block to propose. The block must be durable when this returns, and asked again for
    /// the same height and round, even after a crash, it must answer the same block.
    async fn build(&self, height: u64, round: u32) -> Result<BuiltBlock, Fatal>;

    /// Checks the body of a block for `height`, which is the height being decided; a valid one must
    /// be durable when this returns.
    ///
    /// `round` and `proposer` are those under which the body arrived. A block may be proposed again
    /// in a later round by another validator, so the block's own header can name an earlier round's
    /// proposer: accept any validator of this height there.
    async fn check(
        &self,
        height: u64,
        round: u32,
        proposer: PublicKey,
        body: Bytes,
    ) -> Result<Checked, Fatal>;

    /// As [`check`](Self::check), of a body that was proposed and is not decided. What is invalid here
    /// gets no vote of this node's, but is followed once a quorum of others has decided it.
    async fn check_proposed(
        &self,
        height: u64,
        round: u32,
        proposer: PublicKey,
        body: Bytes,
    ) -> Result<Checked, Fatal> {
        self.check(height, round, proposer, body).await
    }

    /// Valid blocks that were stored for this height and round and are not decided; after a crash,
    /// consensus continues with them.
    async fn undecided(&self, height: u64, round: u32) -> Result<Vec<UndecidedBlock>, Fatal>;

    /// The body of a built or checked block of the height being decided, to be proposed again.
    async fn undecided_body(&self, height: u64, block_hash: Hash) -> Result<Option<Bytes>, Fatal>;

    /// Commits a decided block, which was built or found valid here before; durable when this
    /// returns. Returns what the next height needs.
    async fn commit(&self, certificate: CommitCertificate) -> Result<HeightStart, Fatal>;

    /// Waits before the height after a commit starts, so that an idle network does not decide empty
    /// blocks as fast as it can, nor a busy one small blocks. The wait is cut short when
    /// other validators start the height or when this node is catching up.
    async fn next_height(&self);

    /// A committed block and its certificate, for peers that catch up.
    async fn decided(&self, height: u64) -> Result<Option<(CommitCertificate, Bytes)>, Fatal>;

    /// The lowest height that [`decided`](Self::decided) can answer.
    async fn history_min_height(&self) -> Result<u64, Fatal>;

    /// Proof that validators signed contradicting messages; called after the commit of the height in
    /// which it was seen.
    async fn evidence(&self, evidence: Vec<Evidence>) -> Result<(), Fatal>;

    /// A proposal or vote that came from its signer's own connection and bears its signature.
    /// The engine forgets those of other heights than the one being decided, so this is where a
    /// validator that says two things is found out. Called for the first few different ones of each step,
    /// and must not wait.
    fn heard(&self, statement: Statement);

    /// A message that another validator sent with [`Handle::broadcast`](crate::Handle::broadcast);
    /// `from` is authenticated by the connection. Messages of one peer come one at a time, beside those of
    /// the others, and may be dropped under load. Nothing a message says is an error of this node.
    async fn message(&self, from: PublicKey, message: Bytes) -> Worth;
}
