//! A recorded ballot on its way to the answer that its voter gets: at a validator, in the local ledger, on
//! the chain, or refused.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tabella_client::{SubmitError, ValidatorEndpoint};
use tabella_protocol::{Hash, Payload, RollChanges, Transaction, rpc::RefusalCode};

use crate::{
    cast_error::CastError,
    crash,
    elections::Election,
    ended,
    lines::short,
    local_ledger::AppendError,
    outbox::Outbox,
    pending::{Settled, Standing},
    refusals::Judgement,
    store::{State, StoreError, Submission},
    submissions::{Acknowledged, Answer, Wish},
};

/// How long validators may take to accept a ballot before it is kept here instead.
const ACCEPTANCE_WAIT: Duration = Duration::from_secs(2);

/// Whether a validator may have a transaction, though none said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// None was asked.
    Never,
    /// One was asked, and its answer may be lost.
    Perhaps,
}

impl Outbox {
    /// Hands a recorded submission to a validator and waits for its end.
    pub(crate) async fn carry(
        &self,
        election: &Election,
        transaction: &Transaction,
        bytes: Vec<u8>,
        started: Instant,
    ) -> Result<Answer, CastError> {
        let transaction_id = Hash::of(&bytes);
        let settled = self.pending.wait(&transaction_id);
        if !self.turn(&transaction_id, started).await {
            return self.keep(election, transaction, bytes, Sent::Never).await;
        }
        let (sent, submitted) = if self.client.is_connected() {
            let submitting = self.client.submit(bytes.clone());
            let submitted = tokio::time::timeout(ACCEPTANCE_WAIT, submitting).await;
            let late = |_| {
                let late = format!("no validator accepted it within {ACCEPTANCE_WAIT:?}");
                Err(SubmitError::Unavailable(late))
            };
            (Sent::Perhaps, submitted.unwrap_or_else(late))
        } else {
            (Sent::Never, Err(SubmitError::NoValidator))
        };
        match self.doubt_refusal(&bytes, submitted).await {
            Ok(submitted) => {
                crash::point("accepted");
                self.lines.submitted(transaction, &transaction_id);
                let (by, height) = (submitted.validator.clone(), self.height());
                self.pending.accepted(&transaction_id, by, height);
                let wait = self.confirmation_wait.saturating_sub(started.elapsed());
                self.end(settled, Some(submitted.validator), wait).await
            }
            Err(SubmitError::Refused(refusal))
                if !self.waits_for_heights(transaction, refusal.code) =>
            {
                if refusal.code == RefusalCode::AlreadyVoted
                    && let Some(answer) = self.cast_before(&transaction_id, transaction).await
                {
                    return Ok(answer);
                }
                if !self.is_proven(&bytes, refusal.code).await {
                    let late = "the proven chain does not show why yet".to_owned();
                    let error = SubmitError::Unavailable(late);
                    self.lines.fell_back(&error, &transaction_id);
                    return self.keep(election, transaction, bytes, sent).await;
                }
                // Recorded, so that asking again answers the same.
                let (code, reason) = (refusal.code.as_str(), refusal.message.clone());
                match self.refuse(&transaction_id, code, reason).await {
                    Ok(Some(settled @ Settled::Confirmed { .. })) => answer(settled, None),
                    Ok(_) => Err(CastError::Refused(refusal)),
                    Err(error) => Ok(self.refused_later(&error, &transaction_id)),
                }
            }
            Err(error) => {
                self.lines.fell_back(&error, &transaction_id);
                self.keep(election, transaction, bytes, sent).await
            }
        }
    }

    /// Whether a refusal that validators gave is the proven chain's too, where that can show it.
    async fn is_proven(&self, bytes: &[u8], code: RefusalCode) -> bool {
        if code.may_change() {
            return true;
        }
        self.elections.catch_up().await;
        match self.judge(bytes.to_vec(), RollChanges::Grows).await {
            Ok(judgement) => matches!(judgement, Judgement::Refused(_)),
            Err(error) => {
                tracing::warn!(%error, transaction_id = %short(&Hash::of(bytes)), "a vote cannot be judged by the proven chain now");
                false
            }
        }
    }

    /// The answer where a refusal of a recorded ballot could not be written down: it is on its way all the same, and
    /// is refused later.
    fn refused_later(&self, error: &StoreError, transaction_id: &Hash) -> Answer {
        tracing::warn!(%error, transaction_id = %short(transaction_id), "a refusal cannot be recorded, and comes later");
        Answer::Recorded
    }

    /// The answer to a ballot that the chain refuses because it holds one of the voter: confirmed where
    /// it holds this one, and open as long as validators do not tell.
    async fn cast_before(&self, id: &Hash, transaction: &Transaction) -> Option<Answer> {
        match self.settle_as_on_chain(id, transaction).await {
            Ok(Some(settled @ Settled::Confirmed { .. })) => answer(settled, None).ok(),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, transaction_id = %short(id), "what the chain holds of a vote cannot be told now");
                Some(Answer::Pending { validator: None })
            }
        }
    }

    /// Waits until no earlier ballot of the same voter is unsettled; false where that takes longer
    /// than a submission may wait.
    async fn turn(&self, transaction_id: &Hash, started: Instant) -> bool {
        while let Some(earlier) = self.pending.wait_turn(transaction_id) {
            if !self.client.is_connected() {
                return false;
            }
            let wait = self.confirmation_wait.saturating_sub(started.elapsed());
            tokio::select! {
                biased;
                settled = tokio::time::timeout(wait, earlier) => {
                    if settled.is_err() {
                        return false;
                    }
                }
                () = self.levels.quorum_lost() => return false,
            }
        }
        true
    }

    /// A submission's end, waited for as long as one may come: not without a quorum.
    async fn end(
        &self,
        settled: Option<tokio::sync::oneshot::Receiver<Settled>>,
        validator: Option<Arc<ValidatorEndpoint>>,
        wait: Duration,
    ) -> Result<Answer, CastError> {
        tokio::select! {
            biased;
            answer = await_end(settled, validator.clone(), wait) => answer,
            () = self.levels.quorum_lost() => Ok(Answer::Pending { validator }),
        }
    }

    /// Keeps a recorded submission in the local ledger, or in the database alone where that fails.
    async fn keep(
        &self,
        election: &Election,
        transaction: &Transaction,
        bytes: Vec<u8>,
        sent: Sent,
    ) -> Result<Answer, CastError> {
        let transaction_id = Hash::of(&bytes);
        let error = match self.append_locally(election, bytes).await {
            Ok(()) => {
                self.pending.kept_locally(&transaction_id);
                return Ok(Answer::Local);
            }
            Err(error) => error,
        };
        match error {
            AppendError::Refused(refusal)
                if self.is_final(election, transaction, &refusal, sent).await =>
            {
                let (code, reason) = (refusal.code.as_str(), refusal.message.clone());
                match self.refuse(&transaction_id, code, reason).await {
                    // A block was faster.
                    Ok(Some(settled @ Settled::Confirmed { .. })) => return answer(settled, None),
                    Ok(_) => {}
                    Err(error) => return Ok(self.refused_later(&error, &transaction_id)),
                }
                Err(CastError::Refused(tabella_client::Refusal {
                    code: refusal.code,
                    message: refusal.message,
                    plugin_code: refusal.plugin_code,
                    contest: refusal.contest,
                    validators: 0,
                }))
            }
            error => {
                self.lines.fell_through(&error, &transaction_id);
                Ok(Answer::Recorded)
            }
        }
    }

    /// Keeps an acknowledged submission in the local ledger that a crash, or a failure of the
    /// ledger, kept out. What the ledger refuses now, the chain decides later.
    async fn keep_again(&self, election: &Election, transaction_id: &Hash, bytes: Vec<u8>) {
        if self.pending.standing(transaction_id) == Some(Standing::Recorded)
            && self.append_locally(election, bytes).await.is_ok()
        {
            self.pending.kept_locally(transaction_id);
        }
    }

    async fn append_locally(&self, election: &Election, bytes: Vec<u8>) -> Result<(), AppendError> {
        let id = election.view.election_id;
        let known = self.local.election(id);
        // The same id must be the same election.
        if known.is_none_or(|known| known.transaction_id() != election.view.transaction_id) {
            let reason = format!("it does not know election {id}");
            return Err(AppendError::Failed(reason));
        }
        self.local.append(bytes).await
    }

    /// Whether what the local ledger refuses, the network can never take. It may lack what the
    /// network did since it was last heard of, and a validator may have the ballot already; such a
    /// ballot is kept all the same, and the chain decides.
    async fn is_final(
        &self,
        election: &Election,
        transaction: &Transaction,
        refusal: &tabella_ledger::Refusal,
        sent: Sent,
    ) -> bool {
        let id = election.view.election_id;
        match refusal.code {
            // Of the same bytes every ledger says the same.
            RefusalCode::BallotRefused
            | RefusalCode::RuleFault
            | RefusalCode::BadSignature
            | RefusalCode::NotAuthorised => true,
            _ if sent == Sent::Perhaps => false,
            RefusalCode::ElectionClosed => true,
            RefusalCode::NotOnRoll => {
                let known = self.local.election(id);
                known.is_some_and(|known| known.roll_size() == election.view.roll_size)
            }
            RefusalCode::AlreadyVoted => {
                let Payload::CastBallot { voter, .. } = &transaction.body.payload else {
                    return false;
                };
                // One that the network refused since bars nobody.
                match self.local.ballot_of(id, voter) {
                    Some(ballot) => {
                        let standing = &ballot.entry.transaction_id;
                        match self.store.by_transaction(standing).await {
                            Ok(standing) => {
                                !standing.is_some_and(|s| matches!(s.state, State::Rejected { .. }))
                            }
                            Err(error) => {
                                tracing::warn!(%error, "a refusal of the local ledger is left to the chain");
                                false
                            }
                        }
                    }
                    None => false,
                }
            }
            _ => false,
        }
    }

    /// Records that the chain refused a submission. Returns how it ended: a block may have been faster.
    pub(crate) async fn refuse(
        &self,
        transaction_id: &Hash,
        code: String,
        reason: String,
    ) -> Result<Option<Settled>, StoreError> {
        let landed = self.pending.landed(std::slice::from_ref(transaction_id));
        let Some((_, landed)) = landed.into_iter().next() else {
            return Ok(None);
        };
        crash::point("refusal-unwritten");
        self.store
            .reject(
                landed.sequence,
                code.clone(),
                reason.clone(),
                tabella_clock::now_ms(),
            )
            .await?;
        crash::point("refusal-written");
        // A block may have been faster: the database knows.
        let recorded = self.store.by_sequence(landed.sequence).await?;
        let settled = recorded.and_then(|recorded| ended::settled(&self.client, recorded));
        let settled = settled.unwrap_or(Settled::Rejected { code, reason });
        self.pending.settle(landed.sequence, &settled);
        Ok(Some(settled))
    }

    /// Returns the answer to a submission that was acknowledged before.
    pub(crate) async fn repeat(
        &self,
        election: &Election,
        known: Submission,
        wish: &Wish,
        started: Instant,
    ) -> Result<Acknowledged, CastError> {
        // A credential's transaction is public once it is on the chain: who sends it again does not learn
        // what its voter called it.
        let public_id = match &wish.client_id {
            Some(own) if known.client_id.as_ref() == Some(own) => own.clone(),
            _ => known.transaction_id.to_string(),
        };
        let (transaction_id, voter) = (known.transaction_id, known.voter);
        let bytes = known.transaction.clone();
        let answer = match known.state {
            State::Open => match self.pending.wait(&transaction_id) {
                // Nothing will come of waiting.
                Some(_) if !self.client.is_connected() => Answer::Pending { validator: None },
                Some(settled) => {
                    let wait = self.confirmation_wait.saturating_sub(started.elapsed());
                    self.end(Some(settled), None, wait).await?
                }
                // Settled since it was read, so that the database knows more by now.
                None => match self.store.by_sequence(known.sequence).await? {
                    Some(now) => self.standing(now, &public_id)?,
                    None => Answer::Recorded,
                },
            },
            _ => self.standing(known, &public_id)?,
        };
        if let Answer::Pending { .. } = answer {
            self.help(&transaction_id, &bytes).await;
            self.keep_again(election, &transaction_id, bytes).await;
        }
        let answer = match (answer, self.pending.standing(&transaction_id)) {
            // Where another backend carries it, how far that one came is not known here.
            (Answer::Pending { .. }, Some(Standing::Recorded) | None) => Answer::Recorded,
            (Answer::Pending { .. }, Some(Standing::Local)) => Answer::Local,
            (answer, _) => answer,
        };
        Ok(Acknowledged {
            public_id,
            transaction_id: answer.standing().unwrap_or(transaction_id),
            voter,
            answer,
            repeated: true,
        })
    }

    /// Hands a submission that another backend carries to a validator, so that the answer is true:
    /// how far the other one came is not known here. A validator takes the same transaction once.
    async fn help(&self, transaction_id: &Hash, bytes: &[u8]) {
        let is_next = self.pending.wait_turn(transaction_id).is_none();
        if !self.pending.is_elsewhere(transaction_id) || !is_next || !self.client.is_connected() {
            return;
        }
        let submitting = self.client.submit(bytes.to_vec());
        if let Ok(Ok(submitted)) = tokio::time::timeout(ACCEPTANCE_WAIT, submitting).await {
            let (by, height) = (submitted.validator, self.height());
            self.pending.accepted(transaction_id, by, height);
        }
    }

    /// Whether a refusal is about heights alone: a few blocks later the ballot is taken as it is, or it is
    /// signed here again under another expiry.
    pub(crate) fn waits_for_heights(&self, transaction: &Transaction, code: RefusalCode) -> bool {
        match code {
            RefusalCode::ExpiryTooFar => true,
            RefusalCode::Expired => transaction.signer == self.registrar.public(),
            _ => false,
        }
    }

    /// What a recorded submission means to the voter.
    fn standing(&self, recorded: Submission, public_id: &str) -> Result<Answer, CastError> {
        match ended::settled(&self.client, recorded) {
            None => Ok(Answer::Pending { validator: None }),
            Some(Settled::Rejected { code, reason }) => Err(CastError::Ended {
                code,
                reason,
                submission: Some(public_id.to_owned()),
            }),
            Some(settled @ Settled::Confirmed { .. }) => answer(settled, None),
        }
    }
}

async fn await_end(
    settled: Option<tokio::sync::oneshot::Receiver<Settled>>,
    validator: Option<Arc<ValidatorEndpoint>>,
    wait: Duration,
) -> Result<Answer, CastError> {
    let Some(settled) = settled else {
        return Ok(Answer::Pending { validator });
    };
    match tokio::time::timeout(wait, settled).await {
        Ok(Ok(settled)) => answer(settled, validator),
        Ok(Err(_)) | Err(_) => Ok(Answer::Pending { validator }),
    }
}

/// What the end of a ballot means to its voter. `taken_by` is the validator that took it here.
fn answer(settled: Settled, taken_by: Option<Arc<ValidatorEndpoint>>) -> Result<Answer, CastError> {
    match settled {
        Settled::Confirmed {
            transaction_id,
            height,
            block_hash,
            validator,
        } => Ok(Answer::Confirmed {
            transaction_id,
            height,
            block_hash,
            validator: taken_by.or(validator),
        }),
        Settled::Rejected { code, reason } => Err(CastError::Ended {
            code,
            reason,
            submission: None,
        }),
    }
}
