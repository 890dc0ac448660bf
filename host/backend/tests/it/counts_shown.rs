//! `counts_shown: at_close`: before its close an election shows no ballot here.

use serde_json::{Value, json};

use crate::deployment::{ADMIN_TOKEN, Deployment, Running};

async fn board(backend: &Running) -> Vec<Value> {
    let path = "/api/elections/1/board";
    let (status, page) = backend.get(path, None).await;
    assert_eq!(status, 200, "{page}");
    let lines = backend
        .http
        .get(format!("{}{path}", backend.url))
        .header("accept", "application/x-ndjson");
    let lines = lines.send().await.unwrap().text().await.unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(page["items"], Value::from(lines.clone()));
    lines
}

#[tokio::test]
async fn the_board_of_an_open_election_shows_no_ballot_before_its_close() {
    let mut deployment = Deployment::new().await;
    deployment.config.confirmation_wait_ms = 20_000;
    let backend = deployment.start().await;
    assert_eq!(backend.cast("alice", "t1", "a").await.0, 201);
    let (_, election) = backend.get("/api/elections/1", None).await;
    assert_eq!(election["counts_shown"], "at_close");
    assert_eq!(election["disclosure"], "at_close");
    let before = board(&backend).await;
    assert_eq!(before.len(), 1);
    assert_eq!(
        (&before[0]["ballots"], &before[0]["plain"]),
        (&json!([]), &json!([]))
    );

    let close = "/api/admin/elections/1/close";
    let (status, answer) = backend.post(close, Some(ADMIN_TOKEN), json!({})).await;
    assert_eq!(status, 200, "{answer}");
    let after = board(&backend).await;
    assert_eq!(after[0]["plain"], json!([{"choice": "a"}]));
    assert_eq!(after[0]["ballots"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_election_says_when_it_shows_counts_by_either_name() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    for name in ["counts_shown", "disclosure"] {
        let mut statement = json!({
            "title": "T",
            "contests": [{"id": "c", "rule": "plurality", "options": [{"id": "a"}, {"id": "b"}]}],
        });
        statement[name] = json!("live");
        let path = "/api/admin/elections";
        let (status, created) = backend.post(path, Some(ADMIN_TOKEN), statement).await;
        assert_eq!(status, 201, "{created}");
        let path = format!("/api/elections/{}", created["election_id"]);
        let (_, election) = backend.get(&path, None).await;
        assert_eq!(election["counts_shown"], "live", "{name}");
        assert_eq!(election["disclosure"], "live", "{name}");
    }
}
