//! How metrics are kept and answered: OpenMetrics, or Prometheus' older text for who does not ask for it.

use std::{fmt, time::Duration};

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus_client::{
    encoding::{
        DescriptorEncoder, EncodeMetric,
        text::{encode_eof, encode_registry},
    },
    metrics::{counter::ConstCounter, gauge::ConstGauge, histogram::Histogram},
    registry::{Registry, Unit},
};

const OPEN_METRICS: &str = "application/openmetrics-text";
const OPEN_METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the buckets of [`Durations`], in seconds.
const BUCKETS: [f64; 13] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
];

/// A histogram of how long something took. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Durations(Histogram);

impl Default for Durations {
    fn default() -> Self {
        Self(Histogram::new(BUCKETS))
    }
}

impl Durations {
    /// Counts one.
    pub fn observe(&self, took: Duration) {
        self.0.observe(took.as_secs_f64());
    }

    /// Shows it in `registry` as `name`, which its unit ends.
    pub fn register(&self, registry: &mut Registry, name: &str, help: &str) {
        registry.register_with_unit(name, help, Unit::Seconds, self.0.clone());
    }
}

/// Writes a gauge that a collector has just read.
pub fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: u64,
) -> fmt::Result {
    // The library refuses what its other format cannot hold.
    let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
    gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
}

/// Writes a counter that a collector has just read; `_total` ends its name.
pub fn counter(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: u64,
) -> fmt::Result {
    let counter = ConstCounter::new(value);
    counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)
}

/// The answer to a request with `headers` for metrics: those of `registry`, and after them `more`, which is
/// OpenMetrics without its end.
pub fn answer(headers: &HeaderMap, registry: &Registry, more: &str) -> Response {
    let mut text = String::new();
    if encode_registry(&mut text, registry).is_err() {
        return (
            StatusCode::INTERNAL_SERVER_ERROR,
            "the metrics cannot be written\n",
        )
            .into_response();
    }
    text.push_str(more);
    if !takes_open_metrics(headers) {
        return ([(header::CONTENT_TYPE, TEXT_TYPE)], older(&text)).into_response();
    }
    // Writing to a string does not fail.
    let _ = encode_eof(&mut text);
    ([(header::CONTENT_TYPE, OPEN_METRICS_TYPE)], text).into_response()
}

fn takes_open_metrics(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).into_iter();
    let mut kinds = accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    kinds.any(|kind| {
        let kind = kind.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case(OPEN_METRICS)
    })
}

/// The same in the older format, which names a family as its samples are named, and knows no units.
fn older(text: &str) -> String {
    let mut older = String::with_capacity(text.len() + text.len() / 16);
    // What a family is for stands before its type, which says how it is named.
    let mut help = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some((name, kind)) = family(line) {
            let (end, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                kind => ("", kind),
            };
            older += &format!("# HELP {name}{end} {help}\n# TYPE {name}{end} {kind}\n");
        } else if !line.starts_with('#') {
            older += line;
            older.push('\n');
        }
    }
    older
}

/// The name and the kind in a line that says what a family is.
fn family(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("# TYPE ")?.split_once(' ')
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    async fn asked(accept: Option<&'static str>, more: &str) -> (String, String) {
        let mut registry = Registry::with_prefix("t");
        let casts = Counter::<u64>::default();
        registry.register("casts", "Casts taken", casts.clone());
        casts.inc_by(3);
        let commit = Durations::default();
        commit.register(&mut registry, "commit", "One commit");
        commit.observe(Duration::from_millis(1_500));
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(header::ACCEPT, accept.parse().unwrap());
        }
        let answer = answer(&headers, &registry, more);
        let kind = answer.headers()[header::CONTENT_TYPE].to_str().unwrap();
        let kind = kind.to_owned();
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (kind, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn who_asks_for_openmetrics_gets_it_with_one_end() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let (kind, text) = asked(Some(prometheus), "engine_total 1\n").await;
        assert_eq!(kind, OPEN_METRICS_TYPE);
        let begins = "# HELP t_casts Casts taken.\n# TYPE t_casts counter\nt_casts_total 3\n\
            # HELP t_commit_seconds One commit.\n# TYPE t_commit_seconds histogram\n\
            # UNIT t_commit_seconds seconds\nt_commit_seconds_sum 1.5\nt_commit_seconds_count 1\n\
            t_commit_seconds_bucket{le=\"0.001\"} 0\n";
        assert!(text.starts_with(begins), "{text}");
        let ends = "{le=\"2.0\"} 1\nt_commit_seconds_bucket{le=\"5.0\"} 1\n\
            t_commit_seconds_bucket{le=\"10.0\"} 1\nt_commit_seconds_bucket{le=\"+Inf\"} 1\n\
            engine_total 1\n# EOF\n";
        assert!(text.ends_with(ends), "{text}");
        assert_eq!(text.matches("# EOF").count(), 1);
    }

    #[tokio::test]
    async fn others_get_the_older_text_in_which_counters_are_named_whole() {
        let more = "# HELP e About.\n# TYPE e info\ne_info{v=\"1\"} 1\n\
            # HELP u Odd.\n# TYPE u unknown\nu 2\n";
        for accept in [None, Some("*/*"), Some("text/plain;version=0.0.4")] {
            let (kind, text) = asked(accept, more).await;
            assert_eq!(kind, TEXT_TYPE);
            let begins = "# HELP t_casts_total Casts taken.\n# TYPE t_casts_total counter\n\
                t_casts_total 3\n# HELP t_commit_seconds One commit.\n\
                # TYPE t_commit_seconds histogram\nt_commit_seconds_sum 1.5\n";
            assert!(text.starts_with(begins), "{text}");
            let ends = "# HELP e_info About.\n# TYPE e_info gauge\ne_info{v=\"1\"} 1\n\
                # HELP u Odd.\n# TYPE u untyped\nu 2\n";
            assert!(text.ends_with(ends), "{text}");
        }
    }
}
