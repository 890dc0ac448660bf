//! One process of a development network: started from the `tabella` binary, logged to a file, tied to its
//! parent's life by a pipe.

use std::{
    fs::OpenOptions,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    process::{Child, Command},
    sync::watch,
    task::JoinHandle,
};

use super::Site;

/// How long a process may take to stop after SIGTERM before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a log is shown when its process dies.
const LOG_TAIL_BYTES: u64 = 4_096;
const LOG_TAIL_LINES: usize = 12;

/// What to run: a role, its name, its configuration and its log.
#[derive(Debug, Clone)]
pub struct ProcessPlan {
    /// The `tabella` binary.
    pub program: PathBuf,
    /// `validator-1`, `bootnode`, `backend`.
    pub name: String,
    /// The subcommand of `tabella`.
    pub role: &'static str,
    /// The configuration file.
    pub config: PathBuf,
    /// The file that its output is appended to.
    pub log: PathBuf,
    /// Where it runs.
    pub site: Site,
}

/// A started process. Dropping it closes the pipe, and the process stops by itself.
#[derive(Debug)]
pub struct Process {
    plan: ProcessPlan,
    pid: u32,
    exited: watch::Receiver<Option<ExitStatus>>,
    _reaper: JoinHandle<()>,
    _lifeline: tokio::process::ChildStdin,
}

impl ProcessPlan {
    /// Starts the process.
    pub fn start(&self) -> Result<Process> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("cannot open {}", self.log.display()))?;
        let mut words = self.site.launcher.clone();
        words.push(self.program.clone().into_os_string());
        let mut child: Child = Command::new(&words[0])
            .args(&words[1..])
            .envs(self.site.environment.iter().cloned())
            .arg(self.role)
            .arg("--config")
            .arg(&self.config)
            .arg("--exit-with-parent")
            .stdin(Stdio::piped())
            .stdout(log.try_clone().context("cannot share the log file")?)
            .stderr(log)
            // A group of its own: Ctrl-C reaches the parent alone, which stops the others in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", self.name))?;
        let pid = child.id().context("the process ended at once")?;
        let lifeline = child.stdin.take().context("the process has no pipe")?;
        let (exit, exited) = watch::channel(None);
        let reaper = tokio::spawn(async move {
            let status = child.wait().await.unwrap_or_default();
            exit.send_replace(Some(status));
        });
        Ok(Process {
            plan: self.clone(),
            pid,
            exited,
            _reaper: reaper,
            _lifeline: lifeline,
        })
    }
}

impl Process {
    /// What was started.
    pub fn plan(&self) -> &ProcessPlan {
        &self.plan
    }

    /// The operating system's name for it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, if it did.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        *self.exited.borrow()
    }

    /// Waits until it ends.
    pub async fn ended(&self) -> ExitStatus {
        let mut exited = self.exited.clone();
        let status = exited.wait_for(Option::is_some).await;
        status.ok().and_then(|status| *status).unwrap_or_default()
    }

    /// Sends a signal, unless it ended already.
    pub fn signal(&self, signal: Signal) {
        if self.exit_status().is_none()
            && let Ok(pid) = i32::try_from(self.pid)
        {
            // It may end between the check and the call; then there is nobody to tell.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Asks it to stop, waits, and kills it when it does not. Returns whether it stopped by itself.
    pub async fn stop(&self) -> bool {
        self.signal(Signal::SIGTERM);
        if tokio::time::timeout(STOP_TIMEOUT, self.ended())
            .await
            .is_ok()
        {
            return true;
        }
        self.signal(Signal::SIGKILL);
        self.ended().await;
        false
    }

    /// How it ended and the last lines of its log, for people.
    pub fn obituary(&self, status: ExitStatus) -> String {
        format!(
            "{} (pid {}) ended: {status}\n{}",
            self.plan.name,
            self.pid,
            log_tail(&self.plan.log)
        )
    }
}

/// The last lines of a log, indented under its name.
pub fn log_tail(path: &Path) -> String {
    let tail = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(path)?;
        let start = file.metadata()?.len().saturating_sub(LOG_TAIL_BYTES);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = tail().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let shown = &lines[lines.len().saturating_sub(LOG_TAIL_LINES)..];
    let mut tail = format!("  last lines of {}:\n", path.display());
    for line in shown {
        tail.push_str("    ");
        tail.push_str(line);
        tail.push('\n');
    }
    tail
}
