//! One group of writes in one transaction: what it needs is read at once, decided here in order, and
//! written at once.

use std::collections::{HashMap, HashSet};

use sqlx::{PgConnection, Row};
use tabella_protocol::{Hash, VoterId};

use super::{
    super::{
        Admission, Closing, Confirmed, ConfirmedSubmission, Mark, NewSubmission, Recorded, State,
        Submission, accounts::AccountDone, writer::Write,
    },
    accounts,
    carriers::{self, Me},
    rows::{Kept, bytes, columns, storable},
};
use crate::{pending::Durable, subject::Realm};

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

#[derive(Debug)]
pub(super) struct RecordDone {
    pub(super) recorded: Recorded,
    /// What this backend is to carry.
    pub(super) own: Option<Durable>,
    /// What others carry and this backend has to wait for.
    pub(super) elsewhere: Vec<Durable>,
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
    let mut recorded = record(connection, me, &mut now, &new).await?.into_iter();
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
        Write::Record { .. } | Write::Stop { .. } => Ok(Done::Written),
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
             ON r.transaction_id = l.id) \
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
    sqlx::query(
        "UPDATE submissions s SET state = 1, transaction = '', carrier = NULL, height = $1, \
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

/// Submissions that a group's new ones may stand against: those in the database, and those that come
/// in the group itself.
#[derive(Default)]
struct Known {
    kept: Vec<Kept>,
    by_client: HashMap<(VoterId, String), usize>,
    by_transaction: HashMap<Hash, usize>,
    by_voter: HashMap<(u64, VoterId), Vec<usize>>,
    /// Elections that are being closed, or are closed.
    closing: HashSet<u64>,
}

impl Known {
    fn add(&mut self, kept: Kept) {
        let submission = &kept.submission;
        if self.by_transaction.contains_key(&submission.transaction_id) {
            return;
        }
        let place = self.kept.len();
        if let Some(client_id) = &submission.client_id {
            let name = (submission.voter, client_id.clone());
            self.by_client.insert(name, place);
        }
        self.by_transaction.insert(submission.transaction_id, place);
        if !matches!(submission.state, State::Rejected { .. }) {
            let key = (submission.election_id, submission.voter);
            self.by_voter.entry(key).or_default().push(place);
        }
        self.kept.push(kept);
    }

    fn of_voter(&self, new: &NewSubmission) -> impl Iterator<Item = &Kept> {
        let places = self.by_voter.get(&(new.election_id, new.voter));
        places.into_iter().flatten().map(|place| &self.kept[*place])
    }

    /// What stands against a new submission.
    fn verdict(&self, new: &NewSubmission) -> Option<(Recorded, Option<&Kept>)> {
        let name = new.client_id.clone().map(|id| (new.voter, id));
        if let Some(place) = name.and_then(|name| self.by_client.get(&name)) {
            let kept = &self.kept[*place];
            return Some(if kept.submission.content == new.content {
                (
                    Recorded::Same(Box::new(kept.submission.clone())),
                    Some(kept),
                )
            } else {
                (Recorded::Reused, None)
            });
        }
        if let Some(place) = self.by_transaction.get(&new.transaction_id) {
            let kept = &self.kept[*place];
            return Some((
                Recorded::Same(Box::new(kept.submission.clone())),
                Some(kept),
            ));
        }
        if new.admission.refuses_second()
            && let Some(kept) = self.of_voter(new).max_by_key(|k| k.submission.sequence)
        {
            let mut standing = Box::new(kept.submission.clone());
            if standing.takes_id_of(new) {
                standing.client_id.clone_from(&new.client_id);
                return Some((Recorded::Same(standing), Some(kept)));
            }
            return Some((Recorded::AlreadyVoted(standing), None));
        }
        let is_fresh = new.admission != Admission::Acknowledged;
        if is_fresh && self.closing.contains(&new.election_id) {
            return Some((Recorded::Closing, None));
        }
        let mut of_voter = self.of_voter(new);
        let is_late = of_voter.any(|kept| kept.submission.is_not_before(new));
        is_late.then_some((Recorded::Outnumbered, None))
    }

    /// Remembers that a known submission got the id of its voter.
    fn name(&mut self, sequence: u64, client_id: &str, by_registrar: bool) {
        let place = self
            .kept
            .iter()
            .position(|k| k.submission.sequence == sequence);
        if let Some(place) = place {
            let kept = &mut self.kept[place];
            kept.submission.client_id = Some(client_id.to_owned());
            kept.by_registrar = by_registrar;
            let voter = kept.submission.voter;
            self.by_client.insert((voter, client_id.to_owned()), place);
        }
    }
}

async fn record(
    connection: &mut PgConnection,
    me: &Me,
    network: &mut Network,
    new: &[&NewSubmission],
) -> Result<Vec<RecordDone>, sqlx::Error> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let mut known = load(connection, new).await?;
    let loaded = known.kept.len();
    let mut done = Vec::with_capacity(new.len());
    let mut named = Vec::new();
    for new in new {
        let mut own = None;
        let mut elsewhere = Vec::new();
        let mut find = |kept: &Kept| match kept.carrier {
            Some(carrier) if carrier == me.id => own = Some(kept.durable()),
            Some(_) => elsewhere.push(kept.durable()),
            None => {}
        };
        let recorded = match known.verdict(new) {
            Some((recorded, same)) => {
                if let Some(same) = same {
                    let sequence = same.submission.sequence;
                    let before = known.of_voter(new);
                    let before = before.filter(|kept| kept.submission.sequence < sequence);
                    before.for_each(&mut find);
                    find(same);
                    if let Recorded::Same(now) = &recorded
                        && let Some(client_id) = &now.client_id
                        && same.submission.client_id.is_none()
                    {
                        let client_id = client_id.clone();
                        let by_registrar = new.realm == Realm::Registrar;
                        known.name(sequence, &client_id, by_registrar);
                        named.push((sequence, client_id, by_registrar));
                    }
                }
                recorded
            }
            None => {
                // What is cast later goes out after what is cast earlier, whoever carries that.
                known.of_voter(new).for_each(&mut find);
                let kept = kept(new, network.next_sequence, me);
                network.next_sequence += 1;
                own = Some(kept.durable());
                known.add(kept);
                Recorded::New
            }
        };
        done.push(RecordDone {
            recorded,
            own,
            elsewhere,
        });
    }
    insert(connection, me, &known.kept[loaded..]).await?;
    for (sequence, client_id, by_registrar) in named {
        let statement =
            "UPDATE submissions SET client_id = $1, by_registrar = $3 WHERE sequence = $2";
        sqlx::query(statement)
            .bind(client_id)
            .bind(sequence.cast_signed())
            .bind(by_registrar)
            .execute(&mut *connection)
            .await?;
    }
    Ok(done)
}

fn kept(new: &NewSubmission, sequence: u64, me: &Me) -> Kept {
    Kept {
        submission: Submission {
            sequence,
            client_id: new.client_id.clone(),
            election_id: new.election_id,
            voter: new.voter,
            content: new.content,
            transaction_id: new.transaction_id,
            transaction: new.transaction.clone(),
            submitted_at_ms: new.submitted_at_ms,
            state: State::Open,
        },
        expiry_height: new.expiry_height,
        carrier: Some(me.id),
        by_registrar: new.realm == Realm::Registrar,
    }
}

/// Reads what may stand against the new ones.
async fn load(connection: &mut PgConnection, new: &[&NewSubmission]) -> Result<Known, sqlx::Error> {
    let named = new.iter().filter(|n| n.client_id.is_some());
    let client_ids: Vec<Option<&str>> = named.clone().map(|n| n.client_id.as_deref()).collect();
    let named: Vec<&[u8]> = named.map(|n| n.voter.0.as_slice()).collect();
    let transaction_ids: Vec<&[u8]> = new.iter().map(|n| n.transaction_id.0.as_slice()).collect();
    let elections: Vec<i64> = new.iter().map(|n| n.election_id.cast_signed()).collect();
    let voters: Vec<&[u8]> = new.iter().map(|n| n.voter.0.as_slice()).collect();
    let refuses: Vec<bool> = new.iter().map(|n| n.admission.refuses_second()).collect();
    let statement = concat!(
        "SELECT ",
        columns!(),
        " FROM unnest($1::text[], $6::bytea[]) AS n (client_id, voter) \
          JOIN submissions s ON s.client_id = n.client_id AND s.voter = n.voter \
          UNION ALL SELECT ",
        columns!(),
        " FROM submissions s WHERE s.transaction_id = ANY($2) \
          UNION ALL SELECT ",
        columns!(),
        " FROM unnest($3::int8[], $4::bytea[], $5::bool[]) AS n (election_id, voter, refuse) \
          JOIN submissions s ON s.election_id = n.election_id AND s.voter = n.voter \
          AND s.state <> 2 AND (n.refuse OR s.state = 0)"
    );
    let rows = sqlx::query(statement)
        .bind(client_ids)
        .bind(transaction_ids)
        .bind(&elections)
        .bind(voters)
        .bind(refuses)
        .bind(named)
        .fetch_all(&mut *connection)
        .await?;
    let closing = sqlx::query("SELECT election_id FROM closings WHERE election_id = ANY($1)")
        .bind(&elections)
        .fetch_all(connection)
        .await?;
    let mut known = Known::default();
    for row in &closing {
        let election_id: i64 = row.try_get("election_id")?;
        known.closing.insert(election_id.cast_unsigned());
    }
    for row in &rows {
        known.add(Kept::of(row)?);
    }
    Ok(known)
}

async fn insert(connection: &mut PgConnection, me: &Me, new: &[Kept]) -> Result<(), sqlx::Error> {
    if new.is_empty() {
        return Ok(());
    }
    let of = |get: fn(&Submission) -> Vec<u8>| -> Vec<Vec<u8>> {
        new.iter().map(|kept| get(&kept.submission)).collect()
    };
    let numbers = |get: fn(&Kept) -> u64| -> Vec<i64> {
        new.iter().map(|kept| get(kept).cast_signed()).collect()
    };
    let client_ids: Vec<Option<&str>> = new
        .iter()
        .map(|kept| kept.submission.client_id.as_deref())
        .collect();
    sqlx::query(
        "INSERT INTO submissions (sequence, client_id, election_id, voter, content, \
         transaction_id, transaction, expiry_height, submitted_at_ms, by_registrar, carrier) \
         SELECT n.*, $11 FROM unnest($1::int8[], $2::text[], $3::int8[], $4::bytea[], $5::bytea[], \
         $6::bytea[], $7::bytea[], $8::int8[], $9::int8[], $10::bool[]) AS n",
    )
    .bind(numbers(|kept| kept.submission.sequence))
    .bind(client_ids)
    .bind(numbers(|kept| kept.submission.election_id))
    .bind(of(|submission| submission.voter.0.to_vec()))
    .bind(of(|submission| submission.content.0.to_vec()))
    .bind(of(|submission| submission.transaction_id.0.to_vec()))
    .bind(of(|submission| submission.transaction.clone()))
    .bind(numbers(|kept| kept.expiry_height))
    .bind(numbers(|kept| kept.submission.submitted_at_ms))
    .bind(new.iter().map(|kept| kept.by_registrar).collect::<Vec<_>>())
    .bind(me.id)
    .execute(connection)
    .await?;
    Ok(())
}
