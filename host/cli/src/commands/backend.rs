//! `tabella backend`: runs one, or creates its first administrator.

use std::{
    io::{IsTerminal, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use tabella_backend::Role;

use super::role::{self, RoleArguments};
use tabella_files::read_secret;

use crate::{backend_api::BackendApi, exit::Exit, network_files::random_secret, output};

/// Run the backend, the REST API in front of the validators (with --config), or create an administrator
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct BackendArguments {
    #[command(subcommand)]
    command: Option<BackendCommand>,
    #[command(flatten)]
    role: Option<RoleArguments>,
}

#[derive(Debug, Subcommand)]
enum BackendCommand {
    /// Create an account that administers the backend
    ///
    /// With --config, in the database of a backend that does not run. A running backend holds its
    /// database: ask it instead, with --backend and the token of admin_token_file, or stop it first.
    /// Without --password-file a password is made, and shown this once.
    ///
    /// Example: tabella backend create-admin alice --config network/backend.toml
    /// Example: tabella backend create-admin alice --backend http://127.0.0.1:8000
    ///   --token-file network/keys/admin-token --password-file alice.password --json
    #[command(verbatim_doc_comment)]
    CreateAdmin(CreateAdminArguments),
}

#[derive(Debug, Args)]
struct CreateAdminArguments {
    /// The name to log in with: letters, digits and . _ @ + -
    username: String,
    /// The configuration of a backend that does not run
    #[arg(long, required_unless_present = "backend", conflicts_with = "backend")]
    config: Option<PathBuf>,
    /// The URL of a running backend
    #[arg(long)]
    backend: Option<String>,
    /// A file that holds an administrator's token of the running backend, such as keys/admin-token
    #[arg(long, requires = "backend")]
    token_file: Option<PathBuf>,
    /// A file that holds the password, readable by its owner alone; - for standard input
    #[arg(long)]
    password_file: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) async fn run(arguments: &BackendArguments) -> Result<Exit> {
    match &arguments.command {
        Some(BackendCommand::CreateAdmin(arguments)) => create_admin(arguments).await,
        None => {
            let role = arguments.role.as_ref();
            role::backend(role.context("expected --config FILE or a subcommand")?).await
        }
    }
}

async fn create_admin(arguments: &CreateAdminArguments) -> Result<Exit> {
    let username = &arguments.username;
    let (password, shown) = match &arguments.password_file {
        Some(file) => (read_password(file)?, None),
        None => {
            let made = random_secret().trim_start_matches("0x").to_owned();
            (made.clone(), Some(made))
        }
    };
    match (&arguments.backend, &arguments.config) {
        (Some(url), _) => {
            let file = arguments.token_file.as_deref();
            let file = file.context("expected --token-file with --backend")?;
            let mut api = BackendApi::new(url, Some(&read_secret(file)?))?;
            api.create_account(username, &password, tabella_api::Role::Admin)
                .await?;
        }
        (None, Some(config)) => create_in_database(config, username, password).await?,
        (None, None) => bail!("expected --config FILE or --backend URL"),
    }
    if arguments.json {
        output::json(&json!({"username": username, "role": "admin", "password": shown}));
        return Ok(Exit::Success);
    }
    say!("{username} may log in and administer");
    if let Some(password) = shown {
        say!("password  {password}\nIt is shown this once: keep it.");
    }
    Ok(Exit::Success)
}

async fn create_in_database(config: &Path, username: &str, password: String) -> Result<()> {
    let parsed = role::backend_config(config)?;
    let created =
        tabella_backend::create_account(parsed.clone(), username.to_owned(), password, Role::Admin)
            .await;
    match created {
        Ok(()) => Ok(()),
        Err(error) if error.is_database_in_use() => bail!(
            "a running backend holds the database in {}; stop it, or ask it: tabella backend create-admin {username} --backend http://{} --token-file {}",
            parsed.data.display(),
            parsed.listen,
            parsed.admin_token_file.display()
        ),
        Err(error) => Err(error.into()),
    }
}

/// The one line of a file, or of standard input.
fn read_password(file: &Path) -> Result<String> {
    if file != Path::new("-") {
        return Ok(read_secret(file)?);
    }
    let mut text = String::new();
    if std::io::stdin().is_terminal() {
        bail!(
            "expected a password on standard input, which is a terminal; give --password-file FILE"
        );
    }
    std::io::stdin()
        .read_to_string(&mut text)
        .context("cannot read the password from standard input")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
