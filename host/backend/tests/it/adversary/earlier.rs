//! Databases, tokens and rolls of before accounts and registrars' voters were told apart.

use hmac::{Hmac, KeyInit, Mac};
use redb::{Database, MultimapTableDefinition, ReadableDatabase, ReadableTable, TableDefinition};
use serde_json::json;
use sha2::Sha256;
use tabella_protocol::{Eligibility, Hash, RollChanges, RollEntry, VoterId};

use super::scene::{account, cast_for, open, upload, vote, voters};
use crate::{
    deployment::{Deployment, open_to_accounts},
    fake::{REGISTRAR, key},
};

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
    // The same roll again makes nobody a second voter.
    let (status, answer) = upload(&backend, 5, "José\nbob\n".into()).await;
    assert_eq!((status, &answer["added"]), (200, &json!(1)), "{answer}");
    assert_eq!(answer["refused_lines"][0]["line"], 1);
}
