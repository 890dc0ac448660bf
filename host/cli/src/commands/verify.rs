//! `tabella verify`: checks offline what the network handed out.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;
use tabella_client::ValidatorEndpoint;
use tabella_files::{read_genesis, read_key};
use tabella_protocol::{EvidenceFile, EvidenceSummary, Genesis, Named, Receipt, ReceiptSummary};

use crate::{
    choice::{self, Choice},
    election_export::{self, Verified},
    exit::Exit,
    local_ledger::{self, Findings},
    receipt_nonce, results,
};

/// Check receipts, whole elections and evidence with no network, and backends' local ledgers
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    #[command(subcommand)]
    command: VerifyCommand,
}

#[derive(Debug, Subcommand)]
enum VerifyCommand {
    /// Check a voter's receipt; exits 0 when it holds and 1 when it does not
    ///
    /// It prints the voter's pseudonym. With --nonce and --transaction it also checks that the ballot carries
    /// the random number that the voter sent with it, so that it is no other voter's.
    ///
    /// Example: tabella verify receipt receipt.json --genesis genesis.json
    ///
    /// With --ballot and --election it also says whether the receipt is of this choice:
    ///          curl -o election.json http://127.0.0.1:8000/api/elections/1/proof
    ///          tabella verify receipt receipt.json --genesis genesis.json \
    ///            --election election.json --ballot '{"choice": "soup"}'
    #[command(verbatim_doc_comment)]
    Receipt {
        /// The receipt, as `GET /api/votes/receipt` answered it
        file: PathBuf,
        /// The network's genesis document, from a source you trust
        #[arg(long)]
        genesis: PathBuf,
        /// The choice that the receipt should be of, as it was sent
        #[arg(long, value_name = "JSON", requires = "election")]
        ballot: Option<String>,
        /// The proof of what the election asks, as `GET /api/elections/{id}/proof` answered it
        #[arg(long, value_name = "FILE", requires = "ballot")]
        election: Option<PathBuf>,
        /// A rule of the election that is not built in, as Wasm; may be repeated
        #[arg(long = "plugin", value_name = "FILE", requires = "ballot")]
        plugins: Vec<PathBuf>,
        /// The `nonce` that you sent with the ballot
        #[arg(long, requires = "transaction")]
        nonce: Option<u64>,
        /// A file with the ballot's transaction as hex: `input` of eth_getTransactionByHash
        #[arg(long, requires = "nonce")]
        transaction: Option<PathBuf>,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Check a whole election from its export: executes the chain again from genesis, every ballot
    /// through its rule, and counts again; exits 0 when all of it holds and 1 when it does not
    ///
    /// Example: curl -o election.jsonl http://127.0.0.1:8000/api/elections/1/export
    ///          tabella verify election election.jsonl --genesis genesis.json
    #[command(verbatim_doc_comment)]
    Election {
        /// The export, as `GET /api/elections/{id}/export` answered it
        file: PathBuf,
        /// The network's genesis document, from a source you trust
        #[arg(long)]
        genesis: PathBuf,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Check evidence that validators lied; exits 0 when it holds and 1 when it does not
    ///
    /// Example: tabella verify evidence evidence.json --genesis genesis.json
    #[command(verbatim_doc_comment)]
    Evidence {
        /// The evidence, as `tabella validator evidence --out` wrote it
        file: PathBuf,
        /// The network's genesis document, from a source you trust
        #[arg(long)]
        genesis: PathBuf,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Check a backend's local ledger: executes it again, and asks the validators forevery ballot
    /// in it; exits 0 when each is on the chain or refused with a reason, else 1
    ///
    /// Example: tabella verify local-ledger local-ledger.jsonl --genesis genesis.json
    #[command(verbatim_doc_comment)]
    LocalLedger {
        /// The export, as `GET /api/admin/local-ledger` answered it
        file: PathBuf,
        /// The network's genesis document, from a source you trust
        #[arg(long)]
        genesis: PathBuf,
        /// A validator to ask, as NAME=URL; may be repeated [default: validator-1..3 on this machine]
        #[arg(long = "validator", value_name = "NAME=URL", value_parser = parse_validator)]
        validators: Vec<ValidatorEndpoint>,
        /// A key that may read all ballots, where validators keep open ones to readers
        #[arg(long)]
        key: Option<PathBuf>,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(crate) async fn run(arguments: &VerifyArguments) -> Result<Exit> {
    match &arguments.command {
        VerifyCommand::Receipt {
            file,
            genesis,
            ballot,
            election,
            plugins,
            nonce,
            transaction,
            json,
        } => {
            let genesis = read_genesis(genesis)?;
            let election = election.as_deref().map(read).transpose()?;
            let choice = ballot.as_deref().zip(election.as_deref());
            let choice = choice.map(|(ballot, election)| Choice {
                ballot,
                election,
                plugins,
            });
            let mut verdict = check(&read(file)?, &genesis, choice.as_ref());
            if let (Ok(checked), Some(nonce), Some(transaction)) = (&verdict, nonce, transaction)
                && let Err(reason) =
                    receipt_nonce::check(checked.summary.transaction_id, transaction, *nonce)
            {
                verdict = Err(reason);
            }
            Ok(answer("receipt", &verdict, *json, describe))
        }
        VerifyCommand::Election {
            file,
            genesis,
            json,
        } => {
            let verdict = election_export::check(file, &read_genesis(genesis)?)
                .map_err(|error| format!("{error:#}"));
            Ok(answer("election", &verdict, *json, describe_election))
        }
        VerifyCommand::Evidence {
            file,
            genesis,
            json,
        } => {
            let verdict = check_evidence(&read(file)?, &read_genesis(genesis)?);
            Ok(answer("evidence", &verdict, *json, describe_evidence))
        }
        VerifyCommand::LocalLedger {
            file,
            genesis,
            validators,
            key,
            json,
        } => {
            let validators = match validators.as_slice() {
                [] => ValidatorEndpoint::defaults(),
                named => named.to_vec(),
            };
            let findings = {
                let reader = key.as_deref().map(read_key).transpose()?;
                local_ledger::check(file, read_genesis(genesis)?, validators, reader).await?
            };
            match json {
                true => println!("{}", serde_json::to_string_pretty(&findings)?),
                false => print!("{}", describe_findings(&findings)),
            }
            Ok(match findings.valid {
                true => Exit::Success,
                false => Exit::Refused,
            })
        }
    }
}

fn parse_validator(text: &str) -> Result<ValidatorEndpoint, String> {
    let (node_id, rpc_url) = text
        .split_once('=')
        .ok_or("expected NAME=URL, such as validator-1=http://localhost:8001")?;
    Ok(ValidatorEndpoint {
        node_id: node_id.to_owned(),
        rpc_url: rpc_url.to_owned(),
        p2p_url: String::new(),
    })
}

fn describe_findings(findings: &Findings) -> String {
    let mut text = format!(
        "{verdict}: {ballots} ballots in {blocks} blocks of the local ledger, executed again\n\
         on the chain                  {confirmed}\n\
         on the chain, signed again    {signed_again}\n\
         refused, had voted already    {already_voted}\n\
         refused, as the backend says  {refused}\n\
         not settled yet               {unsettled}\n",
        verdict = if findings.valid { "VALID" } else { "NOT VALID" },
        ballots = findings.ballots,
        blocks = findings.blocks,
        confirmed = findings.confirmed,
        signed_again = findings.signed_again,
        already_voted = findings.already_voted,
        refused = findings.refused,
        unsettled = findings.unsettled,
    );
    for problem in &findings.problems {
        text.push_str(&format!("{problem}\n"));
    }
    text
}

fn read(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

fn answer<T: Serialize>(
    what: &str,
    verdict: &Result<T, String>,
    json: bool,
    describe: impl Fn(&T) -> String,
) -> Exit {
    match (verdict, json) {
        (Ok(summary), true) => println!("{}", json!({"valid": true, what: summary})),
        (Err(reason), true) => println!("{}", json!({"valid": false, "reason": reason})),
        (Ok(summary), false) => print!("{}", describe(summary)),
        (Err(reason), false) => println!("NOT VALID: {reason}"),
    }
    match verdict {
        Ok(_) => Exit::Success,
        Err(_) => Exit::Refused,
    }
}

fn check_evidence(bytes: &[u8], genesis: &Genesis) -> Result<EvidenceSummary, String> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| "not an evidence file: not UTF-8".to_owned())?;
    let file = EvidenceFile::from_json(text).map_err(|error| error.to_string())?;
    file.verify(genesis).map_err(|error| error.to_string())
}

fn describe_evidence(summary: &EvidenceSummary) -> String {
    let named = |named: &[Named]| {
        let lines = named
            .iter()
            .map(|n| format!("  {:<14}{}\n", n.node_id, n.public_key));
        lines.collect::<String>()
    };
    let statements = match summary.kind {
        "votes" => "contradicting consensus votes",
        "proposals" => "contradicting proposals",
        "acks" => "acknowledgements of different blocks",
        _ => "certificates of different blocks",
    };
    let height = summary.height;
    match summary.liars.is_empty() {
        false => format!(
            "VALID: {statements} at height {height} prove that these validators lied:\n{}",
            named(&summary.liars)
        ),
        true => format!(
            "VALID: {statements} at height {height} prove that the history has split; at least one of \
             these validators lied:\n{}",
            named(&summary.suspects)
        ),
    }
}

/// A receipt that holds.
#[derive(Serialize)]
struct Checked {
    #[serde(flatten)]
    summary: ReceiptSummary,
    /// Whether it is of the choice given; absent where none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    of_this_choice: Option<bool>,
}

fn check(bytes: &[u8], genesis: &Genesis, choice: Option<&Choice<'_>>) -> Result<Checked, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not a receipt: not UTF-8".to_owned())?;
    let receipt = Receipt::from_json(text).map_err(|error| error.to_string())?;
    let summary = receipt.verify(genesis).map_err(|error| error.to_string())?;
    let of_this_choice = choice.map(|choice| choice::is_of(&receipt, choice, genesis));
    let of_this_choice = of_this_choice
        .transpose()
        .map_err(|error| format!("{error:#}"))?;
    if of_this_choice == Some(false) {
        return Err(format!(
            "the receipt holds, but it is of another choice: its ballot hash {} is not that of the \
             ballot given. Somebody changed the ballot on its way; keep this receipt and report it",
            summary.ballot_hash
        ));
    }
    Ok(Checked {
        summary,
        of_this_choice,
    })
}

fn describe_election(verified: &Verified) -> String {
    let mut text = format!(
        "VALID: election {id}, {title:?}: {blocks} blocks executed again, {signatures} signatures hold\n\
         ballots      {ballots} on the board, of {turnout} voters\n\
         board root   {root}\n",
        id = verified.election_id,
        title = verified.title,
        blocks = verified.blocks,
        signatures = verified.signatures,
        ballots = verified.ballots,
        turnout = verified.turnout,
        root = verified.board_root,
    );
    for contest in &verified.contests {
        let winners = results::winners(&contest.outcome);
        text.push_str(&format!(
            "{id}: {winners}\n  outcome    {outcome}\n  rule       {plugin}\n",
            id = contest.title,
            winners = match winners.is_empty() {
                true => "no winner".to_owned(),
                false => winners.join(", "),
            },
            outcome = contest.outcome_sha256,
            plugin = contest.plugin,
        ));
        if let Some(explanation) = contest.outcome["explanation"].as_str() {
            text.push_str(&format!("  {explanation}\n"));
        }
    }
    text.push_str(&match &verified.certified {
        Some(by) => format!(
            "certified    this very count, by {} of {} validators, in block {}\n",
            by.by, by.of, by.height
        ),
        None => "NOT CERTIFIED: no quorum of validators has attested a result yet\n".to_owned(),
    });
    text
}

fn describe(checked: &Checked) -> String {
    let summary = &checked.summary;
    let choice = match checked.of_this_choice {
        Some(_) => "The ballot is the choice given, encoded with the options on the chain.\n",
        None => "",
    };
    format!(
        "VALID: this ballot stands on the board of election {election} at position {position}.\n\
         voter        {voter}: yours only if this is your credential's key, or the pseudonym that your backend named\n\
         transaction  {transaction}\n\
         ballot hash  {ballot}\n\
         block        {height}, {block}\n\
         acknowledged by {acks} of {of} validators; it {strength}\n{choice}",
        election = summary.election_id,
        position = summary.position,
        voter = summary.voter,
        transaction = summary.transaction_id,
        ballot = summary.ballot_hash,
        height = summary.height,
        block = summary.block_hash,
        acks = summary.acks,
        of = summary.of,
        strength = summary.strength,
    )
}
