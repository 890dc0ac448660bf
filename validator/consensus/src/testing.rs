//! An application that only listens, for tests of what stands before it.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use tabella_protocol::{CommitCertificate, Evidence, Hash, PublicKey, Statement};
use tokio::sync::Semaphore;

use crate::{Application, BuiltBlock, Checked, Fatal, HeightStart, UndecidedBlock, Worth};

pub(crate) struct Listener {
    pub(crate) heard: Mutex<Vec<Statement>>,
    pub(crate) messages: Mutex<Vec<(PublicKey, Bytes)>>,
    /// Whose messages take as long as no permit comes.
    pub(crate) slow: Option<PublicKey>,
    pub(crate) permits: Semaphore,
}

impl Listener {
    pub(crate) fn new(slow: Option<PublicKey>) -> Self {
        Self {
            heard: Mutex::default(),
            messages: Mutex::default(),
            slow,
            permits: Semaphore::new(0),
        }
    }
}

fn not_asked<T>() -> Result<T, Fatal> {
    Err(Fatal::new("it only listens"))
}

#[async_trait]
impl Application for Listener {
    async fn start(&self) -> Result<HeightStart, Fatal> {
        not_asked()
    }

    async fn build(&self, _: u64, _: u32) -> Result<BuiltBlock, Fatal> {
        not_asked()
    }

    async fn check(&self, _: u64, _: u32, _: PublicKey, _: Bytes) -> Result<Checked, Fatal> {
        not_asked()
    }

    async fn undecided(&self, _: u64, _: u32) -> Result<Vec<UndecidedBlock>, Fatal> {
        not_asked()
    }

    async fn undecided_body(&self, _: u64, _: Hash) -> Result<Option<Bytes>, Fatal> {
        not_asked()
    }

    async fn commit(&self, _: CommitCertificate) -> Result<HeightStart, Fatal> {
        not_asked()
    }

    async fn next_height(&self) {}

    async fn decided(&self, _: u64) -> Result<Option<(CommitCertificate, Bytes)>, Fatal> {
        not_asked()
    }

    async fn history_min_height(&self) -> Result<u64, Fatal> {
        not_asked()
    }

    async fn evidence(&self, _: Vec<Evidence>) -> Result<(), Fatal> {
        not_asked()
    }

    fn heard(&self, statement: Statement) {
        self.heard.lock().unwrap().push(statement);
    }

    async fn message(&self, from: PublicKey, message: Bytes) -> Worth {
        if self.slow == Some(from) {
            self.permits.acquire().await.unwrap().forget();
        }
        let worth = match message.is_empty() {
            true => Worth::Garbage,
            false => Worth::Sound,
        };
        self.messages.lock().unwrap().push((from, message));
        worth
    }
}
