//! `tabella-fuzz`: what `cargo xtask fuzz` runs.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use sha2::{Digest, Sha256};
use tabella_fuzz::{Failure, TARGETS, Target, judge, run, target};

/// Give changed inputs to everything that reads what strangers send
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask fuzz")]
struct Arguments {
    /// Which target; all of them where left out: module, ballot, ballot-json, outcome,
    /// configuration, saved-state, import, election
    target: Option<String>,
    /// How long each runs
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Where the inputs start from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Give one input, from a file, instead
    #[arg(long, requires = "target")]
    replay: Option<PathBuf>,
    /// Where inputs that fail are kept
    #[arg(long, default_value = "target/fuzz")]
    keep: PathBuf,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let targets: Vec<&Target> = match &arguments.target {
        None => TARGETS.iter().collect(),
        Some(name) => match target(name) {
            Some(target) => vec![target],
            None => {
                let known = TARGETS.map(|target| target.name).join(", ");
                bail!("expected one of {known}, found {name:?}");
            }
        },
    };
    // A failure is told once, at the end.
    std::panic::set_hook(Box::new(|_| {}));
    if let (Some(file), [target]) = (&arguments.replay, targets.as_slice()) {
        let input =
            std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let (answer, took) = judge(target, &input);
        println!("{answer:?} after {took:.2?}");
        return Ok(exit(answer.is_err()));
    }
    let mut failed = false;
    for target in targets {
        let time = Duration::from_secs(arguments.seconds);
        let report = run(target, arguments.seed, time);
        println!(
            "{:<14} {:>10} inputs, {:>5} different answers, slowest {:.2?}, seed {}",
            target.name, report.inputs, report.answers, report.slowest, arguments.seed
        );
        if let Some(failure) = report.failure {
            failed = true;
            let path = keep(&arguments.keep, target, &failure)?;
            println!("  FAILED: {}", failure.message);
            println!(
                "  again: cargo xtask fuzz {} --replay {}",
                target.name,
                path.display()
            );
        }
    }
    Ok(exit(failed))
}

fn exit(failed: bool) -> ExitCode {
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn keep(folder: &std::path::Path, target: &Target, failure: &Failure) -> Result<PathBuf> {
    let digest = hex::encode(&Sha256::digest(&failure.input)[..8]);
    let path = folder.join(format!("{}-{digest}", target.name));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, &failure.input))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
