//! One write of a group: what stands against it, and what it changes.

use redb::{MultimapTable, ReadableTable, Table, WriteTransaction};
use tabella_protocol::{Hash, VoterId, codec};

use super::{
    Admission, Closing, Confirmed, ConfirmedSubmission, NewSubmission, Recorded, State, StoreError,
    Submission, tables,
    write::{Completion, Reply, Write},
};
use crate::{pending::Durable, subject::Realm};

/// The tables, open for one group of writes.
pub(super) struct Tables<'t> {
    write: &'t WriteTransaction,
    meta: Table<'t, &'static str, &'static [u8]>,
    submissions: Table<'t, u64, &'static [u8]>,
    earlier_client_ids: Table<'t, &'static str, u64>,
    client_ids: Table<'t, (&'static [u8; 32], &'static str), u64>,
    registrar_client_ids: MultimapTable<'t, &'static str, u64>,
    transactions: Table<'t, &'static [u8; 32], u64>,
    voters: MultimapTable<'t, (u64, &'static [u8; 32]), u64>,
    numbers: Table<'t, (u64, &'static [u8; 32]), u64>,
    open: Table<'t, u64, ()>,
    closings: Table<'t, u64, u8>,
    signed_closes: Table<'t, u64, u64>,
}

impl<'t> Tables<'t> {
    pub(super) fn open(write: &'t WriteTransaction) -> Result<Self, StoreError> {
        Ok(Self {
            write,
            meta: write.open_table(tables::META).map_err(StoreError::of)?,
            submissions: write
                .open_table(tables::SUBMISSIONS)
                .map_err(StoreError::of)?,
            earlier_client_ids: write
                .open_table(tables::EARLIER_CLIENT_IDS)
                .map_err(StoreError::of)?,
            client_ids: write
                .open_table(tables::CLIENT_IDS)
                .map_err(StoreError::of)?,
            registrar_client_ids: write
                .open_multimap_table(tables::REGISTRAR_CLIENT_IDS)
                .map_err(StoreError::of)?,
            transactions: write
                .open_table(tables::TRANSACTIONS)
                .map_err(StoreError::of)?,
            voters: write
                .open_multimap_table(tables::VOTERS)
                .map_err(StoreError::of)?,
            numbers: write.open_table(tables::NUMBERS).map_err(StoreError::of)?,
            open: write.open_table(tables::OPEN).map_err(StoreError::of)?,
            closings: write.open_table(tables::CLOSINGS).map_err(StoreError::of)?,
            signed_closes: write
                .open_table(tables::SIGNED_CLOSES)
                .map_err(StoreError::of)?,
        })
    }

    /// Applies one write; what is left to do once its group is durable goes to `completions`.
    pub(super) fn apply(
        &mut self,
        item: Write,
        next_sequence: &mut u64,
        completions: &mut Vec<Completion>,
    ) -> Result<(), StoreError> {
        match item {
            Write::Record { submission, reply } => {
                let sequence = *next_sequence;
                let durable = Durable {
                    sequence,
                    transaction_id: submission.transaction_id,
                    expiry_height: submission.expiry_height,
                    election_id: submission.election_id,
                    voter: submission.voter,
                    submitted_at_ms: submission.submitted_at_ms,
                };
                let recorded = self.record(submission, sequence)?;
                if recorded == Recorded::New {
                    *next_sequence += 1;
                }
                completions.push(Box::new(move |pending, result| {
                    // From the commit on the submission must reach the chain, whether or not
                    // anybody still waits for the answer.
                    if result.is_ok() && recorded == Recorded::New {
                        pending.insert(durable);
                    }
                    let _ = reply.send(result.map(|()| recorded));
                }));
            }
            Write::Confirm { confirmed, reply } => {
                self.confirm(confirmed)?;
                completions.push(answer(reply));
            }
            Write::Reject {
                sequence,
                state,
                reply,
            } => {
                self.reject(sequence, state)?;
                completions.push(answer(reply));
            }
            Write::SignAgain {
                sequence,
                transaction_id,
                transaction,
                expiry_height,
                reply,
            } => {
                let signed = self.sign_again(sequence, transaction_id, transaction)?;
                completions.push(Box::new(move |pending, result| {
                    let result = result.and(signed);
                    if result.is_ok() {
                        pending.replace(sequence, transaction_id, expiry_height);
                    }
                    let _ = reply.send(result);
                }));
            }
            Write::Closing {
                election_id,
                closing,
                reply,
            } => {
                self.mark_closing(election_id, closing)?;
                completions.push(answer(reply));
            }
            Write::Account(write) => completions.push(write.apply(self.write)?),
        }
        Ok(())
    }

    fn record(&mut self, new: NewSubmission, sequence: u64) -> Result<Recorded, StoreError> {
        if let Some(client_id) = &new.client_id
            && let Some(known) = self.named(&new.voter, client_id)?
        {
            return Ok(if known.content == new.content {
                Recorded::Same(Box::new(known))
            } else {
                Recorded::Reused
            });
        }
        let known = self
            .transactions
            .get(&new.transaction_id.0)
            .map_err(StoreError::of)?
            .map(|sequence| sequence.value());
        if let Some(known) = known {
            return Ok(Recorded::Same(Box::new(self.get(known)?)));
        }
        if new.admission.refuses_second() {
            let voted = tables::standing(&self.voters, new.election_id, &new.voter)
                .map_err(StoreError::of)?;
            if let Some(voted) = voted {
                let standing = self.get(voted)?;
                if standing.takes_id_of(&new) {
                    return self.name(standing, new.client_id, new.realm);
                }
                return Ok(Recorded::AlreadyVoted(Box::new(standing)));
            }
        }
        let closing = self.closings.get(new.election_id);
        let is_closing = closing.map_err(StoreError::of)?.is_some();
        if is_closing && new.admission != Admission::Acknowledged {
            return Ok(Recorded::Closing);
        }
        if self.is_outnumbered(&new)? {
            return Ok(Recorded::Outnumbered);
        }
        self.keep_number(&new)?;
        let submission = Submission {
            sequence,
            client_id: new.client_id,
            election_id: new.election_id,
            voter: new.voter,
            content: new.content,
            transaction_id: new.transaction_id,
            transaction: new.transaction,
            submitted_at_ms: new.submitted_at_ms,
            state: State::Open,
        };
        self.put(&submission)?;
        if let Some(client_id) = &submission.client_id {
            self.keep_name(&submission.voter, client_id, sequence, new.realm)?;
        }
        self.transactions
            .insert(&submission.transaction_id.0, sequence)
            .map_err(StoreError::of)?;
        self.voters
            .insert((submission.election_id, &submission.voter.0), sequence)
            .map_err(StoreError::of)?;
        self.open.insert(sequence, ()).map_err(StoreError::of)?;
        Ok(Recorded::New)
    }

    /// Whether an earlier ballot of the voter has the number of a new one, or a higher one.
    fn is_outnumbered(&self, new: &NewSubmission) -> Result<bool, StoreError> {
        let Some(number) = new.number else {
            return Ok(false);
        };
        let kept = self.numbers.get((new.election_id, &new.voter.0));
        let kept = kept.map_err(StoreError::of)?.map(|kept| kept.value());
        // One that was recorded before numbers were kept has it in its transaction.
        let last = tables::standing(&self.voters, new.election_id, &new.voter);
        let last = last.map_err(StoreError::of)?;
        let last = last.map(|last| self.get(last)).transpose()?;
        let last = kept.max(last.and_then(|last| last.number()));
        Ok(last.is_some_and(|last| number <= last))
    }

    fn keep_number(&mut self, new: &NewSubmission) -> Result<(), StoreError> {
        let Some(number) = new.number_given() else {
            return Ok(());
        };
        let voter = (new.election_id, &new.voter.0);
        let kept = self.numbers.get(voter).map_err(StoreError::of)?;
        let kept = kept.map_or(0, |kept| kept.value());
        self.numbers
            .insert(voter, number.max(kept))
            .map_err(StoreError::of)?;
        Ok(())
    }

    /// Keeps the id that a voter chose for a submission.
    fn keep_name(
        &mut self,
        voter: &VoterId,
        client_id: &str,
        sequence: u64,
        realm: Realm,
    ) -> Result<(), StoreError> {
        self.client_ids
            .insert((&voter.0, client_id), sequence)
            .map_err(StoreError::of)?;
        if realm == Realm::Registrar {
            self.registrar_client_ids
                .insert(client_id, sequence)
                .map_err(StoreError::of)?;
        }
        Ok(())
    }

    /// Gives a submission the id that its voter chose for the same ballot.
    fn name(
        &mut self,
        mut submission: Submission,
        client_id: Option<String>,
        realm: Realm,
    ) -> Result<Recorded, StoreError> {
        submission.client_id = client_id;
        self.put(&submission)?;
        if let Some(client_id) = &submission.client_id {
            self.keep_name(&submission.voter, client_id, submission.sequence, realm)?;
        }
        Ok(Recorded::Same(Box::new(submission)))
    }

    fn mark_closing(
        &mut self,
        election_id: u64,
        closing: Option<Closing>,
    ) -> Result<(), StoreError> {
        let known = self.closings.get(election_id).map_err(StoreError::of)?;
        let known = known.map(|known| Closing::of_code(known.value(), None));
        if known
            .transpose()?
            .is_some_and(|known| known.outlasts(closing))
        {
            return Ok(());
        }
        match closing {
            Some(closing) => self.closings.insert(election_id, closing.code()),
            None => self.closings.remove(election_id),
        }
        .map_err(StoreError::of)?;
        let latest = self
            .signed_closes
            .remove(election_id)
            .map_err(StoreError::of)?;
        let latest = latest.map_or(0, |latest| latest.value());
        if let Some(until) = closing.and_then(Closing::until) {
            // An earlier one may still come, too.
            let inserted = self.signed_closes.insert(election_id, until.max(latest));
            inserted.map_err(StoreError::of)?;
        }
        Ok(())
    }

    fn confirm(&mut self, confirmed: Confirmed) -> Result<(), StoreError> {
        for item in &confirmed.submissions {
            self.confirm_one(&confirmed, item)?;
        }
        // A ballot that was given up, or signed again, may land all the same.
        for (index, id) in (0..).zip(&confirmed.transaction_ids) {
            let sequence = self.transactions.get(&id.0).map_err(StoreError::of)?;
            let Some(sequence) = sequence.map(|sequence| sequence.value()) else {
                continue;
            };
            if !matches!(self.get(sequence)?.state, State::Confirmed { .. }) {
                let item = ConfirmedSubmission {
                    sequence,
                    transaction_id: *id,
                    index,
                    validator: None,
                };
                self.confirm_one(&confirmed, &item)?;
            }
        }
        if let Some(mark) = confirmed.mark {
            self.meta
                .insert(tables::META_MARK, codec::encode(&mark).as_slice())
                .map_err(StoreError::of)?;
        }
        Ok(())
    }

    fn confirm_one(
        &mut self,
        confirmed: &Confirmed,
        item: &ConfirmedSubmission,
    ) -> Result<(), StoreError> {
        let mut submission = self.get(item.sequence)?;
        submission.transaction_id = item.transaction_id;
        let is_known = self.transactions.get(&item.transaction_id.0);
        if is_known.map_err(StoreError::of)?.is_none() {
            // Beside the id that the voter may have been told.
            self.transactions
                .insert(&item.transaction_id.0, item.sequence)
                .map_err(StoreError::of)?;
        }
        submission.transaction = Vec::new();
        submission.state = State::Confirmed {
            height: confirmed.height,
            block_hash: confirmed.block_hash,
            index: item.index,
            confirmed_at_ms: confirmed.confirmed_at_ms,
            signatures: confirmed.signatures,
            validator: item.validator.clone(),
        };
        self.put(&submission)?;
        self.open.remove(item.sequence).map_err(StoreError::of)?;
        self.voters
            .insert((submission.election_id, &submission.voter.0), item.sequence)
            .map_err(StoreError::of)?;
        Ok(())
    }

    fn reject(&mut self, sequence: u64, state: State) -> Result<(), StoreError> {
        let mut submission = self.get(sequence)?;
        if submission.state != State::Open {
            return Ok(());
        }
        submission.state = state;
        submission.transaction = Vec::new();
        self.put(&submission)?;
        self.open.remove(sequence).map_err(StoreError::of)?;
        // The voter may try again; what was cast before stands again.
        self.voters
            .remove((submission.election_id, &submission.voter.0), sequence)
            .map_err(StoreError::of)?;
        Ok(())
    }

    /// The inner result is this write's alone: what is settled stays as it is.
    fn sign_again(
        &mut self,
        sequence: u64,
        transaction_id: Hash,
        transaction: Vec<u8>,
    ) -> Result<Result<(), StoreError>, StoreError> {
        let mut submission = self.get(sequence)?;
        if submission.state != State::Open {
            return Ok(Err(StoreError::Elsewhere));
        }
        submission.transaction_id = transaction_id;
        submission.transaction = transaction;
        self.put(&submission)?;
        self.transactions
            .insert(&transaction_id.0, sequence)
            .map_err(StoreError::of)?;
        Ok(Ok(()))
    }

    /// A voter's submission under the id that its client chose.
    fn named(&self, voter: &VoterId, client_id: &str) -> Result<Option<Submission>, StoreError> {
        let known = self
            .client_ids
            .get((&voter.0, client_id))
            .map_err(StoreError::of)?
            .map(|sequence| sequence.value());
        let earlier = self
            .earlier_client_ids
            .get(client_id)
            .map_err(StoreError::of)?
            .map(|sequence| sequence.value());
        let known = known.or(earlier).map(|sequence| self.get(sequence));
        Ok(known.transpose()?.filter(|known| known.voter == *voter))
    }

    fn get(&self, sequence: u64) -> Result<Submission, StoreError> {
        let bytes = self.submissions.get(sequence).map_err(StoreError::of)?;
        let bytes =
            bytes.ok_or_else(|| StoreError::Failed(format!("submission {sequence} is missing")))?;
        Submission::from_bytes(bytes.value()).map_err(StoreError::of)
    }

    fn put(&mut self, submission: &Submission) -> Result<(), StoreError> {
        self.submissions
            .insert(submission.sequence, submission.to_bytes().as_slice())
            .map_err(StoreError::of)?;
        Ok(())
    }
}

fn answer(reply: Reply<()>) -> Completion {
    Box::new(move |_, result| {
        // Who asked may have gone.
        let _ = reply.send(result);
    })
}
