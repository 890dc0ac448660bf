//! Refusals and failures.

use serde::{Deserialize, Serialize};

/// A refusal or failure (RFC 9457).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// Always `about:blank`: the code says what it is.
    pub r#type: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable, for programs.
    pub code: String,
    /// For people; where a rule refused, the rule's own words.
    pub detail: String,
    /// JSON pointer to the offending field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The number that the rule gave with its refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin_code: Option<u32>,
    /// The submission that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
}
