//! A network of real processes for one test, on ports of its own, gone with the test.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tabella_cli::{
    dev::Ready,
    http::{Answer, Client},
    load::{Submission, Voter},
};
use tabella_protocol::Genesis;
use tempfile::TempDir;

/// How long anything in these tests may take before it counts as broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The binary under test.
pub(crate) fn tabella() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tabella"))
}

/// The binary whose backend dies where a test says: `examples/crash-points.rs`, which cargo builds with
/// the tests.
fn crash_points_program() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_tabella"));
    binary.with_file_name("examples/crash-points")
}

/// Runs the binary to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    tabella()
        .args(arguments)
        .output()
        .expect("the binary starts")
}

/// Polls until `holds` answers something.
pub(crate) async fn eventually<T>(what: &str, mut holds: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = holds().await {
            return value;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Whether a thread of the process runs. A child that ended and was not waited for counts as gone; one
/// whose main thread alone has ended still holds its files.
pub(crate) fn is_alive(pid: u32) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
    tasks.into_iter().flatten().flatten().any(|task| {
        std::fs::read_to_string(task.path().join("stat"))
            .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").starts_with(" Z"))
    })
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).expect("a process id");
    // Gone already is as good as told.
    let _ = kill(Pid::from_raw(pid), signal);
}

/// Kills a process and waits until nothing of it is left.
pub(crate) fn kill_and_wait(pid: u32) {
    let deadline = Instant::now() + PATIENCE;
    signal(pid, Signal::SIGKILL);
    while is_alive(pid) {
        assert!(Instant::now() < deadline, "process {pid} does not end");
        std::thread::yield_now();
    }
}

/// One process that a test started by itself; dropping it kills it.
pub(crate) struct Role(Child);

impl Role {
    /// Waits until it ends by itself.
    pub(crate) async fn ended(&mut self, what: &str) {
        eventually(what, async || self.0.try_wait().expect("a child")).await;
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ports that no other test of this machine uses at the same time.
pub(crate) struct PortRange {
    pub(crate) base: u16,
    _claim: File,
}

impl PortRange {
    pub(crate) fn claim() -> Self {
        // Below the range from which the system takes ports for outgoing connections.
        for base in (11_000..17_800).step_by(200) {
            let path = std::env::temp_dir().join(format!("tabella-test-ports-{base}"));
            let claim = File::create(path).expect("the temporary directory is writable");
            let free = |port: u16| {
                TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_ok()
            };
            if claim.try_lock().is_ok() && (base..base + 150).all(free) {
                return Self {
                    base,
                    _claim: claim,
                };
            }
        }
        panic!("no free range of ports");
    }
}

/// A running network; dropping it kills every process of it.
pub(crate) struct Network {
    directory: TempDir,
    ports: PortRange,
    arguments: Vec<String>,
    dev: Child,
    pub(crate) ready: Ready,
}

impl Network {
    /// Starts a new network with these arguments of `tabella dev`.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let directory = TempDir::new().expect("the temporary directory is writable");
        let ports = PortRange::claim();
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        let data = directory.path().join("network");
        let mut dev = spawn_dev(&data, ports.base, &arguments);
        let ready = wait_ready(&mut dev, &data).await;
        Self {
            directory,
            ports,
            arguments,
            dev,
            ready,
        }
    }

    /// Starts the processes again over the same data, after they were stopped or killed.
    pub(crate) async fn start_again(&mut self) {
        let data = self.data();
        let _ = std::fs::remove_file(data.join("ready.json"));
        self.dev = spawn_dev(&data, self.ports.base, &self.arguments);
        self.ready = wait_ready(&mut self.dev, &data).await;
    }

    /// Starts a process of this network that `tabella dev` no longer runs; where `crash_points` is
    /// given, it dies at the points named by files in that directory.
    pub(crate) fn start_role(&self, role: &str, config: &str, crash_points: Option<&Path>) -> Role {
        let log = self.data().join("logs").join(format!("{config}.log"));
        let log = File::options().create(true).append(true).open(log);
        let mut command = match crash_points {
            Some(directory) => {
                let mut command = Command::new(crash_points_program());
                command.env("TABELLA_CRASH_DIRECTORY", directory);
                command
            }
            None => tabella(),
        };
        command
            .args([role, "--config"])
            .arg(self.data().join(format!("{config}.toml")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("the temporary directory is writable"));
        Role(command.spawn().expect("the binary starts"))
    }

    /// Writes the configuration of another backend, with the same keys and another database, under
    /// a name; the address it listens on.
    pub(crate) fn configure_another_backend(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.data().join("backend.toml")).expect("a file");
        let mut config: toml::Table = text.parse().expect("TOML");
        let listen = format!("127.0.0.1:{}", self.ports.base + 149);
        config.insert("listen".into(), listen.clone().into());
        config.insert("data".into(), format!("data/{name}").into());
        let path = self.data().join(format!("{name}.toml"));
        std::fs::write(path, config.to_string()).expect("writable");
        format!("http://{listen}")
    }

    /// Writes the configuration of a backend over the shared database at `url`, with the keys of the
    /// first, under a name; the address it listens on, a port of this test's own.
    pub(crate) fn configure_sharing_backend(&self, name: &str, port: u16, url: &str) -> String {
        let text = std::fs::read_to_string(self.data().join("backend.toml")).expect("a file");
        let mut config: toml::Table = text.parse().expect("TOML");
        let listen = format!("127.0.0.1:{}", self.port(port));
        config.insert("listen".into(), listen.clone().into());
        config.insert("data".into(), format!("data/{name}").into());
        config.insert("database".into(), url.into());
        let path = self.data().join(format!("{name}.toml"));
        std::fs::write(&path, config.to_string()).expect("writable");
        // It holds the database's password.
        let owners_alone = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(path, owners_alone).expect("writable");
        format!("http://{listen}")
    }

    /// A port of this test's own; `tabella dev` takes the first few after 0 and after 100.
    pub(crate) fn port(&self, offset: u16) -> u16 {
        self.ports.base + offset
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("network")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn genesis(&self) -> Genesis {
        let text = std::fs::read_to_string(&self.ready.genesis).expect("a genesis document");
        Genesis::from_json(&text).expect("a genesis document")
    }

    /// What `tabella dev` said on its standard error so far.
    pub(crate) fn dev_said(&self) -> String {
        std::fs::read_to_string(self.path(DEV_SAID)).unwrap_or_default()
    }

    /// What `tabella dev` printed on its standard output so far.
    pub(crate) fn dev_printed(&self) -> String {
        std::fs::read_to_string(self.path(DEV_PRINTED)).unwrap_or_default()
    }

    pub(crate) fn dev_pid(&self) -> u32 {
        self.dev.id()
    }

    /// Waits until `tabella dev` ends.
    pub(crate) async fn dev_ended(&mut self) -> std::process::ExitStatus {
        eventually("tabella dev ends", async || {
            self.dev.try_wait().expect("a child")
        })
        .await
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        let mut pids: Vec<u32> = self.ready.validators.iter().map(|v| v.pid).collect();
        pids.extend([self.ready.bootnode.pid, self.ready.backend_pid]);
        pids
    }

    /// Waits until no process of the network is left.
    pub(crate) async fn all_gone(&self) {
        let pids = self.pids();
        eventually("every process is gone", async || {
            (!pids.iter().any(|pid| is_alive(*pid))).then_some(())
        })
        .await;
    }

    pub(crate) fn rpc_urls(&self) -> Vec<String> {
        let validators = self.ready.validators.iter();
        validators.map(|v| v.rpc_url.clone()).collect()
    }

    /// A client of the backend with the administrator's token.
    pub(crate) fn admin(&self) -> Client {
        Client::new(&self.ready.backend)
            .expect("a URL")
            .with_token(&self.ready.admin_token)
    }

    /// A client of the backend without a token.
    pub(crate) fn anonymous(&self) -> Client {
        Client::new(&self.ready.backend).expect("a URL")
    }

    /// Writes `statement` to a file, creates and opens the election with the binary; its id.
    pub(crate) fn open_election(&self, statement: &Value) -> u64 {
        let file = self.path("election.json");
        std::fs::write(&file, statement.to_string()).expect("writable");
        let created = self.election(&["create", file.to_str().expect("UTF-8"), "--open"]);
        created["election_id"].as_u64().expect("an election id")
    }

    /// Runs `tabella election ...` against this network; its JSON answer.
    pub(crate) fn election(&self, arguments: &[&str]) -> Value {
        let output = tabella()
            .arg("election")
            .args(arguments)
            .args(["--json", "--backend", &self.ready.backend, "--token-file"])
            .arg(self.data().join("keys/admin-token"))
            .output()
            .expect("the binary starts");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// A token of one voter.
    pub(crate) async fn voter_token(&self, voter_id: &str) -> String {
        let body = json!({"voter_ids": [voter_id]});
        let answer = self.admin().post("/api/admin/voter-tokens", &body).await;
        let answer = ok(answer.expect("an answer"));
        answer["tokens"][0]["token"]
            .as_str()
            .expect("a token")
            .to_owned()
    }

    /// Submissions of `count` voters, ranking in turns.
    pub(crate) fn submissions(&self, prefix: &str, count: usize) -> Vec<Submission> {
        const RANKINGS: [[&str; 2]; 3] = [["a", "b"], ["b", "c"], ["a", "c"]];
        let submissions = (0..count).map(|index| Submission {
            voter: Voter::CastFor {
                voter_id: format!("{prefix}-voter-{index}"),
                token: self.ready.admin_token.clone(),
            },
            transaction_id: format!("{prefix}-{index}"),
            ballot: json!({"ranking": RANKINGS[index % 3]}),
        });
        submissions.collect()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for pid in self.pids() {
            // Only ours: a process id may have been given to another program since.
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&command).contains("--exit-with-parent") {
                signal(pid, Signal::SIGKILL);
            }
        }
        let _ = self.dev.kill();
        let _ = self.dev.wait();
        if std::thread::panicking() {
            print_logs(&self.data());
        }
    }
}

/// What `tabella dev` printed on its standard output, beside the network's directory;
const DEV_PRINTED: &str = "dev-printed.log";
/// and what it said on its standard error.
const DEV_SAID: &str = "dev-said.log";

fn spawn_dev(data: &std::path::Path, base: u16, arguments: &[String]) -> Child {
    let said = data.with_file_name(DEV_SAID);
    let said = File::options().create(true).append(true).open(said);
    let said = said.expect("the temporary directory is writable");
    let printed = File::create(data.with_file_name(DEV_PRINTED));
    let printed = printed.expect("the temporary directory is writable");
    tabella()
        .args(["dev", "--exit-with-parent", "--data"])
        .arg(data)
        .args(["--port-base", &base.to_string()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(printed)
        .stderr(said)
        .spawn()
        .expect("the binary starts")
}

async fn wait_ready(dev: &mut Child, data: &std::path::Path) -> Ready {
    let path = data.join("ready.json");
    eventually("the network is ready", async || {
        if let Some(status) = dev.try_wait().expect("a child") {
            print_logs(data);
            panic!("tabella dev ended: {status}");
        }
        path.exists()
            .then(|| Ready::read(&path).expect("ready.json is whole whenever it is there"))
    })
    .await
}

fn print_logs(data: &std::path::Path) {
    let said = std::fs::read_to_string(data.with_file_name(DEV_SAID));
    println!("--- tabella dev\n{}", said.unwrap_or_default());
    for entry in std::fs::read_dir(data.join("logs")).into_iter().flatten() {
        let Ok(entry) = entry else { continue };
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        println!("--- {}", entry.path().display());
        for line in &lines[lines.len().saturating_sub(15)..] {
            println!("{line}");
        }
    }
}

/// The statement of an election with one ranked contest.
pub(crate) fn ranked_election() -> Value {
    json!({
        "title": "A test",
        "contests": [{
            "id": "contest",
            "rule": "instant-runoff",
            "options": [{"id": "a"}, {"id": "b"}, {"id": "c"}],
        }],
    })
}

/// The body of an answer that must be a success.
pub(crate) fn ok(answer: Answer) -> Value {
    assert!(
        answer.is_success(),
        "status {}: {}",
        answer.status,
        answer.excerpt()
    );
    answer.json()
}
