//! Reading the database of this backend alone.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata};
use tabella_protocol::{Hash, Transaction, VoterId, codec};

use super::{
    Account, Closing, Earlier, Identity, Mark, Named, OpenError, Session, StoreError, Submission,
    accounts, handle::Handle, tables,
};
use crate::pending::{Durable, Pending};

/// The database's cache, in bytes.
const CACHE_BYTES: usize = 32 << 20;

impl Handle {
    pub(super) fn by_transaction(&self, id: &Hash) -> Result<Option<Submission>, StoreError> {
        let read = self.begin_read()?;
        let by_hash = read
            .open_table(tables::TRANSACTIONS)
            .map_err(StoreError::of)?;
        let sequence = by_hash.get(&id.0).map_err(StoreError::of)?;
        match sequence.map(|sequence| sequence.value()) {
            Some(sequence) => self.by_sequence(sequence),
            None => Ok(None),
        }
    }

    pub(super) fn named(
        &self,
        voter: &VoterId,
        client_id: &str,
    ) -> Result<Option<Submission>, StoreError> {
        let read = self.begin_read()?;
        let by_client = read
            .open_table(tables::CLIENT_IDS)
            .map_err(StoreError::of)?;
        let sequence = by_client
            .get((&voter.0, client_id))
            .map_err(StoreError::of)?
            .map(|sequence| sequence.value());
        let submission = match sequence {
            Some(sequence) => self.by_sequence(sequence)?,
            None => self.named_before(client_id)?,
        };
        Ok(submission.filter(|submission| submission.voter == *voter))
    }

    /// The submission under an id of the time when one id stood for one voter's.
    fn named_before(&self, client_id: &str) -> Result<Option<Submission>, StoreError> {
        let read = self.begin_read()?;
        let by_client = read
            .open_table(tables::EARLIER_CLIENT_IDS)
            .map_err(StoreError::of)?;
        let sequence = by_client.get(client_id).map_err(StoreError::of)?;
        match sequence.map(|sequence| sequence.value()) {
            Some(sequence) => self.by_sequence(sequence),
            None => Ok(None),
        }
    }

    pub(super) fn named_by_registrar(
        &self,
        client_id: &str,
        election_id: Option<u64>,
    ) -> Result<Named, StoreError> {
        let read = self.begin_read()?;
        let by_client = read
            .open_multimap_table(tables::REGISTRAR_CLIENT_IDS)
            .map_err(StoreError::of)?;
        let mut found = self.named_before(client_id)?;
        found = found.filter(|known| election_id.is_none_or(|id| id == known.election_id));
        let sequences = by_client.get(client_id).map_err(StoreError::of)?;
        for (looked_at, sequence) in sequences.enumerate() {
            if looked_at == super::NAMED_MAX {
                return Ok(Named::Several);
            }
            let sequence = sequence.map_err(StoreError::of)?.value();
            let Some(submission) = self.by_sequence(sequence)? else {
                continue;
            };
            if election_id.is_some_and(|id| id != submission.election_id) {
                continue;
            }
            if found.is_some() {
                return Ok(Named::Several);
            }
            found = Some(submission);
        }
        Ok(found.map_or(Named::Nothing, |one| Named::One(Box::new(one))))
    }

    pub(super) fn earlier(&self) -> Result<Earlier, StoreError> {
        let read = self.begin_read()?;
        let meta = read.open_table(tables::META).map_err(StoreError::of)?;
        let earlier = meta.get(tables::META_EARLIER).map_err(StoreError::of)?;
        let earlier = earlier.map(|bytes| codec::decode(bytes.value(), 64));
        Ok(earlier
            .transpose()
            .map_err(StoreError::of)?
            .unwrap_or_default())
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

    pub(super) fn last_number(
        &self,
        election_id: u64,
        voter: &VoterId,
    ) -> Result<Option<u64>, StoreError> {
        let read = self.begin_read()?;
        let numbers = read.open_table(tables::NUMBERS).map_err(StoreError::of)?;
        let kept = numbers.get((election_id, &voter.0));
        let kept = kept.map_err(StoreError::of)?.map(|kept| kept.value());
        let standing = self.ballot_of(election_id, voter)?;
        Ok(kept.max(standing.and_then(|standing| standing.number())))
    }

    pub(super) fn mark(&self) -> Result<Option<Mark>, StoreError> {
        let read = self.begin_read()?;
        let meta = read.open_table(tables::META).map_err(StoreError::of)?;
        let mark = meta.get(tables::META_MARK).map_err(StoreError::of)?;
        mark.map(|bytes| codec::decode(bytes.value(), 64))
            .transpose()
            .map_err(StoreError::of)
    }

    pub(super) fn closings(&self) -> Result<Vec<(u64, Closing)>, StoreError> {
        let read = self.begin_read()?;
        let closings = read.open_table(tables::CLOSINGS).map_err(StoreError::of)?;
        let signed = read.open_table(tables::SIGNED_CLOSES);
        let signed = signed.map_err(StoreError::of)?;
        let mut found = Vec::new();
        for row in closings.iter().map_err(StoreError::of)? {
            let (election_id, code) = row.map_err(StoreError::of)?;
            let election_id = election_id.value();
            let until = signed.get(election_id).map_err(StoreError::of)?;
            let closing = Closing::of_code(code.value(), until.map(|until| until.value()))?;
            found.push((election_id, closing));
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
            Some(version) if version == tables::VERSION_BEFORE => {
                let elections = write
                    .open_table(tables::ELECTIONS)
                    .map_err(redb::Error::from)?;
                let last = elections.last().map_err(redb::Error::from)?;
                let earlier = Earlier {
                    elections_until: last.map_or(0, |(id, _)| id.value()),
                    accounts_until_ms: tabella_clock::now_ms(),
                };
                meta.insert(tables::META_EARLIER, codec::encode(&earlier).as_slice())
                    .map_err(redb::Error::from)?;
                meta.insert(tables::META_VERSION, tables::VERSION)
                    .map_err(redb::Error::from)?;
            }
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

/// Writes down at the first start what every later one must bring.
pub(super) fn agree(database: &Database, identity: &Identity) -> Result<(), OpenError> {
    let write = database.begin_write().map_err(redb::Error::from)?;
    {
        let mut meta = write.open_table(tables::META).map_err(redb::Error::from)?;
        let known = meta
            .get(tables::META_IDENTITY)
            .map_err(redb::Error::from)?
            .map(|known| codec::decode::<Identity>(known.value(), Identity::BYTES));
        match known {
            Some(known) => {
                let corrupt = |error| OpenError::Corrupt(format!("its identity: {error}"));
                return known.map_err(corrupt)?.require(identity);
            }
            None => meta
                .insert(tables::META_IDENTITY, codec::encode(identity).as_slice())
                .map_err(redb::Error::from)?,
        };
    }
    write.commit().map_err(redb::Error::from)?;
    Ok(())
}

/// Puts every open submission back among those to be carried to the chain; returns the next
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
            submitted_at_ms: submission.submitted_at_ms,
        });
    }
    tables::next_sequence(&submissions).map_err(|error| OpenError::from(redb::Error::from(error)))
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
    open.len()
        .map_err(|error| OpenError::from(redb::Error::from(error)))
}
