//! The alert rules of `deploy/monitoring` are about metrics that there are, and name runbooks that there are.

use std::{collections::BTreeSet, path::Path, process::Command};

use tabella_cli::http::Client;

use crate::network::Network;

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

async fn shown(url: &str) -> String {
    let mut client = Client::new(url).expect("a URL");
    let answer = client.get("/metrics").await.expect("an answer");
    String::from_utf8_lossy(&answer.body).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_metric_of_an_alert_is_one_that_a_process_shows() {
    let network = Network::start(&["--validators", "1"]).await;
    let mut text = shown(&network.ready.backend).await;
    text += &shown(&network.rpc_urls()[0]).await;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let there: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.split(|c| !is_name(c)).next())
        .collect();
    let mut client = Client::new(&network.rpc_urls()[0]).expect("a URL");
    let own = client.get("/metrics?engine=0").await.expect("an answer");
    let own = String::from_utf8_lossy(&own.body).into_owned();
    let foreign = own
        .lines()
        .filter(|line| !line.starts_with('#') && !line.starts_with("tabella_"));
    assert_eq!(
        foreign.collect::<Vec<_>>(),
        [""; 0],
        "the engine's are left out"
    );
    let rules = file("deploy/monitoring/tabella.rules.yml");
    let named: BTreeSet<&str> = values(&rules, "expr: ").flat_map(metrics).collect();
    assert!(named.len() >= 15, "{named:?}");
    let missing: Vec<_> = named.difference(&there).collect();
    assert!(missing.is_empty(), "no process shows {missing:?}");
}

#[test]
fn each_alert_names_a_runbook_that_there_is() {
    let document = "docs/troubleshooting.md";
    let text = file(document);
    let titles = text.lines().filter_map(|line| line.strip_prefix("### "));
    let anchors: BTreeSet<String> = titles
        .map(|title| {
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
            let kept: String = kept.collect();
            format!("{document}#{}", kept.to_lowercase().replace(' ', "-"))
        })
        .collect();
    let rules = file("deploy/monitoring/tabella.rules.yml");
    let runbooks: Vec<&str> = values(&rules, "runbook: ")
        .map(|v| v.trim_matches('"'))
        .collect();
    assert_eq!(runbooks.len(), values(&rules, "- alert: ").count());
    for runbook in runbooks {
        assert!(
            anchors.contains(runbook),
            "expected one of {anchors:?}, got {runbook}"
        );
    }
}

/// With Prometheus' own tool, where it is installed: `TABELLA_REQUIRE_PROMTOOL=1` makes it a must.
#[test]
fn the_alerts_fire_and_keep_silent_as_their_tests_say() {
    let tests =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/monitoring/tabella.test.yml");
    let run = Command::new("promtool")
        .args(["test", "rules"])
        .arg(tests)
        .output();
    match run {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(error) if std::env::var_os("TABELLA_REQUIRE_PROMTOOL").is_some() => panic!("{error}"),
        Err(_) => println!("skipped: promtool is not installed"),
    }
}
