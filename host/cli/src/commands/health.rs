//! `tabella health`: asks a process whether it is well, for containers that hold no other program.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::json;
use tabella_api::AlertsAnswer;
use tabella_files::read_secret;

use crate::{
    exit::Exit,
    http::Client,
    output::{self, plain},
};

/// Ask a process whether it is ready; exits 0 if it is, 1 if not.
///
/// Examples: tabella health http://127.0.0.1:8001
///           tabella health http://127.0.0.1:8000 --alerts --token-file network/keys/admin-token
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct HealthArguments {
    /// URL of a validator, a backend or a bootnode
    url: String,
    /// Ask only whether it is alive; a bootnode has no more to say
    #[arg(long)]
    live: bool,
    /// Ask a backend what somebody should act on now; exits 1 where there is anything
    #[arg(long, conflicts_with = "live")]
    alerts: bool,
    /// With --alerts: an administrator's or auditor's token
    #[arg(long, env = "TABELLA_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file that holds the token, such as keys/admin-token of `tabella init`; it goes before --token
    #[arg(long, requires = "alerts")]
    token_file: Option<PathBuf>,
    /// With --alerts: answer in JSON
    #[arg(long, requires = "alerts")]
    json: bool,
    /// How long to wait for the answer
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout_seconds: u64,
}

/// Runs the command.
pub(crate) async fn run(arguments: &HealthArguments) -> Result<Exit> {
    let timeout = Duration::from_secs(arguments.timeout_seconds);
    let mut client = Client::new(&arguments.url)?.with_timeout(timeout);
    if arguments.alerts {
        return alerts(client, arguments).await;
    }
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

async fn alerts(client: Client, arguments: &HealthArguments) -> Result<Exit> {
    let token = match &arguments.token_file {
        Some(file) => Some(read_secret(file)?),
        None => arguments.token.clone(),
    };
    let Some(token) = token else {
        bail!("expected an administrator's token: give --token-file, --token or TABELLA_TOKEN");
    };
    let path = "/api/admin/alerts";
    let answer = client.with_token(&token).get(path).await?;
    ensure!(
        answer.is_success(),
        "{path} answered {}: {}",
        answer.status,
        answer.excerpt()
    );
    let alerts: AlertsAnswer = answer
        .read()
        .with_context(|| format!("expected alerts of a backend, got {}", answer.excerpt()))?;
    if arguments.json {
        output::json(&json!(alerts));
    } else if alerts.alerts.is_empty() {
        say!("nothing to act on");
    }
    for alert in alerts.alerts.iter().filter(|_| !arguments.json) {
        let [name, summary, runbook] =
            [&alert.name, &alert.summary, &alert.runbook].map(|text| plain(text));
        say!(
            "{:<8}  {name}: {summary} ({runbook})",
            alert.severity.name()
        );
    }
    Ok(match alerts.alerts.is_empty() {
        true => Exit::Success,
        false => Exit::Refused,
    })
}
