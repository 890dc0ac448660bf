//! The open database, which is closed when it fails and opened again.
//!
//! redb takes nothing more once storage has failed: only a database that was opened again, and so
//! repaired from what is on disk, can be trusted.

use std::sync::{Arc, PoisonError, RwLock};

use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};

use super::StoreError;

/// How the database is opened: the first time, and again.
pub(super) type Opener = Box<dyn Fn() -> Result<Database, redb::Error> + Send>;

/// The database, while it is open.
#[derive(Clone)]
pub(super) struct Handle(Arc<RwLock<Option<Database>>>);

impl Handle {
    pub(super) fn new(database: Database) -> Self {
        Self(Arc::new(RwLock::new(Some(database))))
    }

    pub(super) fn begin_read(&self) -> Result<ReadTransaction, StoreError> {
        let database = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let open = database.as_ref().ok_or_else(closed)?;
        open.begin_read().map_err(StoreError::of)
    }

    pub(super) fn begin_write(&self) -> Result<WriteTransaction, StoreError> {
        let database = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let open = database.as_ref().ok_or_else(closed)?;
        open.begin_write().map_err(StoreError::of)
    }

    /// Closes it, or puts another in its place.
    pub(super) fn set(&self, database: Option<Database>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = database;
    }
}

fn closed() -> StoreError {
    StoreError::of("it is closed until it can be opened again")
}
