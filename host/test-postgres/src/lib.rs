//! A real PostgreSQL server for one test, from the system's packages, gone with the test.
//!
//! ```no_run
//! let Some(mut postgres) = tabella_test_postgres::Postgres::start() else {
//!     return; // not installed: said on standard error
//! };
//! let url = postgres.url();
//! postgres.stop();
//! postgres.start_again();
//! ```

use std::{
    fs,
    io::ErrorKind,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Where it is set, a missing server is a failure and not a reason to skip a test.
pub const REQUIRED: &str = "TABELLA_REQUIRE_POSTGRES";

/// How long the server may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What a server needs beside its defaults: a socket in a directory of its own and no port.
const SETTINGS: &str = "
listen_addresses = ''
max_connections = 60
shared_buffers = 32MB
";

/// Ends the server once standard input closes, which it does when the test is gone: at once, as a
/// crash would, so that what was not durable is lost.
const WATCH: &str = r#"exec 3<&0
"$@" </dev/null &
cat <&3 >/dev/null
kill -QUIT $!
wait $!"#;

/// A server; dropping it ends it.
pub struct Postgres {
    /// Dropped before the directory that it works in.
    server: Option<Child>,
    programs: PathBuf,
    account: Option<Account>,
    directory: TempDir,
}

/// Whom the server runs as, where tests run as root: it refuses to.
#[derive(Clone, Copy)]
struct Account {
    uid: u32,
    gid: u32,
}

impl Postgres {
    /// Starts an empty server; nothing, said on standard error, where none is installed.
    pub fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// As [`start`](Self::start), with lines of `postgresql.conf` that come after those for tests.
    pub fn start_with(settings: &str) -> Option<Self> {
        let Some(programs) = programs() else {
            let said = "PostgreSQL is not installed (Debian: apt-get install postgresql)";
            assert!(std::env::var_os(REQUIRED).is_none(), "{said}");
            eprintln!("skipped: {said}");
            return None;
        };
        let directory = TempDir::new().expect("the temporary directory is writable");
        let is_root = fs::metadata("/proc/self").is_ok_and(|own| {
            use std::os::unix::fs::MetadataExt;
            own.uid() == 0
        });
        let account = is_root.then(|| account().expect("the packages made a user postgres"));
        if let Some(Account { uid, gid }) = account {
            chown(directory.path(), Some(uid), Some(gid)).expect("root may give it away");
        }
        let mut postgres = Self {
            server: None,
            programs,
            account,
            directory,
        };
        postgres.initialise(settings);
        postgres.start_again();
        Some(postgres)
    }

    /// The URL of an empty database.
    pub fn url(&self) -> String {
        let directory = self.directory.path().display();
        format!("postgres:///postgres?user=postgres&host={directory}")
    }

    /// The directory of its socket.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A program of the server's packages, such as `psql`, whether it is there or not.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Ends the server at once, as a crash would.
    pub fn stop(&mut self) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        drop(server.stdin.take());
        server.wait().expect("a child");
    }

    /// Starts the server again over what it made durable.
    pub fn start_again(&mut self) {
        // Left behind where the server was killed; this one runs no other over the directory.
        let _ = fs::remove_file(self.data().join("postmaster.pid"));
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.directory.path().join("log"))
            .expect("writable");
        let server = self
            .command("sh")
            .args(["-c", WATCH, "sh"])
            .arg(self.programs.join("postgres"))
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("there is a shell");
        self.server = Some(server);
        let deadline = Instant::now() + PATIENCE;
        while !self.is_ready() {
            assert!(Instant::now() < deadline, "not ready: {}", self.log());
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// A program, run as whom the server runs as.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.directory.path());
        if let Some(Account { uid, gid }) = self.account {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn initialise(&self, own: &str) {
        let made = self
            .command(self.programs.join("initdb"))
            .arg("-D")
            .arg(self.data())
            .args(["-U", "postgres", "--auth=trust", "--encoding=UTF8"])
            .args(["--locale=C", "--no-sync"])
            .output()
            .expect("initdb starts");
        assert!(made.status.success(), "{made:?}");
        let path = self.data().join("postgresql.auto.conf");
        let mut settings = fs::read_to_string(&path).expect("initdb wrote it");
        settings.push_str(SETTINGS);
        settings.push_str(own);
        fs::write(path, settings).expect("writable");
    }

    /// The last line of the server's own note says whether it takes connections.
    fn is_ready(&self) -> bool {
        match fs::read_to_string(self.data().join("postmaster.pid")) {
            Ok(note) => note.lines().nth(7).is_some_and(|l| l.trim() == "ready"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                false
            }
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            println!("--- postgres\n{}", self.log());
        }
    }
}

/// Whether a server is installed.
pub fn is_installed() -> bool {
    programs().is_some()
}

/// The directory with the newest installed server's programs.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let newest = versions
        .flatten()
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            let programs = entry.path().join("bin");
            programs
                .join("postgres")
                .exists()
                .then_some((version, programs))
        })
        .max();
    if let Some((_, programs)) = newest {
        return Some(programs);
    }
    // Other systems keep them on the path.
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|directory: &PathBuf| {
        directory.join("postgres").exists() && directory.join("initdb").exists()
    })
}

/// The account that the packages made.
fn account() -> Option<Account> {
    let accounts = fs::read_to_string(Path::new("/etc/passwd")).ok()?;
    let line = accounts
        .lines()
        .find(|line| line.starts_with("postgres:"))?;
    let mut ids = line.split(':').skip(2);
    Some(Account {
        uid: ids.next()?.parse().ok()?,
        gid: ids.next()?.parse().ok()?,
    })
}
