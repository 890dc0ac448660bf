//! The file that states an election: JSON or TOML.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tabella_contest::StrictObject;
use tabella_protocol::{Disclosure, EligibilityKind, OpenTo, Revote, RollChanges};

/// An election as its author writes it down. Unknown members are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElectionFile {
    /// The name that people read.
    pub title: String,
    /// Who may vote: `registrar` (default), `registrar_roll` or `credentials`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eligibility: Option<EligibilityKind>,
    /// Whom an election without a roll is open to beside the voters whom the registrar names: `named`
    /// (nobody, default) or `accounts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_to: Option<OpenTo>,
    /// Until when the roll may grow: `fixed` (until the election opens, default) or `grows`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll: Option<RollChanges>,
    /// What a second ballot of one voter does: `refuse` (default) or `last`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revote: Option<Revote>,
    /// When a backend shows counts: `at_close` (default) or `live`. Whoever reads blocks can count at any
    /// time. `disclosure` is its name of before.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "disclosure")]
    pub counts_shown: Option<Disclosure>,
    /// The questions.
    pub contests: Vec<ContestFile>,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContestFile {
    /// The id that ballots with several contests name.
    pub id: String,
    /// The question that people read; the id where absent.
    #[serde(default)]
    pub title: String,
    /// A built-in rule's name, or the SHA-256 of a published plugin.
    pub rule: String,
    /// The rule's parameters.
    #[serde(default)]
    pub params: StrictObject,
    /// What can be voted for.
    pub options: Vec<OptionFile>,
}

/// One option.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptionFile {
    /// The id that ballots name.
    pub id: String,
    /// The name that people read; the id where absent.
    #[serde(default)]
    pub title: String,
    /// Names that files of ballots have for it (`tabella plugin run`): nothing that the chain knows.
    #[serde(default, skip_serializing)]
    pub aliases: Vec<String>,
}

impl ElectionFile {
    /// Reads the file; its name ends in `.toml` or `.json`.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let context = || format!("in {}", path.display());
        let mut election: Self = match path.extension().and_then(|e| e.to_str()) {
            Some("toml") => toml::from_str(&text).with_context(context)?,
            Some("json") => serde_json::from_str(&text).with_context(context)?,
            _ => bail!(
                "expected a file named .toml or .json, got {}",
                path.display()
            ),
        };
        election.name_the_untitled();
        Ok(election)
    }

    /// Whether nobody can be put on its roll once it is open.
    pub(crate) fn has_fixed_roll(&self) -> bool {
        let has_roll = self
            .eligibility
            .is_some_and(|kind| kind != EligibilityKind::Registrar);
        has_roll && self.roll != Some(RollChanges::Grows)
    }

    fn name_the_untitled(&mut self) {
        for contest in &mut self.contests {
            if contest.title.is_empty() {
                contest.title.clone_from(&contest.id);
            }
            for option in &mut contest.options {
                if option.title.is_empty() {
                    option.title.clone_from(&option.id);
                }
            }
        }
    }
}
