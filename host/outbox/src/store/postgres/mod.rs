//! The database that several backends share: the same store over PostgreSQL.
//!
//! Whoever writes locks the one row of the table `network` first. So the groups of writes of all
//! backends follow one another as those of one backend do in the file: what a group reads stays true
//! until it commits, and sequences are given in the order of commits.
//!
//! - `connection`: how a session begins; `writer`: commits what has queued up; `group`: one group in one
//!   transaction; `new`: its new submissions; `carriers`: who carries what; `rows`: submissions as rows; `accounts`: who may log in.

mod accounts;
mod carriers;
mod connection;
mod group;
mod new;
mod rows;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    future::Future,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::FutureExt;
use sqlx::{
    Connection, PgConnection, PgPool, Row,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tabella_protocol::{Hash, VoterId};
use tokio::sync::mpsc;

pub(crate) use self::carriers::Reach;
use self::{
    carriers::Me,
    connection::{agree, connect, migrate, open_error, options, prepare},
    rows::{Kept, bytes, columns},
};
use super::{
    Closing, Earlier, Identity, Mark, Named, OnCommit, OpenError, StoreError, Submission,
    signing::Queued,
};
use crate::pending::Pending;

/// Connections for reading.
const CONNECTIONS_MAX: u32 = 8;
/// How long one read, or one group of writes, may take.
const ANSWER_MAX: Duration = Duration::from_secs(6);
/// How long writes that failed may still turn up as done: longer than the server waits for a
/// connection that says nothing.
const DOUBT: Duration = Duration::from_secs(15);

/// Whether all that this backend is to carry is among the pending ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    Nothing,
    /// Writes failed and may be there all the same.
    Unread,
    /// Read again at this time; later writes of the same kind may have come after.
    Read(Instant),
}

/// The shared database, as one backend uses it.
pub(crate) struct Shared {
    options: PgConnectOptions,
    pool: PgPool,
    me: Me,
    doubt: Mutex<Doubt>,
    healthy: Arc<AtomicBool>,
}

/// What is needed to take part.
pub(super) struct Opening {
    pub(super) url: String,
    pub(super) data: PathBuf,
    pub(super) identity: Identity,
    pub(super) pending: Arc<Pending>,
    pub(super) healthy: Arc<AtomicBool>,
    pub(super) on_commit: OnCommit,
    pub(super) queue: mpsc::Receiver<Queued>,
}

impl Opening {
    /// Connects to the database, brings its tables up to date, and takes part.
    pub(super) async fn open(self) -> Result<Arc<Shared>, OpenError> {
        let options = options(&self.url)?;
        let mut connection = tokio::time::timeout(ANSWER_MAX, connect(options.clone()))
            .await
            .map_err(|_| OpenError::Away(format!("it did not answer within {ANSWER_MAX:?}")))?
            .map_err(open_error)?;
        migrate(&mut connection).await?;
        agree(&mut connection, &self.identity).await?;
        let me = Me::over(&self.data)?;
        carriers::join(&mut connection, &me)
            .await
            .map_err(open_error)?;
        // It may have failed meanwhile, which then is no more than that.
        let _ = connection.close().await;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ANSWER_MAX)
            .after_connect(|connection, _| Box::pin(prepare(connection)))
            .connect_lazy_with(options.clone());
        let shared = Arc::new(Shared {
            options,
            pool,
            me,
            doubt: Mutex::new(Doubt::Nothing),
            healthy: self.healthy,
        });
        let own = shared.own().await;
        let own = own.map_err(|error| OpenError::Away(error.to_string()))?;
        self.pending.carry(own);
        let writer = writer::Writer::new(shared.clone(), self.pending, self.on_commit);
        tokio::spawn(writer.run(self.queue).boxed());
        Ok(shared)
    }
}

impl Shared {
    /// The answer to a read, or an error once it takes too long.
    async fn answered<T>(
        &self,
        read: impl Future<Output = Result<T, sqlx::Error>> + Send,
    ) -> Result<T, StoreError> {
        tokio::time::timeout(ANSWER_MAX, read.boxed())
            .await
            .map_err(|_| StoreError::Failed(format!("no answer within {ANSWER_MAX:?}")))?
            .map_err(StoreError::of)
    }

    async fn one(
        &self,
        query: sqlx::query::Query<'_, sqlx::Postgres, sqlx::postgres::PgArguments>,
    ) -> Result<Option<Submission>, StoreError> {
        self.answered(async {
            let row = query.fetch_optional(&self.pool).await?;
            let kept = row.map(|row| Kept::of(&row)).transpose()?;
            Ok(kept.map(|kept| kept.submission))
        })
        .await
    }

    pub(super) async fn by_transaction(&self, id: &Hash) -> Result<Option<Submission>, StoreError> {
        let statement = concat!(
            "SELECT ",
            columns!(),
            " FROM submissions s WHERE s.transaction_id = $1 UNION ALL SELECT ",
            columns!(),
            " FROM replaced_transactions r JOIN submissions s USING (sequence) \
              WHERE r.transaction_id = $1 LIMIT 1"
        );
        self.one(sqlx::query(statement).bind(id.0.to_vec())).await
    }

    pub(super) async fn named(
        &self,
        voter: &VoterId,
        client_id: &str,
    ) -> Result<Option<Submission>, StoreError> {
        // PostgreSQL stores no such text.
        if client_id.contains('\0') {
            return Ok(None);
        }
        let statement = concat!(
            "SELECT ",
            columns!(),
            " FROM submissions s WHERE s.voter = $1 AND s.client_id = $2"
        );
        let query = sqlx::query(statement).bind(voter.0.to_vec());
        self.one(query.bind(client_id)).await
    }

    pub(super) async fn named_by_registrar(
        &self,
        client_id: &str,
        election_id: Option<u64>,
    ) -> Result<Named, StoreError> {
        if client_id.contains('\0') {
            return Ok(Named::Nothing);
        }
        let statement = concat!(
            "SELECT ",
            columns!(),
            " FROM submissions s WHERE s.client_id = $1 AND s.by_registrar \
              AND ($2::int8 IS NULL OR s.election_id = $2) LIMIT 2"
        );
        let query = sqlx::query(statement)
            .bind(client_id)
            .bind(election_id.map(u64::cast_signed));
        self.answered(async {
            let rows = query.fetch_all(&self.pool).await?;
            match rows.as_slice() {
                [] => Ok(Named::Nothing),
                [row] => Ok(Named::One(Box::new(Kept::of(row)?.submission))),
                _ => Ok(Named::Several),
            }
        })
        .await
    }

    pub(super) async fn earlier(&self) -> Result<Earlier, StoreError> {
        self.answered(async {
            let row = sqlx::query(
                "SELECT earlier_elections_until, earlier_accounts_until_ms FROM network",
            )
            .fetch_one(&self.pool)
            .await?;
            let unsigned = |column| row.try_get::<i64, _>(column).map(i64::cast_unsigned);
            Ok(Earlier {
                elections_until: unsigned("earlier_elections_until")?,
                accounts_until_ms: unsigned("earlier_accounts_until_ms")?,
            })
        })
        .await
    }

    pub(super) async fn by_sequence(
        &self,
        sequence: u64,
    ) -> Result<Option<Submission>, StoreError> {
        let statement = concat!(
            "SELECT ",
            columns!(),
            " FROM submissions s WHERE s.sequence = $1"
        );
        self.one(sqlx::query(statement).bind(sequence.cast_signed()))
            .await
    }

    pub(super) async fn ballot_of(
        &self,
        election_id: u64,
        voter: &VoterId,
    ) -> Result<Option<Submission>, StoreError> {
        let statement = concat!(
            "SELECT ",
            columns!(),
            " FROM submissions s WHERE s.election_id = $1 AND s.voter = $2 AND s.state <> 2 \
              ORDER BY s.sequence DESC LIMIT 1"
        );
        let query = sqlx::query(statement)
            .bind(election_id.cast_signed())
            .bind(voter.0.as_slice());
        self.one(query).await
    }

    pub(super) async fn last_number(
        &self,
        election_id: u64,
        voter: &VoterId,
    ) -> Result<Option<u64>, StoreError> {
        let kept = self.answered(async {
            let row = sqlx::query(
                "SELECT number FROM ballot_numbers WHERE election_id = $1 AND voter = $2",
            )
            .bind(election_id.cast_signed())
            .bind(voter.0.as_slice())
            .fetch_optional(&self.pool)
            .await?;
            row.map(|row| row.try_get::<i64, _>("number").map(i64::cast_unsigned))
                .transpose()
        });
        let kept = kept.await?;
        let standing = self.ballot_of(election_id, voter).await?;
        Ok(kept.max(standing.and_then(|standing| standing.number())))
    }

    pub(super) async fn mark(&self) -> Result<Option<Mark>, StoreError> {
        self.answered(async {
            let row = sqlx::query(
                "SELECT mark_height, mark_hash FROM network WHERE mark_height IS NOT NULL",
            )
            .fetch_optional(&self.pool)
            .await?;
            let mark = row.map(|row| {
                Ok::<_, sqlx::Error>(Mark {
                    height: row.try_get::<i64, _>("mark_height")?.cast_unsigned(),
                    hash: Hash(bytes(&row, "mark_hash")?),
                })
            });
            mark.transpose()
        })
        .await
    }

    pub(super) async fn closings(&self) -> Result<Vec<(u64, Closing)>, StoreError> {
        let rows = self.answered(async {
            sqlx::query("SELECT election_id, how, until FROM closings ORDER BY election_id")
                .fetch_all(&self.pool)
                .await
        });
        let closings = rows.await?.into_iter().map(|row| {
            let election_id: i64 = row.try_get("election_id").map_err(StoreError::of)?;
            let how: i16 = row.try_get("how").map_err(StoreError::of)?;
            let how = u8::try_from(how).map_err(StoreError::of)?;
            let until: Option<i64> = row.try_get("until").map_err(StoreError::of)?;
            let closing = Closing::of_code(how, until.map(i64::cast_unsigned))?;
            Ok((election_id.cast_unsigned(), closing))
        });
        closings.collect()
    }

    /// How many ballots of an election are neither confirmed nor rejected, whoever carries them.
    pub(crate) async fn unsettled_in(&self, election_id: u64) -> Result<u64, StoreError> {
        self.answered(async {
            let row = sqlx::query(
                "SELECT count(*) AS count FROM submissions WHERE state = 0 AND election_id = $1",
            )
            .bind(election_id.cast_signed())
            .fetch_one(&self.pool)
            .await?;
            Ok(row.try_get::<i64, _>("count")?.cast_unsigned())
        })
        .await
    }

    fn doubt(&self) -> Doubt {
        *self.doubt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_doubt(&self, doubt: Doubt) {
        *self.doubt.lock().unwrap_or_else(PoisonError::into_inner) = doubt;
    }

    /// Whether what this backend carries is to be read again, because writes that failed may be there
    /// all the same.
    pub(crate) fn is_in_doubt(&self) -> bool {
        match self.doubt() {
            Doubt::Nothing => false,
            Doubt::Unread => true,
            Doubt::Read(at) => at.elapsed() >= DOUBT,
        }
    }

    /// It was read again.
    pub(crate) fn has_read_again(&self, started: Instant) {
        let mut doubt = self.doubt.lock().unwrap_or_else(PoisonError::into_inner);
        *doubt = match *doubt {
            Doubt::Unread => Doubt::Read(started),
            Doubt::Read(_) | Doubt::Nothing => Doubt::Nothing,
        };
    }

    /// What this backend carries is to be read again.
    pub(crate) fn doubt_all(&self) {
        self.set_doubt(Doubt::Unread);
    }

    /// Notes whether the server does what it is asked, and answers whether it did before.
    pub(crate) fn set_healthy(&self, is_healthy: bool) -> bool {
        self.healthy.swap(is_healthy, Ordering::Relaxed)
    }

    /// A session for the writer, which finds by indexes alone what a group needs.
    async fn connect_writer(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = connect(self.options.clone()).await?;
        // The planner would read a young table whole, and remember that.
        sqlx::query("SET enable_seqscan = off")
            .execute(&mut connection)
            .await?;
        Ok(connection)
    }
}
