//! Which voter of an election somebody is, if any.
//!
//! A pseudonym is an HMAC of a name under a secret of the election and of the name's realm, so that no
//! account's can be that of a registrar's voter. Registrars' voters keep the secret that elections always
//! had. Elections and accounts of before the realms were told apart are `Earlier`:
//! `docs/decisions/0032-accounts-and-registrars-voters-are-two-realms.md` says what holds for them.

use tabella_follower::Follower;
use tabella_protocol::{Eligibility, OpenTo, VoterId, rpc::ElectionView};

use crate::{
    chain_read::{self, ReadError},
    local_ledger::LocalLedger,
    secrets::MasterSecret,
    store::{Earlier, Store, StoreError},
    subject::{AccountHolder, NamedVoter, Subject},
    voter_name::{VoterName, VoterNameError},
};

/// Why somebody is no voter of an election.
#[derive(Debug, Clone, thiserror::Error)]
pub enum VoterError {
    /// The operator's token stands for no voter.
    #[error("expected a voter_id, because this token is not a voter's")]
    Operator,
    /// The election admits no accounts.
    #[error(
        "election {0} admits the voters whom its registrar names, not accounts; ask for a voter's token"
    )]
    AccountsNotAdmitted(u64),
    /// The id is none.
    #[error(transparent)]
    Name(#[from] VoterNameError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The proven chain cannot be read.
    #[error(transparent)]
    Chain(#[from] ReadError),
}

/// The secrets behind the pseudonyms of one election.
pub struct Pseudonyms {
    registrar: [u8; 32],
    accounts: [u8; 32],
}

impl Pseudonyms {
    /// Of a voter whom a registrar names.
    pub fn of_registrar(&self, name: &str) -> VoterId {
        VoterId::pseudonym(&self.registrar, name)
    }

    /// Of an account.
    pub fn of_account(&self, name: &str) -> VoterId {
        VoterId::pseudonym(&self.accounts, name)
    }

    /// Of a registrar's voter: under its id's one form, and in an election of before under those that it
    /// may know it by.
    fn forms(&self, voter: &NamedVoter, is_earlier: bool) -> Vec<VoterId> {
        let name = voter.name.as_ref().ok();
        let mut texts: Vec<String> = name.iter().map(|name| name.as_str().to_owned()).collect();
        if is_earlier {
            texts.push(voter.given.clone());
            texts.extend(name.map(VoterName::decomposed));
        }
        let mut forms = Vec::with_capacity(texts.len());
        for text in &texts {
            let form = self.of_registrar(text);
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
        forms
    }
}

/// Tells which voter somebody is.
pub struct Electorate {
    master: MasterSecret,
    follower: Follower,
    store: Store,
    local: LocalLedger,
    earlier: Earlier,
}

impl Electorate {
    pub(crate) fn new(
        master: MasterSecret,
        follower: Follower,
        store: Store,
        local: LocalLedger,
        earlier: Earlier,
    ) -> Self {
        Self {
            master,
            follower,
            store,
            local,
            earlier,
        }
    }

    /// The secrets behind an election's pseudonyms.
    pub fn pseudonyms(&self, election_id: u64) -> Pseudonyms {
        let genesis = self.follower.ledger().genesis_hash();
        Pseudonyms {
            registrar: self.master.election(&genesis, election_id),
            accounts: self.master.accounts(&genesis, election_id),
        }
    }

    /// The voter that the subject is in an election where a registrar casts for voters.
    pub(crate) async fn voter(
        &self,
        view: &ElectionView,
        subject: &Subject,
    ) -> Result<VoterId, VoterError> {
        match subject {
            Subject::Operator => Err(VoterError::Operator),
            Subject::Account(account) => self.account(view, account),
            Subject::Registrar(voter) => self.named(view, voter).await,
        }
    }

    fn account(&self, view: &ElectionView, account: &AccountHolder) -> Result<VoterId, VoterError> {
        let pseudonyms = self.pseudonyms(view.election_id);
        match &view.spec.eligibility {
            Eligibility::Registrar {
                open_to: OpenTo::Named,
                ..
            } => {
                if self.is_earlier_voter(view, account) {
                    return Ok(pseudonyms.of_registrar(&account.name));
                }
                Err(VoterError::AccountsNotAdmitted(view.election_id))
            }
            // Whether it is on the roll, the chain says.
            _ => Ok(pseudonyms.of_account(&account.name)),
        }
    }

    /// Whether an account of before goes on in an election of before, as the voter that it was.
    fn is_earlier_voter(&self, view: &ElectionView, account: &AccountHolder) -> bool {
        view.spec.eligibility.roll().is_none()
            && self.earlier.has_election(view.election_id)
            && account.registered_at_ms <= self.earlier.accounts_until_ms
    }

    async fn named(&self, view: &ElectionView, voter: &NamedVoter) -> Result<VoterId, VoterError> {
        let election_id = view.election_id;
        let pseudonyms = self.pseudonyms(election_id);
        let usual = voter.name.as_ref();
        let usual = usual.map(|name| pseudonyms.of_registrar(name.as_str()));
        if !self.earlier.has_election(election_id) {
            return usual.map_err(|error| (*error).into());
        }
        // One who stands in it under another form goes on as that one, and has no second vote.
        let forms = pseudonyms.forms(voter, true);
        for form in &forms {
            // The database may be an older copy, and the chain behind on what was acknowledged.
            let recorded = self.store.ballot_of(election_id, form).await?.is_some();
            if recorded || self.has_cast(election_id, form).await? {
                return Ok(*form);
            }
        }
        let on_roll = forms
            .iter()
            .find(|form| self.local.is_on_roll(election_id, form));
        match on_roll {
            Some(form) => Ok(*form),
            None => usual.map_err(|error| (*error).into()),
        }
    }

    /// Whether the proven chain holds a ballot of a voter.
    async fn has_cast(&self, election_id: u64, voter: &VoterId) -> Result<bool, ReadError> {
        let voter = *voter;
        let found = chain_read::read(&self.follower, move |ledger| {
            ledger.ballot_of(election_id, &voter)
        });
        Ok(found.await?.is_some())
    }

    /// Every voter that the subject is or was in an election, for what it has cast.
    pub async fn own(
        &self,
        election_id: u64,
        subject: &Subject,
    ) -> Result<Vec<VoterId>, StoreError> {
        let pseudonyms = self.pseudonyms(election_id);
        let is_earlier = self.earlier.has_election(election_id);
        Ok(match subject {
            Subject::Operator => Vec::new(),
            Subject::Account(account) => {
                let mut own = vec![pseudonyms.of_account(&account.name)];
                if is_earlier {
                    let proven = self.follower.ledger().election(election_id);
                    let known = proven.or_else(|| self.local.election(election_id));
                    if known.is_some_and(|e| self.is_earlier_voter(&e.view(), account)) {
                        own.push(pseudonyms.of_registrar(&account.name));
                    }
                }
                own
            }
            Subject::Registrar(voter) => pseudonyms.forms(voter, is_earlier),
        })
    }

    /// Whether a registrar's voter stands on the roll of an election of before under another form of its id
    /// than the one of today.
    pub fn is_on_roll_otherwise(&self, election_id: u64, voter: &NamedVoter) -> bool {
        if !self.earlier.has_election(election_id) {
            return false;
        }
        let forms = self.pseudonyms(election_id).forms(voter, true);
        let mut others = forms.iter().skip(usize::from(voter.name.is_ok()));
        others.any(|form| self.local.is_on_roll(election_id, form))
    }

    /// Whether a ballot was cast in an election of before under an account's name, by whomever: it may
    /// have been the account's, so that the account is no further voter there.
    pub async fn may_have_voted_before(
        &self,
        election_id: u64,
        account: &str,
    ) -> Result<bool, StoreError> {
        if !self.earlier.has_election(election_id) {
            return Ok(false);
        }
        let voter = self.pseudonyms(election_id).of_registrar(account);
        Ok(self.store.ballot_of(election_id, &voter).await?.is_some())
    }
}
