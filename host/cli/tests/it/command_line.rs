//! What the binary says and how it exits, with no network running.

use std::{os::unix::fs::PermissionsExt, path::Path};

use tabella_protocol::Genesis;
use tempfile::TempDir;

use crate::network::run;

fn check_fails(arguments: &[&str], expected: &str) {
    let output = run(arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
    assert!(message.contains(expected), "{arguments:?}: {message}");
}

fn init(directory: &Path, arguments: &[&str]) -> String {
    let out = directory.to_str().unwrap();
    let output = run(&[&["init", "--out", out], arguments].concat());
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn init_writes_a_network_once_and_keeps_its_secrets() {
    let directory = TempDir::new().unwrap();
    let out = directory.path().join("network");
    let said = init(&out, &["--validators", "4", "--quorum", "bft"]);
    assert!(
        said.contains("It survives 1 lying (Byzantine) validator"),
        "{said}"
    );
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let genesis = Genesis::from_json(&read("genesis.json")).unwrap();
    assert_eq!(genesis.validators.len(), 4);
    assert!((1..1 << 53).contains(&genesis.chain_id));
    for entry in std::fs::read_dir(out.join("keys")).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
    }
    let validator: tabella_validator::Config = toml::from_str(&read("validator-4.toml")).unwrap();
    assert_eq!(validator.rpc_listen.port(), 8004);
    assert_eq!(validator.p2p_address, "127.0.0.1:30306");
    let backend: tabella_backend::Config = toml::from_str(&read("backend.toml")).unwrap();
    assert_eq!(backend.validators.len(), 4);
    toml::from_str::<tabella_bootnode::Config>(&read("bootnode.toml")).unwrap();

    check_fails(
        &["init", "--out", out.to_str().unwrap()],
        "is not empty; nothing was written",
    );
    assert_eq!(read("genesis.json"), genesis.to_json());
}

#[test]
fn init_places_validators_on_their_hosts() {
    let directory = TempDir::new().unwrap();
    let out = directory.path().join("network");
    let said = init(
        &out,
        &[
            "--json",
            "--host",
            "a.example",
            "--host",
            "b.example",
            "--host",
            "c.example",
            "--bootnode-host",
            "boot.example",
        ],
    );
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        said["survives"],
        serde_json::json!({"crashed": 1, "byzantine": 0})
    );
    let text = std::fs::read_to_string(out.join("validator-2.toml")).unwrap();
    let config: tabella_validator::Config = toml::from_str(&text).unwrap();
    assert_eq!(config.rpc_url, "http://b.example:8001");
    assert_eq!(config.rpc_listen.to_string(), "0.0.0.0:8001");
    assert_eq!(config.bootnodes, ["http://boot.example:8546"]);
    let text = std::fs::read_to_string(out.join("backend.toml")).unwrap();
    let config: tabella_backend::Config = toml::from_str(&text).unwrap();
    assert_eq!(config.bootnodes, ["http://boot.example:8546"]);
    let elsewhere = directory.path().join("other");
    let elsewhere = elsewhere.to_str().unwrap();
    check_fails(
        &[
            "init",
            "--out",
            elsewhere,
            "--host",
            "a.example",
            "--host",
            "b.example",
        ],
        "expected one --host for all validators or one for each of 3",
    );
    check_fails(
        &["init", "--out", elsewhere, "--host", "a.example:80"],
        "expected a host name or address without a port",
    );
}

#[test]
fn a_new_validator_is_placed_beside_the_others_or_where_it_is_said() {
    let directory = TempDir::new().unwrap();
    let out = directory.path().join("network");
    let hosts = ["a.example", "b.example", "c.example"];
    let hosts: Vec<_> = hosts.iter().flat_map(|host| ["--host", host]).collect();
    init(&out, &[&hosts[..], &["--open-ballots", "readers"]].concat());
    let network = out.to_str().unwrap();
    fn with<'a>(network: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        [&["validator", "new", "--network", network], more].concat()
    }
    let made = |more: &[&str]| {
        let output = run(&with(network, more));
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let config = |name: &str| toml::from_str::<tabella_validator::Config>(&read(name)).unwrap();

    check_fails(
        &with(network, &[]),
        "expected --host HOST: the validators are on a.example, b.example, c.example",
    );
    let said = made(&["--host", "d.example"]);
    let fourth = config("validator-4.toml");
    assert_eq!(fourth.node_id.as_deref(), Some("validator-4"));
    assert_eq!(fourth.rpc_url, "http://d.example:8001");
    assert_eq!(fourth.p2p_address, "d.example:30303");
    assert_eq!(fourth.rpc_listen.to_string(), "0.0.0.0:8001");
    assert_eq!(fourth.bootnodes, ["http://a.example:8546"]);
    assert_eq!(fourth.open_ballots.name(), "readers");
    assert_eq!(fourth.peer_limits.connections_per_address_max, 16);
    let key = out.join("keys/validator-4.key");
    let mode = key.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let key = tabella_files::read_key(&key).unwrap().public();
    assert!(
        said.contains(&format!("tabella validator add validator-4 {key} ")),
        "{said}"
    );
    let backend: tabella_backend::Config = toml::from_str(&read("backend.toml")).unwrap();
    assert_eq!(backend.validators.len(), 4);
    assert_eq!(backend.validators[3].rpc_url, "http://d.example:8001");

    // Beside another one: the next ports, and more connections from that address.
    made(&["--host", "a.example", "--node-id", "observatory"]);
    let fifth = config("observatory.toml");
    assert_eq!(fifth.rpc_url, "http://a.example:8002");
    assert_eq!(fifth.p2p_address, "a.example:30304");
    assert_eq!(fifth.peer_limits.connections_per_address_max, 128);

    for taken in ["validator-2", "observatory", "backend"] {
        let arguments = with(network, &["--host", "e.example", "--node-id", taken]);
        check_fails(&arguments, "is taken; nothing was written");
    }
    let arguments = with(
        network,
        &["--host", "e.example", "--node-id", "../validator-9"],
    );
    check_fails(&arguments, "expected a name of at most 64 letters");
}

#[test]
fn a_new_validator_is_made_where_there_is_genesis_alone() {
    let directory = TempDir::new().unwrap();
    let out = directory.path().join("network");
    init(&out, &[]);
    let elsewhere = directory.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let network = elsewhere.to_str().unwrap();
    let new = [
        "validator",
        "new",
        "--network",
        network,
        "--host",
        "d.example",
    ];
    check_fails(&new, "genesis.json cannot be read");
    std::fs::copy(out.join("genesis.json"), elsewhere.join("genesis.json")).unwrap();
    check_fails(&new, "expected --bootnode URL");
    assert_eq!(
        elsewhere.read_dir().unwrap().count(),
        1,
        "nothing is written"
    );
    let bootnode = ["--bootnode", "http://a.example:8546"];
    let output = run(&[&new[..], &bootnode].concat());
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let expected = "[[validators]]\nnode_id = \"validator-4\"\nrpc_url = \"http://d.example:8001\"";
    assert!(said.contains(expected), "{said}");
    let text = std::fs::read_to_string(elsewhere.join("validator-4.toml")).unwrap();
    let config: tabella_validator::Config = toml::from_str(&text).unwrap();
    assert_eq!(config.bootnodes, ["http://a.example:8546"]);
    // In another order: what it made is there, and it is not made twice.
    let again = [
        "--bootnode",
        "http://a.example:8546",
        "--node-id",
        "validator-4",
    ];
    check_fails(&[&new[..], &again].concat(), "validator-4 is taken");
}

/// A configuration with the mark of every default removed, but for the example of a peer.
fn with_defaults(text: &str) -> String {
    let peer = text.find("#[[peers]]").map(|start| {
        let end = text[start..].find("\n\n").expect("more follows");
        &text[start..start + end]
    });
    let text = peer.map_or(text.to_owned(), |peer| text.replace(peer, ""));
    let line = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => {
            rest.to_owned()
        }
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Every key of a configuration, those of its tables too.
fn keys(config: &toml::Value) -> Vec<String> {
    let mut found = Vec::new();
    for (key, value) in config.as_table().into_iter().flatten() {
        found.push(key.clone());
        if value.is_table() {
            found.extend(keys(value));
        }
    }
    found
}

#[test]
fn written_configurations_name_every_key_with_its_default() {
    let directory = TempDir::new().unwrap();
    let out = directory.path().join("network");
    init(&out, &[]);
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();

    let text = read("validator-1.toml");
    let plain: tabella_validator::Config = toml::from_str(&text).unwrap();
    let explicit: tabella_validator::Config = toml::from_str(&with_defaults(&text)).unwrap();
    assert_eq!(plain, explicit);
    for key in keys(&toml::Value::try_from(&plain).unwrap()) {
        assert!(text.contains(&key), "validator-1.toml does not name {key}");
    }

    let text = read("backend.toml");
    let plain: tabella_backend::Config = toml::from_str(&text).unwrap();
    let explicit: tabella_backend::Config = toml::from_str(&with_defaults(&text)).unwrap();
    let [plain, explicit] = [plain, explicit].map(|c| toml::Value::try_from(&c).unwrap());
    assert_eq!(plain, explicit);
    for key in keys(&plain) {
        assert!(text.contains(&key), "backend.toml does not name {key}");
    }
}

#[test]
fn roles_refuse_bad_configurations_by_name() {
    let directory = TempDir::new().unwrap();
    let out = directory.path().join("network");
    init(&out, &[]);
    for role in ["validator", "bootnode", "backend"] {
        let file = match role {
            "validator" => out.join("validator-1.toml"),
            _ => out.join(format!("{role}.toml")),
        };
        let path = file.to_str().unwrap();
        let good = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("surprise = 1\n{good}")).unwrap();
        check_fails(&[role, "--config", path], "unknown field `surprise`");
        let lost = good.replace("genesis.json", "no-genesis.json");
        std::fs::write(&file, lost).unwrap();
        check_fails(&[role, "--config", path], "no-genesis.json");
        check_fails(
            &[role, "--config", "no-such.toml"],
            "cannot read no-such.toml",
        );
    }
}

#[test]
fn keys_are_written_once_and_shown_without_their_secret() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("a.key");
    let path = file.to_str().unwrap();
    let made = run(&["keys", "generate", "--out", path]);
    let shown = run(&["keys", "show", path]);
    assert!(made.status.success() && shown.status.success());
    assert_eq!(made.stdout, shown.stdout);
    let secret = std::fs::read_to_string(&file).unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(!text.contains(secret.trim().trim_start_matches("0x")));
    check_fails(&["keys", "generate", "--out", path], "cannot be written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    check_fails(&["keys", "show", path], "expected mode 600, got 644");
}

#[test]
fn election_files_are_checked_before_anything_is_sent() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("election.json");
    let path = file.to_str().unwrap();
    let create = ["election", "create", path, "--token", "x"];
    std::fs::write(&file, r#"{"title": "T", "contests": [], "colour": 1}"#).unwrap();
    check_fails(&create, "unknown field `colour`");
    let unknown = r#"{"title": "T", "contests": [{"id": "c", "rule": "dice", "options": []}]}"#;
    std::fs::write(&file, unknown).unwrap();
    check_fails(&create, "no rule is named \"dice\"");
    std::fs::write(&file, r#"{"title": "T", "contests": []}"#).unwrap();
    check_fails(
        &[&create[..], &["--backend", "http://127.0.0.1:1"]].concat(),
        "cannot connect to 127.0.0.1:1",
    );
    check_fails(
        &["election", "list", "--backend", "ftp://example.org"],
        "expected a URL http://host:port",
    );
}
