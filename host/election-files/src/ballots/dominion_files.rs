//! The files of one of Dominion's exports, by their names.

use std::collections::HashSet;

use super::archive::Part;
use super::problem::At;

pub(super) const CONTESTS: &str = "ContestManifest.json";
pub(super) const CANDIDATES: &str = "CandidateManifest.json";
pub(super) const CONDITIONS: &str = "OutstackConditionManifest.json";

/// What says what the numbers of an export mean.
pub(super) const MANIFESTS: [&str; 3] = [CONTESTS, CANDIDATES, CONDITIONS];

/// Whether a file of that name holds sessions.
pub(super) fn is_export(name: &str) -> bool {
    let number = |rest: &str| rest.is_empty() || rest.starts_with('_');
    name.strip_prefix("CvrExport")
        .and_then(|rest| rest.strip_suffix(".json"))
        .is_some_and(number)
}

/// Whether a file of that name says what the sessions mean.
pub(super) fn is_manifest(name: &str) -> bool {
    MANIFESTS.contains(&name)
}

/// Refuses files of one name, from several folders of an archive: each export's manifests say what its numbers
/// mean, and no other's.
pub(super) fn refuse_two_exports(parts: &[Part]) -> Result<(), At> {
    let known = |part: &&Part| is_export(&part.name) || is_manifest(&part.name);
    let mut names = HashSet::new();
    for part in parts.iter().filter(known) {
        if !names.insert(part.name.as_str()) {
            let message = format!(
                "two folders have a {}: they are two exports; give each as a file of its own",
                part.name
            );
            return Err(At::new(1, message));
        }
    }
    Ok(())
}

/// Which of the numbered files of sessions are missing between others: offices give out parts of an export.
pub(super) fn missing(parts: &[Part]) -> Option<String> {
    const NAMED_MAX: usize = 5;
    let number = |part: &Part| {
        let rest = part.name.strip_prefix("CvrExport_")?;
        rest.strip_suffix(".json")?.parse::<u64>().ok()
    };
    let mut numbers: Vec<u64> = parts.iter().filter_map(number).collect();
    numbers.sort_unstable();
    let missing = numbers
        .windows(2)
        .flat_map(|pair| pair[0].saturating_add(1)..pair[1]);
    let missing: Vec<u64> = missing.take(NAMED_MAX + 1).collect();
    let named = missing.iter().take(NAMED_MAX);
    let named: Vec<String> = named
        .map(|number| format!("CvrExport_{number}.json"))
        .collect();
    let more = if missing.len() > NAMED_MAX {
        " and more"
    } else {
        ""
    };
    (!named.is_empty()).then(|| {
        format!(
            "the export may not be whole: there is no {}{more}",
            named.join(", ")
        )
    })
}
