//! Brings a fault about, ends it, and waits until the network has recovered.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::future::join_all;
use nix::sys::signal::Signal;
use serde_json::json;
use tabella_protocol::rpc::{NodeStatus, Standing};

use super::{
    flood::{self, Attack, Flood},
    liar::{Liars, Told},
    pulse::Pulse,
    schedule::{Fault, Strike},
    truth::Truth,
    world::{LinkState, Split, World},
};
use tabella_cli::{
    dev::{DevNetwork, Ready},
    http::Client,
    json_rpc,
};

/// Longer than this, and the network counts as not recovering.
const RECOVERY_MAX: Duration = Duration::from_secs(60);
/// As that, for a validator that has to fetch and execute the whole chain.
const REBUILD_MAX: Duration = Duration::from_secs(240);
const POLL_INTERVAL: Duration = Duration::from_millis(25);
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a flapping link stays as it is.
const FLAP: Duration = Duration::from_millis(150);

/// What a validator logs that signs nothing yet, because it may have signed before.
const OBSERVES: &str = "following the chain without signing";

/// What faults are brought about with.
pub(super) struct Scene<'a> {
    pub(super) world: &'a World,
    pub(super) liars: &'a Liars,
    pub(super) truth: &'a Truth<'a>,
    pub(super) pulse: &'a Pulse,
    pub(super) election_id: u64,
}

/// What came of a fault.
pub(super) struct Struck {
    /// From its end until all was well again.
    pub(super) recovered: Duration,
    /// The lies that were told.
    pub(super) told: Vec<Told>,
}

/// Strikes the network, lets the fault last, ends it; returns the time from then until every
/// process is ready and every validator has committed a block decided after the end of the fault.
pub(super) async fn strike(
    network: &mut DevNetwork,
    scene: &Scene<'_>,
    strike: &Strike,
) -> Result<Struck> {
    let before = greatest_height(&statuses(&network.describe()?).await);
    let mut told = Vec::new();
    let recovered = match &strike.fault {
        Fault::Lies(index, lies) => {
            let liars = scene.liars;
            told = liars.tell(*index, lies, strike.lasts, scene.truth).await?;
            recover(network, before, None).await?
        }
        Fault::Flood(flood, victim) => {
            flood_with(network, scene, *flood, *victim, strike.lasts).await?;
            recover(network, before, None).await?
        }
        Fault::WipeDisk(victim) => {
            wipe_disk(network, scene.world, *victim, before, strike.lasts).await?
        }
        _ => break_down(network, scene.world, before, strike).await?,
    };
    Ok(Struck { recovered, told })
}

/// Floods; what honest clients are answered meanwhile is the truth.
async fn flood_with(
    network: &DevNetwork,
    scene: &Scene<'_>,
    flood: Flood,
    victim: usize,
    lasts: Duration,
) -> Result<()> {
    let ready = network.describe()?;
    let victim = ready.validators.get(victim).context("no such validator")?;
    let attack = Attack {
        source: scene.world.stranger(),
        backend: flood::address_of(&ready.backend)?,
        validator: flood::address_of(&victim.rpc_url)?,
        election_id: scene.election_id,
    };
    flood::flood(&attack, flood, lasts, scene.pulse).await?;
    scene.truth.check().await?;
    Ok(())
}

/// Kills a validator, empties its data directory and starts it again, with nothing said: it must observe
/// before it signs.
async fn wipe_disk(
    network: &mut DevNetwork,
    world: &World,
    victim: usize,
    before: u64,
    lasts: Duration,
) -> Result<Duration> {
    let name = name(victim);
    let log = network.layout().log(&name);
    signal(network, &name, Signal::SIGKILL)?;
    let process = network.process(&name).context("no such process")?;
    process.ended().await;
    tokio::time::sleep(lasts).await;
    world.wipe_disk(victim)?;
    let logged = std::fs::read(&log).unwrap_or_default().len();
    network.restart(&name)?;
    let recovered = recover_within(REBUILD_MAX, network, before, None).await?;
    let said = std::fs::read(&log).unwrap_or_default();
    let said = String::from_utf8_lossy(said.get(logged..).unwrap_or_default());
    ensure!(
        said.contains(OBSERVES),
        "{name} lost its disk and signs, although it did not observe first"
    );
    Ok(recovered)
}

/// The faults of processes, links, disks and clocks.
async fn break_down(
    network: &mut DevNetwork,
    world: &World,
    before: u64,
    strike: &Strike,
) -> Result<Duration> {
    let lasts = strike.lasts;
    match &strike.fault {
        Fault::Lies(..) | Fault::Flood(..) | Fault::WipeDisk(_) => {
            bail!("{:?} breaks nothing down", strike.fault)
        }
        Fault::KillValidators(victims) => {
            let victims: Vec<String> = victims.iter().map(|victim| name(*victim)).collect();
            kill_and_restart(network, &victims, lasts).await?;
        }
        Fault::KillBackend => kill_and_restart(network, &["backend".into()], lasts).await?,
        Fault::KillBootnode => kill_and_restart(network, &["bootnode".into()], lasts).await?,
        Fault::KillBackendAnd(victim) => {
            kill_and_restart(network, &["backend".into(), name(*victim)], lasts).await?;
        }
        Fault::KillEverything => {
            let mut all = vec!["bootnode".to_owned()];
            all.extend((0..validators(network)).map(name));
            all.push("backend".to_owned());
            kill_and_restart(network, &all, lasts).await?;
        }
        Fault::Pause(victims) => {
            for victim in victims {
                signal(network, &name(*victim), Signal::SIGSTOP)?;
            }
            tokio::time::sleep(lasts).await;
            for victim in victims {
                signal(network, &name(*victim), Signal::SIGCONT)?;
            }
        }
        Fault::Cut(victims) => {
            for victim in victims {
                world.set_link(*victim, LinkState::Down)?;
            }
            tokio::time::sleep(lasts).await;
            for victim in victims {
                world.set_link(*victim, LinkState::Up)?;
            }
        }
        Fault::Split => {
            world.set_split(validators(network), Split::Apart)?;
            tokio::time::sleep(lasts).await;
            world.set_split(validators(network), Split::Together)?;
        }
        Fault::Slow(victim) => {
            world.slow_link(*victim)?;
            tokio::time::sleep(lasts).await;
            world.widen_link(*victim)?;
        }
        Fault::Flap(victim) => flap(world, *victim, lasts).await?,
        Fault::FillDisk(victim) => {
            world.fill_disk(*victim)?;
            tokio::time::sleep(lasts).await;
            world.free_disk(*victim)?;
            return recover(network, before, Some(&name(*victim))).await;
        }
        Fault::ShiftClock(victim, seconds) => {
            world.set_clock(*victim, *seconds)?;
            tokio::time::sleep(lasts).await;
            world.set_clock(*victim, 0)?;
        }
        Fault::KillWhileCut { killed, cut } => {
            world.set_link(*cut, LinkState::Down)?;
            kill_and_restart(network, &[name(*killed)], lasts / 2).await?;
            tokio::time::sleep(lasts / 2).await;
            world.set_link(*cut, LinkState::Up)?;
        }
    }
    recover(network, before, None).await
}

async fn flap(world: &World, victim: usize, lasts: Duration) -> Result<()> {
    let end = Instant::now() + lasts;
    while Instant::now() < end {
        world.set_link(victim, LinkState::Down)?;
        tokio::time::sleep(FLAP).await;
        world.set_link(victim, LinkState::Up)?;
        tokio::time::sleep(FLAP).await;
    }
    Ok(())
}

async fn kill_and_restart(
    network: &mut DevNetwork,
    victims: &[String],
    lasts: Duration,
) -> Result<()> {
    for victim in victims {
        signal(network, victim, Signal::SIGKILL)?;
    }
    tokio::time::sleep(lasts).await;
    for victim in victims {
        let process = network.process(victim).context("no such process")?;
        process.ended().await;
        network.restart(victim)?;
    }
    Ok(())
}

fn signal(network: &DevNetwork, name: &str, signal: Signal) -> Result<()> {
    let process = network.process(name).context("no such process")?;
    process.signal(signal);
    Ok(())
}

fn greatest_height(statuses: &[Option<NodeStatus>]) -> u64 {
    let heights = statuses.iter().flatten().map(|status| status.height);
    heights.max().unwrap_or_default()
}

async fn recover(
    network: &mut DevNetwork,
    before: u64,
    may_stop: Option<&str>,
) -> Result<Duration> {
    recover_within(RECOVERY_MAX, network, before, may_stop).await
}

/// Waits until all is well again. The network stood at height `before` or beyond. `may_stop` names a
/// process that had a reason to stop by itself: it must have done so with a failure, and is started again.
async fn recover_within(
    most: Duration,
    network: &mut DevNetwork,
    before: u64,
    may_stop: Option<&str>,
) -> Result<Duration> {
    let healed = Instant::now();
    let mut statuses = statuses(&network.describe()?).await;
    let target = greatest_height(&statuses).max(before) + 1;
    loop {
        for name in network.ended() {
            let process = network.process(&name).context("no such process")?;
            let status = process.exit_status().context("it ended")?;
            if may_stop != Some(name.as_str()) {
                bail!("it had no reason to stop: {}", process.obituary(status));
            }
            ensure!(
                status.code().is_some_and(|code| code != 0),
                "expected a failure with a message: {}",
                process.obituary(status)
            );
            network.restart(&name)?;
        }
        let ready = network.describe()?;
        statuses = self::statuses(&ready).await;
        let caught_up = statuses.iter().all(|status| {
            status
                .as_ref()
                .is_some_and(|s| s.height >= target && s.signing)
        });
        if caught_up && all_ready(&ready).await {
            return Ok(healed.elapsed());
        }
        let mut told = statuses.iter().flatten();
        if let Some(halted) = told.find(|status| status.standing == Standing::Halted) {
            bail!("{} has stopped signing: a contradiction", halted.node_id);
        }
        if healed.elapsed() > most {
            let heights: Vec<_> = statuses
                .iter()
                .map(|status| status.as_ref().map(|s| (s.height, s.peers)))
                .collect();
            bail!(
                "not recovered after {most:?}: expected every validator at height {target} \
                 and signing, and every process ready; heights and peers are {heights:?}"
            );
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// What each validator says of itself; `None` where it does not answer.
async fn statuses(ready: &Ready) -> Vec<Option<NodeStatus>> {
    let asking = ready.validators.iter().map(|validator| async {
        let mut client = Client::new(&validator.rpc_url)
            .ok()?
            .with_timeout(PROBE_TIMEOUT);
        json_rpc::call(&mut client, "tabella_nodeStatus", json!([]))
            .await
            .ok()
    });
    join_all(asking).await
}

async fn all_ready(ready: &Ready) -> bool {
    let validators = ready
        .validators
        .iter()
        .map(|v| (&v.rpc_url, "/health/ready"));
    let others = [
        (&ready.backend, "/health/ready"),
        (&ready.bootnode.url, "/health/live"),
    ];
    let asking = validators.chain(others).map(|(url, path)| async move {
        let Ok(client) = Client::new(url) else {
            return false;
        };
        let answer = client.with_timeout(PROBE_TIMEOUT).get(path).await;
        answer.is_ok_and(|answer| answer.is_success())
    });
    join_all(asking).await.into_iter().all(|ready| ready)
}

fn validators(network: &DevNetwork) -> usize {
    network.genesis().validators.len()
}

fn name(index: usize) -> String {
    format!("validator-{}", index + 1)
}
