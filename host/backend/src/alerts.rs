//! What somebody should act on now, as this backend sees it: the conditions of the alert rules in
//! `deploy/monitoring` under their names, without the time that Prometheus waits before it tells.

use tabella_api::Severity;
use tabella_outbox::level::Now;

/// From this age of the newest block on, no block comes: an idle network decides one a second.
const BLOCK_AGE_S: u64 = 90;
/// A ballot that has waited for longer does not settle.
const WAIT_S: u64 = 300;
/// A copy of the chain that is further behind stands still.
const COPY_BEHIND: u64 = 32;
/// A validator that is more blocks behind the others' median has fallen behind.
const BLOCKS_BEHIND: u64 = 30;

/// A condition that a rule tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) severity: Severity,
    /// Where `docs/troubleshooting.md` says what to do.
    pub(crate) anchor: &'static str,
}

const fn rule(name: &'static str, severity: Severity, anchor: &'static str) -> Rule {
    Rule {
        name,
        severity,
        anchor,
    }
}

const LEVELS: &str = "ballots-go-to-the-local-ledger-or-the-database";
const SILENT: &str = "a-process-does-not-answer";
const DATABASE_FAILED: Rule = rule("TabellaDatabaseFailed", Severity::Critical, LEVELS);
const LEVEL_LOST: Rule = rule("TabellaLevelLost", Severity::Critical, LEVELS);
const LEDGER_FAILED: Rule = rule("TabellaLocalLedgerFailed", Severity::Warning, LEVELS);
const NO_QUORUM: Rule = rule("TabellaNoQuorum", Severity::Critical, "no-quorum");
const NO_BLOCKS: Rule = rule("TabellaNoBlocks", Severity::Critical, "no-quorum");
const AT_RISK: Rule = rule("TabellaQuorumAtRisk", Severity::Critical, SILENT);
const NOT_SETTLED: Rule = rule(
    "TabellaBallotsDoNotSettle",
    Severity::Warning,
    "ballots-do-not-settle",
);
const COPY_STANDS: Rule = rule(
    "TabellaCopyStandsStill",
    Severity::Warning,
    "a-backends-copy-of-the-chain-stands-still",
);
const DOWN: Rule = rule("TabellaValidatorDown", Severity::Warning, SILENT);
const NOT_SIGNING: Rule = rule(
    "TabellaNotSigning",
    Severity::Critical,
    "a-validator-does-not-sign",
);
const BEHIND: Rule = rule(
    "TabellaValidatorBehind",
    Severity::Warning,
    "a-validator-does-not-sign",
);
const LIAR: Rule = rule(
    "TabellaLiar",
    Severity::Critical,
    "evidence-against-a-validator",
);
const DAMAGE: Rule = rule(
    "TabellaDamage",
    Severity::Critical,
    "damage-or-a-count-that-differs",
);

/// A condition that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alert {
    pub(crate) rule: Rule,
    /// The validator that it is about, where it is about one.
    pub(crate) node_id: Option<String>,
    /// The condition in words.
    pub(crate) summary: String,
}

/// What a backend observes of a validator of the chain's current set.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) node_id: String,
    pub(crate) is_reachable: bool,
    pub(crate) is_signing: bool,
    pub(crate) height: Option<u64>,
    /// How often it was caught since this backend started.
    pub(crate) lies: u64,
    /// Whether it attested another outcome than a quorum did.
    pub(crate) dissents: bool,
}

/// What a backend observes.
#[derive(Debug, Clone)]
pub(crate) struct Observed {
    pub(crate) now: Now,
    /// How long the oldest ballot that is not settled has waited.
    pub(crate) oldest_pending_s: u64,
    /// The newest verified block.
    pub(crate) height: u64,
    /// The newest block that was executed here.
    pub(crate) proven_height: u64,
    /// Whether a block of the local ledger cannot be read.
    pub(crate) is_local_ledger_damaged: bool,
    pub(crate) members: Vec<Member>,
}

impl Observed {
    /// What holds now: what is about the service first, then each validator in the set's order.
    pub(crate) fn alerts(&self) -> Vec<Alert> {
        let mut alerts = Vec::new();
        self.of_the_service(&mut |rule, summary: String| {
            alerts.push(Alert {
                rule,
                node_id: None,
                summary,
            });
        });
        let median = self.median_height();
        for member in &self.members {
            member.tell(median, &mut |rule, summary: String| {
                alerts.push(Alert {
                    rule,
                    node_id: Some(member.node_id.clone()),
                    summary,
                });
            });
        }
        alerts
    }

    fn of_the_service(&self, tell: &mut dyn FnMut(Rule, String)) {
        let (now, seen) = (&self.now, &self.now.seen);
        let level = now.service.level.number();
        if !seen.has_database {
            tell(
                DATABASE_FAILED,
                "ballots are refused: the database takes no writes".into(),
            );
        }
        if level >= 3 {
            tell(LEVEL_LOST, "ballots are taken without validators".into());
        }
        if !now.has_quorum() {
            tell(
                NO_QUORUM,
                "there is no quorum: ballots are kept, none is confirmed".into(),
            );
        } else if seen.healthy <= seen.threshold && seen.members > seen.threshold {
            let summary = format!(
                "{} validators are healthy and {} are needed: one more lost, and no ballot is confirmed",
                seen.healthy, seen.threshold
            );
            tell(AT_RISK, summary);
        }
        if let Some(age) = seen.block_age.filter(|age| age.as_secs() >= BLOCK_AGE_S) {
            tell(NO_BLOCKS, format!("no block for {} seconds", age.as_secs()));
        }
        if !seen.has_local_ledger {
            tell(
                LEDGER_FAILED,
                "there is no local ledger to fall back to".into(),
            );
        } else if self.is_local_ledger_damaged {
            tell(
                LEDGER_FAILED,
                "a block of the local ledger cannot be read; the log names it".into(),
            );
        }
        if self.oldest_pending_s > WAIT_S && now.has_quorum() {
            let summary = format!(
                "an acknowledged ballot has waited for {} seconds",
                self.oldest_pending_s
            );
            tell(NOT_SETTLED, summary);
        }
        let behind = self.height.saturating_sub(self.proven_height);
        if behind > COPY_BEHIND {
            tell(COPY_STANDS, format!("what is shown is {behind} blocks old"));
        }
    }

    /// Of those that can be reached: one that lies about its height moves it little.
    fn median_height(&self) -> u64 {
        let reachable = self.members.iter().filter(|member| member.is_reachable);
        let mut heights: Vec<u64> = reachable.filter_map(|member| member.height).collect();
        heights.sort_unstable();
        heights.get(heights.len() / 2).copied().unwrap_or(0)
    }
}

impl Member {
    fn tell(&self, median: u64, tell: &mut dyn FnMut(Rule, String)) {
        let name = &self.node_id;
        if !self.is_reachable {
            tell(DOWN, format!("{name} does not answer"));
        } else if !self.is_signing {
            tell(NOT_SIGNING, format!("{name} does not sign"));
        }
        let behind = median.saturating_sub(self.height.unwrap_or(median));
        if self.is_reachable && behind > BLOCKS_BEHIND {
            tell(BEHIND, format!("{name} is {behind} blocks behind"));
        }
        if self.lies > 0 {
            tell(LIAR, format!("{name} told what was disproved"));
        }
        if self.dissents {
            tell(
                DAMAGE,
                format!("{name} attested another outcome than the others"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tabella_outbox::level::{Level, Quorum, Seen, Service};

    use super::*;

    fn member(number: u64) -> Member {
        Member {
            node_id: format!("validator-{number}"),
            is_reachable: true,
            is_signing: true,
            height: Some(1_000),
            lies: 0,
            dissents: false,
        }
    }

    fn well() -> Observed {
        Observed {
            now: Now {
                seen: Seen {
                    members: 3,
                    threshold: 2,
                    healthy: 3,
                    able: 3,
                    is_connected: true,
                    block_age: Some(Duration::from_secs(1)),
                    is_block_after_loss: true,
                    is_waiting: false,
                    has_database: true,
                    has_local_ledger: true,
                },
                service: Service {
                    level: Level::Whole,
                    quorum: Quorum::Present,
                },
                level_since_ms: 0,
                quorum_since_ms: 0,
            },
            oldest_pending_s: 2,
            height: 1_000,
            proven_height: 999,
            is_local_ledger_damaged: false,
            members: (1..=3).map(member).collect(),
        }
    }

    /// Everything that can be wrong at once, and what cannot be so beside it.
    fn ill() -> [Observed; 2] {
        let mut one = well();
        one.now.seen.healthy = 2;
        one.oldest_pending_s = WAIT_S + 1;
        one.proven_height = one.height - COPY_BEHIND - 1;
        one.members[0].is_signing = false;
        one.members[0].dissents = true;
        one.members[1].lies = 1;
        one.members[2].height = Some(1_000 - BLOCKS_BEHIND - 1);
        let mut other = well();
        other.now.seen.has_database = false;
        other.now.seen.has_local_ledger = false;
        other.now.seen.block_age = Some(Duration::from_secs(BLOCK_AGE_S));
        other.now.service = Service {
            level: Level::Database,
            quorum: Quorum::Unreached,
        };
        other.members[1].is_reachable = false;
        [one, other]
    }

    fn names(observed: &Observed) -> Vec<String> {
        let alerts = observed.alerts().into_iter();
        let name = |alert: Alert| match alert.node_id {
            Some(node_id) => format!("{} {node_id}", alert.rule.name),
            None => alert.rule.name.to_owned(),
        };
        alerts.map(name).collect()
    }

    #[test]
    fn a_healthy_network_is_silent_and_each_fault_has_its_name() {
        assert_eq!(names(&well()), [""; 0]);
        let [one, other] = ill();
        assert_eq!(
            names(&one),
            [
                "TabellaQuorumAtRisk",
                "TabellaBallotsDoNotSettle",
                "TabellaCopyStandsStill",
                "TabellaNotSigning validator-1",
                "TabellaDamage validator-1",
                "TabellaLiar validator-2",
                "TabellaValidatorBehind validator-3",
            ]
        );
        assert_eq!(
            names(&other),
            [
                "TabellaDatabaseFailed",
                "TabellaLevelLost",
                "TabellaNoQuorum",
                "TabellaNoBlocks",
                "TabellaLocalLedgerFailed",
                "TabellaValidatorDown validator-2",
            ]
        );
    }

    #[test]
    fn a_local_ledger_with_an_unreadable_block_is_an_alert() {
        let mut observed = well();
        observed.is_local_ledger_damaged = true;
        assert_eq!(names(&observed), ["TabellaLocalLedgerFailed"]);
    }

    #[test]
    fn what_is_on_a_bound_is_no_alert() {
        let mut observed = well();
        observed.now.seen.block_age = Some(Duration::from_secs(BLOCK_AGE_S - 1));
        observed.oldest_pending_s = WAIT_S;
        observed.proven_height = observed.height - COPY_BEHIND;
        observed.members[2].height = Some(1_000 - BLOCKS_BEHIND);
        assert_eq!(names(&observed), [""; 0]);
        // A network of two has none to lose at any time.
        observed.now.seen.members = 2;
        observed.now.seen.healthy = 2;
        assert_eq!(names(&observed), [""; 0]);
    }

    #[test]
    fn names_urgency_and_runbooks_are_those_of_the_rules() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../deploy/monitoring/tabella.rules.yml"
        );
        let rules = std::fs::read_to_string(path).unwrap();
        for alert in ill().iter().flat_map(Observed::alerts) {
            let Rule {
                name,
                severity,
                anchor,
            } = alert.rule;
            let rule = rules.split("- alert: ").find(|rule| {
                let first = rule.lines().next();
                first == Some(name)
            });
            let rule = rule.unwrap_or_else(|| panic!("no rule {name}"));
            let severity = severity.name();
            assert!(rule.contains(&format!("severity: {severity} ")), "{rule}");
            let runbook = format!("docs/troubleshooting.md#{anchor}\"");
            assert!(rule.contains(&runbook), "{rule} has not {runbook}");
        }
        for bound in [
            format!("tabella_backend_oldest_pending_seconds > {WAIT_S} "),
            format!("tabella_backend_proven_height > {COPY_BEHIND}\n"),
            format!("- tabella_height > {BLOCKS_BEHIND}\n"),
            format!("No block for {BLOCK_AGE_S} seconds"),
        ] {
            assert!(rules.contains(&bound), "{bound}");
        }
    }
}
