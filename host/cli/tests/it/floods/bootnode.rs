//! Floods against a bootnode.

use std::net::Ipv4Addr;

use super::{
    CONNECTIONS_MAX, bound, during,
    honest::{Honest, Kind, ask},
    send, unread,
};
use crate::{
    hostile_client::{get, raise_file_limit},
    network::eventually,
    processes::Bare,
};

/// Bytes of a body: as many as would do for a thousand records.
const BODY_BYTES: usize = 4 << 20;
/// Such bodies, which come to a halt just before their end.
const BODIES: usize = 200;
/// Connections that do nothing: more than it may hold.
const IDLE: usize = CONNECTIONS_MAX as usize + 1_000;
/// Clients that send records which nobody signed, again and again.
const ASKERS: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_bootnode_stays_within_its_bounds_and_serves_an_honest_client_in_every_flood() {
    raise_file_limit();
    let mut network = Bare::new(1, "majority");
    bound(&network, "bootnode", |_| {});
    network.start("bootnode", "bootnode");
    let port = network.listen_port("bootnode");
    let here = Ipv4Addr::LOCALHOST;
    eventually("the bootnode is there", async || {
        ask(here, port, &get("/peers")).await
    })
    .await;
    let peers = Kind {
        name: "the peers",
        request: Box::new(|| get("/peers")),
    };
    let pid = network.processes.id("bootnode");
    let honest = Honest::of(pid, here, port, vec![peers]).await;

    let flood = honest.meets("bodies that come to a halt");
    let mut body =
        format!("POST /peers HTTP/1.1\r\nhost: x\r\ncontent-length: {BODY_BYTES}\r\n\r\n");
    body += &" ".repeat(BODY_BYTES - 1);
    let bodies = unread(BODIES, async |_| send(port, body.as_bytes()).await).await;
    honest.is_served_in(&flood).await;

    let flood = honest.meets("connections that do nothing");
    let idle = unread(IDLE, async |_| send(port, &[]).await).await;
    honest.is_served_in(&flood).await;
    drop((bodies, idle));

    let flood = honest.meets("records that nobody signed");
    let record = format!("{{\"node_id\":\"{}\"}}", "x".repeat(3_000));
    let length = record.len();
    let record = format!(
        "POST /peers HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{record}"
    );
    let sending = async |_| {
        ask(here, port, &record).await;
    };
    during(ASKERS, sending, honest.is_served_in(&flood)).await;
}
