//! Checks a backend's local ledger: that it is whole, signed and follows the rules, and that every
//! ballot in it reached the network or was refused there with a reason.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    path::Path,
    time::Duration,
};

use futures::{StreamExt, stream};
use serde::Serialize;
use tabella_client::{BuildError, Client, ConfirmationStatus, QueryError, ValidatorEndpoint};
use tabella_follower::{Replay, ReplayError};
use tabella_ledger::LedgerError;
use tabella_protocol::{
    BoardEntry, Genesis, Hash, LedgerLine, Payload, PublicKey, SigningKey, Transaction, VoterId,
    is_local_genesis_of,
};

use crate::{
    lines::{Lines, LinesError},
    scratch::{Scratch, ScratchError},
};

/// Board entries asked for at once.
const PAGE: u64 = 1_000;
/// How long validators may take to answer for the first time.
const CONNECT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Ballots that validators are asked for at the same time.
const ASKED_AT_ONCE: usize = 16;
/// Problems listed; past that the answer is clear.
const PROBLEMS_MAX: usize = 100;

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Findings {
    /// Whether nothing is wrong.
    pub valid: bool,
    /// Whose ledger it is.
    pub backend: Option<PublicKey>,
    /// Blocks of the local ledger that were executed again.
    pub blocks: u64,
    /// Transactions that shaped elections, each proven to stand on the network's chain.
    pub election_changes: u64,
    /// Ballots that the backend acknowledged.
    pub ballots: u64,
    /// Of these, proven to stand on the network's chain as they are.
    pub confirmed: u64,
    /// Of these, on the network's boards under another transaction, signed again.
    pub signed_again: u64,
    /// Of these, refused, because the voter's other ballot stands on the board.
    pub already_voted: u64,
    /// Of these, refused for the reason that the backend gives.
    pub refused: u64,
    /// Of these, not settled yet.
    pub unsettled: u64,
    /// What is wrong.
    pub problems: Vec<String>,
}

impl Findings {
    fn problem(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

/// Why a local ledger cannot be checked, or is none.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A line cannot be read.
    #[error(transparent)]
    Lines(#[from] LinesError),
    /// It does not begin as an export does.
    #[error("expected the genesis of a local ledger on the first line")]
    NoGenesis,
    /// Its genesis is not that of one backend.
    #[error("expected the genesis of a local ledger, with one key")]
    NotOneKey,
    /// It is another network's.
    #[error("the ledger does not belong to a backend of this network")]
    OtherNetwork,
    /// It has a second beginning.
    #[error("unexpected second genesis line")]
    SecondGenesis,
    /// A block does not hold.
    #[error("block {height} of the local ledger")]
    Block {
        /// Its height.
        height: u64,
        /// Why.
        source: ReplayError,
    },
    /// A block's transactions cannot be read back.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// It has no end.
    #[error("the export breaks off before its end; fetch it again")]
    BreaksOff,
    /// Its end speaks of another number of blocks.
    #[error("expected {expected} blocks, got {found}")]
    Blocks {
        /// What the end says.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// The validators named are none.
    #[error(transparent)]
    Client(#[from] BuildError),
    /// Nobody can be asked.
    #[error("no validator answers; name those that do with --validator NAME=URL")]
    NoValidator,
    /// A validator's answer is missing or does not hold.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// There is nowhere to execute the ledger.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// This machine failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A ledger that was executed again from its export.
struct Replayed {
    transactions: Vec<(Hash, Transaction)>,
    /// Code and reason of the ballots that the backend says were refused.
    refused: BTreeMap<Hash, (String, String)>,
    unsettled: Vec<Hash>,
}

/// Checks the export in `file` against the network.
pub async fn check(
    file: &Path,
    genesis: Genesis,
    validators: Vec<ValidatorEndpoint>,
    reader: Option<SigningKey>,
) -> Result<Findings, CheckError> {
    let mut findings = Findings::default();
    let replayed = replay(file, &genesis, &mut findings)?;
    let mut builder = Client::builder(genesis).validators(validators);
    if let Some(reader) = reader {
        builder = builder.reader(reader);
    }
    let client = builder.build()?;
    connect(&client).await?;
    let mut boards = Boards::default();
    let mut asked = stream::iter(&replayed.transactions)
        .map(|entry| {
            let status = client.confirmation_status(entry.0);
            async move { (entry, status.await) }
        })
        .buffered(ASKED_AT_ONCE);
    while let Some(((id, transaction), status)) = asked.next().await {
        let is_confirmed = matches!(status?, ConfirmationStatus::Confirmed(_));
        match &transaction.body.payload {
            Payload::CastBallot {
                election_id,
                voter,
                ballots,
            } => {
                findings.ballots += 1;
                if is_confirmed {
                    findings.confirmed += 1;
                    continue;
                }
                let ballot_hash = BoardEntry::ballot_hash(ballots);
                let entries = boards.of(&client, *election_id).await?;
                let own = entries.get(voter).map(Vec::as_slice).unwrap_or_default();
                if own.contains(&ballot_hash) {
                    findings.signed_again += 1;
                } else if replayed.refused.contains_key(id) && !own.is_empty() {
                    findings.already_voted += 1;
                } else if let Some((_, reason)) = replayed.refused.get(id)
                    && !reason.is_empty()
                {
                    findings.refused += 1;
                } else if replayed.unsettled.contains(id) {
                    findings.unsettled += 1;
                } else {
                    findings.problem(format!(
                        "ballot {id} was acknowledged, but is neither on the chain nor refused"
                    ));
                }
            }
            _ if is_confirmed => findings.election_changes += 1,
            payload => findings.problem(format!(
                "{} {id} is not on the network's chain",
                payload.kind()
            )),
        }
    }
    findings.valid = findings.problems.is_empty();
    Ok(findings)
}

async fn connect(client: &Client) -> Result<(), CheckError> {
    let deadline = tokio::time::Instant::now() + CONNECT;
    while client.health().healthy == 0 {
        if tokio::time::Instant::now() > deadline {
            return Err(CheckError::NoValidator);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// Which ballots each voter has on the boards, by ballot hash.
#[derive(Default)]
struct Boards(BTreeMap<u64, BTreeMap<VoterId, Vec<Hash>>>);

impl Boards {
    async fn of(
        &mut self,
        client: &Client,
        election_id: u64,
    ) -> Result<&BTreeMap<VoterId, Vec<Hash>>, QueryError> {
        match self.0.entry(election_id) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(vacant) => Ok(vacant.insert(read_board(client, election_id).await?)),
        }
    }
}

async fn read_board(
    client: &Client,
    election_id: u64,
) -> Result<BTreeMap<VoterId, Vec<Hash>>, QueryError> {
    let mut voters: BTreeMap<VoterId, Vec<Hash>> = BTreeMap::new();
    let mut from = 0;
    loop {
        let page = client.board(election_id, from, PAGE).await?;
        if page.items.is_empty() {
            return Ok(voters);
        }
        from += page.items.len() as u64;
        for item in page.items {
            let ballots = voters.entry(item.entry.voter).or_default();
            ballots.push(item.entry.ballot_hash);
        }
    }
}

/// Executes the exported blocks again, from an empty ledger.
fn replay(file: &Path, network: &Genesis, findings: &mut Findings) -> Result<Replayed, CheckError> {
    let mut lines = Lines::open(file, "")?;
    let Some(LedgerLine::Genesis { genesis }) = lines.next()? else {
        return Err(CheckError::NoGenesis);
    };
    let [backend] = genesis.validators.as_slice() else {
        return Err(CheckError::NotOneKey);
    };
    let key = backend.public_key;
    if !is_local_genesis_of(&genesis, network, &key) {
        return Err(CheckError::OtherNetwork);
    }
    findings.backend = Some(key);
    let directory = Scratch::new()?;
    let mut replay = Replay::start(directory.path(), *genesis)?;
    let mut replayed = Replayed {
        transactions: Vec::new(),
        refused: BTreeMap::new(),
        unsettled: Vec::new(),
    };
    let mut ended = false;
    while let Some(line) = lines.next()? {
        match line {
            LedgerLine::Genesis { .. } => return Err(CheckError::SecondGenesis),
            LedgerLine::Block { block, certificate } => {
                let height = findings.blocks + 1;
                replay
                    .apply(&block.0, &certificate)
                    .map_err(|source| CheckError::Block { height, source })?;
                replayed.transactions.extend(replay.newest_transactions()?);
                findings.blocks += 1;
            }
            LedgerLine::Refused {
                transaction_id,
                code,
                reason,
            } => {
                replayed.refused.insert(transaction_id, (code, reason));
            }
            LedgerLine::Unsettled { transaction_id } => replayed.unsettled.push(transaction_id),
            LedgerLine::End { blocks } if blocks == findings.blocks => ended = true,
            LedgerLine::End { blocks: expected } => {
                return Err(CheckError::Blocks {
                    expected,
                    found: findings.blocks,
                });
            }
        }
    }
    if !ended {
        return Err(CheckError::BreaksOff);
    }
    Ok(replayed)
}
