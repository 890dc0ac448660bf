//! Who may vote as whom, and what others learn of it.

use std::collections::{BTreeMap, BTreeSet};

use hmac::{Hmac, KeyInit, Mac};
use redb::{Database, MultimapTableDefinition, ReadableDatabase, ReadableTable, TableDefinition};
use serde_json::{Value, json};
use sha2::Sha256;
use tabella_protocol::{
    Eligibility, Hash, Payload, RollChanges, RollEntry, Transaction, TransactionBody, VoterId,
    rpc::RefusalCode,
};

use crate::{
    deployment::{ADMIN_TOKEN, Answer, Deployment, Running, open_to_accounts, registrar_roll},
    fake::{Mood, REGISTRAR, key},
};

const SUBMIT: &str = "/api/votes/submit";

/// Registers an account; its access token.
async fn account(backend: &Running, username: &str) -> String {
    let body = json!({"username": username, "password": "correct horse"});
    let (status, answer) = backend.post("/api/auth/register", None, body).await;
    assert_eq!(status, 201, "{answer}");
    answer["access_token"].as_str().unwrap().to_owned()
}

async fn vote(backend: &Running, token: &str, election_id: u64) -> Answer {
    let body = json!({"election_id": election_id, "ballot": {"choice": "a"}});
    backend.post(SUBMIT, Some(token), body).await
}

async fn cast_for(backend: &Running, election_id: u64, voter_id: &str) -> Answer {
    let body = json!({"election_id": election_id, "ballot": {"choice": "a"}, "voter_id": voter_id});
    backend.post(SUBMIT, Some(ADMIN_TOKEN), body).await
}

async fn upload(backend: &Running, election_id: u64, csv: String) -> Answer {
    let path = format!("/api/admin/elections/{election_id}/roll");
    let request = backend.http.post(format!("{}{path}", backend.url));
    let request = request.header("content-type", "text/csv");
    let response = request.bearer_auth(ADMIN_TOKEN).body(csv).send();
    let response = response.await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap())
}

async fn open(backend: &Running, election_id: u64) {
    let path = format!("/api/admin/elections/{election_id}/open");
    let (status, answer) = backend.post(&path, Some(ADMIN_TOKEN), json!({})).await;
    assert_eq!(status, 200, "{answer}");
}

fn payloads(deployment: &Deployment) -> Vec<Payload> {
    let chain = deployment.network.chain();
    let transactions = chain.blocks.iter().flat_map(|block| &block.transactions);
    let payloads = transactions.map(|bytes| Transaction::from_bytes(bytes).unwrap().body.payload);
    payloads.collect()
}

/// The voters of the ballots on the chain, in order.
fn voters(deployment: &Deployment) -> Vec<VoterId> {
    let payloads = payloads(deployment).into_iter();
    let voters = payloads.filter_map(|payload| match payload {
        Payload::CastBallot { voter, .. } => Some(voter),
        _ => None,
    });
    voters.collect()
}

/// The parts of rolls on the chain, in order.
fn roll_parts(deployment: &Deployment) -> Vec<Vec<RollEntry>> {
    let payloads = payloads(deployment).into_iter();
    let parts = payloads.filter_map(|payload| match payload {
        Payload::ExtendRoll { entries, .. } => Some(entries),
        _ => None,
    });
    parts.collect()
}

/// A running backend before an open election 5.
async fn with_election(eligibility: Eligibility) -> (Deployment, Running) {
    let deployment = Deployment::new().await;
    deployment.create_election(eligibility).await;
    let backend = deployment.start().await;
    open(&backend, 5).await;
    (deployment, backend)
}

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
async fn an_account_is_on_a_roll_only_where_the_roll_says_account() {
    let deployment = Deployment::new().await;
    deployment.create_election(registrar_roll()).await;
    let backend = deployment.start().await;
    let carol = account(&backend, "carol").await;
    let csv = "voter_id,weight,realm\ncarol,1,account\nlater,1,account\ncarol,1,registrar\n";
    let (status, answer) = upload(&backend, 5, csv.into()).await;
    assert_eq!((status, &answer["added"]), (200, &json!(2)), "{answer}");
    // Whoever registers the name later would have the vote.
    assert_eq!(answer["refused_lines"][0]["line"], 3);
    open(&backend, 5).await;
    let (status, answer) = vote(&backend, &carol, 5).await;
    assert_eq!(status, 201, "{answer}");
    let roll = roll_parts(&deployment).concat();
    let voter = *voters(&deployment).last().unwrap();
    assert!(roll.iter().any(|entry| entry.voter == voter));
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
async fn two_forms_of_one_id_are_one_line_of_a_roll() {
    let deployment = Deployment::new().await;
    deployment.create_election(registrar_roll()).await;
    let backend = deployment.start().await;
    let csv = "\u{feff}José\nJose\u{301}\n\" José \"\nJo\u{200b}sé\nbob\n";
    let (status, answer) = upload(&backend, 5, csv.into()).await;
    assert_eq!((status, &answer["added"]), (200, &json!(2)), "{answer}");
    let refused = answer["refused_lines"].as_array().unwrap().iter();
    let lines: BTreeSet<_> = refused.map(|line| line["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [2, 3, 4].into());
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
    let entry = RollEntry {
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
async fn the_order_of_a_roll_tells_nothing_of_its_file() {
    const VOTERS: usize = 12_001;
    let deployment = Deployment::new().await;
    deployment.create_election(registrar_roll()).await;
    let backend = deployment.start().await;
    let csv: String = (0..VOTERS).map(|n| format!("voter-{n}\n")).collect();
    let (status, answer) = upload(&backend, 5, csv).await;
    assert_eq!(
        (status, &answer["added"]),
        (200, &json!(VOTERS)),
        "{answer}"
    );
    let parts = roll_parts(&deployment);
    let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
    assert_eq!(sizes, [4_001, 4_000, 4_000]);
    let voters: Vec<VoterId> = parts.concat().iter().map(|entry| entry.voter).collect();
    assert!(voters.is_sorted(), "the file's order shows");
}

#[tokio::test]
async fn a_weight_that_few_share_is_pointed_out_to_the_officer() {
    let deployment = Deployment::new().await;
    deployment.create_election(registrar_roll()).await;
    let backend = deployment.start().await;
    let mut csv = "rich,1000\n".to_owned();
    csv.extend((0..9).map(|n| format!("voter-{n}\n")));
    let (_, answer) = upload(&backend, 5, csv).await;
    let weights = json!([{"weight": 1, "voters": 9}, {"weight": 1000, "voters": 1}]);
    assert_eq!(answer["weights"], weights);
    let warning = answer["warning"].as_str().unwrap();
    assert!(
        warning.starts_with("1 voters have a weight that fewer than 5 share"),
        "{warning}"
    );
}

#[tokio::test]
async fn refusals_name_no_pseudonyms_even_of_older_validators() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let pseudonym = VoterId([0xab; 32]);
    for (n, code) in [RefusalCode::NotOnRoll, RefusalCode::AlreadyVoted]
        .into_iter()
        .enumerate()
    {
        for node in &deployment.nodes {
            let words = format!("voter {pseudonym} is not admitted");
            node.set_mood(Mood::Refuses(code, words));
        }
        let id = format!("t{n}");
        for _ in 0..2 {
            let (status, problem) = backend.cast("alice", &id, "a").await;
            assert!((400..500).contains(&status), "{problem}");
            assert!(!problem.to_string().contains("abab"), "{problem}");
        }
        let recorded = backend.status(&id).await;
        assert_eq!(recorded["status"], "rejected");
        assert!(!recorded.to_string().contains("abab"), "{recorded}");
    }
}

#[tokio::test]
async fn a_roll_is_fixed_once_voting_begins_unless_the_election_says_that_it_grows() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let contest = json!({
        "id": "c", "rule": deployment.plugin(), "options": [{"id": "a"}, {"id": "b"}],
    });
    for (wish, expected) in [
        (json!({"eligibility": "credentials"}), RollChanges::Fixed),
        (json!({"eligibility": "registrar_roll"}), RollChanges::Fixed),
        (
            json!({"eligibility": "registrar_roll", "roll": "grows"}),
            RollChanges::Grows,
        ),
    ] {
        let mut statement = wish.clone();
        statement["title"] = json!("Lunch");
        statement["contests"] = json!([contest]);
        let path = "/api/admin/elections";
        let (status, created) = backend.post(path, Some(ADMIN_TOKEN), statement).await;
        assert_eq!(status, 201, "{created}");
        let Some(Payload::CreateElection(spec)) = payloads(&deployment).pop() else {
            panic!("expected an election");
        };
        assert_eq!(spec.eligibility.roll(), Some(expected), "{wish}");
    }
}

/// As `MasterSecret` of the version before derived the pseudonyms of voters.
fn pseudonym_of_before(deployment: &Deployment, election_id: u64, voter_id: &str) -> VoterId {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice("m".repeat(64).as_bytes()).unwrap();
    mac.update(b"tabella/master-secret/v1");
    let genesis: Hash = deployment.network.genesis.hash();
    for part in [
        b"election".as_slice(),
        &genesis.0,
        &election_id.to_be_bytes(),
    ] {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    VoterId::pseudonym(&mac.finalize().into_bytes().into(), voter_id)
}

/// Makes the database of a stopped backend one of the version before.
fn downgrade(deployment: &Deployment) {
    const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
    const ELECTIONS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("elections");
    const BEFORE: TableDefinition<'_, &str, u64> = TableDefinition::new("client_ids");
    const NAMED: TableDefinition<'_, (&[u8; 32], &str), u64> =
        TableDefinition::new("voter_client_ids");
    const BY_REGISTRAR: MultimapTableDefinition<'_, &str, u64> =
        MultimapTableDefinition::new("registrar_client_ids");
    let path = deployment.config.data.join("backend.redb");
    let database = Database::open(path).unwrap();
    let read = database.begin_read().unwrap();
    let named = read.open_table(NAMED).unwrap();
    let names: Vec<(String, u64)> = named
        .iter()
        .unwrap()
        .map(|row| {
            let (name, sequence) = row.unwrap();
            (name.value().1.to_owned(), sequence.value())
        })
        .collect();
    let write = database.begin_write().unwrap();
    {
        let mut meta = write.open_table(META).unwrap();
        meta.insert("version", [2].as_slice()).unwrap();
        // It kept what it saw of elections.
        let mut elections = write.open_table(ELECTIONS).unwrap();
        for election_id in deployment.network.elections.lock().unwrap().keys() {
            elections.insert(election_id, [].as_slice()).unwrap();
        }
        let mut before = write.open_table(BEFORE).unwrap();
        for (name, sequence) in names {
            before.insert(name.as_str(), sequence).unwrap();
        }
    }
    write.delete_table(NAMED).unwrap();
    write.delete_multimap_table(BY_REGISTRAR).unwrap();
    write.commit().unwrap();
}

#[tokio::test]
async fn registrars_voters_have_the_pseudonyms_that_they_always_had() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    assert_eq!(cast_for(&backend, 1, "alice").await.0, 201);
    let expected = pseudonym_of_before(&deployment, 1, "alice");
    assert_eq!(voters(&deployment), [expected]);
}

#[tokio::test]
async fn a_database_of_before_goes_on_and_lets_no_new_stranger_in() {
    let deployment = Deployment::new().await;
    let backend = deployment.start().await;
    let early = account(&backend, "early").await;
    let other = account(&backend, "other").await;
    let (status, first) = backend.cast("early", "t1", "a").await;
    assert_eq!(status, 201, "{first}");
    backend.stop().await;
    downgrade(&deployment);
    let backend = deployment.start().await;

    // One who had an account then is the voter whom its name meant, and votes once.
    let (status, problem) = vote(&backend, &early, 1).await;
    assert_eq!((status, &problem["code"]), (409, &json!("already-voted")));
    let (_, history) = backend.get("/api/votes/history", Some(&early)).await;
    assert_eq!(history[0]["transaction_id"], "t1", "{history}");
    let (status, answer) = vote(&backend, &other, 1).await;
    assert_eq!(status, 201, "{answer}");
    let expected = pseudonym_of_before(&deployment, 1, "other");
    assert_eq!(voters(&deployment).last(), Some(&expected));
    // Names of submissions are found as before, and repeated as before.
    assert_eq!(backend.status("t1").await["status"], "confirmed");
    assert_eq!(backend.cast("early", "t1", "a").await, (200, first));

    let late = account(&backend, "late").await;
    let (status, problem) = vote(&backend, &late, 1).await;
    let code = &problem["code"];
    assert_eq!((status, code), (403, &json!("accounts-not-admitted")));
    // In what is created from now on, the early account is no registrar's voter either.
    deployment.create_election(open_to_accounts()).await;
    open(&backend, 5).await;
    assert_eq!(vote(&backend, &early, 5).await.0, 201);
    let alike = pseudonym_of_before(&deployment, 5, "early");
    assert_ne!(voters(&deployment).last(), Some(&alike));
}

#[tokio::test]
async fn voters_of_a_roll_of_before_are_known_whatever_form_their_id_comes_in() {
    let deployment = Deployment::new().await;
    let grows = Eligibility::RegistrarRoll {
        registrar: key(REGISTRAR).public(),
        roll: RollChanges::Grows,
    };
    deployment.create_election(grows).await;
    let backend = deployment.start().await;
    // As the version before put them there: byte by byte as they came.
    let (jose, unseen) = ("Jose\u{301}", "Ma\u{200d}ry");
    let entries = [jose, unseen].map(|voter_id| RollEntry {
        voter: pseudonym_of_before(&deployment, 5, voter_id),
        weight: 1,
    });
    deployment.extend_roll(5, entries.to_vec());
    open(&backend, 5).await;
    let height = deployment.network.chain().blocks.len() as u64;
    backend
        .until_reconciliation(|answer| {
            answer["local_ledger"]["mirrored_height"].as_u64() >= Some(height)
        })
        .await;
    // So that the database knows it.
    assert_eq!(backend.get("/api/elections/5", None).await.0, 200);
    backend.stop().await;
    downgrade(&deployment);
    let backend = deployment.start().await;

    let (status, answer) = cast_for(&backend, 5, "José").await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(voters(&deployment).last(), Some(&entries[0].voter));
    for form in [jose, "José"] {
        let (status, problem) = cast_for(&backend, 5, form).await;
        let code = &problem["code"];
        assert_eq!((status, code), (409, &json!("already-voted")), "{form:?}");
    }
    let (status, answer) = cast_for(&backend, 5, unseen).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(voters(&deployment).last(), Some(&entries[1].voter));
}
