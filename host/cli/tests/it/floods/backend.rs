//! Floods against a backend.

use std::net::Ipv4Addr;

use serde_json::json;
use tokio::{io::AsyncReadExt, net::TcpStream};

use super::{
    STEP_MAX, during,
    honest::ask,
    scene::{OWNER, Scene, get, head, post},
    send, stranger, unread,
};

/// Readers of exports that do not read, from as many addresses as there are.
const EXPORTS: usize = 200;
/// Bodies that come to a halt just before their end, of [`BODY_BYTES`].
const BODIES: usize = 2_500;
/// As many as a login may have.
const BODY_BYTES: usize = 60_000;
/// Event streams that one address asks for: more than there are for all.
const EVENT_STREAMS: usize = 1_100;
/// Clients that ask for what is costly, again and again.
const ASKERS: usize = 100;

/// The status of the answer to a request that was sent.
async fn status(stream: Option<TcpStream>) -> Option<String> {
    let (mut stream, mut start) = (stream?, [0; 12]);
    let read = tokio::time::timeout(STEP_MAX, stream.read_exact(&mut start)).await;
    read.ok()?.ok()?;
    Some(String::from_utf8_lossy(&start[9..]).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_stays_within_its_bounds_and_serves_an_honest_voter_in_every_flood() {
    let scene = Scene::start().await;
    let port = scene.port;
    let honest = scene.honest_voter().await;

    let flood = honest.meets("exports that nobody reads");
    let export = |n| get("/api/elections/2/export", &stranger(n));
    let held = unread(EXPORTS, async |n| send(port, export(n).as_bytes()).await).await;
    honest.is_served_in(&flood).await;
    drop(held);
    scene.exports_all_of(2).await;

    let flood = honest.meets("bodies that come to a halt");
    let mut body = head("POST", "/api/auth/login", &stranger(1));
    body += &format!("content-type: application/json\r\ncontent-length: {BODY_BYTES}\r\n\r\n");
    body += &" ".repeat(BODY_BYTES - 1);
    let held = unread(BODIES, async |_| send(port, body.as_bytes()).await).await;
    honest.is_served_in(&flood).await;
    drop(held);

    let flood = honest.meets("event streams of one address");
    let events = get("/api/events", &stranger(1));
    let held = unread(EVENT_STREAMS, async |_| send(port, events.as_bytes()).await).await;
    let of_another = status(send(port, get("/api/events", OWNER).as_bytes()).await).await;
    assert_eq!(of_another.as_deref(), Some("200"), "one address has all");
    honest.is_served_in(&flood).await;
    drop(held);

    let flood = honest.meets("verifications and looks at the validators");
    let costly = [
        "/api/votes/verify-blockchain?election_id=2",
        "/api/admin/validators/refresh-status",
    ];
    let asking = async |n: usize| {
        let request = post(costly[n % 2], &stranger(n), &json!({}));
        ask(Ipv4Addr::LOCALHOST, port, &request).await;
    };
    during(ASKERS, asking, honest.is_served_in(&flood)).await;

    let flood = honest.meets("wrong logins");
    let guessing = async |n: usize| {
        let body = json!({"username": format!("nobody-{n}"), "password": "wrong horse"});
        let request = post("/api/auth/login", &stranger(n), &body);
        ask(Ipv4Addr::LOCALHOST, port, &request).await;
    };
    during(ASKERS, guessing, honest.is_served_in(&flood)).await;
}
