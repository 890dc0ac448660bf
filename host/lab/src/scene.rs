//! What is tried: a network of processes, and an election.

use std::path::Path;

use anyhow::Result;
use tabella_cli::{
    addresses::Ports,
    dev::{DevPlan, Start},
    election_file::{ContestFile, ElectionFile, OptionFile},
};
use tabella_contest::StrictObject;
use tabella_protocol::OpenBallots;

use crate::product;

/// A network of so many validators in a directory of its own.
pub(crate) fn network(directory: &Path, validators: usize, ports: Ports) -> Result<DevPlan> {
    Ok(DevPlan {
        program: product::binary()?,
        data: directory.to_owned(),
        validators: Some(validators),
        quorum: None,
        open_ballots: OpenBallots::Anyone,
        cors_origins: Vec::new(),
        ports,
        start: Start::Continue,
        host: None,
        sites: Vec::new(),
    })
}

/// An election of one contest under a rule, whose options are named by their ids.
pub(crate) fn election(title: &str, rule: &str, options: &[&str]) -> ElectionFile {
    let option = |id: &&str| OptionFile {
        id: (*id).to_owned(),
        title: (*id).to_owned(),
        aliases: Vec::new(),
    };
    ElectionFile {
        title: title.to_owned(),
        eligibility: None,
        open_to: None,
        roll: None,
        revote: None,
        counts_shown: None,
        contests: vec![ContestFile {
            id: "contest".to_owned(),
            title: "Contest".to_owned(),
            rule: rule.to_owned(),
            params: StrictObject::default(),
            options: options.iter().map(option).collect(),
        }],
    }
}
