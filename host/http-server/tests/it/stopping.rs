//! Stopping in order.

use std::time::Duration;

use tabella_http_server::Bounds;
use tokio::time::timeout;

use crate::client::{Running, read_to_end};

#[tokio::test]
async fn an_answer_under_way_is_given_and_idle_connections_do_not_hold_up_a_stop() {
    let server = Running::start(Bounds::default());
    let _idle = server.connect().await;
    let mut asking = server.sent(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.until(|counts| counts.connections == 2).await;
    // The request is read once it is answered or waited for; the handler takes 300 ms.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let stopping = server.begin_stop();
    let answer = read_to_end(&mut asking).await;
    assert!(answer.ends_with("done\n"), "{answer}");
    let stopped = timeout(Duration::from_secs(3), stopping).await;
    stopped.expect("nothing holds it up").unwrap().unwrap();
}

#[tokio::test]
async fn a_stream_without_end_is_cut_off_at_a_stop() {
    let server = Running::start(Bounds::default());
    let _reading = server
        .sent(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    server.until(|counts| counts.answer_bytes > 0).await;
    let stopping = server.begin_stop();
    let stopped = timeout(Duration::from_secs(15), stopping).await;
    stopped.expect("the drain ends").unwrap().unwrap();
}
