//! From a ballot to an answer that is true whatever fails: durable here first, then on the chain.

use std::{sync::Arc, time::Instant};

use tabella_client::ValidatorEndpoint;
use tabella_protocol::{
    BoardEntry, Hash, Payload, Revote, RollChanges, Transaction, TransactionBody, VoterId, codec,
    rpc::{ElectionStatus, RefusalCode},
};

use crate::{
    cast_error::{CastError, NotOpen},
    chain_read::LookError,
    crash,
    credential::Credential,
    elections::Election,
    outbox::Outbox,
    store::{Admission, NewSubmission, Recorded, StoreError, Submission},
    subject::{Realm, Subject},
};

/// Submissions recorded and not settled; past it, new ones are refused with 503.
const UNSETTLED_MAX: usize = 1_000_000;
/// How often a ballot is numbered, where other backends over the same database number the voter's ballots
/// at the same time.
const NUMBERINGS_MAX: usize = 8;

/// A ballot as it came.
pub enum Cast {
    /// Plain JSON, shaped by the rule's schema.
    Plain(serde_json::Value),
    /// Opaque bytes for the rule of the election's only contest.
    Opaque(Vec<u8>),
}

/// Whose ballot it is.
pub enum Voter {
    /// A voter whom this backend or its registrar authenticated.
    Registered(Subject),
    /// A voter with a key on the roll, who signed the transaction.
    Credential(Credential),
}

/// A voter's wish to cast a ballot.
pub struct Wish {
    /// The election.
    pub election_id: u64,
    /// Whose it is.
    pub voter: Voter,
    /// What it says.
    pub cast: Cast,
    /// The id that the client chose, a name within the voter.
    pub client_id: Option<String>,
    /// A random number of the voter's own, which stands in the transaction.
    pub nonce: Option<u64>,
}

/// A ballot for the chain.
enum Ballot {
    /// Signed by its voter.
    Signed(Transaction),
    /// Its registrar signs it when it becomes durable.
    ToSign(TransactionBody),
}

impl Ballot {
    /// The most bytes that its transaction will have.
    fn bytes_max(&self) -> usize {
        match self {
            Self::Signed(transaction) => transaction.to_bytes().len(),
            Self::ToSign(body) => Transaction::ballot_bytes_max(body),
        }
    }
}

/// What the voter is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// On the chain.
    Confirmed {
        /// The transaction that stands there.
        transaction_id: Hash,
        /// The block.
        height: u64,
        /// Its hash.
        block_hash: Hash,
        /// The validator that took it, where that is known.
        validator: Option<Arc<ValidatorEndpoint>>,
    },
    /// In a validator's durable mempool.
    Pending {
        /// The validator that took it, where that is known.
        validator: Option<Arc<ValidatorEndpoint>>,
    },
    /// In the local ledger, and submitted to the network later.
    Local,
    /// Durable in the database alone.
    Recorded,
}

impl Answer {
    /// The transaction that stands on the chain, where the ballot does.
    pub(crate) fn standing(&self) -> Option<Hash> {
        match self {
            Self::Confirmed { transaction_id, .. } => Some(*transaction_id),
            Self::Pending { .. } | Self::Local | Self::Recorded => None,
        }
    }
}

/// An acknowledged submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// The client's own id, or the chain's.
    pub public_id: String,
    /// The chain's own id of the ballot.
    pub transaction_id: Hash,
    /// Who the chain sees as the voter.
    pub voter: VoterId,
    /// How far it is.
    pub answer: Answer,
    /// Whether it was acknowledged before.
    pub repeated: bool,
}

impl Voter {
    /// Who vouches for the voter.
    fn realm(&self) -> Realm {
        match self {
            Self::Registered(Subject::Account(_)) => Realm::Account,
            Self::Registered(Subject::Operator | Subject::Registrar(_)) => Realm::Registrar,
            Self::Credential(_) => Realm::Credential,
        }
    }
}

impl Outbox {
    /// Takes a ballot and answers once it is confirmed, or after the configured wait.
    #[expect(
        clippy::too_many_lines,
        reason = "the path of a ballot, in the order that makes it safe"
    )]
    pub async fn submit(&self, wish: Wish) -> Result<Acknowledged, CastError> {
        let started = Instant::now();
        let election = self.elections.for_ballot(wish.election_id).await?;
        let voter = self.voter(&election, &wish.voter).await?;
        let open = require_open(&election);
        if wish.client_id.is_none() {
            open?;
        }
        let ballots = encode(&election, &wish.cast)?;
        let content = content(wish.election_id, &voter, &ballots);
        let payload = Payload::CastBallot {
            election_id: wish.election_id,
            voter,
            ballots,
        };
        let is_last = election.view.spec.revote == Revote::Last;
        let mut turn = None;
        let ballot = match &wish.voter {
            Voter::Registered(_) if is_last && open.is_ok() => {
                self.require_few_revotes(&wish, voter, content).await?;
                self.standing_executed(wish.election_id, voter).await?;
                // Until it is recorded.
                turn = Some(self.ballot_order.turn(&voter).await);
                let sequence = self.next_sequence(wish.election_id, voter).await?;
                Ballot::ToSign(self.ballot_body(payload, wish.nonce, Some(sequence)))
            }
            Voter::Registered(_) => Ballot::ToSign(self.ballot_body(payload, wish.nonce, None)),
            // A credential is a name that anybody can write; its signature comes before all that is kept or
            // counted under it.
            Voter::Credential(credential) => {
                Ballot::Signed(credential.transaction(&self.client, payload)?)
            }
        };
        // A repeat is answered as before even when the election has closed meanwhile.
        if let Err(not_open) = open {
            return match self.named(&wish, &voter).await? {
                Some(known) if known.content == content => {
                    self.repeat(&election, known, &wish, started).await
                }
                Some(_) => Err(CastError::Reused),
                None => Err(not_open.into()),
            };
        }
        if let (Voter::Credential(credential), Ballot::Signed(transaction)) = (&wish.voter, &ballot)
        {
            // Once it stands in a block, anybody can send it again: that is no new ballot, and late for none.
            if let Some(known) = self.store.by_transaction(&transaction.id()).await? {
                return self.repeat(&election, known, &wish, started).await;
            }
            credential.require_in_time(&self.client)?;
            if is_last {
                self.require_few_revotes(&wish, voter, content).await?;
            }
        }
        self.require_on_roll(wish.election_id, voter).await?;
        if self.pending.len() >= UNSETTLED_MAX {
            return Err(StoreError::Overloaded.into());
        }
        require_fitting(
            ballot.bytes_max(),
            self.client.genesis().transaction_bytes_max(),
        )?;
        let describe = {
            let (client_id, realm) = (wish.client_id.clone(), wish.voter.realm());
            let (submitted_at_ms, revote) = (tabella_clock::now_ms(), election.view.spec.revote);
            let (election_id, is_numbered) = (wish.election_id, turn.is_some());
            move |transaction: &Transaction| {
                let bytes = transaction.to_bytes();
                NewSubmission {
                    client_id: client_id.clone(),
                    election_id,
                    voter,
                    content,
                    transaction_id: Hash::of(&bytes),
                    transaction: bytes,
                    expiry_height: transaction.body.expiry_height,
                    submitted_at_ms,
                    admission: Admission::Fresh(revote),
                    number: transaction.body.sequence.filter(|_| is_numbered),
                    realm,
                }
            }
        };
        crash::point("unrecorded");
        let (recorded, transaction) = self.record(ballot, describe).await?;
        drop(turn);
        match recorded {
            Recorded::New => crash::point("recorded"),
            Recorded::Same(known) => return self.repeat(&election, *known, &wish, started).await,
            Recorded::Reused => return Err(CastError::Reused),
            Recorded::AlreadyVoted(standing) => {
                return Err(CastError::AlreadyVoted {
                    election_id: wish.election_id,
                    standing: standing.public_id(),
                });
            }
            Recorded::Closing => return Err(CastError::Closing(wish.election_id)),
            Recorded::Outnumbered => return Err(StoreError::Overloaded.into()),
        }
        let bytes = transaction.to_bytes();
        let transaction_id = Hash::of(&bytes);
        let answer = self.carry(&election, &transaction, bytes, started).await?;
        let transaction_id = answer.standing().unwrap_or(transaction_id);
        Ok(Acknowledged {
            public_id: wish.client_id.unwrap_or_else(|| transaction_id.to_string()),
            transaction_id,
            voter,
            answer,
            repeated: false,
        })
    }

    /// Makes a ballot durable: under a later number where another backend over the same database gave its
    /// own to another ballot of the voter meanwhile.
    async fn record(
        &self,
        ballot: Ballot,
        describe: impl Fn(&Transaction) -> NewSubmission + Clone + Send + 'static,
    ) -> Result<(Recorded, Transaction), LookError> {
        let mut body = match ballot {
            Ballot::ToSign(body) => body,
            Ballot::Signed(transaction) => {
                let recorded = self.store.record(describe(&transaction)).await?;
                return Ok((recorded, transaction));
            }
        };
        let mut numberings = 1;
        loop {
            let signing = self
                .store
                .sign_and_record(body, &self.registrar, describe.clone());
            let (recorded, transaction) = signing.await?;
            if recorded != Recorded::Outnumbered || numberings == NUMBERINGS_MAX {
                return Ok((recorded, transaction));
            }
            numberings += 1;
            let of = describe(&transaction);
            let number = self.next_sequence(of.election_id, of.voter).await?;
            let outnumbered = transaction.body;
            body = self.ballot_body(outnumbered.payload, Some(outnumbered.nonce), Some(number));
        }
    }

    /// Counts a ballot where voters may vote again; a repeat of one that is known is answered all the same.
    async fn require_few_revotes(
        &self,
        wish: &Wish,
        voter: VoterId,
        content: Hash,
    ) -> Result<(), CastError> {
        let Err(wait) = self.revotes.admit(wish.election_id, voter) else {
            return Ok(());
        };
        let known = self.named(wish, &voter).await?;
        match known.is_some_and(|known| known.content == content) {
            true => Ok(()),
            false => Err(CastError::TooManyBallots(wait)),
        }
    }

    /// What the voter recorded under the wish's transaction id before.
    async fn named(&self, wish: &Wish, voter: &VoterId) -> Result<Option<Submission>, StoreError> {
        match &wish.client_id {
            Some(client_id) => self.store.named(voter, client_id).await,
            None => Ok(None),
        }
    }

    /// Who the chain will see as the voter, if this election takes ballots of such voters here.
    async fn voter(&self, election: &Election, voter: &Voter) -> Result<VoterId, CastError> {
        let id = election.view.election_id;
        match (election.view.spec.eligibility.registrar(), voter) {
            (Some(registrar), Voter::Registered(subject)) => {
                if *registrar != self.registrar.public() {
                    return Err(CastError::OtherRegistrar(id));
                }
                Ok(self.electorate.voter(&election.view, subject).await?)
            }
            (None, Voter::Credential(credential)) => Ok(VoterId::from(credential.key)),
            (None, Voter::Registered(_)) => Err(CastError::CredentialRequired(id)),
            (Some(_), Voter::Credential(_)) => Err(CastError::CredentialNotAccepted(id)),
        }
    }

    /// Refuses who is not on a roll to which nobody is added any more, as the chain would.
    async fn require_on_roll(&self, election_id: u64, voter: VoterId) -> Result<(), CastError> {
        let proven = self.follower.ledger().election(election_id);
        let is_fixed = proven.is_some_and(|election| {
            election.status() == ElectionStatus::Open
                && election.spec().eligibility.roll() == Some(RollChanges::Fixed)
        });
        if !is_fixed {
            return Ok(());
        }
        let weight = self.read(move |ledger| ledger.weight_of(election_id, &voter));
        if weight.await?.is_some() {
            return Ok(());
        }
        Err(CastError::Ended {
            code: RefusalCode::NotOnRoll.as_str(),
            reason: format!("this voter is not on the roll of election {election_id}"),
            submission: None,
        })
    }
}

/// What an idempotency key stands for.
pub(crate) fn content(election_id: u64, voter: &VoterId, ballots: &[Vec<u8>]) -> Hash {
    Hash::of(&codec::encode(&(
        election_id,
        voter,
        BoardEntry::ballot_hash(ballots),
    )))
}

fn require_open(election: &Election) -> Result<(), NotOpen> {
    let id = election.view.election_id;
    match election.view.status {
        ElectionStatus::Open => Ok(()),
        ElectionStatus::Upcoming => Err(NotOpen::NotYet(id)),
        ElectionStatus::Closed | ElectionStatus::Final => Err(NotOpen::Over(id)),
    }
}

/// Refuses a ballot that no block can hold: it would wait for one forever.
fn require_fitting(got: usize, most: usize) -> Result<(), CastError> {
    if got <= most {
        return Ok(());
    }
    Err(CastError::TooLarge { got, most })
}

fn encode(election: &Election, cast: &Cast) -> Result<Vec<Vec<u8>>, CastError> {
    let contests = &election.view.spec.contests;
    let encoded = match cast {
        Cast::Plain(ballot) => election.rules.encode(contests, ballot),
        Cast::Opaque(bytes) => {
            let ballots = vec![bytes.clone()];
            election.rules.validate(&ballots).map(|()| ballots)
        }
    };
    encoded.map_err(|problem| CastError::ballot(problem, contests))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_block_can_hold_is_refused() {
        assert!(require_fitting(10, 10).is_ok());
        let error = require_fitting(11, 10).unwrap_err();
        assert!(matches!(error, CastError::TooLarge { got: 11, most: 10 }));
        let expected = "expected a ballot whose transaction has at most 10 bytes, which a block can hold, got 11; \
                        nothing was recorded";
        assert_eq!(error.to_string(), expected);
    }
}
