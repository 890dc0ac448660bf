//! Docker Compose, in either of its forms.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::shell::{answer, run, workspace_root};

/// The file under test.
const FILE: &str = "deploy/compose.yaml";

/// The programs that answer on this machine.
#[derive(Debug)]
pub(crate) struct Docker {
    compose: &'static [&'static str],
}

impl Docker {
    /// Looks for Docker and Compose; the error says what is missing.
    pub(crate) fn find() -> Result<Self> {
        if !succeeds(&["docker", "version", "--format", "{{.Server.Version}}"]) {
            bail!("Docker does not answer; install it (Debian: docker.io) and start dockerd");
        }
        let forms: [&[&str]; 2] = [&["docker", "compose"], &["docker-compose"]];
        for compose in forms {
            if succeeds(&[compose, &["version"]].concat()) {
                return Ok(Self { compose });
            }
        }
        bail!("Docker Compose is missing; install it (Debian: docker-compose)");
    }
}

fn succeeds(command: &[&str]) -> bool {
    let status = Command::new(command[0])
        .args(&command[1..])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// The project of deploy/compose.yaml in a directory of its own, at ports that were free.
///
/// Dropping it takes it down, with its volumes.
#[derive(Debug)]
pub(super) struct Compose {
    docker: Docker,
    name: String,
    directory: PathBuf,
    image: String,
    backend_port: u16,
    validator_ports: [u16; 3],
}

impl Compose {
    pub(super) fn new(docker: Docker, image: &str, directory: &Path) -> Result<Self> {
        let [backend_port, validator_ports @ ..] = free_ports::<4>()?;
        Ok(Self {
            docker,
            name: format!("tabella-image-test-{}", std::process::id()),
            directory: directory.to_owned(),
            image: image.to_owned(),
            backend_port,
            validator_ports,
        })
    }

    pub(super) fn backend_port(&self) -> u16 {
        self.backend_port
    }

    pub(super) fn validator_ports(&self) -> &[u16] {
        &self.validator_ports
    }

    /// `docker compose` with these arguments.
    fn compose(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.docker.compose[0]);
        command
            .args(&self.docker.compose[1..])
            .arg("--file")
            .arg(workspace_root().join(FILE))
            .arg("--project-directory")
            .arg(&self.directory)
            .args(["--project-name", &self.name])
            .args(arguments)
            .env("TABELLA_IMAGE", &self.image)
            .env("TABELLA_BACKEND_PORT", self.backend_port.to_string());
        for (n, port) in self.validator_ports.iter().enumerate() {
            command.env(
                format!("TABELLA_VALIDATOR_{}_PORT", n + 1),
                port.to_string(),
            );
        }
        command
    }

    /// Runs `docker compose` with these arguments; what it prints is shown only where it fails.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<()> {
        let output = self.compose(arguments).stdin(Stdio::null()).output();
        let output = output.context("cannot start Docker Compose")?;
        if !output.status.success() {
            bail!(
                "`docker compose {}` failed: {}\n{}{}",
                arguments.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }

    /// The id of a service's container, which may be stopped.
    pub(super) fn container(&self, service: &str) -> Result<String> {
        let project = format!("label=com.docker.compose.project={}", self.name);
        let service_label = format!("label=com.docker.compose.service={service}");
        let mut list = Command::new("docker");
        list.args(["ps", "--all", "--quiet", "--no-trunc"]).args([
            "--filter",
            &project,
            "--filter",
            &service_label,
        ]);
        let id = answer(&mut list)?;
        if id.is_empty() || id.contains(char::is_whitespace) {
            bail!("expected one container of {service}, got {id:?}");
        }
        Ok(id)
    }

    /// A part of what `docker inspect` tells of a service's container.
    pub(super) fn inspect(&self, service: &str, format: &str) -> Result<String> {
        let container = self.container(service)?;
        answer(Command::new("docker").args(["inspect", "--format", format, &container]))
    }

    /// Takes a service off the network on which all of them are.
    pub(super) fn disconnect(&self, service: &str) -> Result<()> {
        let container = self.container(service)?;
        run(Command::new("docker").args(["network", "disconnect", &self.network(), &container]))
    }

    /// Puts it back, under the name by which the others know it.
    pub(super) fn connect(&self, service: &str) -> Result<()> {
        let container = self.container(service)?;
        run(Command::new("docker")
            .args(["network", "connect", "--alias", service])
            .args([&self.network(), &container]))
    }

    fn network(&self) -> String {
        format!("{}_default", self.name)
    }

    /// Shows the newest lines of every container's log.
    pub(super) fn show_logs(&self) {
        let _ = self.compose(&["logs", "--tail", "40"]).status();
    }
}

impl Drop for Compose {
    fn drop(&mut self) {
        if let Err(error) = self.run(&["down", "--volumes", "--timeout", "1"]) {
            eprintln!("cannot take the test's containers down: {error:#}");
        }
    }
}

/// Ports that nobody listens at now.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut listeners = Vec::with_capacity(N);
    for _ in 0..N {
        listeners.push(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?);
    }
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}
