//! `tabella election`: creates, opens, closes and shows elections through a backend.

use std::{path::PathBuf, time::Duration};

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use tabella_api::ElectionSummary;
use tabella_files::read_secret;
use tabella_protocol::PublicKey;

use crate::{
    authority::Authority,
    backend_api::{BackendApi, Close},
    election_file::ElectionFile,
    exit::Exit,
    output::{self, plain},
    results,
};

/// How long `results --wait` waits for a certificate.
const CERTIFICATE_PATIENCE: Duration = Duration::from_secs(60);

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
    /// A file that holds the token, such as keys/admin-token of `tabella init`; it goes before --token
    #[arg(long, global = true)]
    token_file: Option<PathBuf>,
    /// Sign here with an authority's key, where the backend holds none; it carries what was signed
    #[arg(long, global = true, requires = "genesis")]
    authority: Option<PathBuf>,
    /// The genesis document of the network that --authority administers
    #[arg(long, global = true, requires = "authority")]
    genesis: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum ElectionCommand {
    /// Create an election from a JSON or TOML file; publishes the built-in rules it names
    ///
    /// Unless its counts_shown is "live", no backend shows counts before the close. Ballots stand in clear
    /// on the chain: whoever may read blocks can count at any time (docs/security.md).
    ///
    /// Example: tabella election create election.toml --token-file network/keys/admin-token --open
    #[command(verbatim_doc_comment)]
    Create {
        /// The election, as in examples/elections
        file: PathBuf,
        /// Open it at once
        #[arg(long)]
        open: bool,
        /// With --authority: the public key that signs the ballots, where voters do not themselves
        #[arg(long, requires = "authority")]
        registrar: Option<PublicKey>,
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
        /// Wait until validators have certified the result of the closed election, a minute at most
        #[arg(long)]
        wait: bool,
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
    let authority = match backend.authority.as_deref().zip(backend.genesis.as_deref()) {
        Some((key, genesis)) => Some(Authority::read(key, genesis)?),
        None => None,
    };
    let authority = authority.as_ref();
    let (answer, sentence) = match &arguments.command {
        ElectionCommand::Create {
            file,
            open,
            registrar,
        } => {
            require(&token)?;
            let file = ElectionFile::read(file)?;
            if *open && file.has_fixed_roll() {
                bail!(
                    "--open would open the election with nobody on its roll, which is fixed then; create it without \
                     --open, put the voters on its roll, and open it with `tabella election open`, or say roll = \
                     \"grows\" in the file"
                );
            }
            let (id, mut answer) = match authority {
                Some(authority) => {
                    let (id, created) = authority.create(&mut api, &file, *registrar).await?;
                    (id, json!(created))
                }
                None => {
                    let created = api.create_election(&file).await?;
                    (created.election_id, json!(created))
                }
            };
            let mut sentence = format!("election {id} created\n");
            if *open {
                let opened = open_by(authority, &mut api, id).await?;
                answer["open"] = opened;
                sentence = format!("election {id} created and opened\n");
            }
            (answer, sentence)
        }
        ElectionCommand::Open { id } => {
            require(&token)?;
            let answer = open_by(authority, &mut api, *id).await?;
            (answer, format!("election {id} is open\n"))
        }
        ElectionCommand::Close { id } => {
            require(&token)?;
            match authority {
                Some(authority) => (authority.close(&mut api, *id).await?, closed(*id)),
                None => {
                    let close = api.close(*id).await?;
                    (json!(close), closing(*id, &close))
                }
            }
        }
        ElectionCommand::Results { id, wait } => {
            let answer = match wait {
                true => api.final_results(*id, CERTIFICATE_PATIENCE).await?,
                false => api.results(*id).await?,
            };
            (json!(answer), results::describe(&answer))
        }
        ElectionCommand::List => {
            let elections = api.elections().await?;
            (json!(elections), list(&elections))
        }
    };
    match backend.json {
        true => output::json(&answer),
        false => output::text(&sentence),
    }
    Ok(Exit::Success)
}

async fn open_by(authority: Option<&Authority>, api: &mut BackendApi, id: u64) -> Result<Value> {
    match authority {
        Some(authority) => Ok(json!(authority.open(api, id).await?)),
        None => Ok(json!(api.open(id).await?)),
    }
}

fn closing(id: u64, close: &Close) -> String {
    let Close::Waits(waits) = close else {
        return closed(id);
    };
    let (unsettled, detail) = (waits.unsettled, plain(&waits.detail));
    format!("election {id}: {unsettled} acknowledged ballots are unsettled; {detail}\n")
}

fn closed(id: u64) -> String {
    format!("election {id} is closed; validators tally and certify it\n")
}

fn require(token: &Option<String>) -> Result<()> {
    if token.is_none() {
        bail!("expected an administrator's token: give --token-file, --token or TABELLA_TOKEN");
    }
    Ok(())
}

fn list(elections: &[ElectionSummary]) -> String {
    if elections.is_empty() {
        return "no elections\n".to_owned();
    }
    let lines = elections.iter().map(|election| {
        format!(
            "{:>4}  {:<9} {:>9} voted  {}\n",
            election.election_id,
            results::status_name(election.status),
            election.turnout,
            plain(&election.title),
        )
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use tabella_api::{ClosingAnswer, ClosingStatus};
    use tabella_protocol::rpc::ElectionStatus;

    use super::*;

    #[test]
    fn no_title_forges_an_election() {
        let title = "Lunch\n   2  final          99 voted  Forged\u{1b}[2J";
        let text = list(&[ElectionSummary {
            election_id: 1,
            title: title.to_owned(),
            status: ElectionStatus::Open,
            contests: 1,
            turnout: 3,
            roll_size: 0,
        }]);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.starts_with("   1  open              3 voted  Lunch"),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text:?}");
        let refused = closing(
            1,
            &Close::Waits(ClosingAnswer {
                election_id: 1,
                status: ClosingStatus::Closing,
                unsettled: 1,
                detail: title.to_owned(),
            }),
        );
        assert_eq!(refused.lines().count(), 1, "{refused}");
    }
}
