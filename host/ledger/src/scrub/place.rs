//! Where a pass stands, as bytes to keep over a restart: of a long chain it takes hours, and what it found
//! stays found.

use std::collections::{BTreeMap, BTreeSet};

use borsh::{BorshDeserialize, BorshSerialize};
use tabella_protocol::{Hash, codec, merkle::Frontier};

use super::{Checked, Progress, Scrub, Signatures};
use crate::{Damage, Ledger, LedgerError};

/// Longest place that is read: a board of the longest history takes 2 KiB.
const PLACE_BYTES_MAX: usize = 64 << 20;

/// The tables that damage can be in.
const TABLES: [&str; 16] = [
    "acks",
    "blocks",
    "board",
    "board-heads",
    "certificates",
    "elections",
    "heights",
    "meta",
    "outcomes",
    "plugins",
    "roll",
    "sequences",
    "tiles",
    "transactions",
    "validator-sets",
    "voters",
];

/// A pass under way. Follows the hash of itself in what is kept.
#[derive(BorshSerialize, BorshDeserialize)]
struct Place {
    genesis: Hash,
    parent: Option<Hash>,
    boards: BTreeMap<u64, Frontier>,
    lost: BTreeSet<u64>,
    counting: BTreeMap<u64, u64>,
    blocks: u64,
    signatures: u64,
    ballots: u64,
    /// What this pass found.
    found: Vec<Record>,
    /// What was known when it began.
    before: Vec<Record>,
    /// All that is known.
    known: Vec<Record>,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct Record {
    table: String,
    at: String,
    what: String,
    block: Option<u64>,
}

impl Scrub {
    /// What to keep of this pass, which `progress` says is over or not. Once it is, damage from before that
    /// it did not find again is forgotten.
    pub fn keep(&self, ledger: &Ledger, progress: Progress) -> Vec<u8> {
        let is_same =
            |one: &Damage, other: &Damage| (one.table, &one.at) == (other.table, &other.at);
        let mut known = ledger.damage();
        let next;
        let scrub = match progress {
            Progress::Going => self,
            Progress::Done => {
                let is_in =
                    |list: &[Damage], one: &Damage| list.iter().any(|other| is_same(one, other));
                known.retain(|one| !is_in(&self.before, one) || is_in(&self.damage, one));
                next = Self::new(ledger, Signatures::OfValidators);
                &next
            }
        };
        let before = match progress {
            Progress::Going => &self.before,
            Progress::Done => &known,
        };
        let place = codec::encode(&Place {
            genesis: ledger.genesis_hash(),
            parent: scrub.parent,
            boards: scrub.boards.clone(),
            lost: scrub.lost.clone(),
            counting: scrub.counting.clone(),
            blocks: scrub.checked.blocks,
            signatures: scrub.checked.signatures,
            ballots: scrub.checked.ballots,
            found: records(&scrub.damage),
            before: records(before),
            known: records(&known),
        });
        [Hash::of(&place).0.as_slice(), &place].concat()
    }

    /// Goes on with a pass of this chain where it was, and with what was known of damage; `None` where the
    /// bytes are not what [`keep`](Self::keep) made of this chain. Signatures of transactions are not
    /// verified.
    pub fn resume(ledger: &Ledger, bytes: &[u8]) -> Option<Self> {
        let (hash, place) = bytes.split_first_chunk::<32>()?;
        if Hash::of(place).0 != *hash {
            return None;
        }
        let place: Place = codec::decode(place, PLACE_BYTES_MAX).ok()?;
        let is_on_chain = place.genesis == ledger.genesis_hash()
            && place.blocks <= ledger.tip().height
            && match place.parent {
                Some(parent) if place.blocks == 0 => parent == place.genesis,
                Some(parent) => match ledger.block(place.blocks) {
                    Ok(stored) => stored.is_some_and(|stored| stored.hash == parent),
                    // It was read then, and is found again.
                    Err(LedgerError::Damaged(_)) => true,
                    Err(_) => false,
                },
                None => true,
            };
        let found = damage(place.found)?;
        let before = damage(place.before)?;
        let known = damage(place.known)?;
        if !is_on_chain {
            return None;
        }
        known.iter().for_each(|damage| ledger.note(damage));
        Some(Self {
            signatures: Signatures::OfValidators,
            parent: place.parent,
            boards: place.boards,
            lost: place.lost,
            counting: place.counting,
            checked: Checked {
                blocks: place.blocks,
                signatures: place.signatures,
                ballots: place.ballots,
            },
            before,
            damage: found,
            problems: Vec::new(),
        })
    }
}

fn records(damage: &[Damage]) -> Vec<Record> {
    let records = damage.iter().map(|damage| Record {
        table: damage.table.to_owned(),
        at: damage.at.clone(),
        what: damage.what.clone(),
        block: damage.block,
    });
    records.collect()
}

fn damage(records: Vec<Record>) -> Option<Vec<Damage>> {
    let damage = records.into_iter().map(|record| {
        Some(Damage {
            table: TABLES.into_iter().find(|table| *table == record.table)?,
            at: record.at,
            what: record.what,
            block: record.block,
        })
    });
    damage.collect()
}
