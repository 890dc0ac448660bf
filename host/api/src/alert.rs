//! `GET /api/admin/alerts`

use serde::{Deserialize, Serialize};

use crate::schema::{one_of, time};

/// What somebody should act on now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AlertsAnswer {
    /// When it held.
    #[schema(schema_with = time)]
    pub timestamp: String,
    /// What holds now; none where all is well.
    pub alerts: Vec<AlertAnswer>,
}

/// How soon somebody should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// At once: ballots are refused, wait, or will with the next fault.
    Critical,
    /// Today.
    Warning,
}

impl Severity {
    /// Every one, by its name.
    pub const NAMES: [&str; 2] = ["critical", "warning"];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// A condition of an alert rule that holds
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AlertAnswer {
    /// The rule's name in `deploy/monitoring/tabella.rules.yml`.
    pub name: String,
    /// How soon somebody should look.
    #[schema(schema_with = severities)]
    pub severity: Severity,
    /// The validator that it is about, where it is about one.
    pub node_id: Option<String>,
    /// The condition in words.
    pub summary: String,
    /// Where the documentation says what to do.
    pub runbook: String,
}

fn severities() -> utoipa::openapi::Object {
    one_of(&Severity::NAMES)
}
