//! Re-checking a whole chain: every certificate, link, signature and root, and an election's board
//! rebuilt from its ballots.
//!
//! Blocks are checked against genesis, whoever sent them. How voters are admitted to the election, and the
//! board to compare with, are one validator's word. Blocks stream through in small batches, so that
//! memory does not grow with the chain.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tabella_protocol::{
    Block, BoardEntry, BoardHead, Eligibility, Hash, Payload, Transaction, VoterId,
    merkle::Frontier,
    rpc::{BlockSummary, BlockView, ElectionView, NodeStatus},
};

use crate::{BlockProof, BlockProofError, Client, QueryError, pool::Node};

/// Problems kept; more than these say nothing new.
const PROBLEMS_MAX: usize = 100;

/// What a re-check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Integrity {
    /// Blocks checked.
    pub blocks: u64,
    /// Signatures checked: of certificates and of transactions.
    pub signatures: u64,
    /// Ballots of the election checked against its board.
    pub ballots: u64,
    /// The height up to which was checked.
    pub height: u64,
    /// Validators that hold the same block at the greatest height that all of them have.
    pub validators_agreeing: usize,
    /// What is wrong; nothing if all is well.
    pub problems: Vec<String>,
}

/// Why a re-check could not be made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IntegrityError {
    /// The chain has no such election.
    #[error("election {0} is not on the chain")]
    UnknownElection(u64),
    /// Validators could not be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The checking task failed.
    #[error("the check could not be carried out: {0}")]
    Task(String),
}

impl Integrity {
    fn problem(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

impl Client {
    /// Re-checks the whole chain and the board of `election_id`.
    pub async fn verify_integrity(&self, election_id: u64) -> Result<Integrity, IntegrityError> {
        let election = self
            .election(election_id)
            .await?
            .ok_or(IntegrityError::UnknownElection(election_id))?;
        let heads = self.heads().await;
        let claimed = heads.iter().map(|(_, status)| status.height).max();
        let claimed = claimed.ok_or(QueryError::NoValidator)?;
        // A claim of more than was followed and verified is not worth chasing.
        let followed = self.tip().borrow().map(|tip| tip.height);
        let height = followed.map_or(claimed, |followed| followed.min(claimed));
        for (node, _) in &heads {
            self.chain.learn_validators(&self.pool, node).await;
        }
        let mut walk = Walk {
            client: self.clone(),
            board: Board::new(election_id, &election),
            next: BlockProof {
                height: 1,
                parent: Some(self.genesis_hash()),
            },
            found: Integrity {
                height,
                ..Integrity::default()
            },
        };
        let mut fetched = self.fetch_blocks(1, height, unjudged).await?;
        while walk.next.height <= height && !fetched.is_empty() {
            let following = walk.next.height + fetched.len() as u64;
            let checking = tokio::task::spawn_blocking(move || {
                let goes_on = fetched.into_iter().all(|view| walk.step(view));
                (walk, goes_on)
            });
            // The next blocks travel while these are checked.
            let (checked, more) =
                tokio::join!(checking, self.fetch_blocks(following, height, unjudged));
            let (back, goes_on) =
                checked.map_err(|error| IntegrityError::Task(error.to_string()))?;
            walk = back;
            if !goes_on {
                break;
            }
            fetched = more?;
        }
        let mut found = walk.finish();
        self.compare_heads(&heads, &mut found).await;
        Ok(found)
    }

    async fn heads(&self) -> Vec<(Arc<Node>, NodeStatus)> {
        let statuses = self.pool.nodes().iter().map(|node| async {
            let deadline = Duration::from_secs(2);
            let status = self
                .pool
                .call::<NodeStatus>(node, "tabella_nodeStatus", [(); 0], deadline)
                .await;
            status.ok().map(|status| (node.clone(), status))
        });
        let statuses = futures::future::join_all(statuses).await;
        statuses.into_iter().flatten().collect()
    }

    /// Compares the blocks that validators hold at the greatest height that all of them have.
    async fn compare_heads(&self, heads: &[(Arc<Node>, NodeStatus)], found: &mut Integrity) {
        let Some(common) = heads.iter().map(|(_, status)| status.height).min() else {
            return;
        };
        if common == 0 {
            found.validators_agreeing = heads.len();
            return;
        }
        let mut votes: HashMap<Hash, Vec<&str>> = HashMap::new();
        for (node, _) in heads {
            let params = (common, 1, 0);
            let deadline = Duration::from_secs(2);
            let bytes_max = self.chain.summary_bytes_max();
            let method = "tabella_getBlockSummaries";
            let answer = self
                .pool
                .call_sized::<Vec<BlockSummary>>(node, method, params, deadline, bytes_max)
                .await;
            let node_id = node.endpoint.node_id.as_str();
            let Some(summary) = answer.ok().and_then(|list| list.into_iter().next()) else {
                found.problem(format!("{node_id} does not show block {common}"));
                continue;
            };
            match self.verify_summary(common, summary) {
                Ok((block, _)) => votes.entry(block.hash).or_default().push(node_id),
                Err(lie) => {
                    self.pool.disproved(node, lie.to_string());
                    found.problem(format!("{node_id}: {lie}"));
                }
            }
        }
        if votes.len() > 1 {
            let mut camps: Vec<_> = votes.values().map(|nodes| nodes.join(" and ")).collect();
            camps.sort();
            found.problem(format!(
                "validators hold different certified blocks at height {common}: {}",
                camps.join(", against ")
            ));
        }
        found.validators_agreeing = votes.values().map(Vec::len).max().unwrap_or(0);
    }
}

/// The walk itself judges blocks, and tells what is wrong with them.
fn unjudged(_: &[BlockView]) -> Result<(), BlockProofError> {
    Ok(())
}

/// A walk over the chain, one block after the other.
struct Walk {
    client: Client,
    board: Board,
    next: BlockProof,
    found: Integrity,
}

impl Walk {
    /// Checks one block; false when what follows cannot be judged.
    fn step(&mut self, view: BlockView) -> bool {
        let height = self.next.height;
        let genesis = self.client.genesis();
        let proof =
            self.next
                .verify_header(&view.header, &view.certificate, &self.client.validators());
        let hash = match proof {
            Ok(hash) => hash,
            Err(lie) => {
                self.found.problem(lie.to_string());
                return false;
            }
        };
        self.found.signatures += view.certificate.signatures.len() as u64;
        let decoded = hex::decode(view.block.trim_start_matches("0x"))
            .map_err(|error| error.to_string())
            .and_then(|bytes| {
                Block::decode(&bytes, genesis.block_bytes_max as usize)
                    .map_err(|error| error.to_string())
            });
        match decoded {
            Ok((block, transactions)) if block.header == view.header => {
                for (id, transaction) in transactions {
                    self.transaction(height, &id, transaction);
                }
            }
            Ok(_) => self
                .found
                .problem(format!("block {height} came under another header")),
            Err(error) => self.found.problem(format!("block {height}: {error}")),
        }
        self.found.blocks += 1;
        self.next = BlockProof {
            height: height + 1,
            parent: Some(hash),
        };
        true
    }

    fn transaction(&mut self, height: u64, id: &Hash, transaction: Transaction) {
        self.found.signatures += 1;
        if transaction.body.chain_id != self.client.genesis().chain_id || !transaction.verify() {
            self.found.problem(format!(
                "transaction {id} in block {height} is not signed by its signer for this chain"
            ));
        }
        match transaction.body.payload {
            Payload::CastBallot {
                election_id,
                voter,
                ballots,
            } if election_id == self.board.election_id => {
                self.found.ballots += 1;
                if let Err(problem) = self.board.append(id, voter, &ballots, transaction.signer.0) {
                    self.found
                        .problem(format!("ballot {id} in block {height} {problem}"));
                }
            }
            Payload::ExtendRoll {
                election_id,
                entries,
            } if election_id == self.board.election_id => {
                for entry in entries {
                    self.board.roll.insert(entry.voter, entry.weight);
                }
            }
            _ => {}
        }
    }

    fn finish(mut self) -> Integrity {
        let stated = self.board.stated;
        // Ballots that came after the board was asked for are no contradiction.
        if self.board.heads_match() {
            return self.found;
        }
        self.found.problem(format!(
            "the board of election {} holds {} ballots under {}, but the chain's ballots make {} under {}",
            self.board.election_id,
            stated.size,
            stated.root,
            self.board.frontier.size(),
            self.board.frontier.root(),
        ));
        self.found
    }
}

/// An election's board, rebuilt.
struct Board {
    election_id: u64,
    eligibility: Eligibility,
    stated: BoardHead,
    frontier: Frontier,
    /// The root at the moment when the rebuilt board had the stated size.
    root_at_stated_size: Option<Hash>,
    roll: HashMap<VoterId, u32>,
}

impl Board {
    fn new(election_id: u64, election: &ElectionView) -> Self {
        let frontier = Frontier::default();
        Self {
            election_id,
            eligibility: election.spec.eligibility.clone(),
            stated: election.board,
            root_at_stated_size: (election.board.size == 0).then(|| frontier.root()),
            frontier,
            roll: HashMap::new(),
        }
    }

    fn append(
        &mut self,
        transaction_id: &Hash,
        voter: VoterId,
        ballots: &[Vec<u8>],
        signer: [u8; 32],
    ) -> Result<(), &'static str> {
        let entitled = match self.eligibility.registrar() {
            Some(registrar) => registrar.0 == signer,
            None => voter.0 == signer,
        };
        let weight = match self.eligibility.roll() {
            None => Some(1),
            Some(_) => self.roll.get(&voter).copied(),
        };
        let entry = BoardEntry {
            election_id: self.election_id,
            position: self.frontier.size(),
            transaction_id: *transaction_id,
            voter,
            weight: weight.unwrap_or(0),
            ballot_hash: BoardEntry::ballot_hash(ballots),
        };
        self.frontier.push(entry.leaf());
        if self.frontier.size() == self.stated.size {
            self.root_at_stated_size = Some(self.frontier.root());
        }
        if weight.is_none() {
            return Err("is of a voter who is not on the roll");
        }
        if !entitled {
            return Err("is not signed by who may cast it");
        }
        Ok(())
    }

    fn heads_match(&self) -> bool {
        self.root_at_stated_size == Some(self.stated.root)
    }
}
