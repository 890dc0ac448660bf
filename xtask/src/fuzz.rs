//! Builds the fuzz targets for libFuzzer and runs them.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::shell::{become_program, binary, cargo, run, step};

/// One source file for each target.
const SOURCES: &str = "host/fuzz/fuzz_targets";

/// What runs keep: seeds, inputs that reached something new, logs, and inputs that failed.
const KEPT: &str = "target/fuzz";

/// Set where this program is cargo's wrapper of the compiler.
const WRAPS: &str = "TABELLA_FUZZ_WRAPS_RUSTC";

/// The part of what `cargo fuzz` gives the compiler that makes libFuzzer see which code an input
/// reaches and what is compared. Cargo does not notice when these change.
const COVERAGE: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions",
];

/// An input that takes longer, or needs more memory, fails. Larger inputs find nothing more.
const BOUNDS: [&str; 3] = ["-timeout=20", "-rss_limit_mb=4096", "-max_len=65536"];

/// Which targets, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Campaign {
    /// Which targets, as host/fuzz/fuzz_targets lists them; all of them where left out
    targets: Vec<String>,
    /// How long each runs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    seconds: u32,
    /// Give one input, from a file, to one target instead
    #[arg(long, value_parser = a_file)]
    replay: Option<PathBuf>,
}

/// Absolute, because tasks run in the root of the workspace.
fn a_file(text: &str) -> Result<PathBuf, String> {
    match std::path::absolute(text) {
        Ok(path) if path.is_file() => Ok(path),
        Ok(path) => Err(format!("expected a file, found none at {}", path.display())),
        Err(error) => Err(error.to_string()),
    }
}

/// Every target for a few seconds, the same way each time, where a C++ compiler is installed.
pub(crate) fn short_run() -> Result<()> {
    if !has_cpp_compiler() {
        println!(
            "\nthe fuzz targets are skipped: libFuzzer is compiled from C++, and there is no c++"
        );
        return Ok(());
    }
    let targets = targets()?;
    build(&targets)?;
    for target in targets {
        fuzz(&target, 4, None)?;
    }
    Ok(())
}

/// Runs targets one after another; the first that fails ends it.
pub(crate) fn campaign(campaign: &Campaign) -> Result<()> {
    let known = targets()?;
    let targets = match &campaign.targets[..] {
        [] => known.clone(),
        named => named.to_vec(),
    };
    if let Some(unknown) = targets.iter().find(|target| !known.contains(target)) {
        bail!("expected one of {}, found {unknown:?}", known.join(", "));
    }
    if let Some(input) = &campaign.replay {
        let [target] = &targets[..] else {
            bail!("--replay needs the one target that the input is for");
        };
        build(&targets)?;
        return run(Command::new(fuzzer(target)?).args(BOUNDS).arg(input));
    }
    build(&targets)?;
    for target in targets {
        let corpus = Path::new(KEPT).join("corpus").join(&target);
        fuzz(&target, campaign.seconds, Some(&corpus))?;
    }
    Ok(())
}

fn targets() -> Result<Vec<String>> {
    let sources = fs::read_dir(SOURCES).with_context(|| format!("cannot read {SOURCES}"))?;
    let mut names: Vec<String> = sources
        .flatten()
        .filter_map(|source| Some(source.path().file_stem()?.to_str()?.replace('_', "-")))
        .collect();
    names.sort_unstable();
    Ok(names)
}

fn has_cpp_compiler() -> bool {
    let found = Command::new("c++").arg("--version").output();
    std::env::var_os("CXX").is_some() || found.is_ok_and(|output| output.status.success())
}

/// Only the workspace's own code is instrumented, so that little is compiled a second time. For all of
/// it, use `cargo fuzz`.
fn build(targets: &[String]) -> Result<()> {
    if !has_cpp_compiler() {
        bail!("libFuzzer is compiled from C++, and there is no c++: install a C++ compiler");
    }
    step("building the fuzz targets");
    let build = ["build", "--release", "--workspace"];
    run(cargo().args(build).args(["--bin", "tabella-fuzz"]))?;
    run(Command::new(binary("tabella-fuzz")?).arg(Path::new(KEPT).join("seeds")))?;
    // The file that cargo keeps, because a build of the tests may have replaced the one that runs.
    let own = binary("xtask")?;
    let mut command = cargo();
    command.args(build);
    command.args(["--features", "tabella-fuzz/libfuzzer"]);
    for target in targets {
        command.args(["--bin", &format!("fuzz-{target}")]);
    }
    run(command.env("RUSTC_WORKSPACE_WRAPPER", own).env(WRAPS, "1"))
}

fn fuzzer(target: &str) -> Result<PathBuf> {
    binary(&format!("fuzz-{target}"))
}

/// From the seeds alone, in a fixed sequence, where there is no corpus to go on with.
fn fuzz(target: &str, seconds: u32, corpus: Option<&Path>) -> Result<()> {
    step(&format!("{target}, for {seconds} seconds"));
    let kept = Path::new(KEPT);
    let mut command = Command::new(fuzzer(target)?);
    command
        .args(BOUNDS)
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={KEPT}/{target}-"))
        .arg("-print_final_stats=1")
        .env("RUST_BACKTRACE", "0");
    match corpus {
        // Only the first folder is written to.
        Some(corpus) => {
            fs::create_dir_all(corpus)
                .with_context(|| format!("cannot create {}", corpus.display()))?;
            command.arg(corpus);
        }
        None => {
            let scratch = kept.join("scratch").join(target);
            // What an earlier run left there would be taken up.
            let _ = fs::remove_dir_all(&scratch);
            fs::create_dir_all(&scratch)
                .with_context(|| format!("cannot create {}", scratch.display()))?;
            command.arg("-seed=1").arg(scratch);
        }
    }
    let log = kept.join(format!("{target}.log"));
    let said = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let status = command
        .arg(kept.join("seeds").join(target))
        .stderr(said)
        .status()
        .context("cannot start the target")?;
    let said = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let said = String::from_utf8_lossy(&said);
    if !status.success() {
        let lines: Vec<&str> = said.lines().collect();
        for line in &lines[lines.len().saturating_sub(40)..] {
            println!("{line}");
        }
        bail!(
            "{target} failed: {status}; all it said is in {}, and `cargo xtask fuzz {target} --replay \
             FILE` tries the file named above again",
            log.display()
        );
    }
    for line in said.lines().filter_map(|line| line.strip_prefix("stat::")) {
        println!("{line}");
    }
    Ok(())
}

/// Where cargo calls this program in the compiler's place: becomes the compiler, with coverage for what
/// ends up in a fuzz target. Comes back where it was called as itself, or cannot start the compiler.
pub(crate) fn stand_in_for_rustc() -> Result<()> {
    if std::env::var_os(WRAPS).is_none() {
        return Ok(());
    }
    let mut arguments = std::env::args_os().skip(1);
    let rustc = arguments.next().context("expected the compiler's path")?;
    let arguments: Vec<OsString> = arguments.collect();
    let names = |text: &str| arguments.iter().any(|argument| argument == text);
    let mut command = Command::new(rustc);
    command.args(&arguments).env_remove(WRAPS);
    // What runs while building is not linked with libFuzzer.
    if !names("build_script_build") && !names("proc-macro") {
        command.args(COVERAGE);
    }
    become_program(&mut command)
}
