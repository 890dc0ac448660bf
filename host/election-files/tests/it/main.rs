//! Files of ballots in, answers out, through the real rules.

mod blt;
mod choices;
mod contradictions;
mod convert;
mod csv;
mod cvr;
mod dominion;
mod exports;
mod field;
mod formats;
mod json;
mod preflib;
mod public_record;
mod published;
mod refused;
mod repeated;
mod runs;
mod streaming;
mod ties;
mod two_readings;
mod variants;

use std::path::Path;

use serde_json::Value;
use tabella_contest::TieBreak;
use tabella_election_files::{
    BallotFile, CountError, Counted, Election, Spoiled, count, load_rule,
};
use tabella_runtime::{Runtime, RuntimeConfig};

/// Counts the text of a file with that name.
fn counted(
    rule: &str,
    election: &Value,
    file: &str,
    text: &str,
    spoiled: Spoiled,
) -> Result<Counted, CountError> {
    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    let rule = load_rule(&runtime, rule).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("election.json");
    std::fs::write(&path, election.to_string()).unwrap();
    let election = Election::read(&path, None).unwrap();
    let ballots = BallotFile::from_bytes(Path::new(file), text.as_bytes().to_vec(), None)?;
    count(&rule, &election, &ballots, &TieBreak::Report, spoiled)
}

/// Votes by option, winners, ballots and problems, in a few lines.
fn summary(rule: &str, election: &Value, file: &str, text: &str, spoiled: Spoiled) -> String {
    match counted(rule, election, file, text, spoiled) {
        Ok(counted) => {
            let answer = counted.to_json();
            let options = answer["options"].as_array().unwrap().iter();
            let votes = options.map(|option| format!("{} {}", option["id"], option["votes"]));
            let mut shown = format!(
                "{}; winners {}; {} counted, {} spoiled\n",
                votes.collect::<Vec<_>>().join(", "),
                answer["winners"],
                answer["ballots"]["counted"],
                answer["ballots"]["spoiled"]
            );
            for problem in &counted.problems {
                shown += &format!("{}:{}: {}\n", problem.file, problem.line, problem.reason);
            }
            shown
        }
        Err(CountError::Spoiled { count, problems }) => {
            let mut shown = format!("refused: {count} spoiled\n");
            for problem in &problems {
                shown += &format!("{}:{}: {}\n", problem.file, problem.line, problem.reason);
            }
            shown
        }
        Err(error) => format!("{error}\n"),
    }
}
