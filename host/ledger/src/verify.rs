//! Re-checking this chain's own history.

use tabella_protocol::{Block, Hash, Payload, ValidatorHistory, rpc::VerifyView};

use crate::{Ledger, LedgerError};

/// Most problems listed; past that the answer is clear.
const PROBLEMS_MAX: usize = 100;

impl Ledger {
    /// Re-checks every block from the first: links, roots, certificates and signatures.
    pub fn verify(&self) -> Result<VerifyView, LedgerError> {
        let tip = self.tip();
        let mut view = VerifyView {
            valid: true,
            height: tip.height,
            blocks: 0,
            signatures: 0,
            ballots: 0,
            problems: Vec::new(),
        };
        let mut parent = self.genesis_hash;
        // Followed from genesis by the proofs, as anybody else would.
        let mut history = ValidatorHistory::new(&self.genesis);
        if let Err(error) = history.extend_all(&self.validator_sets()?) {
            view.problems.push(error.to_string());
        }
        for height in 1..=tip.height {
            parent = self.verify_block(height, parent, &history, &mut view)?;
            if view.problems.len() >= PROBLEMS_MAX {
                break;
            }
        }
        view.valid = view.problems.is_empty();
        Ok(view)
    }

    /// Checks one block against its parent; answers its hash.
    fn verify_block(
        &self,
        height: u64,
        parent: Hash,
        history: &ValidatorHistory,
        view: &mut VerifyView,
    ) -> Result<Hash, LedgerError> {
        let Some(stored) = self.block(height)? else {
            view.problems.push(format!("height {height}: no block"));
            return Ok(Hash::ZERO);
        };
        let problems = &mut view.problems;
        let hash = stored.block.header.hash();
        if stored.block.header.parent != parent {
            problems.push(format!(
                "height {height}: the parent is not the block before"
            ));
        }
        if let Err(error) = history.verify_header(&stored.block.header, &stored.certificate) {
            problems.push(format!("height {height}: {error}"));
        }
        view.blocks += 1;
        view.signatures += stored.certificate.signatures.len() as u64;
        match Block::decode(&stored.bytes, self.block_bytes_max()) {
            Ok((_, transactions)) => {
                for (id, transaction) in transactions {
                    view.signatures += 1;
                    if !transaction.verify() {
                        problems.push(format!("height {height}: transaction {id} is not signed"));
                    }
                    if matches!(transaction.body.payload, Payload::CastBallot { .. }) {
                        view.ballots += 1;
                    }
                }
            }
            Err(error) => problems.push(format!("height {height}: {error}")),
        }
        Ok(hash)
    }
}
