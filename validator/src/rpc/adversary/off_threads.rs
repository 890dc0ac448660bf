//! Heavy reads leave the async threads free.

use super::*;

/// Returns that come at least while one heavy batch is worked on: on the thread that works on it, none
/// would.
const MEANWHILE_MIN: usize = 3;

/// All of it runs on one thread, but for what is sent off it.
#[tokio::test(flavor = "current_thread")]
async fn a_slow_read_of_boards_delays_no_cheap_call() {
    let node = Node::start(Bounds::default()).await;
    let boards = batch(90, "tabella_getBoard", &json!([1]));
    let mut heavy = std::pin::pin!(node.post(boards));
    let mut meanwhile = 0;
    loop {
        tokio::select! {
            biased;
            (_, answers) = &mut heavy => {
                assert_eq!(answers.as_array().unwrap().len(), 90);
                break;
            }
            answer = node.call("eth_blockNumber", json!([])) => {
                assert_eq!(answer["result"], "0x4");
                meanwhile += 1;
            }
        }
    }
    println!("{meanwhile} answers meanwhile");
    assert!(meanwhile >= MEANWHILE_MIN, "{meanwhile} answers meanwhile");
}
