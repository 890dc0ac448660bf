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
    clock, crash,
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
                match self.refuse(&transaction_id, code, reason).await? {
                    Some(Settled::Confirmed {
                        height,
                        block_hash,
                        validator,
                    }) => Ok(Answer::Confirmed {
                        height,
                        block_hash,
                        validator,
                    }),
                    _ => Err(CastError::Refused(refusal)),
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
        let judged = self.judge(bytes.to_vec(), RollChanges::Grows).await;
        matches!(judged, Ok(Judgement::Refused(_)))
    }

    /// The answer to a ballot that the chain refuses because it holds one of the voter: confirmed where
    /// it holds this one, and open as long as validators do not tell.
    async fn cast_before(&self, id: &Hash, transaction: &Transaction) -> Option<Answer> {
        match self.settle_as_on_chain(id, transaction).await {
            Ok(Some(Settled::Confirmed {
                height, block_hash, ..
            })) => Some(Answer::Confirmed {
                height,
                block_hash,
                validator: None,
            }),
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(%error, transaction_id = %short(id), "a refusal waits for what the chain holds");
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
                if self.is_final(election, transaction, &refusal, sent).await? =>
            {
                let (code, reason) = (refusal.code.as_str(), refusal.message.clone());
                self.refuse(&transaction_id, code, reason).await?;
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
    ) -> Result<bool, StoreError> {
        let id = election.view.election_id;
        Ok(match refusal.code {
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
                    return Ok(false);
                };
                // One that the network refused since bars nobody.
                match self.local.ballot_of(id, voter) {
                    Some(ballot) => {
                        let standing = &ballot.entry.transaction_id;
                        let standing = self.store.by_transaction(standing).await?;
                        !standing.is_some_and(|s| matches!(s.state, State::Rejected { .. }))
                    }
                    None => false,
                }
            }
            _ => false,
        })
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
                clock::now_ms(),
            )
            .await?;
        crash::point("refusal-written");
        // A block may have been faster: the database knows.
        let recorded = self.store.by_sequence(landed.sequence).await?;
        let settled = recorded.and_then(|recorded| ended::settled(&self.client, recorded.state));
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
                    Some(now) => self.standing(now.state, &public_id)?,
                    None => Answer::Recorded,
                },
            },
            state => self.standing(state, &public_id)?,
        };
        if let Answer::Pending { .. } = answer {
            self.help(&transaction_id, &known.transaction).await;
            self.keep_again(election, &transaction_id, known.transaction)
                .await;
        }
        let answer = match (answer, self.pending.standing(&transaction_id)) {
            // Where another backend carries it, how far that one came is not known here.
            (Answer::Pending { .. }, Some(Standing::Recorded) | None) => Answer::Recorded,
            (Answer::Pending { .. }, Some(Standing::Local)) => Answer::Local,
            (answer, _) => answer,
        };
        Ok(Acknowledged {
            public_id,
            transaction_id,
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

    /// What a recorded state means to the voter.
    fn standing(&self, state: State, public_id: &str) -> Result<Answer, CastError> {
        match state {
            State::Open => Ok(Answer::Pending { validator: None }),
            State::Confirmed {
                height,
                block_hash,
                validator,
                ..
            } => Ok(Answer::Confirmed {
                height,
                block_hash,
                validator: validator.and_then(|node_id| ended::validator(&self.client, &node_id)),
            }),
            State::Rejected { code, reason, .. } => Err(CastError::Ended {
                code,
                reason,
                submission: Some(public_id.to_owned()),
            }),
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
        Ok(Ok(Settled::Confirmed {
            height,
            block_hash,
            validator: by,
        })) => Ok(Answer::Confirmed {
            height,
            block_hash,
            validator: validator.or(by),
        }),
        Ok(Ok(Settled::Rejected { code, reason })) => Err(CastError::Ended {
            code,
            reason,
            submission: None,
        }),
        Ok(Err(_)) | Err(_) => Ok(Answer::Pending { validator }),
    }
}
