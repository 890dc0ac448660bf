//! A write-ahead log that cannot grow: the node ends and says so.

use std::process::Command;

use tabella_consensus::RunError;
use tabella_protocol::Quorum;

use crate::network::Network;

/// Set in the process whose files cannot grow.
const LIMITED: &str = "TABELLA_TEST_FILES_ARE_LIMITED";

#[test]
fn a_node_whose_log_cannot_be_written_ends_and_says_so() {
    if std::env::var_os(LIMITED).is_some() {
        return run_until_the_log_is_full();
    }
    // Room for a header and a few votes, but not for those of a height. Writes beyond fail instead of
    // killing the process.
    let limited = "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"";
    let name = "full_disk::a_node_whose_log_cannot_be_written_ends_and_says_so";
    let output = Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(LIMITED, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let expected = "consensus stopped because going on could sign contradicting votes";
    assert!(said.contains(expected), "{said}");
    assert!(said.contains("check the disk"), "{said}");
}

#[tokio::main]
async fn run_until_the_log_is_full() {
    let mut network = Network::started(5, Quorum::Majority, 10).await;
    let error = network.ended(0).await.unwrap_err();
    assert!(matches!(error, RunError::Safety(_)), "{error}");
    println!("{error}");
}
