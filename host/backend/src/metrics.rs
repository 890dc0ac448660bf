//! What a backend counts where it happens, each backend for itself.

use std::{fmt, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};
use tabella_http_server::metrics::Durations;

/// What a submission's answer said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Confirmed,
    Pending,
    Local,
    Recorded,
    Refused,
    Failed,
}

const ANSWERS: [Answer; 6] = [
    Answer::Confirmed,
    Answer::Pending,
    Answer::Local,
    Answer::Recorded,
    Answer::Refused,
    Answer::Failed,
];

impl EncodeLabelValue for Answer {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let name = match self {
            Self::Confirmed => "confirmed",
            Self::Pending => "pending",
            Self::Local => "local",
            Self::Recorded => "recorded",
            Self::Refused => "refused",
            Self::Failed => "failed",
        };
        name.encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    answer: Answer,
}

/// Counters and durations, updated by the code that they count.
#[derive(Default)]
pub(crate) struct Metrics {
    submissions: Family<Answered, Counter>,
    submission_time: Durations,
    commit_time: Durations,
    commit_writes: Counter,
    /// Requests refused because too many came.
    pub(crate) rate_limited: Counter,
    /// Clients that read events too slowly.
    pub(crate) event_subscribers_dropped: Counter,
    /// Re-checks of the chain that began.
    pub(crate) verifications: Counter,
}

impl Metrics {
    /// A submission was answered.
    pub(crate) fn submission(&self, answer: Answer, time: Duration) {
        self.submissions.get_or_create(&Answered { answer }).inc();
        self.submission_time.observe(time);
    }

    /// The database committed a group of writes.
    pub(crate) fn database_commit(&self, writes: usize, time: Duration) {
        self.commit_writes.inc_by(writes as u64);
        self.commit_time.observe(time);
    }

    /// Shows all of it in `registry`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        // Shown before the first of its kind: what appears with a 1 has not risen for Prometheus.
        for answer in ANSWERS {
            drop(self.submissions.get_or_create(&Answered { answer }));
        }
        registry.register(
            "submissions",
            "Submissions answered, by answer",
            self.submissions.clone(),
        );
        self.submission_time.register(
            registry,
            "submission",
            "Time from a submission's arrival to its answer",
        );
        self.commit_time.register(
            registry,
            "database_commit",
            "Time of one durable commit of the database",
        );
        let counters = [
            (
                "database_writes",
                "Writes in all commits",
                &self.commit_writes,
            ),
            (
                "rate_limited",
                "Requests refused because an account or address asked too often",
                &self.rate_limited,
            ),
            (
                "event_subscribers_dropped",
                "Clients that read the events too slowly",
                &self.event_subscribers_dropped,
            ),
            (
                "verifications",
                "Re-checks of the chain that were run, each for all who asked meanwhile",
                &self.verifications,
            ),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn shown(metrics: &Metrics) -> String {
        let mut registry = Registry::with_prefix("tabella_backend");
        metrics.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn every_answer_is_shown_before_it_is_given_and_backends_do_not_share_counts() {
        let (one, other) = (Metrics::default(), Metrics::default());
        one.submission(Answer::Confirmed, Duration::from_millis(3));
        one.database_commit(7, Duration::from_millis(2));
        let text = shown(&one);
        for line in [
            "tabella_backend_submissions_total{answer=\"confirmed\"} 1\n",
            "tabella_backend_submissions_total{answer=\"failed\"} 0\n",
            "tabella_backend_submission_seconds_count 1\n",
            "tabella_backend_database_commit_seconds_sum 0.002\n",
            "tabella_backend_database_writes_total 7\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        let confirmed = "tabella_backend_submissions_total{answer=\"confirmed\"} 0\n";
        assert!(shown(&other).contains(confirmed));
    }
}
