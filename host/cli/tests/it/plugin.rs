//! `tabella plugin`: a new rule from nothing to the chain, and counts from files.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::network::{Network, run, tabella};

/// A module with an import, a start function and a float.
const HOSTILE: [u8; 42] = *b"\0asm\x01\0\0\0\
    \x01\x04\x01\x60\0\0\
    \x02\x07\x01\x01e\x01f\0\0\
    \x03\x02\x01\0\
    \x08\x01\x01\
    \x0a\x0a\x01\x08\0\x43\0\0\0\0\x1a\x0b";

fn answer(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn example(name: &str) -> String {
    format!(
        "{}/../../examples/elections/burlington-2009/{name}",
        env!("CARGO_MANIFEST_DIR")
    )
}

#[test]
fn burlington_is_counted_from_its_files() {
    let (election, ballots) = (example("election.toml"), example("ballots.csv"));
    let files = ["--election", &election, "--ballots", &ballots];
    let counted = run(&[&["plugin", "run", "instant-runoff", "--json"], &files[..]].concat());
    assert!(counted.status.success(), "{counted:?}");
    let counted = answer(&counted);
    assert_eq!(counted["winners"], json!(["kiss"]));
    assert_eq!(counted["rounds"][2]["totals"]["kiss"], "4313");
    let ballots_read = &counted["ballots"];
    for (member, number) in [("counted", 8980), ("spoiled", 0), ("records", 384)] {
        assert_eq!(ballots_read[member], number, "{member}");
    }
    assert_eq!(ballots_read["read"]["ballots"], 8980);
    assert_eq!(ballots_read["read"]["overvotes"], 6);
    let shown = run(&[&["plugin", "run", "instant-runoff"], &files[..]].concat());
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("winners: kiss"), "{shown}");
}

#[test]
fn spoiled_ballots_stop_a_count_unless_they_are_expected() {
    let folder = TempDir::new().unwrap();
    let (election, ballots) = (folder.path().join("e.json"), folder.path().join("b.jsonl"));
    std::fs::write(&election, r#"{"options": ["a", "b"]}"#).unwrap();
    std::fs::write(&ballots, "{\"choice\": \"a\"}\n{\"choice\": \"x\"}\n").unwrap();
    let count = |more: &[&str]| {
        let files = ["--election", text(&election), "--ballots", text(&ballots)];
        run(&[&["plugin", "run", "plurality", "--json"], &files[..], more].concat())
    };
    let refused = count(&[]);
    assert_eq!(refused.status.code(), Some(1));
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        message.contains("b.jsonl:2: /choice: \"x\" is not an option"),
        "{message}"
    );
    assert_eq!(answer(&refused)["problems"][0]["line"], 2);
    assert!(
        message.contains("ballots that cannot be counted: 1"),
        "{message}"
    );
    let counted = answer(&count(&["--spoiled", "count"]));
    assert_eq!(counted["ballots"]["spoiled"], 1);
    assert_eq!(counted["winners"], json!(["a"]));
    let badly = count(&["--tie-break", "coin"]);
    let message = String::from_utf8_lossy(&badly.stderr).into_owned();
    assert!(
        message.contains("expected seed:HEX, order:FILE or report"),
        "{message}"
    );
    assert_eq!(
        answer(&badly)["error"],
        message.trim().trim_start_matches("tabella: "),
        "with --json a failure is JSON too"
    );
}

#[test]
fn ballots_are_written_in_another_format_and_count_the_same() {
    let folder = TempDir::new().unwrap();
    let (election, ballots) = (example("election.toml"), example("ballots.csv"));
    let read = ["--election", &*election, "--ballots", &*ballots];
    let convert = |to: &str, output: &Path| {
        let what = [
            "ballots",
            "convert",
            "instant-runoff",
            "--to",
            to,
            "--json",
            "--output",
            text(output),
        ];
        run(&[&what[..], &read[..]].concat())
    };
    let written = folder.path().join("burlington.jsonl");
    let converted = convert("jsonl", &written);
    assert!(converted.status.success(), "{converted:?}");
    assert_eq!(
        answer(&converted),
        json!({"ballots": "8980", "left_out": "0"})
    );
    let digest = |ballots: &str| {
        let files = ["--election", &*election, "--ballots", ballots, "--json"];
        answer(&run(
            &[&["plugin", "run", "instant-runoff"], &files[..]].concat()
        ))["outcome_sha256"]
            .clone()
    };
    assert_eq!(digest(text(&written)), digest(&ballots));
    // What a format cannot hold is refused, and nothing is written.
    let lost = folder.path().join("burlington-ward.csv");
    let refused = convert("scot-elex", &lost);
    assert_eq!(refused.status.code(), Some(1));
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        message.contains("this cannot be written so that it counts the same"),
        "{message}"
    );
    assert!(!lost.exists());
    let shown = run(&[
        &["ballots", "convert", "instant-runoff", "--to", "csv"],
        &read[..],
    ]
    .concat());
    assert!(shown.stdout.starts_with(b"count,ballot\n"), "{shown:?}");
}

#[test]
fn check_says_everything_at_once() {
    let folder = TempDir::new().unwrap();
    let module = folder.path().join("hostile.wasm");
    std::fs::write(&module, HOSTILE).unwrap();
    let refused = run(&["plugin", "check", text(&module), "--json"]);
    assert_eq!(refused.status.code(), Some(1));
    let refused = answer(&refused);
    let said = refused["violations"].to_string();
    for reason in ["imports `e.f`", "start function", "f32.const", "memory"] {
        assert!(said.contains(reason), "{reason}: {said}");
    }
    let good = answer(&run(&["plugin", "check", "plurality", "--json"]));
    assert_eq!(good["valid"], true);
    let described = answer(&run(&["plugin", "describe", "plurality", "--json"]));
    assert_eq!(described["ballot"], "choice");
    assert_eq!(described["sha256"], good["sha256"]);
    let listed = answer(&run(&["plugin", "list", "--json"]));
    let listed = listed.as_array().unwrap().iter();
    let plurality = listed.clone().find(|rule| rule["name"] == "plurality");
    assert_eq!(plurality.unwrap()["sha256"], good["sha256"]);
    assert_eq!(listed.count(), tabella_plugins::all().len());
    let unknown = run(&["plugin", "describe", "dice"]);
    let message = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(message.contains("no rule is named \"dice\""), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_rule_reaches_the_chain() {
    let network = Network::start(&["--validators", "3"]).await;
    let folder = TempDir::new().unwrap();
    let inside = |arguments: &[&str]| {
        let output = tabella()
            .args(arguments)
            .current_dir(folder.path().join("my-rule"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        answer(&output)
    };
    let made = run(&[
        "plugin",
        "new",
        "my-rule",
        "--parent",
        text(folder.path()),
        "--json",
    ]);
    assert!(made.status.success(), "{made:?}");
    let tested = inside(&["plugin", "test", "--json"]);
    assert_eq!(tested["passed"], true, "{tested}");
    let names = tested["checks"].to_string();
    assert!(names.contains("natively compiled"), "{names}");
    let built = inside(&["plugin", "build", "--out", "my-rule.wasm", "--json"]);
    let counted = inside(&[
        "plugin",
        "run",
        "my-rule.wasm",
        "--election",
        "election.json",
        "--ballots",
        "ballots.jsonl",
        "--json",
    ]);
    assert_eq!(counted["winners"], json!(["birch"]));
    let from_folder = ["plugin", "run", ".", "--election", "election.json"];
    let ballots = ["--ballots", "ballots.jsonl", "--json"];
    assert_eq!(inside(&[&from_folder[..], &ballots].concat()), counted);
    let measured = inside(&[
        "plugin",
        "bench",
        "my-rule.wasm",
        "--tally",
        "1000",
        "--json",
    ]);
    assert!(
        measured["validate"]["fuel"].as_u64().unwrap() > 0,
        "{measured}"
    );
    let backend = &network.ready.backend;
    let token = &network.ready.admin_token;
    for _ in 0..2 {
        let published = inside(&[
            "plugin",
            "publish",
            "my-rule.wasm",
            "--backend",
            backend,
            "--token",
            token,
            "--json",
        ]);
        assert_eq!(published["sha256"], built["sha256"]);
    }
}

/// A copy of the SDK's sources, in a workspace of its own.
fn copy_sdk(into: &Path) {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let workspace = std::fs::read_to_string(repository.join("Cargo.toml")).unwrap();
    let mut workspace: toml::Table = workspace.parse().unwrap();
    workspace["workspace"]["members"] = vec!["sdk", "sdk/abi"].into();
    std::fs::create_dir_all(into).unwrap();
    std::fs::write(into.join("Cargo.toml"), workspace.to_string()).unwrap();
    let copied = std::process::Command::new("cp")
        .args(["-r", text(&repository.join("sdk")), text(into)])
        .status();
    assert!(copied.unwrap().success());
}

#[test]
fn a_module_is_the_same_wherever_it_is_built() {
    let folder = TempDir::new().unwrap();
    let build = |place: &str| {
        let place = folder.path().join(place);
        copy_sdk(&place.join("checkout"));
        let made = run(&[
            "plugin",
            "new",
            "my-rule",
            "--parent",
            text(&place),
            "--sdk-path",
            text(&place.join("checkout/sdk")),
        ]);
        assert!(made.status.success(), "{made:?}");
        let built = run(&["plugin", "build", text(&place.join("my-rule")), "--json"]);
        assert!(built.status.success(), "{built:?}");
        let built = answer(&built);
        let wasm = std::fs::read(built["path"].as_str().unwrap()).unwrap();
        assert!(
            !wasm
                .windows(text(&place).len())
                .any(|part| part == text(&place).as_bytes()),
            "the module names the folder that it was built in"
        );
        built["sha256"].clone()
    };
    assert_eq!(build("here"), build("there/and/deeper"));
}

#[test]
fn a_count_for_people_says_who_withdrew() {
    let folder = tempfile::tempdir().unwrap();
    let (election, ballots) = (folder.path().join("e.json"), folder.path().join("x.blt"));
    std::fs::write(&election, r#"{"options": ["a", "b", "c"]}"#).unwrap();
    let blt = "3 1\n-2\n3 1 2 3 0\n2 3 0\n0\n\"a\"\n\"b\"\n\"c\"\n\"T\"\n";
    std::fs::write(&ballots, blt).unwrap();
    let files = ["--election", election.to_str().unwrap(), "--ballots"];
    let files = [&files[..], &[ballots.to_str().unwrap()]].concat();
    let counted = run(&[&["plugin", "run", "instant-runoff"], &files[..]].concat());
    let text = String::from_utf8(counted.stdout).unwrap();
    let ends_so = |end: &str| text.lines().filter(|line| line.ends_with(end)).count();
    assert_eq!(
        (ends_so("  b (withdrawn)"), ends_so("(withdrawn)")),
        (1, 1),
        "{text}"
    );
    // What columns are is said of tables alone.
    let more = ["--columns", "count,rank1"];
    let refused = run(&[&["plugin", "run", "instant-runoff"], &files[..], &more].concat());
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("read as blt, which has no columns"), "{text}");
}
