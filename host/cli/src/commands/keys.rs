//! `tabella keys`: makes a key file, shows the public half of one.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use tabella_files::{read_key, write_key};
use tabella_protocol::{PublicKey, SigningKey};

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
}

/// Runs the command.
pub(crate) fn run(arguments: &KeysArguments) -> Result<()> {
    match &arguments.command {
        KeysCommand::Generate { out, json } => {
            let key = SigningKey::generate();
            write_key(out, &key)?;
            print(&key.public(), *json);
        }
        KeysCommand::Show { file, json } => print(&read_key(file)?.public(), *json),
    }
    Ok(())
}

fn print(key: &PublicKey, as_json: bool) {
    let address = key.address();
    if as_json {
        println!("{}", json!({"public_key": key, "address": address}));
    } else {
        println!("public key {key}\naddress    {address}");
    }
}
