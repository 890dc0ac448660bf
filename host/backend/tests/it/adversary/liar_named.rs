//! A validator that was caught is named wherever operators look.

use tabella_testing::Lie;

use super::lying_validator::nearest;
use crate::{deployment::Running, log_lines};

/// How often a validator was caught, by the metrics.
async fn lies(backend: &Running, node_id: &str) -> u64 {
    let text = backend.http.get(format!("{}/metrics", backend.url));
    let text = text.send().await.unwrap().text().await.unwrap();
    let name = format!("tabella_backend_validator_lies_total{{node_id=\"{node_id}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
        .parse()
        .unwrap()
}

#[tokio::test]
async fn a_validator_that_was_caught_is_counted_logged_and_shown_with_the_reason() {
    log_lines::capture();
    let (deployment, _liar) = nearest(Lie::Certificates).await;
    let backend = deployment.start().await;
    log_lines::says("validator-1 was caught: ").await;
    log_lines::says("validator-1 is degraded: ").await;
    assert!(lies(&backend, "validator-1").await > 0);
    for honest in ["validator-2", "validator-3"] {
        assert_eq!(lies(&backend, honest).await, 0, "{honest}");
    }
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    let health = loop {
        let (_, health) = backend.get("/api/admin/validators/health", None).await;
        if health["summary"]["healthy"] == 2 {
            break health;
        }
        assert!(tokio::time::Instant::now() < deadline, "{health}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let [liar, honest, _] = &health["validators"].as_array().unwrap()[..] else {
        panic!("{health}");
    };
    assert_eq!(liar["status"], "degraded", "{health}");
    let problem = liar["problem"].as_str().unwrap_or_default();
    assert!(problem.contains("does not hold"), "{problem}");
    assert_eq!(honest["status"], "healthy", "{health}");
}
