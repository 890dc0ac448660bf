//! What others do on the same machine in the same run: etcd with three members, which replicates values of a
//! transaction's size through a quorum, and one PostgreSQL, which does not replicate. Neither checks a signature
//! or runs a rule.

mod etcd;
mod postgres;

use serde::Serialize;

/// Bytes of a value: a transaction of the bench with its key in a database.
const VALUE_BYTES: usize = 216;

/// How fast a reference was.
#[derive(Debug, Serialize)]
pub(super) struct Reference {
    /// What it was, with its version.
    pub(super) name: String,
    /// Writes confirmed a second.
    pub(super) writes_per_second: f64,
    /// Half took no longer, in milliseconds, where that was measured.
    pub(super) p50_ms: Option<f64>,
    /// All but a hundredth took no longer, in milliseconds, where that was measured.
    pub(super) p99_ms: Option<f64>,
    /// Processor time of its servers for one write, in microseconds.
    pub(super) cpu_microseconds_per_write: Option<f64>,
}

/// Measures each reference that is installed; says on standard error which are not.
pub(super) async fn measure(
    directory: &std::path::Path,
    connections: usize,
    writes: u64,
) -> anyhow::Result<Vec<Reference>> {
    let mut references = Vec::new();
    references.extend(etcd::measure(directory, connections, writes).await?);
    references.extend(postgres::measure(connections, writes).await?);
    Ok(references)
}
