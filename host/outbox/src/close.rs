//! Closing an election without leaving out a ballot that was acknowledged.
//!
//! A mark in the database comes first. From it on no backend over this database acknowledges another
//! ballot of the election: the mark and ballots are written by one writer after the other. What was
//! acknowledged before is carried to its end. Only then the transaction that closes the election is
//! submitted, so that the chain holds every such ballot in an earlier block, or has refused it. A crash at
//! any moment leaves the mark, and the next start goes on from there.
//!
//! Before a close leaves, the mark says until which height it may come: an answer that is lost, or a copy of the
//! chain that is behind, takes no mark away. Only the proven chain ends a closing.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use tabella_client::Confirmation;
use tabella_ledger::VetError;
use tabella_protocol::{
    Payload, Transaction,
    rpc::{ElectionStatus, RefusalCode},
};

use crate::{
    administer::ADMIN_WAIT,
    administer_error::{AdministerError, CloseError, ResumeError, SignedCloseError},
    closing::Closed,
    crash,
    outbox::Outbox,
    store::{Closing, StoreError},
};

/// Pause between two looks while an election is being closed.
const ROUND: Duration = Duration::from_millis(100);
/// Pause between two looks where none is.
const IDLE: Duration = Duration::from_secs(1);
/// How long the end of a closing may come after its mark says that it is done.
const JUST_CLOSED: Duration = Duration::from_millis(500);
/// How long another backend over the same database is left to close what it was asked to.
const OTHERS: Duration = Duration::from_secs(30);

impl Outbox {
    /// Closes an election: at once where nothing that was acknowledged is on its way, otherwise as soon
    /// as that has ended.
    pub async fn close_election(
        &self,
        election_id: u64,
        how: Closing,
    ) -> Result<Closed, CloseError> {
        self.require_opened(election_id).await?;
        if self.authority.is_none() {
            return self.drain(election_id, how).await;
        }
        // Before the mark, so that its end is not missed.
        let end = self.closings.wait(election_id);
        self.store.mark_closing(election_id, Some(how)).await?;
        crash::point("closing-marked");
        if self.mark_of(election_id).await?.is_none() {
            // It was closed just now, or long ago, which the chain says better.
            if let Ok(Ok(result)) = tokio::time::timeout(JUST_CLOSED, end).await {
                return Ok(Closed::Now(result?));
            }
            let closing = self.administer(Payload::CloseElection { election_id });
            return Ok(Closed::Now(closing.await?));
        }
        self.closings.asked.notify_one();
        let ended = tokio::select! {
            biased;
            ended = tokio::time::timeout(ADMIN_WAIT, end) => ended.ok(),
            () = self.levels.quorum_lost() => None,
        };
        match ended {
            Some(Ok(result)) => Ok(Closed::Now(result?)),
            _ => {
                // With the one that the local ledger may hold.
                let left = self.left_in(election_id, how).await?;
                let unsettled = self.unsettled_in(election_id).await?.max(left);
                Ok(Closed::Later { unsettled })
            }
        }
    }

    /// Takes no more ballots of an election that an authority closes whose key is not here.
    async fn drain(&self, election_id: u64, how: Closing) -> Result<Closed, CloseError> {
        if is_closed(self, election_id).await {
            self.store
                .mark_closing(election_id, Some(Closing::Done))
                .await?;
            return Err(not_open(election_id).into());
        }
        self.store.mark_closing(election_id, Some(how)).await?;
        crash::point("closing-marked");
        let unsettled = self.left_in(election_id, how).await?;
        Ok(Closed::Later { unsettled })
    }

    /// Takes ballots again of an election that nobody here is closing.
    pub async fn resume_election(&self, election_id: u64) -> Result<(), ResumeError> {
        if self.authority.is_some() || self.store.shared().is_some() {
            return Err(ResumeError::MayBeClosing(election_id));
        }
        self.elections.catch_up().await;
        let election = self.follower.ledger().election(election_id);
        match election.map(|election| election.status()) {
            Some(ElectionStatus::Open) => {}
            Some(ElectionStatus::Closed | ElectionStatus::Final) => {
                return Err(ResumeError::Closed(election_id));
            }
            Some(ElectionStatus::Upcoming) | None => return Err(ResumeError::NotOpen(election_id)),
        }
        let _signed = self.closings.signed.lock().await;
        if let Some(Closing::Signed { until }) = self.mark_of(election_id).await?
            && self.follower.tip().height <= until
        {
            return Err(ResumeError::SignedUntil {
                election_id,
                expiry: until,
            });
        }
        Ok(self.store.mark_closing(election_id, None).await?)
    }

    /// How an election is being closed, where it is and the chain has not closed it.
    async fn mark_of(&self, election_id: u64) -> Result<Option<Closing>, StoreError> {
        let marks = self.store.closings().await?;
        let mark = marks.iter().find(|(marked, _)| *marked == election_id);
        Ok(mark.map(|(_, how)| *how))
    }

    /// Ballots for which closing has to wait.
    async fn left_in(&self, election_id: u64, how: Closing) -> Result<u64, StoreError> {
        let looked = !self.reconciliation.may_lack(election_id);
        let unsettled = self.unsettled_in(election_id).await?;
        Ok(left(how, looked, unsettled))
    }

    /// Puts a close on the chain that an authority signed elsewhere, once every ballot that was
    /// acknowledged here has ended.
    pub async fn close_signed(
        &self,
        election_id: u64,
        close: &Transaction,
    ) -> Result<Confirmation, SignedCloseError> {
        let signed = self.closings.signed.lock().await;
        let Some(how) = self.mark_of(election_id).await? else {
            return Err(SignedCloseError::NotAsked(election_id));
        };
        let unsettled = self.left_in(election_id, how).await?;
        if unsettled > 0 {
            return Err(SignedCloseError::Unsettled {
                election_id,
                unsettled,
            });
        }
        self.require_sound(close).await?;
        // Whatever becomes of it here, somebody may have it: no ballot is taken while it may come.
        let until = close.body.expiry_height;
        self.store
            .mark_closing(election_id, Some(Closing::Signed { until }))
            .await?;
        drop(signed);
        crash::point("closing-signed");
        let confirmation = self.put_signed(close).await?;
        self.store
            .mark_closing(election_id, Some(Closing::Done))
            .await?;
        Ok(confirmation)
    }

    /// Refuses a close that no validator takes, whatever is in the blocks that are not known here; and one
    /// that they would take only later, because somebody could keep it until then.
    async fn require_sound(&self, close: &Transaction) -> Result<(), AdministerError> {
        let (ledger, bytes) = (Arc::clone(self.follower.ledger()), close.to_bytes());
        let judging = tokio::task::spawn_blocking(move || {
            let vetted = ledger.vet(&bytes)?;
            ledger.admit(&vetted)
        });
        let refusal = match judging.await {
            Ok(Err(VetError::Refused(refusal))) => refusal,
            _ => return Ok(()),
        };
        match refusal.code {
            RefusalCode::OtherChain
            | RefusalCode::BadSignature
            | RefusalCode::NotAuthorised
            | RefusalCode::ExpiryTooFar => Err(AdministerError::Rejected {
                code: refusal.code,
                reason: refusal.message,
            }),
            _ => Ok(()),
        }
    }

    /// Refuses to close what is not open yet, or not there: a signed close could be kept, and let out once
    /// it is.
    async fn require_opened(&self, election_id: u64) -> Result<(), AdministerError> {
        self.elections.catch_up().await;
        let proven = self.follower.ledger().election(election_id);
        match proven.map(|election| election.status()) {
            None | Some(ElectionStatus::Upcoming) => Err(not_open(election_id)),
            Some(_) => Ok(()),
        }
    }

    /// How many ballots of an election were acknowledged over this database and have not ended.
    async fn unsettled_in(&self, election_id: u64) -> Result<u64, StoreError> {
        match self.store.shared() {
            Some(shared) => shared.unsettled_in(election_id).await,
            None => Ok(self.pending.count_in(election_id)),
        }
    }
}

/// Closes what is marked to be closed, until the backend ends.
pub(crate) async fn carry_through(outbox: Arc<Outbox>) {
    if outbox.authority.is_none() {
        // Another backend over the same database has the key.
        return std::future::pending().await;
    }
    let mut since: HashMap<u64, Instant> = HashMap::new();
    let mut pause = IDLE;
    loop {
        tokio::select! {
            () = outbox.closings.asked.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
        pause = IDLE;
        let Ok(marks) = outbox.store.closings().await else {
            continue;
        };
        let open: HashSet<u64> = marks.iter().map(|(election_id, _)| *election_id).collect();
        since.retain(|election_id, _| open.contains(election_id));
        for (election_id, how) in marks {
            let seen = *since.entry(election_id).or_insert_with(Instant::now);
            let is_own = outbox.store.shared().is_none() || outbox.closings.was_asked(election_id);
            if is_own || seen.elapsed() >= OTHERS {
                // One that was signed may be on its way for long.
                if !matches!(how, Closing::Signed { .. }) {
                    pause = ROUND;
                }
                if let Err(error) = step(&outbox, election_id, how).await {
                    tracing::warn!(%error, election_id, "an election that is being closed waits");
                }
            }
        }
    }
}

/// Closes one election if nothing that was acknowledged is on its way any more.
async fn step(outbox: &Outbox, election_id: u64, how: Closing) -> Result<(), StoreError> {
    if !outbox.levels.has_quorum() {
        return Ok(());
    }
    if outbox.left_in(election_id, how).await? > 0 {
        return Ok(());
    }
    crash::point("closing-drained");
    if has_closed(outbox, election_id) {
        return end(outbox, election_id, Err(not_open(election_id))).await;
    }
    // It was open when it was marked: the copy of the chain is fetched again.
    if outbox.require_opened(election_id).await.is_err() {
        return Ok(());
    }
    let close = match outbox.authority() {
        Ok(key) => outbox.sign(Payload::CloseElection { election_id }, key),
        // Another backend over the same database has the key.
        Err(_) => return Ok(()),
    };
    // From here on somebody may have it, whatever is answered: no ballot is taken while it may come.
    match outbox.require_sound(&close).await {
        Ok(()) => {}
        // No validator ever takes it, so that nobody keeps it.
        Err(error) if !may_come(how, &error) => {
            let _signed = outbox.closings.signed.lock().await;
            // One that was signed elsewhere may have come since the mark was read.
            let now = outbox.mark_of(election_id).await?;
            if now.is_none_or(|now| matches!(now, Closing::Signed { .. })) {
                return Ok(());
            }
            tracing::warn!(
                election_id,
                %error,
                "the election cannot be closed, and takes ballots as before"
            );
            outbox.store.mark_closing(election_id, None).await?;
            outbox.closings.end(election_id, Err(error));
            return Ok(());
        }
        Err(error) => {
            tracing::warn!(election_id, %error, "an election that is being closed waits");
            return Ok(());
        }
    }
    let until = close.body.expiry_height;
    let signed = Some(Closing::Signed { until });
    outbox.store.mark_closing(election_id, signed).await?;
    crash::point("closing-signed");
    let result = outbox.put_signed(&close).await;
    crash::point("closing-submitted");
    let refusal = result.as_ref().err().and_then(AdministerError::refusal);
    match (&result, refusal) {
        (Ok(_), _) => end(outbox, election_id, result).await,
        // By somebody else, or by a close of this backend that came late: where it is not proven yet, the blocks
        // that are on their way will show it.
        (Err(_), Some(RefusalCode::WrongElectionStatus))
            if is_closed(outbox, election_id).await =>
        {
            end(outbox, election_id, result).await
        }
        // Tried again.
        _ => Ok(()),
    }
}

/// Writes down that the chain has closed an election, and tells who waits.
async fn end(
    outbox: &Outbox,
    election_id: u64,
    result: Result<Confirmation, AdministerError>,
) -> Result<(), StoreError> {
    let done = Some(Closing::Done);
    outbox.store.mark_closing(election_id, done).await?;
    outbox.closings.end(election_id, result);
    Ok(())
}

/// Whether a close may still come of an election so marked, though one that was signed now is refused before
/// anybody has it.
fn may_come(how: Closing, error: &AdministerError) -> bool {
    // Heights go on.
    matches!(how, Closing::Signed { .. }) || error.refusal() == Some(RefusalCode::ExpiryTooFar)
}

/// For how many ballots closing waits. While the local ledger was not looked through, or not all of it can be read,
/// there may be one that the database lacks.
fn left(how: Closing, looked: bool, unsettled: u64) -> u64 {
    match how {
        Closing::AfterBallots if looked => unsettled,
        Closing::AfterBallots => unsettled.max(1),
        _ => 0,
    }
}

fn not_open(election_id: u64) -> AdministerError {
    AdministerError::Rejected {
        code: RefusalCode::WrongElectionStatus,
        reason: format!("cannot close election {election_id}: it must be open"),
    }
}

/// Whether the proven chain has closed the election.
async fn is_closed(outbox: &Outbox, election_id: u64) -> bool {
    outbox.elections.catch_up().await;
    has_closed(outbox, election_id)
}

/// As [`is_closed`], by the blocks that are executed here now.
fn has_closed(outbox: &Outbox, election_id: u64) -> bool {
    let proven = outbox.follower.ledger().election(election_id);
    proven.is_some_and(|e| matches!(e.status(), ElectionStatus::Closed | ElectionStatus::Final))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_waits_for_the_look_into_the_local_ledger_and_for_what_has_not_ended() {
        let signed = Closing::Signed { until: 9 };
        for (how, looked, unsettled, waits_for) in [
            (Closing::AfterBallots, true, 0, 0),
            (Closing::AfterBallots, true, 3, 3),
            (Closing::AfterBallots, false, 0, 1),
            (Closing::AfterBallots, false, 3, 3),
            (Closing::AtOnce, false, 3, 0),
            (signed, false, 3, 0),
        ] {
            assert_eq!(left(how, looked, unsettled), waits_for, "{how:?}");
        }
    }
}
