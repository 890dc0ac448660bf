//! `tabella verify`: checks what the network handed out.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::json;
use tabella_audit::{
    choice::Choice,
    election_export::{self, CheckError, Step, Verified},
    evidence,
    local_ledger::{self, Findings},
    receipt::{self, Checked, Expected, OfChoice},
};
use tabella_client::ValidatorEndpoint;
use tabella_files::{read_genesis, read_key};
use tabella_protocol::{EvidenceSummary, Genesis, Hash, Named, ReceiptSummary};

use crate::{
    commands::web_site,
    exit::Exit,
    output::{self, plain},
    results,
};

/// Check receipts, whole elections and evidence with no network, and what backends serve and keep
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    #[command(subcommand)]
    command: VerifyCommand,
}

#[derive(Debug, Subcommand)]
enum VerifyCommand {
    /// Check a voter's receipt; exits 0 when it holds, 1 when it does not, and 3 when it holds but the rule that
    /// --ballot needs is missing
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
    /// Check that a site serves the pages of this very program: fetches every page and file, and compares each byte,
    /// its type and its policy; exits 0 when all are equal, else 1 and names what is not
    ///
    /// A site may send something else to others: check from where voters are, and more than once.
    ///
    /// Example: tabella verify web http://127.0.0.1:8000
    #[command(verbatim_doc_comment)]
    Web {
        /// Where the site is, such as http://127.0.0.1:8000
        url: String,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Check a backend's local ledger: executes it again, and asks the validators for every ballot
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
            let expected = Expected {
                choice,
                nonce: nonce.zip(transaction.as_deref()),
            };
            let verdict = receipt::check(&read(file)?, &genesis, &expected);
            let verdict = verdict.map_err(|error| match error {
                receipt::CheckError::Choice(error) => chain(error),
                error => error.to_string(),
            });
            match &verdict {
                Ok(Checked {
                    summary,
                    choice: Some(OfChoice::RuleMissing(rule)),
                }) => Ok(undecided(summary, rule, *json)),
                _ => Ok(answer("receipt", &verdict, *json, describe)),
            }
        }
        VerifyCommand::Election {
            file,
            genesis,
            json,
        } => {
            let verdict = check_election(file, &read_genesis(genesis)?).map_err(chain);
            Ok(answer("election", &verdict, *json, describe_election))
        }
        VerifyCommand::Evidence {
            file,
            genesis,
            json,
        } => {
            let verdict = check_evidence(file, &read_genesis(genesis)?)?;
            Ok(answer("evidence", &verdict, *json, describe_evidence))
        }
        VerifyCommand::Web { url, json } => web_site::run(url, *json).await,
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
                true => output::json(&serde_json::to_string_pretty(&findings)?),
                false => output::text(&describe_findings(&findings)),
            }
            Ok(match findings.valid {
                true => Exit::Success,
                false => Exit::Refused,
            })
        }
    }
}

/// An error with all that it came from.
fn chain(error: impl std::error::Error + Send + Sync + 'static) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

fn check_election(file: &Path, genesis: &Genesis) -> Result<Verified, CheckError> {
    let style = ProgressStyle::with_template("{spinner} {msg} {pos}").expect("a fixed template");
    let progress = ProgressBar::new_spinner().with_style(style);
    progress.set_message("executing block");
    let verdict = election_export::check(file, genesis, |step| match step {
        Step::Executed(_) => progress.inc(1),
        Step::Counting => progress.set_message("counting the board after block"),
    });
    progress.finish_and_clear();
    verdict
}

fn check_evidence(file: &Path, genesis: &Genesis) -> Result<Result<EvidenceSummary, String>> {
    let verdict = evidence::check(&read(file)?, genesis);
    Ok(verdict.map_err(|error| error.to_string()))
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
        text.push_str(&format!("{}\n", plain(&problem.to_string())));
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
        (Ok(summary), true) => output::json(&json!({"valid": true, what: summary})),
        (Err(reason), true) => output::json(&json!({"valid": false, "reason": reason})),
        (Ok(summary), false) => output::text(&describe(summary)),
        (Err(reason), false) => say!("NOT VALID: {}", plain(reason)),
    }
    match verdict {
        Ok(_) => Exit::Success,
        Err(_) => Exit::Refused,
    }
}

fn describe_evidence(summary: &EvidenceSummary) -> String {
    let named = |named: &[Named]| {
        let lines = named
            .iter()
            .map(|n| format!("  {:<14}{}\n", plain(&n.node_id), n.public_key));
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

/// Says that a receipt holds, but not of which choice it is.
fn undecided(summary: &ReceiptSummary, rule: &Hash, json: bool) -> Exit {
    let missing = format!(
        "the election's rule {rule} is not built in; fetch /api/plugins/{rule}/wasm and name it with \
         --plugin FILE"
    );
    match json {
        true => output::json(&json!({"valid": null, "missing": missing, "receipt": summary})),
        false => say!(
            "UNDECIDED: the receipt holds, but it cannot be said yet which choice it is of: {missing}"
        ),
    }
    Exit::Undecided
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
        let winners = results::winners(&contest.outcome["winners"]);
        text.push_str(&format!(
            "{id}: {winners}\n  outcome    {outcome}\n  rule       {plugin}\n",
            id = plain(&contest.title),
            winners = match winners.is_empty() {
                true => "no winner".to_owned(),
                false => plain(&winners.join(", ")).to_string(),
            },
            outcome = contest.outcome_sha256,
            plugin = contest.plugin,
        ));
        if let Some(explanation) = contest.outcome["explanation"].as_str() {
            text.push_str(&format!("  {}\n", plain(explanation)));
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
    let choice = match checked.choice {
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

#[cfg(test)]
mod tests {
    use tabella_audit::election_export::ContestCount;
    use tabella_protocol::rpc::ElectionStatus;

    use super::*;

    #[test]
    fn no_title_and_no_explanation_forges_a_line() {
        let certified = "certified    this very count, by 3 of 3 validators, in block 544";
        let verified = Verified {
            election_id: 1,
            title: format!("x\n{certified}"),
            status: ElectionStatus::Closed,
            blocks: 9,
            signatures: 9,
            ballots: 1,
            turnout: 1,
            board_root: Hash::of(b""),
            contests: vec![ContestCount {
                id: "c".to_owned(),
                title: format!("{certified}\nX"),
                plugin: Hash::of(b""),
                outcome_sha256: Hash::of(b""),
                outcome: json!({
                    "winners": [format!("a\n{certified}")],
                    "explanation": format!("\u{1b}[31m\n{certified}"),
                }),
            }],
            certified: None,
        };
        let text = describe_election(&verified);
        let forged = text.lines().filter(|line| *line == certified);
        assert_eq!(forged.count(), 0, "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(text.contains("\nNOT CERTIFIED: "), "{text}");
    }
}
