//! A real network under load, while a seeded schedule kills, stops, cuts off and starves its
//! processes; afterwards nothing acknowledged may be missing or doubled.
//!
//! - `schedule`: which fault strikes whom, from the seed alone.
//! - `world`: namespaces, small disks and clocks in which faults can be brought about.
//! - `strike`: brings a fault about, ends it, waits for recovery.
//! - `memory`: what processes may hold.
//! - `audit`: what must hold at the end; `report`: what is told.

mod audit;
mod memory;
mod pulse;
mod report;
mod schedule;
mod strike;
mod world;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::json;
use tabella_protocol::Quorum;
use tabella_runtime::StrictObject;

use self::{
    memory::Peaks,
    pulse::Pulse,
    report::{ChaosReport, Recovery},
    schedule::Schedule,
    world::{HUB_HOST, Isolation, World, enter_namespaces},
};
use crate::{
    addresses::Ports,
    backend_api::BackendApi,
    commands::election::id_of,
    dev::{DevNetwork, DevPlan, Start},
    election_file::{ContestFile, ElectionFile, OptionFile},
    load::{LoadPlan, LoadReport, Submission, Voter, cast_all},
};

/// How long one submission is repeated: longer than the network may take to recover.
const PATIENCE: Duration = Duration::from_secs(120);
/// Calm after the last fault, so that the last ballots are cast on a network that is well.
const CALM_AT_THE_END: Duration = Duration::from_secs(2);

/// What is voted for.
const CHOICES: [&str; 3] = ["a", "b", "c"];

/// What to run.
#[derive(Debug, Clone)]
pub(crate) struct ChaosPlan {
    pub(crate) seed: u64,
    pub(crate) lasts: Duration,
    pub(crate) validators: usize,
    pub(crate) quorum: Quorum,
    pub(crate) votes_per_second: u32,
    pub(crate) concurrency: usize,
    pub(crate) disk_mb: u32,
    pub(crate) ports: Ports,
    /// Whether the process was started again inside namespaces of its own.
    pub(crate) isolated: bool,
}

/// Goes on inside namespaces of its own, where the machine lets it; otherwise returns.
pub(crate) fn isolate(marker: &str) -> Result<()> {
    enter_namespaces(marker)
}

/// Runs a network in `directory` to the end of the plan; any claim that does not hold is an error.
pub(crate) async fn run(plan: &ChaosPlan, directory: &Path) -> Result<ChaosReport> {
    let isolation = match plan.isolated {
        true => Isolation::Own,
        false => Isolation::None,
    };
    let world = World::prepare(directory, plan.validators, isolation, plan.disk_mb)?;
    for skipped in world.skipped() {
        println!("{skipped}");
    }
    let dev = DevPlan {
        data: directory.to_owned(),
        validators: Some(plan.validators),
        quorum: Some(plan.quorum),
        ports: plan.ports,
        start: Start::Continue,
        host: world.means.links.then(|| HUB_HOST.to_owned()),
        sites: world.sites(plan.validators),
    };
    let mut network = DevNetwork::start(&dev).await?;
    let outcome = torment(plan, &world, &mut network).await;
    network.stop().await;
    outcome
}

async fn torment(plan: &ChaosPlan, world: &World, network: &mut DevNetwork) -> Result<ChaosReport> {
    let started = Instant::now();
    let ready = network.wait_ready().await?;
    let mut api = BackendApi::new(&ready.backend, Some(&ready.admin_token))?;
    let election_id = id_of(&api.create_election(&election()).await?)?;
    api.open(election_id).await?;

    let pulse = Pulse::new();
    let load = LoadPlan {
        backend: ready.backend.clone(),
        election_id,
        concurrency: plan.concurrency,
        patience: PATIENCE,
        per_second: Some(plan.votes_per_second),
    };
    let end = Instant::now() + plan.lasts;
    let submissions = (0_u64..)
        .take_while(|_| Instant::now() < end)
        .map(|index| Submission {
            voter: Voter::CastFor {
                voter_id: format!("voter-{index}"),
                token: ready.admin_token.clone(),
            },
            transaction_id: format!("chaos-{}-{index}", plan.seed),
            ballot: json!({"choice": CHOICES[(index % 3) as usize]}),
        });
    let casting = async { cast_all(&load, submissions, |_| pulse.beat()).await };
    let peaks = Peaks::default();
    let ready_file = network.layout().ready();
    let tormenting = async {
        let (report, recoveries): (LoadReport, Vec<Recovery>) =
            tokio::try_join!(casting, strikes(plan, world, network, &pulse, end))?;
        let audit = audit::audit(&ready, &mut api, election_id, &report).await?;
        anyhow::Ok((recoveries, audit))
    };
    let (recoveries, audit) = tokio::select! {
        done = tormenting => done?,
        grown = peaks.watch(&ready_file) => return Err(grown),
    };
    Ok(ChaosReport::new(
        plan.seed,
        started,
        &recoveries,
        audit,
        peaks.all(),
        world.skipped(),
    ))
}

/// Strikes until shortly before `end`.
async fn strikes(
    plan: &ChaosPlan,
    world: &World,
    network: &mut DevNetwork,
    pulse: &Pulse,
    end: Instant,
) -> Result<Vec<Recovery>> {
    let started = Instant::now();
    let mut recoveries = Vec::new();
    for next in Schedule::new(plan.seed, plan.validators, plan.quorum, world.means) {
        let over = Instant::now() + next.calm + next.lasts + CALM_AT_THE_END;
        if over > end {
            break;
        }
        tokio::time::sleep(next.calm).await;
        pulse.take_longest();
        let at = started.elapsed().as_secs_f64();
        let recovered = strike::strike(network, world, &next)
            .await
            .with_context(|| format!("{:?} at {at:.1} s, seed {}", next.fault, plan.seed))?;
        let recovery = Recovery {
            fault: next.fault.name(),
            recovered,
            stalled: pulse.take_longest(),
        };
        println!(
            "{at:7.1} s  {:?} for {:.1} s: recovered in {:.2} s, longest wait for an answer {:.2} s, {} ballots so far",
            next.fault,
            next.lasts.as_secs_f64(),
            recovered.as_secs_f64(),
            recovery.stalled.as_secs_f64(),
            pulse.count()
        );
        recoveries.push(recovery);
    }
    Ok(recoveries)
}

fn election() -> ElectionFile {
    let option = |id: &str| OptionFile {
        id: id.to_owned(),
        title: id.to_owned(),
    };
    ElectionFile {
        title: "an election under chaos".to_owned(),
        eligibility: None,
        open_to: None,
        roll: None,
        revote: None,
        disclosure: None,
        contests: vec![ContestFile {
            id: "contest".to_owned(),
            title: "Contest".to_owned(),
            rule: "plurality".to_owned(),
            params: StrictObject::default(),
            options: CHOICES.map(option).into(),
        }],
    }
}
