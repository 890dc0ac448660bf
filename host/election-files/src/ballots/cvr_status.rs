//! What a Cast Vote Record, a contest in it or a mark says of itself, and of which version the file is.

use serde::Deserialize;

use super::problem::Unread;

/// Refuses a file of a version that is not known: what its members mean may be another thing.
pub(super) fn know_version(version: &str) -> Result<(), String> {
    match version == "1.0" || version.starts_with("1.0.") {
        true => Ok(()),
        false => Err(format!(
            "expected Cast Vote Records of version 1.0 (NIST SP 1500-103), found version {version:?}"
        )),
    }
}

/// One word or a list of them.
#[derive(Default, Deserialize)]
#[serde(untagged)]
pub(super) enum Status {
    #[default]
    None,
    One(String),
    Several(Vec<String>),
}

/// What a status says of marks.
pub(super) enum Standing {
    Counts,
    Invalid,
}

impl Status {
    /// What the words say; those in `neutral` say nothing.
    pub(super) fn standing(&self, of: &str, neutral: &[&str]) -> Result<Standing, Unread> {
        let words = match self {
            Self::None => &[],
            Self::One(word) => std::slice::from_ref(word),
            Self::Several(words) => words.as_slice(),
        };
        let mut standing = Standing::Counts;
        for word in words {
            match &**word {
                "invalidated-rules" => standing = Standing::Invalid,
                "needs-adjudication" => {
                    return Err(Unread::Undecided(format!(
                        "the {of} needs adjudication: somebody has to decide about it first"
                    )));
                }
                known if neutral.contains(&known) => {}
                other => {
                    return Err(Unread::Undecided(format!(
                        "the {of} has the status {other:?}, of which it is not known whether it counts"
                    )));
                }
            }
        }
        Ok(standing)
    }
}
