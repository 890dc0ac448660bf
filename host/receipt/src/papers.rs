//! The ballot papers of an election, as the chain committed to them.

use std::collections::BTreeMap;

use serde_json::Value;
use tabella_contest::{
    ChoiceError, ContestConfig, ContestOption, Manifest, Paper, PluginLimits, StrictObject,
    encode_choice,
};
use tabella_protocol::{ContestSpec, ElectionSpec, Hash};

/// Why papers cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PapersError {
    /// What a rule says of itself is not at hand.
    #[error("the election's rule {0} is not at hand")]
    RuleMissing(Hash),
    /// A contest's parameters are not JSON.
    #[error("contest {}: its parameters cannot be read", contest + 1)]
    Params {
        /// The contest's place.
        contest: usize,
        /// Why.
        source: serde_json::Error,
    },
}

/// The papers of all contests of an election, with the contests' ids.
#[derive(Debug, Clone)]
pub struct ElectionPapers(Vec<(String, Paper)>);

/// Returns an election's papers, by what each of its rules says of itself.
///
/// That the rules take their contests' parameters was asked when the election was created, and is not asked again.
pub fn papers(
    election: &ElectionSpec,
    rules: &BTreeMap<Hash, Manifest>,
    limits: &PluginLimits,
) -> Result<ElectionPapers, PapersError> {
    let each = election.contests.iter().enumerate();
    let papers = each.map(|(place, contest)| {
        let rule = rules.get(&contest.plugin);
        let rule = rule.ok_or(PapersError::RuleMissing(contest.plugin))?;
        let config = config(contest).map_err(|source| PapersError::Params {
            contest: place,
            source,
        })?;
        Ok((contest.id.clone(), Paper::new(rule, &config, limits)))
    });
    Ok(ElectionPapers(papers.collect::<Result<_, PapersError>>()?))
}

fn config(contest: &ContestSpec) -> Result<ContestConfig, serde_json::Error> {
    let StrictObject(params) = serde_json::from_str(&contest.params)?;
    let options = contest.options.iter();
    let options = options.map(|option| ContestOption {
        id: option.id.clone(),
        title: option.title.clone(),
    });
    Ok(ContestConfig {
        options: options.collect(),
        params: params.into(),
    })
}

impl ElectionPapers {
    /// The paper of each contest, in the order of the contests.
    pub fn each(&self) -> impl Iterator<Item = &Paper> {
        self.0.iter().map(|(_, paper)| paper)
    }

    /// Returns the canonical bytes of a choice, one byte string for each contest.
    pub fn encode(&self, choice: &Value) -> Result<Vec<Vec<u8>>, ChoiceError> {
        let papers = self.0.iter().map(|(id, paper)| (id.as_str(), paper));
        encode_choice(papers, choice)
    }
}
