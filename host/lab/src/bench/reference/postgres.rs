//! One PostgreSQL with synchronous commits and two unique indexes, and `pgbench`, its own load generator.

use anyhow::{Context, Result, ensure};
use tabella_test_postgres::Postgres;
use tokio::process::Command;

use super::{Reference, VALUE_BYTES};

const TABLE: &str = "create table votes (id text primary key, voter text unique, body bytea)";

/// Measures PostgreSQL; nothing where it is not installed.
pub(super) async fn measure(at_once: usize, writes: u64) -> Result<Option<Reference>> {
    let settings = format!(
        "max_connections = {}\nshared_buffers = 256MB\n",
        at_once + 20
    );
    let Some(postgres) = Postgres::start_with(&settings) else {
        return Ok(None);
    };
    let pgbench = postgres.program("pgbench");
    if !pgbench.is_file() {
        eprintln!("no reference: {} is missing", pgbench.display());
        return Ok(None);
    }
    let script = postgres.directory().join("vote.sql");
    let value = "ab".repeat(VALUE_BYTES);
    let insert = format!(
        "\\set id random(1, 9000000000000000)\n\
         insert into votes values (:id::bigint::text, (:id::bigint + 1)::text, '\\x{value}') on conflict do nothing;\n"
    );
    std::fs::write(&script, insert)?;
    run(
        Command::new(postgres.program("psql")).args(["-qc", TABLE]),
        &postgres,
    )
    .await?;
    let each = (writes / at_once as u64).max(1).to_string();
    let mut bench = Command::new(pgbench);
    bench.args([
        "-n",
        "-M",
        "prepared",
        "-j",
        "2",
        "-c",
        &at_once.to_string(),
        "-t",
        &each,
        "-f",
    ]);
    let said = run(bench.arg(script), &postgres).await?;
    let number = |name: &str| -> Result<f64> {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        number.with_context(|| format!("expected {name:?} of pgbench, got {said}"))
    };
    Ok(Some(Reference {
        name: format!("PostgreSQL, {}", said.lines().next().unwrap_or("one node")),
        writes_per_second: number("tps = ")?,
        p50_ms: None,
        p99_ms: None,
        cpu_microseconds_per_write: None,
    }))
}

async fn run(command: &mut Command, postgres: &Postgres) -> Result<String> {
    let output = command
        .env("PGHOST", postgres.directory())
        .env("PGUSER", "postgres")
        .env("PGDATABASE", "postgres")
        .kill_on_drop(true)
        .output()
        .await?;
    let error = String::from_utf8_lossy(&output.stderr);
    let error = error.lines().next().unwrap_or("no message");
    ensure!(
        output.status.success(),
        "PostgreSQL's programs failed: {error}"
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
