//! How much memory each process has held at most.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tabella_cli::dev::Ready;

/// Most resident bytes of any process: what its bodies and its answers may hold at once (256 MiB each by
/// default), and as much again for what is made of it and for everything else.
pub(super) const RESIDENT_BYTES_MAX: u64 = 1 << 30;
/// Between two looks. The kernel keeps the peak, so that only what comes just before a kill is missed.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The peak of each process, in bytes, over all its starts.
#[derive(Default)]
pub(super) struct Peaks(Mutex<BTreeMap<String, u64>>);

impl Peaks {
    /// Looks again and again at the processes that `ready.json` names; returns only when one holds too
    /// much.
    pub(super) async fn watch(&self, ready: &Path) -> anyhow::Error {
        loop {
            // It is rewritten with every start of a process.
            if let Ok(ready) = Ready::read(ready) {
                let validators = ready.validators.iter().map(|v| (v.node_id.as_str(), v.pid));
                let others = [
                    ("backend", ready.backend_pid),
                    ("bootnode", ready.bootnode.pid),
                ];
                for (name, pid) in validators.chain(others) {
                    let peak = peak_of(pid).unwrap_or_default();
                    self.raise(name, peak);
                    if peak > RESIDENT_BYTES_MAX {
                        return anyhow::anyhow!(
                            "{name} (pid {pid}) held {peak} bytes, expected {RESIDENT_BYTES_MAX} at most"
                        );
                    }
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn raise(&self, name: &str, bytes: u64) {
        let mut peaks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let peak = peaks.entry(name.to_owned()).or_default();
        *peak = bytes.max(*peak);
    }

    pub(super) fn all(&self) -> BTreeMap<String, u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The most resident bytes of a process so far; nothing where it has ended.
fn peak_of(pid: u32) -> Option<u64> {
    resident_peak(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

fn resident_peak(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_and_only_rises() {
        let status = "Name:\ttabella\nVmPeak:\t  900 kB\nVmHWM:\t    52 kB\nVmRSS:\t 48 kB\n";
        assert_eq!(resident_peak(status), Some(52 * 1_024));
        assert!(peak_of(std::process::id()).is_some_and(|bytes| bytes > 1 << 20));
        let peaks = Peaks::default();
        peaks.raise("a", 7);
        peaks.raise("a", 5);
        assert_eq!(peaks.all().get("a"), Some(&7));
    }
}
