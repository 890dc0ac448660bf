//! `cargo xtask`: what a contributor runs, and what CI runs.
//!
//! It depends on nothing of the workspace, so that `cargo xtask --help` answers in seconds.

mod browser;
mod checks;
mod dist;
mod fuzz;
mod image;
mod image_test;
mod packages;
mod postgres;
mod rust_target;
mod shell;
mod tools;
mod words;

use std::{
    ffi::OsString,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};

use crate::shell::{become_program, binary, cargo, run, step, workspace_root};

/// Tasks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run a real election end to end: Burlington, Vermont, 2009, with a validator killed midway
    ///
    /// Builds everything, starts a network in .data/demo, casts all 8,980 ballots through REST,
    /// compares the rounds with the published ones and verifies a receipt offline.
    Demo {
        /// Stop everything at the end instead of leaving the network up until Ctrl-C
        #[arg(long)]
        exit: bool,
        /// Any other arguments of `tabella demo`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<OsString>,
    },
    /// Build everything and run `tabella dev` with the given arguments
    Dev {
        /// Arguments of `tabella dev`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<OsString>,
    },
    /// Torment a network of real processes, and check that it lost nothing
    ///
    /// Builds everything and runs `tabella-lab chaos` with the given arguments, such as
    /// `--minutes 10 --seed 7`: kills, stops, partitions, full and wiped disks, wrong clocks, a lying
    /// validator and a hostile client under load.
    Chaos {
        /// Arguments of `tabella-lab chaos`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<OsString>,
    },
    /// Play whole networks under virtual time, with crashes, loss and liars drawn from seeds
    Simulate {
        /// How many seeds
        #[arg(long, default_value_t = 2_000)]
        seeds: u64,
        /// The first seed; one that failed plays the same again
        #[arg(long, default_value_t = 0)]
        from: u64,
    },
    /// Write 100,000 blocks and measure start-up, memory and catching up: `tabella-lab long-chain`
    LongChain {
        /// Arguments of `tabella-lab long-chain`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<OsString>,
    },
    /// Run every test, doc tests included, in the release profile
    Test {
        /// Leave out what takes long: about a minute where everything is built
        ///
        /// `.config/nextest.toml` says which tests, in the profile `quick`. Needs cargo-nextest.
        #[arg(long)]
        quick: bool,
        /// Arguments for the test runner, such as a part of a test's name
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<OsString>,
    },
    /// All that CI checks: format, spelling, words, dependencies, lints, tests, documentation
    ///
    /// Where Docker answers, the container image is built and tested too; otherwise it says that this was
    /// skipped.
    Ci {
        /// Fail where Docker does not answer
        #[arg(long)]
        docker: bool,
    },
    /// Build the binary that is given away: static, stripped, its debug information beside it
    ///
    /// Writes target/dist/tabella, which runs on any Linux of this architecture, and
    /// target/dist/tabella.debug.
    Dist,
    /// Build the container image: the binary of `cargo xtask dist` and nothing else
    Image {
        /// The image's name
        #[arg(long, default_value = image::TAG)]
        tag: String,
        /// Then start deploy/compose.yaml from it, and vote while validators are stopped and cut off
        #[arg(long)]
        test: bool,
    },
    /// Give libFuzzer everything that reads what strangers send, for a while
    ///
    /// Example: `cargo xtask fuzz module --seconds 600`. Inputs that reached something new are kept in
    /// target/fuzz/corpus, and one that fails in target/fuzz.
    Fuzz(fuzz::Campaign),
    /// Count a real election with debug and release builds, on one thread and on many, and compare
    ///
    /// The outcome's bytes and the fuel must be the same everywhere.
    Determinism,
    /// Measure what running rules as plugins costs, beside the same code compiled natively
    BenchPlugins,
    /// Build the built-in rule plugins to Wasm and the bundle that embeds them
    Plugins,
}

fn main() -> ExitCode {
    match fuzz::stand_in_for_rustc().and_then(|()| perform(Arguments::parse().task)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<()> {
    std::env::set_current_dir(workspace_root())?;
    match task {
        Task::Demo { exit, rest } => demo(exit, &rest),
        Task::Dev { rest } => {
            build_binary()?;
            become_program(Command::new(binary("tabella")?).arg("dev").args(rest))
        }
        Task::Chaos { rest } => {
            build_binary()?;
            become_program(Command::new(binary("tabella-lab")?).arg("chaos").args(rest))
        }
        Task::Simulate { seeds, from } => simulate(seeds, from),
        Task::LongChain { rest } => {
            build_binary()?;
            become_program(
                Command::new(binary("tabella-lab")?)
                    .arg("long-chain")
                    .args(rest),
            )
        }
        Task::Test { quick: true, rest } => quick_test(&rest),
        Task::Test { quick: false, rest } => test(&rest),
        Task::Ci { docker } => ci(docker),
        Task::Dist => dist::build().map(drop),
        Task::Image { tag, test } => make_image(&tag, test),
        Task::Fuzz(campaign) => {
            rust_target::ensure_wasm()?;
            fuzz::campaign(&campaign)
        }
        Task::BenchPlugins => bench_plugins(),
        Task::Determinism => determinism(),
        Task::Plugins => {
            rust_target::ensure_wasm()?;
            run(cargo().args(["build", "--release", "-p", "tabella-plugins"]))
        }
    }
}

fn build_binary() -> Result<()> {
    rust_target::ensure_wasm()?;
    step("building the tabella binary (release)");
    // The whole workspace, so that the features of every dependency are those the tests build
    // with and nothing is compiled a second time for them.
    run(cargo().args(["build", "--release", "--workspace", "--bins"]))
}

fn bench_plugins() -> Result<()> {
    rust_target::ensure_wasm()?;
    step("building the benchmark");
    // With the features of the tests, as above.
    let bench = ["bench", "--workspace", "--bench", "plugins"];
    run(cargo().args(bench).arg("--no-run"))?;
    step(&format!("{} on {}", shell::today()?, shell::machine()));
    run(cargo().args(bench).arg("--quiet"))
}

fn determinism() -> Result<()> {
    rust_target::ensure_wasm()?;
    let mut first: Option<String> = None;
    for (name, profile) in [("debug", "dev"), ("release", "release")] {
        step(&format!("building the tabella binary ({name})"));
        run(cargo().args(["build", "--workspace", "--bins", "--profile", profile]))?;
        for threads in ["1", "2", "7"] {
            let election = "examples/elections/burlington-2009";
            let counted = shell::answer(
                Command::new(format!("target/{name}/tabella"))
                    .args([
                        "plugin",
                        "run",
                        "instant-runoff",
                        "--json",
                        "--threads",
                        threads,
                    ])
                    .args(["--election", &format!("{election}/election.toml")])
                    .args(["--ballots", &format!("{election}/ballots.csv")]),
            )?;
            println!(
                "{name}, {threads} threads: {} bytes of answer",
                counted.len()
            );
            match &first {
                Some(first) if *first != counted => {
                    bail!("two counts differ:\n{first}\n{counted}")
                }
                Some(_) => {}
                None => {
                    println!("{counted}");
                    first = Some(counted);
                }
            }
        }
    }
    println!("every count gave the same answer, with the same outcome bytes and fuel");
    Ok(())
}

fn demo(exit: bool, rest: &[OsString]) -> Result<()> {
    build_binary()?;
    let mut demo = Command::new(binary("tabella")?);
    demo.args(["demo", "examples/elections/burlington-2009"]);
    demo.args(["--data", ".data/demo"]);
    if exit {
        demo.arg("--exit");
    }
    become_program(demo.args(rest))
}

/// The simulation is a test of the validator, because it drives what no other crate may see.
fn simulate(seeds: u64, from: u64) -> Result<()> {
    rust_target::ensure_wasm()?;
    step(&format!(
        "simulation of seeds {from} to {}",
        from.saturating_add(seeds)
    ));
    let name = "simulation::every_seed_comes_right";
    run(cargo()
        .args(["test", "--release", "--workspace", "--lib", "--"])
        .args([name, "--exact", "--nocapture"])
        .env("TABELLA_SIMULATE_SEEDS", seeds.to_string())
        .env("TABELLA_SIMULATE_FROM", from.to_string()))
}

/// Runs the tests of nextest's profile `quick`.
fn quick_test(rest: &[OsString]) -> Result<()> {
    if !shell::has_nextest() {
        bail!("--quick needs cargo-nextest: `cargo install --locked cargo-nextest`");
    }
    rust_target::ensure_wasm()?;
    step("quick tests");
    run(cargo()
        .args(["nextest", "run", "--release", "--workspace"])
        .args(["--profile", "quick"])
        .args(rest))
}

fn test(rest: &[OsString]) -> Result<()> {
    rust_target::ensure_wasm()?;
    postgres::ensure_installed();
    browser::ensure_installed();
    step("tests");
    if shell::has_nextest() {
        run(cargo()
            .args(["nextest", "run", "--release", "--workspace"])
            .args(rest))?;
    } else {
        println!("cargo-nextest is not installed; using cargo test");
        run(cargo()
            .args([
                "test",
                "--release",
                "--workspace",
                "--lib",
                "--bins",
                "--tests",
            ])
            .args(rest))?;
    }
    if rest.is_empty() {
        step("doc tests");
        run(cargo().args(["test", "--release", "--workspace", "--doc"]))?;
        fuzz::short_run()?;
    }
    Ok(())
}

/// Builds the image, and tests it where that is asked.
fn make_image(tag: &str, test: bool) -> Result<()> {
    // Before the build, which takes minutes.
    let docker = image_test::Docker::find();
    let docker = match test {
        true => Some(docker?),
        false => None,
    };
    let binary = dist::build()?;
    image::build(&binary, tag)?;
    match docker {
        Some(docker) => image_test::run_test(docker, tag, &binary),
        None => Ok(()),
    }
}

/// Tests the image where Docker answers; otherwise fails where that is required, and else says that it was
/// skipped.
fn image_in_ci(is_required: bool) -> Result<()> {
    match image_test::Docker::find() {
        Ok(_) => make_image(image::TEST_TAG, true),
        Err(error) if is_required => Err(error),
        Err(error) => {
            step("container image");
            println!("skipped: {error:#}");
            Ok(())
        }
    }
}

fn ci(docker: bool) -> Result<()> {
    if docker {
        image_test::Docker::find().context("--docker requires the test of the image")?;
    }
    step("format");
    run(cargo().args(["fmt", "--all", "--check"]))?;
    step("paths named in the documents");
    checks::paths_exist()?;
    step("words");
    words::are_plain()?;
    tools::spelling()?;
    tools::unused_dependencies()?;
    tools::dependencies()?;
    rust_target::ensure_wasm()?;
    step("what a browser can have");
    run(cargo()
        .args(["check", "--release"])
        .args(["--package", "tabella-contest", "--package", "tabella-seal"])
        .args(["--target", rust_target::WASM]))?;
    step("lints");
    run(cargo()
        .args(["clippy", "--release", "--workspace", "--all-targets", "--"])
        .args(["-D", "warnings"]))?;
    test(&[])?;
    step("documentation");
    run(cargo()
        .args(["doc", "--release", "--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings"))?;
    image_in_ci(docker)
}
