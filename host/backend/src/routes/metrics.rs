//! `GET /metrics`: what this backend counted, and what is so at the moment of asking.

use std::{
    fmt::{self, Debug, Formatter},
    sync::Arc,
};

use axum::{Extension, http::HeaderMap, response::Response};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter},
    registry::Registry,
};
use tabella_http_server::metrics::{answer, gauge};

use crate::app::App;

/// Counters, gauges and timings, for Prometheus
///
/// As OpenMetrics for who asks for it by `accept`, and in Prometheus' older text format otherwise.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operation",
    operation_id = "metrics",
    responses(
        (status = 200, description = "Metrics", content(
            (String = "application/openmetrics-text"),
            (String = "text/plain")
        ))
    ),
)]
pub(crate) async fn metrics(
    Extension(registry): Extension<Arc<Registry>>,
    headers: HeaderMap,
) -> Response {
    answer(&headers, &registry, "")
}

/// All that a backend shows.
pub(crate) fn registry(app: &Arc<App>) -> Registry {
    let mut registry = Registry::with_prefix("tabella_backend");
    app.metrics.register(&mut registry);
    registry.register_collector(Box::new(Now(Arc::clone(app))));
    app.server.register(&mut registry);
    registry
}

/// Gauges that are read at each scrape.
struct Now(Arc<App>);

impl Debug for Now {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Now").finish_non_exhaustive()
    }
}

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        self.service(encoder)?;
        self.ballots(encoder)?;
        self.chain(encoder)?;
        self.edge(encoder)
    }
}

impl Now {
    /// Who takes ballots.
    fn service(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let now = self.0.levels.look();
        gauge(
            encoder,
            "validators_healthy",
            "Validators of the chain's current set that are healthy.",
            now.seen.healthy as u64,
        )?;
        gauge(
            encoder,
            "validators",
            "Validators of the chain's current set.",
            now.seen.members as u64,
        )?;
        gauge(
            encoder,
            "validators_needed",
            "Validators of the chain's current set that decide a block.",
            now.seen.threshold as u64,
        )?;
        gauge(
            encoder,
            "level",
            "Who takes a ballot: 1 the whole network, 2 a part, 3 the local ledger, 4 the database, 0 nobody.",
            now.service.level.number().into(),
        )?;
        gauge(
            encoder,
            "level_since_seconds",
            "Unix time since when the level is this one.",
            now.level_since_ms / 1_000,
        )?;
        gauge(
            encoder,
            "quorum",
            "Whether the network confirms ballots.",
            now.has_quorum().into(),
        )?;
        gauge(
            encoder,
            "quorum_since_seconds",
            "Unix time since when there is a quorum, or none.",
            now.quorum_since_ms / 1_000,
        )?;
        if let Some(age) = now.seen.block_age {
            gauge(
                encoder,
                "last_block_age_seconds",
                "How long ago the newest verified block came.",
                age.as_secs(),
            )?;
        }
        gauge(
            encoder,
            "database_healthy",
            "Whether the last write of the database succeeded.",
            now.seen.has_database.into(),
        )
    }

    /// What waits.
    fn ballots(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (pending, ledger) = (&self.0.pending, self.0.local.view());
        gauge(
            encoder,
            "pending_submissions",
            "Submissions recorded and not settled on the chain.",
            pending.len() as u64,
        )?;
        gauge(
            encoder,
            "oldest_pending_seconds",
            "How long the oldest of them has waited.",
            self.0.oldest_pending_s(),
        )?;
        gauge(
            encoder,
            "local_ledger_healthy",
            "Whether the local ledger takes ballots while no validator does, and each of its blocks reads.",
            (ledger.is_healthy() && !self.0.outbox.reconciliation().is_damaged()).into(),
        )?;
        gauge(
            encoder,
            "local_ledger_ballots",
            "Ballots in the local ledger, settled ones included.",
            ledger.ballots,
        )
    }

    fn chain(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        gauge(
            encoder,
            "chain_height",
            "Newest verified block.",
            self.0.height(),
        )?;
        gauge(
            encoder,
            "proven_height",
            "Newest block that was executed here; everything is shown as of it.",
            self.0.follower.tip().height,
        )?;
        let mut lies = encoder.encode_descriptor(
            "validator_lies",
            "Answers of a validator that were disproved.",
            None,
            MetricType::Counter,
        )?;
        for validator in self.0.client.health().validators {
            let liar = Liar {
                node_id: escaped(&validator.endpoint.node_id),
            };
            ConstCounter::new(validator.lies).encode(lies.encode_family(&liar)?)?;
        }
        Ok(())
    }

    fn edge(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        gauge(
            encoder,
            "event_subscribers",
            "Clients that follow the events.",
            self.0.events.subscribers() as u64,
        )?;
        gauge(
            encoder,
            "streams",
            "Exports and whole boards being sent.",
            self.0.streams.taken() as u64,
        )
    }
}

#[derive(Debug, EncodeLabelSet)]
struct Liar {
    node_id: String,
}

/// A text as it stands between a label's marks.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    text.replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_end_its_label() {
        assert_eq!(escaped("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
    }
}
