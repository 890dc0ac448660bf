//! The files of `deploy/monitoring` are about metrics that there are, name runbooks that there are, and are what
//! Prometheus' own tools take. A backend tells the same without Prometheus.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tabella_cli::http::Client;

use crate::network::{Network, eventually, kill_and_wait, tabella};

/// How long a backend may take to name a validator that is gone.
const NAMED_WITHIN: Duration = Duration::from_secs(10);

fn monitoring(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/monitoring");
    directory.join(name)
}

fn file(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What follows `key` in the lines of the alert rules.
fn values<'a>(rules: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = rules.lines().map(str::trim);
    lines.filter_map(move |line| line.strip_prefix(key))
}

/// The metrics that an expression names.
fn metrics(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("tabella_"))
}

/// The expressions of the board.
fn expressions(board: &Value, found: &mut Vec<String>) {
    match board {
        Value::Object(members) => {
            found.extend(
                members
                    .get("expr")
                    .and_then(Value::as_str)
                    .map(str::to_owned),
            );
            members.values().for_each(|value| expressions(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

async fn shown(url: &str, path: &str) -> String {
    let mut client = Client::new(url).expect("a URL");
    let answer = client.get(path).await.expect("an answer");
    String::from_utf8_lossy(&answer.body).into_owned()
}

/// What a tool of Prometheus says, where it is installed: `TABELLA_REQUIRE_PROMTOOL=1` makes it a must.
fn tool(program: &str, arguments: &[&str], input: &str) -> Option<Output> {
    let started = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) if std::env::var_os("TABELLA_REQUIRE_PROMTOOL").is_some() => {
            panic!("{program}: {error}")
        }
        Err(_) => {
            println!("skipped: {program} is not installed");
            return None;
        }
    };
    let mut pipe = child.stdin.take().expect("a pipe");
    // One that reads nothing closes it.
    let _ = pipe.write_all(input.as_bytes());
    drop(pipe);
    Some(child.wait_with_output().expect("it ends"))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_metric_of_an_alert_and_of_the_board_is_one_that_a_process_shows() {
    let network = Network::start(&["--validators", "1"]).await;
    let (backend, bootnode) = (&network.ready.backend, &network.ready.bootnode.url);
    let validator = &network.rpc_urls()[0];
    let own = shown(validator, "/metrics?engine=0").await;
    let all = own.clone() + &shown(backend, "/metrics").await + &shown(bootnode, "/metrics").await;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let there: BTreeSet<&str> = all
        .lines()
        .filter_map(|line| line.split(|c| !is_name(c)).next())
        .collect();
    let foreign = own
        .lines()
        .filter(|line| !line.starts_with('#') && !line.starts_with("tabella_"));
    assert_eq!(
        foreign.collect::<Vec<_>>(),
        [""; 0],
        "the engine's are left out"
    );
    let with_engine = shown(validator, "/metrics").await;
    assert!(with_engine.contains("\nmalachitebft_core_consensus_height{"));
    let rules = file("deploy/monitoring/tabella.rules.yml");
    let board = serde_json::from_str(&file("deploy/monitoring/grafana.json")).expect("JSON");
    let mut drawn = Vec::new();
    expressions(&board, &mut drawn);
    let told = values(&rules, "expr: ").map(str::to_owned);
    let expressions: Vec<String> = told.chain(drawn).collect();
    let named: BTreeSet<&str> = expressions.iter().flat_map(|expr| metrics(expr)).collect();
    assert!(named.len() >= 40, "{named:?}");
    let missing: Vec<_> = named.difference(&there).collect();
    assert!(missing.is_empty(), "no process shows {missing:?}");
    for (name, text) in [("validator", &own), ("all", &all)] {
        let Some(output) = tool("promtool", &["check", "metrics"], text) else {
            return;
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{name}: {said}");
    }
}

#[test]
fn each_alert_names_a_runbook_that_names_it() {
    let document = "docs/troubleshooting.md";
    let text = file(document);
    let sections: BTreeMap<String, &str> = text
        .split("\n### ")
        .skip(1)
        .filter_map(|section| section.split_once('\n'))
        .map(|(title, body)| {
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
            let kept: String = kept.collect();
            let anchor = kept.to_lowercase().replace(' ', "-");
            (format!("{document}#{anchor}"), body)
        })
        .collect();
    let rules = file("deploy/monitoring/tabella.rules.yml");
    let runbooks: Vec<&str> = values(&rules, "runbook: ")
        .map(|v| v.trim_matches('"'))
        .collect();
    let names: Vec<&str> = values(&rules, "- alert: ").collect();
    assert_eq!(runbooks.len(), names.len());
    for (name, runbook) in names.into_iter().zip(runbooks) {
        let Some(body) = sections.get(runbook) else {
            panic!(
                "{name}: expected one of {:?}, got {runbook}",
                sections.keys()
            );
        };
        assert!(body.contains(&format!("`{name}`")), "{runbook}: {name}");
    }
}

#[test]
fn each_alert_has_a_test_in_which_it_fires() {
    let (rules, tests) = (
        file("deploy/monitoring/tabella.rules.yml"),
        file("deploy/monitoring/tabella.test.yml"),
    );
    let fires = |name: &&str| {
        let mut cases = tests.split("alertname: ").skip(1);
        cases.any(|case| {
            let mut lines = case.lines();
            lines.next() == Some(name) && lines.next().map(str::trim) == Some("exp_alerts:")
        })
    };
    let silent: Vec<&str> = values(&rules, "- alert: ")
        .filter(|name| !fires(name))
        .collect();
    assert_eq!(silent, [""; 0]);
}

#[test]
fn the_alerts_fire_and_keep_silent_as_their_tests_say() {
    let path = |name: &str| monitoring(name).display().to_string();
    for arguments in [
        ["test", "rules", &path("tabella.test.yml")],
        ["check", "config", &path("prometheus.yml")],
    ] {
        if let Some(output) = tool("promtool", &arguments, "") {
            assert!(output.status.success(), "{output:?}");
        }
    }
    let arguments = ["check-config", &path("alertmanager.yml")];
    if let Some(output) = tool("amtool", &arguments, "") {
        assert!(output.status.success(), "{output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_is_gone_is_named_without_prometheus_until_it_is_back() {
    let network = Network::start(&["--validators", "3"]).await;
    let asked = |token: &str| {
        let mut command = tabella();
        command.args(["health", &network.ready.backend, "--alerts", "--json"]);
        command
            .env("TABELLA_TOKEN", token)
            .output()
            .expect("it ends")
    };
    let alerts = || {
        let output = asked(&network.ready.admin_token);
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let alerts = answer["alerts"].as_array().expect("alerts").clone();
        assert_eq!(output.status.code(), Some(i32::from(!alerts.is_empty())));
        alerts
    };
    eventually("nothing is to be acted on", async || {
        alerts().is_empty().then_some(())
    })
    .await;
    let refused = asked("nobody's");
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");

    let lost = &network.ready.validators[2];
    let killed = Instant::now();
    kill_and_wait(lost.pid);
    let named = eventually("it is named", async || {
        let alerts = alerts();
        let is_down = |alert: &Value| {
            alert["name"] == "TabellaValidatorDown" && alert["node_id"] == lost.node_id.as_str()
        };
        alerts.iter().any(is_down).then_some(alerts)
    });
    let named = named.await;
    assert!(killed.elapsed() < NAMED_WITHIN, "{:?}", killed.elapsed());
    // Two are left, and both are needed.
    let at_risk = named
        .iter()
        .find(|alert| alert["name"] == "TabellaQuorumAtRisk");
    assert_eq!(
        at_risk.expect("the quorum is at risk")["severity"],
        "critical"
    );

    let _again = network.start_role("validator", &lost.node_id, None);
    eventually("it is back, and nothing is to be acted on", async || {
        alerts().is_empty().then_some(())
    })
    .await;
}
