//! Building blocks, and re-executing blocks that somebody else built.

use std::sync::Arc;

use rayon::prelude::*;
use tabella_protocol::{
    Block, BlockError, BoardHead, CertificateError, CommitCertificate, Hash, Header, PublicKey,
    Transaction, codec, merkle, transactions_root,
};

use crate::{
    Ledger, LedgerError, Refusal, VetError, Vetted,
    execute::{Changes, Draft},
    state::{State, Tip},
    vet::Belief,
};

/// How much a block may hold, so that executing it stays within a known time.
#[derive(Debug, Clone, Copy)]
pub struct BuildLimits {
    /// Most bytes of transactions; the genesis bound holds in any case.
    pub bytes_max: usize,
    /// Most transactions.
    pub transactions_max: usize,
}

/// A block that was executed on the state at the tip, ready to be committed.
pub struct ExecutedBlock {
    pub(crate) header: Header,
    pub(crate) hash: Hash,
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) state: State,
    pub(crate) changes: Changes,
}

impl ExecutedBlock {
    /// The block's hash.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The canonical bytes of the block.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// Returns whether it holds nothing but ballots, so that no election begins, changes or ends
    /// with it.
    pub fn is_ballots_alone(&self) -> bool {
        self.changes.ballots.len() == self.changes.transaction_ids.len()
    }

    /// The ids of its transactions, in order.
    pub fn transaction_ids(&self) -> &[Hash] {
        &self.changes.transaction_ids
    }
}

/// What building answered: the block, and the candidates that cannot stand in any block any more.
pub struct Built {
    /// The block.
    pub block: ExecutedBlock,
    /// Candidates that the state at the tip refuses, with the reason.
    pub refused: Vec<(Hash, Refusal)>,
}

/// A lying clock may move the chain's time by a year a block, never past what later blocks can follow.
fn latest_timestamp(parent: &Tip) -> u64 {
    const YEAR_MS: u64 = 366 * 24 * 60 * 60 * 1000;
    parent.timestamp_ms.saturating_add(YEAR_MS)
}

impl Ledger {
    /// Builds the next block of `candidates`, in order, as far as the limits allow.
    ///
    /// The timestamp is the caller's clock; the header's is later than the parent's in any case.
    pub fn build<'a>(
        &self,
        proposer: PublicKey,
        now_ms: u64,
        candidates: impl IntoIterator<Item = &'a Vetted>,
        limits: BuildLimits,
    ) -> Result<Built, LedgerError> {
        let mut draft = Draft::new(self)?;
        let bytes_max = limits
            .bytes_max
            .min(self.block_bytes_max().saturating_sub(Block::ENVELOPE_BYTES));
        let (mut bytes, mut transactions, mut disputed) = (0, Vec::new(), Vec::new());
        for vetted in candidates {
            // Each transaction's bytes carry a four-byte length.
            let size = vetted.bytes.len() + 4;
            if size > bytes_max {
                // None of this builder's blocks holds it; those behind it do not wait for it.
                continue;
            }
            if transactions.len() >= limits.transactions_max || bytes + size > bytes_max {
                break;
            }
            match draft.execute(vetted) {
                Ok(()) => {
                    bytes += size;
                    transactions.push(vetted.bytes.to_vec());
                }
                Err(VetError::Refused(refusal)) => disputed.push((vetted, refusal)),
                Err(VetError::Ledger(error)) => return Err(error),
            }
        }
        let refused = self.refused_by_the_tip(&disputed)?;
        let parent = draft.base().tip;
        let (state, changes) = draft.finish(proposer);
        let header = Header {
            version: Header::VERSION,
            genesis: self.genesis_hash,
            height: parent.height + 1,
            parent: parent.block_hash,
            timestamp_ms: now_ms.clamp(parent.timestamp_ms + 1, latest_timestamp(&parent)),
            proposer,
            transaction_count: u32::try_from(transactions.len())
                .expect("a block's bytes bound its transactions far below 2^32"),
            transactions_root: transactions_root(&changes.transaction_ids),
            boards_root: boards_root(&state, &changes),
            state_root: state.root(),
            validators: Some(state.validators.hash()),
        };
        let block = Block {
            header,
            transactions,
        };
        let bytes = codec::encode(&block).into();
        Ok(Built {
            block: executed(block.header, bytes, state, changes),
            refused,
        })
    }

    /// Those that the tip refuses too. The others were refused because of what comes before them in a
    /// block that may never be decided, and they wait on.
    fn refused_by_the_tip(
        &self,
        disputed: &[(&Vetted, Refusal)],
    ) -> Result<Vec<(Hash, Refusal)>, LedgerError> {
        let mut refused = Vec::new();
        for (vetted, refusal) in disputed {
            match Draft::new(self)?.execute(vetted) {
                Ok(()) => {}
                Err(VetError::Refused(_)) => refused.push((vetted.id, refusal.clone())),
                Err(VetError::Ledger(error)) => return Err(error),
            }
        }
        Ok(refused)
    }

    /// Re-executes a block on the state at the tip. `known` answers transactions that were vetted
    /// before, by id; the others are vetted here, in parallel.
    ///
    /// An invalid block answers why (`Ok(Err(..))`); only a failing host is an `Err`.
    pub fn check(
        &self,
        bytes: &[u8],
        known: impl Fn(&Hash) -> Option<Vetted>,
    ) -> Result<Result<ExecutedBlock, InvalidBlock>, LedgerError> {
        let before = self.state();
        let checked = self.check_on_tip(bytes, Belief::Nothing, known)?;
        Ok(self.unless_late(&before, checked))
    }

    /// Re-executes a block on the state at the tip that a quorum of validators vouches for: the
    /// certificate is checked, and for what it covers (signatures of transactions, the rules'
    /// verdicts on ballots) it is taken instead of checking each again. Everything that the header
    /// commits to is recomputed here: boards, state, validator sets.
    ///
    /// For a follower, which believes a quorum and nobody less.
    pub fn check_certified(
        &self,
        bytes: &[u8],
        certificate: &CommitCertificate,
    ) -> Result<Result<ExecutedBlock, InvalidBlock>, LedgerError> {
        let state = self.state();
        let height = state.tip.height + 1;
        let set = state.validators.at(height);
        let vouched = certificate.verify(&self.genesis_hash, set.quorum, &set.validators);
        if let Err(error) = vouched {
            return Ok(Err(error.into()));
        }
        let executed = self.check_on_tip(bytes, Belief::Certificate, |_| None)?;
        let checked = executed.and_then(|block| {
            if (certificate.height, certificate.block_hash) != (height, block.hash) {
                return Err(InvalidBlock::OtherCertificate);
            }
            Ok(block)
        });
        Ok(self.unless_late(&state, checked))
    }

    /// What a check found that began at this state. Where the tip has moved since, it asked two states, which says
    /// nothing of the block.
    fn unless_late(
        &self,
        before: &Arc<State>,
        checked: Result<ExecutedBlock, InvalidBlock>,
    ) -> Result<ExecutedBlock, InvalidBlock> {
        match Arc::ptr_eq(before, &self.state()) {
            true => checked,
            false => Err(InvalidBlock::Late),
        }
    }

    /// Executes a block on the state at the tip, as long as that stays the same.
    fn check_on_tip(
        &self,
        bytes: &[u8],
        belief: Belief,
        known: impl Fn(&Hash) -> Option<Vetted>,
    ) -> Result<Result<ExecutedBlock, InvalidBlock>, LedgerError> {
        let (block, transactions) = match Block::decode(bytes, self.block_bytes_max()) {
            Ok(decoded) => decoded,
            Err(error) => return Ok(Err(error.into())),
        };
        let parent = self.tip();
        if let Err(invalid) = self.check_header(&block.header, &parent) {
            return Ok(Err(invalid));
        }
        let vetted = match self.vet_all(&block, transactions, belief, known) {
            Ok(vetted) => vetted,
            Err(VetError::Refused(refusal)) => return Ok(Err(InvalidBlock::Transaction(refusal))),
            Err(VetError::Ledger(error)) => return Err(error),
        };
        let mut draft = Draft::new(self)?;
        for vetted in &vetted {
            match draft.execute(vetted) {
                Ok(()) => {}
                Err(VetError::Refused(refusal)) => {
                    return Ok(Err(InvalidBlock::Transaction(refusal)));
                }
                Err(VetError::Ledger(error)) => return Err(error),
            }
        }
        let (state, changes) = draft.finish(block.header.proposer);
        if block.header.boards_root != boards_root(&state, &changes) {
            return Ok(Err(InvalidBlock::Header(
                "boards_root is not what execution gives",
            )));
        }
        if block.header.state_root != state.root() {
            return Ok(Err(InvalidBlock::Header(
                "state_root is not what execution gives",
            )));
        }
        if block.header.validators != Some(state.validators.hash()) {
            return Ok(Err(InvalidBlock::Header(
                "validators is not what execution gives",
            )));
        }
        Ok(Ok(executed(block.header, bytes.into(), state, changes)))
    }

    pub(crate) fn block_bytes_max(&self) -> usize {
        usize::try_from(self.genesis.block_bytes_max).unwrap_or(usize::MAX)
    }

    fn check_header(&self, header: &Header, parent: &Tip) -> Result<(), InvalidBlock> {
        let wrong = |what| Err(InvalidBlock::Header(what));
        if header.genesis != self.genesis_hash {
            return wrong("genesis is another network's");
        }
        if header.height != parent.height + 1 {
            return wrong("height does not follow the tip");
        }
        if header.parent != parent.block_hash {
            return wrong("parent is not the tip");
        }
        if header.timestamp_ms <= parent.timestamp_ms {
            return wrong("timestamp_ms is not later than the parent's");
        }
        if header.timestamp_ms > latest_timestamp(parent) {
            return wrong("timestamp_ms is more than a year later than the parent's");
        }
        let state = self.state();
        if !state
            .validators
            .at(header.height)
            .contains(&header.proposer)
        {
            return wrong("proposer is not a validator");
        }
        Ok(())
    }

    fn vet_all(
        &self,
        block: &Block,
        transactions: Vec<(Hash, Transaction)>,
        belief: Belief,
        known: impl Fn(&Hash) -> Option<Vetted>,
    ) -> Result<Vec<Vetted>, VetError> {
        let with_known: Vec<_> = transactions
            .into_iter()
            .map(|(id, t)| (known(&id), id, t))
            .collect();
        with_known
            .into_par_iter()
            .zip(block.transactions.par_iter())
            .map(|((known, id, transaction), bytes)| match known {
                Some(vetted) => Ok(vetted),
                None => self.vet_decoded(id, bytes.as_slice().into(), transaction, belief),
            })
            .collect()
    }
}

/// Why a block is not the next one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBlock {
    /// Not canonical, or the header does not fit the transactions.
    #[error(transparent)]
    Malformed(#[from] BlockError),
    /// A field of the header is wrong.
    #[error("header: {0}")]
    Header(&'static str),
    /// Another block was decided at its height while it was looked at: it may be an honest one.
    #[error("it comes late: its height is decided")]
    Late,
    /// A transaction is refused.
    #[error("transaction: {0}")]
    Transaction(Refusal),
    /// No quorum of the height's validators vouches for it.
    #[error("certificate: {0}")]
    Certificate(CertificateError),
    /// The certificate that came with it is of another block.
    #[error("the certificate is of another block")]
    OtherCertificate,
}

impl From<CertificateError> for InvalidBlock {
    fn from(error: CertificateError) -> Self {
        Self::Certificate(error)
    }
}

fn executed(header: Header, bytes: Arc<[u8]>, mut state: State, changes: Changes) -> ExecutedBlock {
    let hash = header.hash();
    state.tip = Tip {
        height: header.height,
        block_hash: hash,
        state_root: header.state_root,
        timestamp_ms: header.timestamp_ms,
    };
    ExecutedBlock {
        header,
        hash,
        bytes,
        state,
        changes,
    }
}

/// The heads of the boards that a block appended to, in order of election id.
pub(crate) fn touched_boards(state: &State, changes: &Changes) -> Vec<BoardHead> {
    let ids: std::collections::BTreeSet<u64> = changes
        .ballots
        .iter()
        .map(|ballot| ballot.election_id)
        .collect();
    ids.iter()
        .filter_map(|id| state.elections.get(id))
        .map(|election| election.board())
        .collect()
}

fn boards_root(state: &State, changes: &Changes) -> Hash {
    let leaves: Vec<Hash> = touched_boards(state, changes)
        .iter()
        .map(BoardHead::leaf)
        .collect();
    merkle::root(&leaves)
}
