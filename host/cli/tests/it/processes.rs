//! Single processes of a network, each with a configuration of its own, gone with the test.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use nix::sys::signal::Signal;
use serde_json::Value;
use tabella_cli::chain;
use tabella_protocol::{SigningKey, rpc::NodeStatus};
use tempfile::TempDir;

use crate::network::{PortRange, eventually, run, signal, tabella};

/// Runs `tabella`, which must succeed; its JSON answer.
pub(crate) fn json(arguments: &[&str]) -> Value {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What a command said, on both channels.
pub(crate) fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// Processes that are killed when dropped.
#[derive(Default)]
pub(crate) struct Processes(BTreeMap<String, (Child, PathBuf)>);

impl Processes {
    /// Runs `tabella ROLE --config CONFIG`; its log stands beside the configuration.
    pub(crate) fn start(&mut self, role: &str, config: &Path) {
        self.spawn(tabella(), role, config);
    }

    /// As [`start`](Self::start), with files that cannot grow beyond a size: writes fail there.
    pub(crate) fn start_limited(&mut self, role: &str, config: &Path, file_bytes_max: u64) {
        // In the units of POSIX; without the trap, the system would kill the process.
        let blocks = file_bytes_max / 512;
        let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &limited]).arg(tabella().get_program());
        self.spawn(command, role, config);
    }

    /// As [`start`](Self::start), with at most so many open files.
    pub(crate) fn start_with_files(&mut self, role: &str, config: &Path, files_max: u64) {
        let limited = format!("ulimit -n {files_max}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &limited]).arg(tabella().get_program());
        self.spawn(command, role, config);
    }

    fn spawn(&mut self, mut tabella: Command, role: &str, config: &Path) {
        let log = config.with_extension("log");
        let out = File::options().create(true).append(true).open(&log);
        let child = tabella
            .args([role, "--exit-with-parent", "--config"])
            .arg(config)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(out.expect("the temporary directory is writable"))
            .spawn()
            .expect("the binary starts");
        let name = config.file_stem().expect("a name").to_string_lossy();
        let before = self.0.insert(name.into_owned(), (child, log));
        assert!(before.is_none(), "{} runs already", config.display());
    }

    /// Kills a process and waits until it is gone.
    pub(crate) fn kill(&mut self, name: &str) {
        let (mut child, _) = self.0.remove(name).expect("a running process");
        signal(child.id(), Signal::SIGKILL);
        child.wait().expect("a child");
    }

    /// Waits for a process to end by itself; how it ended, and what it has logged.
    pub(crate) async fn ended(&mut self, name: &str) -> (ExitStatus, String) {
        let (mut child, log) = self.0.remove(name).expect("a running process");
        let status = eventually("it ends", async || child.try_wait().expect("a child")).await;
        (status, std::fs::read_to_string(log).unwrap_or_default())
    }

    /// The id of a process.
    pub(crate) fn id(&self, name: &str) -> u32 {
        self.0[name].0.id()
    }

    /// What a process has logged.
    pub(crate) fn log(&self, name: &str) -> String {
        std::fs::read_to_string(&self.0[name].1).unwrap_or_default()
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for (name, (child, log)) in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
            if std::thread::panicking() {
                let text = std::fs::read_to_string(log).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                println!("--- {name}");
                for line in &lines[lines.len().saturating_sub(25)..] {
                    println!("{line}");
                }
            }
        }
    }
}

/// Says that the key of this configuration has never signed.
pub(crate) fn first_start(config: &Path) {
    let config = config.to_str().expect("UTF-8");
    let made = run(&["validator", "--config", config, "--first-start"]);
    assert!(made.status.success(), "{}", said(&made));
}

/// The files of a network that `tabella init` wrote, and its processes, started one by one.
pub(crate) struct Bare {
    /// Dropped before the directory, which holds their logs.
    pub(crate) processes: Processes,
    pub(crate) ports: PortRange,
    directory: TempDir,
}

impl Bare {
    pub(crate) fn new(validators: u8, quorum: &str) -> Self {
        let directory = TempDir::new().expect("the temporary directory is writable");
        let ports = PortRange::claim();
        let out = directory.path().join("network");
        json(&[
            "init",
            "--validators",
            &validators.to_string(),
            "--quorum",
            quorum,
            "--port-base",
            &ports.base.to_string(),
            "--out",
            out.to_str().expect("UTF-8"),
            "--json",
        ]);
        Self {
            directory,
            ports,
            processes: Processes::default(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join("network").join(name)
    }

    pub(crate) fn genesis(&self) -> String {
        self.path("genesis.json").display().to_string()
    }

    /// Writes the configuration `name` after that of `of`, changed.
    pub(crate) fn configure(&self, name: &str, of: &str, change: impl FnOnce(&mut toml::Table)) {
        let text = std::fs::read_to_string(self.path(&format!("{of}.toml"))).expect("a file");
        let mut config: toml::Table = text.parse().expect("TOML");
        change(&mut config);
        std::fs::write(self.path(&format!("{name}.toml")), config.to_string()).expect("writable");
    }

    /// The public key of a validator.
    pub(crate) fn key(&self, node_id: &str) -> String {
        let text = std::fs::read_to_string(self.path(&format!("keys/{node_id}.key")));
        let seed: tabella_protocol::Hash = text.expect("a key").trim().parse().expect("hex");
        SigningKey::from_seed(seed.0).public().to_string()
    }

    /// A `peers` entry: validator `n` is at its own port.
    pub(crate) fn peer(&self, n: u16) -> toml::Value {
        let mut peer = toml::Table::new();
        peer.insert(
            "public_key".into(),
            self.key(&format!("validator-{n}")).into(),
        );
        let address = format!("127.0.0.1:{}", self.ports.base + 99 + n);
        peer.insert("p2p_address".into(), address.into());
        peer.into()
    }

    pub(crate) fn start(&mut self, role: &str, name: &str) {
        let config = self.path(&format!("{name}.toml"));
        self.processes.start(role, &config);
    }

    /// Starts a validator whose key has never signed.
    pub(crate) fn start_first(&mut self, name: &str) {
        first_start(&self.path(&format!("{name}.toml")));
        self.start("validator", name);
    }

    pub(crate) fn start_limited(&mut self, role: &str, name: &str, file_bytes_max: u64) {
        let config = self.path(&format!("{name}.toml"));
        self.processes.start_limited(role, &config, file_bytes_max);
    }

    pub(crate) fn start_with_files(&mut self, role: &str, name: &str, files_max: u64) {
        let config = self.path(&format!("{name}.toml"));
        self.processes.start_with_files(role, &config, files_max);
    }

    /// The port at which a process is asked, as its configuration has it.
    pub(crate) fn listen_port(&self, name: &str) -> u16 {
        let text = std::fs::read_to_string(self.path(&format!("{name}.toml"))).expect("a file");
        let config: toml::Table = text.parse().expect("TOML");
        let listen = config.get("listen").or(config.get("rpc_listen"));
        let listen = listen.and_then(toml::Value::as_str).expect("an address");
        let address: std::net::SocketAddr = listen.parse().expect("an address");
        address.port()
    }

    /// The JSON-RPC of validator `n`.
    pub(crate) fn rpc(&self, n: u16) -> String {
        format!("http://127.0.0.1:{}", self.ports.base + n)
    }

    /// Waits until what the validator at `rpc` says of itself is as wanted.
    pub(crate) async fn until(
        &self,
        what: &str,
        rpc: &str,
        wanted: impl Fn(&NodeStatus) -> bool,
    ) -> NodeStatus {
        eventually(what, async || {
            let status = chain::node_status(rpc).await.ok()?;
            wanted(&status).then_some(status)
        })
        .await
    }
}
