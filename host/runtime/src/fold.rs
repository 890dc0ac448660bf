//! Folds a board in chunks, on the calling thread and on workers, and merges them in order.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender};

use parking_lot::Mutex;
use tabella_contest::{Batch, Batches, Chunk};

use crate::configured::Configured;
use crate::instance::Instance;
use crate::tally::TallyError;
use crate::verdict::HostFault;

/// Chunks for each thread that may be folded and wait to be merged behind a slower one.
const AHEAD_MAX: u64 = 4;
/// Chunks cut for each worker before whoever cuts folds one too: with a single one, a worker that is
/// done sooner would wait for the next cut.
const WAITING_MAX: usize = 2;

/// The count so far.
pub(crate) struct Fold<'a> {
    contest: &'a Configured,
    /// The first chunk's instance, into which the others are merged.
    pub(crate) total: Option<Instance>,
    /// Of instances that are gone.
    pub(crate) fuel: u64,
}

/// A chunk's state, by the chunk's number.
type Done = (u64, Result<Folded, TallyError>);

enum Folded {
    Running(Instance),
    Saved { state: Vec<u8>, fuel: u64 },
}

impl<'a> Fold<'a> {
    pub(crate) fn new(contest: &'a Configured) -> Self {
        Self {
            contest,
            total: None,
            fuel: 0,
        }
    }

    /// By one instance, for rules that do not merge.
    pub(crate) fn in_order<I: Iterator<Item = (u64, B)>, B: AsRef<[u8]>>(
        &mut self,
        batches: &mut Batches<'_, I, B>,
    ) -> Result<(), TallyError> {
        let limits = &self.contest.shared.limits;
        while let Some(batch) = batches.next_batch()? {
            let instance = match &mut self.total {
                Some(instance) => instance,
                None => self
                    .total
                    .insert(self.contest.instance(limits.tally_memory_bytes)?),
            };
            instance
                .fold(&batch.bytes, limits)
                .map_err(TallyError::at(folding(&batch)))?;
        }
        Ok(())
    }

    pub(crate) fn in_parallel<I: Iterator<Item = (u64, B)>, B: AsRef<[u8]>>(
        &mut self,
        batches: &mut Batches<'_, I, B>,
    ) -> Result<(), TallyError> {
        let contest = self.contest;
        let Some(pool) = &contest.shared.tally_workers else {
            while let Some(chunk) = batches.next_chunk()? {
                self.add(fold_chunk(contest, &chunk)?)?;
            }
            return Ok(());
        };
        let workers = pool.current_num_threads();
        let queue = Queue {
            contest,
            chunks: Mutex::default(),
        };
        let (done, folded) = mpsc::channel();
        pool.in_place_scope(|scope| {
            let mut line = Line {
                fold: self,
                folded: &folded,
                early: BTreeMap::new(),
                merged: 0,
            };
            let mut cut = 0;
            while let Some(chunk) = batches.next_chunk()? {
                cut += 1;
                // Whoever cuts the board folds too, once the workers have enough to do.
                match queue.push(chunk, WAITING_MAX * workers) {
                    Ok(()) => {
                        let (queue, done) = (&queue, done.clone());
                        scope.spawn(move |_| queue.fold_next(&done));
                    }
                    Err(chunk) => queue.fold(&chunk, &done),
                }
                line.merge_ready()?;
                while cut - line.merged > AHEAD_MAX * (workers as u64 + 1) {
                    line.wait()?;
                }
            }
            while !queue.is_empty() {
                queue.fold_next(&done);
                line.merge_ready()?;
            }
            while line.merged < cut {
                line.wait()?;
            }
            Ok(())
        })
    }

    fn add(&mut self, folded: Folded) -> Result<(), TallyError> {
        match (folded, &mut self.total) {
            (Folded::Running(instance), total) => *total = Some(instance),
            (Folded::Saved { state, fuel }, Some(total)) => {
                self.fuel += fuel;
                total
                    .merge(&state, &self.contest.shared.limits)
                    .map_err(TallyError::at("merging tallies"))?;
            }
            (Folded::Saved { .. }, None) => unreachable!("the first chunk stays in its instance"),
        }
        Ok(())
    }
}

/// Chunks that wait for a thread.
struct Queue<'a> {
    contest: &'a Configured,
    chunks: Mutex<VecDeque<Chunk>>,
}

impl Queue<'_> {
    /// Gives the chunk back where as many wait already.
    fn push(&self, chunk: Chunk, most: usize) -> Result<(), Chunk> {
        let mut chunks = self.chunks.lock();
        if chunks.len() >= most {
            return Err(chunk);
        }
        chunks.push_back(chunk);
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.chunks.lock().is_empty()
    }

    fn fold_next(&self, done: &Sender<Done>) {
        let chunk = self.chunks.lock().pop_front();
        if let Some(chunk) = chunk {
            self.fold(&chunk, done);
        }
    }

    fn fold(&self, chunk: &Chunk, done: &Sender<Done>) {
        // Whoever merges waits for this chunk, so it must hear of it whatever happens.
        let folded = catch_unwind(AssertUnwindSafe(|| fold_chunk(self.contest, chunk)));
        let lost = |_| Err(HostFault("a thread of the tally panicked".into()).into());
        // Nobody listens any more after another chunk failed.
        let _ = done.send((chunk.number, folded.unwrap_or_else(lost)));
    }
}

/// Merges chunks in the order of the board, whatever the order in which they are folded.
struct Line<'f, 'a> {
    fold: &'f mut Fold<'a>,
    folded: &'f Receiver<Done>,
    /// Folded before one that stands before them.
    early: BTreeMap<u64, Result<Folded, TallyError>>,
    merged: u64,
}

impl Line<'_, '_> {
    fn merge_ready(&mut self) -> Result<(), TallyError> {
        self.early.extend(self.folded.try_iter());
        while let Some(folded) = self.early.remove(&self.merged) {
            self.fold.add(folded?)?;
            self.merged += 1;
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<(), TallyError> {
        let lost = |_| HostFault("the threads of the tally are gone".into());
        let (number, folded) = self.folded.recv().map_err(lost)?;
        self.early.insert(number, folded);
        self.merge_ready()
    }
}

fn folding(batch: &Batch) -> String {
    format!("folding {batch}")
}

fn fold_chunk(contest: &Configured, chunk: &Chunk) -> Result<Folded, TallyError> {
    let limits = &contest.shared.limits;
    let mut instance = contest.instance(limits.tally_memory_bytes)?;
    for batch in &chunk.batches {
        instance
            .fold(&batch.bytes, limits)
            .map_err(TallyError::at(folding(batch)))?;
    }
    // The first chunk of all stays in its instance, and the others come to it.
    if chunk.number == 0 {
        return Ok(Folded::Running(instance));
    }
    let state = instance
        .save(limits)
        .map_err(TallyError::at("saving a tally"))?;
    let fuel = instance.fuel_used();
    Ok(Folded::Saved { state, fuel })
}
