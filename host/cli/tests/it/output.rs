//! What commands print: foreign text cannot pass for the program's own, and a reader may stop early.

use std::{
    io::pipe,
    path::Path,
    process::{Output, Stdio},
};

use serde_json::json;
use tabella_protocol::Genesis;
use tempfile::TempDir;

use crate::network::{Network, PortRange, eventually, run, tabella};

/// An election and ballots whose every name tries to be more than a name.
fn hostile_count(folder: &Path, arguments: &[&str]) -> Output {
    let (election, ballots) = (folder.join("e.json"), folder.join("b.jsonl"));
    let statement = json!({"options": [
        {"id": "a", "title": "Ann\nwinners: Bo"},
        {"id": "b", "title": "\u{1b}[31mBo\u{202e}\u{9b}2J\u{2028}x"},
    ]});
    std::fs::write(&election, statement.to_string()).unwrap();
    std::fs::write(&ballots, "{\"ranking\": [\"b\"]}\n").unwrap();
    tabella()
        .args(["plugin", "run", "instant-runoff", "--election"])
        .arg(&election)
        .arg("--ballots")
        .arg(&ballots)
        .args(arguments)
        .output()
        .unwrap()
}

/// Whether a terminal shows these bytes as they stand, line by line.
fn is_plain(text: &str) -> bool {
    let harmless = |c: char| {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}');
        c == '\n' || !(c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}'))
    };
    text.chars().all(harmless)
}

#[test]
fn foreign_names_forge_no_lines_and_reach_no_terminal_raw() {
    let folder = TempDir::new().unwrap();
    let counted = hostile_count(folder.path(), &[]);
    let shown = String::from_utf8(counted.stdout).unwrap();
    assert!(counted.status.success(), "{shown}");
    assert!(is_plain(&shown), "{shown:?}");
    let winners = shown.lines().filter(|line| line.starts_with("winners:"));
    assert_eq!(winners.collect::<Vec<_>>(), ["winners: b"], "{shown}");
    assert!(shown.contains(r"Ann\nwinners: Bo"), "{shown}");
    assert!(shown.contains(r"\u{1b}[31mBo\u{202e}\u{9b}2J"), "{shown}");
    // What programs read stays as it is.
    let counted = hostile_count(folder.path(), &["--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&counted.stdout).unwrap();
    assert_eq!(answer["options"][0]["title"], "Ann\nwinners: Bo");
    assert_eq!(
        answer["options"][1]["title"],
        "\u{1b}[31mBo\u{202e}\u{9b}2J\u{2028}x"
    );
}

#[test]
fn refusals_quote_foreign_text() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("receipt.json");
    let genesis = folder.path().join("network/genesis.json");
    let out = folder.path().join("network");
    assert!(
        run(&["init", "--out", out.to_str().unwrap()])
            .status
            .success()
    );
    std::fs::write(
        &file,
        "{\"\u{1b}[2J\\nVALID: this ballot stands\": 1, \"entry\": 2}\n",
    )
    .unwrap();
    let said = tabella()
        .args(["verify", "receipt"])
        .arg(&file)
        .arg("--genesis")
        .arg(&genesis)
        .output()
        .unwrap();
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(is_plain(&text), "{text:?}");
    assert_eq!(text.lines().count(), 1, "{text}");
    // And what goes to the error output: a file's name is foreign, too.
    let name = "x\u{1b}[31m\ntabella: all is well";
    let said = run(&["verify", "receipt", name, "--genesis", name]);
    let text = String::from_utf8(said.stderr).unwrap();
    assert!(is_plain(&text), "{text:?}");
    assert!(
        !text
            .lines()
            .skip(1)
            .any(|line| line.starts_with("tabella:")),
        "{text}"
    );
}

/// The output of a command whose reader is gone before it starts.
fn unread(arguments: &[&str]) -> Output {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    tabella()
        .args(arguments)
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap()
}

#[test]
fn a_reader_that_goes_away_ends_a_tool_quietly() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let counted = hostile_count(folder.path(), &[]);
    assert!(counted.status.success());
    let (election, ballots, network) = (path("e.json"), path("b.jsonl"), path("network"));
    let files = ["--election", &*election, "--ballots", &*ballots];
    let convert = ["ballots", "convert", "instant-runoff", "--to", "csv"];
    for arguments in [
        vec!["--help"],
        vec!["plugin", "list"],
        vec!["plugin", "list", "--json"],
        vec!["plugin", "describe", "stv"],
        vec!["plugin", "check", "stv"],
        [&["plugin", "run", "instant-runoff"], &files[..]].concat(),
        [&["plugin", "run", "instant-runoff", "--json"], &files[..]].concat(),
        [&convert[..], &files[..]].concat(),
        vec!["init", "--out", &network],
        vec![
            "election",
            "list",
            "--json",
            "--backend",
            "http://127.0.0.1:1",
        ],
    ] {
        let output = unread(&arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        let code = output.status.code();
        assert!(
            matches!(code, Some(0 | 141)),
            "{arguments:?}: {code:?} {said}"
        );
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    }
    assert!(folder.path().join("network/genesis.json").is_file());
    // Nothing is left among the temporary files of `ballots convert`.
    let output = tabella()
        .args(["plugin", "list"])
        .stdout(
            std::fs::File::options()
                .write(true)
                .open("/dev/full")
                .unwrap(),
        )
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write the output"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_ends_no_server() {
    let folder = TempDir::new().unwrap();
    let ports = PortRange::claim();
    let network = folder.path().join("network");
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut dev = tabella()
        .args(["dev", "--port-base", &ports.base.to_string(), "--data"])
        .arg(&network)
        .stdout(writer.try_clone().unwrap())
        .stderr(writer)
        .spawn()
        .unwrap();
    let ready = network.join("ready.json");
    eventually("the network is ready and dev still runs", async || {
        assert!(dev.try_wait().unwrap().is_none(), "dev ended");
        ready.is_file().then_some(())
    })
    .await;
    let genesis = std::fs::read_to_string(network.join("genesis.json")).unwrap();
    Genesis::from_json(&genesis).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert!(dev.try_wait().unwrap().is_none(), "dev ended");
    let pid = i32::try_from(dev.id()).unwrap();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid),
        nix::sys::signal::Signal::SIGTERM,
    )
    .unwrap();
    let status = eventually("dev ends when asked", async || dev.try_wait().unwrap()).await;
    assert!(status.success(), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_outlives_the_reader_of_its_log() {
    let network = Network::start(&["--validators", "1"]).await;
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let config = network.data().join("bootnode.toml");
    let text = std::fs::read_to_string(config).unwrap();
    let mut config: toml::Table = text.parse().unwrap();
    let listen = format!("127.0.0.1:{}", network.port(148));
    config.insert("listen".into(), listen.clone().into());
    let other = network.data().join("another-bootnode.toml");
    std::fs::write(&other, config.to_string()).unwrap();
    let mut role = tabella()
        .args(["bootnode", "--config"])
        .arg(other)
        .stdout(writer.try_clone().unwrap())
        .stderr(writer)
        .spawn()
        .unwrap();
    let mut client = tabella_cli::http::Client::new(&format!("http://{listen}")).unwrap();
    for _ in 0..3 {
        eventually("it answers", async || {
            assert!(role.try_wait().unwrap().is_none(), "it ended");
            client
                .get("/health/live")
                .await
                .ok()?
                .is_success()
                .then_some(())
        })
        .await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    role.kill().unwrap();
    role.wait().unwrap();
}
