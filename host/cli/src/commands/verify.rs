//! `tabella verify`: checks offline what the network handed out.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::json;
use tabella_protocol::{Receipt, ReceiptSummary};

use crate::{exit::Exit, genesis_file::read_genesis};

/// Check receipts with no network
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    #[command(subcommand)]
    command: VerifyCommand,
}

#[derive(Debug, Subcommand)]
enum VerifyCommand {
    /// Check a voter's receipt; exits 0 when it holds and 1 when it does not
    ///
    /// Example: tabella verify receipt receipt.json --genesis genesis.json
    #[command(verbatim_doc_comment)]
    Receipt {
        /// The receipt, as `GET /api/votes/receipt` answered it
        file: PathBuf,
        /// The network's genesis document, from a source you trust
        #[arg(long)]
        genesis: PathBuf,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(crate) fn run(arguments: &VerifyArguments) -> Result<Exit> {
    let VerifyCommand::Receipt {
        file,
        genesis,
        json,
    } = &arguments.command;
    let genesis = read_genesis(genesis)?;
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let verdict = check(&bytes, &genesis);
    match (&verdict, json) {
        (Ok(summary), true) => println!("{}", json!({"valid": true, "receipt": summary})),
        (Err(reason), true) => println!("{}", json!({"valid": false, "reason": reason})),
        (Ok(summary), false) => print!("{}", describe(summary)),
        (Err(reason), false) => println!("NOT VALID: {reason}"),
    }
    Ok(match verdict {
        Ok(_) => Exit::Success,
        Err(_) => Exit::Refused,
    })
}

fn check(bytes: &[u8], genesis: &tabella_protocol::Genesis) -> Result<ReceiptSummary, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not a receipt: not UTF-8".to_owned())?;
    let receipt = Receipt::from_json(text).map_err(|error| error.to_string())?;
    receipt.verify(genesis).map_err(|error| error.to_string())
}

fn describe(summary: &ReceiptSummary) -> String {
    format!(
        "VALID: this ballot stands on the board of election {election} at position {position}.\n\
         transaction  {transaction}\n\
         ballot hash  {ballot}\n\
         block        {height}, {block}\n\
         acknowledged by {acks} of {of} validators; it {strength}\n",
        election = summary.election_id,
        position = summary.position,
        transaction = summary.transaction_id,
        ballot = summary.ballot_hash,
        height = summary.height,
        block = summary.block_hash,
        acks = summary.acks,
        of = summary.of,
        strength = summary.strength,
    )
}
