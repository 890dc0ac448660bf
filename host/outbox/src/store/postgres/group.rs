//! One group of writes in one transaction: what it needs is read at once, decided here in order, and
//! written at once.

use std::collections::HashMap;

use sqlx::{PgConnection, Row};
use tabella_protocol::Hash;

use super::{
    super::{
        Closing, Confirmed, ConfirmedSubmission, Mark, State, accounts::AccountDone, write::Write,
    },
    accounts,
    carriers::{self, Me},
    new::{self, RecordDone},
    rows::{bytes, storable},
};

/// What came of one write, once its group is durable.
#[derive(Debug)]
pub(super) enum Done {
    Recorded(Box<RecordDone>),
    /// It holds now.
    Written,
    Account(AccountDone),
    /// Another backend carries the submission, or it is settled: nothing was changed.
    Elsewhere {
        sequence: u64,
    },
}

/// The `network` row, locked until the group ends.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Network {
    next_sequence: u64,
    mark: Option<Mark>,
}

/// Applies a group; one answer for each write, in order.
pub(super) async fn apply(
    connection: &mut PgConnection,
    me: &Me,
    group: &[Write],
) -> Result<Vec<Done>, sqlx::Error> {
    let before = lock(connection, me).await?;
    let mut now = before;
    let mut done: Vec<Option<Done>> = Vec::with_capacity(group.len());
    let mut new = Vec::new();
    for write in group {
        done.push(match write {
            // Together, below: what was rejected here bars nobody there.
            Write::Record { submission, .. } => {
                new.push(submission);
                None
            }
            other => Some(apply_one(connection, me, &mut now, other).await?),
        });
    }
    let mut recorded = new::record(connection, me, &mut now.next_sequence, &new)
        .await?
        .into_iter();
    if now != before {
        sqlx::query("UPDATE network SET next_sequence = $1, mark_height = $2, mark_hash = $3")
            .bind(now.next_sequence.cast_signed())
            .bind(now.mark.map(|mark| mark.height.cast_signed()))
            .bind(now.mark.map(|mark| mark.hash.0.to_vec()))
            .execute(connection)
            .await?;
    }
    let done = done.into_iter().map(|done| match done {
        Some(done) => done,
        None => Done::Recorded(Box::new(
            recorded.next().expect("one answer for each record"),
        )),
    });
    Ok(done.collect())
}

/// Waits for other backends' groups, and shows that this one is alive.
async fn lock(connection: &mut PgConnection, me: &Me) -> Result<Network, sqlx::Error> {
    let statement = concat!(
        "WITH alive AS (",
        carriers::sign_of_life!("b.connected"),
        ") SELECT next_sequence, mark_height, mark_hash FROM network FOR UPDATE"
    );
    let row = sqlx::query(statement)
        .bind(me.id)
        .bind(me.home.as_slice())
        .fetch_one(connection)
        .await?;
    let height: Option<i64> = row.try_get("mark_height")?;
    let mark = match height {
        Some(height) => Some(Mark {
            height: height.cast_unsigned(),
            hash: Hash(bytes(&row, "mark_hash")?),
        }),
        None => None,
    };
    Ok(Network {
        next_sequence: row.try_get::<i64, _>("next_sequence")?.cast_unsigned(),
        mark,
    })
}

async fn apply_one(
    connection: &mut PgConnection,
    me: &Me,
    network: &mut Network,
    write: &Write,
) -> Result<Done, sqlx::Error> {
    match write {
        Write::Confirm { confirmed, .. } => confirm(connection, network, confirmed).await,
        Write::Reject {
            sequence, state, ..
        } => reject(connection, me, *sequence, state).await,
        Write::SignAgain {
            sequence,
            transaction_id,
            transaction,
            expiry_height,
            ..
        } => {
            let again = (transaction_id, transaction.as_slice(), *expiry_height);
            sign_again(connection, me, *sequence, again).await
        }
        Write::Closing {
            election_id,
            closing,
            ..
        } => mark_closing(connection, *election_id, *closing).await,
        Write::Account(write) => accounts::apply(connection, write).await.map(Done::Account),
        Write::Record { .. } => Ok(Done::Written),
    }
}

/// Records a block's confirmations, whoever carries the ballots, unless another backend did. A ballot
/// that was signed again may land under its old transaction.
async fn confirm(
    connection: &mut PgConnection,
    network: &mut Network,
    confirmed: &Confirmed,
) -> Result<Done, sqlx::Error> {
    let Some(mark) = confirmed.mark else {
        for item in &confirmed.submissions {
            confirm_one(connection, confirmed, item).await?;
        }
        return Ok(Done::Written);
    };
    if network
        .mark
        .is_some_and(|known| mark.height <= known.height)
    {
        return Ok(Done::Written);
    }
    if !confirmed.transaction_ids.is_empty() {
        let validators: HashMap<Hash, &str> = confirmed
            .submissions
            .iter()
            .filter_map(|item| Some((item.transaction_id, item.validator.as_deref()?)))
            .collect();
        let ids = confirmed.transaction_ids.iter();
        let names = ids
            .clone()
            .map(|id| validators.get(id).copied().map(storable));
        let indexes = (0i32..).take(ids.len());
        sqlx::query(
            "WITH l AS (SELECT * FROM unnest($5::bytea[], $6::int4[], $7::text[]) \
             AS l (id, index, validator)), \
             landed AS (SELECT l.*, s.sequence FROM l JOIN submissions s ON s.transaction_id = l.id \
             UNION ALL SELECT l.*, r.sequence FROM l JOIN replaced_transactions r \
             ON r.transaction_id = l.id), \
             replaced AS (INSERT INTO replaced_transactions (transaction_id, sequence) \
             SELECT s.transaction_id, s.sequence FROM landed l JOIN submissions s \
             ON s.sequence = l.sequence WHERE s.state <> 1 AND s.transaction_id <> l.id \
             ON CONFLICT DO NOTHING) \
             UPDATE submissions s SET state = 1, transaction = '', carrier = NULL, height = $1, \
             block_hash = $2, confirmed_at_ms = $3, signatures = $4, block_index = l.index, \
             validator = l.validator, transaction_id = l.id \
             FROM landed l WHERE s.sequence = l.sequence AND s.state <> 1",
        )
        .bind(confirmed.height.cast_signed())
        .bind(confirmed.block_hash.0.as_slice())
        .bind(confirmed.confirmed_at_ms.cast_signed())
        .bind(confirmed.signatures.cast_signed())
        .bind(ids.map(|id| id.0.to_vec()).collect::<Vec<_>>())
        .bind(indexes.collect::<Vec<_>>())
        .bind(names.collect::<Vec<_>>())
        .execute(connection)
        .await?;
    }
    // A backend that began to follow later than others does not vouch for what it has not seen.
    if network
        .mark
        .is_none_or(|known| mark.height == known.height.saturating_add(1))
    {
        network.mark = Some(mark);
    }
    Ok(Done::Written)
}

async fn confirm_one(
    connection: &mut PgConnection,
    confirmed: &Confirmed,
    item: &ConfirmedSubmission,
) -> Result<(), sqlx::Error> {
    // Its voter may have been told the id that it loses.
    sqlx::query(
        "WITH replaced AS (INSERT INTO replaced_transactions (transaction_id, sequence) \
         SELECT s.transaction_id, s.sequence FROM submissions s \
         WHERE s.sequence = $8 AND s.state <> 1 AND s.transaction_id <> $7 \
         AND NOT EXISTS (SELECT 1 FROM submissions o WHERE o.transaction_id = $7) \
         ON CONFLICT DO NOTHING) \
         UPDATE submissions s SET state = 1, transaction = '', carrier = NULL, height = $1, \
         block_hash = $2, confirmed_at_ms = $3, signatures = $4, block_index = $5, \
         validator = $6, transaction_id = CASE WHEN EXISTS (SELECT 1 FROM submissions o \
         WHERE o.transaction_id = $7 AND o.sequence <> $8) THEN s.transaction_id ELSE $7 END \
         WHERE sequence = $8 AND state <> 1",
    )
    .bind(confirmed.height.cast_signed())
    .bind(confirmed.block_hash.0.as_slice())
    .bind(confirmed.confirmed_at_ms.cast_signed())
    .bind(confirmed.signatures.cast_signed())
    .bind(item.index.cast_signed())
    .bind(item.validator.as_deref().map(storable))
    .bind(item.transaction_id.0.as_slice())
    .bind(item.sequence.cast_signed())
    .execute(connection)
    .await?;
    Ok(())
}

async fn reject(
    connection: &mut PgConnection,
    me: &Me,
    sequence: u64,
    state: &State,
) -> Result<Done, sqlx::Error> {
    let State::Rejected {
        code,
        reason,
        rejected_at_ms,
    } = state
    else {
        return Ok(Done::Written);
    };
    let changed = sqlx::query(
        "UPDATE submissions SET state = 2, transaction = '', carrier = NULL, code = $1, \
         reason = $2, rejected_at_ms = $3 WHERE sequence = $4 AND state = 0 AND carrier = $5",
    )
    .bind(storable(code))
    .bind(storable(reason))
    .bind(rejected_at_ms.cast_signed())
    .bind(sequence.cast_signed())
    .bind(me.id)
    .execute(connection)
    .await?;
    Ok(match changed.rows_affected() {
        0 => Done::Elsewhere { sequence },
        _ => Done::Written,
    })
}

async fn sign_again(
    connection: &mut PgConnection,
    me: &Me,
    sequence: u64,
    (transaction_id, transaction, expiry_height): (&Hash, &[u8], u64),
) -> Result<Done, sqlx::Error> {
    // Two backends that both hold it for theirs must not sign it twice: one carries it.
    let old = sqlx::query(
        "INSERT INTO replaced_transactions (transaction_id, sequence) \
         SELECT transaction_id, sequence FROM submissions \
         WHERE sequence = $1 AND state = 0 AND carrier = $2",
    )
    .bind(sequence.cast_signed())
    .bind(me.id)
    .execute(&mut *connection)
    .await?;
    if old.rows_affected() == 0 {
        return Ok(Done::Elsewhere { sequence });
    }
    sqlx::query(
        "UPDATE submissions SET transaction_id = $1, transaction = $2, expiry_height = $3 \
         WHERE sequence = $4",
    )
    .bind(transaction_id.0.as_slice())
    .bind(transaction)
    .bind(expiry_height.cast_signed())
    .bind(sequence.cast_signed())
    .execute(connection)
    .await?;
    Ok(Done::Written)
}

/// One that is closed stays so.
async fn mark_closing(
    connection: &mut PgConnection,
    election_id: u64,
    closing: Option<Closing>,
) -> Result<Done, sqlx::Error> {
    let outlasting: Vec<i16> = Closing::ALL
        .into_iter()
        .filter(|known| known.outlasts(closing))
        .map(|known| i16::from(known.code()))
        .collect();
    let statement = match closing {
        Some(_) => {
            "INSERT INTO closings AS c (election_id, how, until) VALUES ($1, $2, $4) \
             ON CONFLICT (election_id) DO UPDATE \
             SET how = EXCLUDED.how, until = GREATEST(c.until, EXCLUDED.until) \
             WHERE c.how <> ALL($3)"
        }
        None => {
            "DELETE FROM closings \
             WHERE election_id = $1 AND how <> ALL($3) AND $2::int2 IS NULL AND $4::int8 IS NULL"
        }
    };
    sqlx::query(statement)
        .bind(election_id.cast_signed())
        .bind(closing.map(|closing| i16::from(closing.code())))
        .bind(outlasting)
        .bind(closing.and_then(Closing::until).map(u64::cast_signed))
        .execute(connection)
        .await?;
    Ok(Done::Written)
}
