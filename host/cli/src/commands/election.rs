//! `tabella election`: creates, opens, closes and shows elections through a backend.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use tabella_files::read_secret;

use crate::{backend_api::BackendApi, election_file::ElectionFile, exit::Exit, results};

/// Create, open, close and show elections through a backend
#[derive(Debug, Args)]
pub(crate) struct ElectionArguments {
    #[command(subcommand)]
    command: ElectionCommand,
    #[command(flatten)]
    backend: BackendArguments,
}

#[derive(Debug, Args)]
struct BackendArguments {
    /// URL of the backend
    #[arg(long, global = true, default_value = "http://127.0.0.1:8000")]
    backend: String,
    /// An administrator's token
    #[arg(long, global = true, env = "TABELLA_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file that holds the token, such as keys/admin-token of `tabella init`
    #[arg(long, global = true, conflicts_with = "token")]
    token_file: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum ElectionCommand {
    /// Create an election from a JSON or TOML file; publishes the built-in rules it names
    ///
    /// Example: tabella election create election.toml --token-file network/keys/admin-token --open
    #[command(verbatim_doc_comment)]
    Create {
        /// The election, as in examples/elections
        file: PathBuf,
        /// Open it at once
        #[arg(long)]
        open: bool,
    },
    /// Start accepting ballots
    Open {
        /// The election's id
        id: u64,
    },
    /// Stop accepting ballots, for good
    Close {
        /// The election's id
        id: u64,
    },
    /// Show the result, or the turnout of an election that is not closed
    Results {
        /// The election's id
        id: u64,
    },
    /// Show all elections
    List,
}

/// Runs the command.
pub(crate) async fn run(arguments: &ElectionArguments) -> Result<Exit> {
    let backend = &arguments.backend;
    let token = match &backend.token_file {
        Some(file) => Some(read_secret(file)?),
        None => backend.token.clone(),
    };
    let mut api = BackendApi::new(&backend.backend, token.as_deref())?;
    let (answer, sentence) = match &arguments.command {
        ElectionCommand::Create { file, open } => {
            require(&token)?;
            let mut answer = api.create_election(&ElectionFile::read(file)?).await?;
            let id = id_of(&answer)?;
            let mut sentence = format!("election {id} created\n");
            if *open {
                let opened = api.open(id).await?;
                answer["open"] = opened;
                sentence = format!("election {id} created and opened\n");
            }
            (answer, sentence)
        }
        ElectionCommand::Open { id } => {
            require(&token)?;
            (api.open(*id).await?, format!("election {id} is open\n"))
        }
        ElectionCommand::Close { id } => {
            require(&token)?;
            let answer = api.close(*id).await?;
            let sentence = closing(*id, &answer);
            (answer, sentence)
        }
        ElectionCommand::Results { id } => {
            let answer = api.results(*id).await?;
            let sentence = results::describe(&answer);
            (answer, sentence)
        }
        ElectionCommand::List => {
            let answer = api.elections().await?;
            let sentence = list(&answer);
            (answer, sentence)
        }
    };
    match backend.json {
        true => println!("{answer}"),
        false => print!("{sentence}"),
    }
    Ok(Exit::Success)
}

fn closing(id: u64, answer: &Value) -> String {
    if answer["status"] == "closing" {
        let unsettled = &answer["unsettled"];
        return format!(
            "election {id} takes no ballots any more; it is closed once {unsettled} acknowledged ballots are confirmed or refused\n"
        );
    }
    format!("election {id} is closed; validators tally and certify it\n")
}

fn require(token: &Option<String>) -> Result<()> {
    if token.is_none() {
        bail!("expected an administrator's token: give --token-file, --token or TABELLA_TOKEN");
    }
    Ok(())
}

/// The id in what the backend answered to a creation.
pub(crate) fn id_of(created: &Value) -> Result<u64> {
    created["election_id"]
        .as_u64()
        .with_context(|| format!("expected an election_id, got {created}"))
}

fn list(answer: &Value) -> String {
    let empty = json!([]);
    let elections = match answer {
        Value::Array(_) => answer,
        _ => answer.get("elections").unwrap_or(&empty),
    };
    let mut text = String::new();
    for election in elections.as_array().into_iter().flatten() {
        text.push_str(&format!(
            "{:>4}  {:<9} {:>9} voted  {}\n",
            election["election_id"],
            election["status"].as_str().unwrap_or_default(),
            election["turnout"].as_u64().unwrap_or_default(),
            election["title"].as_str().unwrap_or_default(),
        ));
    }
    if text.is_empty() {
        text.push_str("no elections\n");
    }
    text
}
