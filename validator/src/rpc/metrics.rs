//! `GET /metrics`: what this node counted, and what is so at the moment of asking.

use std::{
    fmt::{self, Debug, Formatter},
    sync::Arc,
};

use axum::{
    extract::{RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, registry::Registry};
use tabella_consensus::Handle;
use tabella_http_server::metrics::{answer, counter, gauge};

use super::{Context, readiness::Readiness};

/// What answering needs.
#[derive(Clone)]
pub(super) struct Shown {
    context: Context,
    registry: Arc<Registry>,
}

impl Shown {
    /// All that the server of `context` shows.
    pub(super) fn new(context: &Context) -> Self {
        let mut registry = Registry::with_prefix("tabella");
        registry.register_collector(Box::new(Now(context.clone())));
        context.validator.metrics.register(&mut registry);
        context.validator.intake.register(&mut registry);
        context.server.register(&mut registry);
        Self {
            context: context.clone(),
            registry: Arc::new(registry),
        }
    }
}

/// `?engine=0` leaves out the metrics of the consensus engine, which are most of them.
pub(super) async fn metrics(
    State(shown): State<Shown>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let engine = match query.as_deref() {
        Some("engine=0") => None,
        _ => shown.context.consensus().map(Handle::metrics),
    };
    answer(&headers, &shown.registry, &engine.unwrap_or_default())
}

/// Gauges that are read at each scrape.
struct Now(Context);

impl Debug for Now {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Now").finish_non_exhaustive()
    }
}

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let context = &self.0;
        let consensus = context.consensus();
        let gauges = [
            (
                "height",
                "Height of the newest committed block.",
                context.tip.borrow().height,
            ),
            (
                "round",
                "Round of the height being decided.",
                consensus.map_or(0, Handle::round).into(),
            ),
            (
                "mempool_transactions",
                "Transactions waiting.",
                context.validator.intake.len() as u64,
            ),
            ("peers", "Validators connected.", context.peers().into()),
            (
                "signing",
                "1 while this node takes part in consensus.",
                context.is_signing().into(),
            ),
            (
                "ready",
                "1 while blocks come: a quorum is connected, and this node is one of it.",
                Readiness::of(context).is_ready.into(),
            ),
        ];
        for (name, help, value) in gauges {
            gauge(&mut encoder, name, help, value)?;
        }
        let counters = [
            (
                "consensus_messages_refused",
                "Consensus messages of peers that were malformed, forged or too many.",
                consensus.map_or(0, Handle::refused_messages),
            ),
            (
                "peers_cut_off",
                "Times that a peer was cut off because it sent too much.",
                consensus.map_or(0, Handle::peers_cut_off),
            ),
            (
                "rpc_busy",
                "JSON-RPC requests refused because too many waited.",
                context.bounded.refused(),
            ),
        ];
        for (name, help, value) in counters {
            counter(&mut encoder, name, help, value)?;
        }
        Ok(())
    }
}
