//! `tabella validator | bootnode | backend`: one process of a network, until it is told to stop.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use tabella_backend::DatabaseUrl;
use tabella_files::check_owner_alone;
use tokio::sync::oneshot;

use crate::{
    config_file::{read_config, resolve},
    exit::Exit,
    logging, output,
    shutdown::{self, Lifetime},
};

/// How long a process may take to finish its work after it was told to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(crate) struct RoleArguments {
    /// The configuration, as `tabella init` writes it
    #[arg(long)]
    config: PathBuf,
    /// Stop when standard input, a pipe, closes
    #[arg(long, hide = true)]
    exit_with_parent: bool,
}

/// Runs a validator.
pub(crate) async fn validator(arguments: &RoleArguments) -> Result<Exit> {
    let config = validator_config(arguments)?;
    until_told(arguments, |shutdown| {
        tabella_validator::run(config, shutdown)
    })
    .await
}

/// A validator's configuration, with its paths.
pub(crate) fn validator_config(arguments: &RoleArguments) -> Result<tabella_validator::Config> {
    let (mut config, directory) = read_config::<tabella_validator::Config>(&arguments.config)?;
    resolve(
        &directory,
        [&mut config.genesis, &mut config.key, &mut config.data],
    );
    Ok(config)
}

/// Runs a bootnode.
pub(crate) async fn bootnode(arguments: &RoleArguments) -> Result<Exit> {
    let (mut config, directory) = read_config::<tabella_bootnode::Config>(&arguments.config)?;
    resolve(&directory, [&mut config.genesis]);
    until_told(arguments, |shutdown| {
        tabella_bootnode::run(config, shutdown)
    })
    .await
}

/// Runs a backend.
pub(crate) async fn backend(arguments: &RoleArguments) -> Result<Exit> {
    let config = backend_config(&arguments.config)?;
    until_told(arguments, |shutdown| tabella_backend::run(config, shutdown)).await
}

/// A backend's configuration, with its paths.
pub(crate) fn backend_config(file: &Path) -> Result<tabella_backend::Config> {
    let (mut config, directory) = read_config::<tabella_backend::Config>(file)?;
    if config
        .database
        .as_ref()
        .is_some_and(DatabaseUrl::has_password)
    {
        check_owner_alone(file)
            .context("the password in `database` may stand in PGPASSWORD or PGPASSFILE as well")?;
    }
    resolve(
        &directory,
        [
            &mut config.genesis,
            &mut config.registrar_key,
            &mut config.admin_token_file,
            &mut config.master_secret_file,
            &mut config.data,
        ],
    );
    if let Some(authority_key) = &mut config.authority_key {
        resolve(&directory, [authority_key]);
    }
    Ok(config)
}

/// Runs `role` with a future that resolves when it is to stop, and bounds how long stopping takes.
async fn until_told<W, E>(
    arguments: &RoleArguments,
    role: impl FnOnce(Shutdown) -> W,
) -> Result<Exit>
where
    W: Future<Output = Result<(), E>>,
    E: std::error::Error + Send + Sync + 'static,
{
    logging::start();
    output::outlive_readers();
    let lifetime = match arguments.exit_with_parent {
        true => Lifetime::WithParent,
        false => Lifetime::Independent,
    };
    let requested = shutdown::requested(lifetime)?;
    let (tell, told) = oneshot::channel();
    let overdue = async {
        requested.await;
        // The role may have ended by itself.
        let _ = tell.send(());
        tokio::time::sleep(DRAIN_TIMEOUT).await;
    };
    tokio::select! {
        ended = role(Box::pin(async { told.await.unwrap_or_default() })) => ended?,
        () = overdue => bail!("did not stop within {DRAIN_TIMEOUT:?}"),
    }
    tracing::info!("stopped");
    Ok(Exit::Success)
}

type Shutdown = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;
