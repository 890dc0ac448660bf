//! Reading the database of this backend alone.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata};
use tabella_protocol::{Hash, Transaction, VoterId, codec, rpc::ElectionView};

use super::{
    Account, Closing, Mark, OpenError, Session, StoreError, Submission, accounts, handle::Handle,
    tables,
};
use crate::pending::{Durable, Pending};

/// The database's cache, in bytes.
const CACHE_BYTES: usize = 32 << 20;

impl Handle {
    pub(super) fn submission(&self, id: &str) -> Result<Option<Submission>, StoreError> {
        let read = self.begin_read()?;
        let by_client = read
            .open_table(tables::CLIENT_IDS)
            .map_err(StoreError::of)?;
        let mut sequence = by_client
            .get(id)
            .map_err(StoreError::of)?
            .map(|sequence| sequence.value());
        if sequence.is_none()
            && let Ok(hash) = id.parse::<Hash>()
        {
            let by_hash = read
                .open_table(tables::TRANSACTIONS)
                .map_err(StoreError::of)?;
            sequence = by_hash
                .get(&hash.0)
                .map_err(StoreError::of)?
                .map(|sequence| sequence.value());
        }
        match sequence {
            Some(sequence) => self.by_sequence(sequence),
            None => Ok(None),
        }
    }

    pub(super) fn by_sequence(&self, sequence: u64) -> Result<Option<Submission>, StoreError> {
        let read = self.begin_read()?;
        let submissions = read
            .open_table(tables::SUBMISSIONS)
            .map_err(StoreError::of)?;
        let found = submissions.get(sequence).map_err(StoreError::of)?;
        found
            .map(|bytes| Submission::from_bytes(bytes.value()))
            .transpose()
            .map_err(StoreError::of)
    }

    pub(super) fn ballot_of(
        &self,
        election_id: u64,
        voter: &VoterId,
    ) -> Result<Option<Submission>, StoreError> {
        let read = self.begin_read()?;
        let voters = read
            .open_multimap_table(tables::VOTERS)
            .map_err(StoreError::of)?;
        let sequence = tables::standing(&voters, election_id, voter).map_err(StoreError::of)?;
        match sequence {
            Some(sequence) => self.by_sequence(sequence),
            None => Ok(None),
        }
    }

    pub(super) fn mark(&self) -> Result<Option<Mark>, StoreError> {
        let read = self.begin_read()?;
        let meta = read.open_table(tables::META).map_err(StoreError::of)?;
        let mark = meta.get(tables::META_MARK).map_err(StoreError::of)?;
        mark.map(|bytes| codec::decode(bytes.value(), 64))
            .transpose()
            .map_err(StoreError::of)
    }

    pub(super) fn elections(&self) -> Result<Vec<ElectionView>, StoreError> {
        let read = self.begin_read()?;
        let elections = read.open_table(tables::ELECTIONS).map_err(StoreError::of)?;
        let mut views = Vec::new();
        for row in elections.iter().map_err(StoreError::of)? {
            let (_, json) = row.map_err(StoreError::of)?;
            views.push(serde_json::from_slice(json.value()).map_err(StoreError::of)?);
        }
        Ok(views)
    }

    pub(super) fn closings(&self) -> Result<Vec<(u64, Closing)>, StoreError> {
        let read = self.begin_read()?;
        let closings = read.open_table(tables::CLOSINGS).map_err(StoreError::of)?;
        let mut found = Vec::new();
        for row in closings.iter().map_err(StoreError::of)? {
            let (election_id, code) = row.map_err(StoreError::of)?;
            found.push((election_id.value(), Closing::of_code(code.value())?));
        }
        Ok(found)
    }

    pub(super) fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        let read = self.begin_read()?;
        let accounts = read.open_table(tables::ACCOUNTS).map_err(StoreError::of)?;
        let account = accounts.get(name).map_err(StoreError::of)?;
        account
            .map(|bytes| accounts::decode(bytes.value()))
            .transpose()
    }

    pub(super) fn account_of_session(&self, id: &str) -> Result<Option<Account>, StoreError> {
        let read = self.begin_read()?;
        let sessions = read.open_table(tables::SESSIONS).map_err(StoreError::of)?;
        let session = sessions.get(id).map_err(StoreError::of)?;
        let Some(session) = session else {
            return Ok(None);
        };
        let session: Session = accounts::decode(session.value())?;
        self.account(&session.account)
    }
}

pub(super) fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

pub(super) fn prepare(database: &Database) -> Result<(), OpenError> {
    let write = database.begin_write().map_err(redb::Error::from)?;
    tables::create(&write).map_err(redb::Error::from)?;
    {
        let mut meta = write.open_table(tables::META).map_err(redb::Error::from)?;
        let version = meta
            .get(tables::META_VERSION)
            .map_err(redb::Error::from)?
            .map(|version| version.value().to_vec());
        match version {
            None => {
                meta.insert(tables::META_VERSION, tables::VERSION)
                    .map_err(redb::Error::from)?;
            }
            Some(version) if version == tables::VERSION => {}
            Some(got) => {
                return Err(OpenError::Version {
                    expected: tables::VERSION.to_vec(),
                    got,
                });
            }
        }
    }
    write.commit().map_err(redb::Error::from)?;
    Ok(())
}

/// Puts every open submission back among those to be carried to the chain; answers the next
/// sequence.
pub(super) fn load_open(database: &Database, pending: &Pending) -> Result<u64, OpenError> {
    let read = database.begin_read().map_err(redb::Error::from)?;
    let open = read.open_table(tables::OPEN).map_err(redb::Error::from)?;
    let submissions = read
        .open_table(tables::SUBMISSIONS)
        .map_err(redb::Error::from)?;
    for row in open.iter().map_err(redb::Error::from)? {
        let sequence = row.map_err(redb::Error::from)?.0.value();
        let Some(bytes) = submissions.get(sequence).map_err(redb::Error::from)? else {
            return Err(OpenError::Corrupt(format!(
                "submission {sequence} is missing"
            )));
        };
        let corrupt = |error: &dyn std::fmt::Display| {
            OpenError::Corrupt(format!("submission {sequence}: {error}"))
        };
        let submission = Submission::from_bytes(bytes.value()).map_err(|error| corrupt(&error))?;
        let transaction =
            Transaction::from_bytes(&submission.transaction).map_err(|error| corrupt(&error))?;
        pending.insert(Durable {
            sequence,
            transaction_id: submission.transaction_id,
            expiry_height: transaction.body.expiry_height,
            election_id: submission.election_id,
            voter: submission.voter,
        });
    }
    tables::next_sequence(&submissions).map_err(|error| OpenError::Engine(error.into()))
}

/// How many submissions in the file at `path` are neither confirmed nor rejected; none where there
/// is no file.
pub(super) fn count_open(path: &Path) -> Result<u64, OpenError> {
    if !path.exists() {
        return Ok(0);
    }
    let database = builder().open(path).map_err(redb::Error::from)?;
    prepare(&database)?;
    let read = database.begin_read().map_err(redb::Error::from)?;
    let open = read.open_table(tables::OPEN).map_err(redb::Error::from)?;
    open.len().map_err(|error| OpenError::Engine(error.into()))
}
