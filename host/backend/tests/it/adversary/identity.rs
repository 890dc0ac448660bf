//! Who may vote as whom, and what others learn of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::PermissionsExt,
};

use serde_json::{Value, json};
use tabella_protocol::{Hash, Payload, Transaction, TransactionBody, VoterId, rpc::RefusalCode};

use super::scene::{
    SUBMIT, account, cast_for, open, roll_parts, upload, vote, voters, with_credential,
    with_election,
};
use crate::{
    deployment::{ADMIN_TOKEN, Deployment, open_to_accounts, registrar_roll},
    fake::{Mood, key},
};

#[tokio::test]
async fn a_stranger_who_registers_a_name_of_a_roll_is_not_that_voter() {
    let deployment = Deployment::new().await;
    deployment.create_election(registrar_roll()).await;
    let backend = deployment.start().await;
    let stranger = account(&backend, "alice").await;
    let (status, answer) = upload(&backend, 5, "alice\nbob\n".into()).await;
    assert_eq!((status, &answer["added"]), (200, &json!(2)), "{answer}");
    open(&backend, 5).await;

    let roll: BTreeSet<VoterId> = roll_parts(&deployment)
        .concat()
        .iter()
        .map(|entry| entry.voter)
        .collect();
    let (_, answer) = vote(&backend, &stranger, 5).await;
    let cast = voters(&deployment);
    assert!(cast.iter().all(|voter| !roll.contains(voter)), "{answer}");
    // And she who is on the roll has her vote.
    let alice = backend.voter_token("alice").await;
    let (status, answer) = vote(&backend, &alice, 5).await;
    assert_eq!(status, 201, "{answer}");
    assert!(roll.contains(voters(&deployment).last().unwrap()));
}

#[tokio::test]
async fn no_stranger_votes_by_default() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let options = json!([{"id": "a"}, {"id": "b"}]);
    let contest = json!({"id": "c", "rule": deployment.plugin(), "options": options});
    let create = async |mut statement: Value| {
        statement["title"] = json!("Lunch");
        statement["contests"] = json!([contest]);
        let path = "/api/admin/elections";
        let (status, created) = backend.post(path, Some(ADMIN_TOKEN), statement).await;
        assert_eq!(status, 201, "{created}");
        let election_id = created["election_id"].as_u64().unwrap();
        open(&backend, election_id).await;
        election_id
    };
    let by_default = create(json!({})).await;
    let in_so_many_words = create(json!({"open_to": "accounts"})).await;
    for n in 0..5 {
        let stranger = account(&backend, &format!("stranger-{n}")).await;
        let (status, problem) = vote(&backend, &stranger, by_default).await;
        let code = &problem["code"];
        assert_eq!((status, code), (403, &json!("accounts-not-admitted")));
        let (status, answer) = vote(&backend, &stranger, in_so_many_words).await;
        assert_eq!(status, 201, "{answer}");
    }
    assert_eq!(voters(&deployment).len(), 5);
    // The administrator's token casts for any voter, as it did.
    assert_eq!(cast_for(&backend, by_default, "ada").await.0, 201);
}

#[tokio::test]
async fn accounts_and_registrars_voters_of_one_name_never_meet() {
    let (deployment, backend) = with_election(open_to_accounts()).await;
    let stranger = account(&backend, "alice").await;
    let alice = backend.voter_token("alice").await;
    let cast = async |token: &str| {
        let body = json!({
            "election_id": 5, "ballot": {"choice": "a"}, "transaction_id": "mine",
        });
        backend.post(SUBMIT, Some(token), body).await
    };
    let (status, of_alice) = cast(&alice).await;
    assert_eq!(status, 201, "{of_alice}");
    // The stranger neither sees the ballot of the voter of this name, nor stands in her way.
    let status = "/api/votes/status?election_id=5";
    let (_, voted) = backend.get(status, Some(&stranger)).await;
    assert_eq!(voted["has_voted"], false, "{voted}");
    let (_, history) = backend.get("/api/votes/history", Some(&stranger)).await;
    assert_eq!(history, json!([]));
    let by_name = "/api/votes/transaction-status?transaction_id=mine&election_id=5";
    assert_eq!(backend.get(by_name, Some(&stranger)).await.0, 404);
    let (status, of_stranger) = cast(&stranger).await;
    assert_eq!(status, 201, "{of_stranger}");
    assert_ne!(of_alice["voter"], of_stranger["voter"]);
    let voters: BTreeSet<VoterId> = voters(&deployment).into_iter().collect();
    assert_eq!(voters.len(), 2);
    for (token, own) in [(&alice, &of_alice), (&stranger, &of_stranger)] {
        let (_, history) = backend.get("/api/votes/history", Some(token)).await;
        assert_eq!(history.as_array().unwrap().len(), 1);
        assert_eq!(history[0]["voter"], own["voter"]);
        let (status, found) = backend.get(by_name, Some(token)).await;
        assert_eq!((status, &found["voter"]), (200, &own["voter"]));
    }
    // Not even registrars look into accounts' submissions by name.
    let (status, found) = backend.get(by_name, Some(ADMIN_TOKEN)).await;
    assert_eq!((status, &found["voter"]), (200, &of_alice["voter"]));
}

#[tokio::test]
async fn two_forms_of_one_id_are_one_voter() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    assert_eq!(cast_for(&backend, 1, "José").await.0, 201);
    for form in ["Jose\u{301}", " José", "José\t", "\u{a0}José\u{2003}"] {
        let (status, problem) = cast_for(&backend, 1, form).await;
        let code = &problem["code"];
        assert_eq!((status, code), (409, &json!("already-voted")), "{form:?}");
        let token = backend.voter_token(form).await;
        let (status, problem) = vote(&backend, &token, 1).await;
        let code = &problem["code"];
        assert_eq!((status, code), (409, &json!("already-voted")), "{form:?}");
    }
    for unseen in ["\u{feff}José", "Jo\u{200b}sé", "Jo\u{0}sé", "Jo\u{202e}sé"] {
        let (status, problem) = cast_for(&backend, 1, unseen).await;
        let pointer = &problem["pointer"];
        assert_eq!((status, pointer), (400, &json!("/voter_id")), "{unseen:?}");
        let body = json!({"voter_ids": ["bob", unseen]});
        let path = "/api/admin/voter-tokens";
        let (status, problem) = backend.post(path, Some(ADMIN_TOKEN), body).await;
        let pointer = &problem["pointer"];
        assert_eq!((status, pointer), (400, &json!("/voter_ids/1")));
    }
    assert_eq!(voters(&deployment).len(), 1);
}

#[tokio::test]
async fn a_transaction_id_is_a_name_within_its_voter() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let (alice, bob) = (
        backend.voter_token("alice").await,
        backend.voter_token("bob").await,
    );
    let cast = async |token: &str, id: &str| {
        let body = json!({"election_id": 1, "ballot": {"choice": "a"}, "transaction_id": id});
        backend.post(SUBMIT, Some(token), body).await
    };
    let (status, of_alice) = cast(&alice, "t1").await;
    assert_eq!(status, 201, "{of_alice}");
    let ask = async |path: &str, id: &str, token: Option<&str>| {
        let path = format!("/api/votes/{path}?transaction_id={id}");
        backend.get(&path, token).await
    };
    // An id that somebody uses and one that nobody uses look alike to others.
    for path in ["transaction-status", "receipt"] {
        for (token, expected) in [(None, 401), (Some(bob.as_str()), 404)] {
            let (used, unused) = (ask(path, "t1", token).await, ask(path, "t2", token).await);
            assert_eq!(used.0, expected, "{used:?}");
            assert_eq!(used, unused);
        }
    }
    let (status, of_bob) = cast(&bob, "t1").await;
    assert_eq!(status, 201, "{of_bob}");
    assert_eq!(cast(&alice, "t1").await, (200, of_alice.clone()));
    for (token, own) in [(&alice, &of_alice), (&bob, &of_bob)] {
        let (status, answer) = ask("transaction-status", "t1", Some(token)).await;
        assert_eq!(status, 200, "{answer}");
        let id = &own["chain_transaction_id"];
        assert_eq!(
            (&answer["chain_transaction_id"], &answer["voter"]),
            (id, &own["voter"])
        );
    }
    // A registrar names the voter where the id alone does not.
    let (status, problem) = ask("transaction-status", "t1", Some(ADMIN_TOKEN)).await;
    let code = &problem["code"];
    assert_eq!((status, code), (409, &json!("transaction-id-ambiguous")));
    let (status, answer) = ask("transaction-status", "t1&voter_id=bob", Some(ADMIN_TOKEN)).await;
    assert_eq!((status, &answer["voter"]), (200, &of_bob["voter"]));
    let (status, problem) = ask("transaction-status", "t1&voter_id=bob", Some(&alice)).await;
    let code = &problem["code"];
    assert_eq!((status, code), (403, &json!("cast-for-required")));
    // By the chain's id anybody learns what the chain shows, and not what the voter called it.
    let id = of_alice["chain_transaction_id"].as_str().unwrap();
    for token in [None, Some(bob.as_str())] {
        let (status, answer) = ask("transaction-status", id, token).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["transaction_id"], id);
        assert_eq!(
            (&answer["voter"], &answer["submitted_at"]),
            (&Value::Null, &Value::Null)
        );
    }
    let (_, answer) = ask("transaction-status", id, Some(&alice)).await;
    assert_eq!(answer["transaction_id"], "t1");
    assert!(answer["submitted_at"].is_string(), "{answer}");
}

#[tokio::test]
async fn who_repeats_a_credentials_ballot_does_not_learn_what_its_voter_called_it() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    // The canonical bytes of the ballot, which the election's own rule makes.
    assert_eq!(cast_for(&backend, 1, "anybody").await.0, 201);
    let voter = key(7);
    let entry = tabella_protocol::RollEntry {
        voter: VoterId::from(voter.public()),
        weight: 1,
    };
    deployment.extend_roll(4, vec![entry]);
    let payload = Payload::CastBallot {
        election_id: 4,
        voter: VoterId::from(voter.public()),
        ballots: deployment.ballots().remove(0),
    };
    let body = TransactionBody::new(77, 1_000, payload);
    let signed = Transaction::sign(body, &voter);
    let mut request = json!({
        "election_id": 4, "ballot": {"choice": "a"}, "credential": voter.public(),
        "signature": signed.signature, "nonce": signed.body.nonce, "expiry_height": 1_000,
    });
    let (own, other) = (
        backend.voter_token("own").await,
        backend.voter_token("other").await,
    );
    request["transaction_id"] = json!("mine");
    let (status, answer) = backend.post(SUBMIT, Some(&own), request.clone()).await;
    assert_eq!((status, &answer["transaction_id"]), (201, &json!("mine")));
    assert_eq!(answer["voter"], json!(voter.public()));
    let id = json!(signed.id());
    // (Who guesses it right is answered as its voter who asks again: with what it sent.)
    for guess in [None, Some("guess")] {
        request["transaction_id"] = json!(guess);
        let (status, answer) = backend.post(SUBMIT, Some(&other), request.clone()).await;
        assert_eq!((status, &answer["transaction_id"]), (200, &id), "{answer}");
    }
}

#[tokio::test]
async fn two_voters_who_chose_alike_are_given_ballots_of_their_own() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let mut told = BTreeMap::new();
    for name in ["alice", "bob"] {
        let token = backend.voter_token(name).await;
        let (status, answer) = vote(&backend, &token, 1).await;
        assert_eq!(status, 201, "{answer}");
        // The same pseudonym wherever the voter asks, so that a receipt of another is noticed.
        let path = "/api/votes/status?election_id=1";
        let (_, voted) = backend.get(path, Some(&token)).await;
        assert_eq!(voted["vote"]["voter"], answer["voter"]);
        let voter: VoterId = answer["voter"].as_str().unwrap().parse().unwrap();
        let id = answer["chain_transaction_id"].as_str().unwrap().to_owned();
        assert_eq!(told.insert(voter, id), None, "two voters, one pseudonym");
    }
    assert!(
        voters(&deployment)
            .iter()
            .all(|voter| told.contains_key(voter))
    );
    let ids: BTreeSet<_> = told.values().collect();
    assert_eq!(ids.len(), 2, "two voters, one transaction");
}

#[tokio::test]
async fn refusals_name_no_pseudonyms_even_of_older_validators() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let pseudonym = VoterId([0xab; 32]);
    for node in &deployment.nodes {
        let words = format!("voter {pseudonym} is not admitted");
        node.set_mood(Mood::Refuses(RefusalCode::NotOnRoll, words));
    }
    for _ in 0..2 {
        let (status, problem) = backend.cast("alice", "t1", "a").await;
        assert!((400..500).contains(&status), "{problem}");
        assert!(!problem.to_string().contains("abab"), "{problem}");
    }
    let recorded = backend.status("t1").await;
    assert_eq!(recorded["status"], "rejected");
    assert!(!recorded.to_string().contains("abab"), "{recorded}");
}

/// Nobody can put a voter's older ballot after its newer one, not even the backend.
#[tokio::test]
async fn a_voter_who_orders_its_ballots_is_not_reordered() {
    let deployment = Deployment::new().await;
    let voter = key(7);
    let (backend, ballots) = with_credential(&deployment, &voter).await;
    let token = backend.voter_token("anybody").await;
    let submit = async |sequence: u64| {
        let payload = Payload::CastBallot {
            election_id: 5,
            voter: VoterId::from(voter.public()),
            ballots: ballots.clone(),
        };
        let body = TransactionBody {
            nonce: sequence,
            sequence: Some(sequence),
            ..TransactionBody::new(77, 1_000, payload)
        };
        let signed = Transaction::sign(body, &voter);
        let request = json!({
            "election_id": 5, "ballot": {"choice": "a"}, "credential": voter.public(),
            "signature": signed.signature, "nonce": signed.body.nonce, "sequence": sequence,
            "expiry_height": 1_000,
        });
        let (status, answer) = backend.post(SUBMIT, Some(&token), request).await;
        (status, answer["code"].as_str().map(str::to_owned))
    };
    assert_eq!(submit(5).await, (201, None));
    let superseded = Some("superseded".to_owned());
    assert_eq!(submit(4).await, (409, superseded.clone()));
    assert_eq!(submit(6).await, (201, None));
    assert_eq!(submit(5).await, (200, None), "a repeat, not a new ballot");
    assert_eq!(submit(4).await, (409, superseded));
}

/// A credential is public: naming it with a signature of nobody uses up nothing of its holder's, and tells
/// nothing of what the holder cast.
#[tokio::test]
async fn a_credential_that_did_not_sign_costs_its_holder_nothing_and_tells_nothing() {
    let mut deployment = Deployment::new().await;
    deployment.config.rate_limits.revotes = tabella_backend::Rate {
        per_minute: 1,
        burst: 2,
    };
    let voter = key(7);
    let (backend, ballots) = with_credential(&deployment, &voter).await;
    let payload = Payload::CastBallot {
        election_id: 5,
        voter: VoterId::from(voter.public()),
        ballots,
    };
    let signed = Transaction::sign(TransactionBody::new(77, 1_000, payload), &voter);
    let request = |signature, name: &str| {
        json!({
            "election_id": 5, "ballot": {"choice": "a"}, "credential": voter.public(),
            "signature": signature, "nonce": signed.body.nonce, "expiry_height": 1_000,
            "transaction_id": name,
        })
    };
    let nobodys = tabella_protocol::Signature([1; 64]);
    let (own, stranger) = (
        backend.voter_token("own").await,
        backend.voter_token("stranger").await,
    );
    let as_stranger = async |name: &str| {
        let body = request(nobodys, name);
        let (status, problem) = backend.post(SUBMIT, Some(&stranger), body).await;
        (status, problem["code"].as_str().map(str::to_owned))
    };
    let unsigned = (422, Some("bad-signature".to_owned()));
    for n in 0..5 {
        assert_eq!(as_stranger(&format!("s{n}")).await, unsigned);
    }
    let (status, answer) = backend
        .post(SUBMIT, Some(&own), request(signed.signature, "mine"))
        .await;
    assert_eq!(status, 201, "{answer}");

    // Its own public transaction, sent again by a stranger, is no new ballot of its holder either.
    for n in 0..5 {
        let body = request(signed.signature, &format!("p{n}"));
        assert_eq!(backend.post(SUBMIT, Some(&stranger), body).await.0, 200);
    }
    deployment.close(5);
    backend.counted(5).await;
    for name in ["mine", "other"] {
        assert_eq!(as_stranger(name).await, unsigned);
    }
    let (status, answer) = backend
        .post(SUBMIT, Some(&own), request(signed.signature, "mine"))
        .await;
    assert_eq!(status, 200, "a repeat of the voter's own: {answer}");
}

/// With another secret voters have other pseudonyms, and could vote a second time; under another registrar key
/// what is acknowledged could not be signed again.
#[tokio::test]
async fn a_backend_does_not_start_with_other_keys_over_its_database() {
    let mut deployment = Deployment::new().await;
    let backend = deployment.start().await;
    assert_eq!(backend.cast("alice", "t1", "a").await.0, 201);
    backend.stop().await;
    let config = deployment.config.clone();
    let other = deployment.path().join("other");
    let secret = |text: String| {
        std::fs::write(&other, text).unwrap();
        std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    secret("n".repeat(64));
    deployment.config.master_secret_file = other.clone();
    let said = deployment.refused().await;
    assert!(said.contains("`master_secret_file`"), "{said}");
    deployment.config = config.clone();
    secret(Hash(key(9).to_seed()).to_string());
    deployment.config.registrar_key = other.clone();
    let said = deployment.refused().await;
    assert!(said.contains("`registrar_key`"), "{said}");
    deployment.config = config;
    let backend = deployment.start().await;
    assert_eq!(backend.cast("alice", "t1", "a").await.0, 200);
}
