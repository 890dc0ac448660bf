//! Counters of this process, in the Prometheus text format.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tabella_outbox::level::Now;

/// Upper bounds of the latency histogram, in milliseconds.
const BUCKETS_MS: [u64; 12] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];

struct Histogram {
    buckets: [AtomicU64; BUCKETS_MS.len()],
    count: AtomicU64,
    sum_us: AtomicU64,
}

impl Histogram {
    const fn new() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; BUCKETS_MS.len()],
            count: AtomicU64::new(0),
            sum_us: AtomicU64::new(0),
        }
    }

    fn observe(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        for (bucket, bound) in self.buckets.iter().zip(BUCKETS_MS) {
            if micros <= bound * 1_000 {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(micros, Ordering::Relaxed);
    }

    fn render(&self, name: &str, help: &str, text: &mut String) {
        let count = self.count.load(Ordering::Relaxed);
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} histogram");
        for (bucket, bound_ms) in self.buckets.iter().zip(BUCKETS_MS) {
            let bound = Duration::from_millis(bound_ms).as_secs_f64();
            let value = bucket.load(Ordering::Relaxed);
            let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {value}");
        }
        let sum = Duration::from_micros(self.sum_us.load(Ordering::Relaxed)).as_secs_f64();
        let _ = writeln!(
            text,
            "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}"
        );
    }
}

/// What a submission's answer said.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    Confirmed,
    Pending,
    Local,
    Recorded,
    Refused,
    Failed,
}

const ANSWERS: [(Answer, &str); 6] = [
    (Answer::Confirmed, "confirmed"),
    (Answer::Pending, "pending"),
    (Answer::Local, "local"),
    (Answer::Recorded, "recorded"),
    (Answer::Refused, "refused"),
    (Answer::Failed, "failed"),
];

static SUBMISSIONS: [AtomicU64; ANSWERS.len()] = [const { AtomicU64::new(0) }; ANSWERS.len()];
static SUBMISSION_TIME: Histogram = Histogram::new();
static COMMIT_TIME: Histogram = Histogram::new();
static COMMIT_WRITES: AtomicU64 = AtomicU64::new(0);
static RATE_LIMITED: AtomicU64 = AtomicU64::new(0);
static EVENT_SUBSCRIBERS_DROPPED: AtomicU64 = AtomicU64::new(0);
static VERIFICATIONS: AtomicU64 = AtomicU64::new(0);

/// A submission was answered.
pub(crate) fn submission(answer: Answer, time: Duration) {
    SUBMISSIONS[answer as usize].fetch_add(1, Ordering::Relaxed);
    SUBMISSION_TIME.observe(time);
}

/// The database committed a group of writes.
pub(crate) fn database_commit(writes: usize, time: Duration) {
    COMMIT_WRITES.fetch_add(writes as u64, Ordering::Relaxed);
    COMMIT_TIME.observe(time);
}

/// A request was refused because too many came.
pub(crate) fn rate_limited() {
    RATE_LIMITED.fetch_add(1, Ordering::Relaxed);
}

/// A client read events too slowly.
pub(crate) fn event_subscriber_dropped() {
    EVENT_SUBSCRIBERS_DROPPED.fetch_add(1, Ordering::Relaxed);
}

/// A re-check of the chain began.
pub(crate) fn verification() {
    VERIFICATIONS.fetch_add(1, Ordering::Relaxed);
}

/// Values read at the moment of asking.
pub(crate) struct Gauges {
    pub(crate) pending: usize,
    /// Seconds that the oldest of them has waited.
    pub(crate) oldest_pending_s: u64,
    pub(crate) now: Now,
    pub(crate) height: u64,
    pub(crate) proven_height: u64,
    pub(crate) local_ledger_healthy: bool,
    pub(crate) local_ledger_ballots: u64,
    pub(crate) event_subscribers: usize,
    pub(crate) streams: usize,
    /// How often each validator was caught lying, by its name.
    pub(crate) lies: Vec<(String, u64)>,
}

/// Everything, as text.
#[expect(clippy::too_many_lines, reason = "one block for each metric")]
pub(crate) fn render(gauges: &Gauges) -> String {
    let mut text = String::from(
        "# HELP tabella_backend_submissions_total Submissions answered, by answer.\n\
         # TYPE tabella_backend_submissions_total counter\n",
    );
    for (answer, name) in ANSWERS {
        let value = SUBMISSIONS[answer as usize].load(Ordering::Relaxed);
        let _ = writeln!(
            text,
            "tabella_backend_submissions_total{{answer=\"{name}\"}} {value}"
        );
    }
    SUBMISSION_TIME.render(
        "tabella_backend_submission_seconds",
        "Time from a submission's arrival to its answer.",
        &mut text,
    );
    COMMIT_TIME.render(
        "tabella_backend_database_commit_seconds",
        "Time of one durable commit of the database.",
        &mut text,
    );
    let gauge = |text: &mut String, name: &str, kind: &str, help: &str, value: u64| {
        let _ = writeln!(
            text,
            "# HELP tabella_backend_{name} {help}\n# TYPE tabella_backend_{name} {kind}\ntabella_backend_{name} {value}"
        );
    };
    gauge(
        &mut text,
        "database_writes_total",
        "counter",
        "Writes in all commits.",
        COMMIT_WRITES.load(Ordering::Relaxed),
    );
    gauge(
        &mut text,
        "pending_submissions",
        "gauge",
        "Submissions recorded and not settled on the chain.",
        gauges.pending as u64,
    );
    gauge(
        &mut text,
        "oldest_pending_seconds",
        "gauge",
        "How long the oldest of them has waited.",
        gauges.oldest_pending_s,
    );
    gauge(
        &mut text,
        "validators_healthy",
        "gauge",
        "Validators of the chain's current set that are healthy.",
        gauges.now.seen.healthy as u64,
    );
    gauge(
        &mut text,
        "validators",
        "gauge",
        "Validators of the chain's current set.",
        gauges.now.seen.members as u64,
    );
    gauge(
        &mut text,
        "level",
        "gauge",
        "Who takes a ballot: 1 the whole network, 2 a part, 3 the local ledger, 4 the database, 0 nobody.",
        u64::from(gauges.now.service.level.number()),
    );
    gauge(
        &mut text,
        "level_since_seconds",
        "gauge",
        "Unix time since when the level is this one.",
        gauges.now.level_since_ms / 1_000,
    );
    gauge(
        &mut text,
        "quorum",
        "gauge",
        "Whether the network confirms ballots.",
        u64::from(gauges.now.has_quorum()),
    );
    gauge(
        &mut text,
        "quorum_since_seconds",
        "gauge",
        "Unix time since when there is a quorum, or none.",
        gauges.now.quorum_since_ms / 1_000,
    );
    if let Some(age) = gauges.now.seen.block_age {
        gauge(
            &mut text,
            "last_block_age_seconds",
            "gauge",
            "How long ago the newest verified block came.",
            age.as_secs(),
        );
    }
    gauge(
        &mut text,
        "chain_height",
        "gauge",
        "Newest verified block.",
        gauges.height,
    );
    gauge(
        &mut text,
        "proven_height",
        "gauge",
        "Newest block that was executed here; everything is shown as of it.",
        gauges.proven_height,
    );
    gauge(
        &mut text,
        "database_healthy",
        "gauge",
        "Whether the last write of the database succeeded.",
        u64::from(gauges.now.seen.has_database),
    );
    gauge(
        &mut text,
        "local_ledger_healthy",
        "gauge",
        "Whether the local ledger takes ballots while no validator does.",
        u64::from(gauges.local_ledger_healthy),
    );
    gauge(
        &mut text,
        "local_ledger_ballots",
        "gauge",
        "Ballots in the local ledger, settled ones included.",
        gauges.local_ledger_ballots,
    );
    gauge(
        &mut text,
        "rate_limited_total",
        "counter",
        "Requests refused because an account or address asked too often.",
        RATE_LIMITED.load(Ordering::Relaxed),
    );
    gauge(
        &mut text,
        "event_subscribers",
        "gauge",
        "Clients that follow the events.",
        gauges.event_subscribers as u64,
    );
    gauge(
        &mut text,
        "streams",
        "gauge",
        "Exports and whole boards being sent.",
        gauges.streams as u64,
    );
    gauge(
        &mut text,
        "event_subscribers_dropped_total",
        "counter",
        "Clients that read the events too slowly.",
        EVENT_SUBSCRIBERS_DROPPED.load(Ordering::Relaxed),
    );
    gauge(
        &mut text,
        "verifications_total",
        "counter",
        "Re-checks of the chain that were run, each for all who asked meanwhile.",
        VERIFICATIONS.load(Ordering::Relaxed),
    );
    render_lies(&gauges.lies, &mut text);
    text
}

fn render_lies(lies: &[(String, u64)], text: &mut String) {
    let name = "tabella_backend_validator_lies_total";
    let _ = writeln!(
        text,
        "# HELP {name} Answers of a validator that were disproved.\n# TYPE {name} counter"
    );
    for (node_id, count) in lies {
        // A text's marks in this format are those of Rust's.
        let _ = writeln!(text, "{name}{{node_id={node_id:?}}} {count}");
    }
}
