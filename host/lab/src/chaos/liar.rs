//! Liars before the validators' RPC, as the backend sees it. At times one of them tells lies in turn:
//! what contradicts a certificate must get its validator named, and everything else must have no effect.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tabella_testing::{Liar, Lie};

use super::truth::{Standing, Truth};

/// How much longer than it was to last a lie is told until it is named.
const NAMED_WITHIN: Duration = Duration::from_secs(20);
/// How long a backend may call a validator a liar that no longer lies.
const FORGIVEN_WITHIN: Duration = Duration::from_secs(90);
/// By how much the honest are slower while one lies: the backend asks whoever answers first.
const HONEST_DELAY: Duration = Duration::from_millis(60);
/// How long it may take until the backend knows that they are slower.
const PREFERRED_WITHIN: Duration = Duration::from_secs(40);
/// By so much the one whose answer the backend expects first is ahead of the others.
const AHEAD: f64 = 2.0;
/// Between two looks at what the backend answers.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The words of a block whose transactions are others.
const OTHER_TRANSACTIONS: &str = "are not those that its header commits to";
/// The words of a certificate without a quorum.
const NO_CERTIFICATE: &str = "does not hold";
/// The words of a receipt that does not prove what it says.
const FALSE_RECEIPT: &str = "the receipt is inconsistent";
/// What a validator is said to have done that was caught; nobody honest may be called so.
const ACCUSATIONS: [&str; 4] = [
    OTHER_TRANSACTIONS,
    NO_CERTIFICATE,
    FALSE_RECEIPT,
    "contradicted itself",
];

/// What must become of a lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It contradicts a certificate: the backend calls the validator degraded, in these words among
    /// others.
    Named(&'static str),
    /// The backend asks for it now and then, and names whoever gives it.
    PerhapsNamed,
    /// Nothing proves it a lie, and nobody believes it: the backend asks the chain or several validators.
    Nothing,
}

impl Effect {
    /// What must become of this lie.
    pub(super) fn of(lie: Lie) -> Self {
        match lie {
            Lie::Bodies => Self::Named(OTHER_TRANSACTIONS),
            Lie::Certificates => Self::Named(NO_CERTIFICATE),
            // Who asks a validator for blocks may have those with created elections already.
            Lie::Receipts | Lie::Spec => Self::PerhapsNamed,
            _ => Self::Nothing,
        }
    }
}

/// One lie that was told for a while.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) lie: Lie,
    /// How many answers it changed.
    pub(super) answers: u64,
    /// What the backend answered meanwhile, and was compared with the truth.
    pub(super) checks: u64,
    /// Whether the backend called its author a liar in the end.
    pub(super) is_named: bool,
}

/// The liars, in the order of the validators that they stand before; honest unless told to lie.
pub(super) struct Liars(Vec<(String, Liar)>);

impl Liars {
    /// Starts one before each of these validators, given by name and URL.
    pub(super) async fn start(validators: impl Iterator<Item = (String, String)>) -> Self {
        let mut liars = Vec::new();
        for (node_id, url) in validators {
            liars.push((node_id, Liar::start(&url, Lie::Nothing).await));
        }
        Self(liars)
    }

    /// The URLs to call them by.
    pub(super) fn urls(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(_, liar)| liar.url())
    }

    /// Has one tell these lies one after the other, `lasts` in all; returns what became of each.
    pub(super) async fn tell(
        &self,
        index: usize,
        lies: &[Lie],
        lasts: Duration,
        truth: &Truth<'_>,
    ) -> Result<Vec<Told>> {
        let (node_id, liar) = self.0.get(index).context("no such validator")?;
        let honest = self.0.iter().filter(|(name, _)| name != node_id);
        let delay = |delay| honest.clone().for_each(|(_, liar)| liar.set_delay(delay));
        let mut told = Vec::with_capacity(lies.len());
        for (number, lie) in lies.iter().enumerate() {
            // Whoever was named for the last lie is asked nothing for a while, and tells nobody the next.
            if number == 0 || matches!(Effect::of(*lie), Effect::Named(_)) {
                delay(Duration::ZERO);
                wait_forgiven(truth).await?;
                delay(HONEST_DELAY);
                wait_preferred(node_id, truth).await?;
            }
            liar.set(*lie);
            let share = lasts / u32::try_from(lies.len()).unwrap_or(1);
            let one = tell_one(node_id, liar, share, truth).await;
            liar.set(Lie::Nothing);
            told.push(one.with_context(|| format!("while {node_id} lied about {lie:?}"))?);
        }
        delay(Duration::ZERO);
        Ok(told)
    }
}

/// Waits until the backend calls nobody a liar for what was told before.
async fn wait_forgiven(truth: &Truth<'_>) -> Result<()> {
    let deadline = Instant::now() + FORGIVEN_WITHIN;
    loop {
        let standings = truth.standings().await?;
        let Some(accused) = standings.iter().find(|standing| standing.is_accused()) else {
            return Ok(());
        };
        ensure!(
            Instant::now() < deadline,
            "{} lies no longer, and is called a liar after {FORGIVEN_WITHIN:?}: {}",
            accused.node_id,
            accused.problem
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until the backend expects the first answer of this validator.
async fn wait_preferred(node_id: &str, truth: &Truth<'_>) -> Result<()> {
    let deadline = Instant::now() + PREFERRED_WITHIN;
    loop {
        truth.measure().await?;
        let standings = truth.standings().await?;
        let latency = |is_wanted: fn(bool) -> bool| {
            let wanted = standings.iter();
            let wanted = wanted.filter(|one| is_wanted(one.node_id == node_id));
            let latencies = wanted.filter_map(|one| one.latency_ms);
            latencies.min_by(f64::total_cmp)
        };
        let (own, others) = (latency(|is_own| is_own), latency(|is_own| !is_own));
        match (own, others) {
            (Some(own), Some(others)) if own * AHEAD < others => return Ok(()),
            _ => ensure!(
                Instant::now() < deadline,
                "the backend expects the answers of {node_id} after {own:?} ms and those of others after \
                 {others:?} ms, although these are delayed by {HONEST_DELAY:?}"
            ),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Standing {
    fn is_accused(&self) -> bool {
        ACCUSATIONS.iter().any(|words| self.problem.contains(words))
    }

    fn is_named(&self, words: &str) -> bool {
        self.is_degraded && self.problem.contains(words)
    }
}

/// Lets `liar` tell what it was set to, and looks meanwhile at what the backend answers and at whom it
/// names.
async fn tell_one(node_id: &str, liar: &Liar, lasts: Duration, truth: &Truth<'_>) -> Result<Told> {
    let started = Instant::now();
    let lie = liar.lie();
    let effect = Effect::of(lie);
    let mut checks = 0;
    let is_named = loop {
        checks += truth.check().await?;
        let standings = truth.standings().await?;
        let accused = standings.iter().find(|one| one.node_id == node_id);
        let accused = accused.context("the backend does not know it")?;
        for honest in standings.iter().filter(|one| one.node_id != node_id) {
            ensure!(
                !honest.is_accused(),
                "{} is honest and called a liar: {}",
                honest.node_id,
                honest.problem
            );
        }
        let taken = started.elapsed();
        let is_settled = match effect {
            Effect::Named(words) => liar.told() > 0 && accused.is_named(words),
            Effect::PerhapsNamed | Effect::Nothing => true,
        };
        if is_settled && taken >= lasts {
            break accused.is_accused();
        }
        if taken > lasts + NAMED_WITHIN {
            bail!(
                "{} answers were lies, and the liar was not named within {taken:?}: its problem is {:?}",
                liar.told(),
                accused.problem
            );
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    Ok(Told {
        lie,
        answers: liar.told(),
        checks,
        is_named,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_lies_against_a_certificate_is_named_in_words_that_accuse() {
        let named = Lie::ALL
            .into_iter()
            .filter(|lie| match Effect::of(*lie) {
                Effect::Named(words) => {
                    let standing = |problem: &str| Standing {
                        node_id: "a".into(),
                        is_degraded: true,
                        problem: problem.into(),
                        latency_ms: None,
                    };
                    let caught = standing(&format!("block 7: {words}"));
                    assert!(caught.is_accused() && caught.is_named(words), "{lie:?}");
                    assert!(!standing("7 blocks behind").is_accused());
                    true
                }
                Effect::PerhapsNamed | Effect::Nothing => false,
            })
            .collect::<Vec<_>>();
        assert_eq!(named, [Lie::Bodies, Lie::Certificates]);
    }
}
