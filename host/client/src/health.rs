//! What is known of one validator's health, and how answers and failures change it.

use std::time::{Duration, Instant, SystemTime};

use tabella_protocol::{
    ValidatorSet,
    rpc::{NodeStatus, Standing},
};

use crate::{ValidatorEndpoint, transport::shorten};

/// A validator's status, as the health answer names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// Answers, takes part, keeps up.
    Healthy,
    /// Answers, but failed lately, lags behind, does not sign, or was caught lying.
    Degraded,
    /// Does not answer; only health checks still ask it.
    Unreachable,
}

impl HealthStatus {
    /// The name in answers and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unreachable => "unreachable",
        }
    }
}

/// One validator's health.
#[derive(Debug, Clone)]
pub struct ValidatorHealth {
    /// Who and where.
    pub endpoint: ValidatorEndpoint,
    /// How it is.
    pub status: HealthStatus,
    /// Why it is not healthy, where it is not.
    pub problem: Option<String>,
    /// Whether it takes part in consensus, as it last said; assumed of one that was never asked.
    pub signing: bool,
    /// Its newest height, as it last said.
    pub height: Option<u64>,
    /// Smoothed time of its answers.
    pub latency: Option<Duration>,
    /// When it last answered.
    pub last_seen: Option<SystemTime>,
    /// How often it was caught: something that it said was disproved.
    pub lies: u64,
}

/// The health of the network.
#[derive(Debug, Clone)]
pub struct HealthReport {
    /// Each validator, in the configured order.
    pub validators: Vec<ValidatorHealth>,
    /// How many are healthy.
    pub healthy: usize,
}

impl HealthReport {
    /// The validators of `set` among them: a configured one that has left consensus, or never
    /// joined it, adds nothing to a quorum.
    pub fn members(&self, set: &ValidatorSet) -> impl Iterator<Item = &ValidatorHealth> {
        let validators = self.validators.iter();
        validators.filter(move |validator| set.names(&validator.endpoint.node_id))
    }
}

/// Failures in a row after which a validator is unreachable; one makes it degraded.
const FAILURES_UNREACHABLE: u32 = 2;
/// Answers in a row after which a validator that was unreachable is healthy; one makes it degraded.
const SUCCESSES_HEALTHY: u32 = 2;
/// Blocks behind the best known height from which on a validator is degraded.
const LAG_HEIGHTS_MAX: u64 = 32;
/// How long a validator that failed a submission instead of refusing it is asked after the others, unless it
/// takes one meanwhile.
const UNTAKEN: Duration = Duration::from_secs(60);
/// How long a validator that was caught lying is not asked.
const DISTRUST: Duration = Duration::from_secs(60);

/// The changing part of a validator's record.
#[derive(Debug)]
pub(crate) struct Health {
    failures: u32,
    successes: u32,
    fault: Option<String>,
    /// Since when it takes no submissions, though it answers.
    untaken: Option<(Instant, String)>,
    lie: Option<(Instant, String)>,
    /// The height at which it is proven to have signed what contradicts itself.
    convicted: Option<u64>,
    note: Option<String>,
    /// What it says is wrong with its data or its counts, while it takes part all the same.
    unsound: Option<String>,
    pub(crate) height: Option<u64>,
    pub(crate) latency: Option<Duration>,
    pub(crate) last_seen: Option<SystemTime>,
}

impl Health {
    /// Nothing is known yet: degraded until the first answer, so that calls may try.
    pub(crate) fn unknown() -> Self {
        Self {
            failures: 0,
            successes: 0,
            fault: Some("not checked yet".into()),
            untaken: None,
            lie: None,
            convicted: None,
            note: None,
            unsound: None,
            height: None,
            latency: None,
            last_seen: None,
        }
    }

    pub(crate) fn status(&self, best_height: u64) -> HealthStatus {
        if self.failures >= FAILURES_UNREACHABLE {
            HealthStatus::Unreachable
        } else if self.problem(best_height).is_some() {
            HealthStatus::Degraded
        } else {
            HealthStatus::Healthy
        }
    }

    pub(crate) fn problem(&self, best_height: u64) -> Option<String> {
        if let Some((_, lie)) = &self.lie {
            return Some(lie.clone());
        }
        if let Some(height) = self.convicted {
            return Some(format!(
                "is proven to have contradicted itself at height {height}; see `tabella validator \
                 evidence`"
            ));
        }
        if let Some(fault) = &self.fault {
            return Some(fault.clone());
        }
        if let Some((since, fault)) = &self.untaken
            && since.elapsed() <= UNTAKEN
        {
            return Some(fault.clone());
        }
        if let Some(note) = self.note.as_ref().or(self.unsound.as_ref()) {
            return Some(note.clone());
        }
        let behind = best_height.saturating_sub(self.height.unwrap_or(best_height));
        (behind > LAG_HEIGHTS_MAX).then(|| format!("{behind} blocks behind"))
    }

    /// Whether it takes part in consensus, as far as it said.
    pub(crate) fn signs(&self) -> bool {
        self.note.is_none()
    }

    /// Whether calls other than health checks may go there.
    pub(crate) fn is_callable(&self) -> bool {
        self.failures < FAILURES_UNREACHABLE && self.lie.is_none()
    }

    /// An answer came after `latency`.
    pub(crate) fn answered(&mut self, latency: Duration) {
        self.successes = self.successes.saturating_add(1);
        self.failures = 0;
        if self.last_seen.is_none() || self.successes >= SUCCESSES_HEALTHY {
            self.fault = None;
        } else if self.fault.is_some() {
            self.fault = Some("answers again".into());
        }
        self.last_seen = Some(tabella_clock::now());
        self.latency = Some(match self.latency {
            // An eighth of the new value, as in TCP's round-trip estimate (RFC 6298).
            Some(smoothed) => smoothed - smoothed / 8 + latency / 8,
            None => latency,
        });
        if self
            .lie
            .as_ref()
            .is_some_and(|(since, _)| since.elapsed() > DISTRUST)
        {
            self.lie = None;
        }
    }

    /// A health check was answered. What it says in words is cut short.
    pub(crate) fn checked(&mut self, status: &NodeStatus) {
        self.height = Some(status.height);
        let note = match status.standing {
            Standing::Validator | Standing::Leaving => {
                "does not sign yet: it catches up or observes"
            }
            _ => "has stopped signing",
        };
        self.note = (!status.signing).then(|| note.to_owned());
        self.unsound = match (status.damage.first(), status.dissents.first()) {
            (Some(first), _) => {
                let mut damage = first.clone();
                shorten(&mut damage);
                Some(format!(
                    "attests no results: its stored data is damaged ({damage})"
                ))
            }
            (None, Some(election_id)) => Some(format!(
                "attests no results: it counted election {election_id} otherwise than the others"
            )),
            (None, None) => None,
        };
    }

    /// Evidence against it holds.
    pub(crate) fn convicted(&mut self, height: u64) {
        self.convicted.get_or_insert(height);
    }

    /// No usable answer came.
    pub(crate) fn failed(&mut self, fault: String) {
        self.successes = 0;
        self.failures = self.failures.saturating_add(1);
        self.fault = Some(fault);
    }

    /// Late, but not known to be down: others are asked first until it answers.
    pub(crate) fn late(&mut self, fault: String) {
        self.successes = 0;
        self.fault = Some(fault);
    }

    /// It failed a submission, which is no refusal. That it answers other calls changes nothing.
    pub(crate) fn failed_submission(&mut self, fault: String) {
        self.untaken = Some((Instant::now(), fault));
    }

    /// It took a submission.
    pub(crate) fn took_submission(&mut self) {
        self.untaken = None;
    }

    /// Something it said was disproved. Returns whether that is news: it was believed until now.
    pub(crate) fn lied(&mut self, lie: String) -> bool {
        self.lie.replace((Instant::now(), lie)).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One failure may be chance, and so may one answer: status changes at the second.
    #[test]
    fn status_changes_with_the_second_failure_and_the_second_answer() {
        let mut health = Health::unknown();
        let answer = |health: &mut Health| health.answered(Duration::from_millis(2));
        assert_eq!(health.status(0), HealthStatus::Degraded);
        answer(&mut health);
        assert_eq!(health.status(0), HealthStatus::Healthy);
        health.failed("returned status 503".into());
        assert_eq!(health.status(0), HealthStatus::Degraded);
        assert!(health.is_callable());
        health.failed("returned status 503".into());
        assert_eq!(health.status(0), HealthStatus::Unreachable);
        assert!(!health.is_callable());
        answer(&mut health);
        assert_eq!(health.status(0), HealthStatus::Degraded);
        answer(&mut health);
        assert_eq!(health.status(0), HealthStatus::Healthy);
    }

    /// Health checks that it answers would make it the first again with each second.
    #[test]
    fn one_that_fails_submissions_is_degraded_until_it_takes_one_whatever_else_it_answers() {
        let mut health = Health::unknown();
        let answer = |health: &mut Health| health.answered(Duration::from_millis(2));
        answer(&mut health);
        health.failed_submission("takes no submissions: not now".into());
        for _ in 0..5 {
            answer(&mut health);
            health.checked(&status());
            assert_eq!(health.status(1), HealthStatus::Degraded);
            assert!(health.is_callable());
        }
        health.took_submission();
        assert_eq!(health.status(1), HealthStatus::Healthy);
    }

    fn status() -> NodeStatus {
        NodeStatus {
            node_id: "v".into(),
            public_key: tabella_protocol::SigningKey::from_seed([1; 32]).public(),
            genesis: tabella_protocol::Hash::ZERO,
            chain_id: 1,
            height: 1,
            block_hash: tabella_protocol::Hash::ZERO,
            state_root: tabella_protocol::Hash::ZERO,
            block_timestamp_ms: 0,
            mempool: 0,
            peers: 2,
            signing: true,
            standing: Standing::Validator,
            evidence: 0,
            damage: Vec::new(),
            dissents: Vec::new(),
            dissenters: Vec::new(),
            version: "0".into(),
        }
    }

    #[test]
    fn one_whose_data_or_count_is_not_the_networks_is_degraded_and_signs_on() {
        let mut health = Health::unknown();
        health.answered(Duration::from_millis(2));
        let damaged = NodeStatus {
            damage: vec!["blocks at height 7: it is missing".into()],
            ..status()
        };
        let dissenting = NodeStatus {
            dissents: vec![3],
            ..status()
        };
        for (said, problem) in [
            (
                &damaged,
                "its stored data is damaged (blocks at height 7: it is missing)",
            ),
            (
                &dissenting,
                "it counted election 3 otherwise than the others",
            ),
        ] {
            health.checked(said);
            assert_eq!(health.status(1), HealthStatus::Degraded);
            let expected = format!("attests no results: {problem}");
            assert_eq!(health.problem(1), Some(expected));
            assert!(health.signs() && health.is_callable());
        }
        health.checked(&status());
        assert_eq!(health.status(1), HealthStatus::Healthy);
    }

    #[test]
    fn what_it_says_in_words_is_cut_short_and_its_lie_is_news_once() {
        let mut health = Health::unknown();
        health.answered(Duration::from_millis(2));
        health.checked(&NodeStatus {
            damage: vec!["x".repeat(1 << 20)],
            ..status()
        });
        let problem = health.problem(1).unwrap();
        assert!(problem.len() < 3_000, "{} bytes", problem.len());
        assert!(health.lied("says it is another".into()));
        health.answered(Duration::from_millis(2));
        assert!(!health.lied("says it is yet another".into()));
    }

    #[test]
    fn one_that_lags_far_behind_or_lied_is_not_healthy() {
        let mut health = Health::unknown();
        health.answered(Duration::from_millis(2));
        health.height = Some(10);
        assert_eq!(health.status(10 + LAG_HEIGHTS_MAX), HealthStatus::Healthy);
        assert_eq!(health.status(11 + LAG_HEIGHTS_MAX), HealthStatus::Degraded);
        health.lied("forged a block".into());
        assert_eq!(health.status(10), HealthStatus::Degraded);
        assert!(!health.is_callable());
    }
}
