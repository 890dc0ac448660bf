//! From the contests of an election, as the chain states them, to rules that are ready to judge.

use std::{collections::BTreeMap, sync::Arc};

use tabella_contest::{ContestConfig, ContestOption, StrictObject};
use tabella_protocol::{ContestSpec, Hash};
use tabella_runtime::{ConfigError, Contest, Plugin};

/// Why a contest cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ConfigureError {
    /// No such plugin is at hand.
    #[error("no plugin {0} has been published; publish it first")]
    UnknownPlugin(Hash),
    /// The plugin refuses the configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The parameters are not a JSON object.
    #[error("params: {0}")]
    Params(serde_json::Error),
}

/// Sets up the contests of an election; an error names the contest by its place.
pub fn configure(
    plugins: &BTreeMap<Hash, Plugin>,
    contests: &[ContestSpec],
) -> Result<Arc<[Contest]>, (usize, ConfigureError)> {
    let each = contests.iter().enumerate();
    each.map(|(place, contest)| configure_one(plugins, contest).map_err(|error| (place, error)))
        .collect()
}

fn configure_one(
    plugins: &BTreeMap<Hash, Plugin>,
    contest: &ContestSpec,
) -> Result<Contest, ConfigureError> {
    let plugin = plugins
        .get(&contest.plugin)
        .ok_or(ConfigureError::UnknownPlugin(contest.plugin))?;
    let StrictObject(params) =
        serde_json::from_str(&contest.params).map_err(ConfigureError::Params)?;
    let options = contest.options.iter();
    let config = ContestConfig {
        options: options
            .map(|option| ContestOption {
                id: option.id.clone(),
                title: option.title.clone(),
            })
            .collect(),
        params: params.into(),
    };
    Ok(plugin.contest(&config)?)
}
