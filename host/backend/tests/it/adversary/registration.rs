//! Strangers who make accounts.

use serde_json::json;
use tabella_backend::{Rate, Registration};

use crate::deployment::{Deployment, Running};

const STRANGER: &str = "192.0.2.1";
const OTHER: &str = "198.51.100.9";

async fn register(backend: &Running, address: &str, name: &str) -> u16 {
    let request = backend
        .http
        .post(format!("{}/api/auth/register", backend.url));
    let request = request.header("x-forwarded-for", address);
    let body = json!({"username": name, "password": "correct horse"});
    request.json(&body).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn one_address_makes_a_bounded_number_of_accounts() {
    const ACCOUNTS: u32 = 5;
    let mut deployment = Deployment::new().await;
    deployment.config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    deployment.config.rate_limits.address_logins = Rate {
        per_minute: 1,
        burst: ACCOUNTS,
    };
    let backend = deployment.start().await;
    for n in 0..ACCOUNTS {
        assert_eq!(register(&backend, STRANGER, &format!("s{n}")).await, 201);
    }
    for n in 0..3 {
        assert_eq!(register(&backend, STRANGER, &format!("t{n}")).await, 429);
    }
    assert_eq!(register(&backend, OTHER, "alice").await, 201);
}

#[test]
fn nobody_registers_where_the_configuration_says_nothing() {
    assert_eq!(Registration::default(), Registration::Closed);
}
