//! Whether a receipt is of one choice, with no network.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    io,
    path::PathBuf,
};

use serde_json::Value;
use tabella_contest::StrictJson;
use tabella_ledger::{Ledger, LedgerError};
use tabella_protocol::{
    ElectionProof, ElectionProofError, Genesis, Hash, ProvenElection, Receipt, ReceiptError,
};
use tabella_receipt::{ElectionPapers, PapersError, papers};
use tabella_runtime::LoadError;

use crate::scratch::{Scratch, ScratchError};

/// A choice, and what it is encoded with.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// The ballot as JSON, as it was sent.
    pub ballot: &'a str,
    /// The election's proof, as `GET /api/elections/{id}/proof` answered it.
    pub election: &'a [u8],
    /// Rules that are not built in, as Wasm files.
    pub plugins: &'a [PathBuf],
}

/// Why a choice cannot be encoded or compared.
#[derive(Debug, thiserror::Error)]
pub enum ChoiceError {
    /// The ballot is not JSON.
    #[error("--ballot: expected JSON such as {{\"choice\": \"a\"}}")]
    Json(#[source] serde_json::Error),
    /// The election's proof is not JSON of its shape.
    #[error("the election's proof cannot be read; fetch /api/elections/ID/proof again")]
    Unreadable(#[source] serde_json::Error),
    /// The election's proof shows nothing.
    #[error(transparent)]
    Election(#[from] ElectionProofError),
    /// The receipt proves nothing.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// They are of two elections.
    #[error("the receipt is of election {receipt}, the proof of election {proof}")]
    OtherElection {
        /// The receipt's.
        receipt: u64,
        /// The proof's.
        proof: u64,
    },
    /// A rule's file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The bytes of a rule are not at hand, which says nothing against a receipt.
    #[error(
        "the election's rule {0} is not built in; fetch /api/plugins/{0}/wasm and name it with --plugin FILE"
    )]
    RuleMissing(Hash),
    /// A rule's bytes are not a plugin here.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The election has no papers.
    #[error(transparent)]
    Papers(#[from] PapersError),
    /// The choice is none in this election.
    #[error(transparent)]
    Ballot(#[from] tabella_contest::ChoiceError),
    /// There is nowhere to compile rules.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// This machine failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Returns whether `receipt`, which was verified, is of this choice: the ballot is encoded with the
/// options and the rule that the chain's state commits to, and its hash compared.
pub fn is_of(
    receipt: &Receipt,
    choice: &Choice<'_>,
    genesis: &Genesis,
) -> Result<bool, ChoiceError> {
    let StrictJson(ballot) = serde_json::from_str(choice.ballot).map_err(ChoiceError::Json)?;
    let encoded = |election: &ProvenElection| -> Result<_, ChoiceError> {
        let papers = papers_of(election, choice.plugins, genesis)?;
        Ok(papers.encode(&ballot)?)
    };
    tabella_receipt::is_of(receipt, &read(choice.election)?, genesis, encoded).map_err(|error| {
        match error {
            tabella_receipt::ChoiceError::Ballot(error) => error,
            tabella_receipt::ChoiceError::Receipt(error) => error.into(),
            tabella_receipt::ChoiceError::Election(error) => error.into(),
            tabella_receipt::ChoiceError::OtherElection { receipt, proof } => {
                ChoiceError::OtherElection { receipt, proof }
            }
        }
    })
}

fn read(proof: &[u8]) -> Result<ElectionProof, ChoiceError> {
    serde_json::from_slice(proof).map_err(ChoiceError::Unreadable)
}

/// Returns the election that a proof shows, as `GET /api/elections/{id}/proof` answers it.
pub fn proven(proof: &[u8], genesis: &Genesis) -> Result<ProvenElection, ChoiceError> {
    Ok(read(proof)?.verify(genesis)?)
}

/// Returns the canonical bytes of each of these choices, one for each contest, by the options and the
/// rules that the chain commits to.
pub fn encode(
    election: &ProvenElection,
    choices: &[Value],
    files: &[PathBuf],
    genesis: &Genesis,
) -> Result<Vec<Vec<Vec<u8>>>, ChoiceError> {
    let papers = papers_of(election, files, genesis)?;
    let choices = choices.iter();
    choices.map(|choice| Ok(papers.encode(choice)?)).collect()
}

/// The election's papers, by rules that are built in or stand in `files`.
fn papers_of(
    election: &ProvenElection,
    files: &[PathBuf],
    genesis: &Genesis,
) -> Result<ElectionPapers, ChoiceError> {
    let directory = Scratch::new()?;
    let runtime = Ledger::runtime_for(genesis, directory.path())?;
    let mut rules = BTreeMap::new();
    for contest in &election.spec.contests {
        if let Entry::Vacant(entry) = rules.entry(contest.plugin) {
            let plugin = runtime.load(&wasm(&contest.plugin, files)?)?;
            entry.insert(plugin.manifest().clone());
        }
    }
    Ok(papers(&election.spec, &rules, &genesis.plugin_limits)?)
}

/// Returns the bytes of the rule with this hash: built in, or one of the files.
fn wasm(sha256: &Hash, files: &[PathBuf]) -> Result<Vec<u8>, ChoiceError> {
    for file in files {
        let wasm = std::fs::read(file).map_err(|source| ChoiceError::Read {
            path: file.clone(),
            source,
        })?;
        if Hash::of(&wasm) == *sha256 {
            return Ok(wasm);
        }
    }
    let mut built_in = tabella_plugins::all().iter();
    let built_in = built_in.find(|rule| Hash::of(rule.wasm) == *sha256);
    let built_in = built_in.ok_or(ChoiceError::RuleMissing(*sha256))?;
    Ok(built_in.wasm.to_vec())
}
