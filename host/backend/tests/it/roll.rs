//! Rolls: streamed in, every refused line reported.

use futures::stream;
use serde_json::{Value, json};
use tabella_protocol::{Eligibility, Payload, Transaction};

use crate::{
    deployment::{ADMIN_TOKEN, Deployment, Running, by_authority, credentials, registrar_roll},
    fake::key,
};

async fn send(backend: &Running, content_type: &str, body: reqwest::Body) -> (u16, Value) {
    send_to(backend, "", content_type, body).await
}

async fn send_to(
    backend: &Running,
    query: &str,
    content_type: &str,
    body: reqwest::Body,
) -> (u16, Value) {
    let request = backend
        .http
        .post(format!("{}/api/admin/elections/5/roll{query}", backend.url));
    let request = request
        .header("content-type", content_type)
        .bearer_auth(ADMIN_TOKEN);
    let response = request.body(body).send().await.unwrap();
    let status = response.status().as_u16();
    (
        status,
        serde_json::from_str(&response.text().await.unwrap()).unwrap(),
    )
}

fn entries(deployment: &Deployment) -> usize {
    let chain = deployment.network.chain();
    let transactions = chain.blocks.iter().flat_map(|block| &block.transactions);
    let parts =
        transactions.map(
            |bytes| match Transaction::from_bytes(bytes).unwrap().body.payload {
                Payload::ExtendRoll { entries, .. } => entries.len(),
                _ => 0,
            },
        );
    parts.sum()
}

async fn start(eligibility: Eligibility) -> (Deployment, Running) {
    let deployment = Deployment::new().await;
    deployment.create_election(eligibility).await;
    let backend = deployment.start().await;
    (deployment, backend)
}

#[tokio::test]
async fn good_lines_go_to_the_chain_and_bad_ones_are_named() {
    let (deployment, backend) = start(registrar_roll()).await;
    let long = "x".repeat(5_000);
    let csv = format!(
        "voter_id,weight\nalice\nbob,3\n\n\"Doe, Jane\",2\nalice\ncarol,0\ndave,many\ne,1,2\n{long}\nlast"
    );
    let (status, answer) = send(&backend, "text/csv", csv.into()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        (&answer["added"], &answer["refused"]),
        (&json!(4), &json!(5))
    );
    let lines = answer["refused_lines"].as_array().unwrap().iter();
    let lines: Vec<_> = lines.map(|line| line["line"].as_u64().unwrap()).collect();
    assert_eq!(
        lines,
        [7, 8, 9, 10, 6],
        "one that stands twice shows once all are read"
    );
    assert_eq!(entries(&deployment), 4);
}

/// Tables as people keep them: no head, byte-order mark or separator becomes part of a voter.
#[tokio::test]
async fn tables_with_heads_and_other_separators() {
    let (deployment, backend) = start(registrar_roll()).await;
    for (csv, added, refused, first) in [
        (
            "\u{feff}Voter-ID\r\n a@example.org \r\n",
            1,
            0,
            "a@example.org",
        ),
        ("b;3\nc;x\n", 1, 1, "b"),
        ("\"Voter ID\"\tName\nd\tDora\n", 1, 0, "d"),
        ("e\nf;3\n", 1, 1, "e"),
    ] {
        let before = entries(&deployment);
        let (status, answer) = send(&backend, "text/csv", csv.into()).await;
        assert_eq!(status, 200, "{answer}");
        let found = (&answer["added"], &answer["refused"]);
        assert_eq!(found, (&json!(added), &json!(refused)), "{csv:?}: {answer}");
        assert_eq!(answer["preview"][0]["voter_id"], first, "{csv:?}");
        assert_eq!(entries(&deployment) - before, added, "{csv:?}");
    }
    let (status, answer) = send(&backend, "text/csv", "id;email\ng;g@example.org\n".into()).await;
    assert_eq!(status, 422, "{answer}");
    let detail = answer["detail"].as_str().unwrap();
    assert!(detail.contains("id, email; call the one"), "{detail}");
}

/// What a roll would become, and nobody on it.
#[tokio::test]
async fn a_dry_run_shows_the_first_voters_and_adds_nobody() {
    let (deployment, backend) = start(registrar_roll()).await;
    let mut csv = String::from("Member;Votes\n");
    csv.push_str("jose\u{301};2\nada;0\njos\u{e9};1\n");
    for number in 0..20 {
        csv.push_str(&format!("m{number};1\n"));
    }
    let (status, answer) = send_to(&backend, "?dry_run=true", "text/csv", csv.clone().into()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["head"], json!({"read": ["Member", "Votes"]}));
    let counts = ["added", "would_add", "refused"].map(|name| answer[name].as_u64().unwrap());
    assert_eq!(counts, [0, 21, 2], "{answer}");
    let preview = answer["preview"].as_array().unwrap();
    assert_eq!(preview.len(), 10);
    let first = json!({"line": 2, "voter_id": "jos\u{e9}", "weight": 2, "realm": "registrar"});
    assert_eq!(preview[0], first);
    assert_eq!(entries(&deployment), 0);
    let (_, answer) = send(&backend, "text/csv", csv.into()).await;
    assert_eq!(answer["added"], 21, "{answer}");
    assert_eq!(answer["would_add"], Value::Null);
}

#[tokio::test]
async fn json_lines_and_credentials() {
    let (deployment, backend) = start(credentials()).await;
    let good = key(9).public();
    let lines = format!(
        "{}\n{}\n{}\n",
        json!({"voter_id": good, "weight": 2}),
        json!({"voter_id": "alice"}),
        json!({"voter_id": good, "more": 1})
    );
    let dry = send_to(
        &backend,
        "?dry_run=true",
        "application/x-ndjson",
        lines.clone().into(),
    );
    let (status, answer) = dry.await;
    assert_eq!(status, 200, "{answer}");
    let first = json!({"line": 1, "voter_id": good, "weight": 2, "realm": "credential"});
    assert_eq!(answer["preview"], json!([first]));
    let (status, answer) = send(&backend, "application/x-ndjson", lines.into()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        (&answer["added"], &answer["refused"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(entries(&deployment), 1);
}

/// A roll larger than any part of it that is in memory at once, in chunks that break lines anywhere.
#[tokio::test]
async fn a_long_roll_is_taken_in_parts_and_every_refused_line_reported() {
    const LINES: usize = 60_000;
    let (deployment, backend) = start(registrar_roll()).await;
    let mut text = String::new();
    for line in 0..LINES {
        match line % 10 {
            9 => text.push_str(&format!("voter-{line},0\n")),
            _ => text.push_str(&format!("voter-{line}\n")),
        }
    }
    let chunks: Vec<_> = text.as_bytes().chunks(997).map(<[u8]>::to_vec).collect();
    let chunks = stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>));
    let body = reqwest::Body::wrap_stream(chunks);
    let (status, answer) = send(&backend, "text/csv", body).await;
    assert_eq!(status, 200);
    assert_eq!(answer["added"], LINES - LINES / 10);
    assert_eq!(answer["refused"], LINES / 10);
    let lines = answer["refused_lines"].as_array().unwrap();
    assert_eq!(lines.len(), LINES / 10);
    assert_eq!(lines.last().unwrap()["line"], LINES);
    assert_eq!(entries(&deployment), LINES - LINES / 10);
    let spooled = std::fs::read_dir(&deployment.config.data).unwrap();
    let names: Vec<_> = spooled.map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.len() <= 5, "nothing is left behind: {names:?}");
}

/// A list of one column whose first voter is called as a head may be: nobody is lost without a word.
#[tokio::test]
async fn a_lone_word_is_a_head_or_a_voter_as_it_is_said() {
    let (deployment, backend) = start(registrar_roll()).await;
    let csv = "user\nada\n";
    let (status, answer) = send(&backend, "text/csv", csv.into()).await;
    assert_eq!((status, &answer["code"]), (422, &json!("invalid-roll")));
    let detail = answer["detail"].as_str().unwrap();
    for word in ["\"user\"", "head=true", "head=false", "no voter was added"] {
        assert!(detail.contains(word), "{detail}");
    }
    assert_eq!(entries(&deployment), 0);
    for (query, added) in [
        ("?head=true&dry_run=true", 1),
        ("?head=false&dry_run=true", 2),
    ] {
        let (status, answer) = send_to(&backend, query, "text/csv", csv.into()).await;
        assert_eq!(
            (status, &answer["would_add"]),
            (200, &json!(added)),
            "{query}: {answer}"
        );
    }
    // A word that only a head has.
    let (_, answer) = send(&backend, "text/csv", "voter_id\nada\n".into()).await;
    assert_eq!(answer["added"], 1, "{answer}");
}

/// Validators take what no block can hold, and never put it in one.
#[tokio::test]
async fn what_no_block_can_hold_is_split_or_refused() {
    let deployment = Deployment::with_blocks(64 << 10).await;
    deployment.create_election(registrar_roll()).await;
    let backend = deployment.start().await;
    let csv: String = (0..4_000).map(|n| format!("voter-{n}\n")).collect();
    let (status, answer) = send(&backend, "text/csv", csv.into()).await;
    assert_eq!((status, &answer["added"]), (200, &json!(4_000)), "{answer}");
    assert_eq!(entries(&deployment), 4_000);
    let wasm = vec![0; 70 << 10];
    let publishing = backend
        .http
        .post(format!("{}/api/admin/plugins", backend.url));
    let publishing = publishing.header("content-type", "application/wasm");
    let answer = publishing.bearer_auth(ADMIN_TOKEN).body(wasm).send();
    let answer = answer.await.unwrap();
    let status = answer.status();
    let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(
        (status.as_u16(), &answer["code"]),
        (413, &json!("too-large")),
        "{answer}"
    );
    assert!(
        answer["detail"]
            .as_str()
            .unwrap()
            .contains("at most 64508 bytes"),
        "{answer}"
    );
}

#[tokio::test]
async fn an_election_whose_fixed_roll_is_empty_is_not_opened() {
    let open = "/api/admin/elections/5/open";
    let admin = Some(ADMIN_TOKEN);
    let (deployment, backend) = start(registrar_roll()).await;
    let payload = Payload::OpenElection { election_id: 5 };
    let signed = hex::encode(by_authority(payload).to_bytes());
    let signed = json!({"transaction": format!("0x{signed}")});
    for (path, body) in [(open, json!({})), ("/api/admin/transactions", signed)] {
        let (status, problem) = backend.post(path, admin, body).await;
        assert_eq!(
            (status, &problem["code"]),
            (409, &json!("roll-empty")),
            "{problem}"
        );
    }
    let (_, election) = backend.get("/api/elections/5", None).await;
    assert_eq!(election["status"], "upcoming");
    let (status, answer) = send(&backend, "text/csv", "alice\n".into()).await;
    assert_eq!((status, &answer["added"]), (200, &json!(1)), "{answer}");
    assert_eq!(backend.post(open, admin, json!({})).await.0, 200);
    drop(deployment);
    // One that grows may begin with nobody.
    let (_deployment, backend) = start(credentials()).await;
    assert_eq!(backend.post(open, admin, json!({})).await.0, 200);
}
