//! What was written, beside what it was written from: both are read at the same time, ballot by ballot.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, ScopedJoinHandle};

use super::{ConvertError, Job};
use crate::ballots::{BallotFile, ImportError};
use crate::count::{CountError, facts};

/// Ballots with the same marks, one after the other.
struct Run {
    place: String,
    weight: u64,
    /// The canonical bytes, or why there are none.
    ballot: Result<Vec<u8>, String>,
}

/// Ballots of each side that wait for the other.
const WAITING_MAX: usize = 4_096;

/// Refuses what was written where a ballot is not what it was.
pub(super) fn compare(
    job: &Job<'_>,
    files: &[BallotFile],
    written: &BallotFile,
) -> Result<(), ConvertError> {
    let written = std::slice::from_ref(written);
    let facts = facts(written, job.election).map_err(CountError::from)?;
    if facts.withdrawn != job.facts.withdrawn {
        return Err(ConvertError::Lossy {
            place: written[0].name().to_owned(),
            what: "it has no place for withdrawn options".into(),
        });
    }
    let (give_before, before) = sync_channel(WAITING_MAX);
    let (give_after, after) = sync_channel(WAITING_MAX);
    let (difference, source, read) = thread::scope(|scope| {
        // A ballot that could not be read was not written.
        let source = scope.spawn(move || each(job, files, false, &give_before));
        let read = scope.spawn(move || each(job, written, true, &give_after));
        let difference = difference(before, after, written[0].format().name());
        (difference, joined(source), joined(read))
    });
    source.and(read).map_err(CountError::from)?;
    difference.map_or(Ok(()), Err)
}

fn joined<T>(side: ScopedJoinHandle<'_, T>) -> T {
    side.join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Gives away the ballots of files; `all` of them, or only those that can be read.
fn each(
    job: &Job<'_>,
    files: &[BallotFile],
    all: bool,
    give: &SyncSender<Run>,
) -> Result<(), ImportError> {
    let mut is_wanted = true;
    for file in files {
        file.each(&job.paper, &mut |cast| {
            let place = format!("{}:{}", cast.place(file.name()), cast.line);
            let ballot = match cast.ballot {
                Ok(ballot) => {
                    let ballot = job.paper.in_words_of_the_rule(ballot);
                    let bytes = job.contest.encode_ballot(&ballot);
                    bytes.map_err(|error| error.to_string())
                }
                Err(reason) => Err(format!("{reason:?}")),
            };
            if is_wanted && cast.weight > 0 && (all || ballot.is_ok()) {
                let run = Run {
                    place,
                    weight: cast.weight,
                    ballot,
                };
                // Nobody waits for more where a difference is known.
                is_wanted = give.send(run).is_ok();
            }
        })?;
    }
    Ok(())
}

/// The first difference between the ballots before and after, whatever lines they were gathered on.
fn difference(before: Receiver<Run>, after: Receiver<Run>, format: &str) -> Option<ConvertError> {
    let lossy = |place: String, what: String| Some(ConvertError::Lossy { place, what });
    let mut now = before.recv().ok();
    for written in after {
        let mut weight = written.weight;
        while weight > 0 {
            let Some(run) = &mut now else {
                return lossy(written.place, "it has more ballots than were read".into());
            };
            match (&written.ballot, &run.ballot) {
                (Ok(after), Ok(before)) if after == before => {}
                (Err(reason), _) => return lossy(run.place.clone(), reason.clone()),
                _ => {
                    let what = format!("{format} has no place for its marks");
                    return lossy(run.place.clone(), what);
                }
            }
            let both = weight.min(run.weight);
            weight -= both;
            run.weight -= both;
            if run.weight == 0 {
                now = before.recv().ok();
            }
        }
    }
    now.and_then(|run| lossy(run.place, format!("{format} leaves it out")))
}
