//! An election as an auditor takes it away: every block up to its result, to be executed again.

use serde::{Deserialize, Serialize};

use crate::{CommitCertificate, Genesis, HexBytes};

/// One line of an export: the genesis first, then every block of the chain from height 1, then the
/// end. `tabella verify election` reads it.
///
/// It holds the whole chain up to the election's result, because only that shows that nothing was
/// left out: rules, rolls and every ballot are in the blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "line", deny_unknown_fields)]
pub enum ExportLine {
    /// What pins the network, and which election is exported.
    Genesis {
        /// The election.
        election_id: u64,
        /// The document.
        genesis: Box<Genesis>,
    },
    /// One block.
    Block {
        /// The canonical bytes of the block.
        block: HexBytes,
        /// A quorum's precommits.
        certificate: CommitCertificate,
    },
    /// The end, so that a broken transfer is noticed.
    End {
        /// How many blocks there are.
        blocks: u64,
    },
}
