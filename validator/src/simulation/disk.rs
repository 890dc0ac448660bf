//! Files that lose what was not synced when the power fails.

use std::{
    collections::BTreeMap,
    io::{self, Read, Seek, SeekFrom, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tabella_consensus::machine::LogFile;

use super::chance::Chance;

/// What reaches the platter on its own, as one.
const PAGE_BYTES: usize = 4_096;

/// How a process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crash {
    /// Killed: the operating system still writes what it was given.
    Kill,
    /// The power fails: of what was not synced, any part is lost.
    PowerCut,
}

/// Whether a disk tells the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Honesty {
    Honest,
    /// Says that it has synced, and has not.
    Lies,
}

enum Change {
    Write { at: u64, bytes: Vec<u8> },
    Truncate(u64),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => write_at(content, *at, bytes),
            Self::Truncate(len) => resize(content, *len),
        }
    }

    /// How long it makes the file at least.
    fn end(&self) -> usize {
        let end = match self {
            Self::Write { at, bytes } => *at + bytes.len() as u64,
            Self::Truncate(len) => *len,
        };
        usize::try_from(end).expect("simulated files are small")
    }
}

#[derive(Default)]
struct Content {
    /// What a reader sees.
    seen: Vec<u8>,
    /// What a power cut leaves.
    durable: Vec<u8>,
    /// What was done to the file since.
    unsynced: Vec<Change>,
}

/// The disk of one validator.
#[derive(Clone)]
pub(crate) struct Disk(Arc<Mutex<Files>>);

struct Files {
    contents: BTreeMap<&'static str, Content>,
    honesty: Honesty,
    /// Changes and syncs left before the process is gone; none is counted without a plan.
    left: Option<u64>,
}

impl Disk {
    pub(crate) fn new(honesty: Honesty) -> Self {
        Self(Arc::new(Mutex::new(Files {
            contents: BTreeMap::new(),
            honesty,
            left: None,
        })))
    }

    pub(crate) fn file(&self, name: &'static str) -> SimFile {
        self.lock().contents.entry(name).or_default();
        SimFile {
            disk: self.clone(),
            name,
            position: 0,
        }
    }

    pub(super) fn remove(&self, name: &str) {
        self.lock().contents.remove(name);
    }

    /// Lets the process die at its disk after `operations` more of them; at once with 0.
    pub(crate) fn die_after(&self, operations: u64) {
        self.lock().left = Some(operations);
    }

    /// Takes back what [`die_after`](Self::die_after) planned, unless it has happened.
    pub(super) fn live_on(&self) {
        let mut files = self.lock();
        files.left = files.left.filter(|left| *left == 0);
    }

    /// Whether it has died there.
    pub(super) fn is_dead(&self) -> bool {
        self.lock().left == Some(0)
    }

    /// What the next process finds.
    pub(super) fn crash(&self, crash: Crash, chance: &mut Chance) {
        let mut files = self.lock();
        files.left = None;
        if crash == Crash::Kill {
            return;
        }
        for content in files.contents.values_mut() {
            content.lose(chance);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files {
    fn spend(&mut self) -> io::Result<()> {
        match &mut self.left {
            Some(0) => Err(io::Error::other("the process is gone")),
            Some(left) => {
                *left -= 1;
                match *left {
                    0 => Err(io::Error::other("the process is gone")),
                    _ => Ok(()),
                }
            }
            None => Ok(()),
        }
    }
}

impl Content {
    fn sync(&mut self) {
        for change in std::mem::take(&mut self.unsynced) {
            change.apply(&mut self.durable);
        }
    }

    /// Keeps what was not synced up to a moment; or each page up to a moment of its own, as a system
    /// that writes pages back in any order leaves them, and the length up to another.
    fn lose(&mut self, chance: &mut Chance) {
        let changes = std::mem::take(&mut self.unsynced);
        let moment_of_length = chance.index(changes.len() + 1);
        let longest = changes.iter().map(Change::end);
        let longest = longest.fold(self.durable.len(), usize::max);
        let pages = longest.div_ceil(PAGE_BYTES);
        let mut moments = vec![moment_of_length; pages];
        if chance.happens(500) {
            moments.fill_with(|| chance.index(changes.len() + 1));
        }
        let mut left = Vec::new();
        let mut length = 0;
        for at in 0..=changes.len() {
            let pages = moments.iter().enumerate();
            for (page, _) in pages.filter(|(_, moment)| **moment == at) {
                let from = page * PAGE_BYTES;
                let to = self.durable.len().min(from + PAGE_BYTES);
                if from < to {
                    write_at(&mut left, from as u64, &self.durable[from..to]);
                }
            }
            if at == moment_of_length {
                length = self.durable.len();
            }
            if let Some(change) = changes.get(at) {
                change.apply(&mut self.durable);
            }
        }
        resize(&mut left, length as u64);
        self.durable.clone_from(&left);
        self.seen = left;
    }
}

fn resize(content: &mut Vec<u8>, len: u64) {
    content.resize(usize::try_from(len).expect("simulated files are small"), 0);
}

fn write_at(content: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let at = usize::try_from(at).expect("simulated files are small");
    if content.len() < at + bytes.len() {
        content.resize(at + bytes.len(), 0);
    }
    content[at..at + bytes.len()].copy_from_slice(bytes);
}

/// One file, as redb and the write-ahead log use it.
#[derive(Clone)]
pub(crate) struct SimFile {
    disk: Disk,
    name: &'static str,
    position: u64,
}

impl std::fmt::Debug for SimFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl SimFile {
    fn with<T>(&self, work: impl FnOnce(&mut Content, Honesty) -> T) -> T {
        let mut files = self.disk.lock();
        let honesty = files.honesty;
        let content = files.contents.get_mut(self.name).expect("made by `file`");
        work(content, honesty)
    }

    fn change(&self, change: Change) -> io::Result<()> {
        self.disk.lock().spend()?;
        self.with(|content, _| {
            change.apply(&mut content.seen);
            content.unsynced.push(change);
        });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.lock().spend()?;
        self.with(|content, honesty| {
            if honesty == Honesty::Honest {
                content.sync();
            }
        });
        Ok(())
    }

    fn read_at(&self, at: u64, out: &mut [u8]) -> usize {
        self.with(|content, _| {
            let from = content
                .seen
                .len()
                .min(usize::try_from(at).unwrap_or(usize::MAX));
            let count = out.len().min(content.seen.len() - from);
            out[..count].copy_from_slice(&content.seen[from..from + count]);
            count
        })
    }

    fn size(&self) -> u64 {
        self.with(|content, _| content.seen.len() as u64)
    }
}

impl redb::StorageBackend for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.size())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match self.read_at(offset, out) {
            count if count == out.len() => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::Truncate(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let bytes = data.to_vec();
        self.change(Change::Write { at: offset, bytes })
    }
}

impl Read for SimFile {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.read_at(self.position, out);
        self.position += count as u64;
        Ok(count)
    }
}

impl Write for SimFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let at = self.position;
        self.change(Change::Write {
            at,
            bytes: bytes.to_vec(),
        })?;
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for SimFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(by) => self.size().checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

impl LogFile for SimFile {
    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.size())
    }

    fn truncate_to(&mut self, size_bytes: u64) -> io::Result<()> {
        self.change(Change::Truncate(size_bytes))
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.sync()
    }
}
