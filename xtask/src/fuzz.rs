//! Builds the fuzz targets for libFuzzer and runs them.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};

use crate::shell::{binary, cargo, run, step};

/// By these names `--help` lists them; each is a binary `fuzz-NAME` of `host/fuzz`.
const TARGETS: [&str; 8] = [
    "module",
    "ballot",
    "ballot-json",
    "outcome",
    "configuration",
    "saved-state",
    "import",
    "election",
];

/// Set where this program is cargo's wrapper of the compiler.
const WRAPS: &str = "TABELLA_FUZZ_WRAPS_RUSTC";

/// What `cargo fuzz` gives the compiler, so that libFuzzer sees which code an input reaches and what
/// is compared.
const COVERAGE: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions",
];

/// No input may take longer, the first of which waits until the rules are compiled, or the process more
/// memory; what is larger finds nothing more.
const BOUNDS: [&str; 3] = ["-timeout=60", "-rss_limit_mb=4096", "-max_len=65536"];

/// Which targets, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Campaign {
    /// Which targets; all of them where left out: module, ballot, ballot-json, outcome,
    /// configuration, saved-state, import, election
    targets: Vec<String>,
    /// How long each runs
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Give one input, from a file, to one target instead
    #[arg(long)]
    replay: Option<PathBuf>,
}

/// Every target for a few seconds, where a C++ compiler is installed.
pub(crate) fn short_run() -> Result<()> {
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let found = Command::new(compiler).arg("--version").output();
    if !found.is_ok_and(|output| output.status.success()) {
        println!(
            "\nthe fuzz targets are skipped: libFuzzer is compiled from C++, and there is no c++"
        );
        return Ok(());
    }
    campaign(&Campaign {
        targets: Vec::new(),
        seconds: 4,
        replay: None,
    })
}

/// Runs targets one after another; the first that fails ends it.
pub(crate) fn campaign(campaign: &Campaign) -> Result<()> {
    let mut targets: Vec<&str> = campaign.targets.iter().map(String::as_str).collect();
    if targets.is_empty() {
        targets.extend(TARGETS);
    }
    if let Some(unknown) = targets.iter().find(|target| !TARGETS.contains(target)) {
        bail!("expected one of {}, found {unknown:?}", TARGETS.join(", "));
    }
    build(&targets)?;
    if let Some(input) = &campaign.replay {
        let [target] = targets[..] else {
            bail!("--replay needs the one target that the input is for");
        };
        return run(Command::new(fuzzer(target)?).args(BOUNDS).arg(input));
    }
    run(Command::new(binary("tabella-fuzz")?).arg("target/fuzz/seeds"))?;
    for target in targets {
        fuzz(target, campaign.seconds)?;
    }
    Ok(())
}

fn build(targets: &[&str]) -> Result<()> {
    step("building the fuzz targets");
    // With the features of the whole workspace, so that no dependency is compiled a second time. Only
    // the workspace's own code is instrumented; for all of it, use `cargo fuzz`.
    let build = ["build", "--release", "--workspace", "--bin"];
    run(cargo().args(build).arg("tabella-fuzz"))?;
    let own = std::env::current_exe().context("cannot find this binary")?;
    let mut command = cargo();
    command.args(["build", "--release", "--workspace"]);
    command.args(["--features", "tabella-fuzz/libfuzzer"]);
    for target in targets {
        command.args(["--bin", &format!("fuzz-{target}")]);
    }
    run(command.env("RUSTC_WORKSPACE_WRAPPER", own).env(WRAPS, "1"))
        .context("libFuzzer is compiled from C++; is a C++ compiler installed?")
}

fn fuzzer(target: &str) -> Result<PathBuf> {
    binary(&format!("fuzz-{target}"))
}

fn fuzz(target: &str, seconds: u64) -> Result<()> {
    step(&format!("{target}, for {seconds} seconds"));
    let folder = Path::new("target/fuzz");
    let (corpus, log) = (folder.join("corpus").join(target), folder.join("log"));
    fs::create_dir_all(&corpus).with_context(|| format!("cannot create {}", corpus.display()))?;
    let said = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let status = Command::new(fuzzer(target)?)
        .args(BOUNDS)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix=target/fuzz/{target}-"))
        .arg("-print_final_stats=1")
        .arg(&corpus)
        .arg(folder.join("seeds").join(target))
        .stderr(said)
        .status()
        .context("cannot start the target")?;
    let said = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let said = String::from_utf8_lossy(&said);
    if !status.success() {
        let last: Vec<&str> = said.lines().rev().take(30).collect();
        for line in last.iter().rev() {
            println!("{line}");
        }
        bail!(
            "{target} failed; again: `cargo xtask fuzz {target} --replay FILE`, with the file above"
        );
    }
    for line in said.lines().filter_map(|line| line.strip_prefix("stat::")) {
        println!("{line}");
    }
    Ok(())
}

/// Where cargo calls this program in the compiler's place: the compiler, with coverage for what ends
/// up in a fuzz target. `None` where it was called as itself.
pub(crate) fn compile_in_place_of_rustc() -> Option<Result<ExitCode>> {
    std::env::var_os(WRAPS)?;
    let mut arguments = std::env::args_os().skip(1);
    let rustc = arguments.next()?;
    let arguments: Vec<OsString> = arguments.collect();
    Some(compile(&rustc, &arguments))
}

fn compile(rustc: &OsString, arguments: &[OsString]) -> Result<ExitCode> {
    let names = |text: &str| arguments.iter().any(|argument| argument == text);
    let mut command = Command::new(rustc);
    command.args(arguments);
    // What runs while building is not linked with libFuzzer.
    if !names("build_script_build") && !names("proc-macro") {
        command.args(COVERAGE);
    }
    let status = command.env_remove(WRAPS).status();
    let status = status.context("cannot start the compiler")?;
    Ok(ExitCode::from(u8::from(!status.success())))
}
