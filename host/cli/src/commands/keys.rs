//! `tabella keys`: makes a key file, shows the public half of one.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use tabella_files::{read_genesis, read_key, write_key};
use tabella_protocol::{PublicKey, ReaderToken, SigningKey};

use crate::output;

/// Make key files and show their public halves
#[derive(Debug, Args)]
pub(crate) struct KeysArguments {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Write a new key file (mode 0600) and show its public key
    Generate {
        /// The file to write; it must not exist
        #[arg(long)]
        out: PathBuf,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the public key of a key file
    Show {
        /// The key file
        file: PathBuf,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a token that admits the holder of a key to what a validator keeps to readers
    ///
    /// It goes with JSON-RPC requests as `authorization: Bearer TOKEN`. Who may read with it is in
    /// docs/operating.md, under open ballots.
    ///
    /// Example: tabella keys reader-token auditor.key --genesis genesis.json --for validator-1
    #[command(verbatim_doc_comment)]
    ReaderToken {
        /// The key file
        file: PathBuf,
        /// The genesis document of the network
        #[arg(long)]
        genesis: PathBuf,
        /// The name of the validator that is to take it
        #[arg(long = "for", value_name = "VALIDATOR")]
        validator: String,
        /// How long it is good for
        #[arg(long, default_value_t = MINUTES, value_parser = clap::value_parser!(u64).range(1..=MINUTES_MAX))]
        minutes: u64,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
}

const MINUTE_MS: u64 = 60_000;
const MINUTES: u64 = ReaderToken::VALID_MS / MINUTE_MS;
/// A minute less than validators take: their clocks may be behind.
const MINUTES_MAX: u64 = ReaderToken::VALID_MS_MAX / MINUTE_MS - 1;

/// Runs the command.
pub(crate) fn run(arguments: &KeysArguments) -> Result<()> {
    match &arguments.command {
        KeysCommand::Generate { out, json } => {
            let key = SigningKey::generate();
            write_key(out, &key)?;
            print(&key.public(), *json);
        }
        KeysCommand::ReaderToken {
            file,
            genesis,
            validator,
            minutes,
            json,
        } => {
            let genesis = read_genesis(genesis)?;
            let valid_until_ms = tabella_clock::now_ms() + minutes * MINUTE_MS;
            let token =
                ReaderToken::sign(&read_key(file)?, &genesis.hash(), validator, valid_until_ms);
            match json {
                true => {
                    let reader = token.reader;
                    let text = token.to_string();
                    output::json(
                        &json!({"token": text, "reader": reader, "valid_until_ms": valid_until_ms}),
                    );
                }
                false => say!("{token}"),
            }
        }
        KeysCommand::Show { file, json } => print(&read_key(file)?.public(), *json),
    }
    Ok(())
}

fn print(key: &PublicKey, as_json: bool) {
    let address = key.address();
    if as_json {
        output::json(&json!({"public_key": key, "address": address}));
    } else {
        say!("public key {key}\naddress    {address}");
    }
}
