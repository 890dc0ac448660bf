//! Starts, watches and stops the processes of a development network.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::ExitStatus,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use tabella_backend::Registration;
use tabella_files::{read_genesis, read_secret};
use tabella_protocol::{Genesis, OpenBallots, Quorum, rpc::NodeStatus};

use super::{Process, ProcessPlan, Ready, ReadyBootnode, ReadyValidator, Site, ports};
use crate::{
    addresses::{Addresses, Ports},
    http::Client,
    json_rpc,
    layout::Layout,
    network_files::{DataDirectories, Web, create_network, write_configs},
};

/// How long all processes together may take until they answer.
const READY_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(50);
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// What becomes of a network that the directory holds already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// It goes on from its data.
    Continue,
    /// It is removed, and a new one is made.
    Fresh,
}

/// What network to run, and where.
#[derive(Debug, Clone)]
pub struct DevPlan {
    /// The `tabella` binary that every process runs.
    pub program: PathBuf,
    /// The directory of its files.
    pub data: PathBuf,
    /// How many validators; what the directory holds, or three.
    pub validators: Option<usize>,
    /// The quorum rule; what the directory holds, or `majority`.
    pub quorum: Option<Quorum>,
    /// Who may read open ballots.
    pub open_ballots: OpenBallots,
    /// Origins whose pages may call the backend.
    pub cors_origins: Vec<String>,
    /// The ports.
    pub ports: Ports,
    /// What becomes of a network that is there already.
    pub start: Start,
    /// Where backend and bootnode are reached; `None` for loopback.
    pub host: Option<String>,
    /// Where the validators run, in order; empty for all of them on this machine as it is.
    pub sites: Vec<Site>,
}

/// A running network.
#[derive(Debug)]
pub struct DevNetwork {
    layout: Layout,
    genesis: Genesis,
    addresses: Addresses,
    bootnode: Process,
    validators: Vec<Process>,
    backend: Process,
    /// Locked as long as this network runs.
    _lock: File,
}

impl DevNetwork {
    /// Starts every process; the directory is created where it holds no network yet.
    pub async fn start(plan: &DevPlan) -> Result<Self> {
        fs::create_dir_all(&plan.data)
            .with_context(|| format!("cannot create {}", plan.data.display()))?;
        let root = plan
            .data
            .canonicalize()
            .with_context(|| format!("cannot find {}", plan.data.display()))?;
        let layout = Layout::new(&root);
        let lock = lock(&layout)?;
        if plan.start == Start::Fresh {
            layout.remove_network()?;
        }
        let (genesis, addresses) = prepare(plan, &layout)?;
        let _ = fs::remove_file(layout.ready());
        fs::create_dir_all(root.join("logs")).context("cannot create the logs directory")?;
        ports::wait_free(&addresses.ports()).await?;

        let here = Site::default();
        let process = |name: &str, role, site: &Site| ProcessPlan {
            program: plan.program.clone(),
            name: name.to_owned(),
            role,
            config: layout.config(name),
            log: layout.log(name),
            site: site.clone(),
        };
        let bootnode = process("bootnode", "bootnode", &here).start()?;
        let validators = addresses
            .validators
            .iter()
            .enumerate()
            .map(|(index, validator)| {
                let site = plan.sites.get(index).unwrap_or(&here);
                process(&validator.node_id, "validator", site).start()
            })
            .collect::<Result<Vec<_>>>()?;
        let backend = process("backend", "backend", &here).start()?;
        Ok(Self {
            layout,
            genesis,
            addresses,
            bootnode,
            validators,
            backend,
            _lock: lock,
        })
    }

    /// Waits until every process answers, then writes `ready.json`.
    pub async fn wait_ready(&self) -> Result<Ready> {
        let deadline = Instant::now() + READY_TIMEOUT;
        let probes = self.processes().zip(self.urls());
        let probing = join_all(probes.map(|(process, url)| wait_answer(process, url, deadline)));
        for answered in probing.await {
            answered?;
        }
        let ready = self.describe()?;
        ready.write(&self.layout.ready())?;
        Ok(ready)
    }

    /// The genesis document of the network.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Where its files are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Waits until a process that was alive ends. Never resolves while all live.
    pub async fn next_death(&self) -> (String, ExitStatus) {
        let mut ends: FuturesUnordered<_> = self
            .processes()
            .filter(|process| process.exit_status().is_none())
            .map(|process| async move { (process.plan().name.clone(), process.ended().await) })
            .collect();
        match ends.next().await {
            Some(end) => end,
            None => std::future::pending().await,
        }
    }

    /// The names of the processes that have ended.
    pub fn ended(&self) -> Vec<String> {
        let ended = self.processes().filter(|p| p.exit_status().is_some());
        ended.map(|process| process.plan().name.clone()).collect()
    }

    /// The process of this name.
    pub fn process(&self, name: &str) -> Option<&Process> {
        self.processes().find(|process| process.plan().name == name)
    }

    /// Starts a process again that has ended, and tells its new id in `ready.json`.
    pub fn restart(&mut self, name: &str) -> Result<u32> {
        let slot = std::iter::once(&mut self.bootnode)
            .chain(&mut self.validators)
            .chain(std::iter::once(&mut self.backend))
            .find(|process| process.plan().name == name)
            .with_context(|| format!("no process is named {name}"))?;
        *slot = slot.plan().clone().start()?;
        let pid = slot.pid();
        self.describe()?.write(&self.layout.ready())?;
        Ok(pid)
    }

    /// Stops every process: the backend first, so that it can still hand over what it holds.
    /// Returns the names of those that had to be killed.
    pub async fn stop(self) -> Vec<String> {
        let _ = fs::remove_file(self.layout.ready());
        let mut killed = Vec::new();
        if !self.backend.stop().await {
            killed.push(self.backend.plan().name.clone());
        }
        let others: Vec<&Process> = self.validators.iter().chain([&self.bootnode]).collect();
        let stopped = join_all(others.iter().map(|process| process.stop())).await;
        for (process, stopped) in others.iter().zip(stopped) {
            if !stopped {
                killed.push(process.plan().name.clone());
            }
        }
        killed
    }

    fn processes(&self) -> impl Iterator<Item = &Process> {
        std::iter::once(&self.bootnode)
            .chain(&self.validators)
            .chain(std::iter::once(&self.backend))
    }

    fn urls(&self) -> impl Iterator<Item = String> {
        std::iter::once(self.addresses.bootnode_url())
            .chain(self.addresses.validators.iter().map(|v| v.rpc_url()))
            .chain(std::iter::once(self.addresses.backend_url()))
    }

    /// Where everything is now.
    pub fn describe(&self) -> Result<Ready> {
        let validators = self.addresses.validators.iter().zip(&self.validators);
        Ok(Ready {
            backend: self.addresses.backend_url(),
            bootnode: ReadyBootnode {
                url: self.addresses.bootnode_url(),
                pid: self.bootnode.pid(),
            },
            validators: validators
                .map(|(address, process)| ReadyValidator {
                    node_id: address.node_id.clone(),
                    rpc_url: address.rpc_url(),
                    p2p_url: address.p2p_url(),
                    pid: process.pid(),
                })
                .collect(),
            backend_pid: self.backend.pid(),
            admin_token: read_secret(&self.layout.admin_token())?,
            genesis: self.layout.genesis().display().to_string(),
        })
    }
}

/// The network of the directory, created where there is none, with configurations for these ports.
fn prepare(plan: &DevPlan, layout: &Layout) -> Result<(Genesis, Addresses)> {
    let existing = match layout.genesis().exists() {
        true => Some(read_genesis(&layout.genesis())?),
        false => None,
    };
    let count = match (&existing, plan.validators) {
        (Some(genesis), Some(count)) if genesis.validators.len() != count => bail!(
            "{} holds a network of {} validators, not {count}; leave out --validators or choose another directory",
            layout.root().display(),
            genesis.validators.len()
        ),
        (Some(genesis), _) => genesis.validators.len(),
        (None, count) => count.unwrap_or(3),
    };
    if let (Some(genesis), Some(quorum)) = (&existing, plan.quorum)
        && genesis.quorum != quorum
    {
        bail!(
            "{} holds a network with quorum {}, not {}; leave out --quorum or choose another directory",
            layout.root().display(),
            genesis.quorum.name(),
            quorum.name()
        );
    }
    let hosts: Vec<String> = plan.sites.iter().filter_map(|s| s.host.clone()).collect();
    let host = plan.host.as_ref();
    let mut addresses = Addresses::new(count, &hosts, plan.ports)?.place(host, host)?;
    for (address, site) in addresses.validators.iter_mut().zip(&plan.sites) {
        address.front.clone_from(&site.front);
    }
    let genesis = match existing {
        Some(genesis) => genesis,
        None => {
            let quorum = plan.quorum.unwrap_or(Quorum::Majority);
            create_network(
                layout,
                "tabella-dev",
                quorum,
                &addresses,
                DataDirectories::FirstStart,
            )?
        }
    };
    // At every start, because the ports may be others than the last time.
    let web = Web {
        registration: Registration::Open,
        cors_origins: plan.cors_origins.clone(),
    };
    write_configs(layout, &addresses, &web, plan.open_ballots)?;
    Ok((genesis, addresses))
}

fn lock(layout: &Layout) -> Result<File> {
    let path = layout.lock();
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    if file.try_lock().is_err() {
        bail!(
            "another `tabella dev` runs in {}; stop it or choose another --data",
            layout.root().display()
        );
    }
    Ok(file)
}

/// Waits until the process behind `url` answers, or fails with its log when it ends or stays silent.
async fn wait_answer(process: &Process, url: String, deadline: Instant) -> Result<()> {
    let mut client = Client::new(&url)?.with_timeout(PROBE_TIMEOUT);
    loop {
        if let Some(status) = process.exit_status() {
            bail!("{}", process.obituary(status));
        }
        if answers(process.plan().role, &mut client).await {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!(
                "{} (pid {}) is not ready at {url} in time\n{}",
                process.plan().name,
                process.pid(),
                super::log_tail(Path::new(&process.plan().log))
            );
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn answers(role: &str, client: &mut Client) -> bool {
    let path = match role {
        "bootnode" => "/health/live",
        _ => "/health/ready",
    };
    let healthy = client
        .get(path)
        .await
        .is_ok_and(|answer| answer.is_success());
    if role != "validator" || !healthy {
        return healthy;
    }
    json_rpc::call::<NodeStatus>(client, "tabella_nodeStatus", serde_json::json!([]))
        .await
        .is_ok()
}
