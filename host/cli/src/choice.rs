//! Whether a receipt is of one choice, with no network.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::PathBuf,
};

use anyhow::{Context, Result};
use serde_json::Value;
use tabella_client::ChoiceError;
use tabella_ledger::{Ledger, configure, encode_choice};
use tabella_protocol::{ElectionProof, Genesis, Hash, ProvenElection, Receipt};
use tabella_runtime::StrictJson;

use crate::scratch::Scratch;

/// A choice, and what it is encoded with.
pub struct Choice<'a> {
    /// The ballot as JSON, as it was sent.
    pub ballot: &'a str,
    /// The election's proof, as `GET /api/elections/{id}/proof` answered it.
    pub election: &'a [u8],
    /// Rules that are not built in, as Wasm files.
    pub plugins: &'a [PathBuf],
}

/// The bytes of a rule are not at hand, which says nothing against a receipt.
#[derive(Debug, thiserror::Error)]
#[error(
    "the election's rule {sha256} is not built in; fetch /api/plugins/{sha256}/wasm and name it with \
     --plugin FILE"
)]
pub struct RuleMissing {
    /// The rule's.
    pub sha256: Hash,
}

/// Returns whether `receipt`, which was verified, is of this choice: the ballot is encoded with the
/// options and the rule that the chain's state commits to, and its hash compared. Fails with a
/// [`RuleMissing`] where that cannot be said yet.
pub fn is_of(receipt: &Receipt, choice: &Choice<'_>, genesis: &Genesis) -> Result<bool> {
    let StrictJson(ballot) = serde_json::from_str(choice.ballot)
        .context("--ballot: expected JSON such as {\"choice\": \"a\"}")?;
    let encoded = |election: &ProvenElection| {
        let mut encoded = encode(election, &[ballot], choice.plugins, genesis)?;
        encoded.pop().context("expected one encoded ballot")
    };
    tabella_client::is_of(receipt, &read(choice.election)?, genesis, encoded).map_err(|error| {
        match error {
            // As it is, with what it came from.
            ChoiceError::Ballot(error) => error,
            ChoiceError::Receipt(error) => error.into(),
            ChoiceError::Election(error) => error.into(),
            error @ ChoiceError::OtherElection { .. } => anyhow::anyhow!("{error}"),
        }
    })
}

fn read(proof: &[u8]) -> Result<ElectionProof> {
    serde_json::from_slice(proof)
        .context("the election's proof cannot be read; fetch /api/elections/ID/proof again")
}

/// Returns the election that a proof shows, as `GET /api/elections/{id}/proof` answers it.
pub fn proven(proof: &[u8], genesis: &Genesis) -> Result<ProvenElection> {
    Ok(read(proof)?.verify(genesis)?)
}

/// Returns the canonical bytes of each of these choices, one for each contest, by the options and the
/// rules that the chain commits to.
pub fn encode(
    election: &ProvenElection,
    choices: &[Value],
    files: &[PathBuf],
    genesis: &Genesis,
) -> Result<Vec<Vec<Vec<u8>>>> {
    let directory = Scratch::new()?;
    let runtime = Ledger::runtime_for(genesis, directory.path())?;
    let mut plugins = BTreeMap::new();
    for contest in &election.spec.contests {
        if let Entry::Vacant(entry) = plugins.entry(contest.plugin) {
            entry.insert(runtime.load(&wasm(&contest.plugin, files)?)?);
        }
    }
    let contests = configure(&plugins, &election.spec.contests)
        .map_err(|(contest, error)| anyhow::anyhow!("contest {}: {error}", contest + 1))?;
    let encoded = choices
        .iter()
        .map(|choice| encode_choice(&election.spec.contests, &contests, choice));
    Ok(encoded.collect::<Result<_, _>>()?)
}

/// Returns the bytes of the rule with this hash: built in, or one of the files.
fn wasm(sha256: &Hash, files: &[PathBuf]) -> Result<Vec<u8>> {
    for file in files {
        let wasm =
            std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        if Hash::of(&wasm) == *sha256 {
            return Ok(wasm);
        }
    }
    let builtin = tabella_plugins::all()
        .iter()
        .find(|b| Hash::of(b.wasm) == *sha256);
    let builtin = builtin.ok_or(RuleMissing { sha256: *sha256 })?;
    Ok(builtin.wasm.to_vec())
}
