//! A real network under load, while a seeded schedule kills, stops, cuts off and starves its
//! processes; afterwards nothing acknowledged may be missing or doubled.
//!
//! - `schedule`: which fault strikes whom, from the seed alone.
//! - `world`: namespaces, small disks and clocks in which faults can be brought about.
//! - `strike`: brings a fault about, ends it, waits for recovery; `liar`, `flood`: people that mean harm.
//! - `truth`: what the backend may answer meanwhile; `memory`: what processes may hold.
//! - `audit`: what must hold at the end; `report`: what is told.

mod audit;
pub(crate) mod command;
mod flood;
mod liar;
mod memory;
mod pulse;
mod report;
mod schedule;
mod strike;
mod truth;
mod world;

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::json;
use tabella_protocol::Quorum;

use self::{
    liar::{Liars, Told},
    memory::Peaks,
    pulse::Pulse,
    report::{ChaosReport, Recovery},
    schedule::Schedule,
    strike::Scene,
    truth::{CHOICES, Truth},
    world::{HUB_HOST, Isolation, World, enter_namespaces},
};
use tabella_cli::{
    addresses::{Addresses, Ports},
    backend_api::BackendApi,
    dev::{DevNetwork, DevPlan, Site},
    load::{LoadPlan, LoadReport, Submission, Voter, cast_all},
};

use crate::scene;

/// How long one submission is repeated: longer than the network may take to recover.
const PATIENCE: Duration = Duration::from_secs(120);
/// Calm after the last fault, so that the last ballots are cast on a network that is well.
const CALM_AT_THE_END: Duration = Duration::from_secs(2);

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
    let schedule = Schedule::new(plan.seed, plan.validators, plan.quorum, world.means);
    let mut sites = world.sites(plan.validators);
    let liars = place_liars(plan, &mut sites).await?;
    let dev = DevPlan {
        quorum: Some(plan.quorum),
        host: world.means.links.then(|| HUB_HOST.to_owned()),
        sites,
        ..scene::network(directory, plan.validators, plan.ports)?
    };
    let mut network = DevNetwork::start(&dev).await?;
    let outcome = torment(plan, &world, &liars, schedule, &mut network).await;
    network.stop().await;
    outcome
}

/// Puts a liar, honest for now, before the RPC of each validator, as the backend will see it.
async fn place_liars(plan: &ChaosPlan, sites: &mut [Site]) -> Result<Liars> {
    let hosts: Vec<String> = sites.iter().filter_map(|site| site.host.clone()).collect();
    let addresses = Addresses::new(plan.validators, &hosts, plan.ports)?;
    let validators = addresses.validators.iter();
    let liars = Liars::start(validators.map(|v| (v.node_id.clone(), v.rpc_url()))).await;
    for (site, url) in sites.iter_mut().zip(liars.urls()) {
        site.front = Some(url);
    }
    Ok(liars)
}

async fn torment(
    plan: &ChaosPlan,
    world: &World,
    liars: &Liars,
    schedule: Schedule,
    network: &mut DevNetwork,
) -> Result<ChaosReport> {
    let started = Instant::now();
    let ready = network.wait_ready().await?;
    let genesis = network.genesis().clone();
    let mut api = BackendApi::new(&ready.backend, Some(&ready.admin_token))?;
    let election = scene::election("an election under chaos", "plurality", &CHOICES);
    let election_id = api.create_election(&election).await?.election_id;
    api.open(election_id).await?;

    let pulse = Pulse::new();
    let known = (election_id, plan.seed, plan.concurrency);
    let truth = Truth::of(&ready, &genesis, &mut api, known, &pulse).await?;
    let scene = Scene {
        world,
        liars,
        truth: &truth,
        pulse: &pulse,
        election_id,
    };
    let load = LoadPlan {
        backend: ready.backend.clone(),
        election_id,
        concurrency: plan.concurrency,
        patience: PATIENCE,
        per_second: Some(plan.votes_per_second),
    };
    let end = Instant::now() + plan.lasts;
    let is_over = AtomicBool::new(false);
    let submissions = (0_u64..)
        .take_while(|_| !is_over.load(Ordering::Relaxed))
        .map(|index| Submission {
            voter: Voter::CastFor {
                voter_id: format!("voter-{index}"),
                token: ready.admin_token.clone(),
            },
            transaction_id: truth::transaction_id(plan.seed, index),
            ballot: json!({"choice": CHOICES[truth::choice_of(index)]}),
        });
    let casting = async { cast_all(&load, submissions, |_| pulse.beat()).await };
    let peaks = Peaks::default();
    let ready_file = network.layout().ready();
    let striking = async {
        let struck = strikes(plan.seed, schedule, &scene, network, end).await?;
        is_over.store(true, Ordering::Relaxed);
        anyhow::Ok(struck)
    };
    let tormenting = async {
        let (report, recovered): (LoadReport, (Vec<Recovery>, Vec<Told>)) =
            tokio::try_join!(casting, striking)?;
        let audit = audit::audit(&ready, &mut api, election_id, &report, &truth).await?;
        anyhow::Ok((recovered, audit))
    };
    let ((recoveries, told), audit) = tokio::select! {
        done = tormenting => done?,
        grown = peaks.watch(&ready_file) => return Err(grown),
    };
    Ok(ChaosReport::new(
        plan.seed,
        started,
        &recoveries,
        audit,
        &told,
        peaks.all(),
        world.skipped(),
    ))
}

/// Strikes until shortly before `end`; returns after it, and after some calm.
async fn strikes(
    seed: u64,
    schedule: Schedule,
    scene: &Scene<'_>,
    network: &mut DevNetwork,
    end: Instant,
) -> Result<(Vec<Recovery>, Vec<Told>)> {
    let started = Instant::now();
    let pulse = scene.pulse;
    let (mut recoveries, mut told) = (Vec::new(), Vec::new());
    for next in schedule {
        let over = Instant::now() + next.calm + next.lasts + CALM_AT_THE_END;
        if over > end {
            break;
        }
        tokio::time::sleep(next.calm).await;
        pulse.take_longest();
        let at = started.elapsed().as_secs_f64();
        let struck = strike::strike(network, scene, &next)
            .await
            .with_context(|| format!("{:?} at {at:.1} s, seed {seed}", next.fault))?;
        let recovered = struck.recovered;
        told.extend(struck.told);
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
    let calm = Instant::now() + CALM_AT_THE_END;
    tokio::time::sleep_until(end.max(calm).into()).await;
    Ok((recoveries, told))
}
