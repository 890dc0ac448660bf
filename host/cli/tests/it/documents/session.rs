//! One reader: a shell in a directory that looks like a checkout, in namespaces of its own.
//!
//! There the ports that pages name are free, whatever else runs on the machine, and every process ends
//! with the shell. The shell notes what failed; what was printed is compared afterwards.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::page::{Act, Page, Step};

/// How long a whole page may take on a slow machine before it counts as stuck.
const PAGE_SECONDS_MAX: &str = "400";
/// How long a process that stays may take to print what its page says.
const READY_SECONDS_MAX: u32 = 120;
const NAMESPACES: [&str; 7] = [
    "--user",
    "--map-root-user",
    "--net",
    "--pid",
    "--mount-proc",
    "--fork",
    "--kill-child",
];
/// What a newcomer's shell has of this process's environment.
const KEPT: [&str; 6] = [
    "HOME",
    "LANG",
    "RUSTUP_HOME",
    "CARGO_HOME",
    "TMPDIR",
    "USER",
];
/// What of the repository pages may name, beside `examples`, into which they may write.
const LINKED: [&str; 6] = [
    "deploy",
    "docs",
    "plugins",
    "sdk",
    "README.md",
    "rust-toolchain.toml",
];

/// What went wrong, with the page and the line.
pub(super) type Faults = Vec<String>;

/// What this machine lacks, if anything, for typing pages that use `tools`.
pub(super) fn lacks(tools: &[&str]) -> Option<String> {
    let works = |command: &mut Command| {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let lo = ["ip", "link", "set", "lo", "up"];
    if !works(Command::new("unshare").args(NAMESPACES).args(lo)) {
        return Some(
            "namespaces: root or unprivileged user namespaces, unshare(1) and ip(8)".into(),
        );
    }
    let missing = |tool: &&&str| !works(Command::new("bash").args(["-c", tool]));
    tools
        .iter()
        .find(missing)
        .map(|tool| format!("what `{tool}` asks for"))
}

/// A reader's directory, and what the reader's shell notes.
pub(super) struct Session {
    directory: TempDir,
}

impl Session {
    /// Makes a view of a built checkout at `root`.
    pub(super) fn new(root: &Path) -> Self {
        let directory = TempDir::new().expect("the temporary directory is writable");
        let session = Self { directory };
        let checkout = session.path("tabella");
        for made in ["tabella/target/release", "bin", "steps"] {
            fs::create_dir_all(session.path(made)).expect("writable");
        }
        let binary = checkout.join("target/release/tabella");
        symlink(env!("CARGO_BIN_EXE_tabella"), &binary).expect("writable");
        for name in LINKED {
            symlink(root.join(name), checkout.join(name)).expect("writable");
        }
        copy(&root.join("examples"), &checkout.join("examples"));
        // Every transfer says its status, which curl itself takes for a success whatever it is.
        let curl = "write-out = \"%{stderr}HTTP %{http_code} %{url_effective}\\n\"\n";
        fs::write(session.path(".curlrc"), curl).expect("writable");
        let cargo = session.path("bin/cargo");
        fs::write(&cargo, CARGO).expect("writable");
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("own file");
        session
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Does what the page asks for, in order; what went otherwise than it says.
    pub(super) fn follow(&self, page: &Page) -> Faults {
        let mut script = PRELUDE.replace("@READY@", &READY_SECONDS_MAX.to_string());
        for (number, step) in page.steps.iter().enumerate() {
            self.write(number, step, &mut script);
        }
        script += "ended\n";
        fs::write(self.path("session.sh"), script).expect("writable");
        let mut shell = Command::new("timeout");
        shell
            .args(["--kill-after=5", PAGE_SECONDS_MAX, "unshare"])
            .args(NAMESPACES);
        shell
            .args(["bash", "--noprofile", "--norc"])
            .arg(self.path("session.sh"));
        let log = fs::File::create(self.path("session.log")).expect("writable");
        shell
            .current_dir(self.path("tabella"))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        shell.stderr(log).env_clear();
        let kept = KEPT
            .into_iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?)));
        let path = std::env::var("PATH").expect("a search path");
        shell.envs(kept).env("CURL_HOME", self.directory.path());
        shell.env("PATH", format!("{}:{path}", self.path("bin").display()));
        shell
            .env("NOTES", self.directory.path())
            .status()
            .expect("timeout(1)");
        self.faults(page)
    }

    /// Writes what the shell needs for one step, and what it does with it.
    fn write(&self, number: usize, step: &Step, script: &mut String) {
        let file = |name: String, line: usize, text: &str| {
            // The shell counts lines as the page does.
            let above = match step.act {
                Act::Save { .. } => String::new(),
                _ => "\n".repeat(line - 1),
            };
            fs::write(self.path("steps").join(name), above + text).expect("writable");
        };
        let wrote = match &step.act {
            Act::Type { stops, .. } => {
                if let Some(stops) = stops {
                    writeln!(script, "at {number}; stop {}", quoted(stops)).expect("text");
                }
                file(format!("{number}.sh"), step.line, &step.text);
                writeln!(
                    script,
                    "at {number}; source $NOTES/steps/{number}.sh >$NOTES/steps/{number}.out 2>$NOTES/steps/{number}.err"
                )
            }
            Act::Save { file: name } => {
                file(format!("{number}.txt"), step.line, &step.text);
                writeln!(
                    script,
                    "at {number}; cat $NOTES/steps/{number}.txt >'{name}'"
                )
            }
            Act::Stay { ready } => {
                let mut commands = Vec::new();
                let mut wrote = Ok(());
                for (line, text) in (step.line..).zip(step.text.lines()) {
                    let name = format!("{number}-{line}");
                    file(format!("{name}.sh"), line, text);
                    commands.push(name.clone());
                    wrote = wrote.and(writeln!(
                        script,
                        "at {number}; stay {name} {}",
                        quoted(ready)
                    ));
                }
                wrote
            }
        };
        wrote.expect("text");
    }

    fn faults(&self, page: &Page) -> Faults {
        let noted = fs::read_to_string(self.path("faults")).unwrap_or_default();
        let mut faults = Faults::new();
        let (mut at, mut ended) = (0, false);
        let mut failed: Vec<(usize, usize, u8)> = Vec::new();
        for note in noted.lines() {
            let fields: Vec<&str> = note.splitn(4, ' ').collect();
            match fields[..] {
                ["ended"] => ended = true,
                ["at", number] => at = number.parse().expect("a step"),
                ["failed", number, line, status] => failed.push((
                    number.parse().expect("a step"),
                    line.parse().expect("a line"),
                    status.parse().expect("a status"),
                )),
                ["stay", number, line, what] => {
                    let step: usize = number.parse().expect("a step");
                    let page = &page.steps[step].page;
                    let said = self.said(&format!("{number}-{line}"));
                    faults.push(format!("{page}:{line}: {what}\n{said}"));
                }
                _ => panic!("a note of the shell: {note}"),
            }
        }
        for (number, step) in page.steps.iter().enumerate() {
            let failed: Vec<_> = failed.iter().filter(|failed| failed.0 == number).collect();
            let failed: Vec<_> = failed.iter().map(|failed| (failed.1, failed.2)).collect();
            faults.extend(self.judge(number, step, &failed));
        }
        if !ended {
            let said = fs::read_to_string(self.path("session.log")).unwrap_or_default();
            let place = page
                .steps
                .get(at)
                .map(|step| format!("{}:{}", step.page, step.line));
            let place = place.unwrap_or_default();
            faults.push(format!(
                "{place}: the shell ends here, or has not come further in {PAGE_SECONDS_MAX} s\n{said}"
            ));
        }
        faults
    }

    /// What a step did otherwise than its page says.
    fn judge(&self, number: usize, step: &Step, failed: &[(usize, u8)]) -> Faults {
        let mut faults = Faults::new();
        let page = &step.page;
        let Act::Type { exits, answers, .. } = step.act else {
            let here = failed
                .first()
                .map(|_| format!("{page}:{}: cannot be saved", step.line));
            return here.into_iter().collect();
        };
        let out = self.read(&format!("{number}.out"));
        let err = self.read(&format!("{number}.err"));
        let (statuses, err): (Vec<&str>, Vec<&str>) =
            err.lines().partition(|line| line.starts_with("HTTP "));
        let said = format!("{out}{}\n", err.join("\n"));
        let meant = match (exits, failed.split_last()) {
            (0, _) => failed,
            (_, Some(((_, status), before))) if *status == exits => before,
            _ => {
                let line = step.line;
                faults.push(format!("{page}:{line}: does not exit with {exits}\n{said}"));
                &[]
            }
        };
        for (line, status) in meant {
            faults.push(format!("{page}:{line}: exits with {status}\n{said}"));
        }
        for line in statuses {
            let status = line
                .split(' ')
                .nth(1)
                .and_then(|status| status.parse::<u16>().ok());
            if status.is_some_and(|status| status >= 400 && Some(status) != answers) {
                faults.push(format!("{page}:{}: {line}\n{said}", step.line));
            }
        }
        if let Some(promise) = &step.promise {
            // Errors go to the other channel, and nothing else does that a page shows.
            let err = err.join("\n");
            let printed = if out.is_empty() { &err } else { &out };
            if let Some(broken) = promise.broken_by(printed) {
                faults.push(format!("{page}:{}: {broken}\n{err}", promise.line));
            }
        }
        faults
    }

    fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.path("steps").join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The end of what a process that stays has said.
    fn said(&self, name: &str) -> String {
        let said = self.read(&format!("{name}.out")) + &self.read(&format!("{name}.err"));
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }
}

/// What the shell does before the first step. It notes `at STEP` as it goes on, `failed STEP LINE STATUS` for each command that
/// fails, and `stay STEP LINE WHAT` for a process that does not stay or does not say what it should.
const PRELUDE: &str = r#"
ip link set lo up || exit
set -o pipefail
shopt -s expand_aliases
: >$NOTES/faults
at() { now=$1; echo "at $now" >>$NOTES/faults; }
failed() { case $2 in */steps/*) echo "failed $now $3 $1" >>$NOTES/faults;; esac; }
trap 'failed $? "${BASH_SOURCE[0]}" $LINENO' ERR
staying=()
stay() {
    local step=${1%-*} line=${1#*-} deadline=$((SECONDS + @READY@))
    (source $NOTES/steps/$1.sh) >$NOTES/steps/$1.out 2>$NOTES/steps/$1.err &
    local pid=$!
    staying+=("$1 $pid")
    until [ -z "$2" ] || cat $NOTES/steps/$1.out $NOTES/steps/$1.err | grep -qF -- "$2"; do
        if ! kill -0 $pid 2>/dev/null; then break; fi
        if ((SECONDS > deadline)); then echo "stay $step $line does not say: $2" >>$NOTES/faults; break; fi
        sleep 0.05
    done
}
stop() {
    local index name pid found=
    for index in "${!staying[@]}"; do
        name=${staying[index]% *} pid=${staying[index]#* }
        if grep -qF -- "$1" $NOTES/steps/$name.sh; then
            kill $(cat /proc/$pid/task/$pid/children)
            wait $pid || echo "stay ${name%-*} ${name#*-} ends with $?" >>$NOTES/faults
            unset "staying[index]"
            found=yes
        fi
    done
    [ $found ] || echo "stay $now 0 nothing to stop: $1" >>$NOTES/faults
}
ended() {
    local entry name
    for entry in "${staying[@]}"; do
        name=${entry% *}
        if ! kill -0 ${entry#* } 2>/dev/null; then echo "stay ${name%-*} ${name#*-} does not stay" >>$NOTES/faults; fi
    done
    echo ended >>$NOTES/faults
}
"#;

/// What `cargo` does in a checkout where everything is built, and elsewhere what it always does.
const CARGO: &str = r#"#!/bin/bash
case "$1 $2" in
'xtask dev') shift 2; exec target/release/tabella dev "$@";;
'xtask demo') shift 2; exec target/release/tabella demo examples/elections/burlington-2009 --data .data/demo "$@";;
esac
case "$PWD $*" in
*/tabella' build --release -p tabella') exit;;
esac
PATH=${PATH/"${0%/*}:"/} exec cargo "$@"
"#;

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("writable");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            if entry.file_name() != "target" {
                copy(&path, &to);
            }
        } else {
            fs::copy(&path, &to).expect("writable");
        }
    }
}
