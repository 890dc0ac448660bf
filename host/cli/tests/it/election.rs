//! `tabella election`: from a file to a certified result.

use serde_json::json;

use crate::network::{Network, eventually, ok, ranked_election, tabella};

#[tokio::test(flavor = "multi_thread")]
async fn an_election_runs_from_a_file_to_a_certified_result() {
    let network = Network::start(&["--validators", "3"]).await;
    let file = network.path("election.toml");
    let statement = r#"
        title = "Lunch"
        [[contests]]
        id = "lunch"
        title = "What do we eat?"
        rule = "plurality"
        options = [{ id = "soup", title = "Soup" }, { id = "bread" }]
    "#;
    std::fs::write(&file, statement).unwrap();
    let created = network.election(&["create", file.to_str().unwrap()]);
    let id = created["election_id"].as_u64().unwrap();
    let id_text = id.to_string();
    assert_eq!(created["status"], "upcoming");
    assert_eq!(network.election(&["open", &id_text])["status"], "open");

    // A second election shows that the rule is not published twice.
    let other = network.open_election(&ranked_election());
    assert_eq!(other, id + 1);

    let mut client = network.anonymous();
    for (index, choice) in ["soup", "bread", "soup"].into_iter().enumerate() {
        let token = network.voter_token(&format!("voter-{index}")).await;
        client.set_token(&token);
        let body = json!({"election_id": id, "ballot": {"choice": choice}});
        let answer = client.post("/api/votes/submit", &body).await.unwrap();
        let answer = ok(answer);
        assert_eq!(answer["status"], "confirmed", "{answer}");
        assert_eq!(answer["source"], "poa");
        assert!(answer["block_number"].is_u64(), "{answer}");
    }
    let before = network.election(&["results", &id_text]);
    assert_eq!(before["total_votes"], 3);
    assert_eq!(before["contests"][0]["winners"], json!([]), "{before}");

    assert_eq!(network.election(&["close", &id_text])["status"], "closed");
    let results = eventually("the result is certified", async || {
        let results = network.election(&["results", &id_text]);
        (results["status"] == "final").then_some(results)
    })
    .await;
    assert_eq!(results["verified"], true, "{results}");
    assert_eq!(results["contests"][0]["winners"], json!(["soup"]));
    assert_eq!(results["contests"][0]["options"][0]["votes"], 2);
    let listed = network.election(&["list"]);
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");

    let verified = network
        .anonymous()
        .post(
            &format!("/api/votes/verify-blockchain?election_id={id}"),
            &json!({}),
        )
        .await
        .unwrap();
    let verified = ok(verified);
    assert_eq!(verified["valid"], true, "{verified}");
    assert_eq!(verified["validators_agreeing"], 3, "{verified}");

    let refused = tabella()
        .args(["election", "close", &id_text, "--token", "wrong"])
        .args(["--backend", &network.ready.backend])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(message.contains("status 401"), "{message}");
}
