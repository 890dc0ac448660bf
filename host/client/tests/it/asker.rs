//! Bootnodes and validators that answer too much, late, elsewhere, or what was not asked for.

use std::time::{Duration, Instant};

use axum::{
    Json, Router,
    http::StatusCode,
    response::Redirect,
    routing::{get, post},
};
use serde_json::{Value, json};
use tabella_client::{Announced, AskError, Asker};
use tabella_protocol::{Hash, PeerRecord, Signature, SigningKey};
use tokio::net::TcpListener;

const DEADLINE: Duration = Duration::from_millis(500);

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn asker() -> Asker {
    Asker::new(DEADLINE).unwrap()
}

fn record() -> PeerRecord {
    let key = SigningKey::from_seed([1; 32]);
    PeerRecord {
        genesis: Hash::of(b"genesis"),
        node_id: "validator-1".into(),
        public_key: key.public(),
        p2p_address: "127.0.0.1:30303".into(),
        rpc_url: "http://127.0.0.1:8001".into(),
        sequence: 1,
        expires_at_ms: 1,
        signature: Signature([0; 64]),
    }
}

#[tokio::test]
async fn a_bootnodes_records_are_read_and_an_announcement_is_held_or_refused() {
    let peers = || {
        let list = get(|| async { Json(vec![record()]) });
        list.post(|Json(sent): Json<PeerRecord>| async move {
            match sent.sequence {
                1 => StatusCode::NO_CONTENT,
                2 => StatusCode::CONFLICT,
                _ => StatusCode::FORBIDDEN,
            }
        })
    };
    let url = serve(Router::new().route("/peers", peers())).await;
    let asker = asker();
    assert_eq!(asker.peers(&format!("{url}/")).await.unwrap(), [record()]);
    let mut own = record();
    for (sequence, is_held) in [(1, true), (2, true), (3, false)] {
        own.sequence = sequence;
        let announced = asker.announce(&url, &own).await.unwrap();
        assert_eq!(
            matches!(announced, Announced::Held),
            is_held,
            "{announced:?}"
        );
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = serve(Router::new().route("/peers", get(|| async { Json([record()]) }))).await;
    let target = format!("{elsewhere}/peers");
    let redirecting = get(move || async move { Redirect::temporary(&target) });
    let url = serve(Router::new().route("/peers", redirecting)).await;
    let refused = asker().peers(&url).await;
    assert!(
        matches!(refused, Err(AskError::Json(_) | AskError::Http(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn no_more_is_read_and_nothing_is_waited_for_longer_than_was_said() {
    let long = get(|| async { vec![b' '; 300 << 10] });
    let silent = get(|| async { std::future::pending::<String>().await });
    let long = serve(Router::new().route("/peers", long)).await;
    let silent = serve(Router::new().route("/peers", silent)).await;
    let refused = asker().peers(&long).await;
    assert!(matches!(refused, Err(AskError::TooLong(_))), "{refused:?}");
    let started = Instant::now();
    let refused = asker().peers(&silent).await;
    assert!(matches!(refused, Err(AskError::Http(_))), "{refused:?}");
    assert!(started.elapsed() < 10 * DEADLINE, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_call_returns_the_result_and_nothing_else() {
    let answering = |answer: Value| Router::new().route("/", post(|| async { Json(answer) }));
    let url = serve(answering(
        json!({"jsonrpc": "2.0", "id": 1, "result": [1, 2]}),
    ))
    .await;
    let asker = asker();
    let numbers: Vec<u64> = asker
        .call(&url, "tabella_getEvidence", 1 << 10)
        .await
        .unwrap();
    assert_eq!(numbers, [1, 2]);
    let refused = json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -1, "message": "no"}});
    let url = serve(answering(refused)).await;
    let refused = asker
        .call::<Vec<u64>>(&url, "tabella_getEvidence", 1 << 10)
        .await;
    assert!(matches!(refused, Err(AskError::Json(_))), "{refused:?}");
}
