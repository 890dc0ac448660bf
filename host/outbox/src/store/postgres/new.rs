//! A group's new submissions: what may stand against them is read at once, and they are written at once.

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::{PgConnection, Row};
use tabella_protocol::{Hash, VoterId};

use super::{
    super::{Admission, NewSubmission, Recorded, State, Submission},
    carriers::Me,
    rows::{Kept, bytes, columns},
};
use crate::{pending::Durable, subject::Realm};

/// What came of one, once its group is durable.
#[derive(Debug)]
pub(super) struct RecordDone {
    pub(super) recorded: Recorded,
    /// What this backend is to carry.
    pub(super) own: Option<Durable>,
    /// What others carry and this backend has to wait for.
    pub(super) elsewhere: Vec<Durable>,
}

/// Submissions that a group's new ones may stand against: those in the database, and those that come
/// in the group itself.
#[derive(Default)]
struct Known {
    kept: Vec<Kept>,
    by_client: HashMap<(VoterId, String), usize>,
    by_transaction: HashMap<Hash, usize>,
    by_voter: HashMap<(u64, VoterId), Vec<usize>>,
    /// The highest numbers that ballots were given.
    numbers: HashMap<(u64, VoterId), u64>,
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
        let number = new.number?;
        let kept = self.numbers.get(&(new.election_id, new.voter)).copied();
        // One that was recorded before numbers were kept has it in its transaction.
        let of_voter = self.of_voter(new).map(|kept| kept.submission.number());
        let last = of_voter.fold(kept, Option::max);
        let is_outnumbered = last.is_some_and(|last| number <= last);
        is_outnumbered.then_some((Recorded::Outnumbered, None))
    }

    /// Remembers the number of a new submission; returns what the database is to keep of it.
    fn keep_number(&mut self, new: &NewSubmission) -> Option<(u64, VoterId)> {
        let number = new.number_given()?;
        let voter = (new.election_id, new.voter);
        let kept = self.numbers.entry(voter).or_insert(number);
        *kept = number.max(*kept);
        Some(voter)
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

/// Records submissions; one answer for each, in order.
pub(super) async fn record(
    connection: &mut PgConnection,
    me: &Me,
    next_sequence: &mut u64,
    new: &[&NewSubmission],
) -> Result<Vec<RecordDone>, sqlx::Error> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let mut known = load(connection, new).await?;
    let loaded = known.kept.len();
    let mut done = Vec::with_capacity(new.len());
    let mut named = Vec::new();
    let mut numbered = BTreeSet::new();
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
                let kept = kept(new, *next_sequence, me);
                *next_sequence += 1;
                own = Some(kept.durable());
                known.add(kept);
                numbered.extend(known.keep_number(new));
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
    keep_numbers(connection, &known, &numbered).await?;
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
        .fetch_all(&mut *connection)
        .await?;
    let mut known = Known {
        numbers: numbers(connection, new).await?,
        ..Known::default()
    };
    for row in &closing {
        let election_id: i64 = row.try_get("election_id")?;
        known.closing.insert(election_id.cast_unsigned());
    }
    for row in &rows {
        known.add(Kept::of(row)?);
    }
    Ok(known)
}

/// The highest numbers of before of those that the new ones may have to come after.
async fn numbers(
    connection: &mut PgConnection,
    new: &[&NewSubmission],
) -> Result<HashMap<(u64, VoterId), u64>, sqlx::Error> {
    let numbered = new.iter().filter(|new| new.number_given().is_some());
    let of: BTreeSet<_> = numbered.map(|new| (new.election_id, new.voter)).collect();
    if of.is_empty() {
        return Ok(HashMap::new());
    }
    let elections: Vec<i64> = of.iter().map(|(id, _)| id.cast_signed()).collect();
    let voters: Vec<&[u8]> = of.iter().map(|(_, voter)| voter.0.as_slice()).collect();
    let rows = sqlx::query(
        "SELECT k.election_id, k.voter, k.number FROM unnest($1::int8[], $2::bytea[]) \
         AS n (election_id, voter) JOIN ballot_numbers k USING (election_id, voter)",
    )
    .bind(elections)
    .bind(voters)
    .fetch_all(connection)
    .await?;
    let known = rows.iter().map(|row| {
        let election_id: i64 = row.try_get("election_id")?;
        let number: i64 = row.try_get("number")?;
        let voter = VoterId(bytes(row, "voter")?);
        Ok(((election_id.cast_unsigned(), voter), number.cast_unsigned()))
    });
    known.collect()
}

async fn keep_numbers(
    connection: &mut PgConnection,
    known: &Known,
    numbered: &BTreeSet<(u64, VoterId)>,
) -> Result<(), sqlx::Error> {
    if numbered.is_empty() {
        return Ok(());
    }
    let elections: Vec<i64> = numbered.iter().map(|(id, _)| id.cast_signed()).collect();
    let voters: Vec<&[u8]> = numbered.iter().map(|(_, v)| v.0.as_slice()).collect();
    let numbers = numbered.iter().map(|voter| known.numbers[voter]);
    let numbers: Vec<i64> = numbers.map(u64::cast_signed).collect();
    sqlx::query(
        "INSERT INTO ballot_numbers (election_id, voter, number) \
         SELECT * FROM unnest($1::int8[], $2::bytea[], $3::int8[]) \
         ON CONFLICT (election_id, voter) DO UPDATE SET number = EXCLUDED.number",
    )
    .bind(elections)
    .bind(voters)
    .bind(numbers)
    .execute(connection)
    .await?;
    Ok(())
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
