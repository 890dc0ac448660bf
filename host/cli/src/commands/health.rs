//! `tabella health`: asks a process whether it is well, for containers that hold no other program.

use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::{exit::Exit, http::Client};

/// Ask a process whether it is ready; exits 0 if it is, 1 if not.
///
/// Example: tabella health http://127.0.0.1:8001
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct HealthArguments {
    /// URL of a validator, a backend or a bootnode
    url: String,
    /// Ask only whether it is alive; a bootnode has no more to say
    #[arg(long)]
    live: bool,
    /// How long to wait for the answer
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout_seconds: u64,
}

/// Runs the command.
pub(crate) async fn run(arguments: &HealthArguments) -> Result<Exit> {
    let timeout = Duration::from_secs(arguments.timeout_seconds);
    let mut client = Client::new(&arguments.url)?.with_timeout(timeout);
    let path = match arguments.live {
        true => "/health/live",
        false => "/health/ready",
    };
    let answer = client.get(path).await?;
    say!("{}", answer.excerpt().trim_end());
    Ok(match answer.is_success() {
        true => Exit::Success,
        false => Exit::Refused,
    })
}
