//! Submissions as rows.

use sqlx::{Row, postgres::PgRow};
use tabella_protocol::{Hash, VoterId};

use super::super::{State, Submission};
use crate::pending::Durable;

/// `submissions.state` of a submission that is neither confirmed nor rejected.
const OPEN: i16 = 0;
const CONFIRMED: i16 = 1;
const REJECTED: i16 = 2;

/// The columns of `submissions s` that make a [`Kept`].
macro_rules! columns {
    () => {
        "s.sequence, s.client_id, s.election_id, s.voter, s.content, s.transaction_id, \
         s.transaction, s.expiry_height, s.submitted_at_ms, s.state, s.carrier, s.height, \
         s.block_hash, s.block_index, s.confirmed_at_ms, s.signatures, s.validator, s.code, \
         s.reason, s.rejected_at_ms, s.by_registrar"
    };
}
pub(super) use columns;

/// A submission as the shared database holds it.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) submission: Submission,
    pub(crate) expiry_height: u64,
    /// The backend that carries it, while it is open.
    pub(super) carrier: Option<i64>,
    /// Whether a registrar vouches for its voter.
    pub(super) by_registrar: bool,
}

impl Kept {
    /// What is to be carried of it.
    pub(crate) fn durable(&self) -> Durable {
        Durable {
            sequence: self.submission.sequence,
            transaction_id: self.submission.transaction_id,
            expiry_height: self.expiry_height,
            election_id: self.submission.election_id,
            voter: self.submission.voter,
            submitted_at_ms: self.submission.submitted_at_ms,
        }
    }

    pub(super) fn of(row: &PgRow) -> Result<Self, sqlx::Error> {
        let unsigned = |column| row.try_get::<i64, _>(column).map(i64::cast_unsigned);
        let state = match row.try_get("state")? {
            OPEN => State::Open,
            CONFIRMED => State::Confirmed {
                height: unsigned("height")?,
                block_hash: Hash(bytes(row, "block_hash")?),
                index: row.try_get::<i32, _>("block_index")?.cast_unsigned(),
                confirmed_at_ms: unsigned("confirmed_at_ms")?,
                signatures: row.try_get::<i32, _>("signatures")?.cast_unsigned(),
                validator: row.try_get("validator")?,
            },
            REJECTED => State::Rejected {
                code: row.try_get("code")?,
                reason: row.try_get("reason")?,
                rejected_at_ms: unsigned("rejected_at_ms")?,
            },
            other => return Err(sqlx::Error::Decode(format!("state {other}").into())),
        };
        Ok(Self {
            submission: Submission {
                sequence: unsigned("sequence")?,
                client_id: row.try_get("client_id")?,
                election_id: unsigned("election_id")?,
                voter: VoterId(bytes(row, "voter")?),
                content: Hash(bytes(row, "content")?),
                transaction_id: Hash(bytes(row, "transaction_id")?),
                transaction: row.try_get("transaction")?,
                submitted_at_ms: unsigned("submitted_at_ms")?,
                state,
            },
            expiry_height: unsigned("expiry_height")?,
            carrier: row.try_get("carrier")?,
            by_registrar: row.try_get("by_registrar")?,
        })
    }
}

/// 32 bytes.
pub(super) fn bytes(row: &PgRow, column: &str) -> Result<[u8; 32], sqlx::Error> {
    let bytes: Vec<u8> = row.try_get(column)?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| {
        sqlx::Error::Decode(format!("{column}: expected 32 bytes, got {length}").into())
    })
}

/// What is open and to be carried: `sequence, transaction_id, expiry_height,
/// election_id, voter, submitted_at_ms`.
pub(super) fn durable(row: &PgRow) -> Result<Durable, sqlx::Error> {
    let unsigned = |column| row.try_get::<i64, _>(column).map(i64::cast_unsigned);
    Ok(Durable {
        sequence: unsigned("sequence")?,
        transaction_id: Hash(bytes(row, "transaction_id")?),
        expiry_height: unsigned("expiry_height")?,
        election_id: unsigned("election_id")?,
        voter: VoterId(bytes(row, "voter")?),
        submitted_at_ms: unsigned("submitted_at_ms")?,
    })
}

/// Text that PostgreSQL takes: it stores any character but this one.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
