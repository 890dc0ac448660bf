//! What is said of the files of a voter.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tabella_contest::{Manifest, StrictJson};
use tabella_protocol::{
    ElectionProof, Genesis, Hash, ProvenElection, Receipt, ReceiptError, Strength,
};
use tabella_receipt::{ChoiceError, ElectionPapers, FileKind, NotAReceipt, is_of, papers, read};

/// Why there is no answer but this one.
type Refusal = Value;

/// What a genesis document pins.
pub(crate) fn genesis(bytes: &[u8]) -> Value {
    match read_genesis(bytes) {
        Err(refusal) => refusal,
        Ok(genesis) => json!({
            "verdict": "genesis",
            "hash": genesis.hash(),
            "network": genesis.network,
            "validators": genesis.validators.len(),
        }),
    }
}

/// Whether a receipt holds.
pub(crate) fn receipt(genesis: &[u8], bytes: &[u8]) -> Value {
    let checked = read_genesis(genesis).and_then(|genesis| {
        let receipt = read_receipt(bytes)?;
        let summary = receipt.verify(&genesis).map_err(|error| invalid(&error))?;
        Ok(json!({
            "verdict": "valid",
            "holds_against": strength(summary.strength),
            "genesis": genesis.hash(),
            "receipt": summary,
        }))
    });
    checked.unwrap_or_else(|refusal| refusal)
}

/// Which rules are needed to draw the ballot of a receipt's election.
pub(crate) fn election(genesis: &[u8], receipt: &[u8], proof: &[u8]) -> Value {
    let found = read_genesis(genesis).and_then(|genesis| {
        let receipt = read_receipt(receipt)?;
        let election = read_proof(proof, &genesis)?;
        if election.election_id != receipt.entry.election_id {
            return Err(other_election(
                receipt.entry.election_id,
                election.election_id,
            ));
        }
        let mut rules: Vec<Hash> = election.spec.contests.iter().map(|c| c.plugin).collect();
        rules.sort_unstable();
        rules.dedup();
        let (id, title) = (election.election_id, election.spec.title);
        Ok(json!({ "verdict": "election", "election_id": id, "title": title, "rules": rules }))
    });
    found.unwrap_or_else(|refusal| refusal)
}

/// The contests of an election, as `GET /api/elections/{id}` shows them: enough to draw its ballot.
pub(crate) fn contests(genesis: &[u8], proof: &[u8], rules: &[u8]) -> Value {
    let drawn = read_genesis(genesis).and_then(|genesis| {
        let election = read_proof(proof, &genesis)?;
        let rules = read_rules(rules, &genesis)?;
        let papers = papers_of(&election, &rules, &genesis)?;
        let contests = election.spec.contests.iter().zip(papers.each());
        let contests = contests.map(|(contest, paper)| {
            let params: Value = serde_json::from_str(&contest.params).unwrap_or_default();
            json!({
                "id": contest.id,
                "title": contest.title,
                "options": contest.options,
                "params": params,
                "ballot_schema": paper.schema(),
                "manifest": rules.get(&contest.plugin).map(Manifest::to_json),
            })
        });
        let contests: Vec<Value> = contests.collect();
        Ok(json!({ "verdict": "contests", "contests": contests }))
    });
    drawn.unwrap_or_else(|refusal| refusal)
}

/// Whether the ballot in a receipt is this choice.
pub(crate) fn choice(
    genesis: &[u8],
    receipt: &[u8],
    proof: &[u8],
    rules: &[u8],
    choice: &[u8],
) -> Value {
    let compared = read_genesis(genesis).and_then(|genesis| {
        let receipt = read_receipt(receipt)?;
        let rules = read_rules(rules, &genesis)?;
        let StrictJson(choice) =
            serde_json::from_slice(choice).map_err(|error| undecided("not-a-choice", &error))?;
        let proof: ElectionProof =
            serde_json::from_slice(proof).map_err(|error| undecided("election", &error))?;
        let encoded = |election: &ProvenElection| {
            let papers = papers_of(election, &rules, &genesis)?;
            let encoded = papers.encode(&choice);
            encoded.map_err(|error| undecided("not-a-choice", &error))
        };
        match is_of(&receipt, &proof, &genesis, encoded) {
            Ok(true) => Ok(json!({ "verdict": "same" })),
            Ok(false) => Ok(json!({ "verdict": "other" })),
            Err(ChoiceError::Receipt(error)) => Err(invalid(&error)),
            Err(ChoiceError::Election(error)) => Err(undecided("election", &error)),
            Err(ChoiceError::OtherElection { receipt, proof }) => {
                Err(other_election(receipt, proof))
            }
            Err(ChoiceError::Ballot(refusal)) => Err(refusal),
        }
    });
    compared.unwrap_or_else(|refusal| refusal)
}

fn read_genesis(bytes: &[u8]) -> Result<Genesis, Refusal> {
    let refused = |detail: String| {
        let is = FileKind::of(bytes).map_or("receipt", FileKind::name);
        json!({ "verdict": "no-genesis", "is": is, "detail": detail })
    };
    let text = std::str::from_utf8(bytes).map_err(|error| refused(error.to_string()))?;
    Genesis::from_json(text).map_err(|error| refused(error.to_string()))
}

fn read_receipt(bytes: &[u8]) -> Result<Receipt, Refusal> {
    read(bytes).map_err(|error| match error {
        NotAReceipt::Other(kind) => json!({
            "verdict": "not-a-receipt", "is": kind.name(), "detail": kind.words(),
        }),
        NotAReceipt::Damaged(error) => invalid(&error),
    })
}

/// A receipt that does not hold, with a code of why.
fn invalid(error: &ReceiptError) -> Refusal {
    let why = match error {
        ReceiptError::Unreadable(_) => "damaged",
        ReceiptError::NotCanonical => "changed",
        ReceiptError::OtherNetwork { .. } => "other-network",
        ReceiptError::Inconsistent(_) => "inconsistent",
        ReceiptError::Certificate(_) => "signatures",
        ReceiptError::Validators(_) | ReceiptError::OtherValidators => "validators",
    };
    json!({ "verdict": "not-valid", "why": why, "detail": error.to_string() })
}

fn read_proof(bytes: &[u8], genesis: &Genesis) -> Result<ProvenElection, Refusal> {
    let proof: ElectionProof =
        serde_json::from_slice(bytes).map_err(|error| undecided("election", &error))?;
    proof
        .verify(genesis)
        .map_err(|error| undecided("election", &error))
}

/// What each rule says of itself, by the hash of its program: the text that its `describe` answered.
fn read_rules(bytes: &[u8], genesis: &Genesis) -> Result<BTreeMap<Hash, Manifest>, Refusal> {
    let told: BTreeMap<Hash, String> =
        serde_json::from_slice(bytes).map_err(|error| undecided("rule", &error))?;
    let each = told.into_iter().map(|(hash, text)| {
        let manifest = Manifest::read(text.as_bytes(), &genesis.plugin_limits);
        Ok((hash, manifest.map_err(|error| undecided("rule", &error))?))
    });
    each.collect()
}

fn papers_of(
    election: &ProvenElection,
    rules: &BTreeMap<Hash, Manifest>,
    genesis: &Genesis,
) -> Result<ElectionPapers, Refusal> {
    papers(&election.spec, rules, &genesis.plugin_limits).map_err(|error| undecided("rule", &error))
}

/// Nobody can say, with a code of what is missing.
fn undecided(missing: &str, error: &impl ToString) -> Refusal {
    json!({ "verdict": "undecided", "missing": missing, "detail": error.to_string() })
}

fn other_election(receipt: u64, proof: u64) -> Refusal {
    let detail = format!("the receipt is of election {receipt}, the proof of election {proof}");
    undecided("election", &detail)
}

fn strength(strength: Strength) -> &'static str {
    match strength {
        Strength::ByzantineThird => "a-third",
        Strength::OneByzantine => "one",
        Strength::CrashesOnly => "crashes",
    }
}
