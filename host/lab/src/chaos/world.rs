//! A private corner of this machine: a network namespace and a small disk for each validator, and a
//! clock that can be shifted.
//!
//! The whole run stands in namespaces of its own, made by unshare(1), so nothing outside sees its
//! links and mounts, and the kernel removes them with the last process.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::Write,
    net::{IpAddr, Ipv4Addr},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use super::schedule::Means;
use tabella_cli::dev::Site;

/// The bridge that all links meet at, and the address of what runs beside it.
const BRIDGE: &str = "hub";
pub(super) const HUB_HOST: &str = "10.77.0.254";
/// The address there that a stranger has to itself.
const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 253);
/// A slow link carries this much each way; what waits longer than the latency is dropped.
const SLOW_LINK: [&str; 7] = [
    "tbf", "rate", "512kbit", "burst", "16kbit", "latency", "200ms",
];
/// Where Debian and its relatives keep libfaketime.
const FAKETIME: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];
const BALLAST: &str = "ballast";
const BALLAST_CHUNK: usize = 1 << 20;

/// Where faults are brought about.
pub(super) struct World {
    data: PathBuf,
    pub(super) means: Means,
    faketime: Option<&'static str>,
}

/// Whether this process stands in namespaces of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Isolation {
    Own,
    None,
}

/// Runs this command line again inside namespaces of its own, where the machine lets it. Returns
/// only where it does not.
pub(super) fn enter_namespaces(marker: &str) -> Result<()> {
    let attempts: [&[&str]; 2] = [
        &["--net", "--mount"],
        &["--user", "--map-root-user", "--net", "--mount"],
    ];
    for attempt in attempts {
        let probe = Command::new("unshare")
            .args(attempt)
            .args(["ip", "link", "add", BRIDGE, "type", "bridge"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !probe.is_ok_and(|status| status.success()) {
            continue;
        }
        let binary = std::env::current_exe().context("cannot find this binary")?;
        let error = Command::new("unshare")
            .args(attempt)
            .arg("--")
            .arg(binary)
            .args(std::env::args_os().skip(1))
            .arg(marker)
            .exec();
        return Err(error).context("cannot start unshare");
    }
    Ok(())
}

impl World {
    /// Prepares links, disks and clocks for `validators` under the network's directory `data`.
    pub(super) fn prepare(
        data: &Path,
        validators: usize,
        isolation: Isolation,
        disk_mb: u32,
    ) -> Result<Self> {
        let faketime = FAKETIME.into_iter().find(|path| Path::new(path).exists());
        let world = Self {
            data: data.to_owned(),
            means: Means {
                links: isolation == Isolation::Own,
                disks: isolation == Isolation::Own,
                clocks: faketime.is_some(),
            },
            faketime,
        };
        if world.means.links {
            run("ip link set lo up")?;
            // Names of namespaces are files here; nobody outside is to see them.
            run("mount -t tmpfs tmpfs /run")?;
            run(&format!("ip link add {BRIDGE} type bridge"))?;
            run(&format!("ip addr add {HUB_HOST}/24 dev {BRIDGE}"))?;
            run(&format!("ip addr add {STRANGER}/24 dev {BRIDGE}"))?;
            run(&format!("ip link set {BRIDGE} up"))?;
        }
        for index in 0..validators {
            if world.means.links {
                world.link(index)?;
            }
            if world.means.disks {
                let disk = world.disk(index);
                fs::create_dir_all(&disk)
                    .with_context(|| format!("cannot create {}", disk.display()))?;
                run(&format!(
                    "mount -t tmpfs -o size={disk_mb}m tmpfs {}",
                    disk.display()
                ))?;
            }
            if world.means.clocks {
                world.set_clock(index, 0)?;
            }
        }
        Ok(world)
    }

    /// What this machine does not let the run do, for people.
    pub(super) fn skipped(&self) -> Vec<&'static str> {
        let mut skipped = Vec::new();
        if !self.means.links {
            skipped.push(
                "partitions, slow links and full disks are skipped: network and mount namespaces \
                 need root or unprivileged user namespaces, and ip(8) and unshare(1)",
            );
        }
        if !self.means.clocks {
            skipped.push("wrong clocks are skipped: libfaketime is not installed");
        }
        skipped
    }

    /// Where the validators run.
    pub(super) fn sites(&self, validators: usize) -> Vec<Site> {
        (0..validators).map(|index| self.site(index)).collect()
    }

    fn site(&self, index: usize) -> Site {
        let mut site = Site::default();
        if self.means.links {
            site.host = Some(host(index));
            let namespace = format!("--net=/run/netns/{}", link_name(index));
            site.launcher = vec![
                OsString::from("nsenter"),
                OsString::from(namespace),
                OsString::from("--"),
            ];
        }
        if let Some(library) = self.faketime {
            let clock = self.clock(index);
            for (name, value) in [
                ("LD_PRELOAD", library.into()),
                ("FAKETIME_TIMESTAMP_FILE", clock.into_os_string()),
                ("FAKETIME_CACHE_DURATION", OsString::from("1")),
                // What timeouts count on goes on as it is; the time of day is what is wrong.
                ("FAKETIME_DONT_FAKE_MONOTONIC", OsString::from("1")),
            ] {
                site.environment.push((name.into(), value));
            }
        }
        site
    }

    fn link(&self, index: usize) -> Result<()> {
        let name = link_name(index);
        run(&format!("ip netns add {name}"))?;
        run(&format!(
            "ip link add {name} type veth peer name eth0 netns {name}"
        ))?;
        run(&format!("ip link set {name} master {BRIDGE} up"))?;
        run(&format!(
            "ip -n {name} addr add {}/24 dev eth0",
            host(index)
        ))?;
        run(&format!("ip -n {name} link set eth0 up"))?;
        run(&format!("ip -n {name} link set lo up"))
    }

    /// Takes a validator's link down or up.
    pub(super) fn set_link(&self, index: usize, state: LinkState) -> Result<()> {
        let state = match state {
            LinkState::Up => "up",
            LinkState::Down => "down",
        };
        run(&format!("ip link set {} {state}", link_name(index)))
    }

    /// Keeps validators from reaching each other, but not from being reached from the bridge.
    pub(super) fn set_split(&self, validators: usize, split: Split) -> Result<()> {
        let isolated = match split {
            Split::Apart => "on",
            Split::Together => "off",
        };
        for index in 0..validators {
            let name = link_name(index);
            run(&format!("bridge link set dev {name} isolated {isolated}"))?;
        }
        Ok(())
    }

    /// Makes a validator's link narrow, both ways.
    pub(super) fn slow_link(&self, index: usize) -> Result<()> {
        let (name, slow) = (link_name(index), SLOW_LINK.join(" "));
        run(&format!("tc qdisc add dev {name} root {slow}"))?;
        run(&format!("tc -n {name} qdisc add dev eth0 root {slow}"))
    }

    /// Makes it wide again.
    pub(super) fn widen_link(&self, index: usize) -> Result<()> {
        let name = link_name(index);
        run(&format!("tc qdisc del dev {name} root"))?;
        run(&format!("tc -n {name} qdisc del dev eth0 root"))
    }

    /// Fills a validator's disk to the last byte.
    pub(super) fn fill_disk(&self, index: usize) -> Result<()> {
        let path = self.disk(index).join(BALLAST);
        let mut file =
            File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let zeros = vec![0; BALLAST_CHUNK];
        let mut chunk = BALLAST_CHUNK;
        // Ever smaller pieces, until not one byte fits.
        while chunk > 0 {
            if file.write_all(&zeros[..chunk]).is_err() {
                chunk /= 2;
            }
        }
        Ok(())
    }

    /// Makes room again.
    pub(super) fn free_disk(&self, index: usize) -> Result<()> {
        let path = self.disk(index).join(BALLAST);
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
    }

    /// Empties a validator's data directory, which may be a disk of its own.
    pub(super) fn wipe_disk(&self, index: usize) -> Result<()> {
        let disk = self.disk(index);
        let wipe = || -> std::io::Result<()> {
            for entry in fs::read_dir(&disk)? {
                let entry = entry?;
                match entry.file_type()?.is_dir() {
                    true => fs::remove_dir_all(entry.path())?,
                    false => fs::remove_file(entry.path())?,
                }
            }
            Ok(())
        };
        wipe().with_context(|| format!("cannot empty {}", disk.display()))
    }

    /// The address that a stranger comes from.
    pub(super) fn stranger(&self) -> IpAddr {
        match self.means.links {
            true => STRANGER.into(),
            false => Ipv4Addr::LOCALHOST.into(),
        }
    }

    /// Sets by how many seconds a validator's time of day is wrong.
    pub(super) fn set_clock(&self, index: usize, seconds: i64) -> Result<()> {
        let path = self.clock(index);
        let draft = path.with_extension("new");
        fs::write(&draft, format!("{seconds:+}\n"))
            .and_then(|()| fs::rename(&draft, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    fn disk(&self, index: usize) -> PathBuf {
        self.data
            .join("data")
            .join(format!("validator-{}", index + 1))
    }

    fn clock(&self, index: usize) -> PathBuf {
        self.data.join(format!("clock-{}", index + 1))
    }
}

/// What a link does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkState {
    Up,
    Down,
}

/// Whether validators reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Split {
    Apart,
    Together,
}

/// The namespace of a validator, and the bridge's end of its link.
fn link_name(index: usize) -> String {
    format!("v{}", index + 1)
}

fn host(index: usize) -> String {
    format!("10.77.0.{}", index + 1)
}

/// Runs one of the system's tools; the words hold no blanks.
fn run(command: &str) -> Result<()> {
    let mut words = command.split_whitespace();
    let program = words.next().context("expected a command")?;
    let output = Command::new(program)
        .args(words)
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{command}` failed: {}", said.trim());
    }
    Ok(())
}
