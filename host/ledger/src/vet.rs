//! What can be judged of a transaction once and for all.
//!
//! Signature, the signer's standing right, and the rule's verdict on a ballot depend only on what
//! never changes after it is on the chain (an election's statement, a published plugin), so a vetted
//! transaction stays vetted: a validator that vetted it on arrival need not do so again in a block.

use std::sync::Arc;

use tabella_protocol::{Hash, Payload, Revote, RollEntry, Transaction, VoterId, rpc::RefusalCode};
use tabella_runtime::{Contest, LoadError, Plugin, Verdict};

use crate::{
    Ledger, LedgerError, Refusal, VetError,
    configure::{ConfigureError, configure},
    state::{Election, State},
};

/// What is believed of a transaction before it is vetted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Belief {
    /// Nothing: its signature, its signer's right and the rule's verdict are checked.
    Nothing,
    /// A quorum of validators checked all that, and put it into a block.
    Certificate,
}

/// What vetting prepared for execution.
#[derive(Clone)]
pub(crate) enum Prepared {
    Nothing,
    Plugin(Plugin),
    Contests(Arc<[Contest]>),
}

/// A transaction whose signature, rights and ballot have been judged good. Cheap to clone.
#[derive(Clone)]
pub struct Vetted {
    pub(crate) id: Hash,
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) transaction: Arc<Transaction>,
    pub(crate) prepared: Prepared,
    pub(crate) sole_ballot_of: Option<(u64, VoterId)>,
}

impl Vetted {
    /// The election and voter of which this is the only ballot that can count, where the election
    /// refuses a second one.
    pub fn sole_ballot_of(&self) -> Option<(u64, VoterId)> {
        self.sole_ballot_of
    }

    /// The transaction's id.
    pub fn id(&self) -> Hash {
        self.id
    }

    /// Its canonical bytes.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// The transaction.
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }
}

impl Ledger {
    /// Judges canonical transaction bytes by everything that cannot change any more.
    ///
    /// For transactions that come in by themselves. A plugin that this host cannot compile is
    /// refused here, where nobody else is bound by the answer; in a block it stops the node.
    pub fn vet(&self, bytes: &[u8]) -> Result<Vetted, VetError> {
        let (got, most) = (bytes.len(), self.genesis.transaction_bytes_max());
        if (most + 1..=Transaction::BYTES_MAX).contains(&got) {
            // At the head of those that wait, it would keep all others out of every block.
            let message = format!(
                "expected a transaction of at most {most} bytes, as a block holds, got {got}"
            );
            return Err(Refusal::new(RefusalCode::TooLarge, message).into());
        }
        let transaction = Transaction::from_bytes(bytes)
            .map_err(|error| Refusal::new(RefusalCode::MalformedTransaction, error.to_string()))?;
        match self.vet_decoded(Hash::of(bytes), bytes.into(), transaction, Belief::Nothing) {
            Err(VetError::Ledger(LedgerError::NotCompiled(error))) => {
                Err(Refusal::new(RefusalCode::Unavailable, error.to_string()).into())
            }
            judged => judged,
        }
    }

    pub(crate) fn vet_decoded(
        &self,
        id: Hash,
        bytes: Arc<[u8]>,
        transaction: Transaction,
        belief: Belief,
    ) -> Result<Vetted, VetError> {
        let expected = self.genesis.chain_id;
        let got = transaction.body.chain_id;
        if got != expected {
            let message = format!("expected a transaction for chain {expected}, got one for {got}");
            return Err(Refusal::new(RefusalCode::OtherChain, message).into());
        }
        if belief == Belief::Nothing && !self.batches.verify(&transaction) {
            let message = format!("the signature is not one of signer {}", transaction.signer);
            return Err(Refusal::new(RefusalCode::BadSignature, message).into());
        }
        let state = self.state();
        let prepared = match (&transaction.body.payload, belief) {
            (Payload::PublishPlugin { .. } | Payload::CreateElection(_), _)
            | (_, Belief::Nothing) => self.prepare(&state, &transaction)?,
            (_, Belief::Certificate) => Prepared::Nothing,
        };
        let sole_ballot_of = sole_ballot_of(&state, &transaction);
        let transaction = Arc::new(transaction);
        Ok(Vetted {
            id,
            bytes,
            transaction,
            prepared,
            sole_ballot_of,
        })
    }

    fn prepare(&self, state: &State, transaction: &Transaction) -> Result<Prepared, VetError> {
        match &transaction.body.payload {
            Payload::PublishPlugin { wasm } => {
                self.require_authority(transaction)?;
                self.load_plugin(wasm).map(Prepared::Plugin)
            }
            Payload::CreateElection(spec) => {
                self.require_authority(transaction)?;
                let invalid = |m: String| Refusal::new(RefusalCode::InvalidElection, m);
                spec.check().map_err(|error| invalid(error.to_string()))?;
                match configure(&state.plugins, &spec.contests) {
                    Ok(contests) => Ok(Prepared::Contests(contests)),
                    Err((_, ConfigureError::Config(tabella_runtime::ConfigError::Host(fault)))) => {
                        Err(fault.into())
                    }
                    Err((place, error @ ConfigureError::UnknownPlugin(_))) => Err(Refusal {
                        contest: Some(place),
                        ..Refusal::new(RefusalCode::UnknownPlugin, error.to_string())
                    }
                    .into()),
                    Err((place, error)) => Err(Refusal {
                        contest: Some(place),
                        ..invalid(format!("contest {:?}: {error}", spec.contests[place].id))
                    }
                    .into()),
                }
            }
            Payload::ExtendRoll {
                election_id,
                entries,
            } => {
                let election = election(state, *election_id)?;
                vet_roll(election, entries)?;
                let registrar = registrar(election) == Some(transaction.signer);
                if !registrar {
                    self.require_authority(transaction)?;
                }
                Ok(Prepared::Nothing)
            }
            Payload::OpenElection { .. }
            | Payload::CloseElection { .. }
            | Payload::ChangeValidators { .. }
            | Payload::SubmitEvidence(_) => {
                self.require_authority(transaction)?;
                Ok(Prepared::Nothing)
            }
            Payload::CastBallot {
                election_id,
                voter,
                ballots,
            } => {
                let election = election(state, *election_id)?;
                vet_caster(election, transaction, voter)?;
                vet_ballots(election, ballots)?;
                Ok(Prepared::Nothing)
            }
            // Who is a validator changes with the height, so execution asks.
            Payload::AttestResult(_) => Ok(Prepared::Nothing),
        }
    }

    fn require_authority(&self, transaction: &Transaction) -> Result<(), Refusal> {
        if self.genesis.authorities.contains(&transaction.signer) {
            return Ok(());
        }
        Err(not_authorised(transaction, "an authority named in genesis"))
    }

    fn load_plugin(&self, wasm: &[u8]) -> Result<Plugin, VetError> {
        match self.runtime.load(wasm) {
            Ok(plugin) => Ok(plugin),
            Err(LoadError::Host(fault)) => Err(fault.into()),
            Err(LoadError::NotCompiled(error)) => Err(LedgerError::from(error).into()),
            Err(error) => Err(Refusal::new(RefusalCode::PluginRefused, error.to_string()).into()),
        }
    }
}

fn not_authorised(transaction: &Transaction, expected: &str) -> Refusal {
    let (kind, signer) = (transaction.body.payload.kind(), transaction.signer);
    let message = format!("{kind} must be signed by {expected}, got signer {signer}");
    Refusal::new(RefusalCode::NotAuthorised, message)
}

fn election(state: &State, id: u64) -> Result<&Election, Refusal> {
    state
        .elections
        .get(&id)
        .map(|election| &**election)
        .ok_or_else(|| unknown_election(id))
}

pub(crate) fn unknown_election(id: u64) -> Refusal {
    Refusal::new(
        RefusalCode::UnknownElection,
        format!("no election has the id {id}"),
    )
}

fn sole_ballot_of(state: &State, transaction: &Transaction) -> Option<(u64, VoterId)> {
    let Payload::CastBallot {
        election_id, voter, ..
    } = &transaction.body.payload
    else {
        return None;
    };
    let election = state.elections.get(election_id)?;
    (election.spec().revote == Revote::Refuse).then_some((*election_id, *voter))
}

fn registrar(election: &Election) -> Option<tabella_protocol::PublicKey> {
    election.spec().eligibility.registrar().copied()
}

fn vet_roll(election: &Election, entries: &[RollEntry]) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new(RefusalCode::InvalidRoll, message));
    if election.spec().eligibility.roll().is_none() {
        return refuse(format!(
            "election {} has no roll: its registrar admits voters",
            election.id()
        ));
    }
    if entries.is_empty() {
        return refuse("expected at least one roll entry".into());
    }
    if let Some(place) = entries.iter().position(|entry| entry.weight == 0) {
        return refuse(format!(
            "expected a weight of at least 1 in every entry, got 0 in entry {place} of this part"
        ));
    }
    let mut voters: Vec<VoterId> = entries.iter().map(|entry| entry.voter).collect();
    voters.sort_unstable();
    if voters.windows(2).any(|pair| pair[0] == pair[1]) {
        return refuse("a voter stands twice in this part of the roll".into());
    }
    Ok(())
}

fn vet_caster(
    election: &Election,
    transaction: &Transaction,
    voter: &VoterId,
) -> Result<(), Refusal> {
    match registrar(election) {
        Some(registrar) if transaction.signer == registrar => Ok(()),
        Some(_) => Err(not_authorised(transaction, "the election's registrar")),
        None if VoterId::from(transaction.signer) == *voter => Ok(()),
        None => Err(not_authorised(
            transaction,
            "the credential key that is the voter",
        )),
    }
}

fn vet_ballots(election: &Election, ballots: &[Vec<u8>]) -> Result<(), VetError> {
    let expected = election.contests().len();
    if ballots.len() != expected {
        let message = format!(
            "expected {expected} ballots, one per contest, got {}",
            ballots.len()
        );
        return Err(Refusal::new(RefusalCode::BallotRefused, message).into());
    }
    for (place, (contest, ballot)) in election.contests().iter().zip(ballots).enumerate() {
        match contest.validate(ballot)? {
            Verdict::Accept => {}
            Verdict::Reject { code, message } => {
                return Err(Refusal {
                    plugin_code: Some(code),
                    contest: Some(place),
                    ..Refusal::new(RefusalCode::BallotRefused, message)
                }
                .into());
            }
            Verdict::Fault(fault) => {
                return Err(Refusal {
                    contest: Some(place),
                    ..Refusal::new(RefusalCode::RuleFault, format!("the rule failed: {fault}"))
                }
                .into());
            }
        }
    }
    Ok(())
}
