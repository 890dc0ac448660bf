//! Which submission a request asks about, and whether it may be told.
//!
//! An id that a client chose is a name within its voter: it takes the voter's token to ask for it, or a
//! registrar's scope, which could make that token. The chain's own id of a ballot takes none: it is a hash of
//! 256 bits that nobody guesses before the ballot is public, and shows no more than the chain does.

use axum::http::StatusCode;
use tabella_outbox::{
    store::{Named, Submission},
    subject::{NamedVoter, Subject},
};
use tabella_protocol::Hash;

use crate::{app::App, auth::Principal, problem::Problem};

/// What a request asks for.
pub(crate) struct Wanted {
    /// The client's own id, or the chain's.
    pub(crate) transaction_id: String,
    pub(crate) election_id: Option<u64>,
    /// Whose, where a registrar asks.
    pub(crate) voter_id: Option<String>,
}

/// What it may be told of.
pub(crate) enum Found {
    /// Everything of it: the voter asks, or a registrar.
    Own(Box<Submission>),
    /// What the chain shows of this transaction: somebody knows its id.
    ByChainId {
        id: Hash,
        known: Option<Box<Submission>>,
    },
}

/// The same answer whether or not others have a submission of this name.
pub(crate) fn unknown() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "unknown-transaction",
        "no submission has this transaction_id",
    )
}

impl App {
    /// Finds the submission that a request names.
    pub(crate) async fn find(
        &self,
        principal: Option<&Principal>,
        wanted: &Wanted,
    ) -> Result<Found, Problem> {
        if wanted.voter_id.is_some() && !principal.is_some_and(Principal::may_cast_for) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "cast-for-required",
                "only a registrar's or an administrator's token may name a voter; leave voter_id out",
            )
            .at("/voter_id"));
        }
        if let Ok(id) = wanted.transaction_id.parse::<Hash>() {
            return self.by_chain_id(principal, id, wanted).await;
        }
        let Some(principal) = principal else {
            return Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "token-missing",
                "this transaction_id is a name within its voter: send the voter's token, or ask by the chain_transaction_id",
            ));
        };
        let found = self.by_name(principal, wanted).await?;
        found
            .map(|own| Found::Own(Box::new(own)))
            .ok_or_else(unknown)
    }

    async fn by_chain_id(
        &self,
        principal: Option<&Principal>,
        id: Hash,
        wanted: &Wanted,
    ) -> Result<Found, Problem> {
        let known = self.store.by_transaction(&id).await?;
        if let Some(submission) = &known
            && wanted
                .election_id
                .is_some_and(|asked| asked != submission.election_id)
        {
            return Err(unknown());
        }
        let known = known.map(Box::new);
        match (known, principal) {
            (Some(known), Some(principal)) if self.is_own(principal, &known).await? => {
                Ok(Found::Own(known))
            }
            (known, _) => Ok(Found::ByChainId { id, known }),
        }
    }

    /// Whether it is the asker's own, or of a voter of registrars whom a registrar asks for.
    async fn is_own(&self, principal: &Principal, known: &Submission) -> Result<bool, Problem> {
        let election_id = known.election_id;
        if !principal.may_cast_for() {
            let own = self.electorate.own(election_id, &principal.subject).await?;
            return Ok(own.contains(&known.voter));
        }
        let Some(client_id) = &known.client_id else {
            return Ok(true);
        };
        let named = self.store.named_by_registrar(client_id, Some(election_id));
        Ok(matches!(named.await?, Named::One(one) if one.sequence == known.sequence))
    }

    async fn by_name(
        &self,
        principal: &Principal,
        wanted: &Wanted,
    ) -> Result<Option<Submission>, Problem> {
        if !principal.may_cast_for() {
            return self.of_subject(&principal.subject, wanted).await;
        }
        if let Some(voter_id) = &wanted.voter_id {
            let voter = Subject::Registrar(NamedVoter::new(voter_id.clone()));
            return self.of_subject(&voter, wanted).await;
        }
        let id = &wanted.transaction_id;
        match self
            .store
            .named_by_registrar(id, wanted.election_id)
            .await?
        {
            Named::Nothing => Ok(None),
            Named::One(one) => Ok(Some(*one)),
            Named::Several => Err(Problem::new(
                StatusCode::CONFLICT,
                "transaction-id-ambiguous",
                "several voters chose this transaction_id; name the voter_id and the election_id",
            )),
        }
    }

    async fn of_subject(
        &self,
        subject: &Subject,
        wanted: &Wanted,
    ) -> Result<Option<Submission>, Problem> {
        let elections = match wanted.election_id {
            Some(election_id) => vec![election_id],
            None => {
                let elections = self.elections.all().into_iter();
                elections
                    .map(|election| election.view.election_id)
                    .collect()
            }
        };
        for election_id in elections {
            for voter in self.electorate.own(election_id, subject).await? {
                let named = self.store.named(&voter, &wanted.transaction_id).await?;
                if let Some(submission) = named {
                    return Ok(Some(submission));
                }
            }
        }
        Ok(None)
    }
}
