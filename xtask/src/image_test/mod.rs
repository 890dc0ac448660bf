//! The image under test: deploy/compose.yaml as documented, a network of containers that is voted in
//! while validators are stopped and cut off.

mod chain;
mod compose;
mod http;
mod voters;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

pub(crate) use self::compose::Docker;
use self::{compose::Compose, voters::Voters};
use crate::{
    packages,
    shell::{answer, run, step, workspace_root},
};

/// Where the test keeps the network's files, below the root of the workspace.
const DIRECTORY: &str = "target/image-test";
/// The user in the image, who must be able to read the network's files.
const USER: u32 = 10001;
const VALIDATORS: [&str; 3] = ["validator-1", "validator-2", "validator-3"];
/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_secs(90);
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Ballots in a row that show how the network stands.
const SAMPLE: usize = 10;

/// Starts the network from the image and disturbs it; `binary` is the one in the image.
pub(crate) fn run_test(docker: Docker, image: &str, binary: &Path) -> Result<()> {
    step(&format!("testing the image {image}"));
    ensure!(
        packages::is_root(),
        "the network's files are given to user {USER}, which needs root"
    );
    let started = Instant::now();
    let directory = workspace_root().join(DIRECTORY);
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(|| format!("cannot remove {DIRECTORY}"))?;
    }
    let token = lay_out(&directory, binary)?;
    let network = Compose::new(docker, image, &directory)?;
    let tested = first_start(&network).and_then(|()| vote(&network, binary, &token, &directory));
    match &tested {
        Ok(()) => println!(
            "the image passed in {:.0} s",
            started.elapsed().as_secs_f64()
        ),
        Err(_) => network.show_logs(),
    }
    drop(network);
    tested
}

/// Writes the network's files as documented; returns the administrator's token.
fn lay_out(directory: &Path, binary: &Path) -> Result<String> {
    fs::create_dir_all(directory).with_context(|| format!("cannot create {DIRECTORY}"))?;
    let network = directory.join("network");
    let mut init = Command::new(binary);
    init.args(["init", "--validators", "3"]);
    for host in VALIDATORS {
        init.args(["--host", host]);
    }
    init.args(["--bootnode-host", "bootnode", "--backend-host", "backend"]);
    answer(init.arg("--out").arg(&network))?;
    let token = network.join("keys/admin-token");
    let token = fs::read_to_string(&token).context("cannot read keys/admin-token")?;
    for path in tree(&network)? {
        chown(&path, Some(USER), Some(USER))
            .with_context(|| format!("cannot give {} to user {USER}", path.display()))?;
    }
    Ok(token.trim().to_owned())
}

/// A directory and everything in it.
fn tree(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = vec![directory.to_owned()];
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        match path.is_dir() {
            true => paths.extend(tree(&path)?),
            false => paths.push(path),
        }
    }
    Ok(paths)
}

/// Makes each validator's data and starts everything, until Docker calls every container healthy.
fn first_start(network: &Compose) -> Result<()> {
    for validator in VALIDATORS {
        let config = format!("{validator}.toml");
        let first = ["validator", "--config", &config, "--first-start"];
        let run = [&["run", "--rm", "--no-deps", validator][..], &first].concat();
        network.run(&run)?;
    }
    network.run(&["up", "--detach"])?;
    for service in VALIDATORS.iter().chain(&["bootnode", "backend"]) {
        wait(&format!("{service} to be healthy"), || {
            let health = network.inspect(service, "{{.State.Health.Status}}")?;
            Ok((health == "healthy").then_some(()))
        })?;
    }
    println!("five containers are healthy");
    Ok(())
}

fn vote(network: &Compose, binary: &Path, token: &str, directory: &Path) -> Result<()> {
    let backend = format!("http://127.0.0.1:{}", network.backend_port());
    let election = |arguments: &[&str]| {
        run(Command::new(binary)
            .arg("election")
            .args(arguments)
            .args(["--backend", &backend])
            .env("TABELLA_TOKEN", token))
    };
    election(&["create", "examples/elections/lunch.toml", "--open"])?;
    let mut voters = Voters::start(network.backend_port(), token);
    disturb(network, &voters)?;

    let acknowledged = voters.stop()?;
    let mut on_chain = BTreeSet::new();
    for ballot in &acknowledged {
        on_chain.insert(voters.confirmed(&ballot.transaction_id)?);
    }
    ensure!(
        on_chain.len() == acknowledged.len(),
        "{} ballots became {} transactions",
        acknowledged.len(),
        on_chain.len()
    );
    let height = chain::check(network.validator_ports(), &on_chain)?;
    let slowest = acknowledged.iter().map(|ballot| ballot.took).max();
    println!(
        "{} ballots acknowledged, each on every validator's chain once; {height} blocks, equal on all; \
         the slowest answer took {:.1} s",
        acknowledged.len(),
        slowest.unwrap_or_default().as_secs_f64()
    );
    election(&["close", "1"])?;
    check_result(network.backend_port(), acknowledged.len())?;
    let first = acknowledged.first().context("nobody voted")?;
    check_receipt(network, binary, token, directory, &first.transaction_id)
}

/// Stops and cuts off validators, and sees at each step what voters are answered.
fn disturb(network: &Compose, voters: &Voters) -> Result<()> {
    voters.wait_for(SAMPLE, "confirmed", "poa")?;
    expect_level(network, 1, true)?;

    stop(network, "validator-1")?;
    expect_level(network, 2, true)?;
    voters.wait_for(SAMPLE, "confirmed", "poa")?;
    println!("one of three stopped: ballots are confirmed");

    stop(network, "validator-2")?;
    expect_level(network, 2, false)?;
    voters.wait_for(SAMPLE, "pending", "poa")?;
    println!("two of three stopped: ballots are pending");

    stop(network, "validator-3")?;
    expect_level(network, 3, false)?;
    voters.wait_for(SAMPLE, "local", "local")?;
    println!("all stopped: ballots are in the backend's local ledger");

    network.run(&[&["start"][..], &VALIDATORS].concat())?;
    expect_level(network, 1, true)?;
    voters.wait_for(SAMPLE, "confirmed", "poa")?;
    println!("all started again: ballots are confirmed");

    network.disconnect("validator-2")?;
    expect_level(network, 2, true)?;
    voters.wait_for(SAMPLE, "confirmed", "poa")?;
    println!("one of three cut off: ballots are confirmed");

    network.connect("validator-2")?;
    expect_level(network, 1, true)?;
    voters.wait_for(SAMPLE, "confirmed", "poa")?;
    println!("connected again: ballots are confirmed");
    Ok(())
}

/// Stops a service in order: it must exit with 0 before Docker kills it.
fn stop(network: &Compose, service: &str) -> Result<()> {
    network.run(&["stop", service])?;
    let code = network.inspect(service, "{{.State.ExitCode}}")?;
    ensure!(code == "0", "expected {service} to exit with 0, got {code}");
    Ok(())
}

/// Waits until the backend is ready at this level of service, with or without a quorum.
fn expect_level(network: &Compose, level: u64, has_quorum: bool) -> Result<()> {
    let what = format!("the backend at level {level}, quorum: {has_quorum}");
    wait(&what, || {
        let answer = http::send(network.backend_port(), "GET", "/health/ready", None, None)?;
        ensure!(
            answer.status == 200,
            "the backend is not ready: {}",
            answer.body
        );
        let is = &answer.body;
        Ok((is["level"] == level && is["has_quorum"] == has_quorum).then_some(()))
    })
}

/// Waits for the result of election 1, certified by the validators, with every ballot in it.
fn check_result(backend_port: u16, ballots: usize) -> Result<()> {
    let total = wait("a certified result", || {
        let path = "/api/votes/results?election_id=1";
        let result = http::send(backend_port, "GET", path, None, None)?.body;
        let is_certified = result["status"] == "final" && result["verified"] == true;
        Ok(is_certified.then(|| result["total_votes"].clone()))
    })?;
    ensure!(
        total == ballots,
        "expected {ballots} ballots in the result, got {total}"
    );
    println!("the certified result counts {ballots} ballots");
    Ok(())
}

/// A receipt must hold with no network.
fn check_receipt(
    network: &Compose,
    binary: &Path,
    token: &str,
    directory: &Path,
    transaction_id: &str,
) -> Result<()> {
    let path = format!("/api/votes/receipt?transaction_id={transaction_id}");
    let receipt = http::send(network.backend_port(), "GET", &path, Some(token), None)?;
    ensure!(receipt.status == 200, "no receipt: {}", receipt.body);
    let file = directory.join("receipt.json");
    fs::write(&file, &receipt.text).context("cannot write the receipt")?;
    run(Command::new(binary)
        .args(["verify", "receipt"])
        .arg(&file)
        .arg("--genesis")
        .arg(directory.join("network/genesis.json")))
}

/// Polls until there is an answer.
fn wait<T>(what: &str, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask().with_context(|| format!("while waiting for {what}"))?;
        match answer {
            Some(value) => return Ok(value),
            None if Instant::now() < deadline => thread::sleep(POLL_INTERVAL),
            None => bail!("waited {PATIENCE:?} in vain for {what}"),
        }
    }
}
