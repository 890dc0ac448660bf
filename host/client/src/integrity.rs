//! Whether validators hold the chain that was proven.

use std::{sync::Arc, time::Duration};

use tabella_protocol::{Hash, rpc::BlockSummary};

use crate::{BlockProofError, Client, pool::Node};

/// How long each validator may take to answer.
const DEADLINE: Duration = Duration::from_secs(2);

/// Which validators hold one certified block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Validators that answered.
    pub answered: usize,
    /// Validators that hold the block.
    pub agreeing: usize,
    /// Which of them hold another certified block: a quorum signed twice.
    pub problems: Vec<String>,
    /// Which of them sent what nobody certified: it says something of them, and nothing of the chain.
    pub lies: Vec<String>,
}

enum Held {
    Same,
    Other(Hash),
    /// It has not come so far, or shows nothing.
    None,
    Lie(String),
}

impl Client {
    /// Asks every validator for the block at `height`, which was proven to be the one with `hash`.
    pub async fn agreement(&self, height: u64, hash: Hash) -> Agreement {
        let asked = self.pool.nodes().iter().map(|node| async {
            let held = self.held(node, height, hash).await;
            (node.endpoint.node_id.clone(), held)
        });
        let mut found = Agreement::default();
        for (node_id, held) in futures::future::join_all(asked).await {
            let Some(held) = held else {
                continue;
            };
            found.answered += 1;
            match held {
                Held::Same => found.agreeing += 1,
                Held::None => {}
                Held::Other(other) => found.problems.push(format!(
                    "{node_id} holds another certified block at height {height}: {other}, \
                     expected {hash}"
                )),
                Held::Lie(lie) => found.lies.push(format!("{node_id}: {lie}")),
            }
        }
        found
    }

    /// Returns nothing where the validator does not answer.
    async fn held(&self, node: &Arc<Node>, height: u64, hash: Hash) -> Option<Held> {
        let method = "tabella_getBlockSummaries";
        let bytes_max = self.chain.summary_bytes_max();
        let answer = self
            .pool
            .call_sized::<Vec<BlockSummary>>(node, method, (height, 1, 0), DEADLINE, bytes_max)
            .await;
        let Some(summary) = answer.ok()?.into_iter().next() else {
            return Some(Held::None);
        };
        let mut verified = self.verify_summary(height, summary.clone());
        // Perhaps the validators have changed since this client last heard.
        if matches!(verified, Err(BlockProofError::Validators(_)))
            && self.chain.learn_validators(&self.pool, node).await
        {
            verified = self.verify_summary(height, summary);
        }
        Some(match verified {
            Ok((block, _)) if block.hash == hash => Held::Same,
            Ok((block, _)) => Held::Other(block.hash),
            Err(lie) => {
                self.pool.disproved(node, lie.to_string());
                Held::Lie(lie.to_string())
            }
        })
    }
}
